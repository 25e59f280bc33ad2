"""Invented words and initials that could be brands."""

from __future__ import annotations

from model.synthetic.chance import Chance
from model.synthetic.lexicon import lexicon


def invent(chance: Chance) -> str:
    """Invent a word that could be a brand, such as ``Velora``, ``Infogrid`` or ``NexPoint``."""
    words = lexicon("companies")
    kind = chance.weigh({"stem": 3.0, "camel": 1.0, "syllables": 3.5, "mixed": 1.5, "cut": 0.8, "plus": 0.3})
    if kind == "stem":
        return chance.pick(words["prefixes"]) + chance.pick(words["suffixes"])
    if kind == "camel":
        return chance.pick(words["prefixes"]) + chance.pick(words["suffixes"]).capitalize()
    if kind == "syllables":
        return "".join(chance.pick(words["syllables"]) for _ in range(chance.between(2, 4))).capitalize()
    if kind == "mixed":
        return (
            chance.pick(words["syllables"]) + chance.pick(words["syllables"]) + chance.pick(words["suffixes"])
        ).capitalize()
    if kind == "cut":
        return chance.pick(words["nouns"])[:4] + chance.pick(words["suffixes"])
    return chance.pick(words["prefixes"]) + chance.pick(("+", "-X", "360", "24", "One", "2000", "4U", "iQ"))


def letters(chance: Chance, low: int = 2, high: int = 4) -> str:
    """Draw initials such as ``KVR``, ``A.B.`` or ``S & T``."""
    drawn = [chance.pick("ABCDEGHIJKLMNPRSTVW") for _ in range(chance.between(low, high))]
    return chance.weigh(
        {
            "".join(drawn): 6.0,
            "".join(f"{c}." for c in drawn): 1.5,
            " & ".join(drawn[:2]): 0.7,
            " ".join(f"{c}." for c in drawn[:3]): 0.5,
            "&".join(drawn[:2]): 0.5,
        }
    )
