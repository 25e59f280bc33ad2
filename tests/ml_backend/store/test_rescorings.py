"""Which file each task's image is, and how far open tasks were scored."""

import pytest

from ml_backend.label_studio.label_config import PageId
from ml_backend.store.engine import open_engine
from ml_backend.store.rescorings import RescoringStore, TaskImage


@pytest.fixture
def store(store_url: str) -> RescoringStore:
    return RescoringStore(open_engine(store_url))


def test_images_are_found_by_task(store: RescoringStore) -> None:
    front, back = TaskImage("/data/a.png", "key-a"), TaskImage("/data/b.png", "key-b")
    store.remember_images(1, 10, {PageId("front"): front, PageId("back"): back})
    store.remember_images(1, 11, {PageId("front"): back})
    store.remember_images(2, 10, {PageId("front"): back})
    assert store.task_images(1, [10, 99]) == {10: {PageId("front"): front, PageId("back"): back}}
    assert store.task_images(1) == {10: {PageId("front"): front, PageId("back"): back}, 11: {PageId("front"): back}}


def test_the_pages_of_a_list_are_kept_apart_and_in_order(store: RescoringStore) -> None:
    pages = {PageId("page", index): TaskImage(f"/data/{index}.png", f"key-{index}") for index in range(12)}
    store.remember_images(1, 10, dict(reversed(pages.items())))
    assert list(store.task_images(1, [10])[10].items()) == list(pages.items())


def test_an_image_that_changed_replaces_the_old(store: RescoringStore) -> None:
    store.remember_images(1, 10, {PageId("front"): TaskImage("/data/a.png", "old")})
    store.remember_images(1, 10, {PageId("front"): TaskImage("/data/a.png", "new")})
    assert store.task_images(1, [10])[10][PageId("front")].image_key == "new"


def test_more_tasks_are_asked_for_than_a_statement_holds(store: RescoringStore) -> None:
    for task in range(1, 4):
        store.remember_images(1, task * 1000, {PageId("image"): TaskImage("u", str(task))})
    assert sorted(store.task_images(1, range(1, 3001))) == [1000, 2000, 3000]


def test_a_new_version_begins_anew_and_the_old_one_finds_out(store: RescoringStore) -> None:
    assert store.rescoring(1) is None
    store.begin_rescoring(1, "v1")
    assert store.count_pushed(1, "v1", 50)
    assert store.count_pushed(1, "v1", 7)
    found = store.rescoring(1)
    assert found is not None
    assert (found.version, found.pushed, found.finished_at) == ("v1", 57, None)
    store.begin_rescoring(1, "v2")
    assert not store.count_pushed(1, "v1", 1)
    assert not store.finish_rescoring(1, "v1")
    assert store.finish_rescoring(1, "v2")
    found = store.rescoring(1)
    assert found is not None
    assert found.pushed == 0
    assert found.finished_at is not None
