"""Interactive pre-annotation: a region that a person has just drawn comes back with its text and its field.

Label Studio's editor sends the parts of the regions that were drawn with a smart tool, and takes the answer's regions
as suggestions. A suggestion with the id of a region on the page replaces that region when it is accepted, so the
answer keeps the id and the outline as drawn; one with an id of its own would lie on top of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from ml_backend.label_studio.fields import match_labels, plain_text_label
from ml_backend.label_studio.label_config import Group, LabelConfig, Target
from ml_backend.label_studio.records import Task
from ml_backend.label_studio.regions import Region, from_result, sizes_of
from ml_backend.observability.logs import get_logger
from ml_backend.predict.task_predictor import ImageFetcher, JsonObject, Reader, TimeUpError
from model.document.images import RgbImage, crop
from model.document.types import Box, Document, Line, Polygon
from model.ocr import OcrEngine, Reading

#: Detectors want to see the background around a line: this share of the crop's height is added on each side.
_MARGIN = 0.25
_LABELLING = frozenset({"rectanglelabels", "polygonlabels"})
_DRAWING = _LABELLING | {"rectangle", "polygon"}

_log = get_logger(__name__)


class DrawnRegions:
    """Reads what people draw.

    Args:
        decode: Makes an upright image of an image file.
        engine_of: Which engine reads what lies inside the outline: that of the model that reads the page.
        images: Gets the image files.
    """

    def __init__(
        self, decode: Callable[[bytes], RgbImage], engine_of: Callable[[Reader], OcrEngine], images: ImageFetcher
    ) -> None:
        self._decode = decode
        self._engine_of = engine_of
        self._images = images

    def predict(
        self,
        task: Task,
        config: LabelConfig,
        drawn: Sequence[Mapping[str, Any]],
        reader: Reader,
        version: str,
        *,
        fits: Callable[[int], bool] = lambda _regions: True,
    ) -> JsonObject:
        """Return a prediction that holds the drawn regions, each with its text and, if it is known, its label.

        What a person has said already stays: the label, and a text that was typed. Label Studio does not send the text
        with the outline, so it is looked up in the drafts and annotations of the task; what stands there may also be
        what was read before, at another place, and is read again then. Regions for which there is no time are left
        out: they stay on the page as they were drawn.

        Args:
            task: The task that was drawn on.
            config: The project's labelling configuration.
            drawn: The parts of the new regions, as Label Studio sends them.
            reader: Reads the whole page, for the fields.
            version: The model version that the answer carries.
            fits: Asked before each region whether there is time for one.

        Raises:
            TimeUpError: If there is no time for any.
            BackendError: If the image cannot be fetched, or must not be.
            ModelError: If it cannot be used, or an engine fails.
        """
        own = config.for_task(task.data)
        results: list[JsonObject] = []
        scores: list[float] = []
        shapes = _shapes(drawn)
        regions = self._by_page(task, own, [region for region in from_result(drawn, own) if region.id in shapes])
        asked = sum(map(len, regions.values()))
        done = 0
        for url, on_page in regions.items():
            if not fits(1):
                break
            data = self._images.fetch(url, task.id or None, task.project or None)
            image = self._decode(data)
            document: Document | None = None
            for region, target in on_page:
                # For the first one, fetching has begun already.
                if region is not on_page[0][0] and not fits(1):
                    break
                done += 1
                outline = _scaled(region, image)
                if not _is_near(outline, image):
                    continue
                reading = self._typed(task, own, region, image, reader)
                reading = reading or _read(self._engine_of(reader), image, outline)
                label = region.label
                if not label:
                    document = document or reader.predict(data)
                    label = _label(document, outline, target)
                results += _parts(shapes[region.id], target, label, reading)
                scores.append(reading.score)
        if done < asked:
            _log.warning("drawn_regions_left_out", task=task.id, drawn=asked, read=done)
            if not done:
                raise TimeUpError(0, len(regions))
        return {"result": results, "score": min(scores, default=0.0), "model_version": version}

    @staticmethod
    def _by_page(task: Task, config: LabelConfig, regions: Sequence[Region]) -> dict[str, list[tuple[Region, Target]]]:
        """Return the regions of each image file with what draws them, so that a file is fetched and decoded once."""
        found: dict[str, list[tuple[Region, Target]]] = {}
        for region in regions:
            target = config.target(region.image)
            url = target.pages(task.data).get(region.page) if target else None
            if target is not None and url is not None:
                found.setdefault(url, []).append((region, target))
        return found

    def _typed(
        self, task: Task, config: LabelConfig, region: Region, image: RgbImage, reader: Reader
    ) -> Reading | None:
        """Return the text that a person has typed for a region, ``None`` where there is none."""
        if (region.text or "").strip():
            return Reading(region.text or "", 1.0)
        for result in task.written:
            parts = [part for part in result if isinstance(part, Mapping) and part.get("id") == region.id]
            for before in from_result(parts, config, sizes_of([region])):
                outline = _scaled(before, image)
                if not (before.text or "").strip() or before.page != region.page or not _is_near(outline, image):
                    continue
                read = _read(self._engine_of(reader), image, outline).text
                return None if _plain(read) == _plain(before.text) else Reading(before.text or "", 1.0)
        return None


def _plain(text: str | None) -> str:
    return " ".join((text or "").split())


def _shapes(drawn: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the part of each region that draws it, by the region's id."""
    outlined = [part for part in drawn if "id" in part and _is_outline(part.get("value"))]
    outlined.sort(key=lambda part: part.get("type") not in _DRAWING)
    return {part["id"]: part for part in reversed(outlined)}


def _read(engine: OcrEngine, image: RgbImage, outline: Polygon) -> Reading:
    """Read what lies inside the outline: line by line if there are several, else as one line."""
    cut = crop(image, outline)
    margin = max(4, round(cut.shape[0] * _MARGIN))
    framed = cv2.copyMakeBorder(cut, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    page = engine.read(np.asarray(framed, dtype=np.uint8))
    lines = _whole_lines(page.upright().lines)
    if len(lines) > 1:
        return Reading(" ".join(line.text for line in lines), min(line.score for line in lines))
    # A person draws along the image, not along the text: turned print comes sideways or upside down.
    reading = engine.recognise([engine.upright(cut)])[0]
    if lines and not reading.text:
        return Reading(lines[0].text, lines[0].score)
    return reading


def _whole_lines(lines: Sequence[Line]) -> list[Line]:
    """Leave out slices of neighbouring lines that a generous outline has cut off."""
    tallest = max((line.box.height for line in lines), default=0.0)
    return [line for line in lines if line.box.height >= tallest / 2]


def _scaled(region: Region, image: RgbImage) -> Polygon:
    """Return the outline in pixels of ``image``, with four corners or more."""
    height, width = image.shape[:2]
    across, down = width / region.original_width, height / region.original_height
    points = tuple((x * across, y * down) for x, y in region.polygon)
    return points if len(points) >= 4 else Box.of_polygon(points).polygon()


def _is_near(outline: Polygon, image: RgbImage) -> bool:
    """Tell whether an outline stays within one image size of the image: beyond, cutting it out only costs memory."""
    height, width = image.shape[:2]
    return all(-width <= x <= 2 * width and -height <= y <= 2 * height for x, y in outline)


def _label(document: Document, outline: Polygon, target: Target) -> str | None:
    """Return the label of the field that most of the words inside the outline belong to, by area."""
    contour = np.array(outline, dtype=np.float32)
    areas: Counter[str] = Counter()
    words = document.page.words
    for entity in document.entities:
        for word in words[entity.start : entity.stop]:
            if cv2.pointPolygonTest(contour, word.box.center, False) >= 0:
                areas[entity.field] += round(word.box.area)
    plain = plain_text_label(target.labels)
    if not areas:
        return plain
    field = areas.most_common(1)[0][0]
    return match_labels([field], target.labels).get(field, plain)


def _is_outline(value: object) -> bool:
    return isinstance(value, Mapping) and ("points" in value or {"x", "y", "width", "height"} <= value.keys())


def _parts(drawn: Mapping[str, Any], target: Target, label: str | None, reading: Reading) -> Iterator[JsonObject]:
    """Return the results of one region: its outline as drawn, its label and its text, all with the drawn id."""
    kept = ("id", "to_name", "original_width", "original_height", "image_rotation", "item_index")
    common = {key: drawn[key] for key in kept if key in drawn} | {"score": round(reading.score, 4)}
    geometry = ("x", "y", "width", "height", "rotation", "points", "closed")
    outline = {key: value for key, value in drawn["value"].items() if key in geometry}
    kind, control = str(drawn.get("type")), str(drawn.get("from_name"))
    group = _group_of(label, target, control, "polygon" if "points" in outline else "rectangle")
    if kind in _LABELLING:
        # The control that drew it says "no label" itself, unless another one names the region.
        if group is None or group.kind == "labels":
            yield common | {"from_name": control, "type": kind, "value": outline | {kind: []}}
    elif kind in _DRAWING:
        yield common | {"from_name": control, "type": kind, "value": outline}
    else:
        plain = target.group_of(None)
        yield common | {"from_name": plain.shape, "type": plain.outline, "value": outline}
    if group is not None:
        yield common | {"from_name": group.label, "type": group.kind, "value": outline | {group.kind: [label]}}
    if (text := target.text_of(label if group is not None else None)) is not None:
        yield common | {"from_name": text, "type": "textarea", "value": outline | {"text": [reading.text]}}


def _group_of(label: str | None, target: Target, control: str, outline: str) -> Group | None:
    """Return the controls that can name a region which was drawn with a control; ``None`` where none has the label.

    A label is of the control that drew, if that has it, or of one that names regions of any shape, or of another one
    that draws the same shape.
    """
    groups = [group for group in target.groups if group.label is not None]
    having = [group for group in groups if any(label == own.value for own in group.labels)]
    fitting = [group for group in having if group.kind == "labels" or group.outline == outline]
    if label is not None and not having:
        # Chosen by a person: the control that drew has it, whatever the configuration says.
        fitting = [group for group in groups if group.label == control] or groups[:1]
    return min(fitting, key=lambda group: group.label != control, default=None)
