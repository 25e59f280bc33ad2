"""Which kinds of files hold images: one list for decoding, for folders, for uploads and for what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """A kind of image file.

    Attributes:
        name: As Pillow calls it.
        title: As people call it.
        media_type: As HTTP calls it.
        suffixes: What names of such files end with, in lower case; the usual one first.
        begins: Tells whether a file's first bytes are of this kind.
        shown: Whether browsers show it, and Label Studio takes it.
    """

    name: str
    title: str
    media_type: str
    suffixes: tuple[str, ...]
    begins: Callable[[bytes], bool]
    shown: bool = True


HEAD_BYTES = 64
"""So many bytes from the beginning of a file tell what it is."""


def _with(*starts: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(starts)


def _of_brand(*brands: bytes) -> Callable[[bytes], bool]:
    """Recognise the files of ISO's base media format by the brands that their first box names."""

    def begins(head: bytes) -> bool:
        if head[4:8] != b"ftyp":
            return False
        size = min(int.from_bytes(head[:4], "big"), len(head))
        named = {head[8:12], *(head[at : at + 4] for at in range(16, size - 3, 4))}
        return not named.isdisjoint(brands)

    return begins


IMAGE_FORMATS = (
    ImageFormat("PNG", "PNG", "image/png", (".png", ".apng"), _with(b"\x89PNG\r\n\x1a\n")),
    ImageFormat(
        "JPEG", "JPEG", "image/jpeg", (".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp"), _with(b"\xff\xd8\xff")
    ),
    ImageFormat("WEBP", "WebP", "image/webp", (".webp",), lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP"),
    ImageFormat("GIF", "GIF", "image/gif", (".gif",), _with(b"GIF87a", b"GIF89a")),
    ImageFormat("BMP", "BMP", "image/bmp", (".bmp", ".dib"), _with(b"BM")),
    ImageFormat(
        "TIFF", "TIFF", "image/tiff", (".tif", ".tiff"), _with(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), shown=False
    ),
    ImageFormat("AVIF", "AVIF", "image/avif", (".avif",), _of_brand(b"avif", b"avis"), shown=False),
    ImageFormat(
        "JPEG2000",
        "JPEG 2000",
        "image/jp2",
        (".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"),
        _with(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
        shown=False,
    ),
    ImageFormat(
        "HEIF",
        "HEIC",
        "image/heic",
        (".heic", ".heif", ".hif"),
        _of_brand(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
        shown=False,
    ),
)
"""Every format that is read, in the order in which first bytes are compared."""

NAMES = tuple(each.name for each in IMAGE_FORMATS)
MEDIA_TYPES = tuple(each.media_type for each in IMAGE_FORMATS)
SUFFIXES = frozenset(suffix for each in IMAGE_FORMATS for suffix in each.suffixes)
LISTED = ", ".join(each.title for each in IMAGE_FORMATS)
"""All of them, for sentences."""


def format_of(data: bytes) -> ImageFormat | None:
    """Return what an image file is by its first bytes, whatever its name says; None for anything else."""
    head = data[:HEAD_BYTES]
    return next((each for each in IMAGE_FORMATS if each.begins(head)), None)
