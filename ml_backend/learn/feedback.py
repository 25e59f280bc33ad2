"""What applications say of what was read: compared, kept at once, and made into something to learn from when it can be.

Keeping needs nothing but the store, so that no feedback is lost while Label Studio is down. To be learned from it needs
an image and a labelling configuration as well: the image that comes along, or that of the contact's task.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from ml_backend.errors import BackendError, ImageRefusedError, LabelConfigError, NotFoundError
from ml_backend.label_studio.fields import label_of
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.learn.annotation_sync import look_at
from ml_backend.learn.blocks import TextBlock, compare, to_result
from ml_backend.learn.sample_files import SCHEME, SampleFolder
from ml_backend.learn.sample_io import ImageLimits
from ml_backend.learn.training_trigger import TrainingTrigger
from ml_backend.observability.logs import get_logger
from ml_backend.predict.task_predictor import ImageFetcher
from ml_backend.projects.projects import Projects
from ml_backend.store.annotations import LearningStore
from ml_backend.store.contacts import ContactStore
from ml_backend.store.feedback import Feedback, FeedbackStore
from ml_backend.store.records import Correction, StoredAnnotation
from model.document.images import load_image
from model.errors import ImageError

Standing = Literal["training_data", "waiting", "corrections_only"]
#: 60 bits of a hash name a document that has no task; below 0, so that no task of Label Studio's has the number.
_KEY_DIGITS = 15

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FeedbackResult:
    """What became of a feedback.

    Attributes:
        feedback: As it is kept.
        standing: ``training_data`` where it can be learned from, ``waiting`` until Label Studio answers,
            ``corrections_only`` where nothing but its corrections are of use.
        problem: Why it waits, or cannot be learned from; empty where it can.
    """

    feedback: Feedback
    standing: Standing
    problem: str = ""


#: The caller waits so long for Label Studio: what was said is kept already.
PATIENCE_SECONDS = 8.0


class _WaitingError(Exception):
    """Why a feedback cannot be made use of yet."""


class _UnusableError(Exception):
    """Why a feedback can never be learned from."""


class FeedbackService:
    """Takes feedback; threads may share it.

    Args:
        store: Where it is kept.
        contacts: The tasks that contacts have.
        learning: Where annotations are kept.
        due: Told when there is more to learn from.
        projects: Labelling configurations.
        folder: Where images are kept that come along.
        images: Gets the images of tasks.
        limits: Largest image that is taken.
    """

    def __init__(
        self,
        store: FeedbackStore,
        contacts: ContactStore,
        learning: LearningStore,
        due: TrainingTrigger,
        projects: Projects,
        folder: SampleFolder,
        images: ImageFetcher,
        limits: ImageLimits,
    ) -> None:
        self.store = store
        self._contacts = contacts
        self._learning = learning
        self._due = due
        self._projects = projects
        self._folder = folder
        self._images = images
        self._limits = limits

    def take(
        self,
        project_id: int,
        contact_id: str,
        original: Sequence[TextBlock],
        corrected: Sequence[TextBlock],
        *,
        image: bytes | None = None,
        model_version: str | None = None,
        as_text: bool | None = None,
        said_at: datetime | None = None,
    ) -> FeedbackResult:
        """Keep a feedback, and make an annotation of it if that can be done within :data:`PATIENCE_SECONDS`.

        What was said of the same contact before is replaced.

        Args:
            project_id: The project.
            contact_id: The contact.
            original: What was read; blocks of one name only.
            corrected: What it should be; blocks of one name only.
            image: Its image file; without it the image of the contact's task is taken.
            model_version: The version that had read it.
            as_text: Whether the contact's name was sent as a text; ``None`` where nobody said.
            said_at: When it was given, with a time zone, as the application says.

        Raises:
            ImageError: If the image cannot be used.
            SampleError: If it cannot be kept.
            StoreError: If the store cannot be written: then nothing is kept.
        """
        address = None
        if image is not None:
            self._size(image)
            address = self._folder.address(project_id, self._folder.keep_image(project_id, image))
        feedback = self.store.add(
            project_id,
            contact_id,
            [block.record() for block in original],
            [block.record() for block in corrected],
            compare(original, corrected),
            model_version=model_version,
            image=address,
            as_text=self._contacts.as_text(project_id, contact_id) if as_text is None else as_text,
            said_at=said_at,
        )
        _log.info("feedback_taken", project=project_id, feedback=feedback.id, corrections=len(feedback.corrections))
        using: Future[FeedbackResult] = Future()
        # A thread that may be left behind: waiting for Label Studio must keep nobody from stopping the backend.
        threading.Thread(target=self._settle, args=(using, feedback), name="feedback", daemon=True).start()
        try:
            return using.result(PATIENCE_SECONDS)
        except concurrent.futures.TimeoutError:
            return FeedbackResult(feedback, "waiting", "Label Studio takes long to answer; the next sync tries again.")

    def _settle(self, using: Future[FeedbackResult], feedback: Feedback) -> None:
        try:
            taken = self._absorb(feedback)
            if taken.standing == "training_data":
                self._due.check(feedback.project_id)
            using.set_result(taken)
        except Exception as error:  # noqa: BLE001 - the thread's boundary: it is raised where somebody waits
            using.set_exception(error)

    def absorb(self, project_id: int) -> int:
        """Make annotations of what waits; return of how many. What still must wait does.

        Raises:
            StoreError: If the store cannot be read or written.
        """
        done = [self._absorb(feedback).standing for feedback in self.store.waiting(project_id)].count("training_data")
        if done:
            self._due.check(project_id)
        return done

    def standing_of(self, feedback: Feedback) -> FeedbackResult:
        """Return what became of a feedback that was kept before."""
        if feedback.annotation_id is not None:
            return FeedbackResult(feedback, "training_data")
        if feedback.problem is not None:
            return FeedbackResult(feedback, "corrections_only", feedback.problem)
        return FeedbackResult(feedback, "waiting")

    def _absorb(self, feedback: Feedback) -> FeedbackResult:
        try:
            annotation, corrections = self._annotation(feedback)
        except _WaitingError as error:
            return FeedbackResult(feedback, "waiting", str(error))
        except _UnusableError as error:
            self.store.settle(feedback.id, problem=str(error))
            return FeedbackResult(feedback, "corrections_only", str(error))
        kept = self._learning.add_external(annotation, corrections)
        self.store.settle(feedback.id, annotation_id=kept.id)
        return FeedbackResult(self.store.get(feedback.id) or feedback, "training_data")

    def _annotation(self, feedback: Feedback) -> tuple[StoredAnnotation, Sequence[Correction]]:
        """Return the annotation that a feedback amounts to.

        Raises:
            _WaitingError: If Label Studio is needed and does not answer.
            _UnusableError: If there is none.
        """
        task_id = self._contacts.task_of(feedback.project_id, feedback.contact_id)
        if feedback.image is None and task_id is None:
            raise _UnusableError("There is no image: none came along, and the contact has no task.")
        try:
            config = self._projects.config(feedback.project_id)
            data, urls = self._document(feedback, task_id, config)
        except (NotFoundError, LabelConfigError, ImageRefusedError) as error:
            raise _UnusableError(str(error)) from error
        except BackendError as error:
            raise _WaitingError(str(error)) from error
        target = config.for_task(data).targets[0]
        blocks = [[TextBlock.of_record(each) for each in side] for side in (feedback.original, feedback.corrected)]
        fields = {block.field for side in blocks for block in side if block.field is not None}
        labels = {field: label for field in fields if (label := label_of(field, target.labels)) is not None}
        if unknown := sorted({block.field for block in blocks[1] if block.field is not None} - set(labels)):
            raise _UnusableError(f"The project has no label {', '.join(unknown)}.")
        blocks = [
            [replace(b, field=None if b.field is None else labels.get(b.field, b.field)) for b in side]
            for side in blocks
        ]
        sizes: dict[int, tuple[int, int]] = {}
        for page in sorted({block.page for side in blocks for block in side} or {1}):
            if page not in urls:
                raise _UnusableError(f"The document has no page {page}.")
            try:
                sizes[page] = self._size(self._file(urls[page], task_id, feedback.project_id))
            except (ImageError, ImageRefusedError) as error:
                raise _UnusableError(str(error)) from error
            except BackendError as error:
                raise _WaitingError(str(error)) from error
        before, after = (to_result(side, target, sizes) for side in blocks)
        version = feedback.model_version
        annotation = StoredAnnotation(
            id=0,
            project_id=feedback.project_id,
            task_id=task_id if task_id is not None else _number_of(feedback),
            completed_by=None,
            result=after,
            was_cancelled=False,
            ground_truth=False,
            created_at=feedback.received_at,
            updated_at=feedback.received_at,
            task_data=data,
            prediction={"result": before, "model_version": version, "score": None},
            model_version=version,
            source="api",
        )
        looked_at, corrections = look_at(annotation, config)
        if looked_at.problem is not None:
            raise _UnusableError(looked_at.problem)
        return looked_at, corrections

    def _document(
        self, feedback: Feedback, task_id: int | None, config: LabelConfig
    ) -> tuple[dict[str, Any], dict[int, str]]:
        """Return a task's data, and where the pages that the feedback is about are, by their numbers from 1.

        Raises:
            BackendError: If Label Studio does not answer.
        """
        if feedback.image is not None:
            target = config.targets[0]
            data = {**target.task_data([feedback.image]), "contact_id": feedback.sent_id}
        else:
            assert task_id is not None
            data = dict(self._projects.reach().task(task_id).data)
        pages = config.for_task(data).targets[0].pages(data)
        return data, {page.item_index + 1: url for page, url in pages.items()}

    def _file(self, url: str, task_id: int | None, project_id: int) -> bytes:
        """Return the file of a page.

        Raises:
            BackendError: If it is not to be had.
        """
        if url.startswith(SCHEME):
            return self._folder.fetch(url)
        return self._images.fetch(url, task_id, project_id)

    def _size(self, image: bytes) -> tuple[int, int]:
        """Return width and height of an upright image.

        Raises:
            ImageError: If it cannot be used.
        """
        found = load_image(image, max_bytes=self._limits.max_bytes, max_pixels=self._limits.max_pixels)
        return found.shape[1], found.shape[0]


def _number_of(feedback: Feedback) -> int:
    """Return the number of a document without a task: always the same for a contact."""
    name = f"{feedback.project_id}\0{feedback.contact_id}".encode()
    return -int(hashlib.sha256(name).hexdigest()[:_KEY_DIGITS], 16) - 1
