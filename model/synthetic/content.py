"""What a card says, before it is set: spans of text with their fields, lines and blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Span:
    """A run of characters that belongs to one field.

    Attributes:
        text: The characters, with the spaces around them.
        field: One of :data:`model.document.bio.FIELDS`; empty for what is no field.
    """

    text: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """A printed word and the span it belongs to.

    Attributes:
        text: Characters without white space.
        field: The field that owns most of its characters; empty for none.
        part: Number of the owning span within its line: words of one part are one entity.
        gap: How many spaces stand before it.
    """

    text: str
    field: str
    part: int
    gap: int = 1


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text as it was meant; setting it may wrap it.

    Attributes:
        spans: Its parts; their texts joined are the line.
        style: How it is set: ``name``, ``title``, ``company``, ``slogan``, ``body``, ``small``, ``heading`` …
        icon: Kind of the icon before it; empty for none.
        tab: Number of the span that starts a second column aligned within the block; -1 for none.
    """

    spans: tuple[Span, ...]
    style: str = "body"
    icon: str = ""
    tab: int = -1

    @property
    def text(self) -> str:
        """The characters of the line."""
        return "".join(span.text for span in self.spans)

    def tokens(self) -> tuple[Token, ...]:
        """Split the line at white space; a word with parts of several spans goes to the one with most of it."""
        owners = [number for number, span in enumerate(self.spans) for _ in span.text]
        text, found, end = self.text, [], 0
        for word in text.split():
            start = text.index(word, end)
            inside = owners[start : start + len(word)]
            part = max(dict.fromkeys(inside), key=inside.count)
            found.append(Token(word, self.spans[part].field, part, max(1, start - end)))
            end = start + len(word)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that stand together, such as an address."""

    lines: tuple[TextLine, ...]


@dataclass(slots=True)
class Content:
    """All that one card says.

    Attributes:
        locale: Whose names and manners it follows, such as ``en_IN``.
        blocks: Role to block; the roles are those that layouts place.
        features: Names of the hard cases it shows.
    """

    locale: str
    blocks: dict[str, Block] = field(default_factory=dict)
    features: tuple[str, ...] = ()

    def put(self, role: str, lines: Sequence[TextLine]) -> None:
        """Set the block of ``role``; no lines, no block. White space is no line."""
        kept = tuple(line for line in lines if line.text.strip())
        if kept:
            self.blocks[role] = Block(kept)


def outside(text: str, style: str = "body") -> TextLine:
    """Return a line that belongs to no field."""
    return TextLine((Span(text),), style)
