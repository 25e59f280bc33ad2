import threading

import numpy as np
import pytest

from model.document.types import Box
from model.ocr.engine import TwoStageEngine
from model.ocr.lines_at_once import LinesAtOnce
from model.ocr.recognised import Recognised
from tests.model.ocr.printing import card

WAIT = 30


def strip(width):
    return np.zeros((48, width, 3), np.uint8)


def by_width(crop):
    return Recognised(str(crop.shape[1]), 1.0, ())


@pytest.mark.parametrize("threads", [0, 1, 2, 5])
def test_results_come_in_the_order_of_the_crops(threads):
    widths = [300, 20, 900, 48, 20, 600]
    found = LinesAtOnce(by_width, threads).recognise([strip(width) for width in widths])
    assert [each.text for each in found] == [str(width) for width in widths]


def test_no_crops_give_no_results():
    assert LinesAtOnce(by_width, 2).recognise([]) == []


def test_as_many_lines_are_read_at_once_as_there_are_threads_whoever_wants_them():
    meeting, reading, most, count = threading.Barrier(2), 0, [], threading.Lock()

    def read(crop):
        nonlocal reading
        with count:
            reading += 1
            most.append(reading)
        meeting.wait(WAIT)
        with count:
            reading -= 1
        return by_width(crop)

    lines = LinesAtOnce(read, 2)
    callers = [threading.Thread(target=lines.recognise, args=([strip(40)] * 4,)) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(WAIT)
    assert (len(most), max(most)) == (8, 2)


def test_the_error_of_a_line_is_that_of_the_call():
    def read(crop):
        if crop.shape[1] == 20:
            raise RuntimeError("no line")
        return by_width(crop)

    lines = LinesAtOnce(read, 2)
    with pytest.raises(RuntimeError, match="no line"):
        lines.recognise([strip(300), strip(20), strip(100)])
    assert [each.text for each in lines.recognise([strip(300)])] == ["300"]


def test_lines_of_one_page_are_read_while_those_of_another_are_looked_for():
    looked_for, read = threading.Event(), threading.Event()

    class Detector:
        def __init__(self):
            self.pages = 0

        def detect(self, image):
            self.pages += 1
            if self.pages == 2:
                looked_for.set()
                assert read.wait(WAIT), "no line was read beside"
            return [Box(20, top, 200, top + 40).polygon() for top in (20, 100, 180)]

    def recognise(crop):
        # The first page's line waits for the second page's detector, which waits for that line.
        assert looked_for.wait(WAIT), "no other page was looked at beside"
        read.set()
        return Recognised("line", 0.99, ())

    engine = TwoStageEngine("some-1-engine", Detector(), LinesAtOnce(recognise, 1))
    pages = []
    callers = [threading.Thread(target=lambda: pages.append(engine.read(card().image))) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(2 * WAIT)
    assert [line.text for page in pages for line in page.lines] == ["line"] * 6
