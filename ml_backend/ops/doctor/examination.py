"""The whole examination: the connection, each project, this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Engine, func, select

from ml_backend.errors import BackendError, NotFoundError
from ml_backend.i18n import Words, say
from ml_backend.label_studio.client import LabelStudio
from ml_backend.learn.skipped_regions import count_skipped
from ml_backend.ops.doctor.connection_checks import CONNECTION_CHECKS
from ml_backend.ops.doctor.machine_checks import MACHINE_CHECKS
from ml_backend.ops.doctor.project_checks import PROJECT_CHECKS
from ml_backend.ops.doctor.results import CheckResult, examine
from ml_backend.ops.doctor.targets import Connection, ProjectLink, System
from ml_backend.settings import Settings
from ml_backend.store.annotations import LearningStore
from ml_backend.store.coverage import Coverages
from ml_backend.store.engine import StoreError, reading
from ml_backend.store.tables import EventRow

#: Label Studio itself may wait for the backend when it is asked about it: 3 s for /setup and more.
_ASK_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Examined:
    """One result, and what it is about.

    Attributes:
        group: A heading for the person who reads it.
        result: What was found.
        project_id: The project it is about; ``None`` where it is about the whole system.
    """

    group: Words
    result: CheckResult
    project_id: int | None = None


def examine_everything(
    settings: Settings, engine: Engine, projects: Sequence[int] | None = None, *, migrates: bool = False
) -> Iterator[Examined]:
    """Look at every link, and give each result as soon as it is there.

    Args:
        settings: As the running backend has them.
        engine: The store's database.
        projects: The projects to look at; ``None`` for all that are known and still there.
        migrates: Whether ``engine`` was opened by somebody who migrates, so that its schema is what is served.
    """
    connected = False
    for result in examine(CONNECTION_CHECKS, Connection(settings, lambda: _connect(settings))):
        connected = result.state in ("ok", "warning")
        yield Examined(say("Label Studio"), result)
    if connected:
        yield from _projects(settings, engine, projects)
    for result in examine(MACHINE_CHECKS, System(settings, engine if migrates else None)):
        yield Examined(say("This machine"), result)


def _projects(settings: Settings, engine: Engine, wanted: Sequence[int] | None) -> Iterator[Examined]:
    client = _connect(settings)
    try:
        numbers = _known(settings, engine) if wanted is None else wanted
        there = [number for number in numbers if wanted is not None or _is_there(client, number)]
        if not there:
            missing = CheckResult(
                "project",
                say("Project"),
                "error",
                say("No Label Studio project is known here."),
                say('Press "Initialise" in the panel, or start everything with `make run`.'),
            )
            yield Examined(say("Project"), missing)
        for number in there:
            link = ProjectLink(
                settings,
                client,
                number,
                lambda project, action: count_events(engine, project, action),
                coverage=Coverages(engine).of,
                skipped=lambda project, config: count_skipped(LearningStore(engine), project, config),
            )
            for result in examine(PROJECT_CHECKS, link):
                yield Examined(say("Project {project}", project=number), result, number)
    finally:
        client.close()


def count_events(engine: Engine, project_id: int, action: str) -> int:
    """Return how many events of a kind were ever stored for a project, repeated ones included.

    Raises:
        StoreError: If the store cannot be read.
    """
    wanted = select(func.count()).where(EventRow.project_id == project_id, EventRow.action == action)
    with reading(engine) as connection:
        return int(connection.scalar(wanted) or 0)


def _connect(settings: Settings) -> LabelStudio:
    return LabelStudio(
        settings.label_studio_url, settings.label_studio_api_key.get_secret_value(), timeout=_ASK_SECONDS
    )


def _known(settings: Settings, engine: Engine) -> list[int]:
    """Return the projects that were ever synced, and the one that a launch has set up."""
    known: set[int] = set()
    with suppress(StoreError):  # what is wrong with the store is told below
        known |= {state.id for state in LearningStore(engine).projects()}
    with suppress(OSError, ValueError, KeyError, TypeError):
        known.add(int(json.loads((settings.run_dir / "project.json").read_text(encoding="utf-8"))["project_id"]))
    return sorted(known)


def _is_there(client: LabelStudio, project_id: int) -> bool:
    try:
        client.project(project_id)
    except NotFoundError:
        return False
    except BackendError:
        return True  # the checks will say what is wrong
    return True
