"""Only what was misread is learned, and no more of it than does no harm elsewhere."""

from dataclasses import replace

import numpy as np
import pytest

from model.recognition.head import Head
from model.recognition.lines import FeatureLine
from model.recognition.weight_interpolation import misread_characters, settle

CHARACTERS = ("a", "b", "c", " ")


def seen(text: str) -> np.ndarray:
    """Features of a print on which each character shows as one number."""
    return 4 * np.eye(5, dtype=np.float32)[[1 + "abc ".index(character) for character in text]]


@pytest.fixture
def head() -> Head:
    """Reads each character as what it is, but "c", which it does not know, as "a"."""
    weights = np.eye(5, dtype=np.float32)
    weights[3, :4] = (0, 1.5, 0, 0)
    return Head(weights[:, [0, 1, 2, 4]], np.zeros(4, np.float32), ("a", "b", " "), "0" * 12)


def test_both_sides_of_what_is_misread_are_named(head: Head) -> None:
    lines = [FeatureLine(seen("abc"), "abc"), FeatureLine(seen("ab"), "ab")]
    assert head.read(seen("abc")).text == "aba"
    assert misread_characters(head, lines) == {"a", "c"}
    assert misread_characters(head, lines[1:]) == frozenset()


def test_all_is_taken_over_where_nothing_suffers(head: Head) -> None:
    start = head.widened("c")
    taught = replace(start, weights=np.eye(5, dtype=np.float32)[:, [0, 1, 2, 3, 4]])
    settled, share = settle(head, start, taught, [[FeatureLine(seen("abba"), "abba")]], 0.0)
    assert share == 1.0
    assert settled.read(seen("abc")).text == "abc"
    assert settled.characters == CHARACTERS


def test_known_characters_go_less_far_where_they_would_be_forgotten_and_new_ones_stay(head: Head) -> None:
    start = head.widened("c")
    weights = np.eye(5, dtype=np.float32)
    # What was learned of "a" takes the place of "b" as well.
    weights[2, 1] = 1.6
    taught = replace(start, weights=weights)
    assert taught.read(seen("abc")).text == "ac"
    guard = [FeatureLine(seen("ab"), "ab")] * 5
    settled, share = settle(head, start, taught, [guard], 0.0)
    assert share == 0.5
    assert settled.read(seen("ab")).text == "ab"
    assert np.array_equal(settled.weights[:, 3], taught.weights[:, 3])


def test_what_one_kind_of_lines_gains_makes_up_for_no_loss_on_another(head: Head) -> None:
    start = head.widened("c")
    weights = np.eye(5, dtype=np.float32)
    weights[2, 1] = 1.6
    taught = replace(start, weights=weights)
    gains, loses = [FeatureLine(seen("ca"), "ca")] * 50, [FeatureLine(seen("ab"), "ab")]
    assert settle(head, start, taught, [[*gains, *loses]], 0.0)[1] == 1.0
    assert settle(head, start, taught, [gains, loses], 0.0)[1] == 0.5


def test_where_the_new_characters_themselves_do_harm_the_gate_is_left_to_say_so(head: Head) -> None:
    start = head.widened("c")
    weights = np.eye(5, dtype=np.float32)
    weights[2, 3] = 9.0
    settled, share = settle(head, start, replace(start, weights=weights), [[FeatureLine(seen("ab"), "ab")]], 0.0)
    assert share == 0.0
    assert np.array_equal(settled.weights[:, :3], start.weights[:, :3])


def test_a_new_character_that_is_read_in_an_old_ones_place_has_to_lead(head: Head) -> None:
    start = head.widened("c")
    weights, bias = np.eye(5, dtype=np.float32), np.zeros(5, np.float32)
    # Half a nat ahead of "b" on a print of "b".
    weights[2, 3], bias[3] = 1.0, 0.5
    taught = replace(start, weights=weights, bias=bias)
    guard = [FeatureLine(seen("ab"), "ab")]
    assert taught.read(seen("ab")).text == "ac"
    settled, share = settle(head, start, taught, [guard], 0.0)
    assert share == 1.0
    assert settled.read(seen("ab")).text == "ab"
    assert settled.read(seen("c")).text == "c"
