"""Contacts to tasks: an application's image, shown to people in Label Studio with what the models read on it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ml_backend.contacts.paged_uploads import need_pages, upload_pages
from ml_backend.errors import BackendError, NotFoundError, RequestError
from ml_backend.label_studio.convert import to_prediction
from ml_backend.label_studio.label_config import LabelConfig, PageId
from ml_backend.label_studio.records import Prediction
from ml_backend.label_studio.uploads import create_task, find_task, upload
from ml_backend.learn.blocks import TextBlock
from ml_backend.learn.sample_files import SampleFolder
from ml_backend.learn.sample_io import ImageLimits
from ml_backend.observability.logs import get_logger
from ml_backend.predict.task_predictor import ImageFetcher, ImageMemory, ModelSource, Reader, ScoreMemory
from ml_backend.predict.uncertainty import embedding_of, signals_of
from ml_backend.projects.projects import Projects
from ml_backend.store.contact_ids import ContactId, as_sent
from ml_backend.store.contacts import Claim, ContactStore
from ml_backend.store.rescorings import TaskImage
from ml_backend.store.task_scores import Scored
from model.document.images import RgbImage, for_browsers, image_key, load_image
from model.document.page_files import PageLimits, is_paged
from model.document.types import Document, Line, Page, Word

#: How long a request waits for another one that is making the same contact's task.
PATIENCE_SECONDS = 20.0
#: How long a request reads pages; the worker reads those that are left.
READING_SECONDS = 20.0

_log = get_logger(__name__)


class ContactBusyError(BackendError):
    """Another request is doing the same."""

    status = 409


class ScoringQueue(Protocol):
    """Takes tasks that are to be read in the background; :class:`ml_backend.jobs.queue.JobQueue` is one."""

    def enqueue_scoring(self, project_id: int, task_ids: Sequence[int]) -> int:
        """Hand tasks over.

        Raises:
            BackendError: If the queue cannot be reached.
        """
        ...


class PageNamer(Protocol):
    """Names the fields of a page that somebody else has read; :class:`model.pipeline.Pipeline` is one."""

    def extract(self, page: Page, image: RgbImage | None = None) -> Document:
        """Return the document."""
        ...


@dataclass(frozen=True, slots=True)
class SentImage:
    """An image, in one of three ways.

    Attributes:
        data: The file itself.
        url: Its address, which Label Studio shows it from.
        stored: Address of an image that is kept here already, as feedback gives it.
    """

    data: bytes | None = None
    url: str = ""
    stored: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """The task of a contact.

    Attributes:
        task_id: Its number.
        contact_id: The contact, as the application writes it.
        created: Whether it was made just now.
    """

    task_id: int
    contact_id: ContactId
    created: bool


class Sender:
    """Makes tasks of contacts; threads may share it.

    Args:
        projects: Label Studio, and labelling configurations.
        contacts: Which contact has which task.
        models: Gives the serving models of a project.
        images: Gets images by address.
        folder: Where images are kept that came with feedback.
        limits: Largest image that is taken.
        memory: Told which file a task shows, so that it is not fetched to be scored again.
        scores: Told what the models are unsure of, so that the task has its place in the order at once.
        pages: What a document of several pages may be.
        queue: Takes documents that are too long to be read at once.
    """

    def __init__(
        self,
        projects: Projects,
        contacts: ContactStore,
        models: ModelSource,
        images: ImageFetcher,
        folder: SampleFolder,
        limits: ImageLimits,
        memory: ImageMemory,
        scores: ScoreMemory,
        pages: PageLimits,
        queue: ScoringQueue,
    ) -> None:
        self._projects = projects
        self._contacts = contacts
        self._models = models
        self._images = images
        self._folder = folder
        self._limits = limits
        self._memory = memory
        self._scores = scores
        self._pages = pages
        self._queue = queue

    def send(
        self,
        project_id: int,
        contact_id: str,
        image: SentImage,
        blocks: Sequence[TextBlock] | None = None,
        *,
        as_text: bool | None = None,
    ) -> Sent:
        """Make the task of a contact, unless it has one.

        Args:
            project_id: The project.
            contact_id: The contact.
            image: Its image.
            blocks: What another engine has read; ``None`` to have it read here.
            as_text: Whether the contact's name was sent as a text; ``None`` where nobody said.

        Raises:
            BackendError: If Label Studio or the store does not answer, or the image may not be fetched.
            ModelError: If the image cannot be used.
        """
        claim = self._claim(project_id, contact_id, as_text)
        text = self._contacts.as_text(project_id, contact_id) if as_text is None else as_text
        sent_id = as_sent(contact_id, as_text=text)
        if claim.task_id is not None:
            return Sent(claim.task_id, sent_id, created=False)
        try:
            client = self._projects.reach()
            task_id = find_task(client, project_id, "contact_id", contact_id) if claim.again else None
            created = task_id is None
            if task_id is None:
                task_id = self._create(project_id, contact_id, image, blocks)
        except BaseException:
            # Whatever it was: the next request must not wait for this one.
            self._contacts.release(project_id, contact_id)
            raise
        self._contacts.settle(project_id, contact_id, task_id)
        _log.info("contact_sent", project=project_id, task=task_id, created=created)
        return Sent(task_id, sent_id, created)

    def _claim(self, project_id: int, contact_id: str, as_text: bool | None) -> Claim:
        """Return the task that the contact has, or the right to make it.

        Raises:
            ContactBusyError: If another request has not made it in :data:`PATIENCE_SECONDS`.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            claim = self._contacts.claim(project_id, contact_id, as_text=as_text)
            if claim.task_id is not None and not self._exists(claim.task_id):
                self._contacts.release(project_id, contact_id, claim.task_id)
                continue
            if claim.task_id is not None or claim.mine:
                return claim
            if time.monotonic() > deadline:
                raise ContactBusyError("Another request is sending this contact.", "Ask again in a while.")
            time.sleep(0.2)

    def _exists(self, task_id: int) -> bool:
        try:
            self._projects.reach().task(task_id)
        except NotFoundError:
            return False
        return True

    def _create(self, project_id: int, contact_id: str, image: SentImage, blocks: Sequence[TextBlock] | None) -> int:
        client, config = self._projects.reach(), self._projects.config(project_id)
        target, data = config.targets[0], self.file(image, project_id)
        _need_one_page(blocks)
        if is_paged(data):
            if blocks is not None:
                raise _of_one_image()
            return self._create_of_pages(project_id, contact_id, data, config)
        if not image.url:
            data = for_browsers(data, max_bytes=self._limits.max_bytes, max_pixels=self._limits.max_pixels)
        reader = self._models.serving(project_id).champion
        document = reader.predict(data) if blocks is None else self.name_blocks(project_id, data, blocks)
        version = reader.version
        url = image.url or upload(client, project_id, data)
        page = target.page(0)
        images = {page: TaskImage(url, image_key(data))}
        return self._make(project_id, contact_id, images, {page: document}, config, version)

    def _create_of_pages(self, project_id: int, contact_id: str, data: bytes, config: LabelConfig) -> int:
        """Make the task of a document; what cannot be read in :data:`READING_SECONDS` is left to the worker."""
        target = config.targets[0]
        need_pages(target)
        reader: Reader = self._models.serving(project_id).champion
        images: dict[PageId, TaskImage] = {}
        documents: dict[PageId, Document] = {}
        reading = 0.0
        for each in upload_pages(self._projects.reach(), project_id, target, data, self._pages):
            # A long document takes longer than a claim lasts.
            self._contacts.renew(project_id, contact_id)
            images[each.page] = each.image
            if reading < READING_SECONDS:
                started = time.monotonic()
                documents[each.page] = reader.predict(each.data)
                reading += time.monotonic() - started
        return self._make(project_id, contact_id, images, documents, config, reader.version)

    def _make(
        self,
        project_id: int,
        contact_id: str,
        images: Mapping[PageId, TaskImage],
        documents: Mapping[PageId, Document],
        config: LabelConfig,
        version: str,
    ) -> int:
        """Make a task that shows images, with its prediction if all of them were read."""
        target, whole = config.targets[0], len(documents) == len(images)
        made = to_prediction(documents, config, model_version=version)
        data = {**target.task_data([image.url for image in images.values()]), "contact_id": contact_id}
        prediction = Prediction(0, version, made["result"], made["score"]) if whole else None
        task_id = create_task(self._projects.reach(), project_id, data, prediction)
        try:
            self._memory.remember_images(project_id, task_id, images)
            if whole:
                read = list(documents.values())
                scored = Scored(task_id, version, float(made["score"]), signals_of(read), embedding_of(read))
                self._scores.remember(project_id, [scored])
            else:
                self._queue.enqueue_scoring(project_id, [task_id])
        except BackendError as error:
            # The next rescoring makes up for it; the task is there.
            _log.warning("sent_task_not_noted", task=task_id, error=str(error))
        return task_id

    def file(self, image: SentImage, project_id: int | None) -> bytes:
        """Return the file of an image that was sent in one of three ways.

        Raises:
            BackendError: If it may not be fetched, or is not to be had.
        """
        if image.data is not None:
            return image.data
        if image.stored:
            return self._folder.fetch(image.stored)
        if image.url:
            return self._images.fetch(image.url, None, project_id)
        raise RequestError("There is no image.", "Send a file, or name a url or a stored document.")

    def name_blocks(self, project_id: int | None, data: bytes, blocks: Sequence[TextBlock]) -> Document:
        """Return what another engine has read on an image, with the fields that its words are.

        A task that is made of it has no number yet: where a challenger has a share of the tasks, this one is the
        champion's, until the worker has scored it.

        Args:
            project_id: Whose champion names the fields; ``None`` for the weights that ship.
            data: The image file.
            blocks: What was read.

        Raises:
            RequestError: If the file or the blocks are of several pages.
            ModelError: If the image cannot be used.
        """
        if is_paged(data):
            raise _of_one_image()
        _need_one_page(blocks)
        picture = load_image(data, max_bytes=self._limits.max_bytes, max_pixels=self._limits.max_pixels)
        namer: PageNamer = self._models.serving(project_id).champion  # type: ignore[assignment]
        return namer.extract(page_of(blocks, picture.shape[1], picture.shape[0]), picture)


def _of_one_image() -> RequestError:
    return RequestError("Blocks are of one image, and the document has pages.", "Leave the blocks out.")


def _need_one_page(blocks: Sequence[TextBlock] | None) -> None:
    if blocks and any(block.page > 1 for block in blocks):
        raise RequestError("Blocks are of one image, and one names another page.", "Leave out what is not of it.")


def page_of(blocks: Sequence[TextBlock], width: int, height: int) -> Page:
    """Return what another engine has read as a page: a block a line, its words as wide as they have characters.

    Blocks without text, and blocks that do not touch the image, are left out.
    """
    lines = []
    for block in sorted(blocks, key=lambda block: (block.box.y0, block.box.x0)):
        box, texts = block.box, block.text.split()
        if not texts or box.x0 >= width or box.y0 >= height or box.x1 <= 0 or box.y1 <= 0:
            continue
        whole = " ".join(texts)
        step, at, words = box.width / len(whole), 0, []
        for text in texts:
            left = box.x0 + at * step
            words.append(Word(text, type(box)(left, box.y0, left + len(text) * step, box.y1), 1.0))
            at += len(text) + 1
        lines.append(Line(whole, box.polygon(), 1.0, tuple(words)))
    return Page(width, height, tuple(lines))
