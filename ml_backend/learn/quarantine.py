"""Annotations that are kept apart: what they hold would take a sync too long, or cannot be kept at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml_backend.label_studio.outlines import TOO_COMPLEX
from ml_backend.label_studio.regions import TOO_MANY

#: Label Studio's own results are five levels deep. JSON of many more cannot be written down again.
MAX_LEVELS = 50
TOO_DEEP = "Its data are nested too deep to be kept."
#: Reasons that no change of the labelling configuration removes: such annotations are not looked at again until they
#: change.
QUARANTINED = frozenset({TOO_COMPLEX, TOO_MANY, TOO_DEEP})


def nested_too_deep(*values: Any) -> bool:
    """Return whether anything lies below :data:`MAX_LEVELS` lists and objects."""
    level: list[Any] = list(values)
    for _ in range(MAX_LEVELS):
        level = [part for value in level for part in _parts(value)]
        if not level:
            return False
    return True


def _parts(value: Any) -> Sequence[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, (list, tuple)) else ()
