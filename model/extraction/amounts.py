"""How the amounts of a page hang together: the largest, those that others add up to, those that are repeated.

A total is known by its place among the other amounts as much as by the word beside it, in whatever language that is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from enum import Enum
from itertools import combinations

from model.document.types import Page
from model.extraction.value_types import ValueType

#: Of more different amounts only so many of the largest are added up.
_MOST = 40

_NUMBER = re.compile(r"\d[\d.,' ]*")


class Role(Enum):
    """What an amount is among the others of its page."""

    LARGEST = "largest"
    SECOND = "second"
    REPEATED = "repeated"
    SUM = "sum"
    LARGE_PART = "large part"
    SMALL_PART = "small part"
    NOUGHT = "nought"


def amount_roles(page: Page, types: Sequence[frozenset[ValueType]]) -> list[frozenset[Role]]:
    """Return what each word is among the amounts of its page; nothing for a word that is no amount.

    Args:
        page: Segmented words.
        types: Of each word, as :func:`model.extraction.value_types.types_of` gives them.
    """
    amounts = [
        cents(word.text) if ValueType.AMOUNT in kinds else None for word, kinds in zip(page.words, types, strict=True)
    ]
    counts = Counter(amount for amount in amounts if amount)
    ranked = sorted(counts, reverse=True)
    largest = ranked[:_MOST]
    roles: dict[int, set[Role]] = {amount: set() for amount in counts} | {0: {Role.NOUGHT}}
    for amount, role in zip(ranked, (Role.LARGEST, Role.SECOND), strict=False):
        roles[amount].add(role)
    for amount, count in counts.items():
        if count > 1:
            roles[amount].add(Role.REPEATED)
    for large, small in combinations(largest, 2):
        if large + small in counts:
            roles[large + small].add(Role.SUM)
            roles[large].add(Role.LARGE_PART)
            roles[small].add(Role.SMALL_PART)
    return [frozenset() if amount is None else frozenset(roles[amount]) for amount in amounts]


def cents(text: str) -> int | None:
    """Return an amount as a whole number of hundredths; ``None`` where the text has no number, or a huge one."""
    found = _NUMBER.search(text)
    if found is None:
        return None
    number = found.group().strip(" .,'")
    whole, point, hundredths = number.replace(",", ".").rpartition(".")
    if not point or len(hundredths) != 2:
        whole, hundredths = number, "00"
    digits = "".join(c for c in whole if c.isdigit()) + hundredths
    return int(digits) if len(digits) <= 15 else None
