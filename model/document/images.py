"""Image files in, upright RGB pixels out; and the rectified crop of a polygon."""

from __future__ import annotations

import hashlib
import struct
import warnings
import zlib
from io import BytesIO
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.ExifTags import Base as ExifTag

from model.document.types import Polygon
from model.errors import ImageError, ImageTooLargeError, say

RgbImage: TypeAlias = NDArray[np.uint8]
"""Upright pixels, shape ``(height, width, 3)``, red first, 0 to 255."""

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
"""The file formats that are read, by Pillow's names."""

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

# EXIF orientation → what makes the image upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def image_key(data: bytes) -> str:
    """Return the name under which results for this image file are kept: its SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def load_image(data: bytes, *, max_bytes: int, max_pixels: int) -> RgbImage:
    """Decode an image file into upright RGB pixels.

    The EXIF orientation is applied, transparency is laid on white, CMYK, grey, palette and 1-bit images become RGB,
    16-bit ones are reduced to 8. Of several frames or pages the first is taken. Both limits are checked before
    anything is decoded, so that a small file cannot unfold into all of the memory.

    Args:
        data: The file, PNG, JPEG, WebP, TIFF or BMP.
        max_bytes: Largest file accepted, in bytes.
        max_pixels: Largest image accepted, width times height.

    Raises:
        ImageError: If the file is too large, of another format, or broken.
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
        return upright_rgb(image)


def upright_rgb(image: Image.Image) -> RgbImage:
    """Decode an opened image into upright RGB pixels; see :func:`load_image`.

    Raises:
        ImageError: If it is broken.
    """
    try:
        image.load()
        return _to_rgb(_turn_upright(image))
    except _DECODER_ERRORS as error:
        raise ImageError(say("The image file is broken or incomplete: {kind}.", kind=type(error).__name__)) from error


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
        return Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        if b"%PDF-" in data[:1024]:
            raise ImageError(say("The file is a PDF and no image: have it split into pages.")) from error
        raise ImageError(say("The file is no PNG, JPEG, WebP, TIFF or BMP image.")) from error
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(say("The image has far too many pixels to be decoded safely.")) from error
    except _DECODER_ERRORS as error:
        raise ImageError(say("The image file is broken: {kind}.", kind=type(error).__name__)) from error


def _turn_upright(image: Image.Image) -> Image.Image:
    try:
        # Pillow itself turns a TIFF while loading it, and takes the tag away.
        orientation = image.getexif().get(ExifTag.Orientation, 1)
    except _DECODER_ERRORS:
        # Broken metadata does not make the pixels worthless.
        return image
    method = _UPRIGHT.get(orientation)
    return image if method is None else image.transpose(method)


def _to_rgb(image: Image.Image) -> RgbImage:
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in {"I", "F"}:
        # 32-bit grey has no agreed white: stretch what is there.
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        low, high = float(values.min()), float(values.max())
        grey = ((values - low) * (255.0 / (high - low) if high > low else 0.0)).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return np.array(image.convert("RGB"), dtype=np.uint8)
