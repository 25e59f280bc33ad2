"""How long it takes to put a project's open tasks into order, and to recommend: the store's part, without Label Studio.

python -m benchmarks.task_order [--tasks 10000]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from active_learning.criteria import Thresholds
from ml_backend.order.candidates import CandidateSource
from ml_backend.order.recommendations import Recommender
from ml_backend.order.task_order import arrange
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from ml_backend.store.signals import Signals, Spread
from ml_backend.store.task_scores import Scored, TaskOrder, TaskScores

PROJECT, HIDDEN, BATCH = 1, 384, 500


def main() -> None:
    """Fill a store with documents by chance, and time each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    count = parser.parse_args().tasks
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{Path(folder) / 'store.sqlite3'}")
        scores = TaskScores(store.engine)
        source = CandidateSource(scores, LearningStore(store.engine))
        with timed("keep what the models say"):
            for start in range(1, count + 1, BATCH):
                scores.remember(
                    PROJECT, [scored(task, rng) for task in range(start, min(count, start + BATCH - 1) + 1)]
                )
        with timed("bring candidates together"):
            candidates = source.candidates(PROJECT)
        with timed("arrange"):
            placed = arrange(PROJECT, candidates, "diverse_uncertainty", 0.1)
        with timed("keep the order"):
            scores.place(TaskOrder(PROJECT, "v1", "", "", datetime.now(timezone.utc), count, 0, 0), placed)
        with timed("recommend ten"):
            Recommender(source, scores, Thresholds()).recommendations(PROJECT, 10)
        store.close()
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


def scored(task: int, rng: np.random.Generator) -> Scored:
    """Return a document by chance."""
    spreads = [Spread(float(rng.random()), 0.5, 3.0) for _ in range(5)]
    entities = (("NAME", 0.9), ("PHONE", 0.8), ("EMAIL", 0.9))
    lines = tuple(float(score) for score in rng.random(12).round(3))
    signals = Signals(30, lines, entities, float(5 * rng.random()), *spreads, rivals=(("COMPANY", "NAME", 0.3),))
    return Scored(task, "v1", float(rng.random()), signals, rng.normal(0, 1, HIDDEN).astype(np.float32))


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long something took."""
    start = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
