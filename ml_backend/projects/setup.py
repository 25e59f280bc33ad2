"""A project that is ready for work: created, filled, connected, pre-labelled, and in the right order.

Every step looks first and changes only what is missing, so that it can be repeated at any time: after a launch that was
killed half way, after somebody disconnected the backend, after the model version changed. A labelling configuration
that is there already is a person's work and stays as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ml_backend.errors import LabelStudioError, NotFoundError
from ml_backend.label_studio.client import LabelStudio, Sampling
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.records import MlBackend, Prediction, Project, Task
from ml_backend.label_studio.webhooks import WEBHOOK_SECRET_HEADER
from ml_backend.projects.setup_plan import BackendAddress, ProjectPlan, SetupReport
from model.errors import say

__all__ = ["UNCERTAINTY", "BackendAddress", "Progress", "ProjectPlan", "SetupReport", "ensure_project"]

UNCERTAINTY: Sampling = "Uncertainty sampling"
Progress = Callable[[str], None]


def ensure_project(
    client: LabelStudio,
    plan: ProjectPlan,
    backend: BackendAddress,
    *,
    progress: Progress = lambda _: None,
    batch: int = 4,
    most: int = 500,
) -> SetupReport:
    """Make the project as planned, changing only what is missing.

    Args:
        client: Label Studio, as a user who may change projects.
        plan: The project wanted.
        backend: The backend to connect.
        progress: Called with a line whenever there is something new to say.
        batch: Tasks in one retrieval of predictions; few, so that progress can be seen.
        most: Tasks that get their prediction here at most; the worker sees to the others.

    Returns:
        What was found and done.

    Raises:
        LabelConfigError: If the project is there already, with a configuration that has no place for text regions.
        LabelStudioError: If Label Studio refuses a step, or cannot reach the backend.
    """
    return _Setup(client, backend, progress).run(plan, batch=batch, most=most)


def retrieve_predictions(client: LabelStudio, project_id: int, task_ids: Sequence[int]) -> None:
    """Have Label Studio ask the project's backend for the predictions of tasks, and wait until it has.

    Raises:
        LabelStudioError: If Label Studio refuses, or cannot reach the backend.
    """
    selection = {"selectedItems": {"all": False, "included": list(task_ids)}, "project": str(project_id)}
    query = {"id": "retrieve_tasks_predictions", "project": project_id}
    with client.session.explained(say("retrieve predictions")):
        client.session.request("POST", "api/dm/actions", params=query, json=selection)


class _Setup:
    """One run: what all steps need, and what they have changed so far."""

    def __init__(self, client: LabelStudio, backend: BackendAddress, progress: Progress) -> None:
        self._client = client
        self._backend = backend
        self._progress = progress
        self._changes: list[str] = []

    def run(self, plan: ProjectPlan, *, batch: int, most: int) -> SetupReport:
        project = self._find(plan) or self._create(plan)
        parse_label_config(project.label_config)
        if plan.images:
            self._import(project.id, plan.images)
        # The webhook goes first: connecting makes one without the secret unless one for this address is there.
        self._secure_webhook(project.id)
        version = self._connect(project.id)
        tasks, predicted = self._predict(project.id, version, batch=batch, most=most)
        waiting = self._client.open_count(project.id, lacking=version)
        self._order(project.id, version if predicted else "")
        return SetupReport(project.id, version, tasks, predicted, tuple(self._changes), waiting)

    def _find(self, plan: ProjectPlan) -> Project | None:
        if plan.project_id is not None:
            try:
                return self._client.project(plan.project_id)
            except NotFoundError:
                self._progress(f"project {plan.project_id} is gone")
        return next(iter(sorted(self._client.projects(plan.title), key=lambda project: project.id)), None)

    def _create(self, plan: ProjectPlan) -> Project:
        project = self._client.create_project(plan.title, plan.label_config, description=plan.description)
        self._changed(say('created project {id} "{title}"', id=project.id, title=plan.title))
        return project

    def _import(self, project_id: int, images: Sequence[Path]) -> None:
        there = {_file_name(value) for task in self._client.tasks(project_id) for value in task.data.values()}
        missing = [path for path in images if path.name not in there]
        if there and len(missing) == len(images):
            return  # somebody's own documents: nothing is put among them
        for start in range(0, len(missing), 8):
            self._client.upload_files(project_id, missing[start : start + 8])
            self._progress(f"imported {min(start + 8, len(missing))} of {len(missing)} images")
        if missing:
            self._changed(say("imported {count} images", count=len(missing)))

    def _secure_webhook(self, project_id: int) -> None:
        url, secret = self._backend.webhook_url, self._backend.webhook_secret
        headers = {WEBHOOK_SECRET_HEADER: secret} if secret else {}
        ours = [hook for hook in self._client.webhooks(project_id) if hook.url.rstrip("/") == url]
        if not ours:
            self._client.create_webhook(project_id, url, headers=headers)
            self._changed(say("created the webhook with its secret") if secret else say("created the webhook"))
            return
        keep, *extra = sorted(ours, key=lambda hook: hook.id)
        if not keep.is_active or any(keep.headers.get(name) != value for name, value in headers.items()):
            # Headers that somebody added for a proxy in between stay.
            self._client.update_webhook(keep, headers={**keep.headers, **headers})
            self._changed(say("secured the webhook"))
        for hook in extra:
            self._client.delete_webhook(hook.id)
        if extra:
            self._changed(say("removed {count} webhooks that sent every event twice", count=len(extra)))

    def _connect(self, project_id: int) -> str:
        """Connect the backend and return the model version that it announced to Label Studio."""
        url = self._backend.url.rstrip("/")
        there = sorted(self._client.ml_backends(project_id), key=lambda known: known.id)
        ours = [known for known in there if known.url.rstrip("/") == url]
        # Label Studio asks a project's first backend only: one that has moved must not stay where nobody answers.
        moved = [known for known in there if known.title == self._backend.title and known.state != "CO"]
        connection: MlBackend | None = next(iter(ours or moved), None)
        if connection is None or connection not in ours or connection.state != "CO" or not connection.is_interactive:
            made, repaired = say("connected the backend"), say("repaired the connection to the backend")
            self._changed(made if connection is None else repaired)
            old = connection
            connection = self._client.save_ml_backend(
                project_id,
                url,
                title=self._backend.title,
                user=self._backend.user,
                password=self._backend.password,
                backend_id=old.id if old else None,
            )
            if old is not None and old not in ours:
                self._forget_webhooks(project_id, f"{old.url.rstrip('/')}/webhook")
        # A request that was sent again because no answer came may have connected the backend twice.
        extra = [
            known.id
            for known in self._client.ml_backends(project_id)
            if known.url.rstrip("/") == url and known.id != connection.id
        ]
        for number in extra:
            self._client.delete_ml_backend(number)
        if extra:
            self._changed(say("removed {count} connections to the same backend", count=len(extra)))
        # What creating answers with was written before the backend was asked: ask once more.
        state, version, error = self._state(connection.id)
        if state != "CO" or not version:
            refused = say("Label Studio cannot use the backend at {url}.", url=url)
            if error:
                reason = error.rstrip(".")
                refused = say("Label Studio cannot use the backend at {url}: {reason}.", url=url, reason=reason)
            raise LabelStudioError(
                refused,
                say("Check that the address can be reached from Label Studio, and its user name and password."),
            )
        return version

    def _forget_webhooks(self, project_id: int, url: str) -> None:
        for hook in self._client.webhooks(project_id):
            if hook.url.rstrip("/") == url:
                self._client.delete_webhook(hook.id)

    def _state(self, backend_id: int) -> tuple[str, str, str]:
        backend = self._client.backend_state(backend_id)
        return backend.state, backend.model_version, backend.error

    def _predict(self, project_id: int, version: str, *, batch: int, most: int) -> tuple[int, int]:
        """See to it that every task has exactly one prediction of ``version``; return how many tasks, how many have."""
        tasks = list(self._client.tasks(project_id))
        have = self._predictions(tasks, project_id, version)
        todo = [task.id for task in tasks if task.id not in have][:most]
        # A worker may be at it already, from the first task on: the two meet half-way.
        backwards = todo[::-1]
        for start in range(0, len(todo), batch):
            self._progress(f"pre-labelling: {start} of {len(todo)} documents")
            some = backwards[start : start + batch]
            lacking = {task.id for task in self._client.open_tasks(project_id, some, lacking=version)}
            done = {task.id for task in self._client.open_tasks(project_id, some)} - lacking
            if left := [task_id for task_id in some if task_id not in done]:
                retrieve_predictions(self._client, project_id, left)
        if todo:
            have = self._predictions(tasks, project_id, version)
            self._changed(
                say(
                    "pre-labelled {found} of {count} documents",
                    found=sum(task in have for task in todo),
                    count=len(todo),
                )
            )
        # One that was changed has the score that the order gave it.
        best = {task: max(items, key=lambda item: (item.is_changed, item.id)).id for task, items in have.items()}
        surplus = [item.id for task, items in have.items() for item in items if item.id != best[task]]
        if surplus:
            self._client.delete_predictions(surplus)
            self._changed(say("removed {count} predictions that were there twice", count=len(surplus)))
        return len(tasks), len(have)

    def _predictions(self, tasks: Iterable[Task], project_id: int, version: str) -> dict[int, list[Prediction]]:
        found: dict[int, list[Prediction]] = defaultdict(list)
        for item in self._client.predictions(project_id=project_id):
            if item.model_version == version:
                found[item.task].append(item)
        return {task.id: found[task.id] for task in tasks if task.id in found}

    def _order(self, project_id: int, version: str) -> None:
        project = self._client.project(project_id)
        # Scores count only while both stand: the sampling, and the version of the predictions that carry them.
        if version and project.model_version != version:
            self._client.update_project(project_id, model_version=version)
            self._changed(say("set the project's model version to {version}", version=version))
        if project.sampling != UNCERTAINTY:
            self._client.update_project(project_id, sampling=UNCERTAINTY)
            self._changed(say("set the task order to uncertainty sampling"))

    def _changed(self, what: str) -> None:
        self._changes.append(what)
        self._progress(what)


def _file_name(value: object) -> str:
    """Return the name that an uploaded file had; Label Studio puts eight hexadecimal digits and a dash before it."""
    name = urlsplit(value).path.rpartition("/")[2] if isinstance(value, str) else ""
    digits, dash, rest = name.partition("-")
    return rest if dash and len(digits) == 8 else name
