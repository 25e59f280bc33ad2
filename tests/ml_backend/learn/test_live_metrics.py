"""How versions do in people's hands."""

from datetime import datetime, timezone

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from ml_backend.learn.live_metrics import FEWEST, Outcome, VersionScores, compare, outcome_of, outcomes, score
from ml_backend.predict.serving_models import number_made
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from ml_backend.store.records import Correction, StoredAnnotation
from tests.ml_backend.backend import SteppingClock

V1, V2 = "p3-v1-00000001.aaaaaa", "p3-v2-00000002.aaaaaa"
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def result(*labels):
    return [
        {"id": str(n), "type": "labels", "value": {"labels": [label]}, "score": 0.8} for n, label in enumerate(labels)
    ]


def annotation(number=1, version=V1, *, before=("NAME", "EMAIL"), after=("NAME", "PHONE"), cost=1, **more):
    values = {"prediction": {"result": result(*before), "score": 0.31}, "model_version": version, "cost": cost} | more
    return StoredAnnotation(number, 3, 100 + number, 1, result(*after), False, False, NOW, NOW, {}, **values)


CORRECTION = Correction("field", "1", "EMAIL", "PHONE")


@pytest.fixture
def learning(store_url):
    store = Store(store_url)
    yield LearningStore(store.engine)
    store.close()


def test_a_label_that_was_changed_is_no_hit():
    assert outcome_of(annotation(), [CORRECTION]) == Outcome(1, 1, 1, 2, 2, 0.8)


def test_a_region_that_was_added_is_wanted_and_one_that_was_deleted_was_given_in_vain():
    added, deleted = Correction("added", "9", None, "NAME"), Correction("deleted", "1", "EMAIL", None)
    assert outcome_of(annotation(after=("NAME", "NAME"), cost=2), [added, deleted]) == Outcome(1, 2, 1, 2, 2, 0.8)


def test_a_text_that_was_corrected_costs_but_the_entity_was_found():
    text = Correction("text", "0", "NAME", "NAME", "Ade", "Ada")
    assert outcome_of(annotation(after=("NAME", "EMAIL")), [text]).hits == 2


@pytest.mark.parametrize(
    "other", [{"version": "somebody else's"}, {"prediction": None}, {"model_version": None}, {"cost": None}]
)
def test_what_was_not_begun_with_a_prediction_of_ours_does_not_count(other):
    assert outcome_of(annotation(**other), []) is None


def test_predictions_under_a_shared_name_count_for_who_made_them():
    shared = "p3-v1+v2@50-0000000a.aaaaaa"
    made = {n: outcome_of(annotation(n, shared), []).version for n in range(1, 50)}
    assert made == {n: number_made(shared, 100 + n) for n in made}
    assert set(made.values()) == {1, 2}


def test_versions_are_scored_over_all_their_documents(learning):
    learning.save([(annotation(1), [CORRECTION]), (annotation(2, cost=0, after=("NAME", "EMAIL")), [])])
    learning.save([(annotation(3, V2, cost=4, before=(), after=("NAME",)), [])])
    scores = score(outcomes(learning, 3))
    assert set(scores) == {1, 2}
    assert (scores[1].documents, scores[1].cost) == (2, 0.5)
    assert scores[1].entity_f1 == pytest.approx(3 / 4)
    assert scores[1].confidence == pytest.approx(0.8)
    assert (scores[2].cost, scores[2].entity_f1) == (4, 0)


def test_deleted_annotations_do_not_count(learning):
    learning.save([(annotation(1), []), (annotation(2), [])])
    learning.mark_deleted([2])
    assert len(outcomes(learning, 3)) == 1


def costs(*values):
    return [Outcome(1, value, 1, 1, 1, 0.5) for value in values]


def test_a_clear_difference_is_real_and_noise_is_not():
    rng = np.random.default_rng(0)
    many, few = rng.poisson(6, 40), rng.poisson(3, 40)
    clear = compare(costs(*many), costs(*few), rng)
    assert clear.real
    assert clear.low < clear.cost < clear.high < 0
    same = rng.poisson(5, 60)
    assert not compare(costs(*same[:30]), costs(*same[30:]), rng).real


def test_few_documents_say_nothing():
    assert compare(costs(*range(FEWEST - 1)), costs(*range(50)), np.random.default_rng(0)) is None


def test_prometheus_gets_the_scores_counted_once_a_minute(learning):
    learning.note_synced(3, cursor=None, compared=True)
    learning.save([(annotation(1), [CORRECTION])])
    clock, registry = SteppingClock(), CollectorRegistry()
    registry.register(VersionScores(learning, clock=clock))

    def shown():
        return generate_latest(registry).decode()

    assert 'ml_backend_version_documents{project="3",version="1"} 1.0' in shown()
    assert 'ml_backend_version_entity_f1{project="3",version="1"} 0.5' in shown()
    learning.save([(annotation(2), [])])
    assert 'ml_backend_version_documents{project="3",version="1"} 1.0' in shown()
    clock.advance(60)
    assert 'ml_backend_version_documents{project="3",version="1"} 2.0' in shown()
