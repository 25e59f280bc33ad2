"""The parts of a rescoring, on a real Redis: each done once, and again if its worker is killed."""

from datetime import datetime, timezone

import pytest
from redis import Redis
from rq.job import Job, JobStatus

from ml_backend.jobs.leases import Chunks
from ml_backend.jobs.queue import JobQueue, QueueError
from ml_backend.jobs.registered import RESCORING_QUEUE, SERIALIZER
from tests.conftest import free_port

VERSION = "p3-v1-00000001.aaaaaa"


@pytest.fixture
def connection(redis_url):
    with Redis.from_url(redis_url) as connection:
        yield connection


@pytest.fixture
def chunks(redis_url, monkeypatch):
    # As if two workers looked into the queue.
    monkeypatch.setattr(JobQueue, "rescoring_workers", lambda _self: 2)
    return Chunks(JobQueue.at(redis_url))


def waiting(connection):
    names = [name.decode() for name in connection.lrange(f"rq:queue:{RESCORING_QUEUE}", 0, -1)]
    jobs = [Job.fetch(name, connection=connection, serializer=SERIALIZER) for name in names]
    return [job.args[2] for job in jobs]


def test_parts_wait_in_their_order_and_know_their_tasks(chunks, connection):
    chunks.begin(3, VERSION, [[4, 5], [1, 2, 3], []])
    first, second = waiting(connection)
    assert (chunks.tasks(3, VERSION, first), chunks.tasks(3, VERSION, second)) == ([4, 5], [1, 2, 3])


def test_handing_out_the_same_parts_again_adds_nothing(chunks, connection):
    for _ in range(2):
        chunks.begin(3, VERSION, [[1, 2], [3]])
    assert len(waiting(connection)) == 2


def test_a_part_that_is_done_is_gone_and_the_last_one_is_told(chunks, connection):
    chunks.begin(3, VERSION, [[1], [2]])
    first, second = waiting(connection)
    assert chunks.done(3, VERSION, first) == 1
    assert chunks.tasks(3, VERSION, first) == []
    assert chunks.done(3, VERSION, second) == 0


def test_a_part_is_held_by_one_worker_at_a_time(chunks):
    with chunks.leased(3, "part") as mine:
        with chunks.leased(3, "part") as theirs:
            assert theirs is None
        mine()
        with chunks.leased(3, "part") as theirs:
            assert theirs is None, "what somebody else tried does not end the lease"
    with chunks.leased(3, "part") as again:
        assert again is not None


def test_parts_that_wait_or_are_worked_on_are_left_alone(chunks, connection):
    chunks.begin(3, VERSION, [[1], [2]])
    first, _ = waiting(connection)
    taken = Job.fetch(f"rescore-3-{first}", connection=connection, serializer=SERIALIZER)
    connection.lrem(f"rq:queue:{RESCORING_QUEUE}", 0, taken.id)
    taken.set_status(JobStatus.STARTED)
    with chunks.leased(3, first):
        assert chunks.feed(3, VERSION) == 2
    assert len(waiting(connection)) == 1


def test_a_part_whose_worker_was_killed_is_handed_out_again(chunks, connection):
    chunks.begin(3, VERSION, [[1], [2]])
    first, _ = waiting(connection)
    taken = Job.fetch(f"rescore-3-{first}", connection=connection, serializer=SERIALIZER)
    connection.lrem(f"rq:queue:{RESCORING_QUEUE}", 0, taken.id)
    taken.set_status(JobStatus.STARTED)
    assert chunks.feed(3, VERSION) == 2
    assert first in waiting(connection)


def test_a_part_that_was_taken_this_moment_is_not_handed_out_twice(chunks, connection):
    chunks.begin(3, VERSION, [[1], [2]])
    first, _ = waiting(connection)
    taken = Job.fetch(f"rescore-3-{first}", connection=connection, serializer=SERIALIZER)
    connection.lrem(f"rq:queue:{RESCORING_QUEUE}", 0, taken.id)
    taken.started_at = datetime.now(timezone.utc)
    taken.set_status(JobStatus.STARTED)
    taken.save()
    chunks.feed(3, VERSION)
    assert len(waiting(connection)) == 1


def test_of_each_project_only_some_parts_wait_so_that_all_take_turns(chunks, connection):
    chunks.begin(3, VERSION, [[number] * 20 for number in range(1, 101)])
    chunks.begin(4, VERSION, [[7] * 20, [8] * 20])
    names = [name.decode() for name in connection.lrange(f"rq:queue:{RESCORING_QUEUE}", 0, -1)]
    assert [name.split("-")[1] for name in names] == ["3", "3", "3", "4", "4"]


def test_what_is_short_goes_before_the_parts_of_others(chunks, connection):
    chunks.begin(3, VERSION, [[number] * 20 for number in range(1, 101)])
    chunks.begin(4, VERSION, [[7, 8]])
    names = [name.decode() for name in connection.lrange(f"rq:queue:{RESCORING_QUEUE}", 0, -1)]
    assert names[0].startswith("rescore-4-")


def test_tasks_for_which_there_was_no_time_are_a_part_of_their_own_in_the_same_place(chunks, connection):
    chunks.begin(3, VERSION, [[1, 2, 3], [4]])
    first, second = waiting(connection)
    assert chunks.done(3, VERSION, first, [2, 3]) == 2
    again = next(name for name in waiting(connection) if name not in (first, second))
    assert chunks.tasks(3, VERSION, again) == [2, 3]
    assert again < second


def test_a_task_that_ended_its_workers_is_counted_until_it_ends_well(chunks):
    assert [chunks.begun(3, 7) for _ in range(3)] == [1, 2, 3]
    chunks.condemned(3, 7)
    assert chunks.begun(3, 7) == 2, "one more try, later"
    chunks.ended(3, 7)
    assert chunks.begun(3, 7) == 1


def test_parts_that_redis_has_forgotten_are_none(chunks, connection):
    chunks.begin(3, VERSION, [[1], [2]])
    connection.flushall()
    assert chunks.feed(3, VERSION) == 0


def test_a_redis_that_is_down_is_said(connection):
    chunks = Chunks(JobQueue.at(f"redis://127.0.0.1:{free_port()}/0"))
    with pytest.raises(QueueError, match="REDIS_URL"):
        chunks.begin(3, VERSION, [[1]])
    with pytest.raises(QueueError, match="REDIS_URL"):
        chunks.feed(3, VERSION)


def test_a_worker_that_was_away_for_too_long_leaves_the_lease_to_the_one_that_took_over(chunks, connection):
    with chunks.leased(3, "part") as late:
        connection.delete("rescoring:lease:3:part")
        other = chunks.leased(3, "part")
        assert other.__enter__() is not None
        connection.expire("rescoring:lease:3:part", 20)
        assert late() is False
        assert connection.ttl("rescoring:lease:3:part") <= 20
    assert connection.exists("rescoring:lease:3:part")
    other.__exit__(None, None, None)
    assert not connection.exists("rescoring:lease:3:part")
