"""Sentences in the store: kept with their parts, so that a page can say them in its visitor's language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from model.errors import Words, listed, said_by, say

__all__ = ["Words", "from_plain", "keep", "kept", "listed", "said_by", "say", "to_plain"]


def to_plain(words: Words) -> dict[str, Any]:
    """Return a sentence as JSON takes it."""
    values = {name: to_plain(value) if isinstance(value, Words) else value for name, value in words.values.items()}
    return {"template": words.template, "values": json.loads(json.dumps(values, default=str))}


def from_plain(plain: Mapping[str, Any]) -> Words:
    """Return the sentence that :func:`to_plain` was given."""
    values = {name: from_plain(v) if isinstance(v, dict) else v for name, v in plain["values"].items()}
    return Words(str(plain["template"]), values)


def keep(text: str) -> str:
    """Return a text as a column of text keeps it: a sentence with its parts, anything else as it is."""
    return json.dumps(to_plain(text), ensure_ascii=False) if isinstance(text, Words) else str(text)


def kept(text: str) -> str:
    """Return what :func:`keep` was given; texts that were stored before there was such a thing are themselves."""
    if not text.startswith('{"template": '):
        return text
    try:
        return from_plain(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return text
