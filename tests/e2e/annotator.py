"""A person, played by a script: corrects a pre-label from the truth, as the labelling page would store it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.e2e.badges import HEIGHT, WIDTH, Badge

Result = list[dict[str, Any]]
Box = tuple[float, float, float, float]


def corrected(prediction: Sequence[Mapping[str, Any]], badge: Badge) -> Result:
    """Return the result that a person submits.

    Of the regions in the place of a value the largest stays, with its id, and is drawn larger where it is only a part;
    the others of them are deleted. What has none is drawn again.
    """
    shapes = {part["id"]: _box(part["value"]) for part in prediction if part["type"] == "rectangle"}
    result: Result = []
    for field, text, box in badge.truth:
        there = {name: shapes.pop(name) for name in list(shapes) if _overlap(shapes[name], box) > 0.5}
        name = max(there, key=lambda each: _area(there[each]), default=uuid.uuid4().hex)
        whole = name in there and _area(there[name]) > 0.7 * _area(box)
        result += _region(name, there[name] if whole else box, field, text)
    # Text of no field stays as it was read, but has no label.
    texts = {part["id"]: part["value"]["text"] for part in prediction if part["type"] == "textarea"}
    for name, shape in shapes.items():
        result += _region(name, shape, None, " ".join(texts.get(name, [])))
    return result


def entities(result: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Return the labelled texts of a result, spelled without case, spaces and punctuation."""
    labels = {part["id"]: part["value"]["labels"][0] for part in result if part["type"] == "labels"}
    texts = {part["id"]: " ".join(part["value"]["text"]) for part in result if part["type"] == "textarea"}
    return {(label, _plain(texts.get(name, ""))) for name, label in labels.items()}


def entity_f1(results: Iterable[tuple[Sequence[Mapping[str, Any]], Badge]]) -> float:
    """Return the F1 of predicted entities, field and text, over badges."""
    hits = given = wanted = 0
    for result, badge in results:
        said, true = entities(result), {(field, _plain(text)) for field, text, _ in badge.truth}
        hits, given, wanted = hits + len(said & true), given + len(said), wanted + len(true)
    return 2 * hits / (given + wanted) if given + wanted else 0.0


def _region(name: str, box: Box, field: str | None, text: str) -> Result:
    left, top, right, bottom = box
    value = {"x": 100 * left / WIDTH, "y": 100 * top / HEIGHT, "rotation": 0}
    value |= {"width": 100 * (right - left) / WIDTH, "height": 100 * (bottom - top) / HEIGHT}
    common = {"id": name, "to_name": "image", "original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    parts: Result = [{**common, "from_name": "box", "type": "rectangle", "value": value}]
    if field:
        parts.append({**common, "from_name": "label", "type": "labels", "value": {**value, "labels": [field]}})
    parts.append({**common, "from_name": "text", "type": "textarea", "value": {**value, "text": [text]}})
    return parts


def _box(value: Mapping[str, float]) -> Box:
    left, top = value["x"] / 100 * WIDTH, value["y"] / 100 * HEIGHT
    return left, top, left + value["width"] / 100 * WIDTH, top + value["height"] / 100 * HEIGHT


def _overlap(one: Box, other: Box) -> float:
    """Return the shared area over the smaller one's: what a person takes for the same line."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / min(_area(one), _area(other))


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _plain(text: str) -> str:
    return re.sub(r"[^\w@]", "", text.casefold())
