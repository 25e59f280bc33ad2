"""The backend on several machines that share PostgreSQL, Redis and an MLflow server, beside a real Label Studio.

``benchmarks/many_workers`` plays more of it, and for longer: the whole loop with more replicas, any of them killed.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ml_backend.projects.setup import ProjectPlan, ensure_project
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from model.registry.tracking import RUN_TAG, Tracking
from model.registry.versions import Registry
from tests.cluster import API, WORKER, Cluster, cluster
from tests.e2e.conftest import System
from tests.e2e.projects import a_region, new_project, printed_cards
from tests.e2e.versions import changed_weights
from tests.e2e.waiting import until
from tests.postgres import find_postgres

CARDS = 4


@pytest.fixture(scope="module")
def machines(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """An API on one machine, a worker that scores on another, and one that syncs on a third."""
    if find_postgres() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    folder = tmp_path_factory.mktemp("machines")
    with cluster(folder, (system.url, system.api_key), SYNC_SECONDS=5) as made:
        made.start("api", "one", API)
        made.start("worker-scoring", "two", (*WORKER, "--queues", "scoring"))
        made.start("worker-sync", "three", WORKER, WORKER_QUEUES="sync")
        for name in ("api", "worker-scoring", "worker-sync"):
            made.wait_for(name)
        yield made


@pytest.fixture(scope="module")
def project_id(system: System, machines: Cluster, tmp_path_factory: pytest.TempPathFactory) -> int:
    """A project that is connected to the API, with pre-labelled cards."""
    number = new_project(system.client)
    images = printed_cards(tmp_path_factory.mktemp("cards"), CARDS)
    ensure_project(system.client, ProjectPlan("", "", project_id=number, images=images), machines.address("api"))
    return number


@pytest.fixture
def learning(machines: Cluster) -> Iterator[LearningStore]:
    store = Store(machines.store_url)
    yield LearningStore(store.engine)
    store.close()


def test_what_is_annotated_while_postgresql_is_down_is_learned_of_afterwards(
    system: System, machines: Cluster, project_id: int, learning: LearningStore
) -> None:
    first, second, *_ = system.client.tasks(project_id)
    before = system.client.create_annotation(first.id, a_region())
    until(lambda: before.id in learning.live_ids(project_id), "the sync")
    machines.kill("postgres")
    made = system.client.create_annotation(second.id, a_region())
    answer = requests.post(
        f"{machines.address('api').url}/webhook", json={}, headers={"X-Webhook-Secret": "wrong"}, timeout=10
    )
    assert answer.status_code == 401, "the API is alive"
    machines.again("postgres")
    until(lambda: {before.id, made.id} <= learning.live_ids(project_id).keys(), "the sync")


def test_a_version_that_another_machine_has_trained_is_served_and_scored_also_after_the_registry_was_down(
    system: System, machines: Cluster, project_id: int, tmp_path: Path
) -> None:
    tracking = Tracking(machines.mlflow_uri, tmp_path / "trainer" / "models")
    registry = Registry(tracking)
    run = tracking.begin(project_id, 7, "elsewhere")
    version = registry.register(changed_weights(tmp_path / "draft", 7), project_id, run, {RUN_TAG: "7"})
    machines.kill("mlflow")
    assert requests.get(f"{machines.address('api').url}/health", timeout=10).json()["status"] == "UP"
    machines.again("mlflow")
    machines.wait_for("mlflow")
    registry.promote(project_id, version.number)

    def served() -> bool:
        answer = requests.get(f"{machines.address('api').url}/versions?project={project_id}", timeout=10)
        return any(name.startswith(version.name) for name in answer.json()["versions"])

    until(served, "the API's look at the registry", 180)
    until(lambda: system.client.project(project_id).model_version.startswith(version.name), "the rescoring", 300)
    open_tasks = sorted(task.id for task in system.client.tasks(project_id, annotated=False))
    made = [item for item in system.client.predictions(project_id=project_id) if item.task in open_tasks]
    assert sorted(item.task for item in made if item.model_version.startswith(version.name)) == open_tasks
    assert len(open_tasks) == CARDS - 2
