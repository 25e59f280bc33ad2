"""One task in, one prediction out: fetch its images page by page, read them, name the fields, convert to regions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from ml_backend.errors import BackendError
from ml_backend.label_studio.convert import to_prediction
from ml_backend.label_studio.label_config import LabelConfig, PageId
from ml_backend.label_studio.records import Task
from ml_backend.observability.logs import get_logger
from ml_backend.observability.metrics import Metrics
from ml_backend.predict.serving_models import ServingModels
from ml_backend.predict.uncertainty import ask_previous, embedding_of, signals_of
from ml_backend.store.rescorings import TaskImage
from ml_backend.store.task_scores import Scored
from model.document.images import image_key
from model.document.types import Document, Page
from model.errors import ImageError

JsonObject = dict[str, Any]

_log = get_logger(__name__)


class NoImageError(BackendError):
    """A task whose data has no image where the labelling configuration looks for one."""

    status = 422


class TooManyPagesError(BackendError):
    """A task with more pages than a document may have."""

    status = 422


class TimeUpError(BackendError):
    """There is no time left for the pages of a task; those before are read, and the next try finds them so.

    Attributes:
        done: How many pages were read.
        pages: How many there are.
    """

    def __init__(self, done: int, pages: int) -> None:
        super().__init__(f"There was time for {done} of {pages} pages.")
        self.done = done
        self.pages = pages


class ImageFetcher(Protocol):
    """Gets image files from where tasks say they are."""

    def fetch(self, url: str, task_id: int | None = None, project_id: int | None = None) -> bytes:
        """Return the file at ``url``.

        Raises:
            BackendError: If it cannot be fetched, or must not be.
        """
        ...


class Reader(Protocol):
    """Makes documents of image files; :class:`model.pipeline.Pipeline` is one."""

    @property
    def version(self) -> str: ...  # noqa: D102 - the model version

    def predict(self, data: bytes) -> Document:
        """Return what an image file says.

        Raises:
            ModelError: If the image cannot be used, or an engine fails.
        """
        ...

    def revisit(self, key: str) -> Document | None:
        """Return what an image says that was read before, by its key; ``None`` where its file is needed."""
        ...

    def extract(self, page: Page) -> Document:
        """Return what a page says that was read.

        Raises:
            ModelError: If it cannot be told from the page alone.
        """
        ...


class ModelSource(Protocol):
    """Gives the serving models of a project; :class:`ml_backend.predict.model_manager.ModelManager` is one."""

    @property
    def versions(self) -> tuple[str, ...]: ...  # noqa: D102 - of all projects

    @property
    def problems(self) -> Mapping[int, str]: ...  # noqa: D102 - by project, of versions that should serve

    def close(self) -> None:
        """Stop looking for new versions."""

    def serving(self, project_id: int | None) -> ServingModels[Reader]:
        """Return the models that answer now."""
        ...


class ImageMemory(Protocol):
    """Keeps which file an image of a task was; :class:`ml_backend.store.rescorings.RescoringStore` is one."""

    def remember_images(self, project_id: int, task_id: int, images: Mapping[PageId, TaskImage]) -> None:
        """Note which files a task's images are."""
        ...


PageFile = Callable[[PageId, str], bytes]
"""Gets the file of a page by its address; raises what :meth:`ImageFetcher.fetch` raises."""


class ScoreMemory(Protocol):
    """Keeps what the models say of tasks; :class:`ml_backend.store.task_scores.TaskScores` is one."""

    def remember(self, project_id: int, scored: Iterable[Scored]) -> None:
        """Keep it in place of what was kept before."""
        ...


class TaskPredictor:
    """Predicts single tasks; threads may share it, the models behind it take turns.

    A page is fetched, read and let go before the next one: however many pages a task has, one image is in memory.

    Args:
        images: Gets the image files.
        metrics: Where the time of each stage is counted.
        memory: Keeps which files were read, for a later version to find their readings; ``None`` keeps nothing.
        scores: Keeps what the models are unsure of, for the order of tasks; ``None`` keeps nothing.
        max_pages: Most pages that a task may have.
        values_only: Asked whether a project wants values of fields only, where its configuration does not say.
    """

    def __init__(
        self,
        images: ImageFetcher,
        metrics: Metrics,
        memory: ImageMemory | None = None,
        scores: ScoreMemory | None = None,
        *,
        max_pages: int = 200,
        values_only: Callable[[int], bool] = lambda _project: False,
    ) -> None:
        self._images = images
        self._metrics = metrics
        self._memory = memory
        self._scores = scores
        self._max_pages = max_pages
        self._values_only = values_only

    def pages(self, task: Task, config: LabelConfig) -> dict[PageId, str]:
        """Return where the pages of a task are, in their order. An image that this task does not have is left out.

        Raises:
            NoImageError: If it has none.
            TooManyPagesError: If it has more than a document may have.
        """
        urls = page_urls(task, config)
        if len(urls) > self._max_pages:
            raise TooManyPagesError(
                f"The task has {len(urls)} pages; the limit is {self._max_pages} (MAX_PAGES).",
                "Split the document, or raise MAX_PAGES.",
            )
        return urls

    def fetch(self, url: str, task_id: int, project_id: int | None) -> bytes:
        """Return the file of a page.

        Raises:
            BackendError: If it cannot be fetched, or must not be.
        """
        with self._metrics.stage("fetch"):
            return self._images.fetch(url, task_id or None, project_id or None)

    def predict(
        self,
        task: Task,
        config: LabelConfig,
        serving: ServingModels[Reader],
        *,
        file_of: PageFile | None = None,
        fits: Callable[[int], bool] = lambda _left: True,
    ) -> list[JsonObject]:
        """Return the prediction of a task; both where a challenger predicts beside.

        A page of a list that is no image is left out as long as another one can be read.

        Args:
            task: The task.
            config: The project's labelling configuration.
            serving: The models that predict.
            file_of: Gets a page's file; ``None`` fetches it.
            fits: Asked before each page, with the number of pages left, whether there is time for them.

        Raises:
            NoImageError: If it has no image.
            TooManyPagesError: If it has more pages than a document may have.
            TimeUpError: If there is no time for all pages.
            BackendError: If one cannot be fetched, or must not be.
            ModelError: If none can be used, or an engine fails.
        """
        pages = self.pages(task, config)
        asked = serving.of_task(task.id)
        found: list[dict[PageId, Document]] = [{} for _ in asked]
        seen: dict[PageId, TaskImage] = {}
        project_id = serving.project_id or task.project
        broken: ImageError | None = None
        try:
            for done, (page, url) in enumerate(pages.items()):
                if not fits(len(pages) - done):
                    raise TimeUpError(done, len(pages))
                data = file_of(page, url) if file_of is not None else self.fetch(url, task.id, project_id)
                try:
                    for documents, (reader, _) in zip(found, asked, strict=True):
                        documents[page] = self._read(data, reader, task.id)
                except ImageError as error:
                    broken = self._broken(error, task, page, config)
                else:
                    seen[page] = TaskImage(url, image_key(data))
        finally:
            self._remember(seen, task, project_id)
        if broken is not None and not seen:
            raise broken
        predictions = []
        for documents, (_, version) in zip(found, asked, strict=True):
            predictions.append(self.convert(documents, task, config, version))
            if version == serving.version:
                self.note(documents, task, serving, predictions[-1]["score"])
        return predictions

    def read_again(
        self,
        task: Task,
        config: LabelConfig,
        reader: Reader,
        known: Mapping[PageId, TaskImage],
        project_id: int,
        *,
        fits: Callable[[int], bool] = lambda _left: True,
    ) -> dict[PageId, Document]:
        """Return what the pages of a task say, without fetching and reading those that were read before.

        Args:
            task: The task.
            config: The project's labelling configuration.
            reader: Makes the documents.
            known: Which files its images were.
            project_id: Its project.
            fits: Called before each page that is to be fetched, with how many of those were fetched before, and
                returns whether there is time for it.

        Raises:
            NoImageError: If it has no image.
            TooManyPagesError: If it has more pages than a document may have.
            TimeUpError: If there is no time for all pages.
            BackendError: If one cannot be fetched, or must not be.
            ModelError: If none can be used, or an engine fails.
        """
        documents: dict[PageId, Document] = {}
        seen: dict[PageId, TaskImage] = {}
        broken: ImageError | None = None
        pages = self.pages(task, config)
        fetched = 0
        try:
            for page, url in pages.items():
                image = known.get(page)
                document = reader.revisit(image.image_key) if image is not None and image.url == url else None
                if document is None:
                    if not fits(fetched):
                        raise TimeUpError(len(documents), len(pages))
                    fetched += 1
                    data = self.fetch(url, task.id, project_id)
                    try:
                        document = self._read(data, reader, task.id)
                    except ImageError as error:
                        broken = self._broken(error, task, page, config)
                        continue
                    seen[page] = TaskImage(url, image_key(data))
                documents[page] = document
        finally:
            self._remember(seen, task, project_id)
        if broken is not None and not documents:
            raise broken
        return documents

    def _read(self, data: bytes, reader: Reader, task_id: int) -> Document:
        with self._metrics.stage("models"):
            document = reader.predict(data)
        for note in document.page.notes:
            _log.warning("page_note", task=task_id, kind=note.kind, note=str(note.sentence))
        return document

    @staticmethod
    def _broken(error: ImageError, task: Task, page: PageId, config: LabelConfig) -> ImageError:
        """Pass over a page of a list that is no image; whether another can be read is seen in the end.

        Raises:
            ImageError: The same, if there is no list.
        """
        target = config.target(page.image)
        if target is None or not target.is_paged:
            raise error
        _log.warning("page_left_out", task=task.id, item_index=page.item_index, error=str(error))
        return error

    def convert(
        self, documents: Mapping[PageId, Document], task: Task, config: LabelConfig, version: str
    ) -> JsonObject:
        """Return the prediction that the documents of a task make."""
        with self._metrics.stage("conversion"):
            own, only = config.for_task(task.data), bool(task.project) and self._values_only(task.project)
            return to_prediction(documents, own, model_version=version, values_only=only)

    def note(
        self, documents: Mapping[PageId, Document], task: Task, serving: ServingModels[Reader], confidence: float
    ) -> None:
        """Keep what the serving models say of a task, for the order of tasks; its previous champion is heard too.

        Args:
            documents: What each of its pages says.
            task: The task; nothing is kept where its project is not known.
            serving: The models that made the documents.
            confidence: The prediction's score.
        """
        project_id = serving.project_id or task.project
        if self._scores is None or not project_id or not task.id:
            return
        pages = list(documents.values())
        with self._metrics.stage("models"):
            second = ask_previous(serving.previous, pages)
        signals, embedding = signals_of(pages, second), embedding_of(pages)
        scored = Scored(task.id, serving.version, confidence, signals, embedding, serving.naming)
        try:
            self._scores.remember(project_id, [scored])
        except BackendError as error:
            # The next rescoring keeps it; until then the task has no place in the order.
            _log.warning("task_score_not_kept", task=task.id, error=str(error))

    def _remember(self, images: Mapping[PageId, TaskImage], task: Task, project_id: int) -> None:
        if self._memory is None or not images or not project_id or not task.id:
            return
        try:
            self._memory.remember_images(project_id, task.id, images)
        except BackendError as error:
            # It only saves a later fetch.
            _log.warning("task_images_not_remembered", task=task.id, error=str(error))


def page_urls(task: Task, config: LabelConfig) -> dict[PageId, str]:
    """Return where the images of a task are, page by page in the order of the ``Image`` tags.

    Raises:
        NoImageError: If it has none.
    """
    urls = {page: url for target in config.targets for page, url in target.pages(task.data).items()}
    if not urls:
        keys = ", ".join(target.value_key for target in config.targets)
        raise NoImageError(f"The task has no image under {keys}.", "Compare the task's data with the <Image> tags.")
    return urls
