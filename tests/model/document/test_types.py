import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from model.document.types import Box, Line, Page, Word

coordinates = st.floats(-1e6, 1e6)


@st.composite
def boxes(draw):
    x0, x1 = sorted((draw(coordinates), draw(coordinates)))
    y0, y1 = sorted((draw(coordinates), draw(coordinates)))
    # An area that underflows is no box that any page has.
    assume(x1 - x0 > 1e-3 and y1 - y0 > 1e-3)
    return Box(x0, y0, x1, y1)


@pytest.mark.parametrize(
    "corners",
    [
        (5, 0, 5, 10),
        (0, 5, 10, 5),
        (10, 0, 0, 10),
        (0, 10, 10, 0),
        (math.nan, 0, 1, 1),
        (0, 0, 1, math.nan),
        (0, math.nan, 1, 1),
        (-math.inf, 0, 1, 1),
        (0, -math.inf, 1, 1),
        (0, 0, math.inf, 1),
        (0, 0, 1, math.inf),
    ],
)
def test_an_empty_inverted_or_endless_box_cannot_be_built(corners):
    with pytest.raises(ValueError, match="box"):
        Box(*corners)


def test_a_box_knows_its_measures():
    box = Box(1, 2, 5, 10)
    assert (box.width, box.height, box.area, box.center) == (4, 8, 32, (3, 6))


@given(boxes())
def test_a_box_comes_back_from_its_polygon(box):
    assert Box.of_polygon(box.polygon()) == box


@given(boxes())
def test_a_box_covers_itself(box):
    assert box.iou(box) == pytest.approx(1)
    assert box.overlap(box) == pytest.approx(box.area)


@given(boxes(), boxes())
def test_overlap_is_symmetric_and_at_most_the_smaller_area(a, b):
    assert a.overlap(b) == b.overlap(a)
    assert 0 <= a.overlap(b) <= min(a.area, b.area) * (1 + 1e-9)
    assert 0 <= a.iou(b) <= 1 + 1e-9
    assert a.iou(b) == pytest.approx(b.iou(a))


@pytest.mark.parametrize("other", [Box(10, 0, 20, 10), Box(0, 10, 10, 20), Box(30, 30, 40, 40)])
def test_boxes_that_only_touch_do_not_overlap(other):
    assert Box(0, 0, 10, 10).overlap(other) == 0


@given(st.lists(boxes(), min_size=1, max_size=6))
def test_the_box_around_boxes_holds_each_and_nothing_more(members):
    around = Box.around(members)
    assert all(around.x0 <= b.x0 and around.y0 <= b.y0 and b.x1 <= around.x1 and b.y1 <= around.y1 for b in members)
    assert around.x0 in {b.x0 for b in members}
    assert around.y1 in {b.y1 for b in members}


def test_nothing_has_no_box():
    with pytest.raises(ValueError, match="no box"):
        Box.around([])
    with pytest.raises(ValueError, match="no box"):
        Box.of_polygon([])


def test_a_line_lies_in_the_box_of_its_polygon_and_a_page_indexes_all_words():
    one, two, three = (Word(text, Box(x, 0, x + 5, 5), 0.9) for text, x in (("a", 0), ("b", 10), ("c", 20)))
    upper = Line("a b", ((0, 1), (15, 0), (15, 5), (0, 6)), 0.9, (one, two))
    lower = Line("c", three.box.polygon(), 0.9, (three,))
    page = Page(30, 10, (upper, lower))
    assert upper.box == Box(0, 0, 15, 6)
    assert page.words == (one, two, three)
    assert page.line_spans() == ((0, 2), (2, 3))


def test_a_page_without_lines_has_no_words():
    assert Page(10, 10, ()).words == ()
    assert Page(10, 10, ()).line_spans() == ()


@given(boxes(), st.integers(-500, 500), st.integers(-500, 500))
def test_a_page_that_is_moved_and_moved_back_is_the_same(box, x, y):
    word = Word("a", Box(round(box.x0), round(box.y0), round(box.x1) + 1, round(box.y1) + 1), 0.5)
    page = Page(10, 20, (Line("a", word.box.polygon(), 0.5, (word,)),))
    moved = page.moved(x, y, width=100, height=200)
    assert (moved.width, moved.height) == (100, 200)
    assert moved.words[0].box.x0 == word.box.x0 + x
    assert moved.lines[0].polygon[2] == (word.box.x1 + x, word.box.y1 + y)
    assert moved.moved(-x, -y, width=10, height=20) == page


@given(boxes(), st.sampled_from([90, 180, 270, -90, 450]))
def test_a_page_that_is_turned_all_the_way_round_is_the_same(box, degrees):
    word = Word("a", Box(round(box.x0), round(box.y0), round(box.x1) + 1, round(box.y1) + 1), 0.5)
    page = Page(10, 20, (Line("a", word.box.polygon(), 0.5, (word,)),))
    turned = page.turned(degrees)
    assert (turned.width, turned.height) == ((20, 10) if degrees % 180 else (10, 20))
    assert turned.turn == -degrees % 360
    assert turned.upright() == page
    assert turned.turned(-degrees) == page


def test_a_page_is_turned_clockwise():
    corner = Box(0, 0, 2, 1)
    page = Page(10, 20, (Line("a", corner.polygon(), 0.5, (Word("a", corner, 0.5),)),)).turned(90)
    assert (page.width, page.height) == (20, 10)
    assert page.words[0].box == Box(19, 0, 20, 2)
    assert page.lines[0].polygon == ((20, 0), (20, 2), (19, 2), (19, 0))
    assert page.direction == ((20, 0), (20, 10), (0, 10), (0, 0))
    assert page.turned(90).direction == ((10, 20), (0, 20), (0, 0), (10, 0))
