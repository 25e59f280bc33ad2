"""Model versions for tests: the weights that ship, a little different."""

from __future__ import annotations

import shutil
from pathlib import Path

from safetensors.numpy import load_file, save_file

from model.pipeline import SHIPPED_WEIGHTS
from model.registry.tracking import RUN_TAG, Tracking
from model.registry.versions import CHAMPION, Registry, Version


def registry_of(run_dir: Path) -> Registry:
    """The registry of a running system."""
    return Registry(_tracking(run_dir))


def move_alias(run_dir: Path, version: Version) -> None:
    """Make a version the champion as another machine would, without a look at its files here."""
    client = _tracking(run_dir).client()
    client.set_registered_model_alias(f"project-{version.project_id}", CHAMPION, str(version.number))


def register(run_dir: Path, project_id: int, folder: Path, *, nudge: int = 1) -> Version:
    """Register the shipped weights with one number changed, as a version of its own."""
    draft = changed_weights(folder / f"version-{nudge}", nudge)
    tracking = _tracking(run_dir)
    run = tracking.begin(project_id, nudge, draft.name)
    version = Registry(tracking).register(draft, project_id, run, {RUN_TAG: str(nudge)})
    run.end("FINISHED")
    return version


def changed_weights(folder: Path, nudge: int) -> Path:
    """Write the shipped weights with one number changed by thousandths into a new folder, and return it."""
    shutil.copytree(SHIPPED_WEIGHTS, folder)
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in sorted(tensors) if name.startswith("classifier") and "bias" in name)
    tensors[name] = tensors[name] + tensors[name].dtype.type(nudge / 1000)
    save_file(tensors, folder / "model.safetensors")
    return folder


def _tracking(run_dir: Path) -> Tracking:
    return Tracking(f"sqlite:///{run_dir / 'mlflow.sqlite3'}", run_dir / "models")
