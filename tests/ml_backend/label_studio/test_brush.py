"""Brush strokes: the box around what is painted, against the SDK's own encoder."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_studio_sdk.converter.brush import encode_rle

from ml_backend.label_studio.brush import painted_box
from model.document.types import Box


def encoded(mask: np.ndarray) -> list[int]:
    """Encode a mask of 0 and 255, a pixel each, as Label Studio stores it: four channels."""
    return list(encode_rle(np.repeat(mask.ravel(), 4).astype(np.uint8)))


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 40), st.integers(4, 30), st.data())
def test_the_box_is_that_of_the_painted_pixels(width: int, height: int, data: st.DataObject) -> None:
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    x1, y1 = data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height))
    mask = np.zeros((height, width), np.uint8)
    mask[y0:y1, x0:x1] = 255

    found = painted_box(encoded(mask), width, height)

    assert found is not None
    assert (found.y0, found.y1) == (y0, y1)
    # A run over the end of a row counts for the whole width.
    assert found.x0 in (0, x0)
    assert found.x1 in (width, x1)
    if x1 - x0 < width:
        assert found == Box(x0, y0, x1, y1)


def test_nothing_painted_has_no_box() -> None:
    assert painted_box(encoded(np.zeros((10, 10), np.uint8)), 10, 10) is None


def test_strokes_of_another_image_have_no_box() -> None:
    assert painted_box(encoded(np.full((10, 10), 255, np.uint8)), 11, 10) is None


@pytest.mark.parametrize("rle", [None, "abc", [], [1, 2], [999] * 20, ["1"] * 20, [0] * 300_000, {}])
def test_what_is_no_list_of_bytes_has_no_box(rle: object) -> None:
    assert painted_box(rle, 10, 10) is None


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 255), min_size=8, max_size=60), st.integers(1, 300), st.integers(1, 300))
def test_no_bytes_make_it_fail(rle: list[int], width: int, height: int) -> None:
    head = list((width * height * 4).to_bytes(4, "big"))

    painted_box(head + rle, width, height)
