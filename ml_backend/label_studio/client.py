"""What the backend asks of Label Studio, and tells it.

The module is long because it is flat: one short method a question.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from ml_backend.errors import NotFoundError
from ml_backend.label_studio import listing, open_tasks, records
from ml_backend.label_studio.records import Annotation, MlBackend, Prediction, Progress, Project, Task, User, Webhook
from ml_backend.label_studio.session import READ, Session
from model.errors import say

Record = TypeVar("Record")
Sampling = Literal["Sequential sampling", "Uniform sampling", "Uncertainty sampling"]

#: Files in one upload. Django refuses a request with more than 100.
UPLOAD_BATCH = 20


class LabelStudio:
    """Label Studio's API, typed, as far as the backend needs it; safe to share between threads.

    Every method raises :class:`ml_backend.errors.BackendError` if Label Studio does not answer or refuses. Calls that
    only read are tried again after a failure of the network or of Label Studio itself, others are not.

    Args:
        url: Address of Label Studio, with its path prefix if it has one.
        api_key: Personal access token, or legacy token where those are allowed.
        timeout: Seconds for connecting, and for each wait for data.

    Raises:
        TokenRefusedError: If the token is a personal access token that has expired.
    """

    def __init__(self, url: str, api_key: str, *, timeout: float = 30.0) -> None:
        self.session = Session(url, api_key, timeout=timeout)
        self._sdk = self.session.sdk

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def whoami(self) -> User:
        """Return the token's user: the simplest question, which proves address and token."""
        return self._read(
            "say who the token belongs to", lambda raw: User(id=raw.id, email=raw.email), self._sdk.users.whoami
        )

    # Projects

    def projects(self, title: str | None = None) -> list[Project]:
        """Return the projects, or those called exactly ``title``."""
        found = self._read("list the projects", _each(records.project_of), self._sdk.projects.list, title=title)
        return [project for project in found if title is None or project.title == title]

    def project(self, project_id: int) -> Project:
        """Return one project."""
        return self._read(f"give project {project_id}", _one(records.project_of), self._sdk.projects.get, project_id)

    def progress(self, project_id: int) -> Progress:
        """Return how far a project is annotated."""
        path = f"api/projects/{project_id}/"
        return self.session.read(
            say("count the tasks"), lambda: records.progress_of(self.session.request("GET", path, request_options=READ))
        )

    def backend_state(self, backend_id: int) -> MlBackend:
        """Return one backend as Label Studio sees it now: it calls the backend's ``/health`` and ``/setup`` first."""
        path = f"api/ml/{backend_id}"
        return self.session.read(
            say("give the backend's state"),
            lambda: records.ml_backend_of(self.session.request("GET", path, request_options=READ)),
        )

    def create_project(self, title: str, label_config: str, *, description: str = "") -> Project:
        """Create a project that shows predictions to annotators."""
        with self.session.explained(say("create the project")):
            raw = self._sdk.projects.create(
                title=title, label_config=label_config, description=description, show_collab_predictions=True
            )
            return records.project_of(_plain(raw))

    def update_project(
        self,
        project_id: int,
        *,
        label_config: str | None = None,
        model_version: str | None = None,
        sampling: Sampling | None = None,
        show_collab_predictions: bool | None = None,
    ) -> None:
        """Change what is given.

        Label Studio refuses a ``model_version`` for which it has no prediction. The sampling by uncertainty follows the
        scores of that version's predictions only.
        """
        changes = {
            "label_config": label_config,
            "model_version": model_version,
            "sampling": sampling,
            "show_collab_predictions": show_collab_predictions,
        }
        with self.session.explained(say("change project {project_id}", project_id=project_id)):
            self._sdk.projects.update(project_id, **_given(changes))

    # Tasks

    def tasks(self, project_id: int, *, annotated: bool | None = None, results: bool = False) -> Iterator[Task]:
        """Go through a project's tasks, a page at a time.

        Args:
            project_id: The project.
            annotated: Only tasks with annotations, or only tasks without; skipping a task is no annotation.
            results: Bring annotations and predictions as well; slower.
        """
        query = {"project": project_id, "fields": "all" if results else "task_only", "page_size": 100}
        if annotated is not None:
            count = {"filter": "filter:tasks:total_annotations", "type": "Number", "value": 0}
            count["operator"] = "greater" if annotated else "equal"
            query["query"] = json.dumps({"filters": {"conjunction": "and", "items": [count]}})
        # The address of an image is wanted as it was imported, not resolved to one that expires.
        pager = self._read("list the tasks", iter, self._sdk.tasks.list, resolve_uri=False, **query)
        with self.session.explained(say("list the tasks")):
            for raw in pager:
                yield records.task_of({"project": project_id} | _plain(raw))

    def annotated_tasks(self, project_id: int, *, since: str | None = None) -> Iterator[Task]:
        """Go through a project's annotated tasks with all their results; see :func:`listing.annotated_tasks`."""
        return listing.annotated_tasks(self.session, project_id, since)

    def annotation_ids(self, project_id: int) -> dict[int, int]:
        """Return the task of each of a project's annotations, by the annotation's number."""
        return listing.annotation_ids(self.session, project_id)

    def task(self, task_id: int) -> Task:
        """Return one task with its annotations and predictions."""
        return self._read(f"give task {task_id}", _one(records.task_of), self._sdk.tasks.get, str(task_id))

    def open_ids(self, project_id: int, *, lacking: str | None = None) -> Iterator[int]:
        """Go through the numbers of the tasks that nobody has annotated; of those alone that lack a version."""
        return open_tasks.open_ids(self.session, project_id, lacking=lacking)

    def open_count(self, project_id: int, *, lacking: str | None = None) -> int:
        """Return how many tasks nobody has annotated; of those alone that lack a version's prediction."""
        return open_tasks.open_count(self.session, project_id, lacking=lacking)

    def open_tasks(self, project_id: int, task_ids: Sequence[int], *, lacking: str | None = None) -> Iterator[Task]:
        """Go through those of the given tasks that nobody has annotated, or that lack a version's prediction too."""
        return open_tasks.open_tasks(self.session, project_id, task_ids, lacking=lacking)

    def next_task(self, project_id: int) -> Task | None:
        """Return the task that the token's user would get now, and hold it for them; ``None`` if all are done."""
        try:
            return self._read(
                "give the next task", records.task_of, self.session.request, "GET", f"api/projects/{project_id}/next"
            )
        except NotFoundError:
            return None

    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> list[int]:
        """Import tasks (``{"data": {…}}`` each) and return their numbers."""
        return self._import(project_id, json=list(tasks))

    def upload_files(self, project_id: int, paths: Sequence[Path]) -> list[int]:
        """Upload files, a task each, and return the tasks' numbers."""
        task_ids: list[int] = []
        for start in range(0, len(paths), UPLOAD_BATCH):
            # Label Studio keeps one file a form field: each needs a name of its own.
            files = {
                f"file{index}": (path.name, path.read_bytes(), mimetypes.guess_type(path.name)[0])
                for index, path in enumerate(paths[start : start + UPLOAD_BATCH])
            }
            task_ids += self._import(project_id, files=files)
        return task_ids

    # Annotations and predictions

    def annotations(self, task_id: int) -> list[Annotation]:
        """Return a task's annotations."""
        parse = _each(lambda raw: records.annotation_of(raw, task_id))
        return self._read("list the annotations", parse, self._sdk.annotations.list, task_id)

    def create_annotation(
        self, task_id: int, result: Sequence[Mapping[str, Any]], *, parent_prediction: int | None = None
    ) -> Annotation:
        """Annotate a task as the token's user."""
        more = _given({"parent_prediction": parent_prediction})
        with self.session.explained(say("store the annotation"), reveal=False):
            raw = self._sdk.annotations.create(task_id, result=result, **more)
            return records.annotation_of(_plain(raw), task_id)

    def predictions(self, *, project_id: int | None = None, task_id: int | None = None) -> list[Prediction]:
        """Return the predictions of a project or of a task."""
        parse = _each(records.prediction_of)
        return self._read("list the predictions", parse, self._sdk.predictions.list, project=project_id, task=task_id)

    def create_predictions(self, predictions: Iterable[Prediction]) -> list[int]:
        """Store predictions and return their numbers.

        One request each: Label Studio's import of many at once (``/api/projects/<id>/import/predictions``) drops
        ``cluster`` and ``mislabeling``.
        """
        stored = []
        for item in predictions:
            numbers = {"score": item.score, "cluster": item.cluster, "mislabeling": item.mislabeling}
            with self.session.explained(say("store the prediction of task {task}", task=item.task), reveal=False):
                raw = self._sdk.predictions.create(
                    task=item.task,
                    result=item.result,
                    model_version=item.model_version,
                    **_given(numbers),
                )
                stored.append(int(raw.id))
        return stored

    def rescore_prediction(self, prediction_id: int, score: float) -> bool:
        """Change a prediction's score; return whether it was there."""
        return self._change_prediction(prediction_id, score=score)

    def replace_result(self, prediction_id: int, result: Sequence[dict[str, Any]]) -> None:
        """Change the regions of a prediction; one that is gone is no error."""
        self._change_prediction(prediction_id, result=list(result))

    def mark_mislabeling(self, prediction_id: int, mislabeling: float) -> None:
        """Say how likely the annotation of a prediction's task is wrong; one that is gone is no error."""
        self._change_prediction(prediction_id, mislabeling=mislabeling)

    def delete_predictions(self, prediction_ids: Iterable[int]) -> None:
        """Delete predictions; one that is gone already is no error."""
        for prediction_id in prediction_ids:
            try:
                with self.session.explained(say("delete prediction {prediction_id}", prediction_id=prediction_id)):
                    self._sdk.predictions.delete(prediction_id)
            except NotFoundError:
                continue

    def version_counts(self, project_id: int) -> dict[str, int]:
        """Return how many predictions of a project each version has."""
        return open_tasks.version_counts(self.session, project_id)

    def delete_version(self, project_id: int, version: str) -> None:
        """Delete all predictions of a version; see :func:`ml_backend.label_studio.open_tasks.delete_version`."""
        open_tasks.delete_version(self.session, project_id, version)

    # Backends and webhooks

    def ml_backends(self, project_id: int) -> list[MlBackend]:
        """Return the backends of a project."""
        return self._read("list the backends", _each(records.ml_backend_of), self._sdk.ml.list, project=project_id)

    def save_ml_backend(
        self,
        project_id: int,
        url: str,
        *,
        title: str,
        user: str = "",
        password: str = "",
        backend_id: int | None = None,
    ) -> MlBackend:
        """Connect a backend to a project, or change connection ``backend_id``.

        Label Studio calls the backend's ``/health`` and ``/setup`` before it answers, and a new connection brings a
        webhook of its own.
        """
        auth = {"auth_method": "BASIC_AUTH", "basic_auth_user": user, "basic_auth_pass": password} if user else {}
        fields = {"project": project_id, "url": url, "title": title, "is_interactive": True, **auth}
        with self.session.explained(say("connect the backend")):
            raw = self._sdk.ml.create(**fields) if backend_id is None else self._sdk.ml.update(backend_id, **fields)
            return records.ml_backend_of({"project": project_id} | _plain(raw))

    def delete_ml_backend(self, backend_id: int) -> None:
        """Disconnect a backend; one that is gone is no error."""
        try:
            with self.session.explained(say("disconnect the backend")):
                self._sdk.ml.delete(backend_id)
        except NotFoundError:
            return

    def webhooks(self, project_id: int) -> list[Webhook]:
        """Return the webhooks of a project."""
        parse = _each(records.webhook_of)
        return self._read("list the webhooks", parse, self._sdk.webhooks.list, project=str(project_id))

    def create_webhook(self, project_id: int, url: str, *, headers: Mapping[str, str]) -> None:
        """Have every event of a project sent to ``url``."""
        with self.session.explained(say("create the webhook")):
            self._sdk.webhooks.create(
                project=project_id,
                url=url,
                headers=headers,
                send_payload=True,
                send_for_all_actions=True,
                is_active=True,
            )

    def update_webhook(self, webhook: Webhook, *, headers: Mapping[str, str]) -> None:
        """Set the headers that come with every event, and switch the webhook on."""
        with self.session.explained(say("change the webhook")):
            self._sdk.webhooks.update(webhook.id, url=webhook.url, headers=headers, is_active=True)

    def delete_webhook(self, webhook_id: int) -> None:
        """Delete a webhook."""
        with self.session.explained(say("delete the webhook")):
            self._sdk.webhooks.delete(webhook_id)

    def _change_prediction(self, prediction_id: int, **values: Any) -> bool:
        try:
            with self.session.explained(
                say("change prediction {prediction_id}", prediction_id=prediction_id), reveal=False
            ):
                self.session.request("PATCH", f"api/predictions/{prediction_id}", json=values)
        except NotFoundError:
            return False
        return True

    def _read(
        self, action: str, parse: Callable[[Any], Record], call: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Record:
        return self.session.read(action, lambda: parse(call(*args, request_options=READ, **kwargs)))

    def _import(self, project_id: int, **body: Any) -> list[int]:
        with self.session.explained(say("import the tasks"), reveal=False):
            raw = self.session.request(
                "POST", f"api/projects/{project_id}/import", params={"return_task_ids": True}, **body
            )
            return [int(number) for number in raw.get("task_ids", ())]


def _one(parse: Callable[[Mapping[str, Any]], Record]) -> Callable[[Any], Record]:
    return lambda raw: parse(_plain(raw))


def _each(parse: Callable[[Mapping[str, Any]], Record]) -> Callable[[Iterable[Any]], list[Record]]:
    return lambda raws: [parse(_plain(raw)) for raw in raws]


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what was not given: to the SDK, ``None`` is a value to store."""
    return {key: value for key, value in values.items() if value is not None}


def _plain(raw: Any) -> dict[str, Any]:
    """Return what the SDK read as JSON would hold it: times are text, as everywhere else in the API."""
    return dict(raw.model_dump(mode="json"))
