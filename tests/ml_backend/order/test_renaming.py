"""What a project's annotations show is learned in seconds, and open tasks are named again by it, in place."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from ml_backend.label_studio.convert import to_prediction
from ml_backend.label_studio.label_config import PageId, parse_label_config
from ml_backend.label_studio.records import Prediction, Project, Task
from ml_backend.learn.dataset import Collector
from ml_backend.learn.page_source import PageSource
from ml_backend.learn.project_learning import ProjectLearner, trained_tasks
from ml_backend.observability.metrics import Metrics
from ml_backend.order.renaming import Renamer
from ml_backend.predict.project_naming import ProjectNamings
from ml_backend.predict.serving_models import ServingModels
from ml_backend.predict.task_predictor import TaskPredictor
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from ml_backend.store.options import ProjectOptions
from ml_backend.store.project_heads import ProjectHeads
from ml_backend.store.records import StoredAnnotation
from ml_backend.store.rescorings import RescoringStore, TaskImage
from ml_backend.store.task_scores import Ranked, TaskOrder, TaskScores
from model.document.bio import spans
from model.document.images import image_key
from model.document.types import Box, Document, Entity
from model.extraction.extractor import Extractor
from model.pipeline import SHIPPED_WEIGHTS, Pipeline
from tests.ml_backend.backend import ImageTable
from tests.model.extraction.pages import receipts, truth

PROJECT = 3
LABELS = ("SHOP", "DATE", "TIME", "TOTAL", "SUBTOTAL", "TAX")


def config_of(*labels: str) -> str:
    return """<View><Labels name="label" toName="image">{}</Labels><Image name="image" value="$image"/>
<Rectangle name="box" toName="image"/><TextArea name="text" toName="image" perRegion="true"/></View>""".format(
        "".join(f'<Label value="{label}"/>' for label in labels)
    )


class Engine:
    """Reads nothing: all pages were read before."""

    version = "engine-1"


class Board:
    def __init__(self) -> None:
        self.config = config_of(*LABELS)
        self.tasks: dict[int, Task] = {}
        self.annotated: set[int] = set()
        self.made: dict[int, Prediction] = {}

    def project(self, project_id):
        return Project(project_id, "receipts", self.config, "", "Uncertainty sampling", len(self.tasks))

    def open_tasks(self, project_id, task_ids, *, lacking=None):
        yield from (self.tasks[n] for n in task_ids if n not in self.annotated)

    def predictions(self, *, project_id=None, task_id=None):
        return [self.made[task_id]] if task_id in self.made else []

    def replace_result(self, prediction_id, result):
        (task,) = [task for task, item in self.made.items() if item.id == prediction_id]
        self.made[task] = replace(self.made[task], result=tuple(result))


class World:
    def __init__(self, store: Store, extractor: Extractor) -> None:
        self.store, self.board = store, Board()
        limits = {"max_image_bytes": 10**6, "max_image_pixels": 10**6}
        self.pipeline = Pipeline(Engine(), extractor, cache=store, **limits)
        self.heads, self.options = ProjectHeads(store.engine), ProjectOptions(store.engine)
        self.learning, self.memory = LearningStore(store.engine), RescoringStore(store.engine)
        self.scores = TaskScores(store.engine)
        self.now, self.slow = 0.0, 0.01
        self.trained: frozenset[int] = frozenset()
        self.serving = self.serving_of()
        namings = ProjectNamings(self.options, self.heads, clock=self.clock)
        self.models = SimpleNamespace(serving=lambda _project: namings.adapt(self.serving))
        images = ImageTable()
        self.predictor = TaskPredictor(images, Metrics(CollectorRegistry()), self.memory, self.scores)
        collector = Collector(self.learning, PageSource(self.memory, images, self.pipeline._pages, lambda _url: b""))
        self.learner = ProjectLearner(
            self.board, self.models, self.learning, collector, self.heads, self.options, lambda *_: self.trained
        )
        self.queued: list[int] = []
        queue = SimpleNamespace(enqueue_renaming=lambda project_id, left: self.queued.append(left))
        self.renamer = Renamer(
            self.board, self.models, self.predictor, self.memory, self.scores, queue, clock=self.clock
        )
        self.pages = dict(enumerate(receipts(12), start=1))
        for number, page in self.pages.items():
            key = image_key(f"receipt {number}".encode())
            store.put(key, Engine.version, page)
            self.board.tasks[number] = Task(number, PROJECT, {"image": f"i{number}"}, is_labeled=False)
            self.memory.remember_images(PROJECT, number, {PageId("image"): TaskImage(f"i{number}", key)})
            self.predict(number)

    def serving_of(self) -> ServingModels[Pipeline]:
        return ServingModels(PROJECT, self.pipeline)

    def clock(self) -> float:
        self.now += self.slow
        return self.now

    def predict(self, number: int) -> None:
        """Predict a task as the parts of a rescoring do."""
        task, serving = self.board.tasks[number], self.models.serving(PROJECT)
        config = parse_label_config(self.board.config)
        known = self.memory.task_images(PROJECT, [number])[number]
        documents = self.predictor.read_again(task, config, serving.champion, known, PROJECT)
        made = self.predictor.convert(documents, task, config, serving.version)
        self.board.made[number] = Prediction(task=number, id=100 + number, **made)
        self.predictor.note(documents, task, serving, made["score"])

    def annotate(self, number: int) -> None:
        """Give a receipt the labels that a person gives it."""
        page = self.pages[number]
        words = page.words
        entities = tuple(
            Entity(
                "SHOP" if field == "COMPANY" else field,
                " ".join(word.text for word in words[start:stop]),
                Box.around(word.box for word in words[start:stop]),
                1.0,
                start,
                stop,
            )
            for field, start, stop in spans(truth(page), page.line_spans())
        )
        config = parse_label_config(self.board.config)
        document = Document(page, entities, 1.0, "", "")
        result = to_prediction({PageId("image"): document}, config, model_version="")["result"]
        moment = datetime(2026, 5, 1, tzinfo=timezone.utc)
        data = {"image": f"i{number}"}
        plain = StoredAnnotation(number, PROJECT, number, 7, result, False, False, moment, moment, data)
        self.learning.save([(plain, [])])
        self.board.annotated.add(number)

    def named(self, number: int) -> dict[str, str]:
        result = self.board.made[number].result
        labels = {part["id"]: part["value"]["labels"][0] for part in result if part["type"] == "labels"}
        texts = {part["id"]: part["value"]["text"][0] for part in result if part["type"] == "textarea"}
        return {label: texts[region] for region, label in labels.items()}

    def wanted(self, number: int) -> dict[str, str]:
        page = self.pages[number]
        return {
            "SHOP" if field == "COMPANY" else field: " ".join(word.text for word in page.words[start:stop])
            for field, start, stop in spans(truth(page), page.line_spans())
        }


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor.load(SHIPPED_WEIGHTS, threads=1, runtime="onnx")


@pytest.fixture
def world(tmp_path, extractor) -> World:
    return World(Store(f"sqlite:///{tmp_path / 'store.sqlite3'}"), extractor)


def test_open_tasks_are_named_as_the_corrected_ones_were_and_their_predictions_stay_the_same_ones(world):
    before = {number: item.id for number, item in world.board.made.items()}
    assert world.learner.learn(PROJECT) == "nothing to learn from"
    for number in (1, 2, 3, 4, 5, 6):
        world.annotate(number)
    assert world.learner.learn(PROJECT) == "learned from 6 documents, used"
    world.now += 2
    shown = {number: world.board.made[number].result for number in world.board.annotated}
    assert "changed" in world.renamer.rename(PROJECT)
    for number in range(7, 13):
        assert world.named(number) == world.wanted(number)
    assert {number: item.id for number, item in world.board.made.items()} == before
    assert {number: world.board.made[number].result for number in world.board.annotated} == shown
    # Nothing is left to do, whoever looks.
    assert world.renamer.rename(PROJECT) == "nothing to name again"
    assert world.learner.learn(PROJECT) == "nothing new"


def test_a_new_task_is_named_alike_by_every_process(world):
    for number in (1, 2, 3, 4, 5, 6):
        world.annotate(number)
    world.learner.learn(PROJECT)
    world.now += 2
    world.predict(8)
    assert world.named(8) == world.wanted(8)
    other = ProjectNamings(ProjectOptions(world.store.engine), ProjectHeads(world.store.engine))
    assert other.adapt(world.serving).naming == world.models.serving(PROJECT).naming != ""


def test_those_that_people_get_next_come_first_and_the_rest_waits_its_turn(world):
    world.annotate(1)
    world.annotate(2)
    world.annotate(3)
    world.learner.learn(PROJECT)
    world.now += 2
    order = TaskOrder(PROJECT, world.serving.version, "random", "", datetime.now(timezone.utc), 9, 3, 0)
    world.scores.place(order, [Ranked(number, 1.0, place, False) for place, number in enumerate(range(12, 3, -1))])

    def left() -> list[int]:
        naming = world.models.serving(PROJECT).naming
        return world.scores.named_otherwise(PROJECT, world.serving.version, naming)

    assert left() == [*range(12, 3, -1), 1, 2, 3]
    world.slow = 2.0
    world.renamer.rename(PROJECT)
    rest = [number for number in left() if number > 3]
    assert rest == list(range(rest[0], 3, -1))
    assert 4 < rest[0] < 12
    assert len(world.queued) == 1


def test_a_deleted_annotation_is_forgotten_and_another_label_makes_it_learn_again(world):
    for number in (1, 2, 3):
        world.annotate(number)
    world.learner.learn(PROJECT)
    stamp = world.heads.stamp(PROJECT)
    world.learning.mark_deleted([3])
    world.learner.learn(PROJECT)
    assert world.heads.stamp(PROJECT) != stamp
    assert world.heads.head(PROJECT).documents == 2
    world.board.config = config_of(*LABELS, "SELLER")
    assert world.learner.learn(PROJECT).startswith("learned from 2")
    world.learning.mark_deleted([1, 2])
    assert world.learner.learn(PROJECT) == "nothing to learn from"
    assert world.heads.head(PROJECT) is None


def test_what_belongs_to_another_version_says_nothing_until_it_is_fitted_again(world, extractor):
    for number in (1, 2, 3, 4):
        world.annotate(number)
    world.learner.learn(PROJECT)
    limits = {"max_image_bytes": 10**6, "max_image_pixels": 10**6}

    class Other(Pipeline):
        version = "p3-v1-00000001.aaaaaa"

    world.serving = ServingModels(PROJECT, Other(Engine(), extractor, cache=world.store, **limits))
    world.now += 2
    assert world.models.serving(PROJECT).champion._naming.head is None
    world.learner.learn(PROJECT)
    world.now += 2
    assert world.models.serving(PROJECT).champion._naming.head is not None


def test_documents_that_the_version_was_trained_on_are_left_out(world):
    for number in (1, 2, 3, 4, 5):
        world.annotate(number)
    world.trained = trained_tasks({1: "a", 2: "b", 3: "c"}, {3})
    world.learner.learn(PROJECT)
    assert world.trained == {1, 2}
    assert world.heads.head(PROJECT).documents == 3


def test_a_store_that_does_not_answer_leaves_what_was_known(world, monkeypatch):
    for number in (1, 2, 3, 4):
        world.annotate(number)
    world.learner.learn(PROJECT)
    world.now += 2
    known = world.models.serving(PROJECT)
    world.store.close()
    monkeypatch.setattr(ProjectOptions, "label_config", _broken)
    world.now += 2
    assert world.models.serving(PROJECT) is known


def _broken(*_arguments):
    from ml_backend.store.engine import StoreError

    raise StoreError("The store cannot be read.", "")
