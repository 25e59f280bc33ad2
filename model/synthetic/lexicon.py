"""The word lists under ``data/``, and the patterns that combine them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

from model.synthetic.chance import Chance

_SLOT = re.compile(r"\{(\w+)\}")


@cache
def lexicon(name: str) -> Mapping[str, tuple[str, ...]]:
    """Return the sections of ``data/NAME.txt``: names in square brackets, entries separated by a bar.

    In a file whose lines carry keys (``nouns: …``), the section's entries come as ``section.key``.
    """
    text = resources.files(__package__).joinpath(f"data/{name}.txt").read_text(encoding="utf-8")
    sections: dict[str, tuple[str, ...]] = {}
    section = ""
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("# "):
            continue
        if line.startswith("["):
            section = line.strip("[]")
            continue
        head, colon, rest = line.partition(": ")
        keyed = colon and head.isidentifier() and head.islower()
        key = f"{section}.{head}" if keyed else section
        entries = tuple(_entry(entry.strip()) for entry in (rest if keyed else line).split(" | "))
        sections[key] = sections.get(key, ()) + entries
    return sections


def _entry(text: str) -> str:
    """Return an entry as it is meant: a tilde stands for nothing, or, before other text, for a space."""
    return "" if text == "~" else text.replace("~", " ")


@cache
def trades() -> tuple[str, ...]:
    """Return the names of the trades that the English word list knows."""
    return tuple(dict.fromkeys(key.split(".")[0] for key in lexicon("industries_en")))


def expand(chance: Chance, pattern: str, words: Mapping[str, Sequence[str] | str]) -> str:
    """Fill the slots of a pattern: ``{key}`` becomes the text ``words[key]``, or one drawn from it, ``#`` a digit."""

    def fill(match: re.Match[str]) -> str:
        options = words[match.group(1)]
        return options if isinstance(options, str) else chance.pick(options)

    return _SLOT.sub(fill, chance.digits(pattern) if "#" in pattern else pattern)
