"""Rescorers for the tests of jobs."""

import pytest

from ml_backend.container import TaskServices
from ml_backend.tasks import provide
from tests.ml_backend.jobs.rescoring_world import World


@pytest.fixture
def make(redis_url, tmp_path):
    made = []

    def make(count, **options):
        world = World(redis_url, f"sqlite:///{tmp_path}/{len(made)}.sqlite3", count, **options)
        made.append(world)
        return world

    yield make
    provide(TaskServices())
    for world in made:
        world.store.close()
