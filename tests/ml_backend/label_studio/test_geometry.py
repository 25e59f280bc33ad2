"""Pixels, per cents and rotation."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.label_studio.geometry import (
    Frame,
    clip_frame,
    clip_polygon,
    frame_from_percent,
    frame_of_polygon,
    frame_to_percent,
    part_of_frame,
    polygon_area,
    polygon_from_percent,
    polygon_to_percent,
)
from model.document.types import Box

SIDES = st.floats(2, 3000)
PLACES = st.floats(-500, 5000)
FRAMES = st.builds(Frame, PLACES, PLACES, SIDES, SIDES, st.floats(0, 360, exclude_max=True))
IMAGES = st.tuples(st.integers(1, 20_000), st.integers(1, 20_000))


def test_rotation_is_clockwise_about_the_top_left_corner():
    corners = Frame(100, 100, 40, 10, 90).polygon

    assert corners == ((100, 100), (100, 140), (90, 140), (90, 100))


@given(FRAMES, IMAGES)
def test_a_frame_survives_the_way_through_per_cents(frame, image):
    value = frame_to_percent(frame, *image)

    back = frame_from_percent(value["x"], value["y"], value["width"], value["height"], value["rotation"], *image)

    for found, expected in zip(back.polygon, frame.polygon, strict=True):
        assert math.dist(found, expected) < 0.01


@given(st.lists(st.tuples(PLACES, PLACES), min_size=3, max_size=12), IMAGES)
def test_a_polygon_survives_the_way_through_per_cents(polygon, image):
    back = polygon_from_percent(polygon_to_percent(tuple(polygon), *image), *image)

    assert all(math.dist(found, expected) < 0.01 for found, expected in zip(back, polygon, strict=True))


def test_per_cents_are_of_the_image_even_for_a_rotated_frame():
    value = frame_to_percent(Frame(50, 20, 100, 10, 90), 200, 100)

    assert value == {"x": 25.0, "y": 20.0, "width": 50.0, "height": 10.0, "rotation": 90.0}


def test_a_rotation_of_almost_a_full_turn_stays_below_it():
    assert frame_to_percent(Frame(0, 0, 1, 1, 359.9999999), 10, 10)["rotation"] == 0


@given(FRAMES.filter(lambda frame: 1.1 < frame.rotation % 90 < 88.9 and abs(frame.width - frame.height) > 0.5))
def test_the_frame_of_a_frames_outline_is_that_frame(frame):
    found = frame_of_polygon(frame.polygon)

    assert found.rotation == pytest.approx(frame.rotation, abs=1e-3)
    for corner, expected in zip(found.polygon, frame.polygon, strict=True):
        assert math.dist(corner, expected) < 0.05


@pytest.mark.parametrize("quarter", [0, 90, 180, 270])
@pytest.mark.parametrize("slant", [-0.9, 0, 0.9])
def test_what_is_almost_square_to_the_page_is_set_upright(quarter, slant):
    outline = Frame(300, 300, 200, 30, (quarter + slant) % 360).polygon

    frame = frame_of_polygon(outline)

    assert frame.rotation == quarter
    around, box = Box.of_polygon(frame.polygon), Box.of_polygon(outline)
    assert (around.x0, around.y0, around.x1, around.y1) == pytest.approx((box.x0, box.y0, box.x1, box.y1))


def test_an_uneven_outline_gets_the_smallest_frame_around_it():
    outline = ((10.0, 20.0), (200.0, 90.0), (195.0, 125.0), (100.0, 85.0), (0.0, 50.0))

    frame = frame_of_polygon(outline)

    assert 15 < frame.rotation < 25
    cosine, sine = math.cos(math.radians(frame.rotation)), math.sin(math.radians(frame.rotation))
    for x, y in outline:
        along = (x - frame.x) * cosine + (y - frame.y) * sine
        across = -(x - frame.x) * sine + (y - frame.y) * cosine
        assert -1e-6 <= along <= frame.width + 1e-6
        assert -1e-6 <= across <= frame.height + 1e-6
    assert polygon_area(frame.polygon) < Box.of_polygon(outline).area / 1.5


def test_a_flat_outline_gets_a_frame_that_can_still_be_selected():
    frame = frame_of_polygon(((10.0, 10.0), (60.0, 10.0), (60.0, 10.0), (10.0, 10.0)))

    assert (frame.width, frame.height) == (50, 1)


def test_a_point_has_no_frame():
    with pytest.raises(ValueError, match="extent"):
        frame_of_polygon(((1.0, 1.0), (1.0, 1.0), (1.0, 1.0)))


@pytest.mark.parametrize("angle", [30, 45, 60, 120, 200, 300, 330])
def test_a_part_of_a_slanted_line_fills_its_words_and_no_more(angle):
    line = Frame(500, 500, 200, 20, angle)
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    true = Frame(500 + 80 * cosine, 500 + 80 * sine, 70, 20, angle)

    part = part_of_frame(line, [Box.of_polygon(true.polygon)])

    for corner, expected in zip(part.polygon, true.polygon, strict=True):
        assert math.dist(corner, expected) < 1e-6


def test_boxes_that_are_too_small_for_the_slant_still_give_a_part_inside_the_line():
    line = Frame(0, 0, 200, 30, 40)

    part = part_of_frame(line, [Box(500, 500, 501, 501)])

    assert part.width > 0
    assert part.height == 30
    assert Box.of_polygon(line.polygon).overlap(Box.of_polygon(part.polygon)) > 0


@given(FRAMES, IMAGES)
def test_a_cut_frame_is_on_the_page(frame, image):
    cut = clip_frame(Frame(frame.x, frame.y, frame.width, frame.height), *image)

    assert 0 <= cut.x < cut.x + cut.width <= image[0] + 1e-6
    assert 0 <= cut.y < cut.y + cut.height <= image[1] + 1e-6


def test_a_rotated_frame_is_not_cut():
    frame = Frame(-5, 5, 20, 10, 30)

    assert clip_frame(frame, 10, 10) is frame


def test_a_cut_polygon_is_on_the_page():
    assert clip_polygon(((-1, -1), (11, 5), (5, 21)), 10, 20) == ((0, 0), (10, 5), (5, 20))


@pytest.mark.parametrize("numbers", [(0, 0, 0, 1), (0, 0, 1, -1), (math.nan, 0, 1, 1), (0, 0, math.inf, 1)])
def test_a_frame_without_an_extent_cannot_be_built(numbers):
    with pytest.raises(ValueError, match="finite"):
        Frame(*numbers)
