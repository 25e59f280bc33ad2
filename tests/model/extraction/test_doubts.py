import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from model.document.types import Box, Entity, Line, Page, Word
from model.extraction.doubts import doubts_of, dropped_passes, no_doubts

TAGS = ("O", "B-NAME", "I-NAME", "B-EMAIL", "I-EMAIL")


def page_of(*texts: str) -> Page:
    words = tuple(Word(text, Box(20 * i, 0, 20 * i + 10, 10), 1.0) for i, text in enumerate(texts))
    return Page(500, 50, (Line(" ".join(texts), Box(0, 0, 400, 10).polygon(), 1.0, words),))


def sure(*columns: int, probability: float = 0.96) -> np.ndarray:
    rest = (1 - probability) / (len(TAGS) - 1)
    return np.array([[probability if tag == column else rest for tag in range(len(TAGS))] for column in columns])


def test_doubt_is_none_where_one_tag_is_certain_and_full_where_all_are_alike() -> None:
    probabilities = np.array([[1.0, 0, 0, 0, 0], [0.2] * 5])
    doubts = doubts_of(page_of("Ada", "Lovelace"), probabilities, np.stack([probabilities] * 3), TAGS, ())
    assert_allclose(doubts.least_confidence, [0, 0.8], atol=1e-6)
    assert_allclose(doubts.margin, [0, 1], atol=1e-6)
    assert_allclose(doubts.entropy, [0, 1], atol=1e-6)
    assert_allclose(doubts.disagreement, [0, 0], atol=1e-6)


def test_passes_that_contradict_each_other_are_disagreement_and_unsure_ones_are_not() -> None:
    contradicting = np.stack([sure(0, probability=1.0), sure(1, probability=1.0)])
    unsure = np.full((2, 1, 5), 0.2)
    page = page_of("Ada")
    assert doubts_of(page, sure(0), contradicting, TAGS, ()).disagreement[0] == pytest.approx(np.log(2), abs=1e-5)
    assert doubts_of(page, sure(0), unsure, TAGS, ()).disagreement[0] == pytest.approx(0, abs=1e-6)


def test_address_that_was_not_named_contradicts_the_patterns() -> None:
    probabilities = sure(0, 0)
    doubts = doubts_of(page_of("write", "ada@example.com"), probabilities, probabilities[None], TAGS, ())
    assert doubts.patterns[0] == 0
    assert doubts.patterns[1] > 0.95


def test_value_that_does_not_look_like_its_field_contradicts_the_patterns() -> None:
    page = page_of("Lovelace")
    named = (Entity("EMAIL", "Lovelace", page.words[0].box, 0.8, 0, 1),)
    doubts = doubts_of(page, sure(3), sure(3)[None], TAGS, named)
    assert doubts.patterns[0] == pytest.approx(0.8)


def test_rivals_are_the_fields_that_share_most_of_a_word() -> None:
    probabilities = np.array([[0.0, 0.4, 0.1, 0.5, 0.0], [0.7, 0.3, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0]])
    doubts = doubts_of(page_of("a", "b", "c"), probabilities, probabilities[None], TAGS, ())
    assert doubts.rivals == (("EMAIL", "NAME", 0.5), ("", "NAME", 0.3))


@pytest.mark.parametrize("deep", [False, True])
def test_passes_with_dropout_differ_among_each_other_but_not_from_call_to_call(deep: bool) -> None:
    head: torch.nn.Module = torch.nn.Linear(16, 5)
    if deep:
        head = torch.nn.Module()
        head.dense, head.out_proj = torch.nn.Linear(16, 16), torch.nn.Linear(16, 5)
    with torch.inference_mode():
        first, second = (dropped_passes(head, torch.ones(3, 16)) for _ in range(2))
    assert first.shape[1:] == (3, 5)
    assert torch.equal(first, second)
    assert not torch.equal(first[0], first[1])


def test_page_without_words_has_no_doubts() -> None:
    assert no_doubts().entropy.shape == (0,)
