"""People on cards: names as they are printed, degrees, and what an e-mail address makes of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from faker import Faker

from model.synthetic.chance import Chance
from model.synthetic.lexicon import lexicon
from model.synthetic.locales import EASTERN, is_cyrillic

_POOL = 300
_LATIN_OF = dict(
    zip(
        "абвгдежзийклмнопрстуфхцчшщъыьэюяєіїґђѓѕјљњќћџѝўё",
        [
            "a",
            "b",
            "v",
            "g",
            "d",
            "e",
            "zh",
            "z",
            "i",
            "y",
            "k",
            "l",
            "m",
            "n",
            "o",
            "p",
            "r",
            "s",
            "t",
            "u",
            "f",
            "kh",
            "ts",
            "ch",
            "sh",
            "shch",
            "_",
            "y",
            "_",
            "e",
            "yu",
            "ya",
            "ye",
            "i",
            "yi",
            "g",
            "dj",
            "gj",
            "dz",
            "j",
            "lj",
            "nj",
            "kj",
            "c",
            "dzh",
            "i",
            "u",
            "yo",
        ],
        strict=True,
    )
)
_LATIN_OF.update({"ъ": "", "ь": ""})


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody a card is about.

    Attributes:
        printed: The name as it stands on the card, perhaps on two lines, without honorific and degrees.
        honorific: «Dr.» and the like, printed before the name as part of it; may be empty.
        given: First name in Latin letters, lower case, for addresses.
        family: Last name in Latin letters, lower case; may be empty.
        latin: The name in Latin letters, for a second script.
    """

    printed: tuple[str, ...]
    honorific: str
    given: str
    family: str
    latin: str


def romanise(text: str) -> str:
    """Return ``text`` in plain Latin letters: Cyrillic transliterated, accents dropped, the rest removed."""
    out = []
    for c in text:
        latin = _LATIN_OF.get(c.lower())
        if latin is None:
            latin = unicodedata.normalize(
                "NFKD", {"ł": "l", "Ł": "L", "ø": "o", "đ": "d", "ß": "ss", "ı": "i"}.get(c, c)
            )
            out.append("".join(k for k in latin if k.isascii()))
        else:
            out.append(latin.capitalize() if c.isupper() else latin)
    return "".join(out)


@cache
def _pool(locale: str) -> dict[str, tuple[str, ...]]:
    """Draw once, always alike, a stock of names of each kind: Faker itself is too slow to ask for every card."""
    fake = Faker(locale, use_weighting=False)
    fake.seed_instance(20_240)
    makers: dict[str, Callable[[], str]] = {
        "given_m": fake.first_name_male,
        "given_f": fake.first_name_female,
        "family_m": fake.last_name_male,
        "family_f": fake.last_name_female,
    }
    if EASTERN.get(locale) == "patronymic":
        makers |= {"middle_m": fake.middle_name_male, "middle_f": fake.middle_name_female}
    stock = {kind: tuple(dict.fromkeys(make() for _ in range(_POOL))) for kind, make in makers.items()}
    if is_cyrillic(locale):
        # Some providers mix Latin names in.
        stock = {
            kind: tuple(n for n in names if not any("a" <= c.lower() <= "z" for c in n))
            for kind, names in stock.items()
        }
    return stock


def draw_person(chance: Chance, locale: str, *, doctor: bool = False) -> Person:
    """Draw a person of ``locale``.

    Args:
        chance: The card's draws.
        locale: One of :data:`model.synthetic.locales.LOCALES`.
        doctor: Whether the trade suggests an academic or medical honorific.
    """
    female = chance.odds(0.38)
    if locale == "en_IN" and chance.odds(0.8):
        words = lexicon("india")
        given = chance.pick(words["given_female" if female else "given_male"])
        family = chance.pick(words["surnames"])
    else:
        pool = _pool(locale)
        given, family = (
            chance.pick(pool["given_f" if female else "given_m"]),
            chance.pick(pool["family_f" if female else "family_m"]),
        )
    honorific = ""
    if chance.feature("honorific", 2.6 if doctor else 0.5):
        if is_cyrillic(locale):
            honorific = chance.pick(("Д-р", "Проф.", "д-р", "инж.") if locale in ("bg_BG", "mk_MK") else ("",))
        elif doctor:
            honorific = chance.pick(("Dr.", "Dr.", "Dr", "Prof.", "Prof. Dr.", "Prof."))
        else:
            honorific = chance.pick(
                lexicon("titles_en")["honorifics"] if locale.startswith("en") else ("Dr.", "Dr", "Prof.", "Ing.")
            )
    if is_cyrillic(locale):
        printed = _cyrillic(chance, locale, given, family, female)
    elif locale == "en_IN":
        printed = (_indian(chance, given, family),)
    else:
        printed = (_western(chance, locale, given, family),)
    if chance.feature("name_in_capitals"):
        printed = tuple(line.upper() for line in printed)
    elif chance.odds(0.02):
        printed = tuple(line.lower() for line in printed)
    slug = ["".join(c for c in romanise(n).lower() if c.isalpha()) for n in (given, family)]
    return Person(printed, honorific, slug[0] or "info", slug[1], romanise(f"{given} {family}"))


def _initial(chance: Chance) -> str:
    return chance.pick("ABCDGHJKLMNPRSTVY")


def _indian(chance: Chance, given: str, family: str) -> str:
    i, j, k = _initial(chance), _initial(chance), _initial(chance)
    second = chance.pick(lexicon("india")["given_male"])
    patterns = {
        f"{given} {family}": 5.0,
        f"{i}. {given} {family}": 2.0,
        f"{i}. {given}": 2.0,
        f"{i}.{j}. {given}": 1.4,
        f"{i}.{j}.{given}": 0.8,
        f"{i}.{given}": 0.6,
        f"{i} {given}": 0.6,
        f"{i}. {j}. {family}": 1.0,
        f"{i}.{j}. {family}": 1.0,
        f"{i}.{j}.{k}. {family}": 0.6,
        f"{i}.{j}.{k}.{family}": 0.4,
        f"{i}. {given} {second}": 1.0,
        f"{i}.{j}. {given} {family}": 0.8,
        f"{given} {second} {family}": 1.0,
        f"{given} {family} {i}": 0.5,
        f"{given} {i}": 0.6,
        f"{given} {i} {j}": 0.4,
        f"{given}. {i}": 0.4,
        f"{given} {i}.{j}.": 0.5,
        f"{given} {i}. {family}": 1.2,
        f"{family} {given}": 1.2,
        f"{family} {given} {second}": 0.6,
        f"{i}{j}{k} {family}": 0.3,
        f"{i}{j} {family}": 0.3,
        f"{given}": 0.7,
        f"{given} {second.lower()} {family}": 0.1,
        f"Md. {given} {family}": 0.2,
        f"{given}.{family}": 0.15,
    }
    return chance.weigh(patterns)


def _western(chance: Chance, locale: str, given: str, family: str) -> str:
    pool = _pool(locale)
    i, other = given[0] if chance.odds(0.3) else _initial(chance), chance.pick(pool["family_m"])
    second = chance.pick(pool["given_m"])
    english = locale.startswith("en")
    patterns = {
        f"{given} {family}": 9.0,
        f"{given} {i}. {family}": 2.0 if english else 0.3,
        f"{given} {second} {family}": 0.7,
        f"{i}. {given} {family}": 0.4 if english else 0.1,
        f"{i}.{_initial(chance)}. {family}": 0.3,
        f"{given} {family}-{other}": 0.3,
        f"{given} {family} Jr.": 0.15 if english else 0.0,
        f"{given} {family} III": 0.1 if english else 0.0,
        f'{given} "{second}" {family}': 0.12 if english else 0.0,
        f"{given} ({second}) {family}": 0.1,
        f"{given}": 0.25,
        f"{given} {family} {other}": 3.0 if locale.startswith(("es", "pt")) else 0.1,
    }
    if EASTERN.get(locale) == "family_first":
        patterns = {f"{family} {given}": 8.0, f"{family} {second} {given}": 1.0, f"{given} {family}": 2.0}
    return chance.weigh(patterns)


def _cyrillic(chance: Chance, locale: str, given: str, family: str, female: bool) -> tuple[str, ...]:
    pool = _pool(locale)
    if EASTERN.get(locale) != "patronymic":
        other = chance.pick(pool["family_f" if female else "family_m"])
        return chance.weigh(
            {(f"{given} {family}",): 8.0, (f"{given} {other} {family}",): 1.5, (f"{given[0]}. {family}",): 0.4}
        )
    middle = chance.pick(pool["middle_f" if female else "middle_m"])
    return chance.weigh(
        {
            (f"{family} {given} {middle}",): 4.0,
            (f"{given} {family}",): 4.0,
            (f"{given} {middle} {family}",): 2.0,
            (f"{family} {given}",): 1.5,
            (family, f"{given} {middle}"): 3.0,
            (f"{family.upper()}", f"{given} {middle}"): 1.5,
            (f"{given} {middle}", family): 1.0,
            (f"{family} {given[0]}.{middle[0]}.",): 0.5,
            (f"{given[0]}. {middle[0]}. {family}",): 0.3,
            (given, family): 0.7,
        }
    )
