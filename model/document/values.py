"""From regions on a page to what an application wants to store: a field's values.

A company's name may stand on two lines, which are two regions to an annotator and one value to a reader; and a logo
may repeat it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from model.document.types import Box, Document, Entity, Page, Word, turned_box

#: Fields whose values are wrapped over lines.
WRAPPED = frozenset({"POSITION", "COMPANY", "ADDRESS"})

#: Fields whose values are numbers to dial.
NUMBERS = frozenset({"PHONE", "FAX"})

# Between numbers in one region; and how many digits a number has at least, and without its area's code at most.
_SEPARATORS = ",;/|&·•"
_FEWEST_DIGITS, _LOCAL_DIGITS = 7, 8
_EXTENSION = re.compile(
    r"[^\w#]*(ext|extn|extension|x|х|доб(авочный)?|вн(утр(енний)?)?|durchwahl|dw|klappe|kl|int|interno|poste|anexo|ramal|"
    r"wew|linka|toestel|tst|dahili|#)\W*\d{1,6}\W*",
    re.IGNORECASE,
)

# Lines of one value: in heights of the lower line, how far apart they stand and how well their edges or middles agree;
# and by how much their heights differ.
_GAP = 0.9
_OFFSET = 1.0
_HEIGHTS = 1.4


@dataclass(frozen=True, slots=True)
class FieldValue:
    """One value of a field.

    Attributes:
        field: Name of the field, such as ``COMPANY``.
        text: What its lines say, joined by spaces.
        score: Probability that it is right, in ``[0, 1]``: the mean of its lines'.
        boxes: Where its lines stand, in pixels of the image, in the order of reading.
    """

    field: str
    text: str
    score: float
    boxes: tuple[Box, ...]


def field_values(document: Document, names: Mapping[str, str] | None = None) -> tuple[FieldValue, ...]:
    """Return the values on a page, in reading order.

    Lines of a field that can be wrapped are joined where they stand right below each other in letters of one size.
    Two whole numbers in one region are two values. A number that follows another one without its country's or area's
    code ("+91 40 2600 1234, 2600 1270") stays with it, as does an extension: alone neither could be dialled. Of equal
    values, and of values that a longer one of the same field holds, the
    longest is kept, and of those the first.

    Args:
        document: The page and what was named on it.
        names: What each field is to be called; fields that it lacks are left out. None calls all as the model does.
    """
    page, turn = document.page, document.page.turn
    if turn:
        # Which line is below another shows on the upright page.
        upright = page.upright()
        entities = (
            replace(entity, box=turned_box(entity.box, turn, page.width, page.height)) for entity in document.entities
        )
        standing = field_values(replace(document, page=upright, entities=tuple(entities)), names)
        return tuple(
            replace(
                value,
                boxes=tuple(turned_box(box, -turn, upright.width, upright.height) for box in value.boxes),
            )
            for value in standing
        )
    groups: list[list[Entity]] = []
    regions = (part for region in document.entities for part in _single_numbers(region, document.page))
    for entity in regions:
        group = next((g for g in reversed(groups) if _goes_on(g[-1], entity)), None)
        if group is None and groups and _belongs_to_number(groups[-1], entity, document.page):
            group = groups[-1]
        if group is None:
            groups.append([entity])
        else:
            group.append(entity)
    values = [_value(group) for group in groups]
    if names is not None:
        values = [replace(value, field=names[value.field]) for value in values if value.field in names]
    return tuple(_without_repetitions(values))


def _value(group: Sequence[Entity]) -> FieldValue:
    return FieldValue(
        group[0].field,
        " ".join(entity.text for entity in group),
        sum(entity.score for entity in group) / len(group),
        tuple(entity.box for entity in group),
    )


def _goes_on(before: Entity, entity: Entity) -> bool:
    """Tell whether ``entity`` is the next line of the value that ``before`` is the last line of."""
    if entity.field != before.field or entity.field not in WRAPPED:
        return False
    upper, lower = before.box, entity.box
    height = min(upper.height, lower.height)
    below = lower.center[1] - upper.center[1] > 0.6 * height and lower.y0 - upper.y1 < _GAP * height
    offset = min(abs(upper.x0 - lower.x0), abs(upper.x1 - lower.x1), abs(upper.center[0] - lower.center[0]))
    return below and offset <= _OFFSET * height and max(upper.height, lower.height) <= _HEIGHTS * height


def _single_numbers(entity: Entity, page: Page) -> Iterator[Entity]:
    """Yield the whole numbers that a region holds; what is no whole number by itself stays with the one before."""
    words = page.words[entity.start : entity.stop]
    if entity.field not in NUMBERS or len(words) < 2:
        yield entity
        return
    starts = [0]
    for index in range(1, len(words)):
        begins = words[index].text.lstrip("(").startswith("+") or words[index - 1].text[-1] in _SEPARATORS
        if begins and _is_whole(_joined(words[starts[-1] : index])):
            stop = next((i + 1 for i in range(index, len(words)) if words[i].text[-1] in _SEPARATORS), len(words))
            if _is_whole(_joined(words[index:stop]), like=_joined(words[starts[-1] : index])):
                starts.append(index)
    if len(starts) == 1:
        yield entity
        return
    for start, stop in pairwise([*starts, len(words)]):
        box = Box.around(word.box for word in words[start:stop])
        text = _joined(words[start:stop]).strip(_SEPARATORS + " ")
        yield replace(entity, text=text, box=box, start=entity.start + start, stop=entity.start + stop)


def _is_whole(text: str, like: str = "") -> bool:
    """Tell whether a number can be dialled without the digits of another one, ``like``."""
    digits = _digits(text)
    return digits > _LOCAL_DIGITS or digits >= max(_FEWEST_DIGITS, _digits(like) - 1)


def _belongs_to_number(group: Sequence[Entity], entity: Entity, page: Page) -> bool:
    """Tell whether ``entity`` goes on with the number that ``group`` begins with: shortened, or its extension."""
    first, before = group[0], group[-1]
    if entity.field != first.field or entity.field not in NUMBERS:
        return False
    between = [word.text for word in page.words[before.stop : entity.start]]
    in_one_line = any(start <= first.start and entity.stop <= stop for start, stop in page.line_spans())
    if not in_one_line or any(map(_plain, between)):
        return False
    shortened = _digits(entity.text) <= min(_LOCAL_DIGITS, _digits(first.text) - 2)
    return shortened or _EXTENSION.fullmatch(entity.text) is not None


def _joined(words: Sequence[Word]) -> str:
    return " ".join(word.text for word in words)


def _digits(text: str) -> int:
    return sum(c.isdigit() for c in text)


def _without_repetitions(values: Sequence[FieldValue]) -> Iterable[FieldValue]:
    plain = [_plain(value.text) for value in values]
    for index, value in enumerate(values):
        repeated = any(
            other.field == value.field
            and number != index
            and plain[index] in plain[number]
            and (len(plain[number]) > len(plain[index]) or number < index)
            for number, other in enumerate(values)
        )
        if not repeated:
            yield value


def _plain(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
