"""Rendered lines that ship as small pictures, to learn from again and to measure what was forgotten.

Any backbone can look at them, so that a recogniser of one's own, and layers below the head, can be taught too. What a
backbone makes of them is computed once and kept by the caller (:func:`seen_by`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

from model.document.images import RgbImage
from model.errors import RecogniserError, SyntheticError
from model.recognition.augmentation import augment_crop
from model.recognition.backbone import HEIGHT, LineFeatures
from model.recognition.charset import DEFAULT_LANGUAGES, charset_of
from model.recognition.lines import FeatureLine
from model.recognition.scripts import settled
from model.recognition.shipped import SHIPPED_RECOGNISER
from model.synthetic.fonts import FontSet
from model.synthetic.text_lines import TextLineImage, cyrillic_share, draw_line

FILE = "pictures.npz"

FIRST_SEED, FIRST_RARE_SEED = 6_000_000, 7_000_000

_RARE_TOGETHER = 3

_QUALITY = 45
# Clean scans and photographs taken with some care; the other shipped lines are what is hard.
_STRENGTH = 0.35
_RECEIPTS = 6


@dataclass(frozen=True, slots=True, eq=False)
class PictureLine:
    """A drawn line.

    Attributes:
        picture: RGB, as high as recognisers look at lines.
        text: What it says, each word in one script.
        language: Two letters such as ``ru``.
        measures: Whether it is for measuring alone.
        rare: Whether it was drawn for the characters in it, each of which stands in some line.
    """

    picture: RgbImage
    text: str
    language: str
    measures: bool
    rare: bool = False


def draw_pictures(fonts: FontSet, count: int, *, measures: bool) -> Iterator[PictureLine]:
    """Yield lines of cards, and some of receipts, half of them Cyrillic, hardly harmed."""
    charset = charset_of(DEFAULT_LANGUAGES)
    first = FIRST_SEED + 500_000 * measures
    for seed in range(first, first + count):
        kind = "card" if seed % _RECEIPTS else "receipt"
        line = draw_line(seed, fonts=fonts, charset=charset, locales=cyrillic_share(0.5), kind=kind)
        yield _picture(line, seed, measures=measures)


def draw_rare(fonts: FontSet, otherwise: FontSet, *, measures: bool) -> Iterator[PictureLine]:
    """Yield short lines that hold each character of the charset, in fonts of ``fonts`` where any has it."""
    charset = [c for c in charset_of(DEFAULT_LANGUAGES) if c != " "]
    first = FIRST_RARE_SEED + 500_000 * measures
    order = [charset[i] for i in np.random.default_rng(first).permutation(len(charset))]
    for number, start in enumerate(range(0, len(order), _RARE_TOGETHER)):
        words = [("слово" if "\u0400" <= c < "\u0530" else "word") + c for c in order[start : start + _RARE_TOGETHER]]
        # What no font holds together is drawn word by word.
        for texts in ([" ".join(words)], words):
            found = [_rare_picture(first + number, text, charset, (fonts, otherwise), measures) for text in texts]
            if any(found):
                yield from (picture for picture in found if picture)
                break


def _rare_picture(
    seed: int, text: str, charset: Sequence[str], fonts: Sequence[FontSet], measures: bool
) -> PictureLine | None:
    for chosen in fonts:
        try:
            line = draw_line(seed, fonts=chosen, charset=charset, locales=cyrillic_share(0.5), text=text)
        except SyntheticError:
            continue
        return _picture(line, seed, measures=measures, rare=True)
    return None


def _picture(line: TextLineImage, seed: int, *, measures: bool, rare: bool = False) -> PictureLine:
    crop = augment_crop(line.image, np.random.default_rng((seed, 1)), _STRENGTH)
    width = max(1, round(crop.shape[1] * HEIGHT / crop.shape[0]))
    small = np.asarray(cv2.resize(crop, (width, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
    language = ("ru" if any("\u0400" <= c < "\u0530" for c in line.text) else "en") if rare else line.language
    return PictureLine(small, settled(line.text), language, measures, rare)


def save_pictures(lines: Sequence[PictureLine], path: Path) -> None:
    """Write lines in grey, 1.5 KB each."""
    stored = [_packed(line.picture) for line in lines]
    described = {
        "lengths": [len(data) for data in stored],
        "texts": [line.text for line in lines],
        "languages": [line.language for line in lines],
        "measures": [line.measures for line in lines],
        "rare": [line.rare for line in lines],
    }
    buffer = io.BytesIO()
    np.savez(
        buffer,
        pictures=np.frombuffer(b"".join(stored), np.uint8),
        lines=np.frombuffer(json.dumps(described, ensure_ascii=False).encode(), np.uint8),
    )
    path.write_bytes(buffer.getvalue())


def load_pictures(path: Path = SHIPPED_RECOGNISER / FILE) -> list[PictureLine]:
    """Read what :func:`save_pictures` wrote; by default the lines that ship.

    Raises:
        RecogniserError: If the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            described = json.loads(file["lines"].tobytes())
            data = file["pictures"]
        said = list(zip(*(described[name] for name in ("texts", "languages", "measures", "rare")), strict=True))
        ends = np.cumsum([int(n) for n in described["lengths"]])
        if not len(ends) or len(ends) != len(said) or ends[-1] != len(data):
            raise ValueError("pictures and lines do not fit")
        pictures = [_unpacked(part) for part in np.split(data, ends[:-1])]
        rows = zip(pictures, said, strict=True)
        return [
            PictureLine(picture, str(text), str(language), bool(measures), bool(rare))
            for picture, (text, language, measures, rare) in rows
        ]
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise RecogniserError(f"The pictures of lines {path} cannot be read.") from error


def seen_by(sight: LineFeatures, lines: Sequence[PictureLine]) -> list[FeatureLine]:
    """Return lines as a backbone, or something else, sees them."""
    return [FeatureLine(sight.features([line.picture])[0], line.text, line.language) for line in lines]


def _packed(picture: RgbImage) -> bytes:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return bytes(cv2.imencode(".webp", grey, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])[1].tobytes())


def _unpacked(data: NDArray[np.uint8]) -> RgbImage:
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("no picture")
    return np.ascontiguousarray(np.asarray(picture, np.uint8)[:, :, ::-1])
