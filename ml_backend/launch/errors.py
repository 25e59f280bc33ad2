"""What can stop the launch: each is one line for the person at the terminal."""

from __future__ import annotations

from ml_backend.errors import BackendError


class LaunchError(BackendError):
    """The system cannot be brought up; the message says why and the hint how to mend it."""
