"""The whole loop, played against a running system: a person corrects pre-labelled badges, and nothing else is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ml_backend.errors import BackendError
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.records import Prediction
from ml_backend.label_studio.templates import business_cards_config
from ml_backend.predict.serving_models import number_of
from ml_backend.projects.setup import BackendAddress, ProjectPlan, ensure_project
from ml_backend.store.events import Store
from ml_backend.store.runs import Run, RunStore
from tests.e2e.annotator import corrected, entity_f1
from tests.e2e.badges import LABEL_CONFIG, SIGN, Badge, draw_badges
from tests.e2e.cards import draw_cards
from tests.e2e.projects import new_title

Found = TypeVar("Found")


@dataclass(frozen=True)
class Played:
    """What came of it.

    Attributes:
        project_id: The project.
        run: The training run.
        version: The version that serves in the end.
        before: Entity F1 of the pre-labels on the untouched badges.
        after: The same of the new version's; ``None`` where it was not promoted.
        start_seconds: From the last annotation to the start of the run.
        run_seconds: Of the run.
        order_seconds: From the last annotation until the tasks are in the new version's order.
    """

    project_id: int
    run: Run
    version: str
    before: float
    after: float | None
    start_seconds: float
    run_seconds: float
    order_seconds: float


def play(
    client: LabelStudio,
    backend: BackendAddress,
    store_url: str,
    folder: Path,
    *,
    badges: int,
    annotated: int,
    patience: float,
    sign: bool = False,
    cards: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Played:
    """Label ``annotated`` of ``badges`` badges, and wait for what the system makes of it.

    With ``sign``, a sign that the recogniser does not know stands on each badge (:data:`tests.e2e.badges.SIGN`); with
    ``cards`` they are business cards with that sign, whose fields are named rightly from the start.

    Raises:
        TimeoutError: If that takes longer than ``patience`` seconds.
    """
    made_up = draw_cards(folder, badges) if cards else draw_badges(folder, badges, sign=sign)
    drawn = {badge.path.name: badge for badge in made_up}
    project_id = client.create_project(new_title("Badges"), business_cards_config() if cards else LABEL_CONFIG).id
    plan = ProjectPlan("", "", project_id=project_id, images=tuple(badge.path for badge in drawn.values()))
    report = ensure_project(client, plan, backend)
    tasks = {task.id: _badge(drawn, task.data["image"]) for task in client.tasks(project_id)}
    # Those for which there was no time at once are pre-labelled by a job.
    pre_labels = _wait(lambda: _all_pre_labelled(client, project_id, tasks), time.monotonic() + patience, "pre-labels")
    untouched = sorted(tasks)[annotated:]
    before = _f1(pre_labels, tasks, untouched)
    say(f"{report.predicted} badges are pre-labelled; entity F1 on the {len(untouched)} untouched ones: {before:.3f}")
    for task_id in sorted(tasks)[:annotated]:
        made = pre_labels[task_id]
        client.create_annotation(task_id, corrected(made.result, tasks[task_id]), parent_prediction=made.id)
    finished, clock = time.time(), time.monotonic()
    say(f"{annotated} badges are annotated")

    store = Store(store_url)
    runs = RunStore(store.engine)
    try:
        run = _wait(lambda: _over(runs, project_id), clock + patience, "the training run")
    finally:
        store.close()
    assert run.started_at is not None
    assert run.finished_at is not None
    started, ran = run.started_at.timestamp() - finished, (run.finished_at - run.started_at).total_seconds()
    say(
        f"the run began after {started:.0f} s, took {ran:.0f} s and ended as {run.state}, {run.decision}: {run.message}"
    )
    if run.decision != "promoted":
        version = client.project(project_id).model_version
        return Played(project_id, run, version, before, None, started, ran, time.monotonic() - clock)
    version = _wait(lambda: _new_version(client, project_id, run), clock + patience, "the new order")
    ordered = time.monotonic() - clock
    new = {item.task: item for item in client.predictions(project_id=project_id) if item.model_version == version}
    after = _f1(new, tasks, untouched)
    say(f"the tasks are in the order of {version} after {ordered:.0f} s; entity F1 {before:.3f} → {after:.3f}")
    return Played(project_id, run, version, before, after, started, ran, ordered)


def signs_read(client: LabelStudio, project_id: int, version: str, *, annotated: bool = False) -> tuple[int, int]:
    """Return on how many badges a version's pre-labels have the sign in one of their texts, and of how many."""
    chosen = {task.id for task in client.tasks(project_id, annotated=annotated)}
    made = [
        item
        for item in client.predictions(project_id=project_id)
        if item.task in chosen and item.model_version == version
    ]
    texts = [[part["value"]["text"] for part in item.result if part["type"] == "textarea"] for item in made]
    return sum(any(SIGN in line for text in page for line in text) for page in texts), len(texts)


def _badge(drawn: dict[str, Badge], address: str) -> Badge:
    return next(badge for name, badge in drawn.items() if address.endswith(name))


def _all_pre_labelled(client: LabelStudio, project_id: int, tasks: Collection[int]) -> dict[int, Prediction] | None:
    made = {item.task: item for item in client.predictions(project_id=project_id)}
    return made if made.keys() >= set(tasks) else None


def _f1(made: dict[int, Prediction], tasks: dict[int, Badge], chosen: list[int]) -> float:
    return entity_f1((made[task].result if task in made else (), tasks[task]) for task in chosen)


def _over(runs: RunStore, project_id: int) -> Run | None:
    """Return the latest run that has ended, unless it failed and another one tries again."""
    found = runs.runs(project_id)
    ended = next((run for run in found if run.state in ("finished", "failed")), None)
    return None if ended is None or (ended.state == "failed" and ended is not found[0]) else ended


def _new_version(client: LabelStudio, project_id: int, run: Run) -> str | None:
    version = client.project(project_id).model_version
    return version if number_of(version) == run.version else None


def _wait(look: Callable[[], Found | None], deadline: float, what: str) -> Found:
    while True:
        # What is looked into may be down for a moment: some who play this kill it.
        with suppress(BackendError):
            if found := look():
                return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come in time")
        time.sleep(0.5)
