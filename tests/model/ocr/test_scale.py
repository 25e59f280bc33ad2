import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.ocr.scale import LONG_SIDE, SHORT_SIDE, STRIDE, back_to_page, resized, scale_at_once


def at_once(image):
    return resized(image, scale_at_once(image.shape[1], image.shape[0]))


def page(width, height):
    return np.zeros((height, width, 3), np.uint8)


@given(st.integers(1, 3000), st.integers(1, 3000))
@settings(deadline=None, max_examples=40)
def test_whatever_the_page_the_detector_gets_a_size_that_it_can_take(width, height):
    scaled = at_once(page(width, height))
    assert scaled.shape[0] % STRIDE == scaled.shape[1] % STRIDE == 0
    assert min(scaled.shape[:2]) >= STRIDE
    assert max(scaled.shape[:2]) <= LONG_SIDE


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(1050, 600, (1280, 736)), (400, 1, (1600, 32)), (3200, 1600, (1600, 800)), (1056, 800, (1056, 800))],
)
def test_small_pages_are_enlarged_and_large_ones_reduced(width, height, expected):
    scaled = at_once(page(width, height))
    assert abs(scaled.shape[1] - expected[0]) <= STRIDE
    assert abs(scaled.shape[0] - expected[1]) <= STRIDE


def test_a_page_of_fitting_size_is_not_copied():
    image = page(1024, SHORT_SIDE)
    assert at_once(image) is image


@given(st.integers(20, 2000), st.integers(20, 2000), st.floats(0, 0.4), st.floats(0.6, 1))
@settings(deadline=None, max_examples=40)
def test_what_is_found_on_the_scaled_page_is_brought_back(width, height, low, high):
    image = page(width, height)
    scaled = at_once(image)
    x0, x1 = low * scaled.shape[1], high * scaled.shape[1]
    y0, y1 = low * scaled.shape[0], high * scaled.shape[0]
    found = back_to_page(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), scaled, image)
    expected = (low * width, low * height, high * width, high * height)
    assert found is not None
    assert (*found[0], *found[2]) == pytest.approx(expected, abs=1e-6)


def test_what_reaches_over_the_edge_is_cut_off_and_what_lies_outside_is_dropped():
    image = page(1024, 736)
    assert back_to_page(((-9, -9), (50, -9), (50, 20), (-9, 20)), image, image) == ((0, 0), (50, 0), (50, 20), (0, 20))
    assert back_to_page(((-9, 10), (-2, 10), (-2, 20), (-9, 20)), image, image) is None
