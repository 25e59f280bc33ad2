"""What a project should be, which backend it belongs to, and what was done to make it so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ml_backend.i18n import Words, say
from ml_backend.store.coverage import USUAL_SECONDS


@dataclass(frozen=True, slots=True)
class BackendAddress:
    """How Label Studio reaches this backend, and how the two prove themselves to each other.

    Attributes:
        url: Its address, as Label Studio sees it.
        title: What Label Studio's interface calls it.
        user: User name of Basic auth; empty where none is demanded.
        password: Its password.
        webhook_secret: Value of the ``X-Webhook-Secret`` header that ``/webhook`` demands; empty for none.
    """

    url: str
    title: str = "OCR backend"
    user: str = ""
    password: str = field(default="", repr=False)
    webhook_secret: str = field(default="", repr=False)

    @property
    def webhook_url(self) -> str:
        """Where Label Studio sends events: the address that it would choose itself."""
        return f"{self.url.rstrip('/')}/webhook"


@dataclass(frozen=True, slots=True)
class ProjectPlan:
    """The project wanted.

    Attributes:
        title: Its title; a project of this title is taken over.
        label_config: Labelling configuration of a new project, XML.
        project_id: The project's number, where it is known; it wins over the title.
        images: Files that become a task each, unless a task of that file name is there. A project with other tasks only
            gets none of them.
        description: Shown below the title of a new project.
    """

    title: str
    label_config: str
    project_id: int | None = None
    images: Sequence[Path] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class SetupReport:
    """What was found and what was done.

    Attributes:
        project_id: The project's number.
        model_version: The version that the backend announces.
        tasks: How many tasks the project has.
        predicted: How many of them have a prediction of that version.
        changes: What was changed, a line each; none where all was well.
        waiting: How many open tasks lack such a prediction: the worker sees to them.
    """

    project_id: int
    model_version: str
    tasks: int
    predicted: int
    changes: tuple[str, ...]
    waiting: int = 0

    def said_of_waiting(self) -> Words:
        """Return what becomes of the open tasks that lack a prediction."""
        if not self.waiting:
            return say("Every open task has its prediction.")
        return say(
            "{count} open tasks get their predictions in the background, in about {minutes:.0f} minutes.",
            count=self.waiting,
            minutes=max(1.0, self.waiting * USUAL_SECONDS / 60),
        )
