"""How much a committee is at odds."""

import numpy as np
import pytest

from active_learning.disagreement import bald, field_disagreement, vote_disagreement


def test_words_on_which_all_agree_score_0_and_others_the_share_that_is_outvoted():
    votes = [["NAME", "O", "PHONE"], ["NAME", "O", "FAX"], ["NAME", "NAME", "O"]]
    assert vote_disagreement(votes) == pytest.approx([0, 1 / 3, 2 / 3])
    assert vote_disagreement([[], []]).shape == (0,)


@pytest.mark.parametrize("votes", [[], [["O"], ["O", "O"]]])
def test_a_committee_votes_once_on_each_word(votes):
    with pytest.raises(ValueError, match="votes once on each word"):
        vote_disagreement(votes)


def test_passes_that_contradict_one_another_score_high_and_passes_that_are_unsure_alike_0():
    at_odds = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    unsure = np.full((2, 1, 2), 0.5)
    assert bald(at_odds) == pytest.approx([1])
    assert bald(unsure) == pytest.approx([0])
    assert bald(np.zeros((3, 0, 2))).shape == (0,)


def test_values_of_two_sources_are_compared_as_sets():
    patterns = [("EMAIL", "a@b.org"), ("PHONE", "1")]
    assert field_disagreement(patterns, patterns) == 0
    assert field_disagreement(patterns, patterns[:1]) == pytest.approx(1 / 3)
    assert field_disagreement(patterns, []) == 1
    assert field_disagreement([], []) == 0
