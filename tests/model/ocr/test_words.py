import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.ocr.ink import gaps_around
from model.ocr.words import Span, place_words, split_line

BLANK = np.full((40, 400, 3), 255, np.uint8)
LEVEL = ((0.0, 0.0), (100.0, 0.0), (100.0, 20.0), (0.0, 20.0))


def strip(bars, *, width=400, height=40, paper=255, ink=0):
    """A crop with one upright bar for each (left, right) pair of columns, as tall as letters are."""
    image = np.full((height, width, 3), paper, np.uint8)
    for left, right in bars:
        image[8:32, left:right] = ink
    return image


def middles(bars, width=400):
    return [(left + right) / 2 / width for left, right in bars]


@st.composite
def lines_and_places(draw):
    """A line of words and the middles of its characters, ascending within it."""
    words = draw(st.lists(st.text("abÄж中.@-", min_size=1, max_size=6), min_size=1, max_size=6))
    spaces = st.text(" \u3000\t", min_size=1, max_size=3)
    text = draw(st.sampled_from(["", " "])) + words[0] + "".join(draw(spaces) + word for word in words[1:])
    count = sum(map(len, words))
    places = draw(
        st.lists(st.integers(1, 999), min_size=count, max_size=count, unique=True).map(sorted),
    )
    return words, text, [place / 1000 for place in places]


@given(lines_and_places(), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_words_keep_their_characters_order_and_place_whatever_the_print(line, seed):
    words, text, places = line
    noise = np.random.default_rng(seed).integers(0, 256, (20, 90, 3), np.uint8)
    for crop in (BLANK, noise, np.where(noise > 200, noise, 255).astype(np.uint8)):
        spans = split_line(text, places, crop)
        assert "".join(span.text for span in spans) == unicodedata.normalize("NFC", "".join(words))
        assert all(0 <= span.start < span.stop <= 1 for span in spans)
        assert all(left.stop <= right.start for left, right in pairwise(spans))
        assert len(spans) >= len(words)


@given(lines_and_places())
@settings(deadline=None)
def test_a_blank_crop_parts_nothing_but_at_the_white_space_that_was_read(line):
    words, text, places = line
    assert [span.text for span in split_line(text, places, BLANK)] == words


@pytest.mark.parametrize("text", ["", " ", "\u3000\t"])
def test_a_blank_line_has_no_words(text):
    assert split_line(text, (), BLANK) == ()


def test_words_end_where_their_ink_ends():
    bars = [(10, 30), (36, 60), (100, 130), (136, 150)]
    spans = split_line("ab cd", middles(bars), strip(bars))
    assert [(span.text, span.start * 400, span.stop * 400) for span in spans] == [("ab", 10, 60), ("cd", 100, 150)]


def test_dark_paper_is_no_different():
    bars = [(10, 30), (36, 60), (100, 130), (136, 150)]
    dark = strip(bars, paper=30, ink=220)
    assert split_line("ab cd", middles(bars), dark) == split_line("ab cd", middles(bars), strip(bars))


def test_a_centre_beside_a_narrow_sign_does_not_move_the_ink():
    bars = [(10, 30), (36, 40), (100, 130)]
    places = [20 / 400, 47 / 400, 115 / 400]
    spans = split_line("a. b", places, strip(bars))
    assert [(span.start * 400, span.stop * 400) for span in spans] == [(10, 40), (100, 130)]


def test_a_gap_belongs_to_the_two_characters_between_which_most_of_it_lies():
    bars = [(10, 30), (36, 40), (100, 130)]
    # The recogniser saw the narrow sign in the gap behind it.
    places = [20 / 400, 60 / 400, 115 / 400]
    _, narrow, wide, _ = gaps_around(strip(bars), places)
    assert (narrow.start * 400, narrow.stop * 400) == (30, 36)
    assert (wide.start * 400, wide.stop * 400) == (40, 100)


def test_without_ink_to_see_words_reach_half_a_character_beyond_the_outer_centres():
    uneven = np.random.default_rng(1).integers(0, 256, BLANK.shape, np.uint8)
    spans = split_line("ab cd", (0.2, 0.3, 0.6, 0.7), uneven)
    assert [(span.start, span.stop) for span in spans] == [
        (pytest.approx(0.15), pytest.approx(0.35)),
        (pytest.approx(0.55), pytest.approx(0.75)),
    ]


def test_without_ink_to_see_words_never_pass_the_middle_between_them():
    uneven = np.random.default_rng(1).integers(0, 256, BLANK.shape, np.uint8)
    left, right = split_line("ab cd", (0.1, 0.4, 0.5, 0.8), uneven)
    assert left.stop == right.start == pytest.approx(0.45)


@pytest.mark.parametrize("places", [(), (0.5,), (0.1, 0.2, 0.3, 0.3), (0.1, 0.3, 0.2, 0.4), (0.0, 0.1, 0.2, 0.3)])
def test_without_usable_places_the_line_is_divided_in_proportion(places):
    assert split_line("ab cd", places, BLANK) == (Span("ab", 0.0, 0.4), Span("cd", 0.6, 1.0))


def test_a_gap_as_wide_as_a_space_parts_words():
    bars = [(10, 30), (36, 60), (100, 130), (136, 150)]
    assert [span.text for span in split_line("abcd", middles(bars), strip(bars))] == ["ab", "cd"]


def test_a_gap_narrower_than_a_space_parts_nothing():
    bars = [(10, 30), (36, 60), (72, 100), (106, 130)]
    assert [span.text for span in split_line("abcd", middles(bars), strip(bars))] == ["abcd"]


def test_spaced_out_capitals_are_one_word():
    bars = [(10 + 50 * number, 36 + 50 * number) for number in range(6)]
    assert [span.text for span in split_line("CENTRE", middles(bars), strip(bars))] == ["CENTRE"]


def test_wide_gaps_around_full_width_signs_part_nothing():
    bars = [(10, 40), (44, 74), (120, 150), (154, 184)]
    assert [span.text for span in split_line("中，文字", middles(bars), strip(bars))] == ["中，文字"]


def test_characters_are_composed():
    (span,) = split_line("Mu\u0308ller", (), BLANK)
    assert span.text == "Müller"


def test_words_get_the_part_of_the_line_that_is_theirs():
    words = place_words((Span("ab", 0.0, 0.4), Span("cd", 0.6, 1.0)), LEVEL, 0.9)
    assert [(word.text, word.box.x0, word.box.x1, word.box.y0, word.box.y1, word.score) for word in words] == [
        ("ab", 0, 40, 0, 20, 0.9),
        ("cd", 60, 100, 0, 20, 0.9),
    ]


def test_words_of_a_tilted_line_get_the_hull_of_their_part():
    tilted = ((0.0, 50.0), (100.0, 0.0), (110.0, 20.0), (10.0, 70.0))
    first, second = place_words((Span("a", 0.0, 0.5), Span("b", 0.5, 1.0)), tilted, 1.0)
    assert (first.box.x0, first.box.y0, first.box.x1, first.box.y1) == (0, 25, 60, 70)
    assert (second.box.x0, second.box.y0, second.box.x1, second.box.y1) == (50, 0, 110, 45)


def test_words_of_a_line_that_runs_downwards_follow_it():
    downwards = ((20.0, 0.0), (20.0, 100.0), (0.0, 100.0), (0.0, 0.0))
    first, second = place_words((Span("a", 0.0, 0.5), Span("b", 0.5, 1.0)), downwards, 1.0)
    assert (first.box.y0, first.box.y1, second.box.y0, second.box.y1) == (0, 50, 50, 100)


def test_gaps_are_where_no_ink_is():
    bars = [(10, 30), (40, 60)]
    before, between, after = gaps_around(strip(bars), middles(bars))
    assert (before.start, before.stop * 400) == (0, 10)
    assert (between.start * 400, between.stop * 400) == (30, 40)
    assert (after.start * 400, after.stop) == (60, 1)
    assert between.width * 400 == pytest.approx(10)


def test_letters_that_touch_and_ink_at_the_edges_leave_no_gap():
    assert gaps_around(strip([(0, 400)]), (0.2, 0.6)) == (None, None, None)


def test_rules_along_the_upper_and_lower_edge_do_not_hide_the_gaps():
    bars = [(10, 30), (40, 60)]
    ruled = strip(bars)
    ruled[:3] = 0
    ruled[-3:] = 0
    assert gaps_around(ruled, middles(bars)) == gaps_around(strip(bars), middles(bars))


def test_faint_print_and_blank_crops_show_no_gaps():
    assert gaps_around(strip([(10, 30)], ink=250), (0.05,)) == (None, None)
    assert gaps_around(BLANK, (0.3, 0.5)) == (None, None, None)
