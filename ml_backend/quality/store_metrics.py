"""What the store tells Prometheus of the learning loop: the same numbers in whichever process is asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from sqlalchemy import Engine, func, select

from ml_backend.learn.training_trigger import TrainingTrigger
from ml_backend.observability.cached_collector import CachedCollector
from ml_backend.store.annotations import LearningStore
from ml_backend.store.coverage import Coverages
from ml_backend.store.engine import reading
from ml_backend.store.runs import RunStore
from ml_backend.store.tables import EventRow, PageRow, RunRow

_SECONDS = 30.0
_PROJECT, _REASON = ["project"], ["project", "reason"]


class StoreMetrics(CachedCollector):
    """Counts events, samples, runs and versions by project, at most every half minute.

    Args:
        engine: The open database.
        due: Tells what is new since the last run.
    """

    def __init__(self, engine: Engine, due: TrainingTrigger) -> None:
        super().__init__("ml_backend_store_up", "1 while the store answers.", _SECONDS)
        self._engine = engine
        self._due = due
        self._learning = LearningStore(engine)
        self._runs = RunStore(engine)
        self._coverages = Coverages(engine)

    def look(self) -> Sequence[Metric]:
        """Return all numbers.

        Raises:
            StoreError: If the store cannot be read.
        """
        return (*self._projects(), *self._open_tasks(), *self._training(), *self._sizes())

    def _open_tasks(self) -> Sequence[Metric]:
        count = _gauge("open_tasks", "Tasks that nobody has annotated, when Label Studio was last asked.")
        waiting = _gauge("open_tasks_waiting", "Of these, such as wait for a prediction of the version that serves.")
        failed = _gauge("open_tasks_failed", "Of these, such as could not be predicted, by reason.", _REASON)
        left = _gauge("open_tasks_seconds_left", "About how long until those that wait are predicted.")
        for coverage in self._coverages.all():
            labels = [str(coverage.project_id)]
            count.add_metric(labels, coverage.open_tasks)
            waiting.add_metric(labels, coverage.waiting)
            left.add_metric(labels, coverage.seconds_left)
            for reason, group in coverage.failures.items():
                failed.add_metric([*labels, reason], group.count)
        return count, waiting, failed, left

    def _projects(self) -> Sequence[Metric]:
        synced = _gauge("last_sync_timestamp_seconds", "When a project's annotations were last brought over.")
        samples = _gauge("samples", "Annotated documents that can be learned from.")
        waiting = _gauge("samples_waiting", "Of these, new, changed or gone since the last training run.")
        champion = _gauge("champion_version", "Number of the version that was promoted last; 0: the weights that ship.")
        for state in self._learning.projects():
            labels = [str(state.id)]
            if state.synced_at is not None:
                synced.add_metric(labels, state.synced_at.timestamp())
            standing = self._due.standing(state.id)
            samples.add_metric(labels, len(standing.digests))
            waiting.add_metric(labels, standing.changed)
            latest = self._runs.promotions(state.id, limit=1)
            champion.add_metric(labels, (latest[0].version if latest else None) or 0)
        return synced, samples, waiting, champion

    def _training(self) -> Sequence[Metric]:
        counts: Counter[tuple[str, str]] = Counter()
        seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
        unfinished: Counter[tuple[str, str]] = Counter()
        ended: dict[str, datetime] = {}
        wanted = select(RunRow.project_id, RunRow.state, RunRow.decision, RunRow.started_at, RunRow.finished_at)
        with reading(self._engine) as connection:
            rows = connection.execute(wanted).all()
        for project_id, state, decision, started, finished in rows:
            project = str(project_id)
            if finished is None:
                unfinished[project, state] += 1
                continue
            outcome = decision if state == "finished" and decision else state
            counts[project, outcome] += 1
            seconds[project, outcome] += (finished - started).total_seconds() if started else 0.0
            ended[project] = max(ended.get(project, finished), finished)
        runs = _counter("training_runs", "Training runs that have ended, by outcome.")
        spent = _counter("training_seconds", "Time that these runs took.")
        for key, count in counts.items():
            runs.add_metric(key, count)
            spent.add_metric(key, seconds[key])
        open_runs = _gauge("training_runs_open", "Training runs that are due or running.", ["project", "state"])
        for key, count in unfinished.items():
            open_runs.add_metric(key, count)
        last = _gauge("last_training_timestamp_seconds", "When a project's last training run ended.")
        for project, moment in ended.items():
            last.add_metric([project], moment.timestamp())
        return runs, spent, open_runs, last

    def _sizes(self) -> Sequence[Metric]:
        waiting = _gauge("events_waiting", "Events of Label Studio's that were not answered yet.")
        unanswered = (
            select(EventRow.project_id, func.count())
            .where(EventRow.processed_at.is_(None), EventRow.duplicate_of.is_(None))
            .group_by(EventRow.project_id)
        )
        with reading(self._engine) as connection:
            for project_id, count in connection.execute(unanswered):
                waiting.add_metric(["" if project_id is None else str(project_id)], count)
            pages = connection.scalar(select(func.count()).select_from(PageRow))
        cached = GaugeMetricFamily("ml_backend_cached_pages", "Readings of pages that are kept.", value=pages or 0)
        return waiting, cached


def _gauge(name: str, what: str, labels: Sequence[str] = _PROJECT) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"ml_backend_{name}", what, labels=labels)


def _counter(name: str, what: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"ml_backend_{name}", what, labels=["project", "outcome"])
