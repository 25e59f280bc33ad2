"""Label errors, correction patterns, and how versions do in use."""
