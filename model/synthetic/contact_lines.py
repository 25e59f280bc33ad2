"""The contact lines of a card: phones, fax, e-mail and web, with their labels, on a line each or several to a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from model.synthetic.chance import Chance
from model.synthetic.contact_items import Item, contact_items
from model.synthetic.content import Span, TextLine
from model.synthetic.labels import LabelKind, draw_label, draw_separator
from model.synthetic.lexicon import lexicon
from model.synthetic.locales import is_cyrillic
from model.synthetic.people import Person, draw_person
from model.synthetic.phones import draw_phone

FIELD_OF: dict[LabelKind, str] = {
    "mobile": "PHONE",
    "office": "PHONE",
    "home": "PHONE",
    "fax": "FAX",
    "email": "EMAIL",
    "web": "WEBSITE",
}
_ICONS: dict[LabelKind, str] = {
    "mobile": "mobile",
    "office": "phone",
    "home": "phone",
    "fax": "fax",
    "email": "mail",
    "web": "web",
}
_JOINTS = (", ", " / ", ", ", " & ", ", ", "/", " | ", "; ", "  ")
_LINE_JOINTS = (" | ", "  ", ", ", " • ", " / ", "   ", " - ", "  |  ", ", ", "; ", " · ")


@dataclass(frozen=True, slots=True)
class _Manner:
    """How one card labels: the same way on all its lines."""

    labelled: bool
    icons: bool
    column: bool
    separator: str
    capitals: bool


def contact_lines(chance: Chance, locale: str, person: Person | None, domain: str) -> list[TextLine]:
    """Draw the contact lines of a card.

    Args:
        chance: The card's draws.
        locale: Whose numbers and labels they are.
        person: Whom an e-mail address may name.
        domain: The company's domain.
    """
    labelled = not chance.feature("no_labels")
    column = labelled and chance.feature("label_column")
    separator = draw_separator(chance)
    if chance.feature("glued_label"):
        separator = chance.pick((":", ":", ":-", ".", "-"))
    if column:
        separator = chance.pick((" : ", " : ", ": ", "  ", ":"))
    icons = chance.feature("icons", 0.6 if labelled else 1.5)
    manner = _Manner(labelled, icons, column, separator, chance.odds(0.06))
    items = contact_items(chance, locale, person, domain)
    lines = _merge(chance, [_line(chance, locale, item, manner) for item in items])
    if chance.feature("label_above"):
        lines = _with_label_above(chance, locale, lines)
    if chance.feature("bearer") and not is_cyrillic(locale):
        lines.insert(chance.between(0, len(lines)), _bearer_line(chance, locale))
    return lines


def _line(chance: Chance, locale: str, item: Item, manner: _Manner) -> TextLine:
    # The fax is labelled even where nothing else is, or it would be a phone.
    shows_label = (manner.labelled and chance.odds(0.95)) or item.kind == "fax"
    number = item.kind in ("mobile", "office", "fax", "home")
    after = shows_label and number and chance.feature("label_after")
    spans: list[Span] = []
    if shows_label and not after:
        spans.append(Span(_label(chance, locale, item.kind, manner)))
    joint = chance.pick(_JOINTS)
    for position, value in enumerate(item.values):
        if position:
            join(spans, joint)
        spans.append(Span(value, FIELD_OF[item.kind]))
    if after:
        word = draw_label(chance, locale, item.kind).strip(".:").lower()
        spans.append(Span(chance.pick((f" {word}", f" ({word[:1].upper()})", f" ({word})", f" - {word}"))))
    elif item.remark:
        spans.append(Span(f" {item.remark}"))
    tab = 1 if manner.column and shows_label and not after else -1
    return TextLine(tuple(spans), "body", _ICONS[item.kind] if manner.icons else "", tab)


def _label(chance: Chance, locale: str, kind: LabelKind, manner: _Manner) -> str:
    label = draw_label(chance, locale, kind)
    # Without any mark or space a label could not be told from its value.
    gap = manner.separator or " "
    return (label.upper() if manner.capitals else label) + (gap.lstrip(".") if label.endswith(".") else gap)


def join(spans: list[Span], joint: str) -> None:
    """Add a separator; a comma sticks to the value before it, as it does for a reader."""
    if joint.startswith((",", ";")) and spans[-1].field:
        spans[-1] = replace(spans[-1], text=spans[-1].text + joint[0])
        spans.append(Span(joint[1:] or " "))
    else:
        spans.append(Span(joint))


def _kind(line: TextLine) -> str:
    return next((span.field for span in line.spans if span.field), "")


def _merge(chance: Chance, lines: Sequence[TextLine]) -> list[TextLine]:
    """Put several values on one line where the card does so."""
    joint = chance.pick(_LINE_JOINTS)
    groups: list[list[TextLine]] = []
    if chance.feature("one_line_contact"):
        for line in lines:
            # The first two always share a line, the others mostly.
            if groups and len(groups[-1]) < 3 and (len(groups[0]) == 1 or chance.odds(0.75)):
                groups[-1].append(line)
            else:
                groups.append([line])
    else:
        pairs = set()
        if chance.feature("mail_on_phone_line"):
            pairs.add(("PHONE", "EMAIL"))
        if chance.feature("web_on_mail_line"):
            pairs |= {("EMAIL", "WEBSITE"), ("WEBSITE", "EMAIL")}
        if chance.feature("fax_on_phone_line"):
            pairs.add(("PHONE", "FAX"))
        for line in lines:
            if groups and (_kind(groups[-1][-1]), _kind(line)) in pairs:
                groups[-1].append(line)
            else:
                groups.append([line])
    return [_merged(group, joint) for group in groups]


def _merged(group: Sequence[TextLine], joint: str) -> TextLine:
    spans = list(group[0].spans)
    for line in group[1:]:
        join(spans, joint)
        spans += line.spans
    return replace(group[0], spans=tuple(spans), tab=group[0].tab if len(group) == 1 else -1)


def _with_label_above(chance: Chance, locale: str, lines: list[TextLine]) -> list[TextLine]:
    """Give one value a line of its own above it that says what it is."""
    places = [i for i, line in enumerate(lines) if line.spans[0].field]
    if not places:
        return lines
    at = chance.pick(places)
    kinds = {field: kind for kind, field in FIELD_OF.items()}
    pointer = draw_label(chance, locale, kinds[_kind(lines[at])]) + ":"
    if not is_cyrillic(locale) and chance.odds(0.6):
        pointer = chance.pick(lexicon("phrases_en")["pointer"])
    lines.insert(at, TextLine((Span(pointer),), chance.pick(("body", "small", "heading"))))
    return lines


def _bearer_line(chance: Chance, locale: str) -> TextLine:
    """Draw a line that names a person before a number: «Prop: K. Rao 98480 …»."""
    words = lexicon("phrases_en")
    name = draw_person(chance, locale).printed[0]
    spans = [Span(f"{chance.pick(words['bearer'])} ")] if chance.odds(0.75) else []
    spans.append(Span(name, "NAME"))
    if chance.odds(0.7):
        join(spans, chance.pick((" - ", ": ", ", ", " ", " (M) ", " : ", " – ")))
        spans.append(Span(draw_phone(chance, locale), "PHONE"))
    return TextLine(tuple(spans))
