"""The word lists under ``data/``: sections in square brackets, entries separated by a bar."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources


@cache
def lexicon(name: str) -> Mapping[str, tuple[str, ...]]:
    """Return the sections of ``data/NAME.txt``.

    In a file whose lines carry keys (``nouns: …``), the section's entries come as ``section.key``.
    """
    text = resources.files(__package__).joinpath(f"data/{name}.txt").read_text(encoding="utf-8")
    sections: dict[str, tuple[str, ...]] = {}
    section = ""
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[]")
            continue
        head, colon, rest = line.partition(": ")
        keyed = colon and head.isidentifier() and head.islower()
        key = f"{section}.{head}" if keyed else section
        entries = tuple(entry.strip() for entry in (rest if keyed else line).split(" | "))
        sections[key] = sections.get(key, ()) + entries
    return sections


@cache
def trades() -> tuple[str, ...]:
    """Return the names of the trades that the English word list knows."""
    return tuple(dict.fromkeys(key.split(".")[0] for key in lexicon("industries_en")))
