"""What people do while the backend hears nothing is brought over later, and learned from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ml_backend.container import LearningServices, build_collector, build_learning
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.records import Prediction
from ml_backend.settings import Settings
from ml_backend.store.records import choose
from model.document.bio import FIELDS
from model.ocr import build_engine
from model.ocr.cached_reader import PageReading
from tests.e2e.conftest import System
from tests.e2e.projects import a_region, new_project, printed_cards


@dataclass
class Apart:
    """A project without any backend, so that no event is ever sent, and a store of its own."""

    client: LabelStudio
    project_id: int
    tasks: list[int]
    settings: Settings
    services: LearningServices

    def sync(self) -> tuple[int, int]:
        report = self.services.synchroniser.sync(self.project_id, compare=True)
        return report.changed, report.deleted

    def counting(self) -> dict[int, int]:
        """By task, the annotation that counts."""
        return {task: head.id for task, head in choose(self.services.learning.heads(self.project_id)).items()}

    def annotate(self, task: int, text: str, **more: object) -> int:
        body = {"result": a_region(text), **more}
        return int(self.client.session.request("POST", f"api/tasks/{task}/annotations/", json=body)["id"])

    def change(self, annotation: int, **changes: object) -> None:
        self.client.session.request("PATCH", f"api/annotations/{annotation}", json=changes)

    def delete(self, annotation: int) -> None:
        self.client.session.request("DELETE", f"api/annotations/{annotation}")


@pytest.fixture(scope="module")
def apart(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    folder = tmp_path_factory.mktemp("apart")
    project_id = new_project(system.client)
    tasks = system.client.upload_files(project_id, printed_cards(folder, 5))
    settings = Settings(
        _env_file=None,
        run_dir=folder,
        training_data_dir=folder / "data",
        label_studio_url=system.url,
        label_studio_api_key=system.api_key,
        min_training_samples=2,
        retrain_after=2,
    )
    services = build_learning(settings)
    yield Apart(system.client, project_id, tasks, settings, services)
    services.close()


def test_what_was_done_while_nobody_listened_is_brought_over(apart: Apart) -> None:
    first, second, third, fourth, fifth = apart.tasks
    (prediction,) = apart.client.create_predictions([Prediction(first, "v1", a_region("Maria", "COMPANY"), 0.5)])
    started = apart.annotate(first, "Maria Petrova", parent_prediction=prediction)
    changed = apart.annotate(second, "Maria")
    deleted = apart.annotate(third, "Maria")
    skipped = apart.annotate(fourth, "", was_cancelled=True)
    apart.client.session.request("POST", f"api/tasks/{fifth}/drafts", json={"result": a_region("Maria")})
    assert apart.sync() == (4, 0)
    assert apart.counting() == {first: started, second: changed, third: deleted}

    # The prediction goes, but what the person started from stays known.
    apart.client.delete_predictions([prediction])
    apart.change(changed, result=a_region("Maria Petrova"))
    apart.delete(deleted)
    truth = apart.annotate(second, "The truth", ground_truth=True)
    newest = apart.annotate(second, "Newest")
    assert apart.sync() == (3, 1)
    assert apart.counting() == {first: started, second: truth}
    heads = {head.id: head for head in apart.services.learning.heads(apart.project_id)}
    assert set(heads) == {started, changed, skipped, truth, newest}, "who disagreed is remembered"
    kept = {found.id: found for found in apart.services.learning.annotations(heads)}
    assert kept[changed].result[2]["value"]["text"] == ["Maria Petrova"]
    assert (kept[started].model_version, kept[started].cost) == ("v1", 2)
    assert {found.kind for found in apart.services.learning.corrections(started)} == {"text", "field"}
    assert kept[skipped].was_cancelled

    apart.change(truth, ground_truth=False)
    apart.change(newest, result=a_region("Newest of all"))
    assert apart.sync() == (2, 0)
    assert apart.counting()[second] == newest

    assert apart.sync() == (0, 0)
    assert [run.reason for run in apart.services.runs.runs(apart.project_id)] == ["3 changed documents"]


def test_events_are_answered_by_what_label_studio_says_and_not_by_what_they_say(apart: Apart) -> None:
    task = apart.tasks[4]
    made = apart.annotate(task, "Maria")
    store = apart.services.store
    for number in range(3):
        event = {"action": "ANNOTATIONS_DELETED", "n": number}
        store.add_event(event, action="ANNOTATIONS_DELETED", project_id=apart.project_id, annotation_ids=[made])
    report = apart.services.synchroniser.sync(apart.project_id)
    assert (report.changed, report.deleted, report.events) == (1, 0, 3)
    assert apart.counting()[task] == made
    assert store.pending_heads(apart.project_id) == []


def test_annotated_cards_become_words_with_tags_and_lines_with_transcripts(apart: Apart) -> None:
    engine = build_engine(apart.settings.ocr_engine, models_dir=None, threads=1)
    store = apart.services.store
    reader = PageReading(engine, max_image_bytes=10_000_000, max_image_pixels=10_000_000, cache=store)
    collector = build_collector(apart.settings, store, apart.client, reader)
    config = parse_label_config(apart.client.project(apart.project_id).label_config)
    task = apart.tasks[4]
    collected = collector.collect(apart.project_id, config, FIELDS)
    (example,) = (example for example in collected.examples if example.task_id == task)
    tagged = [(word.text, tag) for word, tag in zip(example.page.words, example.tags) if tag != "O"]
    # The name is printed in the upper left, where the test's region is.
    assert tagged == [("Maria", "B-NAME"), ("Petrova", "I-NAME")]
    assert "Engineer" in {word.text for word in example.page.words}
    assert collected.problems == ()
    assert set(collected.digests) == set(apart.counting())
    assert [sample.text for sample in example.lines] == ["Maria"]
