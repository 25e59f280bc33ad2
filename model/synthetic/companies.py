"""Company names from many grammars: invented words, places, families, initials, virtues, institutions, legal forms."""

from __future__ import annotations

from dataclasses import dataclass

from model.synthetic.chance import Chance
from model.synthetic.cyrillic_companies import name_cyrillic
from model.synthetic.inventions import invent, letters
from model.synthetic.lexicon import lexicon, trades
from model.synthetic.locales import is_cyrillic, legal_forms, tongue
from model.synthetic.people import draw_person, romanise
from model.synthetic.places import draw_city


@dataclass(frozen=True, slots=True)
class Company:
    """A company, an institution or a shop.

    Attributes:
        trade: Which trade of the English word list it is of.
        brand: The name without its legal form, as a logo shows it.
        name: The name in full.
        initials: First letters of the brand's words.
        latin: The name in Latin letters, for a second script.
    """

    trade: str
    brand: str
    name: str
    initials: str
    latin: str


_LANDS = {"IN": "India", "US": "America", "GB": "England", "AU": "Australia", "PK": "Pakistan", "CA": "Canada"}
_INSTITUTIONAL = frozenset({"university", "government", "ngo"})
_TRADE_WEIGHTS = {
    "university": 1.6,
    "education": 1.6,
    "construction": 1.6,
    "software": 1.6,
    "survey": 0.7,
    "consulting": 1.4,
    "finance": 1.3,
    "energy": 0.7,
}


def draw_trade(chance: Chance) -> str:
    """Draw a trade; those that hand out most cards come more often."""
    return chance.weigh({trade: _TRADE_WEIGHTS.get(trade, 1.0) for trade in trades()})


def draw_company(chance: Chance, locale: str, trade: str) -> Company:
    """Draw a company of a trade, named in the manner of the locale."""
    if is_cyrillic(locale):
        public = trade in _INSTITUTIONAL or (trade in ("education", "medical") and chance.odds(0.4))
        brand, name = name_cyrillic(chance, locale, institutional=public)
        return Company(trade, brand, name, _initials(brand) or "А", romanise(name))
    nouns = lexicon("industries_en")[f"{trade}.nouns"]
    foreign = lexicon("words_world").get(f"trades_{tongue(locale)}", ())
    noun = chance.pick(foreign) if foreign and chance.odds(0.65) else chance.pick(nouns)
    institutional = trade in _INSTITUTIONAL or (trade in ("education", "medical") and chance.odds(0.35))
    brand = _institution(chance, locale, noun) if institutional else _brand(chance, locale, noun)
    name = brand
    if not institutional and chance.odds(0.62):
        name = _with_legal_form(chance, locale, brand)
    elif chance.odds(0.03):
        name = f"The {brand}"
    style = chance.weigh({"plain": 6.0, "upper": 6.0, "lower": 0.2, "title": 0.4})
    if style == "upper":
        brand, name = brand.upper(), name.upper() if chance.odds(0.7) else name.replace(brand, brand.upper())
    elif style == "lower":
        brand, name = brand.lower(), name.lower()
    return Company(trade, brand, name, _initials(brand), romanise(name))


def _brand(chance: Chance, locale: str, noun: str) -> str:
    words = lexicon("companies")
    person = draw_person(Chance(chance.rng), locale)
    surname = person.latin.split()[-1] if person.latin else "Miller"
    given = person.latin.split()[0] if person.latin else "Anna"
    indian = locale == "en_IN"
    kinds = {
        "invented": 3.0,
        "virtue": 2.0,
        "thing": 2.0,
        "both": 1.0,
        "surname": 2.0,
        "family": 0.8,
        "initials": 1.8,
        "place": 1.2,
        "bare": 1.4,
        "city_first": 0.4,
        "double": 0.5,
        "given": 0.4,
        "one_word": 0.5,
        "number": 0.15,
        "and": 0.4,
        "auspicious": 4.5 if indian else 0.0,
        "your": 0.1,
        "country": 0.9,
        "of": 0.3,
    }
    kind = chance.weigh(kinds)
    if noun.startswith("&"):
        kind = chance.pick(("surname", "initials", "double", "surname"))
    if kind == "invented":
        return f"{invent(chance)} {noun}"
    if kind == "virtue":
        return f"{chance.pick(words['adjectives'])} {noun}"
    if kind == "thing":
        return f"{chance.pick(words['nouns'])} {noun}"
    if kind == "both":
        return f"{chance.pick(words['adjectives'])} {chance.pick(words['nouns'])} {noun}"
    if kind == "surname":
        return f"{surname}{chance.pick((' ', ' ', ' ', chr(39) + 's '))}{noun}"
    if kind == "family":
        return f"{surname} {chance.pick(words['family'])}"
    if kind == "initials":
        return f"{letters(chance)} {noun}"
    if kind == "place":
        return f"{draw_city(chance, locale)} {noun}"
    if kind == "bare":
        return chance.pick(
            (
                invent(chance),
                chance.pick(words["nouns"]),
                letters(chance, 3, 4),
                chance.pick(words["nouns"]) + chance.pick(words["nouns"]).lower(),
            )
        )
    if kind == "city_first":
        return f"{noun} {draw_city(chance, locale)}"
    if kind == "double":
        other = _last(draw_person(Chance(chance.rng), locale).latin, "Lane")
        return f"{surname}{chance.pick((' & ', '-', ' and ', ', ', ' + '))}{other} {noun}".replace(" & &", " &")
    if kind == "given":
        return f"{given}'s {noun}"
    if kind == "one_word":
        return f"{chance.pick(words['nouns'])}{noun.split()[0].lower()}"
    if kind == "number":
        return f"{chance.pick(('Studio', 'Route', 'Level', 'Gate', 'Area', 'Sector'))} {chance.digits('%#')} {noun}"
    if kind == "and":
        return f"{chance.pick(words['nouns'])} & {chance.pick(words['nouns'])} {noun}"
    if kind == "auspicious":
        return f"{chance.pick(lexicon('india')['auspicious'])} {noun}"
    if kind == "your":
        return f"Your {chance.pick(('City', 'Town', 'Local', 'Home', 'Own'))} {noun}"
    if kind == "country":
        land = _LANDS.get(locale[-2:], draw_city(chance, locale))
        return chance.pick(
            (f"{invent(chance)} {land}", f"{invent(chance)} {noun} {land}", f"{invent(chance)} {land} {noun}")
        )
    return f"{noun} of {draw_city(chance, locale)}"


def _last(text: str, otherwise: str) -> str:
    return text.split()[-1] if text.split() else otherwise


def _institution(chance: Chance, locale: str, noun: str) -> str:
    words = lexicon("companies")
    city = draw_city(chance, locale)
    founder = draw_person(Chance(chance.rng), locale).latin or "Anna Miller"
    land = _LANDS.get(locale[-2:], city)
    patterns = {
        f"{city} {noun}": 3.0,
        f"{noun}, {city}": 1.4,
        f"{noun} of {city}": 0.8,
        f"{founder} {noun}": 1.5,
        f"{_last(founder, 'Grey')} {noun}": 1.0,
        f"{chance.pick(words['adjectives'])} {noun}": 1.0,
        f"National {noun}": 0.5,
        f"Indian {noun}" if locale == "en_IN" else f"American {noun}" if locale == "en_US" else f"Royal {noun}": 0.5,
        f"St. {_last(founder, 'Anne')}'s {noun}": 0.6,
        f"The {city} {noun}": 0.4,
        f"{letters(chance, 3, 4)} {noun}": 0.8,
        f"{noun} {city}": 0.8,
        f"{noun} ({city})": 0.3,
        f"{noun} of {land}": 0.5,
        f"{noun}": 0.4,
        f"{chance.pick(lexicon('india')['auspicious'])} {noun}": 1.0 if locale == "en_IN" else 0.0,
    }
    name = chance.weigh(patterns)
    if noun == "University" and chance.odds(0.45):
        field = chance.pick(("Technology", "Science", "the Arts", "Agriculture", "Applied Sciences", "Health Sciences"))
        name = chance.pick(
            (
                f"University of {city}",
                f"University of {field}",
                f"{city} University",
                f"The University of {city}",
                f"{city} State University",
                f"University of {city} - {draw_city(chance, locale)}",
            )
        )
    return name


def _with_legal_form(chance: Chance, locale: str, brand: str) -> str:
    form = chance.pick(lexicon("companies").get(f"legal_{legal_forms(locale)}", ("Ltd",)))
    if form in ("PT", "CV", "UAB", "SIA"):
        return f"{form} {brand}"
    return f"{brand}{'' if form.startswith(',') else ' '}{form}"


def _initials(brand: str) -> str:
    return "".join(w[0] for w in brand.replace("&", " ").split() if w[0].isalpha())[:4].upper()
