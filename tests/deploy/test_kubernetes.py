"""The manifests are what Kubernetes' own schemas accept, and hold what a cluster relies on."""

import subprocess
from collections import Counter
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
import yaml

from ml_backend.cli.main import _parser
from ml_backend.launch.env_file import SECRETS
from ml_backend.settings import Settings
from tests.deploy.files import ROOT, image, tool

FOLDERS = ("base", "overlays/example")
#: The oldest and the newest release that the manifests are held to.
RELEASES = ("1.28", "1.37")
#: What deploy/kubernetes/README.md has people put into the Secret of the backend.
BACKEND_SECRETS = {"LABEL_STUDIO_API_KEY", "BASIC_AUTH_PASSWORD", "WEBHOOK_SECRET", "API_TOKEN"} | {
    "DATABASE_URL",
    "REDIS_URL",
}


@cache
def manifests(folder: str) -> list[dict[str, Any]]:
    command = [tool("kubectl"), "kustomize", f"deploy/kubernetes/{folder}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of_kind(folder: str, *kinds: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in manifests(folder) if each["kind"] in kinds}


def pods(folder: str) -> dict[str, dict[str, Any]]:
    found = of_kind(folder, "Deployment", "Job")
    return {name: each["spec"]["template"] for name, each in found.items()}


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("folder", FOLDERS)
def test_the_schemas_of_kubernetes_accept_every_manifest(folder, release):
    assert len(manifests(folder)) > 15
    for each in manifests(folder):
        kubernetes_validate.validate(each, release, strict=True)


def test_a_manifest_with_a_misspelt_word_is_not_accepted():
    broken = {**manifests("base")[0], "metadate": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, RELEASES[-1], strict=True)


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_runs_as_root_or_writes_beside_its_volumes(folder):
    for name, pod in pods(folder).items():
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True, name
        assert f"{pod['spec']['securityContext']['runAsUser']}" == image().user.partition(":")[0], name
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        for container in pod["spec"]["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}, name


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_variable_of_kubernetes_takes_the_place_of_a_setting(folder):
    for name, pod in pods(folder).items():
        assert pod["spec"]["enableServiceLinks"] is False, name


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_container_is_limited_and_every_one_that_stays_is_probed(folder):
    for name, pod in pods(folder).items():
        (container,) = pod["spec"]["containers"]
        for bounds in ("requests", "limits"):
            assert {"cpu", "memory"} <= set(container["resources"][bounds]), name
        if name != "migrate":
            assert {"startupProbe", "livenessProbe"} <= set(container), name
        if name in {"api", "mlflow"}:
            assert "readinessProbe" in container, name


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_command_is_one_of_the_image(folder):
    for name, pod in pods(folder).items():
        (container,) = pod["spec"]["containers"]
        if "command" in container:
            assert [*container["command"], container["args"][0]] == ["python", "-m", "mlflow", "server"]
        else:
            assert container["args"] == [name]
            _parser().parse_args(container["args"])
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if "exec" in container.get(probe, {}):
                assert container[probe]["exec"]["command"] == image().health, name


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_is_named_is_there(folder):
    claims, accounts = of_kind(folder, "PersistentVolumeClaim"), of_kind(folder, "ServiceAccount")
    labels = [pod["metadata"]["labels"] for pod in pods(folder).values()]
    for name, pod in pods(folder).items():
        spec = pod["spec"]
        assert spec["serviceAccountName"] in accounts
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        for volume in volumes.values():
            assert volume.get("persistentVolumeClaim", {}).get("claimName", "run") in claims, name
        for container in spec["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= set(volumes), name
            for source in container["envFrom"]:
                known = {*of_kind(folder, "ConfigMap"), "backend-secrets", "mlflow-secrets"}
                assert {how["name"] for how in source.values()} <= known, name
    for each in manifests(folder):
        if each["kind"] == "Service":
            assert any(each["spec"]["selector"].items() <= found.items() for found in labels)
        if each["kind"] == "NetworkPolicy":
            assert any(each["spec"]["podSelector"]["matchLabels"].items() <= found.items() for found in labels)


def test_the_roles_share_their_folders_where_the_image_wants_them():
    made = image()
    for name in ("api", "worker", "trainer"):
        (container,) = pods("base")[name]["spec"]["containers"]
        assert set(made.folders) <= {mount["mountPath"] for mount in container["volumeMounts"]}
    claims = of_kind("base", "PersistentVolumeClaim")
    modes = {name: claim["spec"]["accessModes"] for name, claim in claims.items()}
    shared = ["ReadWriteMany"]
    assert modes == {"run": shared, "models": shared, "training-data": shared, "mlflow": ["ReadWriteOnce"]}


def test_settings_and_secrets_together_are_settings(make_settings):
    given = of_kind("base", "ConfigMap")["backend-settings"]["data"]
    assert not BACKEND_SECRETS & set(given)
    assert not set(SECRETS) & set(given)
    secrets = dict.fromkeys(BACKEND_SECRETS, "a value of sixteen characters or more")
    everything = image().environment | given | secrets
    fields = Settings.model_fields
    assert {name.lower() for name in {**given, **secrets}} <= set(fields)
    make_settings(**{name.lower(): value for name, value in everything.items() if name.lower() in fields})


def test_the_instructions_name_every_secret():
    text = (ROOT / "deploy/kubernetes/README.md").read_text("utf-8")
    for name in BACKEND_SECRETS | {"MLFLOW_BACKEND_STORE_URI"}:
        assert f"{name}=" in text


def test_only_the_backend_reaches_mlflow():
    policies = of_kind("base", "NetworkPolicy")
    assert policies["deny-all"]["spec"] == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "label-studio-ocr-backend"}},
        "policyTypes": ["Ingress"],
    }
    for pod in pods("base").values():
        assert pod["metadata"]["labels"]["app.kubernetes.io/part-of"] == "label-studio-ocr-backend"
    (rule,) = policies["mlflow"]["spec"]["ingress"]
    (source,) = rule["from"]
    (wanted,) = source["podSelector"]["matchExpressions"]
    assert set(wanted["values"]) == {"api", "worker", "trainer"}


def test_the_example_changes_what_a_company_has_to_change():
    deployments = of_kind("overlays/example", "Deployment")
    assert {name: each["spec"]["replicas"] for name, each in deployments.items()} == {
        **{"api": 2, "worker": 3},
        **{"trainer": 1, "mlflow": 1},
    }
    assert Counter(each["metadata"].get("namespace") for each in manifests("overlays/example")) == {
        "documents": len(manifests("overlays/example")) - 1,
        None: 1,
    }
    (trainer,) = deployments["trainer"]["spec"]["template"]["spec"]["containers"]
    assert trainer["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert trainer["image"].startswith("registry.example.com/")
