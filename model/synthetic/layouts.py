"""Where the blocks of a card stand: named layouts, in fractions of the card's width and height."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from model.synthetic.chance import Chance

Align = Literal["left", "centre", "right"]
Rect = tuple[float, float, float, float]
_FLIPPED: Mapping[Align, Align] = {"left": "right", "centre": "centre", "right": "left"}


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one or more blocks, stacked.

    Attributes:
        roles: The blocks, from the top; ``mark`` is the logo's drawing. A role a card lacks takes no space.
        rect: Left, top, right, bottom in fractions of the card.
        align: How lines stand between left and right.
        valign: Where the stack stands: 0 at the top, 1 at the bottom.
        panel: What is painted behind: nothing, the ``accent`` colour, or ``dark``.
    """

    roles: tuple[str, ...]
    rect: Rect
    align: Align = "left"
    valign: float = 0.0
    panel: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """A way to lay a card out.

    Attributes:
        slots: Its places; blocks of roles that it does not name join the slot of ``contact``.
        portrait: Whether the card stands on its short side.
        bands: Areas painted in the accent colour, in fractions.
        rules: Thin lines, in fractions; one coordinate pair is equal.
        photo: Where a picture stands; none for no picture.
        weight: How often it comes.
    """

    slots: tuple[Slot, ...]
    portrait: bool = False
    bands: tuple[Rect, ...] = ()
    rules: tuple[Rect, ...] = ()
    photo: Rect | None = None
    weight: float = 1.0

    def mirrored(self) -> Layout:
        """Return the layout with left and right exchanged."""

        def flip(r: Rect) -> Rect:
            return 1 - r[2], r[1], 1 - r[0], r[3]

        slots = tuple(replace(s, rect=flip(s.rect), align=_FLIPPED[s.align]) for s in self.slots)
        photo = flip(self.photo) if self.photo else None
        return replace(
            self, slots=slots, bands=tuple(map(flip, self.bands)), rules=tuple(map(flip, self.rules)), photo=photo
        )


_M = 0.05  # margin
_R = 0.95
_ALL_BELOW = ("address", "contact", "address2", "address3", "extras")

LAYOUTS: Mapping[str, Layout] = {
    "left": Layout(
        (
            Slot(("mark", "brand", "slogan"), (_M, 0.06, 0.75, 0.34)),
            Slot(("person", "person2"), (_M, 0.36, 0.75, 0.58)),
            Slot(_ALL_BELOW, (_M, 0.6, _R, 0.95), valign=1.0),
            Slot(("services", "native"), (0.76, 0.06, _R, 0.58), "right"),
        )
    ),
    "right": Layout(
        (
            Slot(("brand", "slogan"), (0.3, 0.06, _R, 0.32), "right"),
            Slot(("mark",), (_M, 0.08, 0.26, 0.5)),
            Slot(("person", "person2"), (0.3, 0.34, _R, 0.56), "right"),
            Slot(("services",), (_M, 0.55, 0.4, 0.95), valign=1.0),
            Slot(_ALL_BELOW, (0.42, 0.58, _R, 0.95), "right", 1.0),
        ),
        weight=0.7,
    ),
    "centred": Layout(
        (
            Slot(("mark", "native", "brand", "slogan"), (_M, 0.05, _R, 0.36), "centre"),
            Slot(("person", "person2"), (_M, 0.38, _R, 0.58), "centre", 0.5),
            Slot(
                ("services", "address", "contact", "address2", "address3", "extras"), (_M, 0.6, _R, 0.96), "centre", 1.0
            ),
        ),
        weight=1.3,
    ),
    "name_on_top": Layout(
        (
            Slot(("person", "person2"), (_M, 0.05, 0.6, 0.34)),
            Slot(("corner",), (0.62, 0.05, _R, 0.2), "right"),
            Slot(("mark", "native", "brand", "slogan", "services"), (_M, 0.35, _R, 0.64), "centre", 0.5),
            Slot(_ALL_BELOW, (_M, 0.66, _R, 0.96), "centre", 1.0),
        ),
        weight=1.6,
    ),
    "logo_and_name": Layout(
        (
            Slot(("mark", "native"), (_M, 0.05, 0.35, 0.42)),
            Slot(("person", "person2", "corner"), (0.42, 0.05, _R, 0.4), "right"),
            Slot(("brand", "slogan", "services"), (_M, 0.43, _R, 0.64), "left", 0.6),
            Slot(_ALL_BELOW, (_M, 0.65, _R, 0.96), "left", 1.0),
        ),
        rules=((_M, 0.645, _R, 0.645),),
        weight=1.5,
    ),
    "name_left_details_right": Layout(
        (
            Slot(("mark", "brand", "slogan"), (_M, 0.06, 0.46, 0.5)),
            Slot(("person", "person2"), (0.48, 0.06, _R, 0.32)),
            Slot(_ALL_BELOW, (0.48, 0.36, _R, 0.95), valign=1.0),
            Slot(("services", "native"), (_M, 0.55, 0.45, 0.95), valign=1.0),
        ),
        weight=1.6,
    ),
    "two_columns": Layout(
        (
            Slot(("mark", "brand", "slogan"), (_M, 0.05, _R, 0.36), "centre"),
            Slot(("person", "services", "person2"), (_M, 0.42, 0.46, 0.95), valign=0.5),
            Slot(_ALL_BELOW, (0.5, 0.42, _R, 0.95), valign=0.5),
        ),
        rules=((0.48, 0.45, 0.48, 0.9),),
    ),
    "split_footer": Layout(
        (
            Slot(("mark", "brand", "slogan"), (_M, 0.06, 0.62, 0.4)),
            Slot(("person", "person2"), (_M, 0.42, 0.7, 0.66), valign=0.5),
            Slot(("address", "address2", "address3"), (_M, 0.68, 0.49, 0.96), valign=1.0),
            Slot(("contact", "extras"), (0.53, 0.68, _R, 0.96), valign=1.0),
            Slot(("services", "native"), (0.65, 0.06, _R, 0.4), "right"),
        ),
        weight=1.4,
    ),
    "split_footer_person_right": Layout(
        (
            Slot(("person", "person2"), (0.5, 0.05, _R, 0.32), "right"),
            Slot(("mark",), (_M, 0.05, 0.3, 0.34)),
            Slot(("native", "brand", "slogan", "services"), (_M, 0.35, _R, 0.64), "centre", 0.5),
            Slot(("address", "address2", "address3"), (_M, 0.67, 0.48, 0.96), valign=1.0),
            Slot(("contact", "extras"), (0.52, 0.67, _R, 0.96), "right", 1.0),
        ),
        weight=1.3,
    ),
    "vertical_rule": Layout(
        (
            Slot(("mark", "brand", "slogan"), (0.04, 0.15, 0.42, 0.85), "centre", 0.5),
            Slot(("person", "person2", *_ALL_BELOW), (0.5, 0.1, 0.96, 0.9), valign=0.5),
            Slot(("services",), (0.04, 0.86, 0.42, 0.98), "centre"),
        ),
        rules=((0.46, 0.15, 0.46, 0.85),),
        weight=1.2,
    ),
    "photo": Layout(
        (
            Slot(("mark", "brand", "slogan"), (0.36, 0.05, _R, 0.36)),
            Slot(("person", "person2"), (0.36, 0.38, _R, 0.6)),
            Slot(_ALL_BELOW, (0.36, 0.62, _R, 0.95), valign=1.0),
            Slot(("services",), (0.03, 0.74, 0.32, 0.97), "centre"),
        ),
        photo=(0.04, 0.08, 0.31, 0.7),
        weight=0.8,
    ),
    "header_band": Layout(
        (
            Slot(("brand", "slogan"), (0.0, 0.0, 1.0, 0.3), "centre", 0.5, "accent"),
            Slot(("person", "person2"), (_M, 0.34, 0.6, 0.6)),
            Slot(("mark", "services"), (0.62, 0.34, _R, 0.6), "right"),
            Slot(_ALL_BELOW, (_M, 0.62, _R, 0.96), "left", 1.0),
        )
    ),
    "footer_band": Layout(
        (
            Slot(("mark", "brand", "slogan"), (_M, 0.06, _R, 0.42), "centre"),
            Slot(("person", "person2", "services"), (_M, 0.44, _R, 0.68), "centre", 0.5),
            Slot(_ALL_BELOW, (0.0, 0.72, 1.0, 1.0), "centre", 0.5, "dark"),
        ),
        weight=1.2,
    ),
    "mail_band": Layout(
        (
            Slot(("person", "person2"), (_M, 0.05, 0.55, 0.3)),
            Slot(("corner",), (0.57, 0.05, _R, 0.25), "right"),
            Slot(("mark", "brand", "slogan"), (_M, 0.32, _R, 0.57), "centre", 0.5),
            Slot(("address", "services", "address2", "address3"), (_M, 0.58, _R, 0.76), "centre", 0.5),
            Slot(("contact", "extras"), (0.0, 0.78, 1.0, 1.0), "centre", 0.5, "accent"),
        )
    ),
    "side_band": Layout(
        (
            Slot(("mark", "brand", "slogan"), (0.0, 0.0, 0.36, 1.0), "centre", 0.5, "accent"),
            Slot(("person", "person2"), (0.41, 0.1, 0.96, 0.42)),
            Slot(("services", *_ALL_BELOW), (0.41, 0.46, 0.96, 0.92), valign=1.0),
        )
    ),
    "side_strip": Layout(
        (
            Slot(("mark", "brand", "slogan"), (0.1, 0.06, _R, 0.36)),
            Slot(("person", "person2"), (0.1, 0.38, 0.6, 0.62), valign=0.5),
            Slot(("services", "native"), (0.62, 0.38, _R, 0.62), "right"),
            Slot(_ALL_BELOW, (0.1, 0.64, _R, 0.95), valign=1.0),
        ),
        bands=((0.0, 0.0, 0.06, 1.0),),
    ),
    "two_offices": Layout(
        (
            Slot(("person",), (_M, 0.04, 0.5, 0.24)),
            Slot(("corner", "person2"), (0.52, 0.04, _R, 0.24), "right"),
            Slot(("mark", "brand", "slogan", "services"), (_M, 0.25, _R, 0.54), "centre", 0.5),
            Slot(("address", "contact"), (_M, 0.58, 0.49, 0.96)),
            Slot(("address2", "address3", "extras", "native"), (0.52, 0.58, _R, 0.96)),
        ),
        rules=((0.505, 0.6, 0.505, 0.92),),
    ),
    "three_offices": Layout(
        (
            Slot(("person", "person2"), (0.5, 0.04, _R, 0.24), "right"),
            Slot(("corner", "native"), (_M, 0.04, 0.48, 0.2)),
            Slot(("mark", "brand", "slogan", "services", "contact", "extras"), (_M, 0.25, _R, 0.62), "centre", 0.5),
            Slot(("address",), (0.03, 0.66, 0.34, 0.96), "centre"),
            Slot(("address2",), (0.36, 0.66, 0.65, 0.96), "centre"),
            Slot(("address3",), (0.67, 0.66, 0.97, 0.96), "centre"),
        ),
        rules=((0.35, 0.66, 0.35, 0.94), (0.66, 0.66, 0.66, 0.94)),
        weight=0.4,
    ),
    "three_columns": Layout(
        (
            Slot(("mark", "brand", "slogan"), (_M, 0.06, 0.6, 0.45)),
            Slot(("services",), (0.62, 0.06, _R, 0.45), "right"),
            Slot(("person", "person2"), (_M, 0.58, 0.34, 0.94), valign=1.0),
            Slot(("contact", "extras"), (0.36, 0.58, 0.66, 0.94), valign=1.0),
            Slot(("address", "address2", "address3"), (0.68, 0.58, _R, 0.94), valign=1.0),
        ),
        rules=((_M, 0.53, _R, 0.53),),
        weight=0.8,
    ),
    "minimal": Layout(
        (
            Slot(("person", "person2"), (0.1, 0.3, 0.9, 0.52), "centre", 1.0),
            Slot(("contact", "address", "address2", "address3", "extras", "services"), (0.1, 0.56, 0.9, 0.9), "centre"),
            Slot(("mark", "brand", "slogan"), (0.1, 0.05, 0.9, 0.27), "centre"),
        ),
        weight=0.7,
    ),
    "details_bottom_right": Layout(
        (
            Slot(("mark", "brand", "slogan", "native"), (_M, 0.05, 0.66, 0.4)),
            Slot(("person", "person2"), (_M, 0.6, 0.48, 0.95), valign=1.0),
            Slot(("subhead", "address", "contact", "address2", "address3"), (0.52, 0.42, _R, 0.95), valign=1.0),
            Slot(("services", "extras"), (0.68, 0.05, _R, 0.4), "right"),
        ),
        weight=1.2,
    ),
    "clinic": Layout(
        (
            Slot(("person",), (_M, 0.04, _R, 0.3), "centre"),
            Slot(("mark", "brand", "slogan", "services"), (_M, 0.32, _R, 0.62), "centre", 0.5),
            Slot(
                ("address", "address2", "address3", "contact", "extras", "person2"), (_M, 0.64, _R, 0.97), "centre", 1.0
            ),
        )
    ),
    "shop_sign": Layout(
        (
            Slot(("person", "corner"), (_M, 0.03, 0.48, 0.2)),
            Slot(("contact",), (0.52, 0.03, _R, 0.28), "right"),
            Slot(("mark", "brand", "slogan"), (_M, 0.3, _R, 0.56), "centre", 0.5),
            Slot(("services",), (_M, 0.57, _R, 0.76), "centre", 0.5),
            Slot(
                ("address", "address2", "address3", "extras", "person2"), (0.0, 0.8, 1.0, 1.0), "centre", 0.5, "accent"
            ),
        ),
        weight=1.2,
    ),
    "back_side": Layout(
        (
            Slot(("mark", "brand", "slogan"), (_M, 0.06, _R, 0.32), "centre"),
            Slot(("services", "native"), (_M, 0.34, _R, 0.55), "centre", 0.5),
            Slot(("contact", "extras"), (_M, 0.57, _R, 0.96), "centre", 1.0),
        ),
        weight=0.5,
    ),
    "portrait_centred": Layout(
        (
            Slot(("mark", "brand", "slogan", "native"), (0.07, 0.05, 0.93, 0.36), "centre"),
            Slot(("person", "person2"), (0.07, 0.38, 0.93, 0.56), "centre", 0.5),
            Slot(
                ("services", "address", "contact", "address2", "address3", "extras"),
                (0.07, 0.58, 0.93, 0.96),
                "centre",
                1.0,
            ),
        ),
        portrait=True,
        weight=0.6,
    ),
    "portrait_left": Layout(
        (
            Slot(("mark", "brand", "slogan"), (0.08, 0.05, 0.93, 0.32)),
            Slot(("person", "person2"), (0.08, 0.36, 0.93, 0.55)),
            Slot(
                ("services", "contact", "address", "address2", "address3", "extras"),
                (0.08, 0.58, 0.93, 0.96),
                valign=1.0,
            ),
        ),
        portrait=True,
        weight=0.5,
    ),
    "portrait_photo": Layout(
        (
            Slot(("person", "person2"), (0.07, 0.44, 0.93, 0.6), "centre"),
            Slot(
                ("contact", "address", "address2", "address3", "services", "extras"),
                (0.07, 0.62, 0.93, 0.84),
                "centre",
                0.5,
            ),
            Slot(("mark", "brand", "slogan"), (0.0, 0.86, 1.0, 1.0), "centre", 0.5, "dark"),
        ),
        portrait=True,
        photo=(0.25, 0.06, 0.75, 0.42),
        weight=0.3,
    ),
    "scattered": Layout((), weight=2.0),
}


def draw_layout(chance: Chance, name: str) -> Layout:
    """Return a variation of the layout ``name``: perhaps mirrored, its places a little moved."""
    layout = _scattered(chance) if name == "scattered" else LAYOUTS[name]
    if chance.odds(0.22):
        layout = layout.mirrored()

    def moved(slot: Slot) -> Slot:
        if slot.panel:
            return slot
        x0, y0, x1, y1 = slot.rect
        align = slot.align if chance.odds(0.85) or slot.align == "centre" else _FLIPPED[slot.align]
        dx = chance.real(-0.015, 0.015)
        return replace(
            slot,
            rect=(max(0.02, x0 + dx), y0, min(0.98, x1 + dx), y1),
            align=align,
            valign=slot.valign if chance.odds(0.8) else chance.real(0, 1),
        )

    return replace(
        layout, slots=tuple(moved(slot) for slot in layout.slots), rules=layout.rules if chance.odds(0.6) else ()
    )


def _scattered(chance: Chance) -> Layout:
    """Deal the blocks out to the cells of a grid, so that no arrangement is learned by heart."""
    split = chance.real(0.35, 0.65)
    rows = chance.pick(
        ((0.05, 0.35, 0.65, 0.96), (0.04, 0.28, 0.6, 0.96), (0.05, 0.5, 0.96), (0.05, 0.24, 0.44, 0.7, 0.96))
    )
    cells: list[Rect] = []
    for top, bottom in pairwise(rows):
        if chance.odds(0.45):
            cells.append((_M, top, _R, bottom - 0.02))
        else:
            cells += [(_M, top, split - 0.02, bottom - 0.02), (split + 0.02, top, _R, bottom - 0.02)]
    groups: list[tuple[str, ...]] = [
        ("mark", "brand", "slogan"),
        ("person", "person2"),
        ("contact",),
        ("address", "address2", "address3"),
        ("services", "native"),
        ("extras", "corner"),
    ]
    if chance.odds(0.5):
        groups[2:4] = [("address", "contact", "address2", "address3")]
    if chance.odds(0.7):
        groups = [g for g in groups if g[0] != "extras"]
    while len(groups) > len(cells):
        last = groups.pop()
        groups[-1] += last
    order = chance.rng.permutation(len(cells))[: len(groups)]
    narrow: tuple[Align, ...] = ("left", "left", "centre", "right")
    wide: tuple[Align, ...] = ("left", "centre", "centre", "right")
    slots = []
    for group, number in zip(groups, order, strict=True):
        rect = cells[int(number)]
        align = chance.pick(narrow if rect[2] - rect[0] < 0.8 else wide)
        slots.append(Slot(group, rect, align, chance.pick((0.0, 0.5, 1.0))))
    return Layout(tuple(slots))
