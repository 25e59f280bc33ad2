"""One task in, one prediction out: fetch its images, read them, name the fields, convert to regions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from ml_backend.errors import BackendError
from ml_backend.former_opinion import ask_former
from ml_backend.label_studio.convert import to_prediction
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.label_studio.records import Task
from ml_backend.lineup import Lineup
from ml_backend.logs import get_logger
from ml_backend.metrics import Metrics
from ml_backend.rescoring_store import TaskImage
from ml_backend.signals import embedding_of, signals_of
from ml_backend.task_scores import Scored
from model.document import Document, Page
from model.images import image_key

JsonObject = dict[str, Any]

_log = get_logger(__name__)


class NoImageError(BackendError):
    """A task whose data has no image where the labelling configuration looks for one."""

    status = 422


class ImageFetcher(Protocol):
    """Gets image files from where tasks say they are."""

    def fetch(self, url: str, task_id: int | None = None) -> bytes:
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
    """Says who answers for a project; :class:`ml_backend.serving.Models` is one."""

    @property
    def versions(self) -> tuple[str, ...]: ...  # noqa: D102 - of all projects

    @property
    def problems(self) -> Mapping[int, str]: ...  # noqa: D102 - by project, of versions that should serve

    def close(self) -> None:
        """Stop looking for new versions."""

    def lineup(self, project_id: int | None) -> Lineup[Reader]:
        """Return the models that answer now."""
        ...


class ImageMemory(Protocol):
    """Keeps which file an image of a task was; :class:`ml_backend.rescoring_store.RescoringStore` is one."""

    def remember_images(self, project_id: int, task_id: int, images: Mapping[str, TaskImage]) -> None:
        """Note which files a task's images are."""
        ...


class ScoreMemory(Protocol):
    """Keeps what the models say of tasks; :class:`ml_backend.task_scores.TaskScores` is one."""

    def remember(self, project_id: int, scored: Iterable[Scored]) -> None:
        """Keep it in place of what was kept before."""
        ...


class TaskPredictor:
    """Predicts single tasks; threads may share it, the models behind it take turns.

    Args:
        images: Gets the image files.
        metrics: Where the time of each stage is counted.
        memory: Keeps which files were read, for a later version to find their readings; ``None`` keeps nothing.
        scores: Keeps what the models are unsure of, for the order of tasks; ``None`` keeps nothing.
    """

    def __init__(
        self,
        images: ImageFetcher,
        metrics: Metrics,
        memory: ImageMemory | None = None,
        scores: ScoreMemory | None = None,
    ) -> None:
        self._images = images
        self._metrics = metrics
        self._memory = memory
        self._scores = scores

    def fetch(self, task: Task, config: LabelConfig) -> dict[str, bytes]:
        """Return the image files of a task by the name of the ``Image`` tag each belongs to.

        Of a list of pages the first is taken. An image that this task does not have is left out, as long as it has one.

        Raises:
            NoImageError: If it has none.
            BackendError: If one cannot be fetched, or must not be.
        """
        files = {}
        for name, url in image_urls(task, config).items():
            with self._metrics.stage("fetch"):
                files[name] = self._images.fetch(url, task.id or None)
        return files

    def predict(
        self, files: Mapping[str, bytes], task: Task, config: LabelConfig, lineup: Lineup[Reader]
    ) -> list[JsonObject]:
        """Return the prediction of a task whose image files were fetched; both where a challenger predicts beside.

        Raises:
            ModelError: If an image cannot be used, or an engine fails.
        """
        predictions = []
        for reader, version in lineup.of_task(task.id):
            documents = self.read(files, reader)
            predictions.append(self.convert(documents, task, config, version))
            if version == lineup.version:
                self.note(documents, task, lineup, predictions[-1]["score"])
        self._remember(files, task, config, lineup.project_id or task.project)
        return predictions

    def read(self, files: Mapping[str, bytes], reader: Reader) -> dict[str, Document]:
        """Return what the image files say, by the name of the ``Image`` tag.

        Raises:
            ModelError: If an image cannot be used, or an engine fails.
        """
        documents = {}
        for image, data in files.items():
            with self._metrics.stage("models"):
                documents[image] = reader.predict(data)
        return documents

    def read_again(
        self, task: Task, config: LabelConfig, reader: Reader, known: Mapping[str, TaskImage], project_id: int
    ) -> dict[str, Document]:
        """Return what the images of a task say, without fetching and reading those that were read before.

        Args:
            task: The task.
            config: The project's labelling configuration.
            reader: Makes the documents.
            known: Which files its images were, by the name of the ``Image`` tag.
            project_id: Its project.

        Raises:
            NoImageError: If it has no image.
            BackendError: If one cannot be fetched, or must not be.
            ModelError: If one cannot be used, or an engine fails.
        """
        urls = image_urls(task, config)
        documents: dict[str, Document] = {}
        for name, url in urls.items():
            image = known.get(name)
            document = reader.revisit(image.image_key) if image is not None and image.url == url else None
            if document is None:
                files = self.fetch(task, config)
                documents = self.read(files, reader)
                self._remember(files, task, config, project_id)
                return documents
            documents[name] = document
        return documents

    def convert(self, documents: Mapping[str, Document], task: Task, config: LabelConfig, version: str) -> JsonObject:
        """Return the prediction that the documents of a task make."""
        with self._metrics.stage("conversion"):
            return to_prediction(documents, config.for_task(task.data), model_version=version)

    def note(self, documents: Mapping[str, Document], task: Task, lineup: Lineup[Reader], confidence: float) -> None:
        """Keep what a line-up says of a task, for the order of tasks; its former champion is heard too.

        Args:
            documents: By the name of the ``Image`` tag.
            task: The task; nothing is kept where its project is not known.
            lineup: Who made the documents.
            confidence: The prediction's score.
        """
        project_id = lineup.project_id or task.project
        if self._scores is None or not project_id or not task.id:
            return
        pages = list(documents.values())
        with self._metrics.stage("models"):
            second = ask_former(lineup.former, pages)
        scored = Scored(task.id, lineup.version, confidence, signals_of(pages, second), embedding_of(pages))
        try:
            self._scores.remember(project_id, [scored])
        except BackendError as error:
            # The next rescoring keeps it; until then the task has no place in the order.
            _log.warning("task_score_not_kept", task=task.id, error=str(error))

    def _remember(self, files: Mapping[str, bytes], task: Task, config: LabelConfig, project_id: int) -> None:
        if self._memory is None or not project_id or not task.id:
            return
        urls = image_urls(task, config)
        images = {name: TaskImage(urls[name], image_key(data)) for name, data in files.items()}
        try:
            self._memory.remember_images(project_id, task.id, images)
        except BackendError as error:
            # It only saves a later fetch.
            _log.warning("task_images_not_remembered", task=task.id, error=str(error))


def image_urls(task: Task, config: LabelConfig) -> dict[str, str]:
    """Return where the images of a task are, by the name of the ``Image`` tag; of a list of pages the first.

    Raises:
        NoImageError: If it has none.
    """
    urls = {target.image: found[0] for target in config.targets if (found := target.image_urls(task.data))}
    if not urls:
        keys = ", ".join(target.value_key for target in config.targets)
        raise NoImageError(f"The task has no image under {keys}.", "Compare the task's data with the <Image> tags.")
    return urls
