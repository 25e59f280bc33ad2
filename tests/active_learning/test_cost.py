"""Expected corrections, learned from real ones."""

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from active_learning.cost import LEAST_HISTORY, NAMES, ExpectedCost, Signals
from tests.active_learning.pools import rng


def history(count, seed=0):
    """Documents whose corrections follow from three signals and chance; two signals say nothing."""
    chance = rng(seed)
    signals = [Signals(*chance.gamma(2, 1, size=len(NAMES))) for _ in range(count)]
    means = [0.5 * s.entropy + 2 * s.missing + 0.3 * s.reading for s in signals]
    return signals, chance.poisson(means).astype(float)


def test_what_was_learned_orders_new_documents_better_than_the_models_own_expectation():
    cost = ExpectedCost.fit(*history(200))
    signals, real = history(300, seed=1)
    learned, plain = (spearmanr(c.predict(signals), real)[0] for c in (cost, ExpectedCost()))
    assert learned > plain + 0.1
    assert learned > 0.6
    assert cost.predict(signals).mean() == pytest.approx(real.mean(), rel=0.15)


def test_where_signals_mislead_it_keeps_the_models_own_order_and_learns_what_that_stands_for():
    chance = rng(5)
    own = chance.gamma(2, 2, size=40)
    # Signals that say nothing, many for so short a history.
    noise = chance.gamma(2, 1, size=(40, len(NAMES) - 1))
    signals = [Signals(float(a), *row[:-1], missing=0.0) for a, row in zip(own, noise, strict=True)]
    cost = ExpectedCost.fit(signals, 3 * own + 1)
    assert np.argsort(cost.predict(signals)).tolist() == np.argsort(own).tolist()
    assert cost.predict(signals).mean() == pytest.approx((3 * own + 1).mean(), rel=0.01)
    assert cost.learned


def test_with_little_history_it_falls_back_to_what_the_models_expect():
    cost = ExpectedCost.fit(*history(LEAST_HISTORY - 1))
    assert not cost.learned
    assert cost.predict([Signals(3.0, missing=0.5)]) == pytest.approx([3.5])


@pytest.mark.parametrize("costs", [[4.0] * 50, [0.0] * 50])
def test_a_history_without_differences_teaches_nothing(costs):
    assert not ExpectedCost.fit(history(50)[0], costs).learned


def test_signals_that_never_differ_are_no_hindrance():
    signals = [Signals(float(i)) for i in range(50)]
    cost = ExpectedCost.fit(signals, [i / 2 for i in range(50)])
    assert np.all(np.diff(cost.predict(signals)) > 0)


def test_a_worse_signal_never_lowers_the_cost():
    cost = ExpectedCost.fit(*history(80))
    for name in NAMES:
        rows = [Signals.from_json(dict.fromkeys(NAMES, 1.0) | {name: float(x)}) for x in np.linspace(0, 20, 50)]
        assert (np.diff(cost.predict(rows)) >= 0).all()


def test_it_survives_being_kept():
    cost = ExpectedCost.fit(*history(80))
    signals = history(10, seed=2)[0]
    again = ExpectedCost.from_json(json.loads(json.dumps(cost.to_json())))
    assert again.predict(signals) == pytest.approx(cost.predict(signals))
    assert again == cost
    kept = Signals.from_json(json.loads(json.dumps(signals[0].to_json())))
    assert kept.to_json() == signals[0].to_json()


def test_what_was_learned_from_other_signals_is_not_believed():
    raw = ExpectedCost.fit(*history(80)).to_json()
    assert not ExpectedCost.from_json(raw | {"signals": ["luck"]}).learned


def test_no_documents_cost_nothing():
    assert ExpectedCost.fit(*history(80)).predict([]).shape == (0,)
    assert ExpectedCost.fit([], []).history == 0
