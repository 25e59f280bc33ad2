"""Which of a project's documents are business cards: so far, and no further, synthetic cards count in the gate.

A document is like a card if its values are those of cards and it looks like one: few words and lines, no column of
prices, and much of what is on it is a value that the weights that ship can name. Labels alone do not tell, since
receipts have a company, an address and a telephone number too. Of 60 real cards 57 are found, of 66 receipts one is
taken for a card.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.document.bio import FIELDS, field_of
from model.document.types import Page

if TYPE_CHECKING:
    # It brings torch, which those that only ask the gate for its rules do without.
    from model.extraction.training import Example

#: A card has at most so many words and lines on a side; the fullest of 60 real ones had 73 and 27.
MOST_WORDS, MOST_LINES = 100, 35
#: At least this share of a card's words are values that the weights that ship name: 0.42 on one in twenty real cards,
#: 0.68 on half of them; 0.21 on half of the receipts.
LEAST_NAMED = 0.35
#: Receipts and invoices have at least this share of words that are amounts of money, cards have none.
MOST_PRICES = 0.03
#: So many documents are looked at, spread over all.
_MOST_LOOKED_AT = 200

_PRICE = re.compile(r"[^\w.,]*\d{1,6}(?:[.,]\d{3})*[.,]\d{2}[^\w.,]*[A-Za-z]?")

NamedShare = Callable[[Page], float]
"""Tells which share of a page's words the weights that ship name as values, in ``[0, 1]``."""


@dataclass(frozen=True, slots=True)
class CardShare:
    """How many of a project's documents are like business cards.

    Attributes:
        cards: Those that are.
        documents: All that were looked at.
    """

    cards: int
    documents: int

    @property
    def share(self) -> float:
        """The share of cards, in ``[0, 1]``; 1 where there is no document that could tell."""
        return self.cards / self.documents if self.documents else 1.0


def count_cards(
    documents: Iterable[Sequence[Example]], rename: Mapping[str, str], named_share: NamedShare
) -> CardShare:
    """Count the documents that are like business cards.

    Args:
        documents: The pages of each, and their tags in the project's fields.
        rename: Fields of the model that go by another's name in the project.
        named_share: Looks at a page as the weights that ship do.
    """
    fields = {*FIELDS, *(rename[field] for field in FIELDS if field in rename)}
    with_words = [pages for pages in documents if any(page.tags for page in pages)]
    step = max(1, -(-len(with_words) // _MOST_LOOKED_AT))
    chosen = with_words[::step]
    return CardShare(sum(is_card(pages, fields, named_share) for pages in chosen), len(chosen))


def is_card(pages: Sequence[Example], fields: Collection[str], named_share: NamedShare) -> bool:
    """Tell whether a document is like a business card: at least half of its pages with words are.

    Args:
        pages: Its pages and their tags.
        fields: The fields of cards, as the project calls them.
        named_share: Looks at a page as the weights that ship do.
    """
    tags = [field for page in pages for tag in page.tags if (field := field_of(tag)) is not None]
    if 2 * sum(field in fields for field in tags) < len(tags):
        return False
    alike = [_looks_like_a_card(page.page, named_share) for page in pages if page.tags]
    return 2 * sum(alike) >= len(alike) > 0


def _looks_like_a_card(page: Page, named_share: NamedShare) -> bool:
    words = page.words
    if len(words) > MOST_WORDS or len(page.lines) > MOST_LINES:
        return False
    prices = sum(_PRICE.fullmatch(word.text) is not None for word in words)
    # The models come last: they take their time.
    return prices <= MOST_PRICES * len(words) and named_share(page) >= LEAST_NAMED
