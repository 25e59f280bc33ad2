"""What can happen with PostgreSQL only: connections that are gone, writers that meet, text that it cannot hold."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import pytest
from sqlalchemy import Engine, text

from ml_backend.store.annotations import LearningStore
from ml_backend.store.engine import StoreError, lock_for_writing, store_time, writing
from ml_backend.store.events import Store
from ml_backend.store.records import Correction
from ml_backend.store.runs import RunStore
from ml_backend.store.task_scores import Ranked, TaskOrder, TaskScores
from tests.ml_backend.store.test_annotations import annotation
from tests.ml_backend.store.test_task_scores import scored

NOW = datetime(2025, 5, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    store = Store(postgres_url)
    yield store
    store.close()


def cut_connections(engine: Engine) -> None:
    """End all sessions but the one that does so, as a server that is started again."""
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
    with engine.connect() as connection:
        connection.execute(text(others + "current_database()"))


def test_what_a_machine_held_that_is_gone_is_let_go_of_soon(store: Store) -> None:
    with store.engine.connect() as connection:
        assert connection.scalar(text("SHOW idle_in_transaction_session_timeout")) == "1min"
        assert connection.scalar(text("SHOW lock_timeout")) == "30s"
        assert connection.scalar(text("SHOW tcp_keepalives_idle")) == "10"


def test_connections_that_the_server_has_closed_are_replaced(store: Store) -> None:
    store.add_event({"n": 1}, action="A", received_at=NOW)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: store.add_event({"n": n}, action="A"), range(2, 6)))
    cut_connections(store.engine)
    store.add_event({"n": 6}, action="A")
    assert len(store.pending_events()) == 6


def test_a_connection_that_breaks_in_the_middle_is_one_error_and_nothing_is_kept_by_half(store: Store) -> None:
    def write() -> None:
        with writing(store.engine) as connection:
            connection.execute(text("INSERT INTO projects (id, sync_asked) VALUES (1, false)"))
            cut_connections(store.engine)
            connection.execute(text("INSERT INTO projects (id, sync_asked) VALUES (2, false)"))

    with pytest.raises(StoreError, match="cannot be written"):
        write()
    assert LearningStore(store.engine).projects() == []


def test_a_lock_that_is_held_too_long_is_an_error_for_who_waits(store: Store) -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with writing(store.engine) as connection:
            lock_for_writing(connection, 3)
            held.set()
            done.wait(20)

    def wait() -> None:
        with writing(store.engine) as connection:
            connection.execute(text("SET LOCAL lock_timeout = '200ms'"))
            lock_for_writing(connection, 3)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    try:
        with pytest.raises(StoreError):
            wait()
    finally:
        done.set()
        thread.join(10)


def at_once(*works: Callable[[], object], times: int = 15) -> None:
    """Do works beside each other, again and again; raise what any of them raised."""
    barrier = threading.Barrier(len(works))

    def repeat(work: Callable[[], object]) -> None:
        barrier.wait(20)
        for _ in range(times):
            work()

    with ThreadPoolExecutor(len(works)) as pool:
        for future in [pool.submit(repeat, work) for work in works]:
            future.result(60)


def test_workers_that_score_note_and_order_the_same_tasks_never_block_each_other(store: Store) -> None:
    scores = TaskScores(store.engine)
    tasks = list(range(1, 31))
    order = TaskOrder(3, "v1", "margin", "", NOW, len(tasks), 0, 0)
    at_once(
        lambda: scores.remember(3, [scored(task) for task in tasks]),
        lambda: scores.remember(3, [scored(task) for task in reversed(tasks)]),
        lambda: scores.shown(3, {task: (task, 0.5) for task in reversed(tasks)}),
        lambda: scores.place(order, [Ranked(task, 1.0, task, False) for task in reversed(tasks)]),
    )
    assert len(scores.scores(3)) == len(tasks)


def test_two_syncs_of_the_same_annotations_never_block_each_other_and_the_newest_stays(store: Store) -> None:
    learning = LearningStore(store.engine)
    old = [(annotation(number), [Correction("text", "a", text_after="old")]) for number in range(1, 21)]
    new = [
        (annotation(number, updated_at=NOW.replace(hour=13)), [Correction("text", "a", text_after="new")])
        for number in range(20, 0, -1)
    ]
    events = [store.add_event({"n": n}, action="A", project_id=1).id for n in range(20)]
    at_once(
        lambda: learning.save(old),
        lambda: learning.save(new),
        lambda: store.mark_processed(events),
        lambda: store.mark_processed(reversed(events)),
    )
    assert {item.updated_at.hour for item in learning.annotations(range(1, 21))} == {13}
    assert {item.text_after for n in range(1, 21) for item in learning.corrections(n)} == {"new"}


def test_a_run_that_is_given_up_while_the_next_is_claimed_blocks_nobody(store: Store) -> None:
    runs = RunStore(store.engine)

    def claim() -> None:
        for run in runs.due_runs():
            runs.claim_run(run.id)

    def give_up() -> None:
        for run in runs.runs(1, limit=3):
            if run.state == "running":
                runs.interrupt(run.id)

    at_once(lambda: runs.add_run(1, "asked for", True, "f", 1), claim, give_up, claim, give_up)
    assert [run.state for run in runs.runs(1)].count("running") <= 1


def test_text_that_postgresql_cannot_hold_is_kept_with_a_mark_in_its_place(store: Store) -> None:
    learning = LearningStore(store.engine)
    learning.save(
        [(annotation(model_version="v" * 300), [Correction("text", "a", text_before="A\0B", text_after="\ud800")])]
    )
    (found,) = learning.corrections(1)
    assert (found.text_before, found.text_after) == ("A\ufffdB", "\ufffd")
    event = store.add_event({"text": "A\0B\ud800"}, action="A")
    assert store.payload(event.id) == {"text": "A\0B\ud800"}


def test_the_time_of_leases_is_the_stores(store: Store) -> None:
    with writing(store.engine) as connection:
        assert abs((store_time(connection) - datetime.now(timezone.utc)).total_seconds()) < 60
