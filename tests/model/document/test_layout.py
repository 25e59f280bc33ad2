from hypothesis import given
from hypothesis import strategies as st

from model.document.layout import in_reading_order, reading_directions
from model.document.types import Box, Line, Word


def line(x, y, *, width=100, height=20, text="a"):
    box = Box(x, y, x + width, y + height)
    return Line(text, box.polygon(), 1.0, (Word(text, box, 1.0),))


def order(*lines):
    return [line.text for line in in_reading_order(lines)]


def test_rows_come_from_the_top_and_a_row_from_the_left():
    assert order(line(0, 100, text="c"), line(300, 0, text="b"), line(0, 0, text="a")) == ["a", "b", "c"]


def test_a_row_may_be_tilted_a_little():
    assert order(line(0, 9, text="a"), line(200, 4, text="b"), line(400, 0, text="c")) == ["a", "b", "c"]


def test_lines_close_below_each_other_stay_rows_of_their_own():
    assert order(line(50, 0, text="a"), line(0, 14, text="b"), line(20, 28, text="c")) == ["a", "b", "c"]


def test_a_tall_line_does_not_draw_small_ones_above_each_other_into_its_row():
    tall = line(0, 0, height=80, text="T")
    assert order(tall, line(200, 5, text="a"), line(200, 35, text="b"), line(200, 60, text="c")).index("a") == 0
    assert order(tall, line(200, 5, text="a"), line(200, 60, text="c"))[-1] == "c"


def test_a_long_slope_does_not_pull_everything_into_one_row():
    stairs = [line(100 * number, 8 * number, text=str(number)) for number in range(9)]
    assert order(*stairs) == [str(number) for number in range(9)]
    assert order(*stairs, line(0, 60, text="below")).index("below") > 5


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(5, 60)), max_size=12), st.randoms())
def test_the_order_depends_on_the_places_alone(places, random):
    lines = [line(x, y, height=height, text=f"{x} {y} {height}") for x, y, height in places]
    shuffled = random.sample(lines, len(lines))
    assert order(*shuffled) == order(*lines)
    assert sorted(order(*lines)) == sorted(member.text for member in lines)


def test_a_wide_outline_starts_at_its_upper_left():
    wide = Box(0, 0, 100, 20).polygon()
    assert reading_directions(wide) == (wide,)


def test_a_tall_outline_runs_downwards_or_upwards_and_stays_clockwise():
    downwards, upwards = reading_directions(Box(0, 0, 20, 100).polygon())
    assert downwards == ((20, 0), (20, 100), (0, 100), (0, 0))
    assert upwards == ((0, 100), (0, 0), (20, 0), (20, 100))


def test_a_tall_outline_may_also_be_an_upright_sign_if_it_is_not_too_tall():
    sign = Box(0, 0, 20, 50).polygon()
    assert reading_directions(sign)[2] == sign


def test_a_single_letter_is_not_tall_enough_to_run_downwards():
    letter = Box(0, 0, 20, 28).polygon()
    assert reading_directions(letter) == (letter,)
