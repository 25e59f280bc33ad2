"""What the backend tells of itself: logs without secrets, and metrics."""
