"""What a machine of a larger system runs: one role a process, its health, and the commands that run once."""
