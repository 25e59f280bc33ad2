"""Of a page that an earlier recogniser has read, no more is read again than the new one could change."""

from pathlib import Path

import numpy as np
import pytest

from model.document.images import image_key
from model.document.types import Box, Line, Page, Word
from model.errors import RecogniserError
from model.ocr import OcrEngine
from model.ocr.cached_reader import PageReading
from model.ocr.incremental_reread import FILE, ReadTwice, Step, chained, learn_step, load_steps, save_steps
from tests.conftest import card_png, print_card
from tests.model.test_pipeline import Memory


def line(text: str, score: float, top: float = 10) -> Line:
    box = Box(10, top, 200, top + 30)
    return Line(text, box.polygon(), score, (Word(text, box, score),))


def test_lines_with_characters_that_are_read_differently_are_concerned_and_sure_ones_without_are_not() -> None:
    known = [ReadTwice("Haus", 0.99, "Haus")] * 300 + [ReadTwice("5O0", 0.98, "500")] * 20
    step = learn_step("old", known)
    assert step.characters == {"O"}
    assert not step.concerns("Haus", 0.99)
    assert step.concerns("Oslo", 0.99)


def test_how_sure_a_line_must_be_is_learned_from_lines_that_changed() -> None:
    sound = [ReadTwice("abc", score, "abc") for score in np.linspace(0.5, 1.0, 1000)]
    wrong = [ReadTwice("bca", 0.7, "bcа")] * 10
    step = learn_step("old", sound + wrong)
    assert step.sure > 0.7
    kept = [each for each in sound + wrong if not step.concerns(each.before, each.score)]
    assert sum(each.before != each.after for each in kept) <= 0.005 * len(kept)


def test_a_character_that_rarely_changes_does_not_have_every_line_with_it_read_again() -> None:
    often = [ReadTwice("Haus", 0.99, "Haus")] * 300 + [ReadTwice("Haus", 0.6, "Hans")] * 12
    step = learn_step("old", often)
    assert not step.characters
    assert 0.6 < step.sure <= 0.99


def test_without_lines_that_both_have_read_everything_is_read_again() -> None:
    step = learn_step("old", [])
    assert step.concerned(Page(300, 100, (line("sure", 1.0),))) == [0]


def test_the_way_back_over_two_recognisers_concerns_what_either_could_change() -> None:
    first, second = Step("a", frozenset("O"), 0.9), Step("b", frozenset("l"), 0.5)
    steps = chained(second, (first,))
    assert steps == (second, Step("a", frozenset("Ol"), 0.9))


def test_steps_survive_the_disk_and_damage_is_told(tmp_path: Path) -> None:
    steps = (Step("paddleocr-1", frozenset("Oё№"), 0.875), Step("paddleocr-0", frozenset(), 2.0))
    assert load_steps(tmp_path) == ()
    save_steps(steps, tmp_path)
    assert load_steps(tmp_path) == steps
    (tmp_path / FILE).write_text("{}")
    with pytest.raises(RecogniserError):
        load_steps(tmp_path)


class Renamed:
    """An engine under another version's name that counts what it reads."""

    def __init__(self, engine: OcrEngine, version: str) -> None:
        self._engine, self.version = engine, version
        self.pages, self.lines = 0, 0

    def read(self, image):
        self.pages += 1
        return self._engine.read(image)

    def reread(self, image, page, indexes):
        self.lines += len(indexes)
        return self._engine.reread(image, page, indexes)

    def recognise(self, crops):
        raise AssertionError("not asked for")


@pytest.fixture(scope="module")
def card() -> bytes:
    return card_png("Maria Petrova", "Engineer", "100 Main Street")


def read_by_two(engine: OcrEngine, card: bytes, step: Step) -> tuple[Page, Renamed, Memory, PageReading]:
    cache, limits = Memory(), {"max_image_bytes": 10**7, "max_image_pixels": 10**7}
    page = PageReading(Renamed(engine, "old"), cache=cache, **limits).read_file(card)
    new = Renamed(engine, "new")
    return page, new, cache, PageReading(new, cache=cache, steps=(step,), **limits)


def test_only_concerned_lines_are_read_again_and_nothing_is_looked_for(ocr_engine: OcrEngine, card: bytes) -> None:
    page, new, cache, reading = read_by_two(ocr_engine, card, Step("old", frozenset("0"), 0.0))
    assert len(page.lines) == 3
    cache[image_key(card), "old"] = Page(
        page.width, page.height, tuple(line if "0" in line.text else _misread(line) for line in page.lines)
    )
    again = reading.read_file(card)
    assert (new.pages, new.lines) == (0, 1)
    assert [line.text for line in again.lines] == ["???", "???", page.lines[2].text]
    assert reading.kept(image_key(card)) == again


def test_a_page_that_the_new_recogniser_cannot_change_is_kept_without_its_image(
    ocr_engine: OcrEngine, card: bytes
) -> None:
    page, new, cache, reading = read_by_two(ocr_engine, card, Step("old", frozenset("Щ"), 0.0))
    assert reading.kept(image_key(card)) == page
    assert (new.pages, new.lines) == (0, 0)
    assert cache[image_key(card), "new"] == page


def test_reading_all_lines_again_with_the_same_recogniser_changes_nothing(ocr_engine: OcrEngine, card: bytes) -> None:
    page, new, _, reading = read_by_two(ocr_engine, card, Step("old", frozenset(), 2.0))
    assert reading.read_file(card) == page
    assert (new.pages, new.lines) == (0, 3)


def test_lines_on_which_nothing_is_read_any_more_go(ocr_engine: OcrEngine) -> None:
    image = np.asarray(print_card(["Maria Petrova"]))
    page = ocr_engine.read(image)
    ghost = Page(page.width, page.height, (*page.lines, line("ghost", 0.9, top=250)))
    assert ocr_engine.reread(image, ghost, [1]) == page


def _misread(line: Line) -> Line:
    return Line("???", line.polygon, line.score, (Word("???", line.words[0].box, line.score),))


def test_what_another_release_has_read_is_read_again(ocr_engine: OcrEngine, card: bytes) -> None:
    """It may have found other lines, or have read the page upside down."""
    cache, limits = Memory(), {"max_image_bytes": 10**7, "max_image_pixels": 10**7}
    for before, kept in (("rapidocr-3.9.r2-aaaaaaaa", True), ("rapidocr-3.9-aaaaaaaa", False)):
        new = Renamed(ocr_engine, "rapidocr-3.9.r2-bbbbbbbb")
        cache.clear()
        cache[image_key(card), before] = Page(640, 300, ())
        reading = PageReading(new, cache=cache, steps=(Step(before, frozenset(), 0.0),), **limits)
        assert (reading.kept(image_key(card)) is not None) == kept
        reading.read_file(card)
        assert new.pages == (0 if kept else 1)
