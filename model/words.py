"""Sentences that a person reads, kept together with their parts so that they can be said in another language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Words(str):
    """A sentence: a string like any other, in English, which still knows what it was made of.

    So it may stand wherever a message or a reason does, and who says it to a person may say it in another language.

    Args:
        template: English, with ``{name}`` where a value goes; also the key under which translations are found.
        values: The values. They are never translated, but for those that are sentences themselves.
    """

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, values: Mapping[str, object] | None = None) -> Words:
        """Make the English sentence; the parts stay with it."""
        words = super().__new__(cls, template.format(**values) if values else template)
        words.template, words.values = template, dict(values or {})
        return words


def say(template: str, **values: object) -> Words:
    """Return a sentence; translations are collected by this function's name."""
    return Words(template, values)


def listed(sentences: Sequence[Words]) -> Words:
    """Return one sentence of several, parted by semicolons; empty for none."""
    if len(sentences) < 2:
        return sentences[0] if sentences else Words("")
    return say("{first}; {rest}", first=sentences[0], rest=listed(sentences[1:]))


def said_by(error: BaseException) -> str:
    """Return what an error says, as a sentence if it was raised with one."""
    first = error.args[0] if error.args else ""
    return first if isinstance(first, Words) and first == str(error) else str(error)
