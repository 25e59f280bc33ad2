"""A document of several pages into Label Studio: page by page, one image in memory, and a task that shows them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ml_backend.errors import RequestError
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.label_config import PageId, Target
from ml_backend.label_studio.uploads import upload
from ml_backend.store.rescorings import TaskImage
from model.document.images import for_browsers, image_key
from model.document.page_files import PageLimits, page_files


@dataclass(frozen=True, slots=True)
class UploadedPage:
    """A page that Label Studio has.

    Attributes:
        page: Which one.
        image: Where it is, and which file.
        data: The file.
    """

    page: PageId
    image: TaskImage
    data: bytes


def need_pages(target: Target) -> None:
    """Make sure that a project shows documents of several pages.

    Raises:
        RequestError: If it shows one image a task.
    """
    if not target.is_paged:
        raise RequestError(
            "The document has pages, and the project shows one image a task.",
            'Give the project\'s <Image> a valueList="$pages" instead of its value, or make a project for documents: '
            "python -m ml_backend pages FILE --title TITLE.",
        )


def upload_pages(
    client: LabelStudio,
    project_id: int,
    target: Target,
    data: bytes,
    limits: PageLimits,
    on_page: Callable[[], object] = lambda: None,
) -> Iterator[UploadedPage]:
    """Put the pages of a document into a project without making a task of them; give each once it is there.

    Args:
        client: Label Studio.
        project_id: The project.
        target: What shows the pages.
        data: The document, or an image, which is its only page.
        limits: What the document may be.
        on_page: Called after each page.

    Raises:
        ImageError: If it cannot be split, or has too many pages.
        LabelStudioError: If Label Studio does not take a page.
    """
    for item_index, file in enumerate(page_files(data, limits)):
        page = for_browsers(file, max_bytes=limits.max_bytes, max_pixels=limits.max_pixels)
        url = upload(client, project_id, page)
        yield UploadedPage(target.page(item_index), TaskImage(url, image_key(page)), page)
        on_page()
