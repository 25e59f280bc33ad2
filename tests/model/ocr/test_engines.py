"""What every engine must do: one suite, run for each."""

import threading
import time

import cv2
import numpy as np
import pytest

from model.document.types import Box
from tests.model.ocr.printing import Print, card


@pytest.fixture(scope="module")
def reading(engine):
    return engine.read(card().image)


def test_every_printed_word_is_read(reading):
    assert sorted(word.text for word in reading.words) == sorted(card().texts)
    assert (reading.width, reading.height) == (1050, 600)


def test_lines_come_from_top_to_bottom_and_from_left_to_right(reading):
    assert [line.text for line in reading.lines] == [
        "Johanna A. Smith-Jones",
        "Senior Sales Manager",
        "Phone: (030) 555-0123",
        "Fax: (030) 555-0199",
        "j.smith@example.com",
        "www.example.com",
        "10 Rose Lane, Leeds",
    ]


def test_the_words_of_a_line_joined_by_spaces_are_its_text(reading):
    for line in reading.lines:
        assert " ".join(word.text for word in line.words) == line.text


def test_the_box_of_a_word_covers_its_ink_and_little_else(reading):
    for text, ink in card().words:
        box = max((word.box for word in reading.words if word.text == text), key=ink.overlap)
        assert box.overlap(ink) > 0.8 * ink.area, text
        # Lines are found with some room above and below, so the test is about left and right.
        assert abs(box.x0 - ink.x0) < 0.25 * ink.height, text
        assert abs(box.x1 - ink.x1) < 0.25 * ink.height, text


def test_words_of_a_line_do_not_overlap(reading):
    for line in reading.lines:
        for left, right in zip(line.words, line.words[1:], strict=False):
            assert left.box.x1 <= right.box.x0


def test_scores_are_high_on_clean_print_and_words_inherit_them(reading):
    for line in reading.lines:
        assert 0.85 < line.score <= 1
        assert {word.score for word in line.words} == {line.score}


def test_the_margin_tells_clean_print_from_print_that_could_say_something_else(engine, reading):
    assert all(line.margin is not None and 0.3 < line.margin <= 1 for line in reading.lines)
    clean = _strip("modern")
    smeared = cv2.GaussianBlur(clean, (0, 0), 8)
    (sure,), (torn,) = engine.recognise([clean]), engine.recognise([smeared])
    assert torn.margin < 0.7 < 0.95 < sure.margin


def test_polygons_go_clockwise_from_where_reading_starts(reading):
    for line in reading.lines:
        (ax, ay), (bx, _), (cx, cy), (dx, dy) = line.polygon
        assert ax < bx
        assert ay < dy
        assert cx > dx
        assert cy > ay


def test_the_image_is_left_as_it_was(engine):
    image = card().image.copy()
    before = image.copy()
    engine.read(image)
    assert np.array_equal(image, before)


@pytest.mark.parametrize("tone", [0, 128, 255])
def test_a_blank_page_has_no_lines(engine, tone):
    page = engine.read(np.full((300, 500, 3), tone, np.uint8))
    assert (page.width, page.height, page.lines) == (500, 300, ())


def test_a_page_with_a_rule_but_no_text_has_no_lines(engine):
    image = np.full((300, 500, 3), 255, np.uint8)
    image[150:152, 20:480] = 0
    assert engine.read(image).words == ()


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (2, 3), (20, 1500)])
def test_pages_of_odd_shapes_are_read_without_an_error(engine, shape):
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    page = engine.read(image)
    assert (page.height, page.width) == shape
    for word in page.words:
        assert 0 <= word.box.x0 < word.box.x1 <= shape[1]
        assert 0 <= word.box.y0 < word.box.y1 <= shape[0]


def test_light_print_on_a_dark_ground_is_read(engine):
    page = Print(paper=(15, 30, 60)).line(80, 100, "Annual Report", size=60, ink=(240, 230, 200))
    read = engine.read(page.image)
    assert [word.text for word in read.words] == ["Annual", "Report"]
    for word, (_, ink) in zip(read.words, page.words, strict=True):
        assert word.box.overlap(ink) > 0.8 * ink.area


def test_red_print_on_green_of_the_same_brightness_is_no_blank_page(engine):
    page = Print(paper=(0, 110, 0)).line(80, 100, "Annual Report", size=60, ink=(220, 0, 0))
    assert [word.text for word in engine.read(page.image).words] == ["Annual", "Report"]


@pytest.mark.parametrize("degrees", [-8, 8])
def test_tilted_lines_are_read_and_their_word_boxes_are_hulls(engine, degrees):
    page = Print().line(250, 270, "Rose Garden Centre", size=60)
    read = engine.read(page.turned(degrees))
    assert [word.text for word in read.words] == ["Rose", "Garden", "Centre"]
    (line,) = read.lines
    upper_left, upper_right = line.polygon[:2]
    assert (upper_right[1] > upper_left[1]) == (degrees > 0)
    # Each hull is taller than the letters and much lower than that of the whole line.
    assert all(60 * 0.7 < word.box.height < 0.85 * line.box.height for word in line.words)
    assert line.words[0].box.x1 < line.words[1].box.center[0] < line.words[2].box.x0


def test_a_line_that_runs_downwards_starts_at_its_upper_end(engine):
    (line,) = engine.read(Print(600, 120).line(60, 30, "Rose Garden Centre", size=50).turned(90)).lines
    assert [word.text for word in line.words] == ["Rose", "Garden", "Centre"]
    (ax, ay), (bx, by), (_, cy), (dx, _) = line.polygon
    assert ay < by
    assert cy > ay
    assert ax > dx
    assert abs(ax - bx) < 5
    tops = [word.box.y0 for word in line.words]
    assert tops == sorted(tops)
    assert all(word.box.height > word.box.width for word in line.words)


def test_a_line_that_runs_upwards_starts_at_its_lower_end(engine):
    (line,) = engine.read(Print(900, 300).line(150, 120, "Rose Garden Centre", size=50).turned(-90)).lines
    assert [word.text for word in line.words] == ["Rose", "Garden", "Centre"]
    (ax, ay), (_, by), _, (dx, _) = line.polygon
    assert ay > by
    assert ax < dx
    tops = [word.box.y0 for word in line.words]
    assert tops == sorted(tops, reverse=True)


def test_a_single_upright_figure_is_not_taken_for_a_line_that_runs_downwards(engine):
    page = Print(500, 300).line(60, 100, "2", size=60).line(300, 100, "Garden", size=60)
    assert [line.text for line in engine.read(page.image).lines] == ["2", "Garden"]


def test_a_space_that_only_the_print_shows_parts_words(engine):
    page = Print().line(60, 60, "0171", size=40).line(180, 60, "2234567", size=40)
    (line,) = engine.read(page.image).lines
    assert line.text == "0171 2234567"


def test_spaced_out_capitals_stay_together_and_columns_apart(engine):
    page = (
        Print()
        .line(60, 200, "Left side", size=40)
        .line(700, 210, "Right side", size=40)
        .line(60, 300, "Below", size=40)
    )
    assert [line.text for line in engine.read(page.image).lines] == ["Left side", "Right side", "Below"]


def test_a_small_piece_of_a_page_is_read(engine):
    page = card()
    ink = Box.around(box for text, box in page.words if text in {"Senior", "Sales", "Manager"})
    piece = page.image[int(ink.y0) - 12 : int(ink.y1) + 12, int(ink.x0) - 12 : int(ink.x1) + 12]
    assert [word.text for word in engine.read(piece).words] == ["Senior", "Sales", "Manager"]


def _strip(text, size=40):
    page = Print(40 + 30 * len(text), 70).line(12, 10, text, size=size)
    ink = Box.around(box for _, box in page.words)
    return page.image[:, : int(ink.x1) + 12]


def test_crops_are_read_in_their_order_whatever_their_widths(engine):
    texts = ["a somewhat longer line of text", "short", "Phone 555-0123", "me@example.com"]
    readings = engine.recognise([_strip(text) for text in texts])
    assert [reading.text for reading in readings] == texts
    assert all(0.85 < reading.score <= 1 for reading in readings)


def test_a_crop_is_read_alike_alone_and_in_company(engine):
    crops = [_strip(text) for text in ("one line", "another and longer line", "3")]
    assert engine.recognise(crops) == [engine.recognise([crop])[0] for crop in crops]


def test_a_blank_crop_has_no_text_and_no_score(engine):
    blank = np.full((40, 200, 3), 255, np.uint8)
    faint = blank - np.random.default_rng(2).integers(0, 10, blank.shape, np.uint8)
    readings = engine.recognise([blank, _strip("text"), faint, blank[:0]])
    assert [(reading.text, reading.score > 0) for reading in readings] == [
        ("", False),
        ("text", True),
        ("", False),
        ("", False),
    ]


def test_no_crops_give_no_readings(engine):
    assert engine.recognise([]) == []


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (3, 900), (200, 2)])
def test_crops_of_odd_shapes_are_read_without_an_error(engine, shape):
    crop = np.random.default_rng(3).integers(0, 256, (*shape, 3), np.uint8)
    (reading,) = engine.recognise([crop])
    assert 0 <= reading.score <= 1


def test_threads_that_share_an_engine_get_what_one_alone_gets(engine):
    # Strips, which are looked at three times as fast as pages.
    strips = [Print(900, 80).line(20, 16, text, size=40) for text in ("Rose Garden Centre", "Second page", "Leeds")]
    pages = [strips[0].image, strips[1].image, strips[2].turned(3)]
    crops = [_strip("one"), _strip("and another one")]
    alone = [engine.read(page) for page in pages], engine.recognise(crops)
    assert all(page.words for page in alone[0])
    together = [None] * 6
    gate = threading.Barrier(len(together))

    def work(number):
        gate.wait()
        together[number] = [engine.read(page) for page in pages], engine.recognise(crops)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(together))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result == alone for result in together)


def test_the_version_names_engine_package_and_models(engine):
    name, package, digest = engine.version.split("-")
    assert name in {"paddleocr", "rapidocr"}
    assert package[0].isdigit()
    assert len(digest) == 8
    assert set(digest) <= set("0123456789abcdef")


def test_a_strip_of_one_pixel_in_height_takes_no_longer_than_a_page(engine):
    strip = np.random.default_rng(4).integers(0, 256, (1, 2000, 3), np.uint8)
    started = time.process_time()
    engine.read(strip)
    on_strip, started = time.process_time() - started, time.process_time()
    engine.read(card().image)
    assert on_strip < time.process_time() - started
