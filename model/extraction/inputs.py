"""Words and boxes to the tensors of LayoutLMv3, in windows that overlap where a page is long.

LayoutLMv3: Huang et al., "LayoutLMv3: Pre-training for Document AI with Unified Text and Image Masking" (ACM MM 2022).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer

from model.document.types import Page, Word

GRID = 1000
NO_WORD = -1

# A tokenizer that ignores case loses where a glued word begins again: "ApplicationEngineer", "4thFloor".
_JOINTS = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])|(?<=[a-zа-яёіїєґ]{2})(?=[A-ZА-ЯЁІЇЄҐ][a-zа-яёіїєґ])")

# Word shapes, fed as token types: what a tokenizer that ignores case would hide.
SHAPES = 8


@dataclass(frozen=True, slots=True)
class Window:
    """One pass through the model.

    Attributes:
        input_ids: Shape ``(tokens,)``, with the opening and closing token.
        boxes: Shape ``(tokens, 4)``: grid boxes, integers in ``[0, 1000]``.
        token_types: Shape ``(tokens,)``: the word's shape, 0 where the model knows no shapes.
        words: Shape ``(tokens,)``: index of the word whose first token stands here, else ``NO_WORD``.
    """

    input_ids: NDArray[np.int64]
    boxes: NDArray[np.int64]
    token_types: NDArray[np.int64]
    words: NDArray[np.int64]


def word_shape(text: str) -> int:
    """Return the shape of ``text`` as a class in ``[0, SHAPES)``.

    0 no letter or digit, 1 lower case, 2 capitalised, 3 capitals, 4 one letter, 5 mixed case, 6 letters and digits,
    7 digits.
    """
    letters = [c for c in text if c.isalpha()]
    digits = any(c.isdigit() for c in text)
    if not letters:
        return 7 if digits else 0
    if digits:
        return 6
    if len(letters) == 1:
        return 4
    if all(c.isupper() for c in letters):
        return 3
    if letters[0].isupper() and not any(c.isupper() for c in letters[1:]):
        return 2
    return 5 if any(c.isupper() for c in letters) else 1


def grid_box(word: Word, page: Page) -> tuple[int, int, int, int]:
    """Return the word's box on LayoutLMv3's grid: left, top, right, bottom in ``[0, 1000]``, clipped to the page."""

    def scaled(value: float, size: int) -> int:
        return min(GRID, max(0, round(GRID * value / size)))

    return (
        scaled(word.box.x0, page.width),
        scaled(word.box.y0, page.height),
        scaled(word.box.x1, page.width),
        scaled(word.box.y1, page.height),
    )


class Encoder:
    """Turns pages into windows for one model.

    Args:
        tokenizer: The model's tokenizer; a word is tokenised by itself.
        opening: Id of the token before the words.
        closing: Id of the token after them.
        size: Most tokens in a window, opening and closing included.
        shapes: Whether the model takes word shapes as token types.
        stride: Share of a window that the next one repeats, in ``[0, 1)``.
    """

    def __init__(
        self, tokenizer: Tokenizer, *, opening: int, closing: int, size: int, shapes: bool, stride: float = 0.25
    ) -> None:
        self._tokenizer = tokenizer
        self._opening, self._closing = opening, closing
        self._room = size - 2
        self._shapes = shapes
        self._step = max(1, round(self._room * (1 - stride)))

    def encode(self, page: Page) -> list[Window]:
        """Return the windows of ``page``, each word's first token in at least one; none for a page without words."""
        # Where a word stands tells something of it on the upright page alone.
        page = page.upright()
        words = page.words
        pieces = self._tokenise(words)
        ids = [token for tokens in pieces for token in tokens]
        if not ids:
            return []
        owner = np.repeat(np.arange(len(words)), [len(tokens) for tokens in pieces])
        boxes = np.array([grid_box(word, page) for word in words], dtype=np.int64)[owner]
        types = np.array([word_shape(word.text) if self._shapes else 0 for word in words], dtype=np.int64)[owner]
        first = np.where(np.diff(owner, prepend=-1) != 0, owner, NO_WORD)
        return [
            Window(
                np.array([self._opening, *ids[start:stop], self._closing], dtype=np.int64),
                np.pad(boxes[start:stop], ((1, 1), (0, 0))),
                np.pad(types[start:stop], 1),
                np.pad(first[start:stop], 1, constant_values=NO_WORD),
            )
            for start, stop in self._ranges(len(ids))
        ]

    def _tokenise(self, words: Sequence[Word]) -> list[list[int]]:
        pretokens: list[str] = []
        owner: list[int] = []
        for index, word in enumerate(words):
            for part in _JOINTS.split(word.text) if self._shapes else [word.text]:
                pretokens.append(part)
                owner.append(index)
        encoded = self._tokenizer.encode(pretokens, is_pretokenized=True, add_special_tokens=False)
        tokens: list[list[int]] = [[] for _ in words]
        for token, place in zip(encoded.ids, encoded.word_ids, strict=True):
            if place is not None:
                tokens[owner[place]].append(token)
        # A word of which the tokenizer leaves nothing (a lone control character, say) still needs an answer.
        return [t or [self._closing] for t in tokens]

    def _ranges(self, tokens: int) -> Iterator[tuple[int, int]]:
        start = 0
        while start + self._room < tokens:
            yield start, start + self._room
            start += self._step
        yield start, tokens


def merge(windows: Sequence[Window], rows: Sequence[NDArray[np.float64]], words: int) -> NDArray[np.float64]:
    """Join what the windows say of each word.

    A word that stands in several windows is taken from the one in which it is farthest from an edge, where it sees
    most of its surroundings.

    Args:
        windows: As :meth:`Encoder.encode` gave them.
        rows: For each window, shape ``(tokens, labels)``.
        words: Number of words on the page.

    Returns:
        Shape ``(words, labels)``.
    """
    labels = rows[0].shape[1] if rows else 0
    merged = np.zeros((words, labels))
    depth = np.full(words, -1)
    for window, row in zip(windows, rows, strict=True):
        for place in np.flatnonzero(window.words != NO_WORD):
            word, deep = window.words[place], min(place, len(window.words) - 1 - place)
            if deep > depth[word]:
                depth[word], merged[word] = deep, row[place]
    return merged


def pixel_values(image: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """Return the page as LayoutLMv3's patches see it: shape ``(3, size, size)``, in ``[-1, 1]``."""
    resized = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
    return (np.asarray(resized, dtype=np.float32) / 127.5 - 1.0).transpose(2, 0, 1)
