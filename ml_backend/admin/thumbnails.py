"""Small pictures of documents: a thumbnail of a task, and the part of it that a correction is about."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from PIL import Image

from ml_backend.errors import NotFoundError
from ml_backend.label_studio.images import ImageSource
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.learn.page_source import ImportedImage
from ml_backend.learn.sample_files import SCHEME
from model.document.images import load_image
from model.errors import say

THUMBNAIL = (520, 340)
#: A line of text on a card is some thirty pixels high: twice that much around it shows where it stands.
MARGIN = 0.6


class Thumbnails:
    """Fetches images as predictions do, and makes them small.

    Args:
        images: Where they come from.
        imported: Gets the file of an image that came with feedback or samples, which no task shows.
        max_bytes: The largest file.
        max_pixels: The largest image.
    """

    def __init__(self, images: ImageSource, imported: ImportedImage, *, max_bytes: int, max_pixels: int) -> None:
        self._images, self._imported = images, imported
        self._limits = {"max_bytes": max_bytes, "max_pixels": max_pixels}

    def thumbnail(self, project_id: int, task_id: int, data: Mapping[str, Any], config: LabelConfig) -> bytes:
        """Return a task's first image as a small JPEG.

        Raises:
            BackendError: If it has none, or it cannot be fetched.
            ModelError: If it is no image.
        """
        image = self._image(project_id, task_id, data, config)
        image.thumbnail(THUMBNAIL, Image.Resampling.LANCZOS)
        return _jpeg(image)

    def crop(
        self,
        project_id: int,
        task_id: int,
        data: Mapping[str, Any],
        config: LabelConfig,
        box: tuple[float, float, float, float],
        item_index: int = 0,
    ) -> bytes:
        """Return the part of a task's page around ``box`` (``x0, y0, x1, y1``, pixels) as a JPEG.

        Raises:
            BackendError: If there is no image, it cannot be fetched, or the box does not lie on it.
            ModelError: If it is no image.
        """
        image = self._image(project_id, task_id, data, config, item_index)
        x0, y0, x1, y1 = box
        margin = MARGIN * max(8.0, y1 - y0)
        left, top = max(0, int(x0 - margin)), max(0, int(y0 - margin))
        right, bottom = min(image.width, int(x1 + margin)), min(image.height, int(y1 + margin))
        if right - left < 2 or bottom - top < 2:
            raise NotFoundError(say("The box does not lie on the image."))
        part = image.crop((left, top, right, bottom))
        part.thumbnail((900, 300), Image.Resampling.LANCZOS)
        return _jpeg(part)

    def _image(
        self,
        project_id: int,
        task_id: int,
        task: Mapping[str, Any],
        config: LabelConfig,
        item_index: int | None = None,
    ) -> Image.Image:
        """Return a page of a task, or its first."""
        pages = config.targets[0].pages(task)
        if item_index is not None:
            pages = {page: url for page, url in pages.items() if page.item_index == item_index}
        url = next(iter(pages.values()), None)
        if url is None:
            raise NotFoundError(say("Task {task_id} has no such image.", task_id=task_id))
        is_ours = url.startswith(SCHEME)
        data = self._imported(url) if is_ours else self._images.fetch(url, task_id, project_id)
        return Image.fromarray(load_image(data, **self._limits))


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()
