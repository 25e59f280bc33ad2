"""What the panel's buttons do. Each returns what it came to, in sentences, and does no harm when it is repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ml_backend.errors import BackendError, LabelStudioError, RequestError
from ml_backend.i18n import Words, say
from ml_backend.jobs.queue import JobQueue
from ml_backend.label_studio.client import LabelStudio
from ml_backend.learn.promotion import BY_HAND, ROLLED_BACK
from ml_backend.learn.service import LearningService
from ml_backend.projects.initialising import Initialiser
from ml_backend.store.annotations import ASKED, LearningStore
from ml_backend.store.runs import Run
from model.registry.versions import Registry

PanelAction = Callable[[int, Mapping[str, str]], "Sequence[Words] | None"]
"""Takes the project and the form; ``None`` where a worker goes on with it."""

BY = "panel"
#: A score below all others, and clusters that no other task is in.
FIRST, OWN_CLUSTER = -1.0, 1_000_000_000


class StalePageError(BackendError):
    """What the visitor saw is no longer so."""

    status = 409


@dataclass(frozen=True, slots=True)
class PanelActions:
    """What buttons work with.

    Attributes:
        service: The learning loop's actions.
        initialiser: Makes or repairs projects.
        learning: Where a rescoring is asked for.
        registry: Versions.
        label_studio: ``None`` where none is set.
        queue: Hands work to the workers.
    """

    service: LearningService
    initialiser: Initialiser
    learning: LearningStore
    registry: Registry
    label_studio: LabelStudio | None
    queue: JobQueue

    @property
    def by_name(self) -> Mapping[str, PanelAction]:
        """The actions, as the forms name them."""
        return {
            "initialise": self.initialise,
            "sync": self.sync,
            "collect": self.collect,
            "train": self.train,
            "rescore": self.rescore,
            "label_errors": self.search_label_errors,
            "promote": self.promote,
            "rollback": self.roll_back,
            "send": self.send,
            "share": self.share,
        }

    def initialise(self, project_id: int, form: Mapping[str, str]) -> Sequence[Words]:
        """Create or repair the project: webhook, connection, predictions, order."""
        report = self.initialiser.initialise(project_id or None)
        done = [say("{change}.", change=change) for change in report.changes]
        done = done or [say("Everything was in place already; nothing was changed.")]
        return [*done, report.said_of_waiting()] if report.waiting else done

    def sync(self, project_id: int, form: Mapping[str, str]) -> Sequence[Words]:
        """Make the store equal to Label Studio's annotations."""
        report = self.service.sync(project_id)
        return [_synced(report.changed, report.deleted), *_pending(report.run)]

    def collect(self, project_id: int, form: Mapping[str, str]) -> Sequence[Words]:
        """Write the annotations as training samples into TRAINING_DATA_DIR."""
        found = self.service.collect(project_id, write=True)
        said = [_synced(found.changed, found.deleted), *_pending(found.run)]
        said.append(say("{count} samples are in {path}.", count=found.written, path=found.file))
        if found.problems:
            said.append(say("{count} annotations could not be used.", count=len(found.problems)))
        return said

    def train(self, project_id: int, form: Mapping[str, str]) -> Sequence[Words]:
        """Start a run, however few documents are new."""
        run, already = self.service.train(project_id, forced=True)
        if already:
            return [say("Run {run} is pending already.", run=run.id)]
        return [
            say(
                "Run {run} is pending with {documents} documents; the trainer starts it within seconds.",
                run=run.id,
                documents=run.documents,
            )
        ]

    def rescore(self, project_id: int, form: Mapping[str, str]) -> Sequence[Words]:
        """Score all open tasks again with the serving version."""
        self.learning.set_rescored(project_id, ASKED)
        return [say("The worker gives every open task a prediction of the serving version.")]

    def search_label_errors(self, project_id: int, form: Mapping[str, str]) -> None:
        """Have a worker search the annotated documents for labels that are probably wrong; it says what came of it."""
        self.sync(project_id, form)
        if not self.queue.enqueue_label_search(project_id, form["key"]):
            raise RequestError(say("A search is under way already."), say("Wait for its end."))

    def promote(self, project_id: int, form: Mapping[str, str]) -> Sequence[Words]:
        """Let a version serve, if the one that the visitor saw still does."""
        self._see_unchanged(project_id, form)
        number = _number(form.get("version", ""))
        self.service.promote(project_id, number or 0, by=BY, reason=form.get("reason", "").strip()[:500] or BY_HAND)
        if number is None:
            return [say("The weights that ship serve now; open tasks are scored again in the background.")]
        return [say("Version {number} serves now; open tasks are scored again in the background.", number=number)]

    def roll_back(self, project_id: int, form: Mapping[str, str]) -> Sequence[Words]:
        """Let the version before serve, if the one that the visitor saw still does."""
        self._see_unchanged(project_id, form)
        number = self.service.roll_back(project_id, by=BY, reason=ROLLED_BACK).version
        if not number:
            return [say("The weights that ship serve again; open tasks are scored again in the background.")]
        return [say("Version {number} serves again; open tasks are scored again in the background.", number=number)]

    def send(self, project_id: int, form: Mapping[str, str]) -> Sequence[Words]:
        """Have Label Studio serve a task next, before all others.

        It serves the cluster with the fewest solved tasks first, and in it the lowest score. A cluster of the task's
        own has none solved, and no other score is below 0.
        """
        client, task = self._client(), form.get("task", "")
        if not task.isdecimal():
            raise RequestError(say("No task was chosen."))
        version = client.project(project_id).model_version
        mine = [item for item in client.predictions(task_id=int(task)) if item.model_version == version]
        if not mine or client.task(int(task)).project != project_id:
            raise RequestError(
                say("Task {task} has no prediction of the serving version.", task=task),
                say('Press "Rescore" first.'),
            )
        with client.session.explained(say("put task {task} first", task=task)):
            changes = {"score": FIRST, "cluster": OWN_CLUSTER + int(task)}
            client.session.request("PATCH", f"api/predictions/{mine[-1].id}/", json=changes)
        return [say("Task {task} is the next that Label Studio gives to an annotator.", task=task)]

    def share(self, project_id: int, form: Mapping[str, str]) -> Sequence[Words]:
        """Give the challenger a share of the tasks."""
        percent = form.get("percent", "")
        if not percent.isdecimal() or int(percent) > 100:
            raise RequestError(say("The share must lie between 0 and 100 %."))
        self.service.share(project_id, int(percent) / 100)
        if percent == "0":
            return [say("The champion pre-labels all tasks.")]
        return [say("The challenger pre-labels {percent} % of the tasks from now on.", percent=int(percent))]

    def _see_unchanged(self, project_id: int, form: Mapping[str, str]) -> None:
        champion = self.registry.champion(project_id)
        if _number(form.get("seen", "")) != (None if champion is None else champion.number):
            raise StalePageError(
                say("The serving version has changed since this page was loaded."),
                say("Check the versions, then decide."),
            )

    def _client(self) -> LabelStudio:
        if self.label_studio is None:
            raise LabelStudioError(
                say("No Label Studio is set."), say("Set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY.")
            )
        return self.label_studio


def _number(text: str) -> int | None:
    """Read a version's number; 0 stands for the weights that ship."""
    if not text.isdecimal():
        raise RequestError(say("No version was chosen."))
    return int(text) or None


def _synced(changed: int, deleted: int) -> Words:
    return say("{changed} annotations are new or changed, {deleted} are gone.", changed=changed, deleted=deleted)


def _pending(run: Run | None) -> list[Words]:
    return [] if run is None else [say("Run {run} is pending now.", run=run.id)]
