"""Which script a text is written in: what a misreading has to do with the recogniser's alphabet."""

from __future__ import annotations

import unicodedata
from collections import Counter


def script_of(text: str) -> str:
    """Return the script of most letters: ``latin``, ``cyrillic``, ``cjk`` and so on, as Unicode names them.

    A text without letters is ``digits`` if it has one, else ``other``; one with letters of two scripts, neither with
    nine tenths of them, is ``mixed``.
    """
    letters = Counter(unicodedata.name(c, "OTHER").split()[0].lower() for c in text if c.isalpha())
    if not letters:
        return "digits" if any(c.isdigit() for c in text) else "other"
    script, count = letters.most_common(1)[0]
    return script if count >= 0.9 * letters.total() else "mixed"
