"""Breaks lines of text to the width of their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.synthetic.content import TextLine, Token
from model.synthetic.styles import TypeStyle

# These are not broken while the place is at all wide enough.
_WHOLE = frozenset({"PHONE", "FAX", "EMAIL", "WEBSITE"})
_SMALLEST = 9


@dataclass(slots=True)
class Row:
    """A printed line within a stack of lines.

    Attributes:
        words: Each word and how far from the row's left its pen starts, in pixels.
        style: How it is set.
        size: Pixels an em.
        kind: The style's name.
        indent: Room for an icon on the left, in pixels.
        icon: The icon; empty for none.
        top: Distance from the top of the stack.
    """

    words: tuple[tuple[Token, float], ...]
    style: TypeStyle
    size: int
    kind: str
    indent: float = 0.0
    icon: str = ""
    top: float = 0.0

    @property
    def width(self) -> float:
        """From the left of the indent to the end of the last word, in pixels."""
        last, x = self.words[-1]
        return self.indent + x + self.style.width(last.text, self.size)


def tab_position(lines: Sequence[TextLine], style: TypeStyle, scale: float, gap: float) -> float:
    """Return how far from the left the second column of a block begins, in pixels; 0 if it has none."""
    widest = 0.0
    for line in lines:
        if line.tab > 0:
            label = "".join(span.text for span in line.spans[: line.tab]).rstrip()
            widest = max(widest, style.width(label, round(style.size * scale)))
    return widest + gap if widest else 0.0


def break_line(line: TextLine, style: TypeStyle, width: float, scale: float, tab: float) -> list[Row]:
    """Set one line in as many rows as it needs.

    Args:
        line: What it says.
        style: How it is set.
        width: Of the place, in pixels.
        scale: Share of the style's size.
        tab: Where its second column begins, in pixels; 0 for none.
    """
    size = max(_SMALLEST, round(style.size * scale))
    units = _units(line.tokens())
    space = _space(style, size)
    widest = max(_unit_width(unit, style, size, space) for unit in units) + _indent(line, size)
    if widest > width:
        # What must not break makes the line smaller, within reason.
        shrunk = int(size * width / widest)
        if shrunk < 0.62 * size:
            units = [[token] for token in line.tokens()]
            widest = max(_unit_width(unit, style, size, space) for unit in units) + _indent(line, size)
            shrunk = int(size * min(1.0, width / widest))
        size = max(7, shrunk)
        space = _space(style, size)
    indent = _indent(line, size)
    room = width - indent
    column = tab if line.tab > 0 and tab < 0.6 * width else 0.0
    rows: list[Row] = []
    current: list[tuple[Token, float]] = []
    x = 0.0
    for unit in units:
        gap = space * min(unit[0].gap, 4) if current else 0.0
        if current and x + gap + _unit_width(unit, style, size, space) > room:
            rows.append(Row(tuple(current), style, size, line.style, indent))
            current, x, gap = [], column, 0.0
        for number, token in enumerate(unit):
            before = space * min(token.gap, 4) if number else gap
            if column and token.part >= line.tab and all(t.part < line.tab for t, _ in current):
                x, before = max(column, x + space * 0.5), 0.0
            current.append((token, x + before))
            x += before + style.width(token.text, size)
    rows.append(Row(tuple(current), style, size, line.style, indent))
    rows[0].icon = line.icon
    return rows


def _indent(line: TextLine, size: int) -> float:
    return size * 1.7 if line.icon else 0.0


def _space(style: TypeStyle, size: int) -> float:
    return (style.measure(" ").advance + style.tracking) * size


def _unit_width(unit: Sequence[Token], style: TypeStyle, size: int, space: float) -> float:
    gaps = sum(min(token.gap, 4) for token in unit[1:]) * space
    return gaps + sum(style.width(token.text, size) for token in unit)


def _units(tokens: Sequence[Token]) -> list[list[Token]]:
    """Group words that stay on one row: a number or an address with its label, and separators with what precedes."""
    if not any(token.field in _WHOLE for token in tokens):
        return [[token] for token in tokens]
    units: list[list[Token]] = []
    for token in tokens:
        if units:
            before = units[-1][-1]
            ended = before.field in _WHOLE or not any(c.isalnum() for c in before.text)
            begins = token.part != before.part and (token.field or any(c.isalnum() for c in token.text))
            had_value = any(t.field for t in units[-1])
            if not (ended and begins and had_value):
                units[-1].append(token)
                continue
        units.append([token])
    return units
