"""Pictures as files that browsers show."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

#: Above so many bytes a picture is a photograph, and JPEG a fifth of PNG.
_LARGE_PNG = 1_500_000
_JPEG_QUALITY = 92


def encoded(image: Image.Image) -> bytes:
    """Return a picture as PNG, or, where that is large, as JPEG."""
    buffer = BytesIO()
    image.save(buffer, "PNG", compress_level=3)
    if buffer.tell() > _LARGE_PNG:
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()
