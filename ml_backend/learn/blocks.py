"""Blocks of text as applications know them, and what was changed between two readings of an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ml_backend.errors import RequestError
from ml_backend.label_studio.convert import to_parts
from ml_backend.label_studio.label_config import Target
from ml_backend.label_studio.outlines import TooComplexError
from ml_backend.label_studio.regions import Region
from ml_backend.learn.annotation_diff import diff_regions
from ml_backend.store.records import Correction
from model.document.types import Box


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A piece of text on an image.

    Attributes:
        id: The application's name of it; the same block has the same name before and after.
        text: What it says.
        box: Where, in pixels of the upright image.
        field: Its field; ``None`` for text of no field.
        page: Which page of the document it is on, from 1.
        numbered: Whether the application writes its name as a number.
        sized: Whether it writes the box as a corner with width and height.
    """

    id: str
    text: str
    box: Box
    field: str | None = None
    page: int = 1
    numbered: bool = False
    sized: bool = False

    @property
    def sent_id(self) -> int | str:
        """Its name as the application writes it."""
        return int(self.id) if self.numbered else self.id

    def record(self) -> dict[str, Any]:
        """Return the block as JSON, as the application writes it."""
        edges = self.box.x0, self.box.y0, self.box.x1, self.box.y1
        bbox = box_with_size(edges) if self.sized else list(edges)
        return {"block_id": self.sent_id, "text": self.text, "bbox": bbox, "field": self.field, "page": self.page}

    @staticmethod
    def of_record(record: Mapping[str, Any]) -> TextBlock:
        """Return the block that :meth:`record` has described."""
        # Older ones do not say: they are of one page.
        page, name, bbox = record.get("page", 1), record["block_id"], record["bbox"]
        sized = isinstance(bbox, Mapping)
        edges = (bbox["x"], bbox["y"], bbox["x"] + bbox["width"], bbox["y"] + bbox["height"]) if sized else bbox
        numbered = isinstance(name, int)
        return TextBlock(str(name), record["text"], Box(*edges), record["field"], page, numbered=numbered, sized=sized)


def box_with_size(edges: Sequence[float]) -> dict[str, float]:
    """Return a box as a corner with width and height.

    Args:
        edges: Left, top, right, bottom in pixels.
    """
    x0, y0, x1, y1 = edges
    # Rounded, so that what was sent as a width comes back as the same number.
    return {"x": x0, "y": y0, "width": round(x1 - x0, 6), "height": round(y1 - y0, 6)}


def compare(original: Iterable[TextBlock], corrected: Iterable[TextBlock]) -> tuple[Correction, ...]:
    """Return what was changed, block by block.

    Blocks are the same if they have the same name, else if they cover about the same place: see
    :func:`ml_backend.learn.annotation_diff.diff_regions`. Fields that differ in case alone are the same.

    Raises:
        RequestError: If too many blocks lie on one another to be compared.
    """
    original = list(original)
    spelt = {block.field.casefold(): block.field for block in original if block.field is not None}
    same = [
        replace(block, field=None if block.field is None else spelt.get(block.field.casefold(), block.field))
        for block in corrected
    ]
    try:
        return diff_regions([_region(block) for block in original], [_region(block) for block in same])
    except TooComplexError as error:
        raise RequestError(
            "Too many blocks lie on one another to be compared.", "Give blocks that are the same the same block_id."
        ) from error


def to_result(
    blocks: Sequence[TextBlock], target: Target, sizes: Mapping[int, tuple[int, int]]
) -> list[dict[str, Any]]:
    """Return blocks as Label Studio stores regions; a block outside its image is left out.

    Args:
        blocks: In pixels of their images.
        target: Where they go.
        sizes: Width and height, in pixels, of each page that has blocks.
    """
    parts: list[dict[str, Any]] = []
    for index, block in enumerate(blocks):
        box, (width, height) = block.box, sizes[block.page]
        if box.x0 >= width or box.y0 >= height or box.x1 <= 0 or box.y1 <= 0:
            continue
        name = block.id or f"block-{index}"
        parts += to_parts(
            block.field,
            block.text,
            box.polygon(),
            target,
            region_id=name,
            width=width,
            height=height,
            item_index=block.page - 1,
        )
    return parts


def _region(block: TextBlock) -> Region:
    # Only what is compared matters: name, text, field and outline.
    return Region(block.id, "image", block.box.polygon(), 0.0, block.field, block.text, 1, 1, block.page - 1)
