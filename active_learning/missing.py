"""Which fields a document lacks that documents like it have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UsualFields:
    """How often annotated documents have each field.

    Attributes:
        shares: Field to the share of the documents that have it, in ``[0, 1]``, smoothed so that two documents do not
            make a law (Laplace).
        documents: How many were counted.
    """

    shares: Mapping[str, float]
    documents: int

    @staticmethod
    def of(documents: Iterable[Collection[str]]) -> UsualFields:
        """Count.

        Args:
            documents: The fields of each annotated document.
        """
        counts: Counter[str] = Counter()
        total = 0
        for fields in documents:
            total += 1
            counts.update(set(fields))
        return UsualFields({name: (count + 1) / (total + 2) for name, count in counts.items()}, total)

    def missing(self, found: Collection[str], *, least: float = 0.7) -> tuple[tuple[str, float], ...]:
        """Return the fields not among ``found`` that at least a share ``least`` of documents has, likeliest first."""
        lacking = [(name, share) for name, share in self.shares.items() if share >= least and name not in found]
        return tuple(sorted(lacking, key=lambda pair: (-pair[1], pair[0])))

    def expected_missing(self, found: Collection[str]) -> float:
        """Return the number of values that a person will probably add: the sum of the shares of what is lacking."""
        return sum(share for name, share in self.shares.items() if name not in found)
