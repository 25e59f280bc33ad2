"""What Prometheus can ask: how often, how long, and why not.

Every process counts for itself. With one gunicorn process ``/metrics`` shows that one; with several,
``gunicorn_conf.py`` sets ``PROMETHEUS_MULTIPROC_DIR`` before the library is imported, each process writes its counts
there, and ``/metrics`` sums them up, whichever process answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

# An action is a label of a counter: a caller must not be able to make up new ones without end.
KNOWN_ACTIONS = frozenset(
    {
        "ANNOTATION_CREATED",
        "ANNOTATION_UPDATED",
        "ANNOTATIONS_CREATED",
        "ANNOTATIONS_DELETED",
        "PROJECT_CREATED",
        "PROJECT_UPDATED",
        "PROJECT_DELETED",
        "START_TRAINING",
        "TASKS_CREATED",
        "TASKS_DELETED",
    }
)

_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 80, 100)
_STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)


class Metrics:
    """The backend's counters, in a registry of their own.

    Args:
        registry: Where they are registered.
        multiprocess_dir: Folder in which several processes share their counts; ``None`` if there is one process.
    """

    def __init__(self, registry: CollectorRegistry, *, multiprocess_dir: Path | None = None) -> None:
        self._registry = registry
        self._multiprocess_dir = multiprocess_dir
        self._collectors: list[Collector] = []
        self._requests = Histogram(
            "ml_backend_request_seconds",
            "Time from a request to its answer.",
            ["endpoint", "status"],
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        self._predictions = Counter(
            "ml_backend_predictions",
            "Tasks asked for, by outcome (predicted, empty) and, where empty, by reason.",
            ["outcome", "reason"],
            registry=registry,
        )
        self._stages = Histogram(
            "ml_backend_stage_seconds",
            "Time that one task spends in a stage.",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=registry,
        )
        self._events = Counter(
            "ml_backend_events", "Events stored, by action.", ["action", "duplicate"], registry=registry
        )
        self._queued = Counter("ml_backend_queued_tasks", "Tasks handed to the background job.", registry=registry)
        self._queue_failures = Counter(
            "ml_backend_queue_failures", "Times that the job queue could not be reached.", registry=registry
        )
        self._store_errors = Counter(
            "ml_backend_store_errors", "Failures of the store, by the kind of error.", ["error"], registry=registry
        )
        self._model = Gauge(
            "ml_backend_model_info",
            "1 for each model version that answers, 0 for one that did.",
            ["model_version"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._serving: set[str] = set()
        self._problem = Gauge(
            "ml_backend_model_problem",
            "1 while a version that should answer for the project cannot be loaded, and another does.",
            ["project"],
            registry=registry,
            multiprocess_mode="livemax",
        )

    def request_answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(endpoint, str(status)).observe(seconds)

    def task_predicted(self) -> None:
        """Count one task that got its prediction."""
        self._predictions.labels("predicted", "").inc()

    def task_empty(self, reason: str) -> None:
        """Count one task that got an empty list, and why."""
        self._predictions.labels("empty", reason).inc()

    def event_stored(self, action: str, *, duplicate: bool) -> None:
        """Count one event; actions that Label Studio does not send are counted together."""
        known = action if action in KNOWN_ACTIONS else "other"
        self._events.labels(known, "yes" if duplicate else "no").inc()

    def tasks_queued(self, count: int) -> None:
        """Count tasks handed to the background job."""
        self._queued.inc(count)

    def queue_failed(self) -> None:
        """Count one failure to reach the job queue."""
        self._queue_failures.inc()

    def store_failed(self, error: str) -> None:
        """Count one failure of the store.

        Args:
            error: The name of the driver's error.
        """
        self._store_errors.labels(error).inc()

    def models_serving(self, versions: Collection[str]) -> None:
        """Say which model versions answer."""
        for version in self._serving.difference(versions):
            self._model.labels(version).set(0)
        for version in versions:
            self._model.labels(version).set(1)
        self._serving = set(versions)

    def model_problem(self, project_id: int, there: bool) -> None:
        """Say whether a version that should answer for a project cannot be loaded."""
        self._problem.labels(str(project_id)).set(int(there))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure a stage, such as ``fetch``, ``ocr``, ``classifier`` or ``conversion``, also when it fails."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._stages.labels(name).observe(time.perf_counter() - start)

    def add(self, collector: Collector) -> None:
        """Show what another collector counts as well; one that counts the same in every process."""
        self._collectors.append(collector)
        if self._multiprocess_dir is None:
            self._registry.register(collector)

    def serve(self, host: str, port: int) -> Callable[[], None]:
        """Show the counts of this process on a port of their own, without credentials, until the result is called.

        Raises:
            OSError: If the port is taken.
        """
        server, _ = start_http_server(port, host, self._registry)
        return server.shutdown

    def render(self) -> bytes:
        """Return all counts in Prometheus' text format."""
        if self._multiprocess_dir is None:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together, path=str(self._multiprocess_dir))  # type: ignore[no-untyped-call]
        for collector in self._collectors:
            together.register(collector)
        return generate_latest(together)
