"""The doctor: looks at each link between the parts, in order, and says what exactly to do about one that is broken."""
