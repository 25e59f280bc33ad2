"""Pages of any size and shape: every line is found once, at a cost that grows with the page's area."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.document.types import Box, PageNote
from model.ocr import tiles
from model.ocr.scale import LONG_SIDE, scale_at_once
from model.ocr.tiles import FIRST_SCALE, FIRST_SIDE, OVERLAP, Tile, find_lines, joined, tiles_of
from tests.model.ocr.printing import Print


class BoxDetector:
    """Finds dark rectangles, as the real detector finds lines, if they are high enough; counts the pixels it sees."""

    def __init__(self, least=5):
        self.least, self.pixels, self.looks = least, 0, 0

    def __call__(self, image):
        self.pixels += image.shape[0] * image.shape[1]
        self.looks += 1
        dark = (image[:, :, 0] < 128).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
        return [Box(x, y, x + w, y + h).polygon() for x, y, w, h, _ in stats[1:].tolist() if min(w, h) >= self.least]


def ruled(width, height, bars):
    image = np.full((height, width, 3), 255, np.uint8)
    for x0, y0, x1, y1 in bars:
        image[y0:y1, x0:x1] = 0
    return image


def receipt(lines, width=600, step=36, height=20):
    bars = [(20, 20 + step * n, width - 20 - n % 7 * 30, 20 + step * n + height) for n in range(lines)]
    return ruled(width, 40 + step * lines, bars), bars


def same(found, bars, within=2.5):
    """Tell whether outlines and bars are the same."""
    boxes = sorted((Box.of_polygon(outline) for outline in found), key=lambda box: (round(box.y0 / 8), box.x0))
    wanted = sorted(bars, key=lambda bar: (round(bar[1] / 8), bar[0]))
    return len(boxes) == len(wanted) and all(
        np.abs(np.subtract((box.x0, box.y0, box.x1, box.y1), bar)).max() <= within
        for box, bar in zip(boxes, wanted, strict=True)
    )


@pytest.mark.parametrize("lines", [40, 110, 220, 301, 600])
@pytest.mark.parametrize("across", [False, True])
def test_every_line_of_a_long_narrow_page_is_found_once(lines, across):
    image, bars = receipt(lines)
    if across:
        image = np.ascontiguousarray(image.transpose(1, 0, 2))
        bars = [(y0, x0, y1, x1) for x0, y0, x1, y1 in bars]
    found, notes = find_lines(BoxDetector(), image)
    assert same(found, bars)
    assert notes == ()


def test_the_cost_of_a_long_page_grows_with_its_length_and_no_faster():
    cost = {}
    for lines in (100, 200, 400, 800):
        detector = BoxDetector()
        find_lines(detector, receipt(lines)[0])
        cost[lines] = detector.pixels
    assert cost[800] < 9 * cost[100]
    assert cost[800] < 2.2 * cost[400] < 2.2**2 * cost[200]


@pytest.mark.parametrize(
    ("width", "height"), [(1050, 600), (463, 1013), (3000, 4000), (600, 1900), (60, 400), (1, 700)]
)
def test_usual_pages_are_looked_at_as_a_whole_twice_at_most(width, height):
    bars = [
        (width // 10, y, width * 9 // 10, y + height // 40) for y in range(height // 10, height * 9 // 10, height // 20)
    ]
    detector = BoxDetector()
    find_lines(detector, ruled(width, height, bars))
    assert detector.looks <= 2


@pytest.mark.parametrize(("width", "height"), [(1050, 600), (600, 350), (350, 600), (1800, 1080)])
def test_a_page_of_large_print_is_looked_at_small_and_one_of_small_print_again(width, height):
    rows = range(height // 10, height * 9 // 10, height // 10)
    large = [(width // 10, y, width * 9 // 10, y + height // 15) for y in rows]
    small = [(width // 10, y, width * 9 // 10, y + height // 60) for y in rows]
    looks = []
    for bars in (large, small):
        detector = BoxDetector(least=3)
        found, notes = find_lines(detector, ruled(width, height, bars))
        assert same(found, bars, within=3)
        assert notes == ()
        looks.append((detector.looks, detector.pixels))
    assert looks[0][0] == 1
    assert looks[0][1] <= max(FIRST_SIDE + 16, FIRST_SCALE * max(width, height) + 16) ** 2
    assert looks[1][0] == 2


def test_a_page_on_which_a_small_look_finds_nothing_is_looked_at_as_large_as_possible():
    bars = [(100, 100 + 20 * n, 900, 106 + 20 * n) for n in range(20)]
    detector = BoxDetector(least=5)
    assert same(find_lines(detector, ruled(1050, 600, bars))[0], bars)
    assert detector.looks == 2


def test_lines_that_cross_the_seams_are_whole():
    """A banner with text from one end to the other, and columns beside one another."""
    bars = [(30, 40 + 60 * n, 9970, 70 + 60 * n) for n in range(8)]
    assert same(find_lines(BoxDetector(), ruled(10000, 600, bars))[0], bars)
    cells = [(40 + 130 * n, 40 + 60 * m, 140 + 130 * n, 70 + 60 * m) for n in range(75) for m in range(8)]
    assert same(find_lines(BoxDetector(), ruled(10000, 600, cells))[0], cells)


def test_small_print_on_a_large_page_is_looked_at_closely_and_headings_stay_whole():
    small = [(100 + 900 * n, 1400 + 40 * m, 900 + 900 * n, 1415 + 40 * m) for n in range(4) for m in range(60)]
    heading = [(100, 100, 3700, 1100)]
    found, notes = find_lines(BoxDetector(least=6), ruled(4000, 4000, heading + small))
    assert same(found, heading + small, within=4)
    assert notes == ()


def test_what_is_not_looked_for_on_a_page_too_large_is_said(monkeypatch):
    monkeypatch.setattr(tiles, "MOST_TILES", 6)
    image, bars = receipt(600)
    detector = BoxDetector(least=8)
    found, notes = find_lines(detector, image)
    assert detector.looks <= 7
    (note,) = notes
    assert note.kind == "too_small"
    # By what is said, print of twenty pixels was looked for, or not.
    assert same(found, bars) == (note.amount <= 20)
    assert isinstance(note, PageNote)


@given(st.integers(1, 40000), st.integers(1, 40000), st.floats(0.05, 1))
@settings(deadline=None)
def test_tiles_cover_a_page_with_margins_and_are_small_enough(width, height, scale):
    parts = tiles_of(width, height, scale)
    assert (min(t.x0 for t in parts), max(t.x1 for t in parts)) == (0, width)
    assert (min(t.y0 for t in parts), max(t.y1 for t in parts)) == (0, height)
    assert all((t.x1 - t.x0) * scale <= LONG_SIDE + 2 and (t.y1 - t.y0) * scale <= LONG_SIDE + 2 for t in parts)
    columns = sorted({(t.x0, t.x1) for t in parts})
    for (_, stop), (start, _) in zip(columns, columns[1:], strict=False):
        assert (stop - start) * scale == pytest.approx(OVERLAP, abs=2)


def test_two_lines_near_a_seam_are_not_made_one():
    upper, lower = Tile(0, 0, 600, 1600), Tile(0, 1400, 600, 3000)
    lines = [Box(20, 1450, 500, 1480).polygon(), Box(20, 1490, 500, 1520).polygon()]
    cut = Box(20, 1400, 400, 1408).polygon()
    found = joined([(upper, [Box(20, 1380, 400, 1408).polygon(), *lines]), (lower, [cut, *lines])])
    assert same(found, [(20, 1380, 400, 1408), (20, 1450, 500, 1480), (20, 1490, 500, 1520)])


def test_a_page_that_one_look_reduces_too_far_is_looked_at_in_tiles_besides():
    detector = BoxDetector()
    find_lines(detector, ruled(8000, 6000, [(1000, 1000 + 400 * n, 7000, 1200 + 400 * n) for n in range(10)]))
    assert scale_at_once(8000, 6000) == 0.2
    assert detector.looks == 1 + len(tiles_of(8000, 6000, 0.35))


def test_a_long_receipt_is_read_from_end_to_end(engine):
    """One of 600 × 10,840 pixels, of which a single look finds nothing."""
    lines, step = 100, 108
    if "rapidocr" not in engine.version:
        pytest.skip("the engines differ in nothing that matters here, and it takes a while")
    page = Print(600, 40 + step * lines)
    for number in range(lines):
        page.line(40, 20 + step * number, f"Item {number:03} 4.{number % 90 + 10}", size=24)
    read = engine.read(page.image)
    wanted = [f"Item {number:03} 4.{number % 90 + 10}" for number in range(lines)]
    assert read.notes == ()
    texts = [line.text for line in read.lines]
    assert len(texts) == lines
    assert sum(a == b for a, b in zip(texts, wanted, strict=True)) >= 0.98 * lines
