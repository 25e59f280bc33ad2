"""Documents of several pages to page images: PDF, and TIFF with more than one page.

What splits them is a process of its own (:mod:`model.document.page_renderer`): files come from anywhere, and one that
makes the renderer crash, swell or never end must cost no more than itself. PDFium is not safe for threads either.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

from PIL import Image

from model.document.formats import format_of
from model.errors import ImageError

#: How far from its beginning a PDF may say that it is one.
_HEADER = 1024
#: Starting the process takes a second or two where the machine is busy.
START_SECONDS = 10.0
#: Where programs, libraries and temporary files are, and how text is written.
_RENDERER_NEEDS = frozenset(
    ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE")
)
_NOT_PAGED = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    LookupError,
    ArithmeticError,
    struct.error,
    Image.DecompressionBombError,
)


@dataclass(frozen=True, slots=True)
class PageLimits:
    """What a document may be.

    Attributes:
        max_bytes: Largest file.
        max_pages: Most pages.
        max_pixels: Largest page, in pixels.
        dpi: Resolution that pages of a PDF are drawn at, in pixels an inch; large pages are drawn at less.
        page_seconds: Longest time for one page.
        memory_bytes: Most memory that splitting may take.
    """

    max_bytes: int
    max_pages: int
    max_pixels: int
    dpi: int = 200
    page_seconds: float = 30.0
    memory_bytes: int = 3 * 1024**3


def is_paged(data: bytes) -> bool:
    """Tell whether a file is a PDF, or a TIFF with more than one page; any other is one image or none."""
    if is_pdf(data):
        return True
    kind = format_of(data)
    if kind is None or kind.name != "TIFF":
        return False
    try:
        with warnings.catch_warnings():
            # Large images, and broken metadata, are looked at by the decoder.
            warnings.simplefilter("ignore")
            image = Image.open(BytesIO(data), formats=("TIFF",))
            image.seek(1)
    except _NOT_PAGED:
        return False
    return True


def is_pdf(data: bytes) -> bool:
    """Tell whether a file says that it is a PDF."""
    return b"%PDF-" in data[:_HEADER]


def page_files(data: bytes, limits: PageLimits) -> Iterator[bytes]:
    """Give the pages of a document as image files; an image file is its only page.

    Raises:
        ImageError: See :func:`split_pages`.
    """
    if is_paged(data):
        yield from split_pages(data, limits)
    else:
        yield data


def split_pages(data: bytes, limits: PageLimits) -> Iterator[bytes]:
    """Give the pages of a document as image files, PNG or JPEG, one at a time.

    Pages come upright and as a reader shows them, those of a PDF with its notes and filled-in forms. The next page is
    made while the last is used, and no further.

    Args:
        data: The file, PDF or TIFF.
        limits: What it may be.

    Raises:
        ImageError: If it is too large, has too many pages or too large ones, needs a password, is broken, or takes too
            long.
    """
    if len(data) > limits.max_bytes:
        raise ImageError(f"The document has more than {limits.max_bytes} bytes, the limit (MAX_DOCUMENT_BYTES).")
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        file.seek(0)
        # Found wherever this process was started.
        path = os.pathsep.join((str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")))
        environment = _renderer_environment() | {"PYTHONPATH": path.rstrip(os.pathsep)}
        command = [sys.executable, "-m", "model.document.page_renderer", json.dumps(asdict(limits))]
        with subprocess.Popen(  # noqa: S603 - our own words
            command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        ) as renderer:
            try:
                assert renderer.stdout is not None
                yield from _pages(renderer, renderer.stdout, limits.page_seconds)
            finally:
                renderer.kill()


def _renderer_environment() -> dict[str, str]:
    """Return what the renderer needs of this process's environment.

    That holds tokens and passwords, which are no business of a process that strangers' files may take over.
    """
    return {name: value for name, value in os.environ.items() if name in _RENDERER_NEEDS or name.startswith("LC_")}


def _pages(renderer: subprocess.Popen[bytes], output: IO[bytes], page_seconds: float) -> Iterator[bytes]:
    """Read what the renderer writes: a line of JSON before each page, and one in the end.

    Raises:
        ImageError: If it says what is wrong with the document, ends early, or takes too long.
    """
    number = 0
    while True:
        number += 1
        late = threading.Event()

        def stop(late: threading.Event = late) -> None:
            late.set()
            renderer.kill()

        watch = threading.Timer(page_seconds + (START_SECONDS if number == 1 else 0.0), stop)
        watch.start()
        try:
            line = output.readline()
            head = json.loads(line) if line.endswith(b"\n") else {}
            page = output.read(int(head["bytes"])) if "bytes" in head else b""
        finally:
            watch.cancel()
        if late.is_set():
            raise ImageError(f"Page {number} of the document took more than {page_seconds:.0f} s to draw.")
        if "error" in head:
            raise ImageError(str(head["error"]))
        if "pages" in head:
            return
        if not page or len(page) != head.get("bytes"):
            raise ImageError(f"Page {number} of the document cannot be drawn: it is broken, or takes too much memory.")
        yield page
