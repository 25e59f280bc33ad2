"""How quickly a burst of webhooks is acknowledged, and whether any of them is lost.

    python -m benchmarks.webhook_burst --events 1000 --connections 8 --busy 2

A backend is started under gunicorn with an empty store and hears what Label Studio sends when annotations are
submitted: each event with the annotation, the prediction that it started from, the task and the project. ``--busy``
processes calculate all the while, each on one core. Afterwards one sync answers all events. The exit status is 1 if an
event was lost, refused, or not answered.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from multiprocessing.synchronize import Event as Stop
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from benchmarks.concurrency import backend
from ml_backend.label_studio.records import Annotation, Project, Task
from ml_backend.label_studio.templates import business_cards_config
from ml_backend.learn.annotation_sync import Synchroniser
from ml_backend.learn.training_trigger import TrainingTrigger
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from ml_backend.store.runs import RunStore

PROJECT = 1
LABELS = ("NAME", "POSITION", "COMPANY", "PHONE", "EMAIL", "WEBSITE", "ADDRESS", None)


def result(number: int, regions: int) -> list[dict[str, Any]]:
    """A result with as many regions as a card has lines."""
    parts = []
    for index in range(regions):
        shape = {"x": 5.0, "y": 3.0 * index, "width": 40.123456, "height": 2.654321, "rotation": 0}
        common = {"id": f"{number:08x}{index:08x}", "to_name": "image", "original_width": 1050, "original_height": 600}
        common["image_rotation"] = 0
        label = LABELS[index % len(LABELS)]
        parts.append({**common, "from_name": "box", "type": "rectangle", "value": shape})
        if label:
            parts.append({**common, "from_name": "label", "type": "labels", "value": {**shape, "labels": [label]}})
        text = {**shape, "text": [f"Line {index} of card {number}"]}
        parts.append({**common, "from_name": "text", "type": "textarea", "value": text})
    return parts


def event(number: int, regions: int) -> bytes:
    """What Label Studio sends when an annotation is submitted."""
    made = result(number, regions)
    prediction = {"id": number, "result": made, "model_version": "cards-1.0", "score": 0.5, "task": number}
    body = {
        "action": "ANNOTATION_CREATED",
        "annotation": {"id": number, "task": number, "result": made, "prediction": prediction, "project": PROJECT},
        "task": {"id": number, "data": {"image": f"/data/upload/1/{number}.png"}, "project": PROJECT},
        "project": {"id": PROJECT, "title": "cards", "label_config": business_cards_config()},
    }
    return json.dumps(body).encode()


class AnnotatedProject:
    """The Label Studio of the burst: it has an annotation for each event."""

    def __init__(self, events: int, regions: int) -> None:
        self._events, self._regions = events, regions

    def project(self, project_id: int) -> Project:
        return Project(project_id, "cards", business_cards_config(), "", "", self._events)

    def task(self, task_id: int) -> Task:
        raise NotImplementedError("no annotation slips through here")

    def annotated_tasks(self, project_id: int, *, since: str | None = None) -> Iterator[Task]:
        for number in range(1, self._events + 1):
            made = Annotation(number, number, result(number, self._regions), False, "2025-05-01T12:00:00Z", None)
            yield Task(number, project_id, {"image": f"/data/upload/1/{number}.png"}, True, (made,))

    def annotation_ids(self, project_id: int) -> dict[int, int]:
        return {number: number for number in range(1, self._events + 1)}


def calculate(stop: Stop, niceness: int) -> None:
    """Keep one core busy."""
    os.nice(niceness)
    matrix = np.random.default_rng(0).random((400, 400))
    while not stop.is_set():
        matrix = np.tanh(matrix @ matrix.T / 400)


def post_all(url: str, bodies: list[bytes], connections: int) -> tuple[list[float], list[int], float]:
    """Send everything; return the seconds of each, the statuses, and the seconds of all."""
    local = threading.local()
    address = urlsplit(url).netloc

    def post(body: bytes) -> tuple[float, int]:
        # Not requests: eight threads that take turns at its interpreter would measure themselves.
        connection: HTTPConnection = getattr(local, "connection", None) or HTTPConnection(address, timeout=60)
        local.connection = connection
        start = time.perf_counter()
        connection.request("POST", "/webhook", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return time.perf_counter() - start, answer.status

    start = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        outcomes = list(pool.map(post, bodies))
    return [seconds for seconds, _ in outcomes], [status for _, status in outcomes], time.perf_counter() - start


def main() -> int:
    """Send a burst, count what arrived, sync, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--regions", type=int, default=15, help="regions an annotation")
    parser.add_argument("--busy", type=int, default=0, help="processes that calculate meanwhile")
    parser.add_argument("--niceness", type=int, default=0, help="their niceness")
    arguments = parser.parse_args()
    bodies = [event(number, arguments.regions) for number in range(1, arguments.events + 1)]
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    others = [context.Process(target=calculate, args=(stop, arguments.niceness)) for _ in range(arguments.busy)]
    with tempfile.TemporaryDirectory() as folder:
        with backend(Path(folder)) as url:
            for other in others:
                other.start()
            time.sleep(3 if others else 0)
            seconds, statuses, whole = post_all(url, bodies, arguments.connections)
            stop.set()
            for other in others:
                other.join(30)
        store = Store(f"sqlite:///{Path(folder) / 'store.sqlite3'}")
        kept = len(store.pending_heads(PROJECT))
        learning, runs = LearningStore(store.engine), RunStore(store.engine)
        due = TrainingTrigger(learning, runs, min_documents=50, retrain_after=25)
        source = AnnotatedProject(arguments.events, arguments.regions)
        start = time.perf_counter()
        report = Synchroniser(source, store, learning, due, compare_seconds=300).sync(PROJECT)
        syncing = time.perf_counter() - start
        left, due_runs = len(store.pending_heads(PROJECT)), len(runs.runs(PROJECT))
        store.close()
    refused = sum(status != 201 for status in statuses)
    percentile = statistics.quantiles(seconds, n=100)[98]
    print("| events | kB each | connections | busy | median ms | p99 ms | max ms | events/s | lost | sync s | runs |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    print(
        f"| {len(bodies)} | {len(bodies[0]) / 1000:.0f} | {arguments.connections} | {arguments.busy} | "
        f"{statistics.median(seconds) * 1000:.0f} | {percentile * 1000:.0f} | {max(seconds) * 1000:.0f} | "
        f"{len(bodies) / whole:.0f} | {arguments.events - kept} | {syncing:.1f} | {due_runs} |"
    )
    whole_loss = kept != arguments.events or report.events != arguments.events or report.changed != arguments.events
    return 1 if refused or left or whole_loss or due_runs != 1 else 0


if __name__ == "__main__":
    sys.exit(main())
