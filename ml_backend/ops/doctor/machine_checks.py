"""On this machine: Redis, the workers, the store, the disk, the models, the settings of the gate."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import psutil
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from sqlalchemy import create_engine, select
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from ml_backend.i18n import say
from ml_backend.jobs.queue import WORK, WORKER_QUEUES
from ml_backend.jobs.registered import SERIALIZER, TRAINING_QUEUE
from ml_backend.learn.quarantine import QUARANTINED
from ml_backend.ops.doctor.results import Check, Observation, ok
from ml_backend.ops.doctor.targets import System
from ml_backend.settings import LEAST_HELD_OUT
from ml_backend.store.tables import AnnotationRow
from model.evaluation.extractor_gate import KEPT_ONE_IN, documents_needed

#: Below the first a training run may end half way, below the second nothing can be written down any more.
LITTLE_SPACE, NO_SPACE = 2_000_000_000, 200_000_000
#: RQ's workers give a sign of life at least every seven minutes.
SILENT_SECONDS = 600.0
#: Tasks that are named.
SHOWN_TASKS = 10


def look_at_redis(system: System) -> Iterator[Observation]:
    """Ask Redis for its version."""
    try:
        with closing(_redis(system)) as connection:
            release = connection.info("server").get("redis_version", "?")
            waiting = sum(_queue(name, connection).count for name in (*WORKER_QUEUES, TRAINING_QUEUE))
    except (RedisError, ValueError) as error:
        yield Observation(
            "error",
            say("Redis cannot be used ({kind}).", kind=type(error).__name__),
            say("Start Redis, or set REDIS_URL to where it runs (with its password: redis://:PASSWORD@HOST:PORT/0)."),
        )
        return
    yield ok("Redis {release} answers; {count} jobs wait.", release=release, count=waiting)


def look_at_workers(system: System) -> Iterator[Observation]:
    """See whether somebody takes the jobs: workers, each for some kinds of work, and the trainer."""
    with closing(_redis(system)) as connection:
        workers = [worker for worker in Worker.all(connection=connection, serializer=SERIALIZER) if _alive(worker)]
        served = {name for worker in workers for name in worker.queue_names()}
    missing = [kind for kind, queues in WORK.items() if not served.issuperset(queues)]
    worker = f"worker for {missing[0]}" if len(missing) == 1 else "worker"
    command = "ml_backend.cli.worker" + (f" --queues {missing[0]}" if len(missing) == 1 else "")
    for name, alive, module in (
        (worker, not missing, command),
        ("trainer", TRAINING_QUEUE in served, "ml_backend.cli.trainer"),
    ):
        if alive:
            yield ok("The {name} is running.", name=name)
        else:
            yield Observation(
                "error",
                say("No {name} is running: its jobs wait.", name=name),
                say("Start `make run`, or `python -m {module}`; its log says why it ended.", module=module),
            )


def look_at_store(system: System) -> Iterator[Observation]:
    """Compare the database's schema with the newest that this version of the backend knows."""
    config = Config()
    config.set_main_option("script_location", "ml_backend.store:migrations")
    scripts = ScriptDirectory.from_config(config)
    newest = scripts.get_current_head()
    try:
        engine = system.engine or create_engine(system.settings.store_url)
        with engine.connect() as connection:
            present = MigrationContext.configure(connection).get_current_revision()
        if system.engine is None:
            engine.dispose()
    except (SQLAlchemyError, ArgumentError, NoSuchModuleError, ImportError, OSError) as error:
        yield Observation(
            "error",
            say("The store cannot be opened ({kind}).", kind=type(error).__name__),
            say("Check DATABASE_URL, and that RUN_DIR can be written."),
        )
        return
    if present == newest:
        yield ok("The store has the latest schema ({revision}).", revision=present)
    elif present is not None and not _known(scripts, present):
        yield Observation(
            "error",
            say("The store's schema ({revision}) is of a newer version of the backend.", revision=present),
            say("Install that version again, or use another RUN_DIR or DATABASE_URL."),
        )
    else:
        yield Observation(
            "error",
            say("The store's schema is {present}, the newest is {newest}.", present=present or "—", newest=newest),
            say("Start the backend again: it migrates the store when it starts."),
        )


def look_at_disk(system: System) -> Iterator[Observation]:
    """Tell how much room there is, on each disk once."""
    seen: set[int] = set()
    for folder in system.folders:
        there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        device = there.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(there).free
        if free >= LITTLE_SPACE:
            yield ok("{free:.1f} GB are free for {folder}.", free=free / 1e9, folder=folder)
        else:
            yield Observation(
                "error" if free < NO_SPACE else "warning",
                say("Only {free:.2f} GB are free for {folder}.", free=free / 1e9, folder=folder),
                say("Make room: a model version takes 60 MB, and old ones lie in {models}.", models=system.folders[1]),
            )


def look_at_models(system: System) -> Iterator[Observation]:
    """Load what ships and have it read a printed line."""
    # Late: these bring torch along, which nothing else here needs.
    from ml_backend.predict.engine_pool import build_engine_of
    from model.extraction.extractor import Extractor
    from model.pipeline import SHIPPED_WEIGHTS, Pipeline, warm_up

    settings = system.settings
    threads = settings.inference_threads
    folder: Path = settings.extractor_dir or SHIPPED_WEIGHTS
    engine = build_engine_of(settings)
    extractor = Extractor.load(folder, threads=threads, runtime=settings.extractor_runtime)
    pipeline = Pipeline(
        engine, extractor, max_image_bytes=settings.max_image_bytes, max_image_pixels=settings.max_image_pixels
    )
    warm_up(pipeline)
    yield ok("The models load and read ({version}).", version=pipeline.version)


def look_at_gate(system: System) -> Iterator[Observation]:
    """Tell whether the first training run can be promoted: it is no use where the gate lacks documents."""
    samples, least = system.settings.min_training_samples, system.settings.gate_min_documents
    needed, possible = documents_needed(least), samples // KEPT_ONE_IN
    if samples >= needed:
        yield ok("The first run begins at {samples} documents, enough for the gate.", samples=samples)
        return
    remedy = say("Set MIN_TRAINING_SAMPLES to {needed} or more.", needed=needed)
    if possible >= LEAST_HELD_OUT:
        remedy = say(
            "Set MIN_TRAINING_SAMPLES to {needed} or more, or GATE_MIN_DOCUMENTS to {least} or less.",
            needed=needed,
            least=possible,
        )
    yield Observation(
        "warning",
        say(
            "The first run begins at {samples} documents; below {needed} the gate may have too few to decide.",
            samples=samples,
            needed=needed,
        ),
        remedy,
    )


def look_at_annotations(system: System) -> Iterator[Observation]:
    """Look for annotations that are kept apart, since they would take a sync too long."""
    chosen = select(AnnotationRow.project_id, AnnotationRow.task_id).where(
        AnnotationRow.problem.in_(sorted(QUARANTINED)), AnnotationRow.deleted_at.is_(None)
    )
    engine = system.engine or create_engine(system.settings.store_url)
    try:
        with engine.connect() as connection:
            apart = connection.execute(chosen.order_by(AnnotationRow.project_id, AnnotationRow.task_id)).all()
    except SQLAlchemyError:
        # A store that waits for its migration, of which the check of the store says more.
        apart = []
    if system.engine is None:
        engine.dispose()
    if not apart:
        yield ok("No annotation is left out for its size.")
        return
    shown = ", ".join(f"{project_id}/{task_id}" for project_id, task_id in apart[:SHOWN_TASKS])
    yield Observation(
        "warning",
        say(
            "{count} annotations are left out: their regions are too many or too intricate. Project/task: {tasks}",
            count=len(apart),
            tasks=shown if len(apart) <= SHOWN_TASKS else f"{shown}, …",
        ),
        say("Open these tasks in Label Studio and delete regions that lie on one another, or the annotation."),
    )


MACHINE_CHECKS: tuple[Check[System], ...] = (
    Check("redis", say("Redis"), look_at_redis),
    Check("workers", say("Workers"), look_at_workers, needs=("redis",)),
    Check("store", say("Store"), look_at_store),
    Check("annotations", say("Annotations"), look_at_annotations, needs=("store",)),
    Check("disk", say("Disk space"), look_at_disk),
    Check("models", say("Models"), look_at_models),
    Check("gate", say("Gate"), look_at_gate),
)


def _redis(system: System) -> Redis:
    return Redis.from_url(system.settings.queue_url, socket_connect_timeout=2.0, socket_timeout=3.0)


def _queue(name: str, connection: Redis) -> Queue:
    return Queue(name, connection=connection, serializer=SERIALIZER)


def _alive(worker: Worker) -> bool:
    """Tell whether a worker that has signed in lives: one that was killed did not sign out."""
    if worker.hostname == socket.gethostname() and worker.pid:
        try:
            return psutil.Process(worker.pid).status() not in {psutil.STATUS_ZOMBIE, psutil.STATUS_STOPPED}
        except psutil.Error:
            return False
    last = worker.last_heartbeat
    if last is None:
        return False
    moment = last if last.tzinfo else last.replace(tzinfo=timezone.utc)
    return bool((datetime.now(timezone.utc) - moment).total_seconds() < SILENT_SECONDS)


def _known(scripts: ScriptDirectory, revision: str) -> bool:
    return any(script.revision == revision for script in scripts.walk_revisions())
