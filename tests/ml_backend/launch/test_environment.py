import io
from pathlib import Path

import pytest

from ml_backend.errors import LaunchError
from ml_backend.launch.console import Console
from ml_backend.launch.environment import LABEL_STUDIO_VERSION, ensure_label_studio


def environment(folder: Path, python: str) -> Path:
    """An environment whose interpreter is a script."""
    (folder / "bin").mkdir(parents=True)
    for name in ("python", "label-studio"):
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{python}\n")
        (folder / "bin" / name).chmod(0o755)
    return folder


def test_complete_environment_is_not_installed_again(tmp_path: Path) -> None:
    folder = environment(tmp_path / "venv", "exit 1")
    (folder / ".installed").write_text(LABEL_STUDIO_VERSION)
    console = io.StringIO()
    assert ensure_label_studio(folder, Console(console)) == folder / "bin" / "label-studio"
    assert console.getvalue() == ""


def test_installation_that_was_cut_off_is_finished(tmp_path: Path) -> None:
    folder = environment(tmp_path / "venv", f'echo "$@" > {tmp_path}/asked')
    ensure_label_studio(folder, Console(io.StringIO()))
    assert f"label-studio=={LABEL_STUDIO_VERSION}" in (tmp_path / "asked").read_text()
    assert (folder / ".installed").read_text().strip() == LABEL_STUDIO_VERSION


def test_failed_installation_is_said_with_the_remedy_and_tried_again(tmp_path: Path) -> None:
    folder = environment(tmp_path / "venv", "exit 3")
    for _ in range(2):
        with pytest.raises(LaunchError, match=r"status 3.*LABEL_STUDIO_URL"):
            ensure_label_studio(folder, Console(io.StringIO()))
