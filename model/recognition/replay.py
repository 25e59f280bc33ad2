"""Rendered lines that ship: some are learned from again with corrections, others show what was forgotten.

Their features are kept, not their images, so that a training run loses no time over them, and needs no fonts. Each
character of the shipped alphabet stands in both kinds.
"""

from __future__ import annotations

from pathlib import Path

from model.errors import RecogniserError
from model.recognition.lines import FeatureLine, load_lines
from model.recognition.shipped import SHIPPED_RECOGNISER

LEARNING, MEASURING = "learning", "measuring"


def replay_file(kind: str, folder: Path = SHIPPED_RECOGNISER) -> Path:
    """Return where the lines of a kind, :data:`LEARNING` or :data:`MEASURING`, are kept."""
    return folder / f"{kind}.npz"


def load_replay(kind: str, backbone: str) -> list[FeatureLine]:
    """Return the shipped lines of a kind.

    Args:
        kind: :data:`LEARNING` or :data:`MEASURING`.
        backbone: Digest of the backbone in use. For any other than the shipped one there are none, unless
            ``python -m model.recognition.make_weights --backbone FILE --out FOLDER`` makes them.

    Raises:
        RecogniserError: If the file is missing or damaged, or belongs to another backbone.
    """
    if kind not in (LEARNING, MEASURING):
        raise RecogniserError(f"There are no lines for «{kind}».")
    return load_lines(replay_file(kind), backbone=backbone)
