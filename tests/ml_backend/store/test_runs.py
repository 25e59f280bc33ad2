"""Training runs: one a project at a time, claimed once, and taken up again when their process dies."""

import multiprocessing
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import Engine, update

from ml_backend.i18n import Words, say
from ml_backend.store.engine import open_engine, writing
from ml_backend.store.runs import Run, RunStore
from ml_backend.store.tables import RunRow


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    engine = open_engine(store_url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> RunStore:
    return RunStore(engine)


def add(store: RunStore, project: int = 1, *, asked: bool = False, not_before: datetime | None = None) -> Run:
    run = store.add_run(project, "25 changed documents", asked, "fingerprint", 60, not_before)
    assert run is not None
    return run


def let_time_pass(engine: Engine, run_id: int, seconds: float) -> None:
    past = datetime.now(timezone.utc) - timedelta(seconds=seconds)
    with writing(engine) as connection:
        connection.execute(update(RunRow).where(RunRow.id == run_id).values(heartbeat_at=past))


def test_a_due_run_is_claimed_once(store: RunStore) -> None:
    run = add(store)
    assert store.due_runs() == [run]
    claimed = store.claim_run(run.id)
    assert claimed is not None
    assert claimed.state == "running"
    assert claimed.started_at is not None
    assert store.claim_run(run.id) is None
    assert store.due_runs() == []


def test_a_project_has_one_due_run_at_a_time(store: RunStore) -> None:
    run = add(store)
    assert store.add_run(1, "more", False, "other", 61) is None
    assert store.runs(1) == [run]
    assert store.add_run(2, "another project", False, "other", 61) is not None


def test_who_asks_does_not_wait(store: RunStore) -> None:
    run = add(store, not_before=datetime.now(timezone.utc) + timedelta(hours=1))
    assert store.due_runs() == []
    assert store.claim_run(run.id) is None
    assert store.add_run(1, "asked for", True, "fingerprint", 60) is None
    assert [(run.id, run.asked) for run in store.due_runs()] == [(run.id, True)]


def test_what_comes_during_a_run_waits_for_its_end(store: RunStore) -> None:
    first = add(store)
    store.claim_run(first.id)
    second = add(store)
    assert store.claim_run(second.id) is None
    assert store.finish(first.id, "finished", decision="kept")
    assert store.claim_run(second.id) is not None


def test_a_run_whose_process_died_gives_way(store: RunStore, engine: Engine) -> None:
    first = add(store)
    store.claim_run(first.id)
    let_time_pass(engine, first.id, 31)
    assert [run.id for run in store.stale_runs()] == [first.id]
    again = store.interrupt(first.id)
    assert again is not None
    assert (again.reason, again.attempt, again.not_before) == (first.reason, 2, None)
    assert store.interrupt(first.id) is None
    assert store.claim_run(again.id) is not None
    assert [run.state for run in store.runs(1)] == ["running", "interrupted"]


def test_a_claim_takes_the_place_of_a_dead_run(store: RunStore, engine: Engine) -> None:
    first = add(store)
    store.claim_run(first.id)
    second = add(store)
    let_time_pass(engine, first.id, 31)
    assert store.claim_run(second.id) is not None
    assert [run.state for run in store.runs(1)] == ["running", "interrupted"]


def test_a_process_that_comes_back_learns_that_its_run_was_given_away(store: RunStore) -> None:
    run = add(store)
    store.claim_run(run.id)
    assert store.beat(run.id)
    store.interrupt(run.id)
    assert not store.beat(run.id)
    assert not store.report(run.id, "train", 1, 10, 0.5, 12.0)
    assert not store.finish(run.id, "finished", decision="promoted", version=1)
    assert store.runs(1)[1].decision is None


def test_a_run_that_kills_its_process_is_repeated_ever_later(store: RunStore) -> None:
    run, delays = add(store), []
    for _ in range(8):
        with_time = store.claim_run(run.id)
        assert with_time is not None
        again = store.interrupt(run.id)
        assert again is not None
        wait = again.not_before - datetime.now(timezone.utc) if again.not_before else timedelta(0)
        delays.append(round(wait.total_seconds(), -1))
        store.add_run(1, "asked for", True, "", 0)  # lifts the delay
        run = again
    assert delays[:4] == [0, 30, 120, 480]
    assert delays == sorted(delays)
    assert delays[-1] == 3600


def test_progress_can_be_read_while_it_runs(store: RunStore) -> None:
    run = add(store)
    store.claim_run(run.id)
    assert store.report(run.id, "train", 30, 120, 0.25, 45.5)
    seen = store.run(run.id)
    assert seen is not None
    assert (seen.stage, seen.step, seen.steps, seen.loss, seen.eta_seconds) == ("train", 30, 120, 0.25, 45.5)
    store.finish(run.id, "finished", "promoted", 4, "better", "abc")
    seen = store.run(run.id)
    assert seen is not None
    assert (seen.state, seen.decision, seen.version, seen.message) == ("finished", "promoted", 4, "better")
    assert seen.mlflow_run_id == "abc"
    assert seen.finished_at is not None


def test_what_was_learned_is_that_of_the_last_finished_run(store: RunStore) -> None:
    assert store.learned(1) == {}
    first = add(store)
    store.claim_run(first.id)
    store.record_learned(first.id, {1: "a", 2: "b"})
    assert store.learned(1) == {}
    store.finish(first.id, "finished", "kept")
    assert store.learned(1) == {1: "a", 2: "b"}
    second = add(store)
    store.claim_run(second.id)
    store.record_learned(second.id, {1: "a", 3: "c"})
    store.finish(second.id, "failed", message="disk full")
    assert store.learned(1) == {1: "a", 2: "b"}
    third = add(store)
    store.claim_run(third.id)
    store.record_learned(third.id, {3: "c"})
    store.finish(third.id, "finished", "promoted", 2)
    assert store.learned(1) == {3: "c"}


def test_promotions_are_kept_in_order(store: RunStore) -> None:
    first = store.add_promotion(1, 3, None, "gate", "entity F1 0.81 → 0.87")
    second = store.add_promotion(1, None, 3, "cli", "rolled back")
    store.add_promotion(2, 1, None, "gate", "better")
    assert store.promotions(1) == [second, first]
    assert (second.version, second.previous, second.by) == (None, 3, "cli")


def _claim(url: str, run_id: int, results: "multiprocessing.Queue[bool]") -> None:
    results.put(RunStore(open_engine(url)).claim_run(run_id) is not None)


def test_of_several_processes_one_gets_the_run(store: RunStore, store_url: str) -> None:
    run = add(store)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=_claim, args=(store_url, run.id, results)) for _ in range(3)]
    for process in processes:
        process.start()
    claimed = [results.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(60)
    assert sorted(claimed) == [False, False, True]


def test_what_a_sentence_was_made_of_stays_with_a_run_and_a_promotion(store: RunStore):
    why = say("entity F1 {after:.3f} after {before:.3f}", after=0.8, before=0.7)
    run = add(store)
    store.claim_run(run.id)
    store.finish(run.id, "finished", "promoted", 4, why)
    store.add_promotion(run.project_id, 4, None, "gate", why)
    seen, promoted = store.run(run.id).message, store.promotions(run.project_id)[0].reason
    assert seen == promoted == "entity F1 0.800 after 0.700"
    assert isinstance(seen, Words)
    assert isinstance(promoted, Words)
    assert seen.values == promoted.values == {"after": 0.8, "before": 0.7}
