"""What outlines share."""

import pytest

from ml_backend.label_studio.outlines import covered, iou, pairs_by_iou, shape_of, shape_of_box
from model.document.types import Box

SQUARE = shape_of_box(Box(0, 0, 10, 10))


def test_equal_outlines_share_everything_and_distant_ones_nothing() -> None:
    assert iou(SQUARE, shape_of(Box(0, 0, 10, 10).polygon())) == 1
    assert iou(SQUARE, shape_of_box(Box(20, 20, 30, 30))) == 0


def test_intersection_over_union_is_that_of_boxes() -> None:
    first, second = Box(0, 0, 10, 10), Box(5, 2, 17, 9)
    assert iou(shape_of_box(first), shape_of_box(second)) == pytest.approx(first.iou(second))


def test_a_shape_is_covered_by_the_share_that_lies_inside() -> None:
    assert covered(shape_of_box(Box(5, 0, 15, 10)), SQUARE) == pytest.approx(0.5)
    assert covered(SQUARE, shape_of_box(Box(-5, -5, 50, 50))) == 1


def test_an_outline_that_crosses_itself_still_has_an_area() -> None:
    crossing = shape_of(((0, 0), (10, 10), (10, 0), (0, 10)))
    assert crossing.is_valid
    assert crossing.area == pytest.approx(50)


def test_those_that_share_most_are_paired_first_and_once() -> None:
    first = [shape_of_box(Box(0, 0, 10, 10)), shape_of_box(Box(2, 0, 12, 10))]
    second = [shape_of_box(Box(2, 0, 12, 10)), shape_of_box(Box(90, 90, 95, 95))]
    assert pairs_by_iou(first, second, least=0.5) == [(1, 0, 1.0)]
    pairs = pairs_by_iou(first, [second[0], first[0]], least=0.5)
    assert [(i, j) for i, j, _ in pairs] == [(0, 1), (1, 0)]
