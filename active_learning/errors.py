"""The errors that this package raises: a name, a threshold or an array that does not fit.

    ActiveLearningError
    ├── CriteriaError
    ├── ShapeError
    └── UnknownNameError

All of them are mistakes of the caller, and values that settings must refuse.
"""

from __future__ import annotations


class ActiveLearningError(ValueError):
    """An argument that cannot be used. It is a ValueError too, which settings and callers of other packages expect."""


class CriteriaError(ActiveLearningError):
    """Thresholds that are out of range, or that contradict one another."""


class ShapeError(ActiveLearningError):
    """Arrays whose shapes or values do not fit: one row per candidate, finite numbers, as many labels as words."""


class UnknownNameError(ActiveLearningError):
    """No query strategy or score has this name."""
