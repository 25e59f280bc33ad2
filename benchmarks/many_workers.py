"""What do three workers bring against one, and what does it cost when any process of the system is killed?

    python -m benchmarks.many_workers rate loop kills [--tasks 150] [--rounds 2] [--badges 40] [--annotated 30]

Everything runs on this machine, as on several that share a PostgreSQL, a Redis and an MLflow server, and no folder but
that of training data: a Label Studio of its own, two API processes, the workers, two trainers.

``rate``: a project of ``--tasks`` tasks, whose pages were read before, is scored by a new version, in turns by one
worker and by three that wait for it already; from the first prediction to the last. ``loop``: the learning loop of
``benchmarks.learning_loop`` with fewer badges, in turns with one worker and with three. ``kills``: that loop with three
workers, while in each of its stages another process is killed outright and started again; in the end every annotation
must have been learned from, and each open task have one prediction of the version that serves.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.rescoring import prepare
from ml_backend.label_studio.client import LabelStudio
from ml_backend.learn.promotion import Versions
from ml_backend.observability.logs import configure_logging
from ml_backend.predict.serving_models import number_of
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from ml_backend.store.rescorings import RescoringStore
from ml_backend.store.runs import RunStore
from model.registry.tracking import RUN_TAG, Tracking
from model.registry.versions import Registry
from tests.cluster import API, TRAINER, WORKER, Cluster, cluster, label_studio
from tests.e2e.loop import Played, play
from tests.e2e.versions import changed_weights
from tests.e2e.waiting import until

LOOP = {
    "GATE_MIN_DOCUMENTS": 4,
    "RECOGNISER_BUDGET_SECONDS": 10,
    "TRAINING_BUDGET_SECONDS": 30,
    "SYNC_SECONDS": 30,
}
PATIENCE = 1500.0
#: So that a run that is repeated does not take long.
BRIEF = {"RECOGNISER_BUDGET_SECONDS": 0, "TRAINING_BUDGET_SECONDS": 10}
#: Who is killed when a run reports that a stage begins, and when open tasks are scored again.
KILLS = {
    "collect": ("redis",),
    "train": ("postgres", "worker-sync"),
    "evaluate": ("mlflow",),
    "register": ("trainer", "trainer-2"),
    "promote": ("api-1",),
    "rescoring": ("worker-scoring",),
}
#: Stages that are over before anything could be started again: the trainers are held still until it is.
BRIEF_STAGES = ("promote",)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("rate", "loop", "kills"), nargs="+")
    parser.add_argument("--tasks", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--badges", type=int, default=40)
    parser.add_argument("--annotated", type=int, default=30)
    arguments = parser.parse_args()
    configure_logging("ERROR")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with label_studio(folder / "label-studio") as login:
            client = LabelStudio(*login, timeout=300)
            say("Label Studio answers")
            settings = LOOP | {"MIN_TRAINING_SAMPLES": arguments.annotated}
            for what in arguments.what:
                with cluster(folder / what, login, **settings | (BRIEF if what == "kills" else {})) as made:
                    say(f"{what}: PostgreSQL, Redis and MLflow answer")
                    badges = Badges(folder / f"{what}-badges", arguments.badges, arguments.annotated)
                    if what == "rate":
                        rate(made, client, arguments.tasks, arguments.rounds)
                    elif what == "loop":
                        loop(made, client, badges, arguments.rounds)
                    else:
                        kills(made, client, badges)


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def rate(made: Cluster, client: LabelStudio, count: int, rounds: int) -> None:
    settings = made.settings("bench")
    project_id, tasks = prepare(client, settings, count, parts_too=False)
    tracking = Tracking(settings.tracking_uri, settings.models_dir)
    registry = Registry(tracking)
    found: dict[int, list[float]] = {1: [], 3: []}
    nudge = 1
    for workers in [1, 3] * rounds:
        names = [f"worker-{number}" for number in range(workers)]
        for name in names:
            made.start(name, f"machine-{name}", WORKER)
        for name in names:
            made.wait_for(name)
        nudge += 1
        run = tracking.begin(project_id, nudge, "benchmark")
        draft = changed_weights(settings.run_dir / f"draft-{nudge}", nudge)
        version = registry.register(draft, project_id, run, {RUN_TAG: str(nudge)})
        registry.promote(project_id, version.number)
        found[workers].append(scored_a_second(client, project_id, version.name, len(tasks)))
        say(f"{workers} workers: {found[workers][-1]:.2f} documents a second")
        for name in names:
            made.kill(name)
    ratios = [three / one for one, three in zip(found[1], found[3], strict=True)]
    say(f"three over one: median {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def scored_a_second(client: LabelStudio, project_id: int, version: str, count: int) -> float:
    """Return the documents a second from a version's first prediction to its last."""
    first, before, deadline = 0.0, 0, time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        time.sleep(0.2)
        counts = client.version_counts(project_id)
        pushed = sum(number for name, number in counts.items() if name.startswith(version))
        if pushed and not first:
            first, before = time.perf_counter(), pushed
        if pushed >= count:
            return (count - before) / (time.perf_counter() - first)
    raise TimeoutError(f"{version} was not done in time")


@contextmanager
def staffed(made: Cluster, workers: int) -> Iterator[None]:
    """Two API processes, workers by queue, two trainers; all on machines of their own."""
    made.start("api-1", "one", API)
    made.start("api-2", "two", API)
    if workers == 1:
        made.start("worker-sync", "three", WORKER)
    else:
        made.start("worker-sync", "three", (*WORKER, "--queues", "sync"))
        made.start("worker-scoring", "four", WORKER, WORKER_QUEUES="scoring")
        made.start("worker-both", "five", WORKER)
    names = ["api-1", "api-2", "worker-sync", "trainer"] + (["worker-scoring", "worker-both"] if workers > 1 else [])
    made.start("trainer", "six", TRAINER)
    if workers > 1:
        made.start("trainer-2", "seven", TRAINER)
        names.append("trainer-2")
    for name in names:
        made.wait_for(name)
    say(f"{', '.join(names)} are ready")
    try:
        yield
    finally:
        for name in names:
            made.kill(name)


@dataclass(frozen=True)
class Badges:
    """What a loop is played with."""

    folder: Path
    count: int
    annotated: int

    def play(self, made: Cluster, client: LabelStudio) -> Played:
        folder = self.folder / str(time.time_ns())
        folder.mkdir(parents=True)
        return play(
            client,
            made.address("api-1"),
            made.store_url,
            folder,
            badges=self.count,
            annotated=self.annotated,
            patience=PATIENCE,
            say=say,
        )


def loop(made: Cluster, client: LabelStudio, badges: Badges, rounds: int) -> None:
    found: dict[int, list[float]] = {1: [], 3: []}
    for workers in [1, 3] * rounds:
        with staffed(made, workers):
            played = badges.play(made, client)
        found[workers].append(played.order_seconds)
        say(
            f"{workers} workers: start {played.start_seconds:.0f} s, run {played.run_seconds:.0f} s, "
            f"in order after {played.order_seconds:.0f} s ({played.run.decision})"
        )
    for workers, seconds in found.items():
        say(f"{workers} workers: {', '.join(f'{each:.0f}' for each in seconds)} s")


def kills(made: Cluster, client: LabelStudio, badges: Badges) -> None:
    with staffed(made, 3):
        over = threading.Event()
        killer = threading.Thread(target=kill_by_stage, args=(made, over), daemon=True)
        killer.start()
        # play() looks into the store, which is killed too: what is asked meanwhile is asked again.
        played = badges.play(made, client)
        if played.run.decision != "promoted":
            played = promoted_by_hand(made, client, played)
        over.set()
        killer.join(60)
        check(made, client, played)


def promoted_by_hand(made: Cluster, client: LabelStudio, played: Played) -> Played:
    """Where the gate kept the champion, there would be nothing to score again."""
    store, settings = Store(made.store_url), made.settings("eight")
    registry = Registry(Tracking(settings.tracking_uri, settings.models_dir))
    Versions(registry, RunStore(store.engine)).promote(played.project_id, played.run.version, by="benchmark", reason="")
    store.close()
    say(f"version {played.run.version} is promoted by hand")

    def shown() -> str:
        return client.project(played.project_id).model_version

    until(lambda: number_of(shown()) == played.run.version, "the new order", PATIENCE)
    return replace(played, version=shown())


def kill_by_stage(made: Cluster, over: threading.Event) -> None:
    store = Store(made.store_url)
    runs, memory, left = RunStore(store.engine), RescoringStore(store.engine), dict(KILLS)
    killers = []
    while left and not over.wait(0.02):
        try:
            stage = stage_now(runs, memory)
        except Exception as error:  # noqa: BLE001 - it is about to be killed itself
            say(f"({type(error).__name__} while looking)")
            over.wait(0.5)
            continue
        if names := left.pop(stage, ()):
            killers.append(threading.Thread(target=kill_and_start, args=(made, stage, names)))
            killers[-1].start()
    for killer in killers:
        killer.join(PATIENCE)
    say(f"not killed: {left or 'nobody'}")
    store.close()


def stage_now(runs: RunStore, memory: RescoringStore) -> str:
    """Return the stage of the run that runs, or ``rescoring`` where open tasks are scored by what it made."""
    found = runs.runs(limit=5)
    running = [run for run in found if run.state == "running"]
    assert len(running) <= 1, "a project has one run at a time"
    if running:
        return running[0].stage or ""
    ongoing = memory.rescoring(found[0].project_id) if found else None
    ours = ongoing is not None and ongoing.finished_at is None and number_of(ongoing.version) is not None
    return "rescoring" if ours else ""


def kill_and_start(made: Cluster, stage: str, names: tuple[str, ...]) -> None:
    """Kill processes, and start them again as whatever supervises a machine does, after 3 s."""
    with made.held(("trainer", "trainer-2") if stage in BRIEF_STAGES else ()):
        for name in names:
            say(f"{stage}: {name} is killed")
            made.kill(name)
        time.sleep(3)
        for name in names:
            made.again(name)


def check(made: Cluster, client: LabelStudio, played: Played) -> None:
    store = Store(made.store_url)
    learning, runs = LearningStore(store.engine), RunStore(store.engine)
    live = learning.live_ids(played.project_id)
    there = client.annotation_ids(played.project_id)
    say(f"annotations in Label Studio {len(there)}, in the store {len(live)}, same: {set(there) == set(live)}")
    for run in reversed(runs.runs(played.project_id)):
        say(f"run {run.id}: attempt {run.attempt}, {run.state}, {run.stage}, {run.decision}, {run.documents} documents")
    say(f"learned from {len(runs.learned(played.project_id))} documents")
    registry = Registry(Tracking(made.mlflow_uri, made.settings("eight").models_dir))
    for version in registry.versions(played.project_id):
        say(f"version {version.number} of run {version.tags[RUN_TAG]} is whole: {registry.folder_of(version).is_dir()}")
    open_tasks = sorted(task.id for task in client.tasks(played.project_id, annotated=False))
    made_now = sorted(
        item.task for item in client.predictions(project_id=played.project_id) if item.model_version == played.version
    )
    having = [task for task in made_now if task in open_tasks]
    say(f"open tasks {len(open_tasks)}, with one prediction of {played.version} each: {having == open_tasks}")
    store.close()


if __name__ == "__main__":
    main()
