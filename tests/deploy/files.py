"""The files that containers are made and started by, as their own tools read them."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def tool(name: str) -> str:
    """Return a program of the development environment; without it the test is skipped."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{name} is not installed: its package has none for this machine")
    return found


@dataclass(frozen=True)
class Image:
    """What the last stage of the Dockerfile says.

    Attributes:
        environment: Set for every process.
        entrypoint: Program and first arguments of every process.
        command: Their further arguments, where none are given.
        health: The health check's program and arguments.
        user: Who runs them.
        folders: The folders that are kept.
    """

    environment: Mapping[str, str]
    entrypoint: list[str]
    command: list[str]
    health: list[str]
    user: str
    folders: list[str]


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile in order, with their arguments, each on one line."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def image() -> Image:
    """Read the Dockerfile."""
    everything = instructions((ROOT / "Dockerfile").read_text("utf-8"))
    last = max(number for number, (word, _) in enumerate(everything) if word == "FROM")
    said: dict[str, str] = {}
    environment: dict[str, str] = {}
    for word, rest in everything[last:]:
        if word == "ENV":
            environment |= dict(part.split("=", 1) for part in shlex.split(rest))
        said[word] = rest
    return Image(
        environment,
        json.loads(said["ENTRYPOINT"]),
        json.loads(said["CMD"]),
        json.loads(said["HEALTHCHECK"].partition("CMD ")[2]),
        said["USER"],
        json.loads(said["VOLUME"]),
    )


def compose(env_file: Path, *options: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return what Docker Compose makes of its file with an environment file."""
    command = [tool("docker-compose"), "--env-file", str(env_file), *options, "config", "--format", "json"]
    clean = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    done = subprocess.run(
        command, cwd=ROOT, env=clean | dict(environment or {}), capture_output=True, text=True, timeout=60
    )
    if done.returncode:
        raise ValueError(done.stderr)
    read: dict[str, Any] = json.loads(done.stdout)
    return read
