"""Seeded choices: thin sugar over a ``numpy`` generator, and the named features a card may have."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

import numpy as np

from model.errors import SyntheticError

T = TypeVar("T")

# Each hard case of real cards is a feature: a name, and the share of cards that show it where it applies.
FEATURES: Mapping[str, float] = {
    "all_capitals": 0.05,
    "bearer": 0.05,
    "branches": 0.06,
    "call_to_action": 0.08,
    "company_repeated": 0.3,
    "company_split": 0.3,
    "degrees": 0.28,
    "department": 0.3,
    "department_with_company": 0.08,
    "descriptor": 0.2,
    "fax": 0.4,
    "fax_on_phone_line": 0.3,
    "glued_label": 0.14,
    "government": 0.4,
    "group_line": 0.06,
    "handwriting": 0.03,
    "honorific": 0.22,
    "icons": 0.22,
    "invocation": 0.06,
    "label_above": 0.06,
    "label_after": 0.06,
    "label_column": 0.25,
    "logo_text": 0.3,
    "mail_on_phone_line": 0.1,
    "name_in_capitals": 0.34,
    "name_with_position": 0.05,
    "no_company": 0.04,
    "no_labels": 0.2,
    "no_person": 0.12,
    "office_residence": 0.05,
    "one_line_contact": 0.16,
    "opening_hours": 0.06,
    "phone_beside_name": 0.12,
    "phone_shorthand": 0.1,
    "photo": 0.05,
    "position_with_department": 0.08,
    "qr_code": 0.07,
    "registration": 0.14,
    "scanner_mark": 0.12,
    "school": 0.5,
    "screen_capture": 0.04,
    "second_script": 0.08,
    "services": 0.3,
    "shop": 0.16,
    "slogan": 0.32,
    "social": 0.12,
    "split_mail": 0.05,
    "template": 0.04,
    "three_offices": 0.3,
    "two_mails": 0.16,
    "two_offices": 0.1,
    "two_people": 0.08,
    "two_positions": 0.08,
    "web_on_mail_line": 0.14,
}
# Who wants the first also wants the second.
_IMPLIED: Mapping[str, str] = {"three_offices": "two_offices", "fax_on_phone_line": "fax"}
# Features that would hide one another: a wanted one keeps the other away.
_CONFLICTS: tuple[tuple[str, frozenset[str]], ...] = (
    ("no_labels", frozenset({"label_column", "label_after", "label_above", "glued_label", "office_residence"})),
    ("one_line_contact", frozenset({"label_column", "fax_on_phone_line", "mail_on_phone_line", "web_on_mail_line"})),
    ("label_after", frozenset({"label_column", "glued_label"})),
    ("name_with_position", frozenset({"position_with_department", "two_positions", "department", "degrees"})),
    ("position_with_department", frozenset({"two_positions", "department"})),
    ("mail_on_phone_line", frozenset({"fax"})),
    ("template", frozenset({"split_mail", "phone_shorthand", "two_mails"})),
    (
        "no_company",
        frozenset(
            {"company_split", "descriptor", "department_with_company", "government", "company_repeated", "school"}
        ),
    ),
    ("office_residence", frozenset({"phone_shorthand"})),
)


class Chance:
    """Draws for one card.

    Args:
        rng: Where all randomness comes from.
        wanted: Features that this card must have wherever they apply; the others come by chance.

    Raises:
        SyntheticError: If a wanted feature does not exist.
    """

    def __init__(self, rng: np.random.Generator, wanted: Collection[str] = ()) -> None:
        unknown = sorted(set(wanted) - FEATURES.keys())
        if unknown:
            raise SyntheticError(f"no such feature of a card: {', '.join(unknown)}; there are {', '.join(FEATURES)}")
        self.rng = rng
        self.wanted = frozenset(wanted) | {_IMPLIED[name] for name in wanted if name in _IMPLIED}
        self._unwanted = frozenset().union(
            *(others for name, others in _CONFLICTS if name in self.wanted),
            *({name} for name, others in _CONFLICTS if others & self.wanted),
        )
        self._seen: dict[str, bool] = {}

    @property
    def shown(self) -> tuple[str, ...]:
        """The features that were drawn, in alphabetical order."""
        return tuple(sorted(name for name, here in self._seen.items() if here))

    def odds(self, probability: float) -> bool:
        """Return true with the given probability in ``[0, 1]``."""
        return bool(self.rng.random() < probability)

    def pick(self, options: Sequence[T]) -> T:
        """Return one of ``options``, each as likely as the others."""
        return options[int(self.rng.random() * len(options))]

    def some(self, options: Sequence[T], count: int) -> list[T]:
        """Return up to ``count`` different options in random order."""
        order = self.rng.permutation(len(options))[:count]
        return [options[int(i)] for i in order]

    def weigh(self, options: Mapping[T, float]) -> T:
        """Return a key with a probability in proportion to its value."""
        point = self.rng.random() * sum(options.values())
        for option, weight in options.items():
            point -= weight
            if point < 0:
                return option
        return next(reversed(list(options)))

    def between(self, low: int, high: int) -> int:
        """Return a whole number in ``[low, high]``, both ends included."""
        return low + int(self.rng.random() * (high - low + 1))

    def real(self, low: float, high: float) -> float:
        """Return a number in ``[low, high)``."""
        return low + float(self.rng.random()) * (high - low)

    def feature(self, name: str, factor: float = 1.0) -> bool:
        """Decide, once for the whole card, whether it has the feature ``name``.

        Args:
            name: A key of :data:`FEATURES`.
            factor: Makes the feature rarer or more frequent for this kind of card.
        """
        if name not in self._seen:
            drawn = self.odds(min(1.0, FEATURES[name] * factor))
            self._seen[name] = (drawn and name not in self._unwanted) or name in self.wanted
        return self._seen[name]

    def digits(self, pattern: str) -> str:
        """Fill each ``#`` of ``pattern`` with a digit and each ``%`` with a digit from 1 to 9."""
        out = []
        for c in pattern:
            if c == "#":
                out.append(str(int(self.rng.random() * 10)))
            elif c == "%":
                out.append(str(1 + int(self.rng.random() * 9)))
            else:
                out.append(c)
        return "".join(out)
