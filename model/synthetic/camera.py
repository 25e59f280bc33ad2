"""Takes a drawn card to its page as a scanner or a camera would."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from model.document.images import RgbImage
from model.synthetic.shot import Shot

_Float = NDArray[np.float32]


def take(card: RgbImage, shot: Shot, rng: np.random.Generator) -> RgbImage:
    """Return the page that shows ``card`` as ``shot`` takes it.

    Args:
        card: RGB image of the card alone.
        shot: The projection; the page has its size.
        rng: Chooses bed, light, blur, noise and compression.
    """
    page = _laid(card, shot, rng).astype(np.float32)
    if shot.kind == "photo":
        page = _lit(page, rng)
    elif shot.kind == "scan":
        page = _scanned(page, rng)
    sigma = float(rng.choice([0.0, rng.uniform(0.2, 0.9 if shot.kind != "flat" else 0.5)]))
    if sigma > 0.05:
        page = cv2.GaussianBlur(page, (0, 0), sigma)
    if shot.kind == "photo" and rng.random() < 0.15:
        page = _shaken(page, rng)
    if shot.kind != "flat" and rng.random() < 0.7:
        page += rng.normal(0, rng.uniform(1, 7), page.shape).astype(np.float32)
    return _compressed(np.clip(page, 0, 255).astype(np.uint8), int(rng.integers(45, 96)))


def _laid(card: RgbImage, shot: Shot, rng: np.random.Generator) -> RgbImage:
    """Lay the card on its bed."""
    height, width = card.shape[:2]
    matrix = shot.matrix.copy()
    corners = np.array(shot.project([(0, 0), (width, 0), (width, height), (0, height)]))
    scale = float(np.linalg.norm(corners[1] - corners[0]) / width)
    if scale < 0.9:
        # A projection alone would skip pixels.
        card = cv2.resize(
            card, (max(2, round(width * scale)), max(2, round(height * scale))), interpolation=cv2.INTER_AREA
        )
        matrix = matrix @ np.diag([width / card.shape[1], height / card.shape[0], 1.0])
    size = (shot.width, shot.height)
    if shot.kind == "flat":
        return np.asarray(
            cv2.resize(card, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC), dtype=np.uint8
        )
    bed = _bed(shot, rng)
    mask = np.full(card.shape[:2], 255, np.uint8)
    # Pixel centres lie half a pixel inside: truth counts from pixel corners.
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]], dtype=np.float64)
    matrix = np.linalg.inv(half) @ matrix @ half
    laid = cv2.warpPerspective(card, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpPerspective(mask, matrix, size, flags=cv2.INTER_LINEAR).astype(np.float32)[..., None] / 255
    shadow = cv2.GaussianBlur(np.roll(cover[..., 0], (3, 3), (0, 1)), (0, 0), max(2.0, shot.width / 150))[..., None]
    ground = bed * (1 - shadow * float(rng.uniform(0, 0.45)))
    return np.asarray(np.clip(laid * cover + ground * (1 - cover), 0, 255), dtype=np.uint8)


def _bed(shot: Shot, rng: np.random.Generator) -> _Float:
    """Draw what the card lies on: a scanner's lid, a table, cloth."""
    h, w = shot.height, shot.width
    if shot.kind == "scan":
        level = float(rng.choice([255, 250, 240, 225, 15, 60]))
        return np.full((h, w, 3), level, np.float32) + rng.normal(0, 2, (h, w, 1)).astype(np.float32)
    tone = rng.uniform(20, 235, 3) if rng.random() < 0.4 else np.array([150, 105, 65]) * rng.uniform(0.4, 1.5)
    bed = np.empty((h, w, 3), np.float32)
    bed[:] = tone
    grain = rng.normal(0, 1, (h, max(2, w // 60))).astype(np.float32)
    if rng.random() < 0.6:
        bed += cv2.resize(grain, (w, h), interpolation=cv2.INTER_CUBIC)[..., None] * float(rng.uniform(4, 16))
    else:
        bed += rng.normal(0, rng.uniform(2, 12), (h, w, 1)).astype(np.float32)
    return bed


def _lit(page: _Float, rng: np.random.Generator) -> _Float:
    """Light the page unevenly, with a tint and perhaps a reflection."""
    h, w = page.shape[:2]
    coarse = rng.uniform(0.72, 1.08, (3, 3)).astype(np.float32)
    light = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC)[..., None]
    tint = rng.normal(1.0, 0.03, 3).astype(np.float32)
    page = page * light * tint
    if rng.random() < 0.12:
        x, y = rng.uniform(0, w), rng.uniform(0, h)
        yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
        spot = np.exp(-(((xx - x) / (0.2 * w)) ** 2 + ((yy - y) / (0.2 * h)) ** 2))[..., None]
        page = page + spot * float(rng.uniform(20, 70))
    return np.asarray(page * float(rng.uniform(0.85, 1.08)), dtype=np.float32)


def _scanned(page: _Float, rng: np.random.Generator) -> _Float:
    """Stretch contrast as scanning apps do, and add specks."""
    if rng.random() < 0.6:
        gain = float(rng.uniform(1.0, 1.3))
        page = (page - 128) * gain + 128 + float(rng.uniform(0, 25))
    h, w = page.shape[:2]
    for _ in range(int(rng.integers(0, 14))):
        x, y = int(rng.integers(0, w)), int(rng.integers(0, h))
        cv2.circle(page, (x, y), int(rng.integers(1, 3)), [float(v) for v in rng.uniform(20, 130, 3)], -1)
    if rng.random() < 0.1:
        page = np.repeat(page.mean(axis=2, keepdims=True), 3, axis=2)
    return np.asarray(page, dtype=np.float32)


def _shaken(page: _Float, rng: np.random.Generator) -> _Float:
    length = int(rng.integers(2, 5))
    kernel = np.zeros((length, length), np.float32)
    if rng.random() < 0.5:
        kernel[length // 2, :] = 1 / length
    else:
        np.fill_diagonal(kernel, 1 / length)
    return np.asarray(cv2.filter2D(page, -1, kernel), dtype=np.float32)


def _compressed(page: RgbImage, quality: int) -> RgbImage:
    stored = np.asarray(cv2.imencode(".jpg", page[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR), dtype=np.uint8)[..., ::-1])
