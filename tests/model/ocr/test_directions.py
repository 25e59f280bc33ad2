"""In which direction pages and lines are read, with both engines."""

from functools import cache

import numpy as np
import pytest

from model.document.layout import read_from
from model.document.types import Box
from model.ocr.directions import PROBES, SURE, read_lines, upright
from model.ocr.recognised import Recognised
from tests.model.ocr.printing import Print, card

TEXTS = [
    "Johanna A. Smith-Jones",
    "Senior Sales Manager",
    "Phone: (030) 555-0123",
    "Fax: (030) 555-0199",
    "j.smith@example.com",
    "www.example.com",
    "10 Rose Lane, Leeds",
]


@pytest.fixture(scope="module")
def read_turned(engine):
    """Reads the card, turned clockwise by so many degrees; each once."""
    return cache(lambda degrees: engine.read(card().turned(degrees)))


@pytest.mark.parametrize(
    ("degrees", "turn"),
    [(0, 0), (90, 270), (180, 180), (270, 90), (172, 180), (187, 180), (95, 270), (265, 90), (5, 0)],
)
def test_a_page_is_read_in_whichever_direction_it_lies(read_turned, degrees, turn):
    page = read_turned(degrees)
    assert page.turn == turn
    # Of two columns that a tilt lifts and lowers by more than a line's height, either may come first.
    texts = [line.text for line in page.lines]
    assert (sorted(texts), texts[:2]) == (sorted(TEXTS), TEXTS[:2])
    if degrees % 90 == 0:
        assert texts == TEXTS


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_what_is_read_of_a_turned_page_lies_where_it_is_on_the_image(read_turned, quarters):
    printed = card()
    page = read_turned(90 * quarters)
    assert (page.width, page.height) == ((600, 1050) if quarters % 2 else (1050, 600))
    standing = page.upright()
    assert (standing.width, standing.height, standing.turn) == (1050, 600, 0)
    for text, ink in printed.words:
        (box,) = (word.box for word in standing.words if word.text == text and word.box.overlap(ink))
        assert box.overlap(ink) > 0.8 * ink.area, text
    for line in page.lines:
        # Reading starts at the first corner: on a page upside down at the lower right.
        (ax, ay), (bx, by) = line.polygon[:2]
        assert (np.sign(round((bx - ax) / 50)), np.sign(round((by - ay) / 50))) == {
            1: (0, 1), 2: (-1, 0), 3: (0, -1)
        }[quarters]  # fmt: skip


def test_a_line_upside_down_among_others_is_read_as_it_lies(engine):
    printed = card()
    image = printed.image.copy()
    ink = Box.around(box for text, box in printed.words if text in {"Senior", "Sales", "Manager"})
    rows, columns = slice(int(ink.y0) - 4, int(ink.y1) + 4), slice(int(ink.x0) - 4, int(ink.x1) + 4)
    image[rows, columns] = image[rows, columns][::-1, ::-1]
    page = engine.read(image)
    assert page.turn == 0
    turned = next(line for line in page.lines if line.text == "Senior Sales Manager")
    assert turned.polygon[0][0] > turned.polygon[1][0]
    assert [word.text for word in turned.words] == ["Senior", "Sales", "Manager"]
    assert turned.words[0].box.x0 > turned.words[2].box.x1


@pytest.mark.parametrize("figure", ["1", "7", "A"])
def test_a_page_with_one_figure_that_stands_upright_is_not_turned(engine, figure):
    page = engine.read(Print(300, 300).line(120, 90, figure, size=110).image)
    assert [line.text for line in page.lines] in ([figure], [])
    assert page.turn == 0


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_the_crop_of_a_line_is_turned_upright(engine, quarters):
    page = Print(420, 60).line(12, 10, "Rose Garden", size=40)
    ink = Box.around(box for _, box in page.words)
    crop = page.image[:, : int(ink.x1) + 12]
    turned = engine.upright(np.ascontiguousarray(np.rot90(crop, -quarters)))
    assert np.array_equal(turned, crop)


class CountingRecogniser:
    """Reads bands: a bright left end is right way up."""

    def __init__(self, right=0.97, wrong=0.6):
        self.scores = right, wrong
        self.crops = 0

    def __call__(self, crops):
        self.crops += len(crops)
        right, wrong = self.scores
        halves = [np.array_split(crop, 2, axis=1) for crop in crops]
        return [Recognised("text", right if left.mean() >= other.mean() else wrong, ()) for left, other in halves]


def page_of_bands(lines=20, width=400, height=20):
    image = np.zeros((lines * 2 * height, width + 20, 3), np.uint8)
    outlines = []
    for number in range(lines):
        box = Box(10, (2 * number + 0.5) * height, 10 + width, (2 * number + 1.5) * height)
        image[int(box.y0) : int(box.y1), 10 : 10 + width] = np.linspace(255, 60, width)[None, :, None]
        outlines.append(box.polygon())
    return image, outlines


def test_a_page_the_right_way_up_is_read_once():
    image, outlines = page_of_bands()
    recognise = CountingRecogniser()
    lines, turn = read_lines(recognise, image, outlines)
    assert (turn, recognise.crops) == (0, len(outlines))
    assert [line.outline for line in lines] == outlines


def test_a_page_upside_down_costs_no_more_than_the_lines_that_were_tried():
    image, outlines = page_of_bands()
    recognise = CountingRecogniser()
    lines, turn = read_lines(recognise, np.ascontiguousarray(image[::-1, ::-1]), outlines)
    assert (turn, recognise.crops) == (180, len(outlines) + PROBES)
    assert [line.outline for line in lines] == [(*outline[2:], *outline[:2]) for outline in outlines]


def test_where_neither_way_reads_well_a_page_stays_as_it_is():
    image, outlines = page_of_bands(4)
    recognise = CountingRecogniser(SURE - 0.2, SURE - 0.18)
    assert read_lines(recognise, image, outlines)[1] == 0


def test_a_page_without_lines_has_no_direction():
    recognise = CountingRecogniser()
    assert read_lines(recognise, np.zeros((10, 10, 3), np.uint8), []) == ([], 0)
    assert recognise.crops == 0


def test_a_crop_that_reads_alike_either_way_stays():
    crop = np.full((20, 200, 3), 90, np.uint8)
    assert np.array_equal(upright(CountingRecogniser(0.5, 0.5), crop), crop)


def test_an_outline_is_read_as_a_line_of_its_direction_whoever_drew_it():
    box = Box(10, 20, 110, 40)
    corners = box.polygon()
    for drawn in (corners, corners[::-1], (*corners[2:], *corners[:2]), (corners[1], corners[0], *corners[:1:-1])):
        assert read_from(drawn, box.polygon()) == corners
        assert read_from(drawn, (*corners[2:], *corners[:2])) == (*corners[2:], *corners[:2])
    six = (*corners[:2], (110, 30), *corners[2:], (10, 30))
    assert read_from(six[::-1], corners)[0] == (10, 20)
    assert read_from(six, (*corners[2:], *corners[:2]))[0] == (110, 40)
