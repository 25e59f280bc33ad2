"""Documents of several pages for tests: PDF and TIFF files, made here."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Literal

import pypdfium2
from PIL import Image


def paged(pages: Sequence[Image.Image], kind: Literal["PDF", "TIFF"] = "PDF", *, dpi: int = 200) -> bytes:
    """Return a document whose pages are images, each as large as it is at ``dpi``."""
    buffer = BytesIO()
    # Pillow leaves its options on what it saves: copies, so that the same images can be saved again.
    first, *rest = [page.copy() for page in pages]
    first.save(buffer, kind, save_all=True, append_images=rest, **({"resolution": dpi} if kind == "PDF" else {}))
    return buffer.getvalue()


def empty_pdf(*sizes: tuple[float, float]) -> bytes:
    """Return a PDF with empty pages of these sizes, in points of a 72nd inch."""
    document = pypdfium2.PdfDocument.new()
    for width, height in sizes:
        document.new_page(width, height)
    buffer = BytesIO()
    document.save(buffer)
    return buffer.getvalue()
