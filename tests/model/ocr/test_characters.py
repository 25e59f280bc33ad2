import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.ocr.characters import character_centres


def test_each_character_stands_in_the_middle_of_its_column():
    assert character_centres([["a", "b"], ["c"]], [[0, 4], [9]], 10) == pytest.approx((0.05, 0.45, 0.95))


def test_white_space_has_no_place():
    assert character_centres([[",", " ", "\u3000", "b"]], [[0, 1, 2, 3]], 4) == pytest.approx((0.125, 0.875))


def test_what_was_found_in_the_padding_stays_at_the_end_of_the_line():
    assert character_centres([["a", "b"]], [[1, 9]], 5.5) == pytest.approx((1.5 / 5.5, 1))


@pytest.mark.parametrize(("groups", "columns", "length"), [([["a", "b"]], [[1]], 5), ([["a"]], [[1]], 0), ([], [], 5)])
def test_an_inconsistent_report_gives_no_places(groups, columns, length):
    assert character_centres(groups, columns, length) == ()


@given(st.lists(st.sets(st.integers(0, 79), min_size=1), max_size=4), st.floats(1, 80))
def test_places_lie_within_the_line_in_the_order_of_the_columns(groups, length):
    columns, start = [], 0
    for group in groups:
        columns.append(sorted(start + column for column in group))
        start += 80
    centres = character_centres([["x"] * len(group) for group in columns], columns, length)
    assert len(centres) == sum(map(len, groups))
    assert all(0 <= centre <= 1 for centre in centres)
    assert list(centres) == sorted(centres)
