"""What ships, and how it is made."""
