"""Rendered lines that ship: some are learned from again with corrections, others show what was forgotten.

Most are pictures (:mod:`model.recognition.pictures`): any backbone sees them once, and what it sees is kept beside the
installation. Of hard prints the features are kept, as the shipped backbone sees them. Neither needs fonts, and each
character of the shipped alphabet stands in either.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.errors import RecogniserError
from model.recognition.backbone import LineFeatures
from model.recognition.lines import FeatureLine, load_lines, save_lines
from model.recognition.pictures import PictureLine, load_pictures, seen_by
from model.recognition.shipped import SHIPPED_RECOGNISER, shipped_head

LEARNING, MEASURING = "learning", "measuring"


@dataclass(frozen=True, slots=True)
class Rendered:
    """Rendered lines as one backbone sees them.

    Attributes:
        ordinary: To learn from: lines such as documents bear.
        rare: To learn from: rare characters and hard prints.
        ordinary_measuring: To measure with; no line of it is among those to learn from.
        rare_measuring: Likewise.
    """

    ordinary: Sequence[FeatureLine]
    rare: Sequence[FeatureLine]
    ordinary_measuring: Sequence[FeatureLine]
    rare_measuring: Sequence[FeatureLine]

    @property
    def complete(self) -> bool:
        """Whether there is something to learn from and something to measure with."""
        return bool(self.ordinary or self.rare) and bool(self.ordinary_measuring or self.rare_measuring)


class RenderedLines:
    """Gives the shipped lines as a backbone sees them; what it makes of the pictures is kept in ``folder``."""

    def __init__(self, folder: Path, pictures: Callable[[], Sequence[PictureLine]] = load_pictures) -> None:
        self._folder = folder
        self._pictures = pictures

    def __call__(self, sight: LineFeatures) -> Rendered:
        """Return the lines as a backbone sees them, or something else that looks at crops.

        Raises:
            RecogniserError: If they are missing or damaged.
        """
        pictures = self._pictures()
        seen = list(zip(pictures, self._seen(sight, pictures), strict=True))

        def chosen(*, rare: bool, measures: bool) -> list[FeatureLine]:
            return [line for picture, line in seen if (picture.rare, picture.measures) == (rare, measures)]

        own = shipped_head().backbone == sight.digest
        hard = [load_replay(kind, sight.digest) if own else [] for kind in (LEARNING, MEASURING)]
        return Rendered(
            chosen(rare=False, measures=False),
            [*chosen(rare=True, measures=False), *hard[0]],
            chosen(rare=False, measures=True),
            [*chosen(rare=True, measures=True), *hard[1]],
        )

    def _seen(self, sight: LineFeatures, pictures: Sequence[PictureLine]) -> list[FeatureLine]:
        path = self._folder / f"{sight.digest}.npz"
        if path.is_file():
            try:
                kept = load_lines(path, backbone=sight.digest)
                if [line.text for line in kept] == [picture.text for picture in pictures]:
                    return kept
            except RecogniserError:
                pass
        # Damaged, or of another release's pictures.
        lines = seen_by(sight, pictures)
        draft = path.with_suffix(f".{os.getpid()}.npz")
        try:
            save_lines(lines, draft, backbone=sight.digest)
            draft.replace(path)
        except OSError as error:
            raise RecogniserError(f"{path} cannot be written: {error.strerror}.") from error
        return lines


def replay_file(kind: str, folder: Path = SHIPPED_RECOGNISER) -> Path:
    """Return where the hard lines of a kind, :data:`LEARNING` or :data:`MEASURING`, are kept."""
    return folder / f"{kind}.npz"


def load_replay(kind: str, backbone: str) -> list[FeatureLine]:
    """Return the shipped hard lines of a kind.

    Args:
        kind: :data:`LEARNING` or :data:`MEASURING`.
        backbone: Digest of the backbone in use; there are lines for the shipped one alone.

    Raises:
        RecogniserError: If the file is missing or damaged, or belongs to another backbone.
    """
    if kind not in (LEARNING, MEASURING):
        raise RecogniserError(f'There are no lines for "{kind}".')
    return load_lines(replay_file(kind), backbone=backbone)
