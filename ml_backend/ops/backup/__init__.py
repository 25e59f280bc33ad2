"""Everything that a running backend has made, in one file, and back."""
