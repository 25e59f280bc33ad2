"""The control arm, and what it says."""

import pytest

from active_learning.control import LEAST_ARM, Winning, estimate_labels_saved, in_control_arm
from tests.active_learning.pools import rng


def test_as_many_tasks_are_drawn_as_the_share_says_and_always_the_same():
    drawn = [in_control_arm(3, task, 0.1) for task in range(10_000)]
    assert 900 < sum(drawn) < 1100
    assert drawn == [in_control_arm(3, task, 0.1) for task in range(10_000)]
    assert drawn != [in_control_arm(4, task, 0.1) for task in range(10_000)]


def test_a_larger_share_holds_the_smaller_one():
    small, large = ({task for task in range(2000) if in_control_arm(1, task, share)} for share in (0.05, 0.2))
    assert small < large
    assert not any(in_control_arm(1, task, 0.0) for task in range(2000))
    assert all(in_control_arm(1, task, 1.0) for task in range(2000))


def test_an_order_that_finds_twice_the_corrections_wins():
    chance = rng()
    found = estimate_labels_saved([(chance.poisson(6, 200), chance.poisson(3, 60))], rng())
    assert found.winning is Winning.YES
    assert found.low < 2 < found.high
    assert found.saved == pytest.approx((found.ratio - 1) * 200)


def test_an_order_no_better_than_chance_does_not_win():
    chance = rng()
    found = estimate_labels_saved([(chance.poisson(3, 200), chance.poisson(3, 60))], rng())
    assert found.winning is Winning.NO
    assert found.low < 1 < found.high


def test_nothing_is_said_of_few_documents():
    found = estimate_labels_saved([([9.0] * 100, [1.0] * (LEAST_ARM - 1))], rng())
    assert found.winning is Winning.UNKNOWN
    assert estimate_labels_saved([([], [1.0])], rng()).winning is Winning.UNKNOWN


def test_documents_without_corrections_give_a_finite_answer():
    found = estimate_labels_saved([([0.0] * 30, [0.0] * 30)], rng())
    assert found.ratio == 1
    assert found.saved == 0


def test_the_interval_holds_the_truth_nearly_always():
    held = 0
    for seed in range(60):
        chance = rng(seed)
        found = estimate_labels_saved([(chance.poisson(4, 80), chance.poisson(2, 40))], chance)
        held += found.low <= 4.1 / 2.1 <= found.high
    assert held >= 52


def test_a_version_under_which_chance_drew_more_does_not_make_the_order_win():
    # Both arms need the same of a version; the first one needs more, and has nearly all of the strategy's documents.
    early, late = ([8.0] * 90, [8.0] * 5), ([2.0] * 10, [2.0] * 45)
    found = estimate_labels_saved([early, late, ([9.0] * 50, [])], rng())
    assert found.ratio == pytest.approx(1)
    assert (found.active, found.control, found.winning) == (100, 50, Winning.NO)
