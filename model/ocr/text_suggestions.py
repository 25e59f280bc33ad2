"""Rules that find what is probably misread in Latin and Cyrillic text: to be suggested, never applied unseen.

Look-alike letters are what a recogniser for both scripts confuses first: «Мoсква» with a Latin «o» looks right and
is found by no search. Each rule tells what it would replace by what, and why, so that a person can judge it; the
table :data:`RULES` is all there is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

Replacement = tuple[int, int, str]
"""Half-open range of characters, and what to write there."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: Names it in outputs and settings.
        reason: What it is about, for people.
        find: Yields what it would replace in a text, from left to right, without overlaps.
    """

    name: str
    reason: str
    find: Callable[[str], Iterator[Replacement]]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One replacement that a rule proposes.

    Attributes:
        rule: Name of the rule.
        start: First character.
        stop: After the last character.
        before: What stands there.
        after: What should.
    """

    rule: str
    start: int
    stop: int
    before: str
    after: str


_LATIN = "ABCEHKMOPTXYaceopxyukBëËïÏIiSsJj"
_CYRILLIC = "АВСЕНКМОРТХУасеорхуикВёЁїЇІіЅѕЈј"
# «u» and «и», «k» and «к» are alike in italics and small print only, «Y» and «У» in capitals.
_TO_CYRILLIC = dict(zip(_LATIN, _CYRILLIC, strict=True))
_TO_LATIN = {cyrillic: latin for latin, cyrillic in _TO_CYRILLIC.items() if latin not in "uk"}
_SHORT = 4
_DIGITS = {"0": ("О", "O"), "3": ("З", None), "1": (None, "l")}

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_LETTERS_AND_DIGITS = re.compile(r"(?<=[^\W\d_])[013](?=[^\W\d_])")
_NUMBER_SIGN = re.compile(r"(?<!\w)(?:N[°ºo]|No\.?)(?=\s?\d)")
_RANGE = re.compile(r"(?<=\d)\s?[-—]\s?(?=\d)")
_TIME_RANGE = re.compile(r"(?<!\d)\d{1,2}[:.]\d{2}\s?[-—]\s?\d{1,2}[:.]\d{2}(?!\d)")
_YEAR_RANGE = re.compile(r"(?<![\d-])(?:19|20)\d{2}\s?[-—]\s?(?:19|20)\d{2}(?![\d-])")
_DASH = re.compile(r"(?<=\w) -{1,2} (?=\w)")
_SPACES = re.compile(r"[\u00a0\u2000-\u200a\u202f\u205f\u3000\t]+")
# Spelled with «е» they are common misprints; words that exist with either letter are left out.
_YO_WORDS = """
артём алёна алёша семён фёдор пётр фёдоров фёдорова фёдорович фёдоровна семёнов семёнова семёнович семёновна артёмович
артёмовна королёв королёва киселёв киселёва соловьёв соловьёва воробьёв воробьёва журавлёв журавлёва ковалёв ковалёва
горбачёв горбачёва хрущёв хрущёва пугачёв пугачёва лихачёв лихачёва муравьёв муравьёва щёлково щёлковская счёт отчёт
отчёты расчёт расчёты приём приёмная партнёр партнёры тёплый актёр дирижёр режиссёр визажёр стажёр монтёр чёрный жёлтый
зелёный надёжный удалённый объём подъём самолёт вертолёт ещё
"""
_WITH_YO = {word.replace("ё", "е"): word for word in _YO_WORDS.split()}


def suggestions(text: str, rules: Iterable[Rule] | None = None) -> tuple[Suggestion, ...]:
    """Return what rules would change in a line, from left to right; where two overlap, the earlier rule's.

    Args:
        text: The line.
        rules: In order of precedence; all of :data:`RULES` where it is not given.
    """
    found: list[Suggestion] = []
    for rule in RULES if rules is None else rules:
        for start, stop, after in rule.find(text):
            if after != text[start:stop] and all(stop <= other.start or other.stop <= start for other in found):
                found.append(Suggestion(rule.name, start, stop, text[start:stop], after))
    return tuple(sorted(found, key=lambda suggestion: suggestion.start))


def apply(text: str, chosen: Iterable[Suggestion]) -> str:
    """Return a line with suggestions that a person has accepted.

    Args:
        text: The line that they were made for.
        chosen: Some or all of them.

    Raises:
        ValueError: If they were made for another line.
    """
    for suggestion in sorted(chosen, key=lambda each: -each.start):
        if text[suggestion.start : suggestion.stop] != suggestion.before:
            raise ValueError("the suggestions were made for another text")
        text = text[: suggestion.start] + suggestion.after + text[suggestion.stop :]
    return text


def script_of(character: str) -> str | None:
    """Return ``latin`` or ``cyrillic`` for letters of these scripts, ``None`` for all else."""
    name = unicodedata.name(character, "")
    return next((script for script in ("latin", "cyrillic") if name.startswith(script.upper())), None)


def _composed(text: str) -> Iterator[Replacement]:
    for found in re.finditer(r"[^\W_][\u0300-\u036f]+", text):
        yield found.start(), found.end(), unicodedata.normalize("NFC", found[0])


def _spaces(text: str) -> Iterator[Replacement]:
    for found in _SPACES.finditer(text):
        yield found.start(), found.end(), " "


def _look_alikes(text: str) -> Iterator[Replacement]:
    """Find words of both scripts whose letters of one script all look like letters of the other."""
    whole = _script_of_text(text)
    for word in _WORD.finditer(text):
        places = {"latin": [], "cyrillic": []}  # type: dict[str, list[int]]
        for index, character in enumerate(word[0], word.start()):
            if (script := script_of(character)) is not None:
                places[script].append(index)
        if not places["latin"] or not places["cyrillic"]:
            continue
        for script, table in _preferred(places, text, whole):
            wrong = places["latin" if script == "cyrillic" else "cyrillic"]
            if all(text[index] in table for index in wrong):
                yield from ((index, index + 1, table[text[index]]) for index in wrong)
                break


def _preferred(places: dict[str, list[int]], text: str, whole: str | None) -> list[tuple[str, dict[str, str]]]:
    """Return scripts and tables, likeliest first: that of letters which only it has, then of most, then the text's."""
    sure = {
        "cyrillic": sum(text[index] not in _TO_LATIN for index in places["cyrillic"]),
        "latin": sum(text[index] not in _TO_CYRILLIC for index in places["latin"]),
    }
    tables = {"cyrillic": _TO_CYRILLIC, "latin": _TO_LATIN}
    order = sorted(tables, key=lambda script: (sure[script], len(places[script]), script == whole), reverse=True)
    return [(script, tables[script]) for script in order]


def _script_of_text(text: str) -> str | None:
    scripts = [script for character in text if (script := script_of(character)) is not None]
    return max(("latin", "cyrillic"), key=scripts.count) if scripts else None


def _strangers(text: str) -> Iterator[Replacement]:
    """Find short words all of whose letters look like another script's, in a line whose other words are of that."""
    words = list(_WORD.finditer(text))
    for word in words:
        scripts = {script_of(character) for character in word[0]}
        others = {script_of(c) for other in words if other is not word for c in other[0]} - {None}
        if len(word[0]) > _SHORT:
            continue
        if scripts == {"latin"} and others == {"cyrillic"} and all(c in _TO_CYRILLIC for c in word[0]):
            yield from ((i, i + 1, _TO_CYRILLIC[c]) for i, c in enumerate(word[0], word.start()))


def _digits_in_words(text: str) -> Iterator[Replacement]:
    for found in _LETTERS_AND_DIGITS.finditer(text):
        neighbours = {script_of(text[found.start() - 1]), script_of(text[found.end()])}
        cyrillic, latin = _DIGITS[found[0]]
        after = cyrillic if neighbours == {"cyrillic"} else latin if neighbours == {"latin"} else None
        around = text[found.start() - 1] + text[found.end()]
        # A code such as A0B is no word: all its letters are capitals of the Latin script.
        if after is not None and not (neighbours == {"latin"} and around.isupper()):
            yield found.start(), found.end(), after.lower() if around.islower() else after


def _number_signs(text: str) -> Iterator[Replacement]:
    cyrillic = any(script_of(character) == "cyrillic" for character in text)
    for found in _NUMBER_SIGN.finditer(text):
        if cyrillic or found[0][-1] in "°º":
            yield found.start(), found.end(), "№"


def _dashes(text: str) -> Iterator[Replacement]:
    for found in _DASH.finditer(text):
        yield found.start() + 1, found.end() - 1, "–"
    for pattern in (_TIME_RANGE, _YEAR_RANGE):
        for span in pattern.finditer(text):
            for found in _RANGE.finditer(text, span.start(), span.end()):
                yield found.start(), found.end(), "–"


def _yo(text: str) -> Iterator[Replacement]:
    for word in _WORD.finditer(text):
        spelled = _WITH_YO.get(word[0].lower())
        if spelled is None:
            continue
        for index, character in enumerate(spelled):
            if character == "ё":
                place = word.start() + index
                yield place, place + 1, "Ё" if text[place].isupper() else "ё"


RULES: tuple[Rule, ...] = (
    Rule("composed", "Letters with their marks as one character (Unicode NFC): «и» and a breve are «й».", _composed),
    Rule("spaces", "Non-breaking, thin and other spaces are plain ones.", _spaces),
    Rule("look-alikes", "A word of two scripts is of one: a Latin «a» in a Russian word, a Cyrillic «о» in an English.",
         _look_alikes),
    Rule("strangers", "A word of look-alikes alone is of the script that the rest of its line is of.", _strangers),
    Rule("digits", "A digit between letters is the letter that looks like it: «М0СКВА», «he1lo».", _digits_in_words),
    Rule("number-sign", "«N°», and «No» beside Cyrillic, before a number is «№».", _number_signs),
    Rule("dash", "Between words, times and years stands «–», not a hyphen.", _dashes),
    Rule("yo", "«ё» where names and words are wrong with «е».", _yo),
)  # fmt: skip
"""All rules, in order of precedence."""
