from dataclasses import replace
from datetime import datetime, timezone

import numpy as np
import pytest

from active_learning.control import in_control_arm
from active_learning.cost import ExpectedCost
from active_learning.missing import UsualFields
from active_learning.pool import Labelled, Pool
from active_learning.strategies import DEFAULT_STRATEGY, STRATEGIES
from ml_backend.order.candidates import Candidates, History, SeenDocument
from ml_backend.order.task_order import Orderer, Policy, arrange, labels_saved
from ml_backend.settings import Settings
from ml_backend.store.signals import Signals, Spread
from ml_backend.store.task_scores import TaskScore

NONE = Spread(0.0, 0.0, 0.0)
SIGNALS = Signals(1, (0.9,), (), 1.0, NONE, NONE, NONE, NONE, NONE)
NOTHING_KNOWN = History(0, UsualFields({}, 0), (), ExpectedCost())
MONDAY = datetime(2026, 1, 5, tzinfo=timezone.utc)


def candidates(count: int, history: History = NOTHING_KNOWN, known: int = 20) -> Candidates:
    """Documents with embeddings by chance; the later ones are the more doubtful."""
    rng = np.random.default_rng(1)
    tasks = tuple(TaskScore(n, "v1", 0.5, SIGNALS, MONDAY, None, None, False, None, 0.5) for n in range(1, count + 1))
    doubt = np.linspace(0.1, 0.9, count)
    pool = Pool(rng.normal(0, 1, (count, 8)).astype(np.float32), doubt, doubt, doubt, doubt, doubt)
    return Candidates("v1", tasks, pool, Labelled(rng.normal(0, 1, (known, 8)).astype(np.float32)), {}, None, history)


def history(active: int, control: int) -> History:
    met = [SeenDocument(n, "v1", False, active, SIGNALS) for n in range(40)] + [
        SeenDocument(n, "v1", True, control, SIGNALS) for n in range(40)
    ]
    return replace(NOTHING_KNOWN, documents=80, met=tuple(met))


def test_settings_know_every_strategy_and_the_default() -> None:
    assert Settings.model_fields["active_learning_strategy"].default == DEFAULT_STRATEGY
    for name in STRATEGIES:
        assert Settings(_env_file=None, active_learning_strategy=name).active_learning_strategy == name
    with pytest.raises(ValueError, match="margin"):
        Settings(_env_file=None, active_learning_strategy="unheard of")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25])
def test_chances_tasks_stand_at_even_distances(share: float) -> None:
    placed = arrange(3, candidates(400), "entropy", share)
    drawn = [each.place for each in placed if each.control]
    assert {each.task_id for each in placed} == set(range(1, 401))
    assert all(each.control == in_control_arm(3, each.task_id, share) for each in placed)
    for count in (20, 40, 80):
        assert sum(place < count for place in drawn) == round(share * count)


def test_without_chance_the_most_doubtful_comes_first() -> None:
    placed = arrange(3, candidates(50), "entropy", 0.0)
    assert [each.task_id for each in placed] == list(range(50, 0, -1))
    assert placed[0].acquisition == pytest.approx(0.9)


def test_asking_twice_gives_the_same_order_and_annotations_another_by_chance() -> None:
    first, again = (arrange(3, candidates(60), "random", 0.1) for _ in range(2))
    later = arrange(3, candidates(60, replace(NOTHING_KNOWN, documents=30)), "random", 0.1)
    assert first == again
    assert first != later


@pytest.mark.parametrize(
    ("active", "fallback", "expected"), [(1, True, "random"), (1, False, "entropy"), (9, True, "entropy")]
)
def test_chance_takes_over_where_the_strategy_does_not_win_and_a_setting_says_so(
    active: int, fallback: bool, expected: str
) -> None:
    orderer = Orderer(None, None, None, Policy("entropy", 0.1, fallback))
    assert orderer._strategy(history(active, 4))[0] == expected


def test_labels_saved_compares_documents_of_the_same_version_alone() -> None:
    known = history(6, 3)
    others = [replace(each, version="v2", cost=100) for each in known.met[:40]]
    saved = labels_saved(replace(known, met=(*known.met, *others)))
    assert saved.active == 40
    assert saved.ratio == pytest.approx(2, abs=0.1)
