"""Documents to Label Studio's regions: what an annotator finds on the page before the first click."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ml_backend.label_studio import geometry
from ml_backend.label_studio.fields import match_labels, plain_text_label
from ml_backend.label_studio.geometry import Frame
from ml_backend.label_studio.label_config import Group, LabelConfig, PageId, Target
from ml_backend.label_studio.regions import Region, Skipped, from_result, read_result
from model.document.types import Document, Line, Polygon, Word, score_of_pages

__all__ = ["Region", "Skipped", "from_result", "match_labels", "read_result", "to_parts", "to_prediction", "to_regions"]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Contiguous words of one line that become one region."""

    label: str | None
    text: str
    score: float
    frame: Frame
    polygon: Polygon


def to_prediction(
    documents: Mapping[PageId, Document],
    config: LabelConfig,
    *,
    model_version: str,
    salt: str = "",
    values_only: bool = False,
) -> dict[str, Any]:
    """Turn the documents of one task into a prediction.

    Args:
        documents: By the image that each came from. An image without one gets no regions.
        config: The project's labelling configuration, with the task's own labels if it has any.
        model_version: What Label Studio files the prediction under.
        salt: See :func:`to_regions`.
        values_only: Whether lines that belong to no field are left out where the configuration does not say so.

    Returns:
        ``result``, ``score`` and ``model_version``. Regions stand in the order of the pages. The score is that of the
        least certain document, 0 where there is none: nothing was read, so a person should look. Of a list of pages
        the empty ones do not count, as long as one has words.
    """
    results: list[dict[str, Any]] = []
    found: dict[int, list[Document]] = {}
    for page in config.in_order(documents):
        target = config.target(page.image)
        if target is None:
            continue
        only = target.pre_labels == "values" or (target.pre_labels is None and values_only)
        results += to_regions(documents[page], target, item_index=page.item_index, salt=salt, values_only=only)
        number = next(at for at, own in enumerate(config.targets) if own.of_image(page.image) is not None)
        found.setdefault(number, []).append(documents[page])
    scores = [score_of_pages(pages) for pages in found.values()]
    return {"result": results, "score": min(scores, default=0.0), "model_version": model_version}


def to_regions(
    document: Document, target: Target, *, item_index: int = 0, salt: str = "", values_only: bool = False
) -> list[dict[str, Any]]:
    """Turn a document into the results of its regions.

    Every word of the page is in exactly one region, so that a person can correct all of it. A line is cut where a field
    begins or ends: each entity whose field has a label becomes a region of its own, and what stands between becomes
    regions with text and without a label, or with the label for text if the project has one.

    Args:
        document: What was read.
        target: Where it goes.
        item_index: Which page of the task it is, where the task has a list of them.
        salt: Region ids depend on the content alone, so that asking twice gives the same answer. Another salt gives
            other ids, for regions that must not be taken for ones that are there already.
        values_only: Whether regions of no field are left out. Without labels there are no fields, and nothing is.

    Returns:
        Two or three results a region, which share an ``id``: shape, label, text.
    """
    page = document.page
    target = target.at(item_index)
    plain = plain_text_label(target.labels)
    values_only &= any(label.value != plain for label in target.labels)
    results = []
    for index, piece in enumerate(_pieces(document, target)):
        if values_only and piece.label in (None, plain):
            continue
        # Pages may say the same in the same place: letterheads.
        place = f"{item_index}/{index}" if item_index else str(index)
        name = f"{salt}\0{target.image}\0{place}\0{piece.label}\0{piece.text}"
        common = {
            "id": hashlib.blake2b(name.encode(), digest_size=8).hexdigest(),
            "to_name": target.image,
            "original_width": page.width,
            "original_height": page.height,
            "image_rotation": 0,
            "score": round(piece.score, 4),
        }
        if target.value_list:
            common["item_index"] = item_index
        results += [common | part for part in _parts(piece, target, page.width, page.height)]
    return results


def to_parts(
    label: str | None,
    text: str | None,
    polygon: Polygon,
    target: Target,
    *,
    region_id: str,
    width: int,
    height: int,
    item_index: int = 0,
) -> list[dict[str, Any]]:
    """Turn one outline, with what is said about it, into the results of a region.

    Args:
        label: Its label, ``None`` for none.
        text: Its text, ``None`` where nobody said.
        polygon: In pixels of the image, clockwise from the corner where reading starts.
        target: Where it goes.
        region_id: What its results share.
        width: Width of the image in pixels.
        height: Height of the image in pixels.
        item_index: Which page of the task it is on, where the task has a list of them.

    Raises:
        ValueError: If the polygon is flat.
    """
    piece = _Piece(label, text or "", 1.0, geometry.frame_of_polygon(polygon), polygon)
    target = target.at(item_index)
    common: dict[str, Any] = {
        "id": region_id,
        "to_name": target.image,
        "original_width": width,
        "original_height": height,
    }
    if target.value_list:
        common["item_index"] = item_index
    parts = _parts(piece, target, width, height)
    return [common | {"image_rotation": 0} | part for part in parts if text is not None or part["type"] != "textarea"]


def _parts(piece: _Piece, target: Target, width: int, height: int) -> Iterator[dict[str, Any]]:
    group = target.group_of(piece.label)
    shape = _shape(piece, group, width, height)
    labels = [piece.label] if piece.label is not None else []
    if group.kind == "labels":
        yield {"from_name": group.shape, "type": group.outline, "value": shape}
    if group.label is not None and (labels or group.kind != "labels"):
        # Controls that draw and label at once have no other way to say "no label": Label Studio's validation refuses
        # such a value without its list of labels, and its editor shows an empty list as a region without label.
        yield {"from_name": group.label, "type": group.kind, "value": shape | {group.kind: labels}}
    if (control := target.text_of(piece.label)) is not None:
        yield {"from_name": control, "type": "textarea", "value": shape | {"text": [piece.text]}}


def _shape(piece: _Piece, group: Group, width: int, height: int) -> dict[str, Any]:
    if group.outline == "rectangle":
        return dict(geometry.frame_to_percent(geometry.clip_frame(piece.frame, width, height), width, height))
    points = geometry.clip_polygon(piece.polygon, width, height)
    return {"points": geometry.polygon_to_percent(points, width, height), "closed": True}


def _pieces(document: Document, target: Target) -> Iterator[_Piece]:
    """Cut every line where a labelled entity begins or ends."""
    entities, plain = document.entities, plain_text_label(target.labels)
    labels = match_labels(dict.fromkeys(entity.field for entity in entities), target.labels)
    for line, (start, stop) in zip(document.page.lines, document.page.line_spans(), strict=True):
        frame = geometry.frame_of_polygon(line.polygon)
        at = start
        for entity in entities:
            if entity.field not in labels or not start <= entity.start < stop:
                continue
            if at < entity.start:
                yield _piece(line, frame, line.words[at - start : entity.start - start], plain, 1.0)
            words = line.words[entity.start - start : entity.stop - start]
            yield _piece(line, frame, words, labels[entity.field], entity.score, entity.text)
            at = entity.stop
        if at < stop:
            yield _piece(line, frame, line.words[at - start :], plain, 1.0)


def _piece(
    line: Line, frame: Frame, words: tuple[Word, ...], label: str | None, score: float, text: str | None = None
) -> _Piece:
    """Describe a run of words; its score is the chance that its label and its worst word are both right.

    Without a ``text`` of its own, such as the value of an entity, it says what its words say.
    """
    score *= min(word.score for word in words)
    if len(words) == len(line.words):
        return _Piece(label, text or line.text, score, frame, line.polygon)
    part = geometry.part_of_frame(frame, [word.box for word in words])
    return _Piece(label, text or " ".join(word.text for word in words), score, part, part.polygon)
