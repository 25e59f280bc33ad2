"""The contact lines of a card: phones, fax, e-mail and web, with their labels, on a line each or several to a line."""

from __future__ import annotations

from dataclasses import dataclass

from model.synthetic.chance import Chance
from model.synthetic.contacts import (
    LabelKind,
    draw_email,
    draw_label,
    draw_phone,
    draw_separator,
    draw_shorthand,
    draw_website,
)
from model.synthetic.content import Span, TextLine
from model.synthetic.locales import is_cyrillic
from model.synthetic.people import Person

_FIELDS: dict[LabelKind, str] = {
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


@dataclass(slots=True)
class _Item:
    """Values of one kind that share a label."""

    kind: LabelKind
    values: list[str]


def contact_lines(chance: Chance, locale: str, person: Person | None, brand: str, domain: str) -> list[TextLine]:
    """Draw the contact lines of a card.

    Args:
        chance: The card's draws.
        locale: Whose numbers and labels they are.
        person: Whom an e-mail address may name.
        brand: The company, for addresses of an office.
        domain: The company's domain.
    """
    items = _items(chance, locale, person, brand, domain)
    labelled = not chance.feature("no_labels")
    icons = chance.feature("icons", 0.6 if labelled else 1.5)
    column = labelled and chance.feature("label_column")
    separator = draw_separator(chance)
    if chance.feature("glued_label"):
        separator = chance.pick((":", ":", ":-", ".", "-"))
    if column:
        separator = chance.pick((" : ", ": ", "  ", ":"))
    capitals = chance.odds(0.06)

    def label_of(kind: LabelKind) -> str:
        label = draw_label(chance, locale, kind)
        # A single letter or word may not be told apart from the number without any space.
        gap = separator if separator.strip() or " " in separator else " "
        return (label.upper() if capitals else label) + (gap.lstrip(".") if label.endswith(".") else gap)

    lines: list[TextLine] = []
    for item in items:
        spans: list[Span] = []
        # The fax is labelled even where nothing else is, or it would be a phone.
        shows_label = (labelled and chance.odds(0.95)) or item.kind == "fax"
        after = shows_label and item.kind in ("mobile", "office", "fax", "home") and chance.feature("label_after")
        if shows_label and not after:
            spans.append(Span(label_of(item.kind)))
        joint = chance.pick((", ", " / ", ", ", " & ", ", ", "/", " | ", "; ", "  "))
        for number, value in enumerate(item.values):
            if number:
                _join(spans, joint)
            spans.append(Span(value, _FIELDS[item.kind]))
        if after:
            word = draw_label(chance, locale, item.kind).strip(".:").lower()
            spans.append(Span(chance.pick((f" {word}", f" ({word[:1].upper()})", f" ({word})", f" - {word}"))))
        tab = 1 if column and shows_label and not after else -1
        lines.append(TextLine(tuple(spans), "body", _ICONS[item.kind] if icons else "", tab))
    lines = _split_mail(chance, lines)
    return _merge(chance, lines)


def _join(spans: list[Span], joint: str) -> None:
    """Add a separator; a comma sticks to the value before it, as it does for a reader."""
    if joint.startswith((",", ";")) and spans[-1].field:
        spans[-1] = Span(spans[-1].text + joint[0], spans[-1].field)
        spans.append(Span(joint[1:] or " "))
    else:
        spans.append(Span(joint))


def _items(chance: Chance, locale: str, person: Person | None, brand: str, domain: str) -> list[_Item]:
    items: list[_Item] = []
    phones = chance.weigh({0: 0.06, 1: 0.5, 2: 0.3, 3: 0.12})
    if "phone_shorthand" in chance.wanted:
        phones = max(phones, 1)
    kinds: list[LabelKind] = [chance.weigh({"mobile": 5.0, "office": 4.0, "home": 0.4}) for _ in range(phones)]
    for kind in dict.fromkeys(kinds):
        count = kinds.count(kind)
        plan = "mobile" if kind == "mobile" else "office"
        numbers = [draw_phone(chance, locale, "mobile" if plan == "mobile" else "office") for _ in range(count)]
        if plan == "office" and chance.feature("phone_shorthand"):
            numbers[-1] = draw_shorthand(chance, locale)
        if count == 1 and chance.odds(0.16):
            numbers.append(draw_phone(chance, locale, "mobile" if plan == "mobile" else "office"))
        if len(numbers) > 1 and chance.odds(0.3):
            items += [_Item(kind, [number]) for number in numbers]
        else:
            items.append(_Item(kind, numbers))
    if chance.feature("fax", 0.35 if is_cyrillic(locale) else 0.8):
        values = [draw_phone(chance, locale, "office")]
        if chance.odds(0.08):
            values.append(draw_phone(chance, locale, "office"))
        items.append(_Item("fax", values))
    if chance.odds(0.86):
        mails = [draw_email(chance, locale, person, domain)]
        if chance.feature("two_mails"):
            mails.append(draw_email(chance, locale, None, domain))
        if len(mails) > 1 and chance.odds(0.4):
            items += [_Item("email", [mail]) for mail in mails]
        else:
            items.append(_Item("email", mails))
    if chance.odds(0.66):
        items.append(_Item("web", [draw_website(chance, domain)]))
    if chance.odds(0.3):
        items = [items[int(i)] for i in chance.rng.permutation(len(items))]
    return items


def _split_mail(chance: Chance, lines: list[TextLine]) -> list[TextLine]:
    """Print one e-mail address with a space in it, as careless typesetting does."""
    if not chance.feature("split_mail"):
        return lines
    found = []
    for line in lines:
        spans = []
        for span in line.spans:
            if span.field == "EMAIL" and "@" in span.text:
                local, _, host = span.text.partition("@")
                name, _, ending = host.rpartition(".")
                spaced = (
                    f"{local} @ {host}",
                    f"{local}@ {host}",
                    f"{local}@{name}. {ending}",
                    f"{local} @{host}",
                    f"{local}@{name} .{ending}",
                )
                span = Span(chance.pick(spaced), "EMAIL")
            spans.append(span)
        found.append(TextLine(tuple(spans), line.style, line.icon, line.tab))
    return found


def _merge(chance: Chance, lines: list[TextLine]) -> list[TextLine]:
    """Put several values on one line where the card does so."""
    joint = chance.pick((" | ", "  ", ", ", " • ", " / ", "   ", " - ", "  |  ", ", ", "; ", " · "))
    if chance.feature("one_line_contact"):
        groups: list[list[TextLine]] = []
        for line in lines:
            if groups and len(groups[-1]) < 3 and chance.odds(0.75):
                groups[-1].append(line)
            else:
                groups.append([line])
    else:
        groups = [[line] for line in lines]
        mail_joins = chance.feature("mail_on_phone_line")
        web_joins = chance.feature("web_on_mail_line")
        for number in range(len(groups) - 1, 0, -1):
            before, here = (_kind(groups[number - 1][0]), _kind(groups[number][0]))
            if (mail_joins and (before, here) == ("PHONE", "EMAIL")) or (
                web_joins and {before, here} == {"EMAIL", "WEBSITE"}
            ):
                groups[number - 1 : number + 1] = [groups[number - 1] + groups[number]]
    merged = []
    for group in groups:
        spans = list(group[0].spans)
        for line in group[1:]:
            _join(spans, joint)
            spans += line.spans
        merged.append(TextLine(tuple(spans), group[0].style, group[0].icon, group[0].tab if len(group) == 1 else -1))
    return merged


def _kind(line: TextLine) -> str:
    return next((span.field for span in line.spans if span.field), "")
