"""Whoever may write to Redis cannot run code: only registered functions are called, with arguments of their types."""

import http.server
import json
import pickle
import sys
import threading
import time
import zlib
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue
from rq.job import Callback, Job, JobStatus
from rq.registry import FailedJobRegistry, ScheduledJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer, PickleSerializer
from rq.webhook import Webhook
from structlog.testing import capture_logs

from ml_backend import tasks
from ml_backend.jobs.job_counts import JobTally
from ml_backend.jobs.queue import JobQueue
from ml_backend.jobs.registered import (
    QUEUE_NAME,
    REGISTERED,
    RENAMED,
    SYNC_QUEUE,
    TRAINING_QUEUE,
    Registered,
    RegisteredJob,
)
from ml_backend.jobs.workers import build_trainer, build_worker


@pytest.fixture
def connection(redis_url):
    with Redis.from_url(redis_url) as connection:
        yield connection


class _Report:
    changed = deleted = events = 0


class _Synchroniser:
    def __init__(self):
        self.synced = []

    def sync(self, project_id):
        self.synced.append(project_id)
        return _Report()


@pytest.fixture
def synced():
    synchroniser = _Synchroniser()
    tasks.provide(tasks.TaskServices(synchroniser=synchroniser))
    yield synchroniser.synced
    tasks.provide(tasks.TaskServices())


def work(connection):
    build_worker(connection).work(burst=True, logging_level="ERROR")


def forge(connection, function, *arguments, queue=SYNC_QUEUE, serializer=JSONSerializer, job_id="forged", **more):
    """Put a job into the queue as somebody with Redis alone could."""
    forger = Queue(queue, connection=connection, serializer=serializer)
    return forger.enqueue_call(function, args=arguments, job_id=job_id, **more)


def failed(connection, queue=SYNC_QUEUE):
    return FailedJobRegistry(queue, connection=connection, serializer=JSONSerializer).get_job_ids()


def reason(connection, job_id="forged"):
    result = RegisteredJob.fetch(job_id, connection=connection).latest_result()
    return result.exc_string


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("os.system", "no registered function"),
        ("builtins.eval", "no registered function"),
        ("subprocess.check_call", "no registered function"),
        ("ml_backend.tasks.provide", "no registered function"),
        ("ml_backend.tasks.TaskServices.sync", "no registered function"),
        ("ml_backend.tasks.sync_project ", "no registered function"),
    ],
)
def test_a_function_that_is_not_registered_is_refused_and_the_worker_goes_on(
    connection, synced, tmp_path, function, words
):
    mark = tmp_path / "ran"
    forge(connection, function, f"touch {mark}")
    JobQueue(connection).enqueue_sync(7)
    with capture_logs() as logs:
        work(connection)
    assert not mark.exists()
    assert synced == [7]
    assert failed(connection) == ["forged"]
    assert words in reason(connection)
    (entry,) = [entry for entry in logs if entry["event"] == "job_refused"]
    assert words in entry["reason"]


def test_the_module_of_a_refused_job_is_not_imported(connection, synced, tmp_path, monkeypatch):
    (tmp_path / "hostile_module.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    forge(connection, "hostile_module.run")
    work(connection)
    assert not (tmp_path / "imported").exists()
    assert "hostile_module" not in sys.modules


def test_the_trainer_refuses_too(connection, tmp_path):
    mark = tmp_path / "ran"
    forge(connection, "os.system", f"touch {mark}", queue=TRAINING_QUEUE)
    build_trainer(connection).work(burst=True, logging_level="ERROR")
    assert not mark.exists()
    assert failed(connection, TRAINING_QUEUE) == ["forged"]


@pytest.mark.parametrize(
    "arguments",
    [(), ("1",), (1, 2), (True,), (1.0,), (-1,), (2**63,), (None,), ([1],), ({"a": 1},)],
)
def test_arguments_of_other_types_are_refused(connection, synced, arguments):
    forge(connection, "ml_backend.tasks.sync_project", *arguments)
    work(connection)
    assert synced == []
    assert "takes other arguments" in reason(connection)


def test_named_arguments_and_instances_are_refused(connection, synced):
    name = "ml_backend.tasks.sync_project"
    forge(connection, name, kwargs={"project_id": 7})
    work(connection)
    assert synced == []
    job = forge(connection, name, 7, job_id="instance")
    connection.hset(job.key, "data", zlib.compress(json.dumps([name, "text", [7], {}]).encode()))
    work(connection)
    assert synced == []


def test_a_job_in_another_queue_than_its_own_is_refused(connection, synced):
    forge(connection, "ml_backend.tasks.train", 1)
    work(connection)
    assert "does not belong" in reason(connection)


class _Hostile:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("field", ["data", "meta", "result"])
def test_pickles_are_never_loaded(connection, synced, tmp_path, field):
    mark = tmp_path / "ran"
    job = forge(connection, "ml_backend.tasks.sync_project", 7)
    connection.hset(job.key, field, pickle.dumps(_Hostile(mark)))
    JobQueue(connection).enqueue_sync(8)
    work(connection)
    assert not mark.exists()
    assert 8 in synced


def test_a_job_of_a_worker_with_pickle_is_refused(connection, synced):
    forge(connection, "ml_backend.tasks.sync_project", 7, serializer=PickleSerializer)
    work(connection)
    assert synced == []
    assert "JSON" in reason(connection)


@pytest.mark.parametrize("which", ["on_success", "on_failure", "on_stopped"])
def test_callbacks_are_not_called(connection, synced, tmp_path, monkeypatch, which):
    (tmp_path / "hostile_callback.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')\ndef run(*a): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    callback = Callback("hostile_callback.run")
    forge(connection, "ml_backend.tasks.sync_project", 7, **{which: callback})
    forge(connection, "os.system", "true", job_id="refused", **{which: callback})
    work(connection)
    assert synced == [7]
    assert not (tmp_path / "imported").exists()


def test_callbacks_of_a_job_whose_worker_died_are_not_called(connection, tmp_path, monkeypatch):
    (tmp_path / "hostile_abandoned.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')\ndef run(*a): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    job = forge(connection, "ml_backend.tasks.sync_project", 7, on_failure=Callback("hostile_abandoned.run"))
    job.set_status(JobStatus.STARTED)
    started = StartedJobRegistry(SYNC_QUEUE, connection=connection, serializer=JSONSerializer)
    connection.zadd(started.key, {"forged:execution": time.time() - 100})
    JobQueue(connection).recover()
    assert not (tmp_path / "imported").exists()
    assert failed(connection) == ["forged"]


def test_webhooks_are_not_opened(connection, synced):
    hits = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            hits.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/"
        hooks = [Webhook(url + status, status) for status in ("finished", "failed")]
        forge(connection, "ml_backend.tasks.sync_project", 7, webhooks=hooks)
        forge(connection, "os.system", "true", job_id="refused", webhooks=hooks)
        work(connection)
    finally:
        server.shutdown()
        server.server_close()
    assert synced == [7]
    assert hits == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("data", b"\xff\xfe"),
        ("data", b"[" * 100_000),
        ("data", b"null"),
        ("data", b"[1, 2]"),
        ("data", b'[["os.system"], null, [], {}]'),
        ("data", zlib.compress(b" " * 50_000_000)),
        ("created_at", b"yesterday"),
        ("origin", b"\xff"),
        ("timeout", b"-1"),
        ("timeout", b"99999999"),
        ("retries_left", b"1000000"),
        ("retry_intervals", b"[" * 100_000),
        ("retry_intervals", b'["a"]'),
        ("meta", b"[1]"),
        ("status", b"nonsense"),
        ("description", b"\xff\x00"),
        ("exc_info", zlib.compress(b" " * 1000)),
        ("webhooks", b"[" * 100_000),
        ("dependency_ids", b"nonsense"),
    ],
)
def test_an_entry_that_nobody_can_read_does_not_stop_the_worker(connection, synced, field, value):
    job = forge(connection, "ml_backend.tasks.sync_project", 7)
    connection.hset(job.key, field, value)
    JobQueue(connection).enqueue_sync(8)
    start = time.monotonic()
    work(connection)
    assert synced in ([8], [7, 8])
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("name", [b"\xff\xfe", b"a b/../c", b"", b"x" * 10_000])
def test_an_entry_of_the_queue_that_is_no_name_does_not_stop_the_worker(connection, synced, name):
    connection.rpush(f"rq:queue:{SYNC_QUEUE}", name)
    JobQueue(connection).enqueue_sync(8)
    work(connection)
    assert synced == [8]


def test_a_name_that_holds_no_hash_does_not_stop_the_worker(connection, synced):
    connection.set(Job.key_for("text"), "no hash")
    connection.rpush(f"rq:queue:{SYNC_QUEUE}", "text")
    JobQueue(connection).enqueue_sync(8)
    work(connection)
    assert synced == [8]


def test_a_scheduled_entry_that_nobody_can_read_holds_up_no_other(connection, synced):
    registry = ScheduledJobRegistry(SYNC_QUEUE, connection=connection, serializer=JSONSerializer)
    forged, honest = (
        forge(connection, "os.system", "true"),
        forge(connection, "ml_backend.tasks.sync_project", 8, job_id="honest"),
    )
    connection.delete(f"rq:queue:{SYNC_QUEUE}")
    connection.hset(forged.key, "created_at", "yesterday")
    for name in (b"\xff", b"a b", forged.id, honest.id, "gone"):
        connection.zadd(registry.key, {name: time.time() - 10})
    JobQueue(connection).recover()
    work(connection)
    assert synced == [8]
    assert connection.zcard(registry.key) == 0


def test_a_forged_job_does_not_keep_the_real_one_of_its_name_away(connection, synced):
    forge(connection, "os.system", "true", job_id="sync-7")
    assert JobQueue(connection).enqueue_sync(7)
    work(connection)
    assert synced == [7]
    forge(connection, "os.system", "true", job_id="sync-7", failure_ttl=-1)
    work(connection)
    assert failed(connection) == ["sync-7"]
    assert JobQueue(connection).enqueue_sync(7)


def test_a_forged_count_does_not_keep_the_other_numbers_away(connection):
    tally = JobTally(connection)
    tally.count("sync_project", "done", 1.5)
    connection.hset("tally:jobs", mapping={b"\xff": 1, "sync_project failed": "many"})
    assert list(tally.read()) == [("sync_project", "done")]


def test_every_job_that_the_queue_adds_is_registered_and_admitted(connection):
    queue = JobQueue(connection)
    added = [
        queue.enqueue_scoring(2, [1]),
        queue.enqueue_rest(2, 1, 40),
        queue.enqueue_sync(2),
        queue.enqueue_training(3),
        queue.enqueue_rescoring(2),
        queue.enqueue_chunk(2, "p2-v1-0123456789ab", "0123456789ab-000001-001-1-50"),
        queue.enqueue_finish(2, "p2-v1-0123456789ab"),
        queue.enqueue_ordering(2),
        queue.enqueue_label_search(2, "key"),
        queue.enqueue_tidying(),
        queue.enqueue_finding(),
        queue.enqueue_learning(2),
        queue.enqueue_renaming(2),
        queue.enqueue_renaming(2, left=7),
    ]
    assert all(added)
    seen = set()
    for name in {registered.queue for registered in REGISTERED.values()}:
        for job_id in Queue(name, connection=connection, serializer=JSONSerializer).job_ids:
            job = RegisteredJob.fetch(job_id, connection=connection)
            assert job.refusal(name) is None
            assert callable(job.func)
            seen.add(job.func_name)
    assert seen == set(REGISTERED)
    assert Registered(QUEUE_NAME, (str,)).admits(("two\nlines",)) is False


def test_jobs_that_an_older_version_has_put_into_the_queue_are_done(connection, synced):
    assert set(RENAMED.values()) <= set(REGISTERED)
    forge(connection, "ml_backend.jobs.sync.sync_project", 7)
    work(connection)
    assert synced == [7]
