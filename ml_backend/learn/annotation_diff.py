"""What a person changed: the differences between an annotation and the prediction that it started from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ml_backend.label_studio.label_config import LabelConfig, PageId
from ml_backend.label_studio.outlines import MAX_POINTS, Budget, iou, pairs_by_iou, shape_of
from ml_backend.label_studio.regions import Region, read_result, sizes_of
from ml_backend.store.records import Correction, CorrectionKind
from model.document.types import Box

#: Below this a region counts as moved: an editor rounds, and a hand that clicks a region may shift it by a pixel.
SAME_PLACE = 0.9
#: From this on two regions with different ids are taken for the same: one was deleted and drawn again.
SAME_REGION = 0.5


def diff(
    prediction: Iterable[Mapping[str, Any]], annotation: Iterable[Mapping[str, Any]], config: LabelConfig
) -> tuple[Correction, ...]:
    """Return what was changed, region by region.

    Regions are the same if they have the same id, else if they cover about the same place on the same image. One region
    may bring several corrections: another text, another field, another place. Texts that differ in white space alone
    are the same. How many corrections there are is the annotation's correction cost.

    A line without a field that was deleted is no correction: it was read, and the person does not want it. Where the
    project has no labels every line is wanted.

    Args:
        prediction: The ``result`` of the prediction.
        annotation: The ``result`` of the annotation.
        config: The project's labelling configuration, with the task's own labels.

    Returns:
        In the order of the annotation's regions; what was deleted comes last.

    Raises:
        TooComplexError: If its regions cannot be compared in a bounded time.
    """
    before = read_result(prediction, config).regions
    found = diff_regions(before, read_result(annotation, config, sizes_of(before)).regions)
    if not config.labels:
        return found
    return tuple(each for each in found if each.kind != "deleted" or each.field_before is not None)


def diff_regions(before: Sequence[Region], after: Sequence[Region]) -> tuple[Correction, ...]:
    """Return what was changed between two lists of regions; see :func:`diff`."""
    budget = Budget()
    origin = _origins(before, after, budget)
    corrections: list[Correction] = []
    for region in after:
        first = origin.get(region.id)
        corrections += [_whole(region, added=True)] if first is None else _changes(first, region, budget)
    kept = {region.id for region in origin.values()}
    return (*corrections, *(_whole(region, added=False) for region in before if region.id not in kept))


def _origins(before: Iterable[Region], after: Iterable[Region], budget: Budget) -> dict[str, Region]:
    """Return the predicted region that each annotated one was, by its id; those that were added are missing."""
    predicted = {region.id: region for region in before}
    origins = {
        region.id: predicted.pop(region.id)
        for region in after
        if region.id in predicted and _side(predicted[region.id]) == _side(region)
    }
    for side in dict.fromkeys(_side(region) for region in predicted.values()):
        left = [region for region in predicted.values() if _side(region) == side]
        new = [region for region in after if region.id not in origins and _side(region) == side]
        shapes = [shape_of(region.polygon) for region in left], [shape_of(region.polygon) for region in new]
        origins |= {new[j].id: left[i] for i, j, _ in pairs_by_iou(*shapes, least=SAME_REGION, budget=budget)}
    return origins


def _changes(before: Region, after: Region, budget: Budget) -> Iterator[Correction]:
    if _plain(before.text) != _plain(after.text):
        yield _correction("text", before, after)
    if before.label != after.label:
        yield _correction("field", before, after)
    if before.polygon == after.polygon:
        return
    budget.spend(min(len(before.polygon), MAX_POINTS) * min(len(after.polygon), MAX_POINTS))
    if iou(shape_of(before.polygon), shape_of(after.polygon)) < SAME_PLACE:
        yield _correction("moved", before, after)


def _whole(region: Region, *, added: bool) -> Correction:
    return _correction("added", None, region) if added else _correction("deleted", region, None)


def _correction(kind: CorrectionKind, before: Region | None, after: Region | None) -> Correction:
    region = after or before
    assert region is not None
    box = Box.of_polygon(region.polygon)
    return Correction(
        kind=kind,
        region_id=region.id,
        field_before=before.label if before else None,
        field_after=after.label if after else None,
        text_before=before.text if before else None,
        text_after=after.text if after else None,
        box=(box.x0, box.y0, box.x1, box.y1),
        item_index=region.item_index,
    )


def _side(region: Region) -> PageId:
    """Say which of a task's images a region is on."""
    return region.page


def _plain(text: str | None) -> str:
    return " ".join((text or "").split())
