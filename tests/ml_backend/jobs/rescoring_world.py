"""Label Studio in memory, readers without models, and a rescorer with a real store, a real Redis and a real worker."""

from dataclasses import replace

import numpy as np
from prometheus_client import CollectorRegistry
from redis import Redis

from ml_backend.container import TaskServices
from ml_backend.errors import LabelStudioUnreachableError, NotFoundError
from ml_backend.jobs.leases import Chunks
from ml_backend.jobs.queue import JobQueue
from ml_backend.jobs.workers import build_worker
from ml_backend.label_studio.records import MlBackend, Project, Task
from ml_backend.observability.metrics import Metrics
from ml_backend.order.candidates import CandidateSource
from ml_backend.order.embedding_refresh import EmbeddingRefresh
from ml_backend.order.pushing import Pusher
from ml_backend.order.rescoring import Rescorer
from ml_backend.order.task_order import Orderer, Policy
from ml_backend.predict.serving_models import ServingModels
from ml_backend.predict.task_predictor import TaskPredictor
from ml_backend.store.annotations import LearningStore
from ml_backend.store.coverage import Coverages
from ml_backend.store.events import Store
from ml_backend.store.rescorings import RescoringStore
from ml_backend.store.task_failures import TaskFailures
from ml_backend.store.task_scores import TaskScores
from ml_backend.tasks import provide
from model.document.images import image_key
from model.document.types import Box, Document, Line, Page, Word
from tests.ml_backend.backend import RECTANGLES, ImageTable

URL = "http://127.0.0.1:9090"
OLD, NEW = "cards-12345678.aaaaaa", "p3-v1-00000001.aaaaaa"


class Predictions(list):
    """All predictions in Label Studio; called as the client's method is, those of a task."""

    def __call__(self, *, task_id):
        return [item for item in self if item.task == task_id]


class Board:
    """One project of Label Studio's in memory: tasks, the annotated ones, predictions.

    Another project stands in ``other``, with tasks of other numbers.
    """

    def __init__(self, count, version=OLD, number=3, first=1):
        self.number, self.other = number, None
        self.tasks = {}
        self.add(first, count)
        self.annotated, self.predictions = set(), Predictions()
        self.model_version, self.sampling = version, "Sequential sampling"
        self.fails_after = None
        self.config = RECTANGLES
        self.made, self.rescored, self.scores_at_switch = 0, 0, None
        self.backends = [MlBackend(1, 3, URL + "/", "OCR", True, "CO", "", version)]

    def add(self, first, count):
        """Import tasks."""
        for number in range(first, first + count):
            self.tasks[number] = Task(number, self.number, {"image": f"i{number}"}, False)

    def of(self, project_id):
        if project_id == self.number:
            return self
        if self.other is None:
            raise NotFoundError("There is no such project.")
        return self.other.of(project_id)

    def projects(self):
        return [self.project(self.number), *([] if self.other is None else self.other.projects())]

    def ml_backends(self, project_id):
        return self.of(project_id).backends

    def open_count(self, project_id, *, lacking=None):
        return len(list(self.open_ids(project_id, lacking=lacking)))

    def project(self, project_id):
        it = self.of(project_id)
        return Project(it.number, "cards", it.config, it.model_version, it.sampling, len(it.tasks))

    def update_project(self, project_id, *, model_version=None, sampling=None):
        it = self.of(project_id)
        if model_version:
            it.scores_at_switch = it.scores(model_version)
        it.model_version, it.sampling = model_version or it.model_version, sampling or it.sampling

    def scores(self, version):
        return {item.task: item.score for item in self.predictions if item.model_version == version}

    def order(self, version):
        """The open tasks as Label Studio serves them."""
        scores = self.scores(version)
        return sorted(self.open_ids(self.number), key=lambda task: scores[task])

    def has(self, task, version):
        return any(item.task == task and item.model_version == version for item in self.predictions)

    def open_ids(self, project_id, *, lacking=None):
        it = self.of(project_id)
        yield from (n for n in it.tasks if n not in it.annotated and not (lacking and self.has(n, lacking)))

    def open_tasks(self, project_id, task_ids, *, lacking=None):
        open_now = set(self.open_ids(project_id, lacking=lacking))
        yield from (self.of(project_id).tasks[number] for number in sorted(task_ids) if number in open_now)

    def create_predictions(self, predictions):
        made = list(predictions)
        for item in made:
            if self.fails_after == len(self.predictions):
                raise LabelStudioUnreachableError("Label Studio does not answer.")
            self.made += 1
            self.predictions.append(replace(item, id=self.made))
        return list(range(self.made - len(made) + 1, self.made + 1))

    def rescore_prediction(self, prediction_id, score):
        for place, item in enumerate(self.predictions):
            if item.id == prediction_id:
                self.predictions[place] = replace(item, score=score)
                self.rescored += 1
                return True
        return False

    def version_counts(self, project_id):
        names = [item.model_version for item in self.predictions if item.task in self.of(project_id).tasks]
        return {name: names.count(name) for name in set(names)}

    def delete_version(self, project_id, version):
        self.predictions = Predictions(item for item in self.predictions if item.model_version != version)


class KindReader:
    """Reads ``KIND NUMBER``: documents of one kind have like embeddings; the score falls with the number."""

    def __init__(self, version, pages):
        self.version, self.pages, self.revisits, self.reads = version, pages, 0, 0

    def predict(self, data):
        self.reads += 1
        kind, number = data.decode().split()
        box = Box(10, 10, 90, 30)
        page = Page(100, 50, (Line(kind, box.polygon(), 0.9, (Word(kind, box, 0.9),)),))
        embedding = np.zeros(8, dtype=np.float32)
        embedding[ord(kind) % 8] = 1
        # Of one kind, and yet not the same.
        embedding[2 + int(number) % 5] = 0.1 + int(number) / 50
        document = Document(page, (), 1 / int(number), "text", self.version, embedding)
        self.pages[image_key(data)] = data
        return document

    def revisit(self, key):
        if key not in self.pages:
            return None
        self.revisits += 1
        return self.predict(self.pages[key])


class Switch:
    """The models of one project, which a test changes."""

    versions, problems = (), {}

    def __init__(self, serving):
        self.now = serving

    def serving(self, project_id):
        return self.now if project_id == 3 else ServingModels(project_id, self.now.champion)

    refresh = serving


class World:
    def __init__(self, redis_url, store_url, count, control_share=0.1, **options):
        self.url, self.store = redis_url, Store(store_url)
        self.board = Board(count)
        self.pages = {}
        self.new = KindReader(NEW, self.pages)
        self.images = ImageTable()
        self.know_images(1, count)
        self.switch = Switch(ServingModels(3, self.new))
        self.queue = JobQueue.at(redis_url)
        self.connection = self.queue.connection
        self.learning = LearningStore(self.store.engine)
        memory = RescoringStore(self.store.engine)
        self.scores = TaskScores(self.store.engine)
        self.failures = TaskFailures(self.store.engine)
        self.coverages = Coverages(self.store.engine)
        predictor = TaskPredictor(self.images, Metrics(CollectorRegistry()), memory, self.scores)
        source = CandidateSource(self.scores, self.learning)
        self.rescorer = Rescorer(
            self.board,
            self.switch,
            predictor,
            memory,
            self.learning,
            Pusher(self.board, predictor, memory, self.failures, self.scores, self.queue.being_answered),
            self.queue,
            Chunks(self.queue),
            self.failures,
            self.scores,
            URL,
            orderer=Orderer(
                self.board,
                source,
                self.scores,
                Policy("diverse_uncertainty", control_share, fallback=False),
                look_again=EmbeddingRefresh(self.switch, memory, source, self.scores).look,
            ),
            **options,
        )
        provide(TaskServices(rescorer=self.rescorer))

    def know_images(self, first, count):
        """Have images for tasks of some numbers."""
        self.images.images |= {f"i{n}": f"{'AB'[n % 2]} {n}".encode() for n in range(first, first + count)}

    def work(self):
        build_worker(Redis.from_url(self.url)).work(burst=True, logging_level="ERROR")

    def rescore(self, project_id=3):
        said = self.rescorer.rescore(project_id)
        self.work()
        return said

    def made_by(self, version=NEW):
        return sorted(item.task for item in self.board.predictions if item.model_version == version)
