"""Image files in, upright RGB pixels out; and the rectified crop of a polygon."""

from __future__ import annotations

import hashlib
import logging
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import TypeAlias

import cv2
import numpy as np
import pi_heif
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.ExifTags import Base as ExifTag

from model.document.decode_budget import process_budget
from model.document.encoding import encoded
from model.document.formats import LISTED, NAMES, format_of
from model.document.types import Polygon
from model.errors import ImageError, ImageTooLargeError, say

RgbImage: TypeAlias = NDArray[np.uint8]
"""Upright pixels, shape ``(height, width, 3)``, red first, 0 to 255."""

# Pillow opens HEIF by libheif's decoder.
pi_heif.register_heif_opener()

# What Pillow's decoders let through on damaged files, besides OSError.
_DECODER_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    LookupError,
    ArithmeticError,
    struct.error,
    zlib.error,
)

# EXIF orientation → what makes the pixels upright.
_UPRIGHT: dict[int, Callable[[RgbImage], RgbImage]] = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: np.rot90(pixels, 3),
    7: lambda pixels: np.rot90(pixels, 2).transpose(1, 0, 2),
    8: np.rot90,
}

_log = logging.getLogger(__name__)

_BITS_PER_SAMPLE = 258
# What ends a JPEG; where it is missing, decoders fill up what was cut off.
_END_OF_JPEG = b"\xff\xd9"
# The grey that stands where nothing was decoded, and a block of 16 × 16 pixels with its blurred rim.
_JPEG_FILL = 128
_JPEG_BLOCK_PIXELS = 18 * 18
# What transparency may be laid on, the usual one first; and levels of grey that can hardly be told apart.
_BACKDROPS = (255, 0, 128)
_ALIKE = 64
#: The least transparent share of an image on which print may stand: cards with round corners have less.
_TRANSPARENT_SHARE = 0.1

#: Pixels that are converted at a time: what a conversion takes in between is as small as that.
_STRIP_PIXELS = 1_000_000


def image_key(data: bytes) -> str:
    """Return the name under which results for this image file are kept: its SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def load_image(data: bytes, *, max_bytes: int, max_pixels: int) -> RgbImage:
    """Decode an image file into upright RGB pixels.

    The EXIF orientation is applied, transparency is laid on white, or on what light print stands out from; CMYK, grey,
    palette and 1-bit images become RGB, those of 10 to 16 bits are reduced to 8. A JPEG whose end is missing is decoded
    as far as it goes, and logged. Of several frames or pages the first is taken. Both limits are checked before
    anything is decoded, so that a small file cannot unfold into all of the memory.

    Args:
        data: The file, of one of :data:`model.document.formats.IMAGE_FORMATS`.
        max_bytes: Largest file accepted, in bytes.
        max_pixels: Largest image accepted, width times height.

    Raises:
        ImageError: If the file is too large, of another format, or broken.
        ImageBusyError: If this process holds too many decoded pixels, see :mod:`model.document.decode_budget`.
    """
    if len(data) > max_bytes:
        raise ImageTooLargeError(
            say("The image file has more than {max_bytes} bytes, the limit (MAX_IMAGE_BYTES).", max_bytes=max_bytes)
        )
    with warnings.catch_warnings():
        # Pillow warns from 89 million pixels on, but our own limit decides; broken metadata is no concern of ours.
        warnings.simplefilter("ignore")
        image = _open(data)
        if image.width * image.height > max_pixels:
            raise ImageTooLargeError(
                say(
                    "The image has {width} × {height} pixels; the limit is {max_pixels} (MAX_IMAGE_PIXELS).",
                    width=image.width,
                    height=image.height,
                    max_pixels=max_pixels,
                )
            )
        return process_budget().decode(image.width * image.height, lambda: _upright_or_cut(image, data))


def for_browsers(data: bytes, *, max_bytes: int, max_pixels: int) -> bytes:
    """Return an image file that browsers show and Label Studio takes: the file itself, or its picture as PNG or JPEG.

    Raises:
        ImageError: See :func:`load_image`.
        ImageBusyError: See :func:`load_image`.
    """
    kind = format_of(data)
    if kind is not None and kind.shown:
        return data
    return encoded(Image.fromarray(load_image(data, max_bytes=max_bytes, max_pixels=max_pixels)))


def _upright_or_cut(image: Image.Image, data: bytes) -> RgbImage:
    """Decode an opened image, a JPEG whose end is missing as far as it goes.

    Raises:
        ImageError: If it is broken, or holds no picture.
    """
    deep = _has_deep_colours(image, data)
    try:
        pixels = upright_rgb(image, last=True)
        return _of_few_bits(pixels, data) if deep else pixels
    except ImageError as error:
        if image.format not in {"JPEG", "MPO"}:
            raise
        # Not the error itself: the frames that it keeps hold the memory of the decoder.
        broken = ImageError(*error.args)
    try:
        pixels = upright_rgb(_open(data + _END_OF_JPEG), last=True)
    except ImageError:
        raise broken from None
    if not _holds_a_picture(pixels):
        raise broken
    height, width = pixels.shape[:2]
    _log.warning(
        "a JPEG of %d × %d pixels was cut off after %d bytes; it is read as far as it goes", width, height, len(data)
    )
    return pixels


def _has_deep_colours(image: Image.Image, data: bytes) -> bool:
    """Tell whether an image, stored upright, has colours of 16 bits, of which Pillow keeps the upper eight."""
    if image.format == "TIFF":
        tags = getattr(image, "tag_v2", {})
        return 16 in _numbers(tags.get(_BITS_PER_SAMPLE)) and len(image.getbands()) > 1 and _orientation(image) == 1
    return image.format == "PNG" and data[24:26] in {b"\x10\x02", b"\x10\x04", b"\x10\x06"} and _orientation(image) == 1


def _numbers(tag: object) -> tuple[object, ...]:
    return tag if isinstance(tag, tuple) else (tag,)


def _of_few_bits(pixels: RgbImage, data: bytes) -> RgbImage:
    """Decode colours again that fill fewer bits than their file has: scanners and cameras give 10, 12 or 14 of 16.

    Args:
        pixels: The upper eight bits.
        data: The file.
    """
    if pixels.max(initial=0) >= 1 << 6:
        return pixels
    deep = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if deep is None or deep.dtype != np.uint16 or deep.shape[:2] != pixels.shape[:2]:
        return pixels
    colours = deep[:, :, 2::-1] if deep.ndim == 3 else deep[:, :, None]
    shift = _bits(int(colours.max(initial=0))) - 8
    result = np.empty_like(pixels)
    rows = max(1, _STRIP_PIXELS // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        result[top : top + rows] = colours[top : top + rows] >> shift
    return result


def _bits(brightest: int) -> int:
    """Return how many bits samples have, by the largest: 8, 10, 12, 14 or 16."""
    return next(bits for bits in (8, 10, 12, 14, 16) if brightest < 1 << bits)


def _holds_a_picture(pixels: RgbImage) -> bool:
    """Tell whether more was decoded of a cut JPEG than the one block that decoders make of no data at all."""
    seen = 0
    rows = max(1, _STRIP_PIXELS // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        seen += np.count_nonzero((pixels[top : top + rows] != _JPEG_FILL).any(axis=2))
        if seen > _JPEG_BLOCK_PIXELS:
            return True
    return False


def upright_rgb(image: Image.Image, *, last: bool = False) -> RgbImage:
    """Decode an opened image into upright RGB pixels; see :func:`load_image`.

    Args:
        image: As it was opened.
        last: Whether nothing else is wanted of it, so that its memory can be given back before pixels are turned.

    Raises:
        ImageError: If it is broken.
    """
    try:
        image.load()
        orientation = _orientation(image)
        pixels = _to_rgb(image)
    except _DECODER_ERRORS as error:
        raise ImageError(say("The image file is broken or incomplete: {kind}.", kind=type(error).__name__)) from error
    finally:
        if last:
            image.close()
    turn = _UPRIGHT.get(orientation)
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def crop(image: RgbImage, polygon: Polygon) -> RgbImage:
    """Cut out a quadrilateral and straighten it, so that its first edge becomes the upper one.

    Args:
        image: The page.
        polygon: Four corners in pixels, clockwise from where reading starts; parts outside the page repeat its border.
            Of more than four points the smallest rectangle around them is taken, with the corner nearest to the
            first point first.

    Returns:
        The crop, at least 1 × 1 pixel, as wide as the longer of the edges along the text.

    Raises:
        ValueError: If the polygon has fewer than four points or no area.
    """
    corners = _corners(polygon)
    along, across = corners[1] - corners[0], corners[3] - corners[0]
    if abs(along[0] * across[1] - along[1] * across[0]) < 1e-6:
        raise ValueError("a polygon without area cannot be cut out")
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    width, height = max(1, round(max(sides[0], sides[2]))), max(1, round(max(sides[1], sides[3])))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    matrix = cv2.getPerspectiveTransform(corners, target)
    straight = cv2.warpPerspective(
        image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(straight, dtype=np.uint8)


def _corners(polygon: Polygon) -> NDArray[np.float32]:
    if len(polygon) < 4:
        raise ValueError(f"a polygon of {len(polygon)} points cannot be cut out; it takes four")
    points = np.array(polygon, dtype=np.float32)
    if len(polygon) == 4:
        return points
    corners = np.asarray(cv2.boxPoints(cv2.minAreaRect(points)), dtype=np.float32)
    first = int(np.argmin(np.linalg.norm(corners - points[0], axis=1)))
    return np.roll(corners, -first, axis=0)


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(BytesIO(data), formats=NAMES)
    except UnidentifiedImageError as error:
        if b"%PDF-" in data[:1024]:
            raise ImageError(say("The file is a PDF and no image: have it split into pages.")) from error
        raise ImageError(say("The file is no image that is read: {formats}.", formats=LISTED)) from error
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(say("The image has far too many pixels to be decoded safely.")) from error
    except _DECODER_ERRORS as error:
        raise ImageError(say("The image file is broken: {kind}.", kind=type(error).__name__)) from error


def _orientation(image: Image.Image) -> int:
    try:
        # Pillow itself turns a TIFF while loading it, and takes the tag away.
        return int(image.getexif().get(ExifTag.Orientation, 1))
    except _DECODER_ERRORS:
        # Broken metadata does not make the pixels worthless.
        return 1


def _to_rgb(image: Image.Image) -> RgbImage:
    pixels = np.empty((image.height, image.width, 3), dtype=np.uint8)
    if image.mode.startswith("I;16"):
        shift = _bits(max(int(np.asarray(strip).max()) for _, strip in _strips(image))) - 8
        for rows, strip in _strips(image):
            pixels[rows] = (np.asarray(strip).astype(np.uint16) >> shift)[:, :, None]
    elif image.mode in {"I", "F"}:
        # 32-bit grey has no agreed white: stretch what is there.
        bounds = [(float(values.min()), float(values.max())) for _, values in _grey_strips(image)]
        low, high = min(low for low, _ in bounds), max(high for _, high in bounds)
        for rows, values in _grey_strips(image):
            grey = (values - low) * (255.0 / (high - low) if high > low else 0.0)
            pixels[rows] = grey.astype(np.uint8)[:, :, None]
    else:
        transparent = image.has_transparency_data
        backdrop = _backdrop(image) if transparent else _BACKDROPS[0]
        for rows, strip in _strips(image):
            if transparent:
                layer = strip.convert("RGBA")
                strip = Image.alpha_composite(Image.new("RGBA", layer.size, (backdrop, backdrop, backdrop, 255)), layer)
            pixels[rows] = np.asarray(strip.convert("RGB"))
    return pixels


def _backdrop(image: Image.Image) -> int:
    """Return the level of grey on which least of what is visible is lost."""
    levels = np.zeros(256)
    for _, strip in _strips(image):
        layer = np.asarray(strip.convert("RGBA").convert("LA"))
        levels += np.bincount(layer[..., 0].ravel(), weights=layer[..., 1].ravel() / 255.0, minlength=256)
    if levels.sum() > (1 - _TRANSPARENT_SHARE) * image.width * image.height:
        return _BACKDROPS[0]
    lost = {grey: levels[max(0, grey - _ALIKE) : grey + _ALIKE].sum() for grey in _BACKDROPS}
    return min(_BACKDROPS, key=lost.__getitem__)


def _grey_strips(image: Image.Image) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    for rows, strip in _strips(image):
        yield rows, np.nan_to_num(np.asarray(strip, dtype=np.float64))


def _strips(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Give an image in strips of its whole width, so that no copy of all of it is made."""
    height = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, height):
        bottom = min(top + height, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))
