"""Which numbers and addresses a card gives, before they are put on lines."""

from __future__ import annotations

from dataclasses import dataclass

from model.synthetic.chance import Chance
from model.synthetic.labels import LabelKind
from model.synthetic.locales import is_cyrillic
from model.synthetic.online import draw_email, draw_website
from model.synthetic.people import Person
from model.synthetic.phones import draw_phone, draw_shorthand

_REMARKS = (
    "(4 Lines)", "(5 lines)", "(6Lines)", "(D)", "(10 lines)", "(24x7)", "(Toll Free)", "(Extn.%##)", "(Ext. %##)",
    "Extn: %##", "(Extn %##/%##)", "(Off)", "(Res)", "(Personal)", "(Office)", "(30 Lines)", "(Direct)", "(Telefax)",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """Values of one kind that share a label.

    Attributes:
        kind: Whose label they take.
        values: One or more.
        remark: What follows the last value and belongs to no field; may be empty.
    """

    kind: LabelKind
    values: tuple[str, ...]
    remark: str = ""


def contact_items(chance: Chance, locale: str, person: Person | None, domain: str) -> list[Item]:
    """Draw what the contact lines say, in the order in which they say it."""
    items = _phones(chance, locale)
    if chance.feature("fax", 0.35 if is_cyrillic(locale) else 0.8):
        count = 2 if chance.odds(0.08) else 1
        items.append(Item("fax", tuple(draw_phone(chance, locale, "office") for _ in range(count))))
    if chance.odds(0.86) or chance.wanted & {
        "two_mails",
        "split_mail",
        "mail_on_phone_line",
        "web_on_mail_line",
        "one_line_contact",
    }:
        mails = [draw_email(chance, locale, person, domain)]
        if chance.feature("two_mails"):
            mails.append(draw_email(chance, locale, None, domain))
        if chance.feature("split_mail"):
            mails[0] = _with_space(chance, mails[0])
        items += _grouped(chance, "email", mails, apart=0.4)
    if chance.odds(0.64) or "web_on_mail_line" in chance.wanted:
        sites = [draw_website(chance, domain)]
        if chance.odds(0.06):
            sites.append(draw_website(chance, f"{chance.pick(('shop', 'my', 'the', 'new'))}{domain}"))
        items += _grouped(chance, "web", sites, apart=0.5)
    if chance.odds(0.3) and not chance.wanted:
        items = [items[int(i)] for i in chance.rng.permutation(len(items))]
    return items or [Item("mobile", (draw_phone(chance, locale),))]


def _phones(chance: Chance, locale: str) -> list[Item]:
    if chance.feature("office_residence"):
        return [
            Item("office", (draw_phone(chance, locale, "office"),), "(O)"),
            Item("home", (draw_phone(chance, locale, "office"),), "(R)"),
            Item("mobile", (draw_phone(chance, locale),)),
        ]
    count = chance.weigh({0: 0.06, 1: 0.48, 2: 0.3, 3: 0.12, 4: 0.04})
    if chance.wanted & {"phone_shorthand", "fax_on_phone_line", "mail_on_phone_line", "one_line_contact"}:
        count = max(count, 1)
    kinds: list[LabelKind] = [chance.weigh({"mobile": 5.0, "office": 4.0, "home": 0.4}) for _ in range(count)]
    if "phone_shorthand" in chance.wanted:
        kinds[0] = "office"
    items: list[Item] = []
    for kind in dict.fromkeys(kinds):
        numbers = [draw_phone(chance, locale, "mobile" if kind == "mobile" else "office") for k in kinds if k == kind]
        if kind == "office" and chance.feature("phone_shorthand"):
            numbers[-1] = draw_shorthand(chance, locale)
        if len(numbers) == 1 and chance.odds(0.16):
            numbers.append(draw_phone(chance, locale, "mobile" if kind == "mobile" else "office"))
        items += _grouped(chance, kind, numbers, apart=0.3)
    if items and chance.odds(0.05):
        remark = chance.pick(_REMARKS)
        items[-1] = Item(items[-1].kind, items[-1].values, chance.digits(remark))
    return items


def _grouped(chance: Chance, kind: LabelKind, values: list[str], *, apart: float) -> list[Item]:
    """Give each value a line of its own with probability ``apart``, else all one."""
    if len(values) > 1 and chance.odds(apart):
        return [Item(kind, (value,)) for value in values]
    return [Item(kind, tuple(values))]


def _with_space(chance: Chance, address: str) -> str:
    """Print an e-mail address with a space in it, as careless typesetting does."""
    local, _, host = address.partition("@")
    name, _, ending = host.rpartition(".")
    return chance.pick(
        (
            f"{local} @ {host}",
            f"{local}@ {host}",
            f"{local}@{name}. {ending}",
            f"{local} @{host}",
            f"{local}@{name} .{ending}",
        )
    )
