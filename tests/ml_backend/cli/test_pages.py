"""A task with a list of pages: each is read, corrected and learned from in its own place."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text as sql

from ml_backend.label_studio.label_config import PageId, parse_label_config
from ml_backend.label_studio.records import Task
from ml_backend.learn.annotation_diff import diff
from ml_backend.learn.dataset import Collected, Collector
from ml_backend.learn.evaluation import evaluate
from ml_backend.learn.page_source import PageSource
from ml_backend.learn.sample_files import SampleFolder
from ml_backend.learn.sample_io import ImageLimits, SampleReader, SampleWriter
from ml_backend.learn.training_run import documents_of, split
from ml_backend.observability.metrics import Metrics
from ml_backend.order.scoring import ScoringServices, score
from ml_backend.predict.service import Batch
from ml_backend.predict.serving_models import ServingModels, SoleModel
from ml_backend.predict.task_predictor import TaskPredictor, TooManyPagesError
from ml_backend.predict.uncertainty import embedding_of, signals_of
from ml_backend.store.annotations import LearningStore
from ml_backend.store.engine import open_engine
from ml_backend.store.events import Store
from ml_backend.store.records import StoredAnnotation
from ml_backend.store.rescorings import RescoringStore
from model.document.bio import FIELDS
from model.document.images import image_key
from model.document.types import Document
from model.errors import ImageError
from model.evaluation.entity_metrics import total
from model.evaluation.extractor_gate import held_out
from model.extraction.extractor import Extractor
from model.extraction.training import Example
from model.pipeline import SHIPPED_WEIGHTS
from tests.ml_backend.backend import RECTANGLES, ImageTable, SteppingClock, build_backend
from tests.ml_backend.jobs.label_studio import MemoryLabelStudio
from tests.ml_backend.label_studio.results import region
from tests.ml_backend.learn.test_dataset import PAGE, TableReader
from tests.ml_backend.learn.test_sample_io import picture
from tests.ml_backend.predict.test_service import TextReader

PAGED = RECTANGLES.replace('value="$image"', 'valueList="$pages"')
CONFIG = parse_label_config(PAGED)
NOW = datetime(2025, 5, 1, 12, tzinfo=timezone.utc)
BOX = (98, 48, 325, 82)


def task_of(*urls: object, number: int = 8) -> Task:
    return Task(number, 2, {"pages": list(urls)}, is_labeled=False)


def texts_by_page(result: list[dict[str, object]]) -> dict[int, str]:
    return {part["item_index"]: part["value"]["text"][0] for part in result if part["type"] == "textarea"}  # type: ignore[index, misc]


def on_page(index: int, name: str, text: str, label: str | None = "NAME") -> list[dict[str, object]]:
    return [part | {"item_index": index} for part in region(name, BOX, text, label)]


class Revisiting(TextReader):
    """Remembers what it has read, by key, as the pipeline does; counts what it reads."""

    def __init__(self, clock: SteppingClock | None = None) -> None:
        super().__init__(clock)
        self.kept: dict[str, Document] = {}
        self.reads = 0

    def predict(self, data: bytes) -> Document:
        if (document := self.kept.get(image_key(data))) is None:
            self.reads += 1
            document = self.kept[image_key(data)] = super().predict(data)
        return document

    def revisit(self, key: str) -> Document | None:
        return self.kept.get(key)


# Predicting


def predictor(images: ImageTable, memory: RescoringStore | None = None, **more: int) -> TaskPredictor:
    return TaskPredictor(images, Metrics(CollectorRegistry()), memory, **more)


def test_all_pages_are_predicted_in_their_order_an_entry_without_an_address_keeps_its_place() -> None:
    images = ImageTable(a=b"Ada", b=b"Grace")
    (made,) = predictor(images).predict(task_of("a", None, "b"), CONFIG, ServingModels(2, TextReader()))
    assert texts_by_page(made["result"]) == {0: "Ada", 2: "Grace"}
    assert images.asked == ["a", "b"]


def test_a_page_that_is_no_image_is_left_out_unless_it_is_the_only_one() -> None:
    some = predictor(ImageTable(a=b"Ada", broken=b"image"))
    (made,) = some.predict(task_of("broken", "a"), CONFIG, ServingModels(2, TextReader()))
    assert texts_by_page(made["result"]) == {1: "Ada"}
    with pytest.raises(ImageError):
        some.predict(task_of("broken", "broken"), CONFIG, ServingModels(2, TextReader()))


def test_a_task_with_too_many_pages_says_so_before_anything_is_fetched() -> None:
    images = ImageTable(a=b"Ada")
    with pytest.raises(TooManyPagesError, match=r"has 4 pages; the limit is 3 \(MAX_PAGES\)"):
        predictor(images, max_pages=3).predict(task_of(*"aaaa"), CONFIG, ServingModels(2, TextReader()))
    assert images.asked == []


def test_only_pages_that_nobody_has_read_are_fetched_for_another_version(tmp_path: Path) -> None:
    memory = RescoringStore(open_engine(f"sqlite:///{tmp_path / 'store.sqlite3'}"))
    images, reader = ImageTable(a=b"Ada", b=b"Grace", c=b"Mary"), Revisiting()
    some = predictor(images, memory)
    some.predict(task_of("a", "b"), CONFIG, ServingModels(2, reader))
    images.asked.clear()
    known = memory.task_images(2)[8]
    documents = some.read_again(task_of("a", "c", "b"), CONFIG, reader, known, 2)
    assert [page.item_index for page in documents] == [0, 1, 2]
    # The second page has another address now, and what was the second is the third: nobody knows that yet.
    assert images.asked == ["c", "b"]
    assert {page.item_index: image.url for page, image in memory.task_images(2)[8].items()} == {0: "a", 1: "c", 2: "b"}


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


def test_a_long_document_is_left_to_the_background_and_costs_the_others_nothing(
    make_settings: Callable[..., object], clock: SteppingClock
) -> None:
    images = ImageTable(slow=b"slow", a=b"Ada")
    backend = build_backend(make_settings(predict_budget_seconds=80), TextReader(clock), None, images, clock=clock)  # type: ignore[arg-type]
    tasks = [task_of(*["slow"] * 50, number=1), task_of("a", number=2)]
    answers, _ = backend.services.predictions.predict(Batch(tasks, PAGED, 2))
    # After the first page of 30 s it is plain that fifty do not fit.
    assert answers[0] == []
    assert texts_by_page(answers[1]["result"]) == {0: "Ada"}  # type: ignore[call-overload]
    assert clock.now == 30
    assert backend.queue.jobs == [(2, 1)]
    assert images.asked.count("slow") < 10


def test_pages_that_do_not_fit_into_the_time_are_kept_for_the_next_try(
    make_settings: Callable[..., object], clock: SteppingClock
) -> None:
    images = ImageTable(**{f"p{n}": f"slow {n}".encode() for n in range(5)})
    reader = Revisiting(clock)
    backend = build_backend(make_settings(predict_budget_seconds=80), reader, None, images, clock=clock)  # type: ignore[arg-type]
    batch = Batch([task_of(*images.images)], PAGED, 2)
    tries = 0
    while not backend.services.predictions.predict(batch)[0][0]:
        tries += 1
        assert tries < 6
    assert tries > 0
    assert reader.reads == 5


@dataclass
class RestQueue:
    """Remembers what was left."""

    jobs: list[tuple[int, int, int]] = field(default_factory=list)

    def enqueue_rest(self, project_id: int, task_id: int, done: int) -> bool:
        self.jobs.append((project_id, task_id, done))
        return True


def test_the_background_job_reads_a_long_document_in_turns(clock: SteppingClock) -> None:
    images = ImageTable(**{f"p{n}": f"slow {n}".encode() for n in range(5)})
    reader, queue = Revisiting(clock), RestQueue()
    label_studio = MemoryLabelStudio(task_of(*images.images), label_config=PAGED)
    services = ScoringServices(label_studio, SoleModel(reader), predictor(images), queue, clock)
    # 30 s a page, 60 s a turn.
    assert score(services, 2, 8) == "continued"
    assert queue.jobs == [(2, 8, 2)]
    while queue.jobs and score(services, *queue.jobs.pop()) == "continued":
        assert reader.reads <= 5
    (prediction,) = label_studio.task(8).predictions
    assert list(texts_by_page(prediction.result)) == [0, 1, 2, 3, 4]  # type: ignore[arg-type]
    assert reader.reads == 5


def test_a_turn_gets_on_even_if_what_was_read_takes_all_of_its_time(clock: SteppingClock) -> None:
    images = ImageTable(slow=b"slow")
    queue = RestQueue()
    label_studio = MemoryLabelStudio(task_of(*["slow"] * 4), label_config=PAGED)
    # Nothing is kept: each turn reads all again.
    services = ScoringServices(label_studio, SoleModel(TextReader(clock)), predictor(images), queue, clock)
    assert score(services, 2, 8) == "continued"
    assert score(services, *queue.jobs[-1]) == "continued"
    assert [done for *_, done in queue.jobs] == [2, 3]
    assert score(services, *queue.jobs[-1]) == "pushed"


# What is kept of a document


def test_signals_and_embedding_are_those_of_all_pages() -> None:
    one, two = TextReader().predict(b"Ada"), TextReader().predict(b"Grace")
    blank = replace(one, page=replace(one.page, lines=()), score=0.0)
    pages = [
        replace(one, embedding=np.array([1, 0], np.float32)),
        replace(blank, embedding=np.array([9, 9], np.float32)),
        replace(two, embedding=np.array([0, 1], np.float32)),
    ]
    signals = signals_of(pages)
    assert (signals.words, len(signals.line_scores), signals.pages) == (2, 2, 2)
    assert signals.expected_corrections == pytest.approx(2.0)
    assert type(signals).from_json(json.loads(json.dumps(signals.to_json()))) == signals
    assert embedding_of(pages) == pytest.approx([0.5, 0.5])
    assert embedding_of([blank]) is None


# Corrections


def test_a_correction_says_on_which_page(tmp_path: Path) -> None:
    before = [part for page in range(5) for part in on_page(page, f"r{page}", "Maria Petrova")]
    after = [part for part in before if part["id"] not in ("r3", "r2")] + on_page(2, "r2", "Mario Petrova")
    found = diff(before, after, CONFIG)
    assert [(item.kind, item.item_index) for item in found] == [("text", 2), ("deleted", 3)]

    learning = LearningStore(open_engine(f"sqlite:///{tmp_path / 'store.sqlite3'}"))
    learning.save([(annotation(after), found)])
    assert learning.corrections(1) == list(found)


def test_a_region_drawn_again_on_another_page_is_another_region() -> None:
    found = diff(on_page(0, "a", "Maria"), on_page(1, "b", "Maria"), CONFIG)
    assert [(item.kind, item.item_index) for item in found] == [("added", 1), ("deleted", 0)]


# Learning


def annotation(result: object, *urls: str, number: int = 1) -> StoredAnnotation:
    return StoredAnnotation(
        number, 1, number, 7, result, False, False, NOW, NOW, {"pages": list(urls)}  # type: ignore[arg-type]
    )  # fmt: skip


def collect(folder: Path, images: Mapping[str, bytes], *annotations: StoredAnnotation) -> Collected:
    store = Store(f"sqlite:///{folder / 'store.sqlite3'}")
    learning = LearningStore(store.engine)
    learning.save([(each, []) for each in annotations])
    reader = TableReader(store, one=PAGE, two=PAGE, three=PAGE, broken=ImageError("The image file is broken."))
    pages = PageSource(RescoringStore(store.engine), ImageTable(**images), reader, {}.__getitem__)
    return Collector(learning, pages).collect(1, CONFIG, FIELDS)


IMAGES = {name: name.encode() for name in ("one", "two", "three", "broken")}


def test_each_annotated_page_is_an_example_with_its_own_lines(tmp_path: Path) -> None:
    result = on_page(0, "a", "Maria Petrova") + on_page(2, "b", "Mario Petrova", "COMPANY")
    collected = collect(tmp_path, IMAGES, annotation(result, "one", "two", "three"))
    assert [(each.item_index, each.tags, each.image_key) for each in collected.examples] == [
        (0, ("B-NAME", "I-NAME"), image_key(b"one")),
        (2, ("B-COMPANY", "I-COMPANY"), image_key(b"three")),
    ]
    assert [sample.text for each in collected.examples for sample in each.lines] == ["Maria Petrova", "Mario Petrova"]
    assert collected.problems == ()


def test_a_page_that_cannot_be_used_does_not_cost_the_others(tmp_path: Path) -> None:
    result = on_page(0, "a", "Maria Petrova") + on_page(1, "b", "Mario Petrova")
    collected = collect(tmp_path, IMAGES, annotation(result, "one", "broken"))
    assert [each.item_index for each in collected.examples] == [0]
    (problem,) = collected.problems
    assert problem.reason.startswith("Page 2: ")
    assert set(collected.digests) == {1}


def test_the_pages_of_a_document_are_learned_from_or_held_out_together(tmp_path: Path) -> None:
    annotations = [
        annotation(on_page(0, "a", "Maria Petrova") + on_page(1, "b", "Mario Petrova"), "one", "two", number=number)
        for number in range(1, 31)
    ]
    collected = collect(tmp_path, IMAGES, *annotations)
    documents = documents_of(collected)
    shared = split(documents, held_out(1, documents, least=4), np.random.default_rng(1))
    learned = (shared.taught, shared.valid)
    assert all(len(part) % 2 == 0 for part in learned)
    assert all(len(pages) == 2 for pages in shared.held_out), "the gate counts documents, not pages"
    assert len(shared.held_out) >= 4
    assert sum(map(len, (*learned, *shared.held_out))) == 60


def test_the_gate_counts_the_pages_of_a_document_as_one(tmp_path: Path) -> None:
    pages = on_page(0, "a", "Maria Petrova") + on_page(1, "b", "Mario Petrova")
    collected = collect(tmp_path, IMAGES, annotation(pages, "one", "two"))
    document = [Example(each.page, each.tags) for each in collected.examples]
    extractor = Extractor.load(SHIPPED_WEIGHTS)
    apart = evaluate(extractor, [[page] for page in document], ["NAME"], {})
    together = evaluate(extractor, [document], ["NAME"], {})
    assert [counts["NAME"].wanted for counts in apart.counts] == [1, 1]
    assert [counts["NAME"].wanted for counts in together.counts] == [2]
    assert total(together.counts) == total(apart.counts)
    assert together.confusion == apart.confusion


# Samples


def test_the_pages_of_a_document_go_out_and_come_back_as_one(tmp_path: Path) -> None:
    learning = LearningStore(open_engine(f"sqlite:///{tmp_path / 'store.sqlite3'}"))
    result = on_page(0, "a", "Мария Петрова") + on_page(2, "b", "Анна Иванова", "COMPANY")
    learning.save([(annotation(result, "one", "two", "three"), []), (annotation(result, "two", number=2), [])])
    folder = SampleFolder(tmp_path / "data")
    images = ImageTable(one=picture(10), two=picture(20), three=picture(30))
    path, tally = SampleWriter(learning, images, folder).write(1, CONFIG)
    written = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [(sample["task_id"], sample["item_index"]) for sample in written] == [(1, 0), (1, 2), (2, 0)]
    assert (tally.done, tally.problems) == (3, [])

    reader = SampleReader(learning, folder, ImageLimits(10**7, 10**7))
    assert reader.take(path, 1, CONFIG).present == 3
    assert reader.take(path, 2, CONFIG).done == 3
    first, second = sorted(learning.annotations(head.id for head in learning.heads(2)), key=lambda each: -each.id)
    assert [len(each.task_data["pages"]) for each in (first, second)] == [2, 1]
    # Pages that nobody has annotated did not go out: what was the third is the second.
    assert texts_by_page(list(first.result)) == {0: "Мария Петрова", 1: "Анна Иванова"}  # type: ignore[arg-type]
    assert (
        diff(first.result, on_page(0, "a", "Мария Петрова") + on_page(1, "b", "Анна Иванова", "COMPANY"), CONFIG) == ()
    )
    # A project of single images takes each page by itself.
    assert reader.take(path, 3, parse_label_config(RECTANGLES)).done == 3
    assert len(learning.heads(3)) == 3


# The store


def test_what_was_known_of_images_is_that_of_the_first_page(tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    engine = open_engine(url)
    config = Config()
    config.set_main_option("script_location", "ml_backend.store:migrations")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0006")
        connection.execute(sql("INSERT INTO task_images VALUES (1, 10, 'image', '/a.png', 'key')"))
        command.upgrade(config, "head")
    found = RescoringStore(engine).task_images(1)[10]
    assert [(page, image.url) for page, image in found.items()] == [(PageId("image", 0), "/a.png")]
