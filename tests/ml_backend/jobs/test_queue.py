"""The queue, on a real Redis: each task once, tried again, and never in the way of an answer."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from redis import Redis
from rq import Queue
from rq.job import Job, JobStatus
from rq.registry import ScheduledJobRegistry
from rq.scheduler import RQScheduler
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.testing import capture_logs

from ml_backend.cli.worker import main
from ml_backend.container import TaskServices
from ml_backend.errors import LabelStudioUnreachableError
from ml_backend.jobs.job_counts import JobTally
from ml_backend.jobs.queue import RETRY_SECONDS, JobQueue, QueueError
from ml_backend.jobs.registered import QUEUE_NAME, SERIALIZER
from ml_backend.jobs.workers import build_worker
from ml_backend.tasks import provide
from tests.conftest import free_port
from tests.ml_backend.jobs.label_studio import MemoryLabelStudio
from tests.ml_backend.jobs.test_scoring import services_of, task_at


@pytest.fixture
def connection(redis_url):
    with Redis.from_url(redis_url) as connection:
        yield connection


@pytest.fixture
def queue(redis_url):
    return JobQueue.at(redis_url)


@pytest.fixture
def label_studio():
    label_studio = MemoryLabelStudio(task_at("a", 1), task_at("b", 2))
    provide(TaskServices(services_of(label_studio, a=b"Ada", b=b"Bob")))
    yield label_studio
    provide(TaskServices())


def work(connection):
    build_worker(connection).work(burst=True, logging_level="WARNING")


def job(connection, task_id):
    return Job.fetch(f"score-2-{task_id}", connection=connection, serializer=SERIALIZER)


def test_queued_tasks_are_scored(queue, connection, label_studio):
    assert queue.enqueue_scoring(2, [1, 2]) == 2
    work(connection)
    assert [len(label_studio.task(number).predictions) for number in (1, 2)] == [1, 1]


def test_a_task_waits_in_the_queue_once(queue, connection):
    assert queue.enqueue_scoring(2, [1, 2]) == 2
    assert queue.enqueue_scoring(2, [2, 3]) == 1
    assert connection.llen(f"rq:queue:{QUEUE_NAME}") == 3


def test_a_task_that_is_done_may_be_queued_again(queue, connection, label_studio):
    queue.enqueue_scoring(2, [1])
    work(connection)
    assert queue.enqueue_scoring(2, [1]) == 1


def test_the_rest_of_a_long_document_is_a_job_of_its_own(queue, connection, label_studio):
    assert queue.enqueue_rest(2, 1, 40)
    assert not queue.enqueue_rest(2, 1, 40)
    waiting = Job.fetch("score-2-1-40", connection=connection, serializer=SERIALIZER)
    assert list(waiting.args) == [2, 1, 40]
    work(connection)
    assert len(label_studio.task(1).predictions) == 1


def test_one_task_that_fails_does_not_hold_up_the_next_and_is_tried_again_later(queue, connection, label_studio):
    label_studio.stored[1] = task_at("missing", 1)
    queue.enqueue_scoring(2, [1, 2])
    work(connection)
    assert len(label_studio.task(2).predictions) == 1
    assert job(connection, 1).get_status() == JobStatus.SCHEDULED
    (when,) = (
        ScheduledJobRegistry(QUEUE_NAME, connection=connection, serializer=SERIALIZER).get_scheduled_time(name)
        for name in ["score-2-1"]
    )
    assert when - datetime.now(timezone.utc) < timedelta(seconds=RETRY_SECONDS[0] + 1)


def test_a_task_that_keeps_failing_ends_as_failed(queue, connection, label_studio):
    label_studio.error = LabelStudioUnreachableError("Label Studio does not answer.")
    queue.enqueue_scoring(2, [1])
    registry = ScheduledJobRegistry(QUEUE_NAME, connection=connection, serializer=SERIALIZER)
    for _ in range(len(RETRY_SECONDS) + 1):
        work(connection)
        for name in registry.get_job_ids():
            registry.remove(name)
            Queue(QUEUE_NAME, connection=connection, serializer=SERIALIZER).enqueue_job(job(connection, 1))
    assert job(connection, 1).get_status() == JobStatus.FAILED
    assert 0 < connection.ttl("rq:job:score-2-1") <= 600


def test_what_goes_through_redis_is_json(queue, connection):
    queue.enqueue_scoring(2, [1])
    function, _, arguments, _ = json.loads(job(connection, 1).data)
    assert (function, arguments) == ("ml_backend.tasks.score_task", [2, 1])


def test_a_redis_that_is_down_is_said_at_once():
    queue = JobQueue.at(f"redis://127.0.0.1:{free_port()}/0")
    start = time.monotonic()
    with pytest.raises(QueueError, match="REDIS_URL"):
        queue.enqueue_scoring(2, list(range(1, 100)))
    assert time.monotonic() - start < 3


def test_an_address_that_is_none_is_said():
    with pytest.raises(QueueError, match="redis://"):
        JobQueue.at("localhost:6379")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"LABEL_STUDIO_URL": "http://127.0.0.1:1", "LABEL_STUDIO_API_KEY": "x"}, "REDIS_URL"),
        ({"REDIS": "up"}, "LABEL_STUDIO_URL"),
    ],
)
def test_a_worker_that_cannot_work_says_why(environment, words, redis_url, tmp_path):
    address = redis_url if environment.pop("REDIS", "") else f"redis://127.0.0.1:{free_port()}/0"
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "RUN_DIR": str(tmp_path), "REDIS_URL": address}
    done = subprocess.run(
        [sys.executable, "-m", "ml_backend.cli.worker"],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_worker_stops_when_told_to(redis_url, connection):
    program = (
        "import sys; from redis import Redis; from ml_backend.jobs.workers import build_worker;"
        "build_worker(Redis.from_url(sys.argv[1])).work(with_scheduler=True)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, redis_url], stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not any(connection.hget(key, "state") == b"idle" for key in connection.smembers("rq:workers")):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


VICTIM = """
import sys, time
from redis import Redis
from ml_backend import tasks
from ml_backend.jobs import workers

class Slow:
    def sync(self, project_id):
        print("syncing", flush=True)
        time.sleep(60)

workers.LIFE_SECONDS, workers.BEAT_SECONDS = 3, 1
tasks.provide(tasks.TaskServices(synchroniser=Slow()))
workers.build_worker(Redis.from_url(sys.argv[1])).work(logging_level="WARNING")
"""


def test_a_job_is_free_again_soon_after_its_worker_was_killed_and_not_before(redis_url, queue, connection):
    victim = subprocess.Popen([sys.executable, "-c", VICTIM, redis_url], stdout=subprocess.PIPE, text=True)
    try:
        queue.enqueue_sync(3)
        assert victim.stdout.readline() == "syncing\n"
        time.sleep(4)
        connection.delete("recovery")
        queue.recover()
        assert not queue.enqueue_sync(3), "its worker is alive"
    finally:
        victim.kill()
        victim.communicate()
    deadline = time.monotonic() + 30
    while not queue.enqueue_sync(3):
        assert time.monotonic() < deadline
        connection.delete("recovery")
        queue.recover()
        time.sleep(0.5)


def test_a_job_that_went_down_between_queue_and_worker_is_added_again(redis_url, queue, connection):
    queue.enqueue_sync(3)
    connection.lpop("rq:queue:sync")
    assert not queue.enqueue_sync(3), "a worker may be about to say that it has it"
    connection.hset("rq:job:sync-3", "enqueued_at", "2026-01-01T00:00:00.000000Z")
    assert queue.enqueue_sync(3)
    assert connection.llen("rq:queue:sync") == 1
    assert not queue.enqueue_sync(3)


def test_what_a_late_sign_of_life_leaves_of_a_job_is_in_nobodys_way(queue, connection):
    connection.hset("rq:job:sync-3", "last_heartbeat", "2026-01-01T00:00:00.000000Z")
    assert queue.enqueue_sync(3)


def test_a_worker_without_scoring_takes_syncs_only_and_needs_no_models(redis_url, connection, tmp_path):
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "RUN_DIR": str(tmp_path), "REDIS_URL": redis_url}
    label_studio = {"LABEL_STUDIO_URL": "http://127.0.0.1:1", "LABEL_STUDIO_API_KEY": "x" * 40}
    models = {"EXTRACTOR_DIR": str(tmp_path / "nowhere"), "OCR_MODELS_DIR": str(tmp_path / "nowhere")}
    command = [sys.executable, "-m", "ml_backend.cli.worker", "--queues", "sync"]
    log = tmp_path / "worker.log"
    with log.open("w") as file:
        process = subprocess.Popen(command, env=clean | label_studio | models, stderr=file, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while not any(connection.hget(key, "queues") == b"sync" for key in connection.smembers("rq:workers")):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        # With the process that it has forked, RQ's scheduler.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def test_a_job_that_is_to_be_tried_again_is_where_the_scheduler_died_with_its_worker(queue, connection):
    queue.enqueue_sync(3)
    job = Job.fetch("sync-3", connection=connection, serializer=SERIALIZER)
    connection.lpop("rq:queue:sync")
    registry = ScheduledJobRegistry("sync", connection=connection, serializer=SERIALIZER)
    registry.schedule(job, datetime.now(timezone.utc) - timedelta(seconds=1))
    connection.set(RQScheduler.get_locking_key("sync"), "dead", ex=60)
    queue.recover()
    assert not connection.llen("rq:queue:sync"), "a scheduler may be alive"
    connection.delete(RQScheduler.get_locking_key("sync"), "recovery")
    queue.recover()
    assert connection.lrange("rq:queue:sync", 0, -1) == [b"sync-3"]
    assert not connection.exists(RQScheduler.get_locking_key("sync")), "the next worker may have it"


@pytest.mark.parametrize("work", ["training", "sync,mining", ""])
def test_work_that_a_worker_does_not_do_is_refused(work, capsys):
    with pytest.raises(SystemExit):
        main(["--queues", work])
    assert "training is the trainer's" in capsys.readouterr().err


def test_a_job_logs_which_request_caused_it_and_which_job_it_is(queue, connection, label_studio):
    with bound_contextvars(request="r-17"):
        queue.enqueue_scoring(2, [1])
    queue.enqueue_scoring(2, [2])
    with capture_logs(processors=[merge_contextvars]) as entries:
        work(connection)
    scored = {entry["task"]: entry for entry in entries if entry["event"] == "task_scored"}
    assert (scored[1]["request"], scored[1]["job"]) == ("r-17", "score-2-1")
    assert "request" not in scored[2]
    assert scored[2]["job"] == "score-2-2"


def test_jobs_are_counted_by_what_became_of_them(queue, connection, label_studio):
    label_studio.error = LabelStudioUnreachableError("Label Studio does not answer.")
    queue.enqueue_scoring(2, [1])
    work(connection)
    label_studio.error = None
    queue.enqueue_scoring(2, [2])
    work(connection)
    counts = JobTally(connection).read()
    assert {key: count.count for key, count in counts.items()} == {
        ("score_task", "failed"): 1,
        ("score_task", "done"): 1,
    }
    assert all(count.seconds > 0 for count in counts.values())


def test_tidying_waits_once_and_is_done_with_the_workers_services(queue, connection):
    done = []
    provide(TaskServices(tidier=SimpleNamespace(tidy=lambda: done.append("tidied"))))
    try:
        assert queue.enqueue_tidying()
        assert not queue.enqueue_tidying()
        work(connection)
    finally:
        provide(TaskServices())
    assert done == ["tidied"]
    assert queue.enqueue_tidying()
