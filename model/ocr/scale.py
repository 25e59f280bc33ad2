"""The size at which lines are looked for, the same for every engine."""

from __future__ import annotations

import cv2
import numpy as np

from model.document.images import RgbImage
from model.document.types import Polygon

SHORT_SIDE = 736
"""Smaller pages are enlarged until their shorter side has so many pixels: small print is found only then."""

LONG_SIDE = 1600
"""Larger pages are reduced until their longer side has so many pixels, narrow ones enlarged no further than that."""

STRIDE = 32
"""The network takes sides that are multiples of this; the page is stretched to the nearest."""


def scale_at_once(width: int, height: int) -> float:
    """Return the scale at which all of a page is looked at, in pixels that the detector sees for each of the page's.

    The libraries' own rules either leave small pages as they are or enlarge narrow strips without bound: one of 400 × 1
    pixels keeps RapidOCR busy for minutes.
    """
    return min(max(1.0, SHORT_SIDE / min(height, width)), LONG_SIDE / max(height, width))


def resized(image: RgbImage, scale: float) -> RgbImage:
    """Return an image, or a part of one, as the detector is to look at it: scaled, with sides that it takes."""
    height, width = image.shape[:2]
    target = _to_stride(width * scale), _to_stride(height * scale)
    return image if target == (width, height) else np.asarray(cv2.resize(image, target), dtype=np.uint8)


def back_to_page(polygon: Polygon, scaled: RgbImage, image: RgbImage) -> Polygon | None:
    """Turn a polygon found on the scaled page into one within the page, or None if nothing of it is left.

    Args:
        polygon: In pixels of ``scaled``.
        scaled: What :func:`resized` made of ``image``.
        image: The page.
    """
    height, width = image.shape[:2]
    across, down = width / scaled.shape[1], height / scaled.shape[0]
    points = tuple(
        (min(max(x * across, 0.0), float(width)), min(max(y * down, 0.0), float(height))) for x, y in polygon
    )
    doubled_area = sum(
        points[i - 1][0] * points[i][1] - points[i][0] * points[i - 1][1] for i in range(len(points))
    )  # fmt: skip
    return points if abs(doubled_area) >= 2.0 else None


def _to_stride(length: float) -> int:
    return max(1, round(length / STRIDE)) * STRIDE
