"""Company names on Cyrillic cards: legal forms, quotation marks, trades, invented compounds, institutions."""

from __future__ import annotations

from model.synthetic.chance import Chance
from model.synthetic.lexicon import lexicon
from model.synthetic.locales import tongue
from model.synthetic.people import draw_person, romanise

_LATIN_ENDINGS = ("Group", "Studio", "Company", "Service", "Trade", "Ltd.", "Lab")


def name_cyrillic(chance: Chance, locale: str, *, institutional: bool) -> tuple[str, str]:
    """Name a company in Cyrillic.

    Args:
        chance: The card's draws.
        locale: One that is printed in Cyrillic.
        institutional: Whether it is a university, a ministry, a hospital.

    Returns:
        Its brand and its full name; they may be the same.
    """
    language = tongue(locale)
    words = lexicon(f"words_{language}")
    forms = lexicon("companies")[f"legal_{language}"]
    form, kind, name = chance.pick(forms), chance.pick(words["trades"]), chance.pick(words["names"])
    city = chance.pick(words["cities"])
    invented = chance.pick(words["stems"]) + chance.pick(words["endings"])
    if chance.odds(0.12):
        invented = chance.pick(words["stems"]) + chance.pick(words["stems"]).lower() + chance.pick(words["endings"])
    if chance.odds(0.15):
        invented = f"{invented[:1]}{invented[1:]}-{chance.pick(('М', 'С', 'Юг', '2000', 'Плюс', 'К', 'Центр'))}"
    person = draw_person(Chance(chance.rng), locale)
    surname = person.printed[-1].split()[-1]
    core = invented if chance.odds(0.45) else name
    opening, closing = chance.pick((("«", "»"), ("«", "»"), ('"', '"'), ("„", "“"), ("", "")))
    quoted = f"{opening}{core}{closing}"
    after = language in ("bg", "mk")
    if institutional:
        institution = chance.pick(words["institutions"])
        full = f"{institution} {chance.pick(words['of'])}" if chance.odds(0.5) else institution
        core = institution
    else:
        legal = f"{quoted} {form}" if after else f"{form} {quoted}"
        full = chance.weigh(
            {
                legal: 5.0,
                f"{kind.capitalize()} {quoted}": 3.0,
                f"{core}": 2.0,
                quoted: 1.5,
                f"{legal[: len(form)]} {kind} {quoted}" if not after else f"{kind.capitalize()} {quoted} {form}": 1.0,
                f"{kind.capitalize()} {surname}": 0.5,
                f"{core} {kind}": 0.6,
                f"{core} и партнёры" if language == "ru" else f"{core} груп": 0.4,
                f"{kind.capitalize()} {quoted} {city}": 0.3,
                f"{core}-{city}": 0.2,
                f"{romanise(core)} {chance.pick(_LATIN_ENDINGS)}": 0.7,
                romanise(core).upper(): 0.5,
            }
        )
    if chance.odds(0.25):
        full, core = full.upper(), core.upper()
    return core, full
