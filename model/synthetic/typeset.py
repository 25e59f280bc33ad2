"""Sets a card's content in a layout: sizes, positions and boxes from font metrics, without drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from model.document.types import Box
from model.synthetic.chance import Chance
from model.synthetic.content import Content, Span, TextLine, Token
from model.synthetic.design import Design, Ornament, SetLine, SetWord
from model.synthetic.fonts import FontSet
from model.synthetic.layouts import Layout, Rect, Slot
from model.synthetic.rows import Row, break_line, tab_position
from model.synthetic.styles import TypeStyle, choose_styles

_SCALES = (1.0, 0.92, 0.84, 0.77, 0.7, 0.63, 0.57, 0.51, 0.45, 0.39)
# Below this, a place rather drops what it can do without.
_COMFORTABLE = 0.57
# Largest ratio between the scales of two places on one card.
_SPREAD = 1.3
# Unless a feature that was asked for needs it.
_NEEDED_BY = {
    "logo_text": "mark",
    "services": "services",
    "slogan": "slogan",
    "two_people": "person2",
    "two_offices": "address2",
    "three_offices": "address3",
    "second_script": "native",
}
# An address that would become small is rather set as one paragraph.
_FLOWING = ("address", "address2", "address3")
_FLOWING_BELOW = 0.8
_SHARES = {"left": 0.0, "centre": 0.5, "right": 1.0}
# Set on top of the card, wherever there is a place; or within the logo.
_FREE = ("note", "scanner", "screen", "top", "mark_text")
_DISPENSABLE = ("services", "extras", "address3", "address2", "person2", "slogan", "native", "mark")


@dataclass(slots=True)
class _Stack:
    """The rows of one place; ``mark_top`` is where the logo's drawing goes, below 0 for nowhere."""

    slot: Slot
    roles: list[str]
    rows: list[Row]
    height: float
    scale: float
    mark_top: float = -1.0
    mark_size: float = 0.0


class _Setter:
    """Sets the places of one card."""

    def __init__(self, chance: Chance, content: Content, fonts: FontSet, width: int, height: int) -> None:
        self.chance, self.content, self.width, self.height = chance, content, width, height
        self.body_size = (width * height) ** 0.5 * chance.real(0.044, 0.07)
        self.leading = chance.real(1.08, 1.42)
        self.mark_share = chance.real(0.13, 0.26)
        self.styles = choose_styles(chance, content, fonts, self.body_size)
        needed = {_NEEDED_BY[name] for name in chance.wanted if name in _NEEDED_BY}
        self.dispensable = [role for role in _DISPENSABLE if role not in needed]
        self.lines: list[SetLine] = []
        self.ornaments: list[Ornament] = []

    def area(self, slot: Slot) -> Box:
        """Return where text may stand, in pixels: panels reach the card's edges, their text does not."""
        x0, y0, x1, y1 = slot.rect
        if slot.panel:
            x0, x1, y0, y1 = max(x0, 0.03), min(x1, 0.97), y0 + 0.03, y1 - 0.03
        return Box(x0 * self.width, y0 * self.height, x1 * self.width, y1 * self.height)

    def fit(self, slot: Slot, largest: float) -> _Stack | None:
        """Stack the blocks of ``slot`` at the largest scale that fits; what never fits is left out."""
        area = self.area(slot)
        roles = [r for r in slot.roles if r in self.content.blocks or r == "mark"]
        if not roles:
            return None
        while True:
            droppable = [r for r in self.dispensable if r in roles and len(roles) > 1]
            possible = 1.0
            for scale in _SCALES:
                # Heights shrink at most with the square of the scale: smaller letters also need fewer rows.
                if scale > possible and scale != _SCALES[-1]:
                    continue
                stack = self._stack(roles, slot, area, scale * min(1.0, largest))
                if stack.height <= area.height or (not droppable and scale == _SCALES[-1]):
                    return stack
                if droppable and scale <= _COMFORTABLE:
                    break
                possible = scale * (area.height / stack.height) ** 0.5
            roles.remove(droppable[0])

    def _stack(self, roles: Sequence[str], slot: Slot, area: Box, scale: float) -> _Stack:
        stack = _Stack(slot, list(roles), [], 0.0, scale)
        for number, role in enumerate(roles):
            if number:
                stack.height += self.body_size * scale * 0.55
            if role == "mark":
                stack.mark_top = stack.height
                stack.mark_size = min(
                    area.width * 0.8, area.height, (self.width * self.height) ** 0.5 * self.mark_share * scale
                )
                stack.height += stack.mark_size
                continue
            lines = self.content.blocks[role].lines
            if role in _FLOWING and scale < _FLOWING_BELOW:
                lines = _flowed(lines)
            body = self.styles.get("body")
            tab = (
                tab_position(lines, body, scale, self.body_size * scale * 0.4) if body and slot.align == "left" else 0.0
            )
            for line in lines:
                for row in break_line(line, self.styles[line.style], area.width, scale, tab):
                    row.top = stack.height
                    stack.height += row.size * self.leading
                    stack.rows.append(row)
        return stack

    def place(self, stack: _Stack) -> None:
        """Put a stack into its place."""
        slot, area = stack.slot, self.area(stack.slot)
        top = area.y0 + (area.height - stack.height) * slot.valign
        # Too much for the place: it runs over its edge, but not over the card's.
        top = max(4.0, min(top, self.height - 4.0 - stack.height))
        share = _SHARES[slot.align]
        if stack.mark_top >= 0:
            left = area.x0 + (area.width - stack.mark_size) * share
            y = top + stack.mark_top
            box = Box(left, y, left + stack.mark_size, y + stack.mark_size)
            self.ornaments.append(Ornament("mark", box, slot.panel))
            self._letter(box, slot.panel)
        for row in stack.rows:
            left = area.x0 + (area.width - row.width) * share
            baseline = top + row.top + row.size * (self.leading * 0.5 + 0.36)
            if row.icon:
                side, middle = row.size * 1.15, baseline - row.size * 0.36
                box = Box(left, middle - side / 2, left + side, middle + side / 2)
                self.ornaments.append(Ornament(f"icon:{row.icon}", box, slot.panel))
            self.add(row.words, row.style, row.size, left + row.indent, baseline, row.kind, slot.panel)

    def _letter(self, mark: Box, panel: str) -> None:
        """Set the letters of the logo inside its drawing."""
        if "mark_text" not in self.content.blocks:
            return
        style = self.styles["mark"]
        tokens = self.content.blocks["mark_text"].lines[0].tokens()
        size = max(7, int(min(mark.width * 0.66 / style.width(tokens[0].text, 1), mark.height * 0.6)))
        left = mark.center[0] - style.width(tokens[0].text, size) / 2
        self.add([(tokens[0], 0.0)], style, size, left, mark.center[1] + size * 0.36, "mark", panel)

    def add(
        self,
        words: Sequence[tuple[Token, float]],
        style: TypeStyle,
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
            ink_left = start + m.left * size
            right = start + (m.right + style.tracking * (len(token.text) - 1)) * size
            placed.append(SetWord(token, start, Box(ink_left, top, max(right, ink_left + 1), bottom)))
        self.lines.append(SetLine(tuple(placed), style.face, size, style.tracking * size, baseline, kind, panel))

    def add_free_lines(self) -> None:
        """Add what comes onto a card after printing: a scanner's mark, a handwritten note, a code to scan."""
        chance = self.chance
        for role in ("note", "scanner", "screen", "top"):
            if role not in self.content.blocks:
                continue
            left = (
                self.width
                * {
                    "scanner": chance.pick((0.02, 0.02, 0.02, 0.6)),
                    "top": chance.real(0.4, 0.5),
                    "screen": chance.pick((0.03, 0.6)),
                    "note": chance.real(0.1, 0.55),
                }[role]
            )
            bottom = self.height * {"scanner": 0.98, "note": chance.real(0.3, 0.9)}.get(role, 0.045)
            for number, line in enumerate(reversed(self.content.blocks[role].lines)):
                style = self.styles[line.style]
                size = max(10, round(style.size))
                row = break_line(line, style, self.width * 0.38, 1.0, 0.0)[0]
                baseline = max(row.size * 1.2, bottom - row.size * 0.3 - number * size * 1.3)
                self.add(row.words, style, row.size, left, baseline, line.style, "")
        if chance.feature("qr_code"):
            side = self.height * chance.real(0.16, 0.3)
            lefts, tops = (self.width * 0.97 - side, self.width * 0.03), (self.height * 0.97 - side, self.height * 0.03)
            corners = [Box(left, top, left + side, top + side) for left in lefts for top in tops]
            # A code never covers text.
            free = [c for c in corners if not any(c.overlap(word.box) for line in self.lines for word in line.words)]
            if free:
                self.ornaments.append(Ornament("qr", chance.pick(free)))


def _flowed(lines: Sequence[TextLine]) -> tuple[TextLine, ...]:
    """Join the lines of an address, so that they break where the place ends."""
    flowed: list[TextLine] = []
    for line in lines:
        before = flowed[-1] if flowed else None
        if before and before.spans[-1].field == "ADDRESS" == line.spans[0].field and before.style == line.style:
            joined = Span(f"{before.spans[-1].text} {line.spans[0].text}", "ADDRESS")
            flowed[-1] = replace(before, spans=(*before.spans[:-1], joined, *line.spans[1:]))
        else:
            flowed.append(line)
    return tuple(flowed)


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

    setter.ornaments += [Ornament("band", box(slot.rect), slot.panel) for slot in layout.slots if slot.panel]
    setter.ornaments += [Ornament("band", box(band), "accent") for band in layout.bands]
    for x0, y0, x1, y1 in layout.rules:
        line = Box(x0 * width, y0 * height, max(x1 * width, x0 * width + 2), max(y1 * height, y0 * height + 2))
        setter.ornaments.append(Ornament("rule", line))
    if layout.photo:
        setter.ornaments.append(Ornament("photo", box(layout.photo)))
    slots = _served(layout, content, with_mark=chance.odds(0.75) or bool(chance.wanted & {"logo_text"}))
    stacks = [stack for slot in slots if (stack := setter.fit(slot, 1.0))]
    # Text of one card is of about one size.
    largest = min((stack.scale for stack in stacks), default=1.0) * _SPREAD
    for stack in stacks:
        again = setter.fit(replace(stack.slot, roles=tuple(stack.roles)), largest) if stack.scale > largest else stack
        setter.place(again or stack)
    setter.add_free_lines()
    return Design(width, height, tuple(setter.lines), tuple(setter.ornaments))


def _served(layout: Layout, content: Content, *, with_mark: bool) -> list[Slot]:
    """Return the places with the roles they take: those without a place of their own join the contact's."""
    named = {role for slot in layout.slots for role in slot.roles}
    homeless = tuple(role for role in content.blocks if role not in _FREE and role not in named)
    served = []
    for slot in layout.slots:
        roles = tuple(role for role in slot.roles if with_mark or role != "mark")
        served.append(replace(slot, roles=roles + homeless if "contact" in roles else roles))
    return served
