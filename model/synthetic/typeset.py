"""Sets a card's content in a layout: sizes, wrapping, positions and boxes from font metrics, without drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from model.document import Box
from model.synthetic.chance import Chance
from model.synthetic.content import Content, TextLine, Token
from model.synthetic.design import Design, Ornament, SetLine, SetWord
from model.synthetic.fonts import Face, Family, FontSet, Metrics
from model.synthetic.layouts import Layout, Rect, Slot

# Size in body sizes of each style, from and to.
_SIZES: Mapping[str, tuple[float, float]] = {
    "name": (1.1, 1.8),
    "title": (0.88, 1.1),
    "company": (1.15, 2.5),
    "company_small": (0.9, 1.4),
    "subhead": (1.0, 1.2),
    "heading": (0.9, 1.1),
    "slogan": (0.8, 1.05),
    "body": (1.0, 1.0),
    "small": (0.75, 1.0),
    "native": (0.9, 1.2),
    "handwriting": (1.2, 1.9),
    "scanner": (0.75, 1.0),
}
_SCALES = (1.0, 0.9, 0.81, 0.73, 0.66, 0.59, 0.53)
# Set on top of the card, wherever there is a place.
_FREE = ("note", "scanner")
_DISPENSABLE = ("services", "extras", "address2", "person2", "slogan", "native", "mark")


@dataclass(frozen=True, slots=True)
class _Style:
    """How one kind of line is set on this card; it remembers what it measured, since fitting asks again and again."""

    face: Face
    size: float
    tracking: float
    known: dict[str, Metrics] = field(default_factory=dict, compare=False)

    def measure(self, word: str) -> Metrics:
        """Return how far ``word`` reaches, in em, without tracking."""
        metrics = self.known.get(word)
        if metrics is None:
            metrics = self.known[word] = self.face.measure(word)
        return metrics


@dataclass(slots=True)
class _Row:
    """A line or the logo's drawing within a stack."""

    top: float
    height: float
    words: tuple[tuple[Token, float], ...]
    style: _Style | None
    indent: float
    size: int
    kind: str
    icon: str = ""


class _Setter:
    """Sets the slots of one card."""

    def __init__(self, chance: Chance, content: Content, fonts: FontSet, width: int, height: int) -> None:
        self.chance, self.content, self.width, self.height = chance, content, width, height
        self.body_size = min(width, height * 1.6) * chance.real(0.024, 0.036)
        self.leading = chance.real(1.12, 1.5)
        self.styles = self._styles(fonts)
        self.lines: list[SetLine] = []
        self.ornaments: list[Ornament] = []

    def _styles(self, fonts: FontSet) -> dict[str, _Style]:
        chance = self.chance
        texts: dict[str, str] = {}
        for block in self.content.blocks.values():
            for line in block.lines:
                texts[line.style] = texts.get(line.style, "") + line.text
        plain = "".join(text for style, text in texts.items() if style not in ("native", "handwriting", "scanner"))
        body = fonts.choose(plain, chance)
        display = body if chance.odds(0.45) else fonts.choose(plain, chance, ("body", "display"))
        fancy = fonts.choose(plain, chance, ("script", "display")) if chance.odds(0.15) else display
        styles = {}
        for style, text in texts.items():
            family: Family = body
            if style in ("name", "company", "company_small"):
                family = fancy if style == "company" or chance.odds(0.3) else display
            elif style == "handwriting":
                family = fonts.choose(text, chance, ("script",))
            elif style == "native":
                styles[style] = _Style(_native_face(fonts, text), self.body_size * chance.real(0.9, 1.2), 0.0)
                continue
            elif style == "scanner":
                family = fonts.choose(text, chance, ("body",))
            elif style == "slogan" and chance.odds(0.2):
                family = fonts.choose(plain, chance, ("script", "body"))
            bold = chance.odds(
                {"name": 0.6, "company": 0.65, "company_small": 0.4, "subhead": 0.7, "heading": 0.7}.get(style, 0.12)
            )
            italic = chance.odds({"slogan": 0.4, "title": 0.15, "name": 0.08, "company": 0.05}.get(style, 0.03))
            low, high = _SIZES[style]
            tracking = (
                chance.real(0.03, 0.3)
                if chance.odds(
                    {"company": 0.12, "name": 0.1, "company_small": 0.15, "slogan": 0.12, "title": 0.06}.get(
                        style, 0.01
                    )
                )
                else 0.0
            )
            styles[style] = _Style(
                family.face(bold=bold, italic=italic), self.body_size * chance.real(low, high), tracking
            )
        return styles

    def fill(self, slot: Slot) -> None:
        """Set the blocks of ``slot``, smaller where they do not fit; what never fits is left out."""
        x0, x1 = slot.rect[0] * self.width, slot.rect[2] * self.width
        y0, y1 = slot.rect[1] * self.height, slot.rect[3] * self.height
        if slot.panel:
            x0, x1 = max(x0, self.width * 0.03), min(x1, self.width * 0.97)
            y0, y1 = y0 + self.height * 0.03, y1 - self.height * 0.03
        roles = [r for r in slot.roles if r in self.content.blocks or r == "mark"]
        if not roles:
            return
        while True:
            for scale in _SCALES:
                rows, height = self._stack(roles, slot, x0, x1, scale)
                if height <= y1 - y0:
                    self._place(rows, slot, x0, x1, y0 + (y1 - y0 - height) * slot.valign)
                    return
            droppable = [r for r in _DISPENSABLE if r in roles and len(roles) > 1]
            if not droppable:
                # Too much for the place: it runs over its edge, but never over the card's.
                self._place(rows, slot, x0, x1, max(4.0, min(y0, self.height - 4 - height)))
                return
            roles.remove(droppable[0])

    def _stack(self, roles: Sequence[str], slot: Slot, x0: float, x1: float, scale: float) -> tuple[list[_Row], float]:
        rows: list[_Row] = []
        height = 0.0
        gap = self.body_size * scale * 0.55
        for role in roles:
            if rows:
                height += gap
            if role == "mark":
                size = min((x1 - x0) * 0.8, self.height * 0.17 * scale)
                rows.append(_Row(height, size, (), None, 0.0, 0, ""))
                height += size
                continue
            block = self.content.blocks[role]
            tabs = self._tab(block.lines, scale) if slot.align == "left" else 0.0
            for line in block.lines:
                for row in self._wrap(line, x1 - x0, scale, tabs):
                    row.top = height
                    height += row.height
                    rows.append(row)
        return rows, height

    def _tab(self, lines: Sequence[TextLine], scale: float) -> float:
        """Return how far from the left the second column begins, 0 for none."""
        widest = 0.0
        for line in lines:
            if line.tab > 0:
                style = self.styles[line.style]
                label = "".join(span.text for span in line.spans[: line.tab]).rstrip()
                widest = max(widest, style.measure(label).advance * round(style.size * scale))
        return widest + self.body_size * scale * 0.5 if widest else 0.0

    def _wrap(self, line: TextLine, width: float, scale: float, tab: float) -> list[_Row]:
        style = self.styles[line.style]
        size = max(9, round(style.size * scale))
        indent = size * 1.7 if line.icon else 0.0
        tokens = line.tokens()
        # A single word wider than the place makes the line smaller.
        widest = max(self._width(style, size, token) for token in tokens) + indent
        if widest > width:
            size = max(7, int(size * width / widest))
            indent = size * 1.7 if line.icon else 0.0
        space = style.measure(" ").advance * size + style.tracking * size
        rows: list[_Row] = []
        current: list[tuple[Token, float]] = []
        x = 0.0
        for token in tokens:
            word_width = self._width(style, size, token)
            gap = space * min(token.gap, 4) if current else 0.0
            if (
                line.tab > 0
                and tab
                and token.part >= line.tab
                and x < tab - indent
                and all(t.part < line.tab for t, _ in current)
            ):
                x, gap = max(tab, x + space), 0.0
            if current and x + gap + word_width + indent > width:
                rows.append(self._row(current, style, size, line, indent))
                current, x, gap = [], (tab if line.tab > 0 and tab else 0.0), 0.0
            current.append((token, x + gap))
            x += gap + word_width
        rows.append(self._row(current, style, size, line, indent))
        for row in rows[1:]:
            row.icon = ""
        return rows

    def _row(
        self, words: Sequence[tuple[Token, float]], style: _Style, size: int, line: TextLine, indent: float
    ) -> _Row:
        return _Row(0.0, size * self.leading, tuple(words), style, indent, size, line.style, line.icon)

    def _width(self, style: _Style, size: int, token: Token) -> float:
        return style.measure(token.text).advance * size + style.tracking * size * (len(token.text) - 1)

    def _place(self, rows: Sequence[_Row], slot: Slot, x0: float, x1: float, top: float) -> None:
        for row in rows:
            share = {"left": 0.0, "centre": 0.5, "right": 1.0}[slot.align]
            if row.style is None:
                left = x0 + (x1 - x0 - row.height) * share
                self.ornaments.append(
                    Ornament(
                        "mark", Box(left, top + row.top, left + row.height, top + row.top + row.height), slot.panel
                    )
                )
                continue
            last, last_x = row.words[-1]
            width = last_x + self._width(row.style, row.size, last) + row.indent
            left = x0 + (x1 - x0 - width) * share
            baseline = top + row.top + row.height * 0.5 + row.size * 0.36
            if row.icon:
                side = row.size * 1.15
                self.ornaments.append(
                    Ornament(
                        f"icon:{row.icon}",
                        Box(
                            left,
                            baseline - row.size * 0.36 - side / 2,
                            left + side,
                            baseline - row.size * 0.36 + side / 2,
                        ),
                        slot.panel,
                    )
                )
            self.add(row.words, row.style, row.size, left + row.indent, baseline, row.kind, slot.panel)

    def add(
        self,
        words: Sequence[tuple[Token, float]],
        style: _Style,
        size: int,
        left: float,
        baseline: float,
        kind: str,
        panel: str,
    ) -> None:
        """Add one line whose words start at their own distance from ``left``."""
        measured = [style.measure(token.text) for token, _ in words]
        top, bottom = min(m.top for m in measured) * size + baseline, max(m.bottom for m in measured) * size + baseline
        if bottom - top < 2:
            top, bottom = baseline - size * 0.5, baseline
        placed = []
        for (token, x), m in zip(words, measured, strict=True):
            start = left + x
            right = start + m.right * size + style.tracking * size * (len(token.text) - 1)
            ink_left = start + m.left * size
            placed.append(SetWord(token, start, Box(ink_left, top, max(right, ink_left + 1), bottom)))
        self.lines.append(SetLine(tuple(placed), style.face, size, style.tracking * size, baseline, kind, panel))

    def add_free_lines(self) -> None:
        """Add what comes onto a card after printing: a scanner's mark, a handwritten note, a code to scan."""
        chance = self.chance
        for role in _FREE:
            if role not in self.content.blocks:
                continue
            lines = self.content.blocks[role].lines
            size = max(10, round(self.body_size * chance.real(0.8, 1.0) * (1.5 if role == "note" else 1.0)))
            left = self.width * (chance.pick((0.02, 0.02, 0.6)) if role == "scanner" else chance.real(0.1, 0.55))
            bottom = self.height - size * 0.6 if role == "scanner" else self.height * chance.real(0.3, 0.9)
            for number, line in enumerate(reversed(lines)):
                style = self.styles[line.style]
                words, x = [], 0.0
                for token in line.tokens():
                    words.append((token, x))
                    x += (style.measure(token.text).advance + style.measure(" ").advance) * size
                self.add(words, style, size, left, max(size * 1.2, bottom - number * size * 1.3), line.style, "")
        if chance.feature("qr_code"):
            side = self.height * chance.real(0.16, 0.3)
            left = chance.pick((self.width * 0.97 - side, self.width * 0.03))
            top = chance.pick((self.height * 0.97 - side, self.height * 0.03))
            self.ornaments.append(Ornament("qr", Box(left, top, left + side, top + side)))


def _native_face(fonts: FontSet, text: str) -> Face:
    """Return any face that covers ``text``; where none does, one whose boxes will hold the missing-glyph sign."""
    return next((f.faces[0] for f in fonts.families if f.covers(text)), fonts.families[0].faces[0])


def set_card(chance: Chance, content: Content, layout: Layout, fonts: FontSet, width: int, height: int) -> Design:
    """Set ``content`` in ``layout`` on a card of the given size.

    Args:
        chance: The card's draws.
        content: What it says.
        layout: Where blocks stand.
        fonts: What it may be set in.
        width: Of the card, in pixels.
        height: Of the card, in pixels.

    Raises:
        SyntheticError: If no font covers the text.
    """
    setter = _Setter(chance, content, fonts, width, height)

    def box(rect: Rect) -> Box:
        return Box(rect[0] * width, rect[1] * height, rect[2] * width, rect[3] * height)

    for slot in layout.slots:
        if slot.panel:
            setter.ornaments.append(Ornament("band", box(slot.rect), slot.panel))
    setter.ornaments += [Ornament("band", box(band), "accent") for band in layout.bands]
    for x0, y0, x1, y1 in layout.rules:
        setter.ornaments.append(
            Ornament(
                "rule", Box(x0 * width, y0 * height, max(x1 * width, x0 * width + 2), max(y1 * height, y0 * height + 2))
            )
        )
    if layout.photo:
        setter.ornaments.append(Ornament("photo", box(layout.photo)))
    homeless = tuple(
        role for role in content.blocks if role not in _FREE and not any(role in slot.roles for slot in layout.slots)
    )
    show_mark = chance.odds(0.7)
    for slot in layout.slots:
        roles = slot.roles if show_mark else tuple(r for r in slot.roles if r != "mark")
        if "contact" in roles:
            roles += homeless
        setter.fill(replace(slot, roles=roles))
    setter.add_free_lines()
    return Design(width, height, tuple(setter.lines), tuple(setter.ornaments))
