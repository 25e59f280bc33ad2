"""What can be said of a result without its labelling configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def labels_in(result: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Give the labels of a result's regions, a label as often as there are regions that have it."""
    for part in result:
        kind = str(part.get("type", ""))
        if kind.endswith("labels"):
            yield from (str(label) for label in (part.get("value") or {}).get(kind) or ())
