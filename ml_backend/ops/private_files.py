"""Files that their owner alone can read: the store, models and training samples hold people's documents."""

from __future__ import annotations

import os

_NOT_OTHERS = 0o077


def keep_files_private() -> None:
    """Have this process, and all that it starts, make files and folders that no other user can open.

    What several containers share is theirs as long as they run as the same user.
    """
    os.umask(_NOT_OTHERS)
