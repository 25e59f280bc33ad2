"""Positions, departments and degrees."""

from __future__ import annotations

from model.synthetic.chance import Chance
from model.synthetic.lexicon import lexicon
from model.synthetic.locales import is_cyrillic, tongue

_MEDICAL = frozenset({"medical"})
_SHORT_RANKS = ("V.P.", "VP", "A.V.P.", "AVP", "EVP", "SVP", "G.M.", "DGM", "AGM", "Sr. VP")


def draw_position(chance: Chance, locale: str, trade: str) -> str:
    """Draw a position that fits the trade, in the language of the locale."""
    language = tongue(locale)
    if is_cyrillic(locale):
        words = lexicon(f"words_{language}")
        if chance.odds(0.3):
            joint = chance.pick((" ", " ", " - ")) if language == "bg" else " "
            return _cased(chance, f"{chance.pick(words['pos_rank'])}{joint}{chance.pick(words['pos_function'])}")
        return _cased(chance, chance.pick(words["positions"]))
    native = lexicon("words_world").get(f"positions_{language}")
    if native and chance.odds(0.8):
        return _cased(chance, chance.pick(native))
    if chance.odds(0.45):
        position = chance.pick(lexicon("industries_en")[f"{trade}.positions"])
        if chance.odds(0.15) and len(position.split()) < 3:
            position = f"{chance.pick(lexicon('titles_en')['seniority'])} {position}"
        return _cased(chance, position)
    for _ in range(4):
        position = _composed(chance)
        said = position.lower().split()
        if len(set(said)) == len(said):
            break
    return _cased(chance, position)


def _composed(chance: Chance) -> str:
    words = lexicon("titles_en")
    head, senior = chance.pick(words["heads"]), chance.pick(words["seniority"])
    function, other, rank = (
        chance.pick(words["functions"]),
        chance.pick(words["functions"]),
        chance.pick(words["ranks"]),
    )
    patterns = {
        head: 5.0,
        f"{function} {rank}": 2.5,
        f"{senior} {function} {rank}": 1.6,
        f"{senior} {rank}": 1.6,
        f"{rank} - {function}": 0.9,
        f"{rank} ({function})": 0.6,
        f"{rank}-{function}": 0.4,
        f"{senior} {rank} - {function}": 0.6,
        f"{senior} {rank}, {function}": 0.3,
        f"{senior} {rank} ({function})": 0.3,
        f"Director of {function}": 0.4,
        f"Director - {function}": 0.3,
        f"Head of {function}": 0.4,
        f"Head - {function}": 0.3,
        f"Head, {function}": 0.2,
        f"Vice President - {function}": 0.3,
        f"Vice President, {function}": 0.3,
        f"{chance.pick(_SHORT_RANKS)} {chance.pick(('', '- '))}{function}": 0.3,
        f"General Manager - {function}": 0.4,
        f"{rank} - {function} & {other}": 0.2,
        f"{function} & {other} {rank}": 0.4,
        f"{function} {rank} & {chance.pick(words['ranks'])}": 0.15,
        f"{head} / {function} {rank}": 0.1,
        f"({function} {rank})": 0.15,
        f"Chief {function} Officer": 0.3,
        f"{function} Team {chance.pick(('Lead', 'Leader', 'Member'))}": 0.15,
        f"Manager {function}": 0.3,
        f"Executive {function}": 0.2,
        f"Consultant - {function}": 0.2,
        f"Project {rank}": 0.2,
        f"{head} ({function})": 0.2,
        f"{head} - {function}": 0.2,
        f"{rank}, {function}": 0.2,
        f"{function} - {rank}": 0.1,
        f"{senior} {rank} {function}": 0.2,
        f"Head of {function} & {other}": 0.15,
        f"{rank} {function} ({senior})": 0.05,
        f"{head}, {function}": 0.1,
        f"{senior} {function} & {other} {rank}": 0.15,
    }
    return chance.weigh(patterns)


def _cased(chance: Chance, position: str) -> str:
    style = chance.weigh({"plain": 8.0, "upper": 2.4, "lower": 0.3, "sentence": 0.2})
    if style == "upper":
        return position.upper()
    if style == "lower":
        return position.lower()
    return position[0] + position[1:].lower() if style == "sentence" else position


def draw_department(chance: Chance, locale: str, trade: str) -> str:
    """Draw a department of a company of the trade: text that belongs to no field."""
    language = tongue(locale)
    if is_cyrillic(locale):
        return chance.pick(lexicon(f"words_{language}")["departments"])
    native = lexicon("words_world").get(f"departments_{language}")
    if native and chance.odds(0.7):
        return chance.pick(native)
    if chance.odds(0.7):
        return chance.pick(lexicon("industries_en")[f"{trade}.departments"])
    function = chance.pick(lexicon("titles_en")["functions"])
    return chance.pick(
        (
            f"{function} Department",
            f"Department of {function}",
            f"{function} Division",
            f"Dept. of {function}",
            f"{function} Group",
            f"{function} Wing",
            f"{function} Team",
            f"Office of {function}",
        )
    )


def draw_degrees(chance: Chance, locale: str, trade: str) -> str:
    """Draw degrees as they follow a name: text that belongs to no field."""
    if is_cyrillic(locale):
        return chance.pick(lexicon(f"words_{tongue(locale)}")["degrees"])
    words = lexicon("titles_en")
    stock = words["degrees_medical"] if trade in _MEDICAL and chance.odds(0.85) else words["degrees_general"]
    degrees = chance.some(stock, chance.weigh({1: 4.0, 2: 4.0, 3: 2.0, 4: 0.8, 5: 0.3}))
    text = chance.pick((", ", ", ", ",", " ", ", ", " & ")).join(degrees)
    return f"({text})" if chance.odds(0.15) and "(" not in text else text
