"""What the panel's buttons do. Each returns what it came to, in sentences, and does no harm when it is repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ml_backend.errors import BackendError, LabelStudioError, RequestError
from ml_backend.i18n import Words, say
from ml_backend.jobs.queue import JobQueue
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.templates import business_cards_config
from ml_backend.learn.annotation_sync import Synchroniser
from ml_backend.learn.promotion import BY_HAND, ROLLED_BACK, Versions
from ml_backend.learn.sample_files import SampleFolder
from ml_backend.learn.sample_io import SampleWriter
from ml_backend.learn.training_trigger import DueCheck
from ml_backend.learning_assembly import build_images
from ml_backend.projects.initialising import PREDICTED_AT_ONCE
from ml_backend.projects.setup import BackendAddress, ProjectPlan, ensure_project
from ml_backend.settings import Settings
from ml_backend.store.annotations import ASKED, LearningStore
from ml_backend.store.contacts import ContactStore
from ml_backend.store.options import ProjectOptions
from ml_backend.store.runs import RunStore
from model.registry.versions import Registry

Deed = Callable[[int, Mapping[str, str]], "Sequence[Words] | None"]
"""Takes the project and the form; ``None`` where a worker goes on with it."""

BY = "panel"
#: A score below all others, and clusters that no other task is in.
FIRST, OWN_CLUSTER = -1.0, 1_000_000_000


class OvertakenError(BackendError):
    """What the visitor saw is no longer so."""

    status = 409


@dataclass(frozen=True, slots=True)
class Deeds:
    """What buttons work with.

    Attributes:
        settings: The backend's address and secrets.
        learning: Annotations.
        runs: Training runs.
        due: Decides whether to train.
        registry: Versions.
        versions: Moves the champion.
        label_studio: ``None`` where none is set.
        synchroniser: ``None`` where no Label Studio is set.
        options: What is set for projects.
        queue: Hands work to the workers.
        contacts: What applications call documents.
    """

    settings: Settings
    learning: LearningStore
    runs: RunStore
    due: DueCheck
    registry: Registry
    versions: Versions
    label_studio: LabelStudio | None
    synchroniser: Synchroniser | None
    options: ProjectOptions
    queue: JobQueue
    contacts: ContactStore

    @property
    def by_name(self) -> Mapping[str, Deed]:
        """The deeds, as the forms name them."""
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
        settings = self.settings
        plan = ProjectPlan(settings.label_studio_project, business_cards_config(), project_id=project_id or None)
        address = BackendAddress(
            url=settings.public_url,
            user=settings.basic_auth_user,
            password=settings.basic_auth_password.get_secret_value(),
            webhook_secret=settings.webhook_secret.get_secret_value(),
        )
        report = ensure_project(self._client(), plan, address, most=PREDICTED_AT_ONCE)
        self.learning.look_after(report.project_id)
        done = [say("{change}.", change=change) for change in report.changes]
        done = done or [say("Everything was in place already; nothing was changed.")]
        return [*done, report.said_of_waiting()] if report.waiting else done

    def sync(self, project_id: int, form: Mapping[str, str]) -> Sequence[Words]:
        """Make the store equal to Label Studio's annotations."""
        self._client()
        assert self.synchroniser is not None
        report = self.synchroniser.sync(project_id, compare=True)
        said = [
            say(
                "{changed} annotations are new or changed, {deleted} are gone.",
                changed=report.changed,
                deleted=report.deleted,
            )
        ]
        return [*said, say("Run {run} is due now.", run=report.run.id)] if report.run else said

    def collect(self, project_id: int, form: Mapping[str, str]) -> Sequence[Words]:
        """Write the annotations as training samples into TRAINING_DATA_DIR."""
        client = self._client()
        self.sync(project_id, form)
        config = parse_label_config(client.project(project_id).label_config)
        writer = SampleWriter(
            self.learning,
            build_images(self.settings, client),
            SampleFolder(self.settings.training_data_dir),
            self.contacts.contacts_of,
        )
        path, tally = writer.write(project_id, config)
        said = [say("{count} samples are in {path}.", count=tally.done, path=path)]
        if tally.problems:
            said.append(say("{count} annotations could not be used.", count=len(tally.problems)))
        return said

    def train(self, project_id: int, form: Mapping[str, str]) -> Sequence[Words]:
        """Have a run made, however few documents are new."""
        run = self.due.check(project_id, asked=True)
        if run is not None:
            return [
                say(
                    "Run {run} is due with {documents} documents; the trainer begins it within seconds.",
                    run=run.id,
                    documents=run.documents,
                )
            ]
        waiting = next((each for each in self.runs.runs(project_id) if each.state == "due"), None)
        if waiting is not None:
            return [say("Run {run} is due already.", run=waiting.id)]
        raise RequestError(
            say("There is no annotated document to learn from."), say("Annotate some, then press «Sync».")
        )

    def rescore(self, project_id: int, form: Mapping[str, str]) -> Sequence[Words]:
        """Have all open tasks scored again by who serves."""
        self.learning.set_rescored(project_id, ASKED)
        return [say("The worker gives every open task a prediction of the version that serves.")]

    def search_label_errors(self, project_id: int, form: Mapping[str, str]) -> None:
        """Have a worker search the annotated documents for labels that are probably wrong; it says what came of it."""
        self.sync(project_id, form)
        if not self.queue.enqueue_label_search(project_id, form["key"]):
            raise RequestError(say("A search is under way already."), say("Wait for its end."))

    def promote(self, project_id: int, form: Mapping[str, str]) -> Sequence[Words]:
        """Let a version serve, if the one that the visitor saw still does."""
        self._see_unchanged(project_id, form)
        number = _number(form.get("version", ""))
        self.versions.promote(project_id, number, by=BY, reason=form.get("reason", "").strip()[:500] or BY_HAND)
        if number is None:
            return [say("The weights that ship serve now; open tasks are scored again in the background.")]
        return [say("Version {number} serves now; open tasks are scored again in the background.", number=number)]

    def roll_back(self, project_id: int, form: Mapping[str, str]) -> Sequence[Words]:
        """Let the version before serve, if the one that the visitor saw still does."""
        self._see_unchanged(project_id, form)
        number = self.versions.rollback(project_id, by=BY, reason=ROLLED_BACK)
        if number is None:
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
                say("Task {task} has no prediction of the version that serves.", task=task),
                say("Press «Rescore» first."),
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
        self.options.set_challenger_share(project_id, int(percent) / 100)
        if percent == "0":
            return [say("The champion pre-labels all tasks.")]
        return [say("The challenger pre-labels {percent} % of the tasks from now on.", percent=int(percent))]

    def _see_unchanged(self, project_id: int, form: Mapping[str, str]) -> None:
        champion = self.registry.champion(project_id)
        if _number(form.get("seen", "")) != (None if champion is None else champion.number):
            raise OvertakenError(
                say("Another version serves meanwhile than this page showed."), say("Look again, then decide.")
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
