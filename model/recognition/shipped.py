"""The head that ships, and the recogniser that an engine is to use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model.errors import RecogniserError
from model.recognition.backbone import Backbone
from model.recognition.charset import DEFAULT_LANGUAGES, charset_of
from model.recognition.head import FILE, Head

SHIPPED_RECOGNISER = Path(__file__).parent.parent / "weights" / "recogniser"
"""Folder of the shipped head, of the lines that are replayed, and of the model card."""


def shipped_head() -> Head:
    """Return the shipped head.

    Raises:
        RecogniserError: If it is missing or damaged.
    """
    return Head.load(SHIPPED_RECOGNISER / FILE)


def head_for(backbone: Backbone, recogniser: Path | None, languages: Sequence[str] = DEFAULT_LANGUAGES) -> Head:
    """Return the head to read with: the characters of ``languages``, and those that a trained head was taught.

    Characters that the head lacks and the backbone's own head knows are taken from there, untrained but working: so
    Greek or Chinese are read as they were before.

    Args:
        backbone: What the head is for.
        recogniser: A head's file, or a folder with one; None for the shipped one. Where it belongs to another backbone,
            the backbone's own head is taken, if None was given.
        languages: See :func:`~model.recognition.charset.charset_of`.

    Raises:
        RecogniserError: If the head is damaged, or ``recogniser`` belongs to another backbone.
    """
    head = shipped_head() if recogniser is None else Head.load(recogniser)
    original = backbone.original
    if head.backbone != backbone.digest:
        if recogniser is None:
            return original
        raise RecogniserError(
            "This recogniser was trained on another PP-OCR model than the one in use: go back to that one "
            "(OCR_MODELS_DIR), or train again."
        )
    wanted = charset_of(languages, original=original.characters)
    if recogniser is None:
        # Who needs no Cyrillic is not to have a Latin "C" taken for one. A trained head keeps what it was taught.
        head = head.narrowed(wanted)
    return head.widened([c for c in wanted if original.knows(c)], source=original)
