"""How a card comes to be an image: its place on the page, and the projection that takes it there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.document.types import Point
from model.synthetic.chance import Chance

ShotKind = Literal["flat", "scan", "photo"]


@dataclass(frozen=True, slots=True)
class Shot:
    """The projection from the card to the page.

    Attributes:
        kind: ``flat`` (a digital image), ``scan`` (a little turned, with a bed around) or ``photo`` (in perspective).
        width: Of the page, in pixels.
        height: Of the page, in pixels.
        matrix: Homography, shape (3, 3): card pixels to page pixels.
    """

    kind: ShotKind
    width: int
    height: int
    matrix: NDArray[np.float64]

    def project(self, points: Sequence[Point]) -> tuple[Point, ...]:
        """Return where points of the card lie on the page."""
        m = self.matrix
        found = []
        for x, y in points:
            w = m[2, 0] * x + m[2, 1] * y + m[2, 2]
            found.append(
                (float((m[0, 0] * x + m[0, 1] * y + m[0, 2]) / w), float((m[1, 0] * x + m[1, 1] * y + m[1, 2]) / w))
            )
        return tuple(found)


def draw_shot(
    chance: Chance, width: int, height: int, kind: ShotKind | None = None, scale: float | None = None
) -> Shot:
    """Draw how a card of the given size is taken.

    Args:
        chance: The card's draws.
        width: Of the card, in pixels.
        height: Of the card, in pixels.
        kind: Force one kind; by chance otherwise.
        scale: Pixels of the page for one of the card; by chance otherwise.
    """
    kinds: dict[ShotKind, float] = {"flat": 0.44, "scan": 0.36, "photo": 0.2}
    taken: ShotKind = chance.weigh(kinds) if kind is None else kind
    drawn = float(np.exp(chance.real(np.log(0.5), np.log(1.5))))
    scale = drawn if scale is None else scale
    w, h = width * scale, height * scale
    if taken == "flat":
        corners = np.array([(0, 0), (w, 0), (w, h), (0, h)], dtype=np.float64)
        margins = (0.0, 0.0, 0.0, 0.0)
    else:
        reach = 0.04 if taken == "scan" else 0.1
        margins = (
            chance.real(0, reach) * w,
            chance.real(0, reach) * h,
            chance.real(0, reach) * w,
            chance.real(0, reach) * h,
        )
        angle = np.deg2rad(chance.rng.normal(0, 0.6 if taken == "scan" else 2.2))
        corners = np.array([(0, 0), (w, 0), (w, h), (0, h)], dtype=np.float64)
        if taken == "photo":
            corners += chance.rng.uniform(-0.035, 0.035, (4, 2)) * (w, h)
        middle = corners.mean(axis=0)
        turn = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
        corners = (corners - middle) @ turn.T + middle
        corners -= corners.min(axis=0)
        corners += margins[:2]
    page_w = int(np.ceil(corners[:, 0].max() + margins[2]))
    page_h = int(np.ceil(corners[:, 1].max() + margins[3]))
    source = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float64)
    return Shot(taken, max(page_w, 2), max(page_h, 2), homography(source, corners))


def homography(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the projection, shape (3, 3), that takes four points, shape (4, 2), to four others.

    Raises:
        numpy.linalg.LinAlgError: If three of the points lie on a line.
    """
    rows, values = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [(x, y, 1, 0, 0, 0, -u * x, -u * y), (0, 0, 0, x, y, 1, -v * x, -v * y)]
        values += [u, v]
    solved = np.linalg.solve(np.array(rows, dtype=np.float64), np.array(values, dtype=np.float64))
    return np.append(solved, 1.0).reshape(3, 3)
