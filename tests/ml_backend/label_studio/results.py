"""Results as Label Studio stores them, for tests about what people annotate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

WIDTH, HEIGHT = 1000, 500


def region(
    name: str,
    box: tuple[float, float, float, float],
    text: str | None = None,
    label: str | None = None,
    *,
    rotation: float = 0,
    image: str = "image",
) -> list[dict[str, Any]]:
    """The parts of a rectangle; ``box`` is left, top, right, bottom in pixels of 1000 × 500, before any rotation."""
    x0, y0, x1, y1 = box
    shape = {
        "x": x0 / WIDTH * 100,
        "y": y0 / HEIGHT * 100,
        "width": (x1 - x0) / WIDTH * 100,
        "height": (y1 - y0) / HEIGHT * 100,
        "rotation": rotation,
    }
    return _parts(name, shape, "rectanglelabels", text, label, image)


def polygon(
    name: str, points: Sequence[tuple[float, float]], text: str | None = None, label: str | None = None
) -> list[dict[str, Any]]:
    """The parts of a polygon; the points are pixels of 1000 × 500."""
    shape = {"points": [[x / WIDTH * 100, y / HEIGHT * 100] for x, y in points], "closed": True}
    return _parts(name, shape, "polygonlabels", text, label, "image")


def _parts(
    name: str, shape: dict[str, Any], kind: str, text: str | None, label: str | None, image: str
) -> list[dict[str, Any]]:
    common = {"id": name, "to_name": image, "original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    labels = [] if label is None else [label]
    parts = [common | {"from_name": "label", "type": kind, "value": shape | {kind: labels}}]
    if text is not None:
        parts.append(common | {"from_name": "text", "type": "textarea", "value": shape | {"text": [text]}})
    return parts
