import numpy as np
import pytest

from model.document.bio import tags_of
from model.document.types import Box, Line, Page, Word
from model.extraction.committee import Committee, Opinion
from model.extraction.decoding import LEAST_CONFIDENCE, Decoder

TAGS = tags_of(("NAME", "EMAIL"))


def page(*texts):
    words = tuple(Word(text, Box(60 * i, 10, 60 * i + 50, 30), 1.0) for i, text in enumerate(texts))
    return Page(600, 40, (Line(" ".join(texts), Box(0, 10, 600, 30).polygon(), 1.0, words),))


def probabilities(*rows):
    """Rows in the order O, B-NAME, I-NAME, B-EMAIL, I-EMAIL, made to sum to 1."""
    values = np.array(rows, dtype=np.float64) + 1e-6
    return values / values.sum(axis=1, keepdims=True)


def test_without_opinions_the_classifier_decides_alone():
    decided = Decoder(TAGS, Committee({})).decide(page("Ada", "King"), probabilities([1, 2, 0, 0, 0], [1, 0, 2, 0, 0]))
    assert [(c.field, c.start, c.stop) for c, _ in decided] == [("NAME", 0, 2)]
    assert decided[0][1] == pytest.approx(2 / 3, abs=1e-4)


def test_a_pattern_wins_over_a_doubtful_classifier_but_not_over_a_sure_one():
    committee = Committee({"EMAIL": Opinion(1.0, 0.0, {"mail": 2.0, "text": -2.0})})
    decider = Decoder(TAGS, committee)
    doubtful = probabilities([4, 3, 0, 3, 0])
    assert [c.field for c, _ in decider.decide(page("ada@example.com"), doubtful)] == ["EMAIL"]
    assert decider.decide(page("Imperial"), doubtful) == []
    sure = probabilities([0, 0.02, 0, 0.98, 0])
    assert [c.field for c, _ in decider.decide(page("ada.example"), sure)] == ["EMAIL"]


def test_what_is_more_likely_wrong_than_right_is_not_named():
    committee = Committee({"NAME": Opinion(1.0, -3.0, {})})
    row = probabilities([1, 9, 0, 0, 0])
    assert Decoder(TAGS, committee).decide(page("Ada"), row) == []
    assert Decoder(TAGS, Committee({"NAME": Opinion(1.0, 0.0, {})})).decide(page("Ada"), row)[0][1] >= LEAST_CONFIDENCE


def test_proposals_are_right_where_they_share_most_of_their_words_with_the_truth():
    decider = Decoder(TAGS, Committee({}))
    rows = probabilities([0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 1, 0, 0], [1, 0, 0, 0, 0])
    texts = page("Ada", "King", "Lovelace", "Countess")

    def rights(*truth):
        return [proposal.right for proposal in decider.proposals(texts, rows, truth)]

    assert rights(("NAME", 0, 3)) == [True]
    assert rights(("NAME", 0, 2)) == [True]
    assert rights(("NAME", 0, 1)) == [False]
    assert rights(("EMAIL", 0, 3)) == [False]
    assert rights() == [False]
