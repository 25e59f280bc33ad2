"""One task in, one prediction out: fetch its images, read them, name the fields, convert to regions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ml_backend.errors import BackendError
from ml_backend.label_studio.convert import to_prediction
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.label_studio.records import Task
from ml_backend.metrics import Metrics
from model.document import Document

JsonObject = dict[str, Any]


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


class TaskPredictor:
    """Predicts single tasks; threads may share it, the models behind it take turns.

    Args:
        reader: Makes documents of image files.
        images: Gets the image files.
        metrics: Where the time of each stage is counted.
    """

    def __init__(self, reader: Reader, images: ImageFetcher, metrics: Metrics) -> None:
        self._reader = reader
        self._images = images
        self._metrics = metrics

    @property
    def version(self) -> str:
        """The model version that predictions carry."""
        return self._reader.version

    def fetch(self, task: Task, config: LabelConfig) -> dict[str, bytes]:
        """Return the image files of a task by the name of the ``Image`` tag each belongs to.

        Of a list of pages the first is taken. An image that this task does not have is left out, as long as it has one.

        Raises:
            NoImageError: If it has none.
            BackendError: If one cannot be fetched, or must not be.
        """
        files = {}
        for target in config.targets:
            urls = target.image_urls(task.data)
            if urls:
                with self._metrics.stage("fetch"):
                    files[target.image] = self._images.fetch(urls[0], task.id or None)
        if not files:
            keys = ", ".join(target.value_key for target in config.targets)
            raise NoImageError(f"The task has no image under {keys}.", "Compare the task's data with the <Image> tags.")
        return files

    def predict(self, files: Mapping[str, bytes], task: Task, config: LabelConfig) -> JsonObject:
        """Return the prediction of a task whose image files were fetched.

        Raises:
            ModelError: If an image cannot be used, or an engine fails.
        """
        documents = {}
        for image, data in files.items():
            with self._metrics.stage("models"):
                documents[image] = self._reader.predict(data)
        with self._metrics.stage("conversion"):
            return to_prediction(documents, config.for_task(task.data), model_version=self.version)
