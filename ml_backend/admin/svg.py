"""Plots as SVG: drawn here, coloured by the style sheet, so that they follow light and dark and need no script.

Every plot has a title and a description for those who do not see it; the pages show the numbers as a table as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup, escape

WIDTH, HEIGHT = 640.0, 268.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 16.0, 14.0, 48.0


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a series.

    Attributes:
        x: Along the axis.
        y: The value.
        low: Lower end of its interval; ``None`` where there is none.
        high: Upper end.
        label: What a pointer resting on it shows.
    """

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """Points that belong together.

    Attributes:
        name: Its name in the legend.
        points: In the order of ``x``.
        style: One of the style sheet's looks: 1, 2 or 3.
        kind: ``forecast`` is a dashed line, ``band`` the area between ``low`` and ``high``.
    """

    name: str
    points: Sequence[Point]
    style: Literal[1, 2, 3] = 1
    kind: Literal["line", "dots", "forecast", "band"] = "line"


def plot(
    title: str,
    description: str,
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    y_range: tuple[float, float] | None = None,
    x_ticks: Sequence[tuple[float, str]] | None = None,
    diagonal: bool = False,
) -> Markup:
    """Draw series over a common pair of axes.

    Args:
        title: Read out, not drawn.
        description: Read out, not drawn.
        series: At least one point among them.
        x_label: Below the horizontal axis.
        y_label: Above the vertical axis.
        y_range: Fixed ends of the vertical axis; ``None`` fits them, with 0 at the bottom.
        x_ticks: Places and names along the horizontal axis; ``None`` chooses numbers.
        diagonal: Whether to draw where both values are equal.
    """
    points = [point for each in series for point in each.points]
    left, right = min(point.x for point in points), max(point.x for point in points)
    if left == right:
        left, right = left - 0.5, right + 0.5
    if diagonal:
        left, right = 0.0, 1.0
    low, high = y_range or (0.0, _ceiling(1.05 * max(max(p.y, p.high or p.y) for p in points)))

    def across(x: float) -> float:
        return _LEFT + 8 + (x - left) / (right - left) * (WIDTH - _LEFT - _RIGHT - 16)

    def down(y: float) -> float:
        share = (min(max(y, low), high) - low) / (high - low)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    parts = [_frame(title, description)]
    for value in _ticks(low, high, 4):
        y = down(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(value)}</text>')
    for x, name in x_ticks if x_ticks is not None else [(v, _number(v)) for v in _ticks(left, right, 6)]:
        parts.append(
            f'<text class="tick" x="{across(x):.1f}" y="{HEIGHT - _BOTTOM + 18}" text-anchor="middle">'
            f"{escape(name)}</text>"
        )
    parts.append(f'<text class="axis" x="{WIDTH - _RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{escape(x_label)}</text>')
    parts.append(f'<text class="axis" x="{_LEFT}" y="{_TOP - 3}">{escape(y_label)}</text>')
    if diagonal:
        parts.append(
            f'<line class="diagonal" x1="{across(0):.1f}" y1="{down(0):.1f}" x2="{across(1):.1f}" y2="{down(1):.1f}"/>'
        )
    for each in series:
        places = [(across(p.x), down(p.y), p) for p in each.points]
        parts += _drawn(each, places, down)
    return Markup("".join(parts) + "</svg>")  # noqa: S704 - every text in it is escaped


def bars(title: str, description: str, values: Iterable[tuple[str, float, str]]) -> Markup:
    """Draw one horizontal bar a value.

    Args:
        title: Read out, not drawn.
        description: Read out, not drawn.
        values: Name, length from 0 on, and what is written behind the bar.
    """
    rows = list(values)
    longest = max((value for _, value, _ in rows), default=0) or 1
    height = 30 * len(rows) + 8
    parts = [_frame(title, description, height, "chart bars")]
    for index, (name, value, shown) in enumerate(rows):
        y = 30 * index + 8
        length = max(2.0, value / longest * (WIDTH - 330))
        parts.append(f'<text class="name" x="248" y="{y + 15}" text-anchor="end">{escape(_short(name, 36))}</text>')
        parts.append(f'<rect class="bar" x="260" y="{y}" width="{length:.1f}" height="20" rx="4"/>')
        parts.append(f'<text class="tick" x="{268 + length:.1f}" y="{y + 15}">{escape(shown)}</text>')
    return Markup("".join(parts) + "</svg>")  # noqa: S704 - every text in it is escaped


def _frame(title: str, description: str, height: float = HEIGHT, looks: str = "chart") -> str:
    return (
        f'<svg class="{looks}" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg" aria-label="{escape(title)}: {escape(description)}">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>"
    )


def _drawn(each: Series, places: Sequence[tuple[float, float, Point]], down: object) -> list[str]:
    assert callable(down)
    style = f"series-{each.style}"
    if each.kind == "band":
        upper = [(x, down(p.high if p.high is not None else p.y)) for x, _, p in places]
        lower = [(x, down(p.low if p.low is not None else p.y)) for x, _, p in reversed(places)]
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*upper, *lower])
        return [f'<polygon class="band {style}" points="{corners}"/>']
    parts = []
    if each.kind in ("line", "forecast") and len(places) > 1:
        dashed = " forecast" if each.kind == "forecast" else ""
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
        parts.append(f'<polyline class="line {style}{dashed}" points="{corners}"/>')
    for x, y, point in places:
        if point.low is not None and point.high is not None and each.kind != "forecast":
            top, bottom = down(point.high), down(point.low)
            parts.append(f'<path class="whisker {style}" d="M{x - 5:.1f} {top:.1f}h10M{x:.1f} {top:.1f}V{bottom:.1f}'
                         f'M{x - 5:.1f} {bottom:.1f}h10"/>')  # fmt: skip
        if each.kind != "forecast" and (point.label or each.kind == "dots" or len(places) <= 40):
            said = f"<title>{escape(point.label)}</title>"
            parts.append(f'<circle class="dot {style}" cx="{x:.1f}" cy="{y:.1f}" r="4.5">{said}</circle>')
    return parts


def _ceiling(value: float) -> float:
    """Return the next round number from ``value`` on."""
    if value <= 0:
        return 1.0
    power: float = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value)


def _ticks(low: float, high: float, count: int) -> list[float]:
    step = _ceiling((high - low) / count)
    start = math.ceil(low / step - 1e-9)
    return [k * step for k in range(start, math.floor(high / step + 1e-9) + 1)]


def _number(value: float) -> str:
    return f"{value:.4g}"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
