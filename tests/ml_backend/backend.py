"""A backend for tests: real views, store, service and conversion; images come from a table instead of the net."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry

from ml_backend.api.services import Services
from ml_backend.app import create_app
from ml_backend.errors import ImageFetchError
from ml_backend.jobs.queue import QueueError
from ml_backend.observability.metrics import Metrics
from ml_backend.predict.interactive import DrawnRegions
from ml_backend.predict.service import PredictionService
from ml_backend.predict.serving_models import SoleModel
from ml_backend.predict.task_predictor import ModelSource, TaskPredictor
from ml_backend.settings import Settings
from ml_backend.store.events import Store

RECTANGLES = """<View><Image name="image" value="$image"/>
<RectangleLabels name="label" toName="image"><Label value="NAME"/><Label value="COMPANY"/><Label value="EMAIL"/>
</RectangleLabels><TextArea name="text" toName="image" perRegion="true"/></View>"""

LABELS = """<View><Image name="image" value="$image"/>
<Labels name="label" toName="image"><Label value="NAME"/><Label value="COMPANY"/><Label value="EMAIL"/></Labels>
<Rectangle name="bbox" toName="image"/><TextArea name="transcription" toName="image" perRegion="true"/></View>"""

POLYGONS = """<View><Image name="image" value="$image"/>
<PolygonLabels name="label" toName="image"><Label value="NAME"/><Label value="EMAIL"/></PolygonLabels>
<TextArea name="text" toName="image" perRegion="true"/></View>"""


class ImageTable:
    """Images by address. An address that is an exception raises it; one that is a function is called."""

    def __init__(self, **images: object) -> None:
        self.images = images
        self.asked: list[str] = []

    def fetch(self, url: str, task_id: int | None = None, project_id: int | None = None) -> bytes:
        self.asked.append(url)
        entry = self.images.get(url)
        if entry is None:
            raise ImageFetchError("The image does not exist.")
        if isinstance(entry, Exception):
            raise entry
        return entry() if callable(entry) else entry


@dataclass
class MemoryQueue:
    """Remembers what was handed over; can be down."""

    down: bool = False
    jobs: list[tuple[int, int]] = field(default_factory=list)
    answers: list[tuple[tuple[int, ...], float]] = field(default_factory=list)

    def enqueue_scoring(self, project_id: int, task_ids: Sequence[int]) -> int:
        if self.down:
            raise QueueError("The job queue cannot be reached.", "Start Redis, or set REDIS_URL.")
        self.jobs += [(project_id, task_id) for task_id in task_ids]
        return len(task_ids)

    def answer_begun(self, task_ids: Sequence[int], seconds: float) -> None:
        if self.down:
            raise QueueError("The job queue cannot be reached.", "Start Redis, or set REDIS_URL.")
        self.answers.append((tuple(task_ids), seconds))


class SteppingClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds


@dataclass
class Backend:
    """A whole backend, and the parts of it that tests look into."""

    app: Flask
    services: Services
    queue: MemoryQueue
    images: ImageTable

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def metric(self, line: str) -> float:
        """Return the number behind a metric as ``/metrics`` shows it; 0 where it does not."""
        shown = self.services.metrics.render().decode()
        return next((float(row.rpartition(" ")[2]) for row in shown.splitlines() if row.startswith(line + " ")), 0.0)


def build_backend(
    settings: Settings,
    reader: object,
    engine: object,
    images: ImageTable,
    *,
    clock: SteppingClock | None = None,
    models: ModelSource | None = None,
) -> Backend:
    metrics = Metrics(CollectorRegistry())
    queue = MemoryQueue()
    options = {"clock": clock} if clock else {}
    predictions = PredictionService(
        models or SoleModel(reader),
        TaskPredictor(images, metrics),
        DrawnRegions(getattr(reader, "decode", None), lambda _: engine, images),
        queue,
        metrics,
        budget_seconds=settings.predict_budget_seconds,
        **options,
    )
    services = Services(predictions, Store(settings.store_url), metrics)
    return Backend(create_app(settings, services), services, queue, images)


def task(number: int, url: str, **more: object) -> dict[str, object]:
    """Return a task as Label Studio sends it, as far as it matters."""
    return {
        "id": number,
        "data": {"image": url},
        "meta": {},
        "is_labeled": False,
        "project": 2,
        "predictions": [],
    } | more


def batch(tasks: Sequence[object], config: str = RECTANGLES, drawn: Sequence[object] = ()) -> dict[str, object]:
    """Return the body of a ``/predict`` as Label Studio sends it."""
    context = {"result": list(drawn)} if drawn else None
    return {
        "tasks": list(tasks),
        "project": "2.1795329414",
        "label_config": config,
        "params": {"login": None, "password": None, "context": context},
    }
