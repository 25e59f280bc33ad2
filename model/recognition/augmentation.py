"""Changes a crop of one line as other prints, cameras and detectors would have made it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from model.document.images import RgbImage

_Float = NDArray[np.float32]


def augment_crop(crop: RgbImage, rng: np.random.Generator, strength: float = 1.0) -> RgbImage:
    """Return a changed copy of a crop; what it says stays readable.

    Args:
        crop: RGB, of one line.
        rng: Chooses what happens: tilt and perspective, margins, size, light, blur, noise, compression.
        strength: 0 leaves the crop as it is, 1 is what rendered lines get; for scarce real crops 0.5 is enough.
    """
    image = crop.astype(np.float32)
    if rng.random() < 0.5 * strength:
        image = _tilted(image, rng, strength)
    if rng.random() < 0.5 * strength:
        image = _moved(image, rng)
    if rng.random() < 0.6 * strength:
        image = _coarser(image, rng)
    if rng.random() < 0.4 * strength:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 1.3)) * image.shape[0] / 48)
    if rng.random() < 0.08 * strength:
        image = _worn(image, rng)
    if rng.random() < 0.4 * strength:
        image = _lit(image, rng)
    if rng.random() < 0.5 * strength:
        image = image + rng.normal(0, rng.uniform(1, 12), image.shape).astype(np.float32)
    if rng.random() < 0.15 * strength:
        image = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    pixels = np.clip(image, 0, 255).astype(np.uint8)
    return _compressed(pixels, int(rng.integers(30, 96))) if rng.random() < 0.6 * strength else pixels


def _tilted(image: _Float, rng: np.random.Generator, strength: float) -> _Float:
    height, width = image.shape[:2]
    reach = 0.08 * height * strength
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    moved = corners + rng.uniform(-reach, reach, (4, 2)).astype(np.float32)
    shear = float(rng.normal(0, 0.08)) * height
    moved[:2, 0] += shear
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    return np.asarray(
        cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


def _moved(image: _Float, rng: np.random.Generator) -> _Float:
    """Add or cut margins: another detector's outline of the same line."""
    height = image.shape[0]
    edges = [int(v) for v in rng.uniform(-0.04, 0.14, 4) * height]
    for side, edge in enumerate(edges):
        if edge < 0:
            image = image[-edge:] if side == 0 else image[:edge] if side == 1 else image
    top, bottom, left, right = (max(0, edge) for edge in edges)
    return np.asarray(cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_REPLICATE))


def _coarser(image: _Float, rng: np.random.Generator) -> _Float:
    """Take it from farther away, down to 14 pixels of height, and enlarge it again, wider or narrower than it was."""
    height, width = image.shape[:2]
    low = max(14, round(height * float(rng.uniform(0.3, 1.0))))
    stretch = float(rng.uniform(0.85, 1.18))
    small = cv2.resize(image, (max(4, round(width * stretch * low / height)), low), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _worn(image: _Float, rng: np.random.Generator) -> _Float:
    """Thicken or thin the strokes."""
    kernel = np.ones((2, 2), np.uint8)
    return np.asarray(cv2.erode(image, kernel) if rng.random() < 0.5 else cv2.dilate(image, kernel))


def _lit(image: _Float, rng: np.random.Generator) -> _Float:
    height, width = image.shape[:2]
    coarse = rng.uniform(0.65, 1.1, (2, 4)).astype(np.float32)
    light = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    contrast = float(rng.uniform(0.55, 1.1))
    return np.asarray((image * light - 128) * contrast + 128 + float(rng.uniform(-20, 20)))


def _compressed(pixels: RgbImage, quality: int) -> RgbImage:
    stored = np.asarray(cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR), dtype=np.uint8)[..., ::-1])
