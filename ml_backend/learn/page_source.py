"""The pages below annotations: from the cache of readings, and only where nobody has read an image, from the image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from ml_backend.errors import ImageFetchError, ImageRefusedError
from ml_backend.label_studio.label_config import PageId
from ml_backend.learn.sample_files import SCHEME
from ml_backend.predict.task_predictor import ImageFetcher
from ml_backend.store.records import StoredAnnotation
from ml_backend.store.rescorings import RescoringStore, TaskImage
from model.document.images import image_key
from model.document.types import Page

# From this share of images on that cannot be fetched, and so many, something is down, and no document is to blame.
_OUTAGE = 0.5
_FEW = 4

ImportedImage = Callable[[str], bytes]
"""Returns an imported image by its address; raises :class:`ml_backend.errors.ImageFetchError` where it is gone."""


class PageReader(Protocol):
    """Reads images, and keeps what it has read; :class:`model.ocr.cached_reader.PageReading` is one."""

    def kept(self, key: str) -> Page | None:
        """Return the page of an image by its key; ``None`` where the image is needed."""
        ...

    def read_file(self, data: bytes) -> Page:
        """Return the lines and words of an image file.

        Raises:
            ModelError: If the image cannot be used, or the engine fails.
        """
        ...


class PageSource:
    """Gets the pages below annotations.

    Args:
        memory: Which file each task's image is.
        images: Gets the files of images that were not read before.
        reader: Knows what was read before, and reads the others.
        imported: Gets the file of an imported image.
    """

    def __init__(
        self,
        memory: RescoringStore,
        images: ImageFetcher,
        reader: PageReader,
        imported: ImportedImage,
    ) -> None:
        self.memory = memory
        self.images = images
        self.reader = reader
        self.imported = imported

    def of_project(self, project_id: int, task_ids: Iterable[int]) -> ProjectPages:
        """Return the pages of some tasks of a project.

        Raises:
            StoreError: If the store cannot be read.
        """
        return ProjectPages(self, self.memory.task_images(project_id, task_ids))


class ProjectPages:
    """The pages of some tasks of a project; for one thread.

    Args:
        source: Where pages come from.
        known: Which file each page of each task is, by task.
    """

    def __init__(self, source: PageSource, known: Mapping[int, Mapping[PageId, TaskImage]]) -> None:
        self._source = source
        self._known = known
        self._fetched = 0
        self._errors: list[ImageFetchError] = []

    def page(self, annotation: StoredAnnotation, which: PageId, url: str) -> tuple[str, Page]:
        """Return the key of an image, and what the engine read on it.

        Args:
            annotation: The annotation of its task.
            which: Which of its pages.
            url: Its address in the task's data.

        Raises:
            ImageFetchError: If it cannot be fetched, or must not be.
            ModelError: If it cannot be used, or the engine fails.
            StoreError: If the store cannot be read or written.
        """
        source = self._source
        known = self._known.get(annotation.task_id, {}).get(which)
        if known is not None and known.url == url:
            page = source.reader.kept(known.image_key)
            if page is not None:
                return known.image_key, page
        # People who may edit tasks in Label Studio must not read files here: only what was kept here names them.
        is_ours = annotation.source != "label_studio" and url.startswith(SCHEME)
        data = source.imported(url) if is_ours else self._fetch(url, annotation)
        page, key = source.reader.read_file(data), image_key(data)
        source.memory.remember_images(annotation.project_id, annotation.task_id, {which: TaskImage(url, key)})
        return key, page

    def refuse_outage(self) -> None:
        """Give up where so many images could not be fetched that the documents cannot be to blame.

        Raises:
            ImageFetchError: The last of the failures.
        """
        if len(self._errors) >= _FEW and len(self._errors) >= _OUTAGE * self._fetched:
            raise self._errors[-1]

    def _fetch(self, url: str, annotation: StoredAnnotation) -> bytes:
        self._fetched += 1
        try:
            return self._source.images.fetch(url, annotation.task_id, annotation.project_id)
        except ImageRefusedError:
            raise
        except ImageFetchError as error:
            self._errors.append(error)
            raise
