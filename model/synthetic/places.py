"""Postal addresses, as lines."""

from __future__ import annotations

from functools import cache

from faker import Faker

from model.synthetic.chance import Chance
from model.synthetic.lexicon import lexicon
from model.synthetic.locales import country, is_cyrillic, tongue

_STOCK = 120


@cache
def _stock(locale: str) -> tuple[tuple[str, str, str], ...]:
    """Draw once, always alike, street addresses, towns and postcodes of a locale."""
    fake = Faker(locale, use_weighting=False)
    fake.seed_instance(20_241)
    return tuple((fake.street_address().replace("\n", ", "), fake.city(), fake.postcode()) for _ in range(_STOCK))


def draw_address(chance: Chance, locale: str) -> list[str]:
    """Draw an address, broken into lines where a card would break it."""
    if locale in ("en_IN", "en_PK"):
        return _fold(chance, _indian(chance))
    if country(locale) in ("US", "CA", "PH"):
        return _american(chance)
    if locale in ("en_GB", "en_IE", "en_NZ", "en_KE", "en_NG", "zu_ZA", "en_AU"):
        return _british(chance, locale)
    if is_cyrillic(locale):
        return _fold(chance, _cyrillic(chance, locale))
    return _continental(chance, locale)


def draw_city(chance: Chance, locale: str) -> str:
    """Draw a town of the locale."""
    if locale == "en_IN":
        return chance.pick(lexicon("india")["cities"])
    if is_cyrillic(locale):
        return chance.pick(lexicon(f"words_{tongue(locale)}")["cities"])
    if locale in ("en_US", "en_CA"):
        return chance.pick(lexicon("places_en")["us_cities"]).split(",")[0]
    if locale == "en_GB":
        return chance.pick(lexicon("places_en")["gb_cities"]).split(",")[0]
    return chance.pick(_stock(locale))[1]


def _fold(chance: Chance, parts: list[str]) -> list[str]:
    """Join parts with commas into lines of one to three parts."""
    lines, per_line = [], chance.between(1, 3) if len(parts) > 3 else chance.between(1, 2)
    for start in range(0, len(parts), per_line):
        lines.append(", ".join(parts[start : start + per_line]))
    comma = "," if chance.odds(0.85) else ""
    return [line + comma for line in lines[:-1]] + [lines[-1] + chance.pick(("", "", ".", "."))]


def _indian(chance: Chance) -> list[str]:
    words = lexicon("india")
    number = chance.digits(
        chance.pick(
            (
                "#%-%##",
                "%-%-%##/#/A",
                "%-%#-##",
                "No. %#",
                "#%##",
                "# %-%-###/%",
                "Plot No. %##",
                "H.No. %-%-%##/%",
                "Flat No. %0%",
                "Shop No. %#",
                "D.No. %#-%-%#",
                "%#/%",
                "G-%",
                "B-%#%",
                "C-%##",
                "Door No. %##",
                "Plot No. %# & %#",
                "S.No. %##",
                "A-%#",
                "#%#-%-%##",
                "Block-%, Flat No-%#",
                "House No. %-%-%##/%/%",
                "#%##, %th Cross".replace("%th", "5th"),
                "M.I.G. %##",
                "HIG, Block-%",
                "%##",
                "%%/%%",
                "Suite # %0%",
                "Q.No. %#-A",
            )
        )
    )
    floor = chance.pick(
        (
            "1st Floor",
            "2nd Floor",
            "3rd Floor",
            "Ground Floor",
            "IInd Floor",
            "4th Floor",
            "I Floor",
            "First Floor",
            "5th Floor",
            "Second Floor",
            "3rd & 4th Floor",
            "Mezzanine Floor",
            "2 nd Floor",
        )
    )
    near = chance.pick(
        (
            "Near",
            "Opp.",
            "Opp",
            "Opp:",
            "Beside",
            "Behind",
            "Above",
            "Adj.",
            "Near",
            "Next to",
            "Besides",
            "Back side of",
            "Beside",
        )
    )
    city, pin = (
        chance.pick(words["cities"]),
        chance.digits(
            chance.pick(
                ("5## ###", "5#####", "%#####", "%## ###", "50000%", "50 00 %#".replace("50 00", "500 0"), "%##", "%#")
            )
        ),
    )
    parts = [number]
    if chance.odds(0.35):
        parts.append(floor)
    if chance.odds(0.55):
        parts.append(chance.pick(words["complexes"]))
    if chance.odds(0.35):
        parts.append(f"{near} {chance.pick(words['landmarks'])}")
    if chance.odds(0.55):
        parts.append(chance.pick(words["roads"]))
    parts.append(chance.pick(words["localities"]))
    ending = f"{city}{chance.pick((' - ', '-', ' ', ' – ', ' - ', ' -'))}{pin}"
    parts.append(ending if chance.odds(0.85) else city)
    if chance.odds(0.3):
        parts.append(chance.pick(words["states"]))
    if chance.odds(0.15):
        parts.append(chance.pick(("India", "INDIA", "Dist. " + chance.pick(words["cities"]))))
    if chance.odds(0.12):
        parts[chance.between(0, len(parts) - 2)] = f"({near} {chance.pick(words['landmarks'])})"
    return [p.upper() for p in parts] if chance.odds(0.1) else parts


def _american(chance: Chance) -> list[str]:
    words = lexicon("places_en")
    street = f"{chance.digits(chance.pick(('%##', '%###', '%#', '%####', '%')))} {chance.pick(words['us_streets'])}"
    unit = chance.pick(words["us_units"]) if chance.odds(0.45) else ""
    city = f"{chance.pick(words['us_cities'])} {chance.digits('%####' if chance.odds(0.9) else '%####-####')}"
    lines = {
        (street, unit, city): 2.0,
        (f"{street}, {unit}" if unit else street, city): 4.0,
        (f"{street} {unit} {city}",): 0.7,
        (f"{street}, {unit + ', ' if unit else ''}{city}",): 1.2,
        (f"{street} {unit}".strip(), *city.split(", ", 1)): 0.3,
        (f"P.O. Box {chance.digits('%###')}", city): 0.3,
        (city,): 0.2,
        (f"{street} • {city}",): 0.5,
        (f"{street} | {city}",): 0.4,
    }
    found = [line for line in chance.weigh(lines) if line]
    return [*found, "USA"] if chance.odds(0.06) else found


def _british(chance: Chance, locale: str) -> list[str]:
    words = lexicon("places_en")
    number, street = chance.digits(chance.pick(("%#", "%", "%##", "%#-%#"))), chance.pick(words["gb_streets"])
    if locale == "en_AU":
        city = chance.pick(words["au_cities"])
    elif locale in ("en_GB", "en_IE"):
        letters = "ABCDEGHJLMNPRSTW"
        a, b, c, d = (chance.pick(letters) for _ in range(4))
        code = f"{a}{b}{chance.digits('%# %')}{c}{d}"
        city = f"{chance.pick(words['gb_cities'])}{chance.pick((' ', ', ', ' '))}{code}"
    else:
        _, town, code = chance.pick(_stock(locale if locale != "en_KE" else "en_GB"))
        city = f"{town} {code}"
    parts = ([chance.pick(words["gb_units"])] if chance.odds(0.5) else []) + [f"{number} {street}", city]
    return (
        [", ".join(parts)]
        if chance.odds(0.25)
        else parts
        if chance.odds(0.5)
        else [p + "," for p in parts[:-1]] + parts[-1:]
    )


def _continental(chance: Chance, locale: str) -> list[str]:
    street, city, code = chance.pick(_stock(locale))
    town = chance.pick((f"{code} {city}", f"{code} {city}", f"{country(locale)}-{code} {city}", f"{city} {code}"))
    joined = chance.pick((", ", " · ", " - ", " | ", ", "))
    return [f"{street}{joined}{town}"] if chance.odds(0.3) else [street, town]


def _cyrillic(chance: Chance, locale: str) -> list[str]:
    words = lexicon(f"words_{tongue(locale)}")
    kind, street = chance.pick(words["street_kinds"]), chance.pick(words["streets"])
    house = chance.digits(chance.pick(("%", "%#", "%##", "%#/%", "%#-А", "%#б")))
    city, postcode = (
        chance.pick(words["cities"]),
        chance.digits({"ru": "%#####", "uk": "%####"}.get(tongue(locale), "%###")),
    )
    if tongue(locale) in ("bg", "mk"):
        place = f"{kind} {street} {chance.pick(('№ ', '№', ''))}{house}"
        if chance.odds(0.25):
            place = f"{kind} „{street}“ {house}"
        parts = [place, f"{postcode} {city}" if chance.odds(0.7) else city]
        if chance.odds(0.5):
            parts.reverse()
        if chance.odds(0.3):
            parts.append(chance.digits(chance.pick(("ет. %", "офис %", "вх. А, ап. %#", "ет. %, офис %"))))
        return parts
    home = chance.pick(("д. ", "", "дом ")) if tongue(locale) == "ru" else chance.pick(("", "буд. "))
    room = {
        "ru": (
            "офис %##",
            "оф. %#",
            "кв. %#",
            "корп. %",
            "стр. %",
            "литер А",
            "%-й этаж",
            "ТЦ «Мир»",
            "каб. %##",
            "пом. %-Н",
        )
    }.get(tongue(locale), ("офіс %##", "оф. %#", "кв. %#", "корп. %", "%-й поверх", "каб. %##"))
    town = f"{'г. ' if tongue(locale) == 'ru' else 'м. '}{city}" if chance.odds(0.65) else city
    parts = [town, f"{kind} {street}", f"{home}{house}"]
    if chance.odds(0.6):
        parts.insert(0, postcode)
    if chance.odds(0.2):
        parts.insert(1 if parts[0] == postcode else 0, chance.pick(words["countries"]))
    if chance.odds(0.55):
        parts.append(chance.digits(chance.pick(room)))
    if chance.odds(0.15) and postcode in parts:
        parts.remove(postcode)
        parts.append(postcode)
    return parts
