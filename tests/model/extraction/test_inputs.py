import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.document.types import Box, Line, Page, Word
from model.extraction.inputs import NO_WORD, Encoder, grid_box, merge, pixel_values, word_shape
from tests.model.extraction.checkpoints import tiny_model

TOKENIZER = tiny_model()[1]


def page_of(texts):
    words = tuple(Word(text, Box(5 * i, 10, 5 * i + 4, 20), 1.0) for i, text in enumerate(texts))
    return (
        Page(1000, 100, (Line(" ".join(texts), Box(0, 10, 1000, 20).polygon(), 1.0, words),))
        if texts
        else Page(10, 10, ())
    )


def encoder(size=32, **options):
    return Encoder(TOKENIZER, opening=2, closing=3, size=size, shapes=True, **options)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("abcаб019@.", min_size=1, max_size=12), min_size=1, max_size=60), st.integers(8, 40))
def test_every_word_begins_in_some_window_and_no_window_is_too_long(texts, size):
    windows = encoder(size).encode(page_of(texts))
    seen = {int(word) for window in windows for word in window.words if word != NO_WORD}
    assert seen == set(range(len(texts)))
    assert all(len(window.input_ids) <= size for window in windows)
    assert all(window.input_ids[0] == 2 and window.input_ids[-1] == 3 for window in windows)
    assert all(window.boxes.min() >= 0 and window.boxes.max() <= 1000 for window in windows)


def test_a_page_without_words_needs_no_window():
    assert encoder().encode(page_of([])) == []


def test_boxes_are_placed_on_the_grid_of_a_thousand_and_clipped_to_the_page():
    page = Page(200, 100, ())
    assert grid_box(Word("a", Box(50, 25, 100, 50), 1), page) == (250, 250, 500, 500)
    assert grid_box(Word("a", Box(-5, -5, 300, 101), 1), page) == (0, 0, 1000, 1000)


def test_a_glued_word_is_tokenised_at_its_joints_but_stays_one_word():
    window = encoder().encode(page_of(["salesManager"]))[0]
    tokens = [TOKENIZER.id_to_token(i) for i in window.input_ids]
    assert "m" in tokens  # begins a token of its own, which "##m" would not
    assert (window.words != NO_WORD).sum() == 1


def test_a_word_that_the_tokenizer_drops_still_has_a_place():
    window = encoder().encode(page_of(["a", "\u200b", "b"]))[0]
    assert sorted(window.words[window.words != NO_WORD]) == [0, 1, 2]


def test_of_two_windows_the_one_with_more_context_decides():
    page = page_of(["a"] * 20)
    windows = encoder(size=12, stride=0.5).encode(page)
    rows = [np.full((len(window.input_ids), 1), float(number)) for number, window in enumerate(windows)]
    merged = merge(windows, rows, 20)[:, 0]
    assert len(windows) == 3
    assert list(merged) == sorted(merged)
    assert merged[0] == 0
    assert merged[-1] == 2


@pytest.mark.parametrize(
    ("text", "shape"),
    [("&", 0), ("sales", 1), ("Ann", 2), ("ANN", 3), ("K.", 4), ("McKay", 5), ("B2B", 6), ("+49", 7), ("Анна", 2)],
)
def test_the_shape_of_a_word_tells_what_lower_case_hides(text, shape):
    assert word_shape(text) == shape


def test_the_image_becomes_a_square_of_values_around_zero():
    image = np.zeros((30, 60, 3), dtype=np.uint8)
    image[:, 30:] = 255
    values = pixel_values(image, 32)
    assert values.shape == (3, 32, 32)
    assert values[0, 0, 0] == -1
    assert values[0, 0, -1] == 1
