"""A health check tells a role that works from one that does not."""

import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest
from flask import Flask, request
from redis import Redis
from rq import Queue, SimpleWorker, Worker
from werkzeug.serving import make_server

from ml_backend.jobs.registered import SERIALIZER
from ml_backend.ops.health import check_health, own_address
from ml_backend.ops.role_record import RoleError, RoleRecord
from tests.conftest import free_port

API = RoleRecord("api", os.getpid())


@pytest.fixture
def api():
    """A server that demands Basic auth as the API does; its port, and the status it answers with."""
    app, answers = Flask("api"), {"status": 200}

    @app.get("/health")
    def health():
        sent = request.authorization
        known = sent is not None and (sent.username, sent.password) == ("someone", "a password")
        return "", answers["status"] if known else 401

    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.port, answers
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def register(redis_url):
    """Sign a worker in as RQ does; it is signed out in the end."""
    with closing(Redis.from_url(redis_url)) as connection:
        workers: list[Worker] = []

        def sign_in(*, hostname: str = socket.gethostname(), pid: int = os.getpid()) -> Worker:
            queue = Queue("any", connection=connection, serializer=SERIALIZER)
            worker = SimpleWorker([queue], connection=connection, serializer=SERIALIZER)
            worker.hostname, worker.pid = hostname, pid
            worker.register_birth()
            workers.append(worker)
            return worker

        yield sign_in


def test_a_command_that_runs_once_is_well(make_settings):
    assert "nothing to check" in check_health(None, make_settings())


def test_the_api_is_asked_with_the_credentials_of_the_settings(make_settings, api):
    port, _ = api
    settings = make_settings(host="0.0.0.0", port=port, basic_auth_user="someone", basic_auth_password="a password")
    assert check_health(API, settings) == "The API answers."


@pytest.mark.parametrize(("password", "status", "said"), [("another", 200, "401"), ("a password", 503, "503")])
def test_an_api_that_answers_otherwise_is_not_well(make_settings, api, password, status, said):
    port, answers = api
    answers["status"] = status
    settings = make_settings(port=port, basic_auth_user="someone", basic_auth_password=password)
    with pytest.raises(RoleError, match=said):
        check_health(API, settings)


def test_an_api_that_does_not_answer_is_not_well(make_settings):
    with pytest.raises(RoleError, match="does not answer"):
        check_health(API, make_settings(port=free_port()))


def test_a_server_on_all_addresses_is_reached_by_the_loopback_one(make_settings):
    login = {"basic_auth_user": "a", "basic_auth_password": "b", "port": 9}
    assert own_address(make_settings(host="0.0.0.0", **login)) == "http://127.0.0.1:9"
    assert own_address(make_settings(host="::", **login)) == "http://[::1]:9"


@pytest.mark.parametrize("role", ["worker", "trainer"])
def test_a_worker_that_gave_its_sign_of_life_is_well(make_settings, redis_url, register, role):
    register()
    assert check_health(RoleRecord(role, os.getpid()), make_settings(redis_url=redis_url)) == f"The {role} is alive."


def test_signs_of_life_of_others_do_not_count(make_settings, redis_url, register):
    register(hostname="elsewhere")
    register(pid=os.getppid())
    with pytest.raises(RoleError, match="no sign of life"):
        check_health(RoleRecord("worker", os.getpid()), make_settings(redis_url=redis_url))


def test_a_sign_of_life_counts_for_as_long_as_rq_promised(make_settings, redis_url, register):
    worker = register()
    worker.connection.pexpire(worker.key, 1)
    time.sleep(0.05)
    with pytest.raises(RoleError, match="no sign of life"):
        check_health(RoleRecord("worker", os.getpid()), make_settings(redis_url=redis_url))


def test_a_worker_whose_process_is_gone_is_not_well(make_settings, redis_url, register):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    register(pid=process.pid)
    with pytest.raises(RoleError, match="process is gone"):
        check_health(RoleRecord("worker", process.pid), make_settings(redis_url=redis_url))


def test_a_worker_without_redis_is_not_well(make_settings):
    settings = make_settings(redis_url=f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(RoleError, match="Redis cannot be used"):
        check_health(RoleRecord("worker", os.getpid()), settings)
