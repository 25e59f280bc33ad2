"""Labels that a model contradicts."""

import numpy as np
import pytest

from active_learning.label_errors import Annotated, find_label_errors, mislabeling
from tests.active_learning.pools import rng

WRONG = {4: 7, 11: 0, 23: 29}


def documents(count=40, words=30, wrong=WRONG):
    """Documents of a good but not perfect model; one label of some is wrong."""
    chance = rng()
    made = []
    for number in range(count):
        truth = chance.choice(4, size=words, p=[0.7, 0.1, 0.1, 0.1])
        probabilities = 0.3 * chance.dirichlet(np.ones(4), size=words)
        probabilities[np.arange(words), truth] += 0.7
        labels = truth.copy()
        if number in wrong:
            labels[wrong[number]] = (labels[wrong[number]] + 1) % 4
        made.append(Annotated(labels, probabilities))
    return made


def test_wrong_labels_are_found_with_what_should_stand_there():
    found = find_label_errors(documents())
    assert {suspect.document for suspect in found} == set(WRONG)
    for suspect in found:
        assert suspect.suspicions[0].word == WRONG[suspect.document]
        assert suspect.suspicions[0].given == (suspect.suspicions[0].suggested + 1) % 4
        assert suspect.score > 0.85


def test_good_labels_are_left_alone():
    assert find_label_errors(documents(wrong={})) == ()


def test_the_queue_is_no_longer_than_asked_for_and_has_the_worst_first():
    found = find_label_errors(documents(), limit=2)
    assert len(found) == 2
    assert found[0].score >= found[1].score


def test_few_words_and_single_labels_say_nothing():
    assert find_label_errors([]) == ()
    assert find_label_errors(documents(count=1, words=20, wrong={0: 3})) == ()
    alike = [Annotated(np.zeros(60, dtype=np.int64), np.tile([0.2, 0.8], (60, 1)))]
    assert find_label_errors(alike) == ()


def test_documents_without_words_keep_the_places_of_the_others():
    empty = Annotated(np.zeros(0, dtype=np.int64), np.zeros((0, 4)))
    found = find_label_errors([empty, *documents()])
    assert {suspect.document for suspect in found} == {number + 1 for number in WRONG}


def test_labels_that_nobody_gave_do_not_stop_it():
    wider = [Annotated(d.labels, np.pad(d.probabilities, ((0, 0), (0, 2)))) for d in documents()]
    assert {suspect.document for suspect in find_label_errors(wider)} == set(WRONG)


def test_one_document_is_as_suspicious_as_its_least_likely_label():
    assert mislabeling(Annotated(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))) == pytest.approx(0.8)
    assert mislabeling(Annotated(np.zeros(0, dtype=np.int64), np.zeros((0, 2)))) == 0


def test_labels_and_probabilities_must_fit():
    with pytest.raises(ValueError, match="2 labels for probabilities"):
        Annotated(np.array([0, 1]), np.zeros((3, 2)))
