"""Which task a person sees next, and why."""
