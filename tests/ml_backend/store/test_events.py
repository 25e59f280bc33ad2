"""The store keeps events for good and readings for reuse."""

import multiprocessing
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from ml_backend.store.engine import StoreError, ValueTooLargeError, open_engine
from ml_backend.store.events import Store
from ml_backend.store.tables import Base
from model.document.codec import PageCodecError, decode_page, encode_page
from model.document.types import Box, Line, Page, Word

NOW = datetime(2025, 5, 1, 12, tzinfo=timezone.utc)

coordinates = st.floats(-1e6, 1e6)
scores = st.floats(0, 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x0, y0 = draw(coordinates), draw(coordinates)
    return Box(x0, y0, x0 + draw(st.floats(0.5, 1e4)), y0 + draw(st.floats(0.5, 1e4)))


words = st.builds(Word, texts, boxes(), scores)
points = st.tuples(coordinates, coordinates)
lines = st.builds(
    Line,
    texts,
    st.lists(points, min_size=4, max_size=8).map(tuple),
    scores,
    st.lists(words, min_size=1, max_size=4).map(tuple),
    st.none() | scores,
)
pages = st.builds(Page, st.integers(1, 20_000), st.integers(1, 20_000), st.lists(lines, max_size=4).map(tuple))


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a store that does not exist yet, nor the folder or the tables that it needs."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'folder' / 'store.sqlite3'}"
    return str(request.getfixturevalue("empty_postgres"))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = Store(store_url)
    yield store
    store.close()


def page_of(text: str) -> Page:
    box = Box(1, 2, 30, 14)
    return Page(100, 50, (Line(text, box.polygon(), 0.9, (Word(text, box, 0.9),)),))


@given(pages)
def test_a_page_survives_the_way_to_json_and_back(page: Page) -> None:
    assert decode_page(encode_page(page)) == page


def test_a_page_that_was_kept_before_engines_told_margins_is_still_read() -> None:
    old = '{"format":1,"width":9,"height":9,"lines":[["a",0.5,[[0,0],[9,0],[9,9],[0,9]],[["a",0.5,0,0,9,9]]]]}'
    (line,) = decode_page(old).lines
    assert (line.text, line.margin) == ("a", None)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 0}', '{"format":1,"width":1,"height":1,"lines":[["a"]]}'])
def test_damaged_pages_are_refused(text: str) -> None:
    with pytest.raises(PageCodecError):
        decode_page(text)


def test_a_page_is_found_by_image_and_engine_version_only(store: Store) -> None:
    store.put("a", "engine-1", page_of("one"))
    assert store.get("a", "engine-1") == page_of("one")
    assert store.get("a", "engine-2") is None
    assert store.get("b", "engine-1") is None


def test_a_page_put_again_replaces_the_first(store: Store) -> None:
    store.put("a", "engine-1", page_of("one"))
    store.put("a", "engine-1", page_of("two"))
    assert store.get("a", "engine-1") == page_of("two")


def test_a_damaged_row_of_the_cache_is_a_miss(store: Store) -> None:
    store.put("a", "engine-1", page_of("one"))
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE pages SET page = 'damaged'"))
    assert store.get("a", "engine-1") is None


def test_an_event_outlives_the_process(store: Store, store_url: str) -> None:
    payload = {"action": "ANNOTATION_CREATED", "annotation": {"id": 5, "text": "Иван"}}
    event = store.add_event(
        payload, action="ANNOTATION_CREATED", project_id=2, task_ids=[8], annotation_ids=[5], received_at=NOW
    )
    store.close()
    assert Store(store_url).pending_events() == [event]
    assert event.payload == payload
    assert (event.project_id, event.task_ids, event.annotation_ids) == (2, (8,), (5,))
    assert event.received_at == NOW
    assert event.duplicate_of is None


def test_an_event_that_comes_over_two_webhooks_counts_once(store: Store) -> None:
    first = store.add_event({"a": 1, "b": 2}, action="ANNOTATION_CREATED", received_at=NOW)
    second = store.add_event({"b": 2, "a": 1}, action="ANNOTATION_CREATED", received_at=NOW + timedelta(seconds=2))
    third = store.add_event({"a": 1, "b": 2}, action="ANNOTATION_CREATED", received_at=NOW + timedelta(seconds=3))
    assert (second.duplicate_of, third.duplicate_of) == (first.id, first.id)
    assert store.pending_events() == [first]


def test_asking_for_training_again_later_is_a_new_event(store: Store) -> None:
    first = store.add_event({"action": "START_TRAINING"}, action="START_TRAINING", received_at=NOW)
    later = store.add_event(
        {"action": "START_TRAINING"}, action="START_TRAINING", received_at=NOW + timedelta(minutes=5)
    )
    assert store.pending_events() == [first, later]


def test_processed_events_are_not_pending(store: Store) -> None:
    first, second, other = (
        store.add_event({"n": n}, action="TASKS_CREATED", project_id=project) for n, project in enumerate((1, 1, 2))
    )
    store.mark_processed([first.id])
    assert store.pending_events(1) == [second]
    assert store.pending_events() == [second, other]
    assert store.pending_events(limit=1) == [second]


def test_many_threads_write_events_and_none_is_lost(store: Store) -> None:
    def write(thread: int) -> None:
        for number in range(10):
            store.add_event({"thread": thread, "number": number}, action="TASKS_CREATED")

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(store.pending_events()) == 80


def test_equal_events_at_the_same_moment_have_one_original(store: Store) -> None:
    barrier, found = threading.Barrier(6), []

    def write() -> None:
        barrier.wait(10)
        found.append(store.add_event({"same": True}, action="TASKS_CREATED"))

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [event.duplicate_of for event in found].count(None) == 1


def _open_and_write(url: str, number: int) -> None:
    Store(url).add_event({"process": number}, action="TASKS_CREATED")


@pytest.mark.usefixtures("databases_are_made")
def test_processes_that_start_at_once_migrate_once(new_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_open_and_write, args=(new_url, number)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(Store(new_url).pending_events()) == 3


@pytest.mark.usefixtures("databases_are_made")
def test_the_migrations_build_what_the_tables_say(new_url: str) -> None:
    with open_engine(new_url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


@pytest.mark.usefixtures("databases_are_made")
def test_sqlite_keeps_what_it_has_confirmed(tmp_path: Path) -> None:
    with open_engine(f"sqlite:///{tmp_path / 'store.sqlite3'}").connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysterysql://host/db",
        "mysql://host/db",
        "postgresql://nobody@127.0.0.1:9/db",
        "sqlite:////proc/nowhere/store.sqlite3",
    ],
)
@pytest.mark.usefixtures("databases_are_made")
def test_a_store_that_cannot_be_opened_says_so(url: str) -> None:
    with pytest.raises(StoreError, match=r"DATABASE_URL|RUN_DIR"):
        Store(url)


def test_a_lost_database_is_an_error_for_events_and_a_miss_for_pages(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("DROP TABLE events"))
        connection.execute(text("DROP TABLE pages"))
    with pytest.raises(StoreError, match="cannot be written"):
        store.add_event({}, action="TASKS_CREATED")
    store.put("a", "engine-1", page_of("one"))
    assert store.get("a", "engine-1") is None


def test_a_number_that_no_column_takes_is_the_callers_mistake(store_url):
    store = Store(store_url)
    try:
        for ask in (lambda: store.payload(2**70), lambda: store.mark_processed([2**70])):
            with pytest.raises(ValueTooLargeError):
                ask()
        first = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
        with pytest.raises(ValueTooLargeError):
            store.add_event({}, action="A", received_at=first + timedelta(minutes=1))
    finally:
        store.close()
