from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from model.document.images import image_key
from model.document.types import Box, Entity, Line, Page, PageNote, Word
from model.errors import ImageError
from model.extraction.extractor import Extractor
from model.pipeline import Pipeline
from tests.model.extraction.checkpoints import save_checkpoint, tiny_model


class ScriptedEngine:
    """Answers every image with one line in its middle, and counts how often it was asked."""

    version = "scripted-1"

    def __init__(self):
        self.reads = 0

    def read(self, image):
        self.reads += 1
        height, width = image.shape[:2]
        box = Box(width * 0.25, height * 0.4, width * 0.75, height * 0.6)
        return Page(width, height, (Line("Tel:+49300001", box.polygon(), 0.9, (Word("Tel:+49300001", box, 0.9),)),))

    def reread(self, image, page, indexes):
        raise AssertionError("not asked for")

    def recognise(self, crops):
        raise AssertionError("not asked for")


class Memory(dict):
    def get(self, image_key, engine_version):
        return super().get((image_key, engine_version))

    def put(self, image_key, engine_version, page):
        self[image_key, engine_version] = page


def picture(colour="white", size=(80, 40)):
    buffer = BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def engine():
    return ScriptedEngine()


@pytest.fixture
def build(engine, checkpoint):
    def build(cache=None, folder=checkpoint):
        return Pipeline(engine, Extractor.load(folder), max_image_bytes=100_000, max_image_pixels=10_000, cache=cache)

    return build


def test_a_document_holds_segmented_words_and_says_what_made_it(build):
    pipeline = build()
    document = pipeline.predict(picture())
    assert [word.text for word in document.page.words] == ["Tel:", "+49300001"]
    assert document.model_version == pipeline.version
    assert document.engine_version == "scripted-1"


def test_the_same_image_is_read_once_and_another_is_read_again(build, engine):
    pipeline = build(Memory())
    assert pipeline.predict(picture()) == pipeline.predict(picture())
    assert engine.reads == 1
    pipeline.predict(picture("grey"))
    assert engine.reads == 2


def test_another_extractor_uses_what_was_read_and_another_engine_does_not(build, engine, tmp_path):
    cache = Memory()
    first = build(cache)
    first.predict(picture())
    second = build(cache, save_checkpoint(tmp_path / "other", *tiny_model(("COMPANY",))))
    second.predict(picture())
    assert engine.reads == 1
    assert second.version != first.version
    engine.version = "scripted-2"
    second.predict(picture())
    assert engine.reads == 2


def test_the_version_changes_with_the_engine(build, engine):
    pipeline = build()
    before = pipeline.version
    engine.version = "scripted-2"
    assert pipeline.version != before


def test_what_is_read_in_a_region_has_the_coordinates_of_the_page(build):
    image = np.zeros((100, 200, 3), dtype=np.uint8)
    page = build().read_region(image, Box(100, 50, 180, 90))
    assert (page.width, page.height) == (200, 100)
    assert page.words[0].box == Box(120, 66, 160, 74)


def test_a_broken_image_is_an_error_even_with_a_cache(build, engine):
    with pytest.raises(ImageError):
        build(Memory()).predict(b"no image")
    assert engine.reads == 0


def test_what_was_read_is_named_again_without_the_file(build, engine, tmp_path):
    pipeline = build(Memory())
    seen = pipeline.predict(picture())
    assert pipeline.revisit(image_key(picture())) == seen
    assert pipeline.revisit(image_key(picture("grey"))) is None
    assert build().revisit(image_key(picture())) is None, "nothing is kept without a cache"
    assert engine.reads == 1


def test_an_extractor_that_looks_at_images_needs_the_file(build, tmp_path):
    cache = Memory()
    build(cache).predict(picture())
    seeing = build(cache, save_checkpoint(tmp_path / "seeing", *tiny_model(image_size=32)))
    assert seeing.revisit(image_key(picture())) is None


class NamingAll:
    """An extractor that takes every line for a company, as a small model does with letters in disorder."""

    version, fields, looks_at_images = "all-1", ("COMPANY",), False

    def __init__(self, extractor):
        self.extractor = extractor
        self.images = []

    def extract(self, page, image=None):
        self.images.append(image)
        words = page.words
        named = tuple(
            Entity("COMPANY", words[start].text, words[start].box, 0.9, start, stop)
            for start, stop in page.line_spans()
        )
        return replace(self.extractor.extract(page), entities=named)


def two_lines(second_is_readable):
    lines = []
    for number, text in enumerate(("Acme", "Дlєu0uvtňç")):
        box = Box(10, 10 + 20 * number, 60, 20 + 20 * number)
        lines.append(Line(text, box.polygon(), 0.7, (Word(text, box, 0.7),), readable=not number or second_is_readable))
    notes = () if second_is_readable else (PageNote("unknown_script", 1),)
    return Page(80, 60, tuple(lines), 0, notes)


def test_a_line_in_an_unknown_script_names_no_field_and_the_note_stays(engine, checkpoint):
    naming = NamingAll(Extractor.load(checkpoint))
    pipeline = Pipeline(engine, naming, max_image_bytes=100_000, max_image_pixels=10_000)
    assert [value.text for value in pipeline.extract(two_lines(True)).entities] == ["Acme", "Дlєu0uvtňç"]
    document = pipeline.extract(two_lines(False))
    assert [value.text for value in document.entities] == ["Acme"]
    assert [word.text for word in document.page.words] == ["Acme", "Дlєu0uvtňç"]
    assert document.page.notes == (PageNote("unknown_script", 1),)


def test_the_fields_of_a_turned_page_are_those_of_the_upright_one_and_stand_on_the_image(engine, build, checkpoint):
    pipeline = build()
    page = two_lines(True)
    upright = pipeline.extract(page)
    for degrees in (90, 180, 270):
        turned = pipeline.extract(page.turned(degrees))
        assert [(v.field, v.text, v.start) for v in turned.entities] == [
            (v.field, v.text, v.start) for v in upright.entities
        ]
        assert (turned.score, turned.page.turn) == (pytest.approx(upright.score), -degrees % 360)
        assert turned.page == upright.page.turned(degrees)
    naming = NamingAll(Extractor.load(checkpoint))
    Pipeline(engine, naming, max_image_bytes=1, max_image_pixels=1).extract(
        page.turned(90), np.arange(60 * 80 * 3, dtype=np.uint8).reshape(80, 60, 3)
    )
    assert naming.images[0].shape == (60, 80, 3)


def test_a_glued_word_on_a_turned_page_is_cut_along_its_line(build):
    box = Box(10, 10, 70, 20)
    page = Page(80, 60, (Line("Tel:+49300001", box.polygon(), 0.9, (Word("Tel:+49300001", box, 0.9),)),))
    label, number = build().extract(page.turned(180)).page.words
    assert (label.text, number.text) == ("Tel:", "+49300001")
    assert label.box.x0 == number.box.x1 > 40
    assert (label.box.y0, label.box.y1) == (40, 50)
