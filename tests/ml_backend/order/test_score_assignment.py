import numpy as np
import pytest

from ml_backend.order.score_assignment import scores_in_order


def applied(shown: list[float | None]) -> list[float]:
    changed = scores_in_order(shown)
    return [changed.get(place, score) for place, score in enumerate(shown)]


def test_nothing_changes_where_scores_rise_already() -> None:
    assert scores_in_order([0.1, 0.2, 0.9]) == {}
    assert scores_in_order([]) == {}


def test_one_task_that_moves_to_the_front_is_one_change() -> None:
    assert list(scores_in_order([0.9, 0.1, 0.2, 0.3])) == [0]


@pytest.mark.parametrize("seed", range(20))
def test_scores_rise_strictly_whatever_they_were(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shown: list[float | None] = [float(x) for x in rng.random(60).round(int(rng.integers(1, 5)))]
    for unknown in rng.integers(0, 60, 5):
        shown[unknown] = None
    after = applied(shown)
    assert all(low < high for low, high in zip(after, after[1:], strict=False))
    assert after[0] > 0
    assert after[-1] < 1


def test_scores_without_room_between_them_are_spread_again() -> None:
    after = applied([0.5, None, 0.5 + 1e-10])
    assert after == [0.25, 0.5, 0.75]
