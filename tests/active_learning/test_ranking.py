"""The order of a whole pool."""

import numpy as np
import pytest

from active_learning.pool import Labelled
from active_learning.ranking import COLD_START, rank
from active_learning.strategies import STRATEGIES
from tests.active_learning.pools import kinds, nothing, pool_of, rng

WARM = Labelled(rng(9).normal(size=(COLD_START, 16)))


@pytest.mark.parametrize("strategy", [pytest.param(s, id=name) for name, s in STRATEGIES.items()])
def test_every_candidate_has_one_place_and_scores_fall_along_the_order(strategy):
    pool = pool_of(rng().normal(size=(70, 16)))
    ranking = rank(pool, WARM, strategy, rng(), batch=10)
    assert sorted(ranking.order.tolist()) == list(range(70))
    along = ranking.acquisition[ranking.order]
    assert (np.diff(along) < 0).all()
    assert 0 < along[-1] <= along[0] == 1


def test_the_batch_is_the_strategy_s_and_the_rest_goes_by_score():
    pool = pool_of(rng().normal(size=(70, 16)))
    ranking = rank(pool, WARM, STRATEGIES["margin"], rng(), batch=10)
    assert ranking.order[:10].tolist() == np.argsort(-pool.margin)[:10].tolist()
    rest = ranking.order[10:]
    assert (np.diff(pool.entropy[rest]) <= 0).all()


def test_with_little_annotated_the_typical_come_first():
    pool = pool_of(kinds((30, 30)), entropy=np.arange(60.0))
    cold = rank(pool, nothing(), STRATEGIES["entropy"], rng(3), batch=2)
    typical = STRATEGIES["typical"].choose(pool, nothing(), 2, rng(3))
    assert {int(i) // 30 for i in cold.order[:2]} == {int(i) // 30 for i in typical} == {0, 1}
    assert rank(pool, WARM, STRATEGIES["entropy"], rng(3), batch=2).order[0] == 59


def test_chance_stays_chance_from_the_first_document_to_the_last():
    pool = pool_of(kinds((30, 30)), entropy=np.arange(60.0))
    places = [rank(pool, nothing(), STRATEGIES["random"], rng(seed), batch=5).acquisition for seed in range(200)]
    assert np.abs(np.mean(places, axis=0) - 0.51).max() < 0.1


def test_the_same_document_twice_is_not_asked_for_twice():
    different = rng().normal(size=(20, 16))
    pool = pool_of(np.vstack((different, different[:8])))
    ranking = rank(pool, WARM, STRATEGIES["entropy"], rng(), batch=10)
    assert ranking.duplicates.sum() >= 1
    first = [int(i) % 20 if i < 28 else int(i) for i in ranking.order[:10]]
    assert len(set(first)) == 10
    assert ranking.duplicates[ranking.order[-ranking.duplicates.sum() :]].all()


def test_what_was_annotated_already_comes_last():
    embeddings = rng().normal(size=(30, 16))
    ranking = rank(pool_of(embeddings), Labelled(embeddings[:12]), STRATEGIES["diverse_uncertainty"], rng())
    assert set(ranking.order[-12:].tolist()) == set(range(12))


def test_duplicates_may_be_let_through():
    embeddings = np.repeat(rng().normal(size=(10, 16)), 2, axis=0)
    assert not rank(pool_of(embeddings), WARM, STRATEGIES["entropy"], rng(), near_duplicate=0).duplicates.any()


def test_empty_pools_and_equal_documents_are_ranked_too():
    assert rank(pool_of(np.zeros((0, 16))), WARM, STRATEGIES["entropy"], rng()).order.tolist() == []
    ranking = rank(pool_of(np.ones((9, 16))), Labelled(), STRATEGIES["diverse_uncertainty"], rng())
    assert sorted(ranking.order.tolist()) == list(range(9))
