"""Sentences that a person reads, kept apart from their values so that they can be said in another language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Words:
    """A sentence.

    Attributes:
        template: English, with ``{name}`` where a value goes; also the key under which translations are found.
        values: The values. They are never translated.
    """

    template: str
    values: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    def __str__(self) -> str:
        return self.said_as(self.template)

    def said_as(self, template: str) -> str:
        """Return the sentence as ``template``, a translation of :attr:`template`, says it."""
        return template.format(**self.values) if self.values else template


def say(template: str, **values: object) -> Words:
    """Return a sentence; translations are collected by this function's name."""
    return Words(template, MappingProxyType(values))
