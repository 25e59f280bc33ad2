"""Small changes to a page, as another photograph of it and another reading would show, so that few pages teach more.

Boxes stray, the page is cut differently, words are lost, characters are taken for others, digits are others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from model.document.bio import OUTSIDE
from model.document.types import Box, Line, Page, Word
from model.extraction.training import Example
from model.synthetic.lookalikes import misread


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How often which change happens; all at 0 leave a page as it is.

    Attributes:
        jitter: How far each edge of a box strays, in heights of its word: a standard deviation.
        frame: How much each margin of the page may grow or shrink, in widths and heights of the page.
        drop_word: Probability that a word is lost.
        misread: Probability that a character is taken for one that looks like it, lost or doubled.
        case: Probability that a letter whose cases look alike changes its case.
        digits: Probability that all digits of a page become others, each the same one throughout a word.
    """

    jitter: float = 0.05
    frame: float = 0.08
    drop_word: float = 0.03
    misread: float = 0.008
    case: float = 0.004
    digits: float = 0.5

    def __post_init__(self) -> None:
        for each in fields(self):
            if not 0 <= getattr(self, each.name) <= 1:
                raise ValueError(f"{each.name} must lie between 0 and 1")


def augment(example: Example, rng: np.random.Generator, how: Augmentation) -> Example:
    """Return the example with changes; its image, if it has one, stays as it is.

    A word is only lost where its line keeps another, and an entity that loses its first word begins at the next one.

    Args:
        example: A page with words.
        rng: Where chance comes from.
        how: What changes how often.
    """
    page, tags = example.page.upright(), list(example.tags)
    left, top = rng.uniform(-how.frame, how.frame, 2) * (page.width, page.height)
    right, bottom = rng.uniform(-how.frame, how.frame, 2) * (page.width, page.height)
    width, height = max(1, round(page.width + left + right)), max(1, round(page.height + top + bottom))
    other_digits = rng.random() < how.digits
    lines: list[Line] = []
    kept_tags: list[str] = []
    for line, (start, stop) in zip(page.lines, page.line_spans(), strict=True):
        kept = rng.random(stop - start) >= how.drop_word
        kept[int(rng.integers(stop - start))] = True
        words = [
            _changed(word, left, top, rng, how, other_digits)
            for word, stays in zip(line.words, kept, strict=True)
            if stays
        ]
        polygon = tuple((x + left, y + top) for x, y in line.polygon)
        lines.append(replace(line, text=" ".join(w.text for w in words), polygon=polygon, words=tuple(words)))
        kept_tags += _repaired(tags[start:stop], kept)
    return Example(Page(width, height, tuple(lines)), tuple(kept_tags), example.image)


def _changed(
    word: Word, left: float, top: float, rng: np.random.Generator, how: Augmentation, other_digits: bool
) -> Word:
    text = word.text
    if other_digits:
        digits = rng.permutation(10)
        text = "".join(str(digits[int(c)]) if c in "0123456789" else c for c in text)
    text = misread(text, rng, how.misread, how.case, how.misread) or text
    x0, y0, x1, y1 = rng.normal(0.0, how.jitter * word.box.height, 4) if how.jitter else (0.0,) * 4
    box = word.box
    moved = (box.x0 + left + x0, box.y0 + top + y0, box.x1 + left + x1, box.y1 + top + y1)
    if moved[0] >= moved[2] or moved[1] >= moved[3]:
        moved = (box.x0 + left, box.y0 + top, box.x1 + left, box.y1 + top)
    return Word(text, Box(*moved), word.score)


def _repaired(tags: Sequence[str], kept: NDArray[np.bool_]) -> list[str]:
    """Return the tags of the words that stay; where an entity's first word is lost, the next one begins it."""
    result: list[str] = []
    lost_beginning = False
    for tag, stays in zip(tags, kept, strict=True):
        begins = tag.startswith("B-") or (tag.startswith("I-") and lost_beginning)
        if not stays:
            lost_beginning = begins
            continue
        result.append(f"B-{tag[2:]}" if tag != OUTSIDE and begins else tag)
        lost_beginning = False
    return result
