"""A model version's folder: the extractor and the recogniser that were evaluated together.

The extractor's files stand beside ``recogniser.safetensors``, the recogniser's head, and ``rereading.json``, which says
what it could read otherwise than its predecessors. Without the two, the head that ships reads.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from model.ocr import incremental_reread as rereading
from model.recognition import head

#: Files of the recogniser; all others are the extractor's.
RECOGNISER_FILES = frozenset({head.FILE, rereading.FILE})


def compose(folder: Path, *, extractor: Path, recogniser: Path) -> Path:
    """Make the folder of a version from those of two others.

    Args:
        folder: Must not exist yet, or be empty.
        extractor: Where the extractor's files are taken from.
        recogniser: Where the recogniser's are; without any there, the head that ships reads.

    Returns:
        ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for source, own in ((extractor, False), (recogniser, True)):
        for path in sorted(source.iterdir()):
            if path.is_file() and (path.name in RECOGNISER_FILES) == own:
                shutil.copyfile(path, folder / path.name)
    return folder


def recogniser_of(folder: Path) -> Path | None:
    """Return the file of a version's own head; ``None`` where the one that ships reads."""
    path = folder / head.FILE
    return path if path.is_file() else None
