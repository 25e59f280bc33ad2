"""What optical character recognition makes of a page that is known exactly: glue, splits, misreadings, losses.

Training on such pages prepares the extractor for what real engines hand it, without running one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from model.document.types import Box, Line, Page, Word
from model.synthetic.lookalikes import misread, misread_foreign
from model.synthetic.reading_noise import ReadingNoise


@dataclass(slots=True)
class _Piece:
    """A word on its way through the damage: which entity it belongs to, -1 for none."""

    text: str
    box: Box
    field: str
    entity: int


_Row = list[_Piece]


def simulate_reading(
    page: Page, tags: Sequence[str], rng: np.random.Generator, noise: ReadingNoise | None = None
) -> tuple[Page, tuple[str, ...]]:
    """Return what an engine could have read of ``page``, with the tags that its words then have.

    A word glued from several belongs to the field that owns most of its characters. A field that continues after a
    lost beginning begins again, and so does one on a line of its own.

    Args:
        page: The truth.
        tags: A BIO tag for each of its words.
        rng: Where the damage comes from.
        noise: How much of each kind; by default what fits good scans, with a strength that varies from page to page.

    Returns:
        A page whose lines are in reading order, and one tag for each of its words.

    Raises:
        ValueError: If there is not exactly one tag a word.
    """
    if len(tags) != len(page.words):
        raise ValueError(f"{len(tags)} tags for {len(page.words)} words")
    if noise is None:
        # Some pages are read without fault, some badly.
        noise = ReadingNoise().scaled(float(rng.choice([0.0, 0.4, 1.0, 1.0, 1.8, 3.0])))
        noise = replace(noise, break_gap=0.8, merge=0.6, jitter=1.0)
    blind = bool(rng.random() < noise.lose_cyrillic)
    rows = _rows(page, tags)
    rows = [row for row in rows if rng.random() >= noise.drop_line] or rows[:1]
    rows = _merge(rows, rng, noise)
    rows = [part for row in rows for part in _break(row, rng, noise)]
    rows = [damaged for row in rows if (damaged := _damage(row, rng, noise, blind))]
    return _page(page, rows, rng, noise)


def _rows(page: Page, tags: Sequence[str]) -> list[_Row]:
    rows, entity, position = [], -1, 0
    for line in page.lines:
        row = []
        for word in line.words:
            tag = tags[position]
            position += 1
            if tag.startswith("B-"):
                entity += 1
            row.append(_Piece(word.text, word.box, tag[2:], entity if tag != "O" else -1))
        rows.append(row)
    return rows


def _height(row: _Row) -> float:
    return max(piece.box.height for piece in row)


def _merge(rows: list[_Row], rng: np.random.Generator, noise: ReadingNoise) -> list[_Row]:
    """Join lines that stand side by side with no more than a letter's height or so between them."""
    if not noise.merge:
        return rows
    merged: list[_Row] = []
    for row in rows:
        if merged:
            left, right = merged[-1][-1].box, row[0].box
            height = min(left.height, right.height)
            level = abs(left.center[1] - right.center[1]) < 0.4 * height
            near = 0 <= right.x0 - left.x1 < 1.1 * height
            alike = max(left.height, right.height) < 1.6 * height
            if level and near and alike and rng.random() < noise.merge:
                merged[-1] = merged[-1] + row
                continue
        merged.append(row)
    return merged


def _break(row: _Row, rng: np.random.Generator, noise: ReadingNoise) -> list[_Row]:
    """Let a line fall apart, surely not at narrow gaps, mostly at wide ones."""
    parts, height = [[row[0]]], _height(row)
    for before, piece in pairwise(row):
        gap = (piece.box.x0 - before.box.x1) / height
        rate = noise.break_gap if gap > 1.3 else noise.break_line if gap > 0.15 else 0.0
        if rng.random() < rate:
            parts.append([])
        parts[-1].append(piece)
    return parts


def _damage(row: _Row, rng: np.random.Generator, noise: ReadingNoise, blind: bool) -> _Row:
    row = _split(row, rng, noise)
    row = [piece for piece in row if rng.random() >= noise.drop_word] or row[:1]
    row = _glue(row, rng, noise)
    garbled = rng.random() < noise.garble_line
    rates = (0.5, 0.2, 0.2) if garbled else (noise.misread, noise.case, noise.lose_mark)
    damaged = []
    for piece in row:
        text = misread_foreign(piece.text, rng, cyrillic=blind) if blind or noise.misread else piece.text
        text = misread(text, rng, *rates) if text and any(rates) else text
        if text:
            damaged.append(replace(piece, text=text))
    if damaged and rng.random() < noise.stray:
        damaged.insert(0, _stray(damaged[0], rng))
    return damaged


def _stray(first: _Piece, rng: np.random.Generator) -> _Piece:
    """Return what an icon before a line is taken for."""
    text = str(
        rng.choice(
            [
                "O",
                "©",
                "@",
                "C",
                "(",
                "●",
                "•",
                "¤",
                "G",
                "Q",
                "8",
                "®",
                "*",
                "D",
                "E",
                "L",
                "国",
                "回",
                "#",
                "M",
                "9",
                "♀",
                "f",
                "in",
            ]
        )
    )
    side = first.box.height
    right = max(first.box.x0 - 0.3 * side, 1.0)
    return _Piece(text, Box(max(right - side, 0.0), first.box.y0, right, first.box.y1), "", -1)


def _cut(piece: _Piece, at: int) -> list[_Piece]:
    """Cut a word before its character ``at``; the boxes share its width in proportion."""
    box = piece.box
    middle = box.x0 + box.width * at / len(piece.text)
    return [
        replace(piece, text=piece.text[:at], box=Box(box.x0, box.y0, middle, box.y1)),
        replace(piece, text=piece.text[at:], box=Box(middle, box.y0, box.x1, box.y1)),
    ]


def _split(row: _Row, rng: np.random.Generator, noise: ReadingNoise) -> _Row:
    found: _Row = []
    for piece in row:
        text = piece.text
        places = [i for i, c in enumerate(text) if c in "@.:-/," and 0 < i < len(text) - 1]
        if places and rng.random() < noise.split_symbol * len(places):
            # The symbol may stay with either half: «name @host», «name@ host».
            found += _cut(piece, places[int(rng.integers(len(places)))] + int(rng.integers(2)))
        elif len(text) >= 5 and rng.random() < noise.split:
            found += _cut(piece, int(rng.integers(2, len(text) - 1)))
        else:
            found.append(piece)
    return found


def _glue(row: _Row, rng: np.random.Generator, noise: ReadingNoise) -> _Row:
    whole = rng.random() < noise.glue_line
    groups: list[list[_Piece]] = [[row[0]]]
    for before, piece in pairwise(row):
        label = before.entity < 0 and before.text[-1] in ":.-"
        gap = (piece.box.x0 - before.box.x1) / max(before.box.height, 1.0)
        rate = 1.0 if whole else max(noise.glue, noise.glue_label if label else 0.0)
        if gap < 0.9 and rng.random() < rate:
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return [_glued(group) for group in groups]


def _glued(group: list[_Piece]) -> _Piece:
    if len(group) == 1:
        return group[0]
    shares: dict[tuple[str, int], int] = {}
    for piece in group:
        shares[piece.field, piece.entity] = shares.get((piece.field, piece.entity), 0) + len(piece.text)
    field, entity = max(shares, key=lambda owner: shares[owner])
    return _Piece("".join(p.text for p in group), Box.around(p.box for p in group), field, entity)


def _page(page: Page, rows: list[_Row], rng: np.random.Generator, noise: ReadingNoise) -> tuple[Page, tuple[str, ...]]:
    lines, tags = [], []
    for row in rows:
        previous = -1
        words = []
        # All words of a line share its upper and lower edge, wherever the detector put them.
        upper, lower = rng.normal((-0.23, 0.07), 0.11) * noise.jitter * _height(row)
        for piece in row:
            words.append(Word(piece.text, _strayed(piece.box, page, rng, noise.jitter, upper, lower), 1.0))
            tags.append("O" if piece.entity < 0 else f"{'I' if piece.entity == previous else 'B'}-{piece.field}")
            previous = piece.entity
        box = Box.around(word.box for word in words)
        lines.append(Line(" ".join(word.text for word in words), box.polygon(), 1.0, tuple(words)))
    return replace(page, lines=tuple(lines)), tuple(tags)


def _strayed(box: Box, page: Page, rng: np.random.Generator, jitter: float, upper: float, lower: float) -> Box:
    """Return a box as an engine would have given it: a little too high, and narrower than the word."""
    if not jitter:
        return box
    before, behind = rng.normal((0.07, -0.03), (0.06, 0.1)) * jitter * box.height
    x0, x1 = max(0.0, box.x0 + before), min(float(page.width), box.x1 + behind)
    y0, y1 = max(0.0, box.y0 + upper), min(float(page.height), box.y1 + lower)
    return Box(float(x0), float(y0), float(x1), float(y1)) if x1 - x0 > 1 and y1 - y0 > 1 else box
