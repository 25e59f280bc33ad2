"""Settles which script letters are of that look the same in two: a word is of one script, as its other letters are."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

_CYRILLIC = "АВЕКМНОРСТХаеосрухІіЈјЅѕЁёЇїЀѐ"
_LATIN = "ABEKMHOPCTXaeocpyxIiJjSsËëÏïÈè"
_TO_LATIN = dict(zip(_CYRILLIC, _LATIN, strict=True))
_TO_CYRILLIC = {latin: cyrillic for cyrillic, latin in _TO_LATIN.items()}
_WORD = re.compile(r"[^\W\d_]+")

SHORT = 2
"""Up to so many letters, a word that could be of either script follows its line."""

_ENOUGH, _STRAY = 20, 0.03
#: Letters without which lines say nothing of their scripts, and those of a script that may be misprints.
_LEAST_LETTERS, _LEAST_OF_SCRIPT = 200, 5


def settled(text: str, *, latin: bool = False) -> str:
    """Return a text in which each word is of one script, as far as letters of the other look the same.

    Rendered lines are taught so, and what is read is settled so: nobody can see the difference. Words of look-alikes
    alone stay as they are unless they are short and the line's other words tell, or the page is Latin. No character is
    added or lost.

    Args:
        text: Of a line.
        latin: Whether it stands on a page without Cyrillic; see :func:`is_latin`.
    """
    lines_own = _leaning(text)

    def settle(match: re.Match[str]) -> str:
        word = match.group()
        leaning = _leaning(word)
        if not leaning and latin:
            leaning = -1
        if not leaning and len(word) <= SHORT:
            leaning = lines_own
        if not leaning:
            return word
        return "".join((_TO_CYRILLIC if leaning > 0 else _TO_LATIN).get(c, c) for c in word)

    return _WORD.sub(settle, text)


def absent_scripts(texts: Iterable[str], among: Iterable[str]) -> frozenset[str]:
    """Return the scripts of some lines that others do not bear, such as ``CYRILLIC``.

    Args:
        texts: Lines of documents; with fewer than 200 letters they tell nothing, and no script is absent.
        among: Lines whose scripts are looked for.
    """
    own = Counter(script for text in texts for script in _scripts(text))
    if own.total() < _LEAST_LETTERS:
        return frozenset()
    present = {script for script, count in own.items() if count >= _LEAST_OF_SCRIPT}
    return frozenset(script for text in among for script in _scripts(text)) - present


def bears(text: str, scripts: Collection[str]) -> bool:
    """Tell whether a letter of a text is of one of some scripts."""
    return any(script in scripts for script in _scripts(text))


def _scripts(text: str) -> Iterator[str]:
    """Give the script of each letter."""
    # Unicode's names of letters begin with it.
    yield from (unicodedata.name(c, "").partition(" ")[0] for c in text if c.isalpha())


def is_latin(texts: Iterable[str]) -> bool:
    """Say whether lines are of a page without Cyrillic: of letters that show their script, next to none is."""
    own = [_own_letters(text) for text in texts]
    cyrillic, latin = sum(counts[0] for counts in own), sum(counts[1] for counts in own)
    return latin >= _ENOUGH and cyrillic <= _STRAY * latin


def _leaning(text: str) -> int:
    """Return above 0 for Cyrillic, below for Latin, by the letters that could be of one script alone."""
    cyrillic, latin = _own_letters(text)
    return cyrillic - latin


def _own_letters(text: str) -> tuple[int, int]:
    """Return the number of letters that are Cyrillic, and Latin, for sure."""
    cyrillic = sum("\u0400" <= c <= "\u052f" and c not in _TO_LATIN for c in text)
    latin = sum(c.isalpha() and c < "\u0250" and c not in _TO_CYRILLIC and c not in "ªºµ" for c in text)
    return cyrillic, latin
