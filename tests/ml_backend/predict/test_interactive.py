"""Regions that people draw, within the time of a request."""

import numpy as np
import pytest

from ml_backend.label_studio.records import Task
from ml_backend.predict.service import Batch
from model.document.types import Document, Page
from model.ocr import Reading
from tests.ml_backend.backend import RECTANGLES, ImageTable, SteppingClock, build_backend


class SlowEngine:
    """Takes 2 s to read a line."""

    def __init__(self, clock):
        self.clock = clock

    def read(self, image):
        return Page(image.shape[1], image.shape[0], ())

    def upright(self, image):
        return image

    def recognise(self, lines):
        self.clock.advance(2)
        return [Reading("text", 0.9)]


class CountingReader:
    version = "counting.1"

    def __init__(self):
        self.decoded = self.read = 0

    def decode(self, data):
        self.decoded += 1
        return np.zeros((100, 200, 3), dtype=np.uint8)

    def predict(self, data):
        self.read += 1
        return Document(Page(200, 100, ()), (), 0.5, "text", self.version)


def box(number):
    value = {"x": 1.0, "y": 1.0, "width": 20.0, "height": 20.0, "rotation": 0}
    common = {"id": f"r{number}", "to_name": "image", "original_width": 200, "original_height": 100}
    return common | {"from_name": "label", "type": "rectanglelabels", "value": value}


@pytest.fixture
def drawing(make_settings):
    clock, reader = SteppingClock(), CountingReader()
    images = ImageTable(page=b"page")
    settings = make_settings(predict_budget_seconds=80)
    backend = build_backend(settings, reader, SlowEngine(clock), images, clock=clock)

    def draw(count):
        batch = Batch([Task(1, 2, {"image": "page"}, False)], RECTANGLES, 2, [box(number) for number in range(count)])
        return backend.services.predictions.predict(batch)[0][0]

    return draw, clock, reader, images


def test_of_more_regions_than_there_is_time_for_the_first_are_read_and_the_answer_comes_in_time(drawing):
    draw, clock, _, _ = drawing
    answer = draw(120)
    assert clock.now <= 80
    read = {part["id"] for part in answer["result"]}
    assert len(read) >= 35
    assert read == {f"r{number}" for number in range(len(read))}


def test_a_page_is_fetched_decoded_and_named_once_for_all_its_regions(drawing):
    draw, _, reader, images = drawing
    draw(10)
    assert (images.asked, reader.decoded, reader.read) == (["page"], 1, 1)
