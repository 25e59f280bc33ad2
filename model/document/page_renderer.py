"""The process that draws the pages of one document: ``python -m model.document.page_renderer LIMITS < FILE``.

It writes, for each page, a line of JSON, ``{"bytes": …}``, and the image file; in the end ``{"pages": …}``, or
``{"error": …}`` where the document cannot be used. Nothing else of the backend runs in it.
"""

from __future__ import annotations

import json
import resource
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from typing import IO, Any

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from model.document.encoding import encoded

#: A page that is not readable at less is refused rather than drawn.
LEAST_DPI = 72
_POINTS_PER_INCH = 72

_DECODER_ERRORS = (OSError, ValueError, SyntaxError, EOFError, TypeError, LookupError, ArithmeticError)


class _UnusableError(Exception):
    """What is wrong with the document."""


def main() -> int:
    """Write the pages of the document on standard input; return the exit status."""
    limits = json.loads(sys.argv[1])
    # Not every system knows this limit.
    with suppress(ValueError, OSError):
        # A crash writes no document to the disk.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (limits["memory_bytes"],) * 2)
    data, out = sys.stdin.buffer.read(), sys.stdout.buffer
    count = 0
    try:
        for image in _pdf_pages(data, limits) if b"%PDF-" in data[:1024] else _tiff_pages(data, limits):
            page = encoded(image)
            _say(out, {"bytes": len(page)})
            out.write(page)
            out.flush()
            count += 1
        _say(out, {"pages": count})
    except _UnusableError as error:
        _say(out, {"error": str(error)})
    except MemoryError:
        _say(out, {"error": f"Page {count + 1} of the document takes too much memory."})
    except BrokenPipeError:
        return 1
    return 0


def _pdf_pages(data: bytes, limits: dict[str, Any]) -> Iterator[Image.Image]:
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pdfium.FPDF_ERR_PASSWORD:
            raise _UnusableError("The PDF is encrypted. Save it without a password.") from error
        if error.err_code == pdfium.FPDF_ERR_SECURITY:
            raise _UnusableError("The PDF is encrypted in a way that is not supported.") from error
        raise _UnusableError("The PDF is broken or incomplete.") from error
    count = len(document)
    _check_count(count, limits["max_pages"])
    with suppress(pypdfium2.PdfiumError):
        document.init_forms()
    for number in range(1, count + 1):
        try:
            page = document[number - 1]
            width, height = page.get_size()
        except pypdfium2.PdfiumError as error:
            raise _UnusableError(f"Page {number} of the PDF is broken.") from error
        scale = limits["dpi"] / _POINTS_PER_INCH
        area = width * height
        if area * scale**2 > limits["max_pixels"]:
            scale = (limits["max_pixels"] / area) ** 0.5
            if scale * _POINTS_PER_INCH < min(LEAST_DPI, limits["dpi"]):
                raise _UnusableError(
                    f"Page {number} of the PDF is {width / 72:.0f} × {height / 72:.0f} inches large: too much even at "
                    f"{LEAST_DPI} dpi for the limit of {limits['max_pixels']} pixels (MAX_IMAGE_PIXELS)."
                )
            scale *= 1 - 1e-3
        try:
            # Sides are floats and rounded up: without this a scan of 360 pixels would be drawn with 361.
            bitmap = page.render(scale=scale * (1 - 1e-6), may_draw_forms=True)
            yield bitmap.to_pil().convert("RGB")
        except (pypdfium2.PdfiumError, *_DECODER_ERRORS) as error:
            raise _UnusableError(f"Page {number} of the PDF cannot be drawn.") from error
        page.close()


def _tiff_pages(data: bytes, limits: dict[str, Any]) -> Iterator[Image.Image]:
    # Imported here: a PDF needs none of it.
    from model.document.images import upright_rgb
    from model.errors import ImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # The limit of pixels is ours, below; Pillow's own is for those who have none.
            Image.MAX_IMAGE_PIXELS = None
            image = Image.open(BytesIO(data), formats=("TIFF",))
            count = _count(image, limits["max_pages"])
            for number in range(1, count + 1):
                image.seek(number - 1)
                if image.width * image.height > limits["max_pixels"]:
                    raise _UnusableError(
                        f"Page {number} of the TIFF has {image.width} × {image.height} pixels; the limit is "
                        f"{limits['max_pixels']} (MAX_IMAGE_PIXELS)."
                    )
                yield Image.fromarray(upright_rgb(image))
    except (ImageError, *_DECODER_ERRORS) as error:
        raise _UnusableError("The TIFF is broken or incomplete.") from error


def _count(image: Image.Image, most: int) -> int:
    """Count the pages of a TIFF, without decoding one.

    Raises:
        _UnusableError: If there are too many.
    """
    count = 0
    with suppress(EOFError):
        while True:
            image.seek(count)
            count += 1
            _check_count(count, most)
    return count


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise _UnusableError(f"The document has more than {most} pages, the limit (MAX_PAGES).")
    if not count:
        raise _UnusableError("The document has no page.")


def _say(out: IO[bytes], what: dict[str, Any]) -> None:
    out.write(json.dumps(what).encode() + b"\n")
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
