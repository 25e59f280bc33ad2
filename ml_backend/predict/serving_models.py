"""The models that serve a project: its champion, alone or with a challenger beside it.

Label Studio orders tasks by, and shows, the predictions of one version of a project only. While a challenger has a
share of the tasks, the two therefore answer under one name that says so; which of them made a prediction follows from
the name and the task's number.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

#: What a project's versions are called where no training has made one: the weights that ship, or EXTRACTOR_DIR.
SHIPPED = 0

_OURS = re.compile(r".+-[0-9a-f]{8}\.[0-9a-f]{6}")
_SPLIT = re.compile(
    r"p(?P<project>\d+)-v(?P<champion>\d+)\+v(?P<challenger>\d+)@(?P<share>\d+)-[0-9a-f]{8}\.[0-9a-f]{6}"
)
_TRAINED = re.compile(r"p\d+-v(\d+)-[0-9a-f]{8}\.[0-9a-f]{6}")


class Versioned(Protocol):
    """Something with a model version, as Label Studio sees it."""

    @property
    def version(self) -> str: ...  # noqa: D102


Model = TypeVar("Model", bound=Versioned)
Model_co = TypeVar("Model_co", bound=Versioned, covariant=True)


@dataclass(frozen=True, slots=True)
class ServingModels(Generic[Model_co]):
    """The models that answer for one project at one moment. A batch that starts with it ends the batch with it.

    Attributes:
        project_id: The project; ``None`` where it was not said.
        champion: Answers for all tasks, but for the challenger's share.
        challenger: ``None`` where there is none, or it is not asked.
        share: The challenger's share of the tasks, in ``[0, 1]``.
        both: Whether each task gets a prediction of both.
        previous: Served before the champion, and is asked for a second opinion; ``None`` where nobody did.
        naming: Stamp of the project's own way to name fields; empty where the champion alone names them.
    """

    project_id: int | None
    champion: Model_co
    challenger: Model_co | None = None
    share: float = 0.0
    both: bool = False
    previous: Model_co | None = None
    naming: str = ""

    @property
    def version(self) -> str:
        """The version that ``/setup`` says, that the project is set to, and that one prediction of each task has."""
        if self.challenger is None or self.both or not self.share:
            return self.champion.version
        names = (self.champion.version, self.challenger.version)
        percent = max(1, round(100 * self.share))
        # Not made of the champion's own name: Label Studio finds versions by parts of their names.
        digest = hashlib.sha256(f"{names}@{percent}".encode()).hexdigest()[:8]
        numbers = "+".join(f"v{number_of(name) or SHIPPED}" for name in names)
        return f"p{self.project_id or 0}-{numbers}@{percent}-{digest}.{names[0].rpartition('.')[2]}"

    @property
    def versions(self) -> tuple[str, ...]:
        """Every version that predictions carry, :attr:`version` first."""
        return (self.version, self.challenger.version) if self.both and self.challenger else (self.version,)

    def of_task(self, task_id: int) -> Sequence[tuple[Model_co, str]]:
        """Return the models that predict a task, each with the version that its prediction carries."""
        if self.challenger is None:
            return ((self.champion, self.version),)
        if self.both:
            return ((self.champion, self.champion.version), (self.challenger, self.challenger.version))
        challenged = number_made(self.version, task_id) == (number_of(self.challenger.version) or SHIPPED)
        return ((self.challenger if challenged else self.champion, self.version),)


class SoleModel(Generic[Model]):
    """One model for every project, always."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @property
    def versions(self) -> tuple[str, ...]:
        """The version of the one."""
        return (self._model.version,)

    @property
    def problems(self) -> Mapping[int, str]:
        """None."""
        return {}

    def serving(self, project_id: int | None) -> ServingModels[Model]:
        """Return the one model as serving models."""
        return ServingModels(project_id, self._model)

    def close(self) -> None:
        """Do nothing."""


def number_of(version: str) -> int | None:
    """Return the registry's number in a version's name; ``None`` where there is none, as for the weights that ship."""
    found = _TRAINED.fullmatch(version)
    return int(found[1]) if found else None


def number_made(version: str, task_id: int) -> int | None:
    """Return the number of the model that made the prediction with this version's name for a task.

    The choice between champion and challenger is a hash: always the same for a task, and another for each pair.

    Returns:
        The registry's number, :data:`SHIPPED` for the weights that ship, ``None`` if the name is not one of ours.
    """
    if split := _SPLIT.fullmatch(version):
        pair = f"{split['champion']}:{split['challenger']}:{task_id}"
        drawn = int(hashlib.sha256(pair.encode()).hexdigest()[:8], 16) / 16**8
        return int(split["challenger" if drawn < int(split["share"]) / 100 else "champion"])
    if not is_ours(version):
        return None
    return number_of(version) or SHIPPED


def is_ours(version: str) -> bool:
    """Tell whether a version is named as this backend names its own; others' predictions are not its to delete."""
    return bool(_OURS.fullmatch(version))
