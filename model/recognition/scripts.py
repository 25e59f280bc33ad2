"""Settles which script letters are of that look the same in two: a word is of one script, as its other letters are."""

from __future__ import annotations

import re

_CYRILLIC = "АВЕКМНОРСТХаеосрухІіЈјЅѕЁёЇїЀѐ"
_LATIN = "ABEKMHOPCTXaeocpyxIiJjSsËëÏïÈè"
_TO_LATIN = dict(zip(_CYRILLIC, _LATIN, strict=True))
_TO_CYRILLIC = {latin: cyrillic for cyrillic, latin in _TO_LATIN.items()}
_WORD = re.compile(r"[^\W\d_]+")

SHORT = 2
"""Up to so many letters, a word that could be of either script follows its line."""


def settled(text: str) -> str:
    """Return a text in which each word is of one script, as far as letters of the other look the same.

    Rendered lines are taught so, and what is read is settled so: nobody can see the difference. Words of look-alikes
    alone stay as they are unless they are short and the line's other words tell. No character is added or lost.
    """
    lines_own = _leaning(text)

    def settle(match: re.Match[str]) -> str:
        word = match.group()
        leaning = _leaning(word)
        if not leaning and len(word) <= SHORT:
            leaning = lines_own
        if not leaning:
            return word
        return "".join((_TO_CYRILLIC if leaning > 0 else _TO_LATIN).get(c, c) for c in word)

    return _WORD.sub(settle, text)


def _leaning(text: str) -> int:
    """Return above 0 for Cyrillic, below for Latin, by the letters that could be of one script alone."""
    cyrillic = sum("\u0400" <= c <= "\u052f" and c not in _TO_LATIN for c in text)
    latin = sum(c.isalpha() and c < "\u0250" and c not in _TO_CYRILLIC and c not in "ªºµ" for c in text)
    return cyrillic - latin
