import shutil
from collections import namedtuple

import pytest
from redis import Redis
from rq import Queue, SimpleWorker
from sqlalchemy import create_engine, text

from ml_backend.jobs.queue import WORKER_QUEUES
from ml_backend.jobs.registered import SERIALIZER, TRAINING_QUEUE
from ml_backend.ops.doctor.machine_checks import (
    look_at_disk,
    look_at_gate,
    look_at_redis,
    look_at_store,
    look_at_workers,
)
from ml_backend.ops.doctor.targets import System
from ml_backend.store.engine import open_engine
from model.evaluation.extractor_gate import held_out
from tests.conftest import free_port

Usage = namedtuple("Usage", "total used free")


def test_a_redis_that_is_down_is_said_with_its_remedy(make_settings):
    (seen,) = look_at_redis(System(make_settings(redis_url=f"redis://127.0.0.1:{free_port()}/0")))
    assert seen.state == "error"
    assert "REDIS_URL" in str(seen.remedy)


def test_a_redis_that_answers_says_how_many_jobs_wait(make_settings, redis_url):
    (seen,) = look_at_redis(System(make_settings(redis_url=redis_url)))
    assert (seen.state, "0 jobs wait" in str(seen.found)) == ("ok", True)


def sign_in(redis_url, queues, pid=None):
    connection = Redis.from_url(redis_url)
    names = [Queue(name, connection=connection, serializer=SERIALIZER) for name in queues]
    worker = SimpleWorker(names, connection=connection, serializer=SERIALIZER)
    if pid is not None:
        worker.pid = pid
    worker.register_birth()
    return worker


def test_each_kind_of_worker_that_is_missing_is_named(make_settings, redis_url):
    sign_in(redis_url, WORKER_QUEUES)
    worker, trainer = look_at_workers(System(make_settings(redis_url=redis_url)))
    assert (worker.state, trainer.state) == ("ok", "error")
    assert "ml_backend.cli.trainer" in str(trainer.remedy)


def test_a_worker_that_was_killed_without_signing_out_is_not_alive(make_settings, redis_url):
    sign_in(redis_url, (*WORKER_QUEUES, TRAINING_QUEUE), pid=2**22 + 1)
    assert [seen.state for seen in look_at_workers(System(make_settings(redis_url=redis_url)))] == ["error", "error"]


def test_a_store_at_its_newest_schema_is_well(make_settings):
    settings = make_settings()
    open_engine(settings.store_url).dispose()
    (seen,) = look_at_store(System(settings))
    assert seen.state == "ok"


@pytest.mark.parametrize(("revision", "words"), [("0001", "migrates"), ("9999", "newer version")])
def test_a_store_at_another_schema_is_told_what_to_do(make_settings, revision, words):
    settings = make_settings()
    engine = open_engine(settings.store_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    engine.dispose()
    (seen,) = look_at_store(System(settings))
    assert seen.state == "error"
    assert words in f"{seen.found} {seen.remedy}"


def test_a_store_that_was_never_opened_is_not_made_by_looking(make_settings):
    settings = make_settings()
    (seen,) = look_at_store(System(settings))
    assert seen.state == "error"
    assert not (settings.run_dir / "store.sqlite3").exists()


def test_looking_at_a_given_store_leaves_it_open(make_settings):
    engine = create_engine("sqlite://")
    assert [seen.state for seen in look_at_store(System(make_settings(), engine))] == ["error"]
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1


@pytest.mark.parametrize(("free", "state"), [(50e9, "ok"), (1e9, "warning"), (1e8, "error")])
def test_little_disk_space_is_told_before_it_is_none(make_settings, monkeypatch, tmp_path, free, state):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(100e9, 0, free))
    settings = make_settings(models_dir=tmp_path / "models", training_data_dir=tmp_path / "data")
    (seen,) = look_at_disk(System(settings))
    assert seen.state == state


@pytest.mark.parametrize("samples", [40, 50])
def test_a_first_run_that_the_gate_can_decide_on_is_well(make_settings, samples):
    (seen,) = look_at_gate(System(make_settings(min_training_samples=samples, gate_min_documents=10)))
    assert seen.state == "ok"
    assert all(len(held_out(project, range(samples), least=10)) >= 10 for project in range(20))


@pytest.mark.parametrize(("samples", "possible"), [(39, 9), (8, 2), (7, None)])
def test_a_first_run_that_comes_too_early_for_the_gate_is_told_with_what_helps(make_settings, samples, possible):
    (seen,) = look_at_gate(System(make_settings(min_training_samples=samples, gate_min_documents=10)))
    assert seen.state == "warning"
    assert "MIN_TRAINING_SAMPLES to 40" in str(seen.remedy)
    assert ("GATE_MIN_DOCUMENTS" in str(seen.remedy)) == (possible is not None)
    if possible is not None:
        assert f"GATE_MIN_DOCUMENTS to {possible} " in str(seen.remedy)
        fixed = make_settings(min_training_samples=samples, gate_min_documents=possible)
        assert [each.state for each in look_at_gate(System(fixed))] == ["ok"]
