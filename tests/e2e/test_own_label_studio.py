"""The command with a Label Studio, a Redis and a project that are there already, killed half way and run again."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ml_backend.projects.setup import UNCERTAINTY
from tests.e2e.conftest import System, launched, left_running, output_of, wait_until_ready
from tests.e2e.projects import new_title, printed_cards

CONFIG = """<View><Image name="scan" value="$image"/>
<RectangleLabels name="what" toName="scan"><Label value="Person"/><Label value="Mail"/></RectangleLabels>
<TextArea name="says" toName="scan" perRegion="true"/></View>"""


@dataclass(frozen=True)
class Relaunched:
    """What is left after the launch that was killed and the one after it."""

    project_id: int
    config_before: str
    backend_url: str
    output: str
    run_dir: Path


@pytest.fixture(scope="module")
def relaunched(system: System, redis_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relaunched]:
    client, folder = system.client, tmp_path_factory.mktemp("own")
    project = client.create_project(new_title("My own"), CONFIG)
    client.upload_files(project.id, printed_cards(folder, 6))
    run_dir = folder / "run"
    settings = {
        "LABEL_STUDIO_URL": f"{system.url}/",
        "LABEL_STUDIO_API_KEY": system.api_key,
        "LABEL_STUDIO_PROJECT": project.title,
        "REDIS_URL": redis_server,
    }
    with launched(run_dir, **settings) as process:
        deadline = time.monotonic() + 600
        while not client.predictions(project_id=project.id):
            assert process.poll() is None, output_of(run_dir).read_text()
            assert time.monotonic() < deadline, output_of(run_dir).read_text()
            time.sleep(0.2)
        process.kill()
    assert left_running(run_dir), "a killed launch cannot tidy up"
    with launched(run_dir, **settings) as process:
        connection = wait_until_ready(process, run_dir)
        yield Relaunched(
            project.id, project.label_config, connection["backend_url"], output_of(run_dir).read_text(), run_dir
        )
    assert process.returncode == 0
    assert not left_running(run_dir)


def test_no_other_label_studio_and_no_other_redis_are_started(relaunched: Relaunched) -> None:
    assert "Using the Label Studio at" in relaunched.output
    started = [line for line in relaunched.output.splitlines() if "Starting" in line]
    assert len(started) == 2
    assert all("Starting backend, worker, trainer;" in line for line in started)


def test_what_the_killed_launch_left_running_is_stopped_first(relaunched: Relaunched) -> None:
    assert "Stopped what an earlier launch had left running" in relaunched.output


def test_killed_launch_is_taken_up_and_nothing_is_there_twice(system: System, relaunched: Relaunched) -> None:
    client, project_id = system.client, relaunched.project_id
    assert [project.id for project in client.projects(client.project(project_id).title)] == [project_id]
    # The second launch had other ports: the connection moved with it.
    assert [backend.url for backend in client.ml_backends(project_id)] == [relaunched.backend_url]
    assert [hook.url for hook in client.webhooks(project_id)] == [f"{relaunched.backend_url}/webhook"]
    tasks = [task.id for task in client.tasks(project_id)]
    assert len(tasks) == 6, "no demonstration cards among somebody's own"
    version = client.project(project_id).model_version
    made = Counter(item.task for item in client.predictions(project_id=project_id) if item.model_version == version)
    assert made == Counter(tasks)
    assert client.project(project_id).sampling == UNCERTAINTY


def test_labelling_configuration_of_ones_own_stays_as_it_is(system: System, relaunched: Relaunched) -> None:
    assert system.client.project(relaunched.project_id).label_config == relaunched.config_before
    parts = [part for item in system.client.predictions(project_id=relaunched.project_id) for part in item.result]
    assert {part["to_name"] for part in parts} == {"scan"}
    assert {part["from_name"] for part in parts} == {"what", "says"}


def test_nothing_but_what_a_person_needs_is_printed(relaunched: Relaunched) -> None:
    assert "Traceback" not in relaunched.output
    assert "HTTP Request" not in relaunched.output
    assert len(relaunched.output.splitlines()) < 60
