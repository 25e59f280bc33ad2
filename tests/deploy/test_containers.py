"""The image and its Compose file are what their own tools accept, and hold what a company must rely on."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ml_backend.cli.main import _parser
from ml_backend.launch.env_file import SECRETS, write_env_file
from ml_backend.launch.environment import LABEL_STUDIO_VERSION
from ml_backend.settings import Settings
from tests.deploy.files import ROOT, compose, image, instructions, tool

PROFILE = ("--profile", "label-studio")
ONCE = {"migrate", "project"}
ROLES = {"api", "worker", "trainer"}


@pytest.fixture(scope="module")
def env_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compose") / ".env"
    write_env_file(path)
    return path


@pytest.fixture(scope="module")
def system(env_file: Path) -> dict[str, Any]:
    """Everything, Label Studio among it."""
    return compose(env_file, *PROFILE)


@pytest.fixture(scope="module")
def services(system: dict[str, Any]) -> dict[str, Any]:
    return system["services"]


def ours(services: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, service) for name, service in services.items() if "build" in service)


def test_hadolint_has_nothing_to_say_of_the_dockerfile():
    done = subprocess.run([tool("hadolint"), "--no-color", "Dockerfile"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_holds_what_is_copied_and_nothing_that_builds():
    everything = instructions((ROOT / "Dockerfile").read_text("utf-8"))
    ignore = (ROOT / ".dockerignore").read_text().split()
    copied = [rest.split()[:-1] for word, rest in everything if word == "COPY" and "--from" not in rest]
    for name in (name for names in copied for name in names):
        assert (ROOT / name).exists()
        assert f"!{name}" in ignore
    last = max(number for number, (word, _) in enumerate(everything) if word == "FROM")
    for word, rest in everything[last:]:
        if word == "RUN":
            assert "pip install" not in rest
            assert "apt-get" not in rest


def test_the_image_runs_as_a_number_that_is_not_root_and_starts_its_process_without_a_shell():
    made = image()
    user, _, group = made.user.partition(":")
    assert min(int(user), int(group)) > 0
    assert made.entrypoint == ["python", "-m", "ml_backend"]
    assert made.health == [*made.entrypoint, "health"]
    _parser().parse_args(made.command)


def test_every_setting_of_the_image_is_one_and_its_folders_are_kept():
    made = image()
    fields = {name.upper() for name in Settings.model_fields}
    assert {"HOST", "PORT", "RUN_DIR", "MODELS_DIR", "TRAINING_DATA_DIR"} <= fields & set(made.environment)
    assert {made.environment[name] for name in ("RUN_DIR", "MODELS_DIR", "TRAINING_DATA_DIR")} == set(made.folders)


def test_with_label_studio_and_without_the_same_services_run(env_file, services):
    own = compose(env_file)["services"]
    assert set(services) - set(own) == {"label-studio", "project"}
    assert ROLES | {"postgres", "redis", "mlflow", "migrate"} == set(own)
    assert {name: services[name] for name in own} == own


def test_without_the_secrets_compose_says_what_makes_them(tmp_path):
    (tmp_path / "empty").write_text("")
    with pytest.raises(ValueError, match="make env"):
        compose(tmp_path / "empty", *PROFILE)


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_is_used_and_none_can_be_left_out(env_file, tmp_path, name):
    rest = [line for line in env_file.read_text().splitlines() if not line.startswith(f"{name}=")]
    (tmp_path / "rest").write_text("\n".join(rest))
    with pytest.raises(ValueError, match=f"{name} is missing a value: run make env"):
        compose(tmp_path / "rest", *PROFILE)


def test_the_backend_of_ones_own_label_studio_is_told_where_it_is(env_file):
    own = {"LABEL_STUDIO_URL": "https://labels.example.com", "LABEL_STUDIO_API_KEY": "a token"}
    for name, service in ours(compose(env_file, environment=own)["services"]):
        if name != "mlflow":
            assert own.items() <= service["environment"].items()


def test_label_studio_and_the_backend_agree_on_the_token_and_the_release(services):
    label_studio = services["label-studio"]
    assert label_studio["image"].rpartition(":")[2] == LABEL_STUDIO_VERSION
    token = label_studio["environment"]["LABEL_STUDIO_USER_TOKEN"]
    assert {services[name]["environment"]["LABEL_STUDIO_API_KEY"] for name in ROLES} == {token}


def test_the_settings_take_what_compose_gives_each_of_ours(services, make_settings):
    made = image()
    fields = Settings.model_fields
    for name, service in ours(services):
        if name == "mlflow":
            continue
        given = made.environment | service["environment"]
        settings = make_settings(**{key.lower(): value for key, value in given.items() if key.lower() in fields})
        assert settings.store_url.startswith("postgresql+psycopg://backend:")
        assert not {key for key in service["environment"] if key.lower() not in fields} - {"PATH"}, name


def test_every_command_of_compose_is_one(services):
    for name, service in ours(services):
        if service.get("entrypoint") is None:
            arguments = _parser().parse_args(service["command"])
            assert callable(arguments.command), name
        else:
            assert [*service["entrypoint"], service["command"][0]] == ["python", "-m", "mlflow", "server"]


def test_each_service_is_limited_restarts_and_leaves_room_on_the_disk(services):
    for name, service in services.items():
        limits = service["deploy"]["resources"]["limits"]
        assert {"cpus", "memory"} <= set(limits), name
        assert service["restart"] == ("on-failure:5" if name in ONCE else "unless-stopped"), name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name
        assert "no-new-privileges:true" in service["security_opt"], name


def test_ours_may_write_to_their_volumes_only_and_have_no_rights_beside(services):
    for name, service in ours(services):
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["tmpfs"] == ["/tmp"], name
        assert not {"user", "privileged", "cap_add"} & set(service), name


def test_nothing_starts_before_what_it_needs_is_healthy(services):
    def conditions(name: str) -> dict[str, str]:
        return {needed: how["condition"] for needed, how in services[name].get("depends_on", {}).items()}

    done, healthy = "service_completed_successfully", "service_healthy"
    for name in ROLES:
        assert conditions(name) == {"migrate": done, "redis": healthy, "mlflow": healthy}
    for name in ("migrate", "mlflow", "label-studio"):
        assert conditions(name) == {"postgres": healthy}
    assert conditions("project") == {"api": healthy, "label-studio": healthy}
    for name in {needed for each in services for needed, how in conditions(each).items() if how == healthy} - {"api"}:
        assert services[name]["healthcheck"]["test"], name


def test_nobody_outside_this_machine_reaches_a_port_unless_told_so(services, env_file):
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(ports) == {"api", "label-studio", "mlflow"}
    assert {port["host_ip"] for each in ports.values() for port in each} == {"127.0.0.1"}
    opened = compose(env_file, environment={"API_BIND": "0.0.0.0"})["services"]
    assert opened["api"]["ports"][0]["host_ip"] == "0.0.0.0"
    assert opened["mlflow"]["ports"][0]["host_ip"] == "127.0.0.1"


def test_what_must_outlive_a_container_is_on_a_named_volume(system):
    used = {
        (volume["source"], volume["target"])
        for service in system["services"].values()
        for volume in service.get("volumes", ())
        if volume["type"] == "volume"
    }
    assert {name for name, _ in used} == set(system["volumes"])
    assert {"training_data", "models"} <= set(system["volumes"])
    for name, service in ours(system["services"]):
        targets = {volume["target"] for volume in service["volumes"]}
        assert targets == ({"/data/mlflow"} if name == "mlflow" else set(image().folders)), name


def test_the_graphics_card_is_the_trainers(env_file):
    files = ("-f", "docker-compose.yml", "-f", "docker-compose.gpu.yml")
    services = compose(env_file, *files)["services"]
    with_device = {name for name, service in services.items() if "reservations" in service["deploy"]["resources"]}
    assert with_device == {"trainer"}
