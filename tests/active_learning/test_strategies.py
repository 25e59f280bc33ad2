"""What holds for every query strategy, and what each is for."""

import numpy as np
import pytest

from active_learning import diversity
from active_learning.pool import Labelled
from active_learning.simple import ByScore
from active_learning.strategies import DEFAULT_STRATEGY, STRATEGIES, find_strategy
from tests.active_learning.pools import kinds, nothing, pool_of, rng

ALL = [pytest.param(strategy, id=name) for name, strategy in STRATEGIES.items()]
DIVERSE = ("k_means", "core_set", "typical")


@pytest.mark.parametrize("strategy", ALL)
class TestEveryStrategy:
    def test_chooses_as_many_as_asked_for_and_none_twice(self, strategy):
        pool = pool_of(rng().normal(size=(60, 8)))
        chosen = strategy.choose(pool, Labelled(rng(1).normal(size=(5, 8))), 12, rng())
        assert len(set(chosen.tolist())) == 12
        assert set(chosen.tolist()) <= set(range(60))

    def test_works_with_nothing_annotated(self, strategy):
        assert len(strategy.choose(pool_of(rng().normal(size=(20, 8))), nothing(), 5, rng())) == 5

    def test_chooses_all_of_a_small_pool(self, strategy):
        chosen = strategy.choose(pool_of(rng().normal(size=(3, 8))), nothing(), 10, rng())
        assert sorted(chosen.tolist()) == [0, 1, 2]

    def test_chooses_none_of_an_empty_pool_or_if_none_are_asked_for(self, strategy):
        assert len(strategy.choose(pool_of(np.zeros((0, 8))), nothing(), 5, rng())) == 0
        assert len(strategy.choose(pool_of(rng().normal(size=(9, 8))), nothing(), 0, rng())) == 0

    def test_copes_with_equal_documents_and_empty_pages(self, strategy):
        for embeddings in (np.ones((12, 4)), np.zeros((12, 4))):
            chosen = strategy.choose(pool_of(embeddings), Labelled(np.ones((2, 4))), 6, rng())
            assert len(set(chosen.tolist())) == 6

    def test_is_the_same_for_the_same_chance(self, strategy):
        pool = pool_of(rng().normal(size=(60, 8)))
        assert np.array_equal(*(strategy.choose(pool, nothing(), 10, rng(4)) for _ in range(2)))

    def test_leaves_the_pool_as_it_is(self, strategy):
        pool = pool_of(rng().normal(size=(30, 8)))
        before = pool.embeddings.copy(), pool.entropy.copy()
        strategy.choose(pool, nothing(), 10, rng())
        assert np.array_equal(before[0], pool.embeddings)
        assert np.array_equal(before[1], pool.entropy)


@pytest.mark.parametrize("name", ["least_confidence", "margin", "entropy", "bald", "expected_cost"])
def test_a_score_s_strategy_takes_the_highest_first(name):
    strategy = STRATEGIES[name]
    pool = pool_of(rng().normal(size=(40, 8)))
    chosen = strategy.choose(pool, nothing(), 10, rng())
    assert chosen.tolist() == np.argsort(-pool.column(strategy.score))[:10].tolist()


def test_equal_scores_are_not_taken_in_the_order_of_their_upload():
    pool = pool_of(rng().normal(size=(40, 8)), entropy=np.ones(40))
    assert ByScore("entropy").choose(pool, nothing(), 40, rng()).tolist() != list(range(40))


@pytest.mark.parametrize("name", DIVERSE)
def test_a_diverse_batch_has_every_kind_even_if_one_is_frequent(name):
    embeddings = kinds((60, 3, 3, 3, 3))
    kind = np.repeat(range(5), (60, 3, 3, 3, 3))
    chosen = STRATEGIES[name].choose(pool_of(embeddings), nothing(), 5, rng())
    assert len(set(kind[chosen])) == 5


@pytest.mark.parametrize("name", ["core_set", "diverse_uncertainty", "diverse_cost"])
def test_kinds_that_were_annotated_wait(name):
    embeddings = kinds((20, 20))
    pool = pool_of(embeddings, entropy=np.ones(40), cost=np.ones(40))
    chosen = STRATEGIES[name].choose(pool, Labelled(kinds((5, 0))), 1, rng())
    assert chosen[0] >= 20


def test_diverse_uncertainty_prefers_the_unsure_among_the_equally_far():
    entropy = np.zeros(40)
    entropy[[7, 31]] = 1
    chosen = STRATEGIES["diverse_uncertainty"].choose(pool_of(kinds((20, 20)), entropy=entropy), nothing(), 2, rng())
    assert set(chosen.tolist()) == {7, 31}


@pytest.mark.parametrize("name", DIVERSE)
def test_large_pool_is_looked_at_in_part_and_the_batch_is_whole(name, monkeypatch):
    monkeypatch.setattr(diversity, "MOST_COMPARED", 30)
    embeddings = kinds((60, 60))
    scores = {score: np.arange(120) / 120 for score in ("entropy", "cost")}
    chosen = STRATEGIES[name].choose(pool_of(embeddings, **scores), nothing(), 40, rng())
    assert len(set(chosen.tolist())) == 40
    if name.startswith("diverse"):
        assert set(chosen[:30].tolist()) == set(range(90, 120)), "the highest scores are looked at"
    again = STRATEGIES[name].choose(pool_of(embeddings, **scores), nothing(), 40, rng())
    assert chosen.tolist() == again.tolist()


def test_badge_begins_with_the_longest_gradient_and_goes_on_far_from_it():
    gradients = np.zeros((30, 4))
    gradients[:20, 0], gradients[20:, 1] = 1.0, 1.0
    gradients[3] *= 2
    pool = pool_of(rng().normal(size=(30, 8)))
    pool = type(pool)(pool.embeddings, *(pool.column(n) for n in ("margin",) * 5), gradients=gradients)
    chosen = STRATEGIES["badge"].choose(pool, nothing(), 2, rng())
    assert chosen[0] == 3
    assert chosen[1] >= 20


def test_the_most_typical_comes_from_the_middle_of_its_group():
    embeddings = np.vstack((kinds((30,), noise=0.01), kinds((3,), noise=0.5), kinds((0, 30), noise=0.01)))
    chosen = STRATEGIES["typical"].choose(pool_of(embeddings), nothing(), 2, rng())
    assert not set(chosen.tolist()) & {30, 31, 32}


def test_strategies_are_found_by_name_and_unknown_ones_named():
    assert find_strategy().name == DEFAULT_STRATEGY
    assert all(find_strategy(name).name == name for name in STRATEGIES)
    with pytest.raises(ValueError, match="no query strategy 'best'; there are random, "):
        find_strategy("best")


def test_a_strategy_of_an_unknown_score_cannot_be_made():
    with pytest.raises(ValueError, match="no score 'luck'"):
        ByScore("luck")
