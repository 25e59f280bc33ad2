"""Annotated regions become words with tags, whatever their shape; lines of print get their transcripts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from label_studio_sdk.converter.brush import encode_rle

from ml_backend.label_studio.convert import to_regions
from ml_backend.label_studio.fields import name_fields
from ml_backend.label_studio.label_config import Label, parse_label_config
from ml_backend.label_studio.regions import Region, from_result, read_result
from ml_backend.learn.evaluation import Evaluated, in_own_names
from ml_backend.learn.tagging import LineSample, PageMismatchError, fit_to_page, line_samples, tag_page
from model.document.bio import CONTINUOUS, field_of
from model.document.types import Box, Document, Line, Page, Word
from model.evaluation.entity_metrics import Score
from model.extraction.segmentation import segment, split_word
from tests.ml_backend.backend import POLYGONS, RECTANGLES
from tests.ml_backend.label_studio.documents import CONFIGS, config_xml, documents
from tests.ml_backend.label_studio.results import HEIGHT, WIDTH, polygon, region

NAMES = {"NAME": "NAME", "COMPANY": "COMPANY", "EMAIL": "EMAIL"}


def line(y: float, *words: tuple[str, float, float]) -> Line:
    """A level line, 30 pixels high; each word with its left and right."""
    made = tuple(Word(text, Box(x0, y, x1, y + 30), 0.9) for text, x0, x1 in words)
    around = Box.around(word.box for word in made)
    return Line(" ".join(word.text for word in made), around.polygon(), 0.9, made)


def strokes(x0: int, y0: int, x1: int, y1: int) -> list[int]:
    """Paint a box with a brush, as Label Studio stores it."""
    mask = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    mask[y0:y1, x0:x1] = 255
    return list(encode_rle(mask.ravel()))


PAGE = Page(
    WIDTH,
    HEIGHT,
    (
        line(50, ("Maria", 100, 200), ("Petrova", 210, 320), ("Engineer", 400, 500)),
        line(100, ("Acme", 100, 180), ("Ltd", 190, 230)),
        line(150, ("Email:maria@northwind.example", 100, 500)),
    ),
)


def regions(*parts: list[dict[str, object]], config: str = RECTANGLES) -> list[Region]:
    return from_result([part for some in parts for part in some], parse_label_config(config))


def tags(*parts: list[dict[str, object]], page: Page = PAGE, config: str = RECTANGLES) -> list[str]:
    tagged = tag_page(page, regions(*parts, config=config), NAMES)
    return [f"{word.text} {tag}" for word, tag in zip(tagged.page.words, tagged.tags) if tag != "O"]


def test_words_of_a_region_are_one_value() -> None:
    assert tags(region("a", (98, 48, 325, 82), "Maria Petrova", "NAME")) == ["Maria B-NAME", "Petrova I-NAME"]


def test_words_of_no_region_and_of_one_without_label_are_outside() -> None:
    assert tags() == []
    assert tags(region("a", (98, 48, 325, 82), "Maria Petrova")) == []
    assert tags(region("a", (98, 48, 325, 82), "Maria Petrova", "A LABEL THAT WAS TAKEN AWAY")) == []


def left(*parts: list[dict[str, object]], config: str = RECTANGLES, names: dict[str, str | None] | None = None) -> list:
    """What is learned of :data:`PAGE`: its words with their tags, those that nobody knows about left out."""
    read = read_result([part for some in parts for part in some], parse_label_config(config))
    tagged = tag_page(PAGE, read.regions, names or NAMES, read.skipped)
    assert tagged.ignored == len(segment(PAGE).words) - len(tagged.tags)
    assert all(line.text == " ".join(word.text for word in line.words) for line in tagged.page.lines)
    return [f"{word.text} {tag}" for word, tag in zip(tagged.page.words, tagged.tags, strict=True)]


EVERYTHING = ["Maria O", "Petrova O", "Engineer O", "Acme O", "Ltd O", "Email: O", "maria@northwind.example O"]


def without(*words: str) -> list[str]:
    return [word for word in EVERYTHING if word.split()[0] not in words]


def other(kind: str, value: dict[str, object], name: str = "x", **more: object) -> list[dict[str, object]]:
    common = {"id": name, "from_name": "label", "to_name": "image", "image_rotation": 0}
    return [common | {"type": kind, "value": value, "original_width": WIDTH, "original_height": HEIGHT} | more]


def test_where_nothing_is_skipped_everything_is_learned() -> None:
    assert left() == EVERYTHING
    assert left(region("a", (98, 48, 325, 82), "", "NAME"))[:3] == ["Maria B-NAME", "Petrova I-NAME", "Engineer O"]


@pytest.mark.parametrize(
    ("parts", "hidden"),
    [
        # A dot says which line is meant, and not where the value ends.
        (other("keypointlabels", {"x": 15, "y": 22, "width": 1}), ("Acme", "Ltd")),
        (other("keypointlabels", {"x": 25, "y": 23, "width": 1}), ("Acme", "Ltd")),
        (other("rectanglelabels", {"x": 10, "y": 23, "width": 8.5, "height": 0}), ("Acme",)),
        (other("polygonlabels", {"points": [[9, 23], [24, 23]]}), ("Acme", "Ltd")),
        (other("brushlabels", {"format": "rle", "rle": strokes(95, 45, 325, 85)}), ("Maria", "Petrova")),
    ],
)
def test_words_below_a_region_that_cannot_be_used_are_neither_of_a_field_nor_outside(
    parts: list[dict[str, object]], hidden: tuple[str, ...]
) -> None:
    assert left(parts) == without(*hidden)
    # The pre-labels of these lines, which have no label, say nothing against it.
    pre_labels = [region(f"p{n}", (98, y, 505, y + 34), "") for n, y in enumerate((48, 98, 148))]
    assert left(parts, *pre_labels) == without(*hidden)


@pytest.mark.parametrize(
    "parts",
    [
        other("brushlabels", {"format": "rle", "rle": "broken"}),
        other("bitmasklabels", {"imageDataURL": "data:,"}),
        other("rectanglelabels", {"x": 10, "y": 20}),
        other("rectanglelabels", {"x": "?", "y": 20, "width": 5, "height": 5}),
        other("rectanglelabels", {"x": 1, "y": 1, "width": 5, "height": 5}, to_name="renamed"),
        other("keypointlabels", {"x": 15, "y": 22, "width": 1}, original_width=2 * WIDTH),
    ],
)
def test_where_nobody_knows_what_a_region_covers_only_fields_are_learned(parts: list[dict[str, object]]) -> None:
    assert left(parts) == []
    assert left(parts, region("a", (98, 48, 325, 82), "", "NAME")) == ["Maria B-NAME", "Petrova I-NAME"]


def test_what_is_about_something_else_hides_nothing() -> None:
    sound = '</RectangleLabels><Audio name="sound" value="$sound"/>'
    config = RECTANGLES.replace("</RectangleLabels>", sound)
    relation: list[dict[str, object]] = [{"type": "relation", "from_id": "a", "to_id": "b"}]
    choice = other("choices", {"choices": ["Invoice"]})
    assert left(relation, choice, other("labels", {"start": 1, "labels": ["X"]}, to_name="sound"), config=config) == (
        EVERYTHING
    )


def test_an_ellipse_round_a_value_is_learned_like_a_rectangle() -> None:
    ellipse = other("ellipselabels", {"x": 21, "y": 13, "radiusX": 16, "radiusY": 6, "ellipselabels": ["NAME"]})
    assert left(ellipse)[:3] == ["Maria B-NAME", "Petrova I-NAME", "Engineer O"]


def test_a_region_drawn_over_the_pre_label_of_a_line_has_its_words() -> None:
    pre_label, drawn = region("p", (98, 48, 505, 82), ""), region("a", (103, 49, 317, 79), "", "NAME")
    assert tags(pre_label, drawn) == tags(drawn, pre_label) == ["Maria B-NAME", "Petrova I-NAME"]


def test_words_of_a_label_that_the_project_no_longer_has_are_left_out() -> None:
    assert left(region("a", (98, 48, 325, 82), "Maria Petrova", "GONE")) == without("Maria", "Petrova")


def test_the_label_for_text_is_no_field() -> None:
    names = name_fields(("NAME", "PHONE"), [Label("Text"), Label("Handwriting"), Label("NAME")])
    assert names.fields == ("Handwriting", "NAME")
    lines = region("a", (98, 48, 325, 82), "", "Text"), region("b", (98, 98, 240, 132), "", "Handwriting")
    assert left(*lines, names=dict(names.known)) == [
        *EVERYTHING[:3],
        "Acme B-Handwriting",
        "Ltd I-Handwriting",
        *EVERYTHING[5:],
    ]


def test_a_word_belongs_to_the_region_that_covers_most_of_it() -> None:
    narrow, wide = region("a", (98, 48, 240, 82), "", "NAME"), region("b", (225, 48, 330, 82), "", "EMAIL")
    assert tags(narrow, wide) == ["Maria B-NAME", "Petrova B-EMAIL"]


def test_of_two_regions_that_cover_a_word_the_smaller_has_it() -> None:
    whole, inner = region("a", (90, 40, 600, 90), "", "COMPANY"), region("b", (98, 48, 325, 82), "", "NAME")
    assert tags(whole, inner) == ["Maria B-NAME", "Petrova I-NAME", "Engineer B-COMPANY"]
    assert tags(inner, whole) == ["Maria B-NAME", "Petrova I-NAME", "Engineer B-COMPANY"]


def test_a_region_that_is_drawn_too_small_still_has_its_words() -> None:
    assert tags(region("a", (110, 58, 300, 74), "", "NAME")) == ["Maria B-NAME", "Petrova I-NAME"]


def test_a_region_that_reaches_into_the_next_line_does_not_take_its_words() -> None:
    assert tags(region("a", (98, 45, 325, 110), "", "NAME")) == ["Maria B-NAME", "Petrova I-NAME"]


def test_each_line_begins_a_value_anew() -> None:
    both = region("a", (90, 40, 330, 135), "", "COMPANY")
    assert tags(both) == ["Maria B-COMPANY", "Petrova I-COMPANY", "Acme B-COMPANY", "Ltd I-COMPANY"]


def test_two_regions_side_by_side_are_two_values_unless_the_field_goes_on() -> None:
    def pair(label: str) -> list[str]:
        return tags(region("a", (98, 48, 205, 82), "", label), region("b", (208, 48, 325, 82), "", label))

    assert pair("EMAIL") == ["Maria B-EMAIL", "Petrova B-EMAIL"]
    assert "COMPANY" in CONTINUOUS
    assert pair("COMPANY") == ["Maria B-COMPANY", "Petrova I-COMPANY"]


def test_glued_words_are_cut_as_for_the_extractor() -> None:
    found = tags(region("a", (190, 148, 505, 182), "maria@northwind.example", "EMAIL"))
    assert found == ["maria@northwind.example B-EMAIL"]


def test_a_polygon_has_the_words_in_it() -> None:
    points = [(95, 45), (330, 48), (325, 85), (100, 83)]
    assert tags(polygon("a", points, "Maria Petrova", "NAME"), config=POLYGONS) == ["Maria B-NAME", "Petrova I-NAME"]


@settings(max_examples=80, deadline=None)
@given(documents(), st.sampled_from(sorted(CONFIGS)))
def test_what_was_pre_labelled_and_confirmed_is_learned_as_it_was(drawn: tuple[Document, object], name: str) -> None:
    # One line each: the strategy draws lines across one another, and then nobody could tell whose a word is.
    page = replace(drawn[0].page, lines=drawn[0].page.lines[:1])
    entities = tuple(entity for entity in drawn[0].entities if entity.stop <= len(page.words))
    assume(all(len(split_word(word)) == 1 for word in page.words))
    config = parse_label_config(config_xml(name))
    (target,) = config.targets
    confirmed = from_result(to_regions(replace(drawn[0], page=page, entities=entities), target), config)
    names = name_fields(("NAME", "PHONE", "EMAIL"), target.labels).of_labels
    fields: list[str | None] = [None] * len(page.words)
    for entity in entities:
        fields[entity.start : entity.stop] = [entity.field] * (entity.stop - entity.start)
    tagged = tag_page(page, fit_to_page(confirmed, page), names)
    assert [field_of(tag) for tag in tagged.tags] == fields


def test_an_image_that_has_another_size_now_is_the_same() -> None:
    small = Page(WIDTH // 2, HEIGHT // 2, ())
    (fitted,) = fit_to_page(regions(region("a", (100, 50, 300, 80), "x", "NAME")), small)
    assert Box.of_polygon(fitted.polygon) == Box(50, 25, 150, 40)


def test_an_image_of_another_shape_is_another_image() -> None:
    with pytest.raises(PageMismatchError, match="1000 × 500 pixels, but the image has 500 × 1000 now"):
        fit_to_page(regions(region("a", (100, 50, 300, 80), "x", "NAME")), Page(HEIGHT, WIDTH, ()))


def test_labels_stand_for_the_fields_that_pre_labels_go_to() -> None:
    names = name_fields(("NAME", "PHONE", "FAX"), [Label("Имя"), Label("Phone"), Label("Total")])
    assert names.of_labels == {"Имя": "NAME", "Phone": "PHONE", "Total": "Total"}
    assert names.rename == {"FAX": "PHONE"}
    assert names.fields == ("NAME", "PHONE", "Total")


def test_what_was_measured_is_written_down_in_the_projects_names() -> None:
    names = name_fields(("NAME", "PHONE"), [Label("Имя"), Label("TEL"), Label("Total")])
    counts = ({"NAME": Score(1, 1, 1), "PHONE": Score(2, 2, 2), "Total": Score(3, 3, 3)},)
    found = Evaluated(counts, (), (), {("PHONE", "none"): 2, ("NAME", "PHONE"): 1})
    own = in_own_names(found, names.labels)
    assert [set(one) for one in own.counts] == [{"Имя", "TEL", "Total"}]
    assert own.confusion == {("TEL", "none"): 2, ("Имя", "TEL"): 1}


def test_fields_with_labels_of_their_own_keep_their_names() -> None:
    names = name_fields(("PHONE", "FAX"), [Label("Fax"), Label("Phone")])
    assert (names.of_labels, names.rename) == ({"Fax": "FAX", "Phone": "PHONE"}, {})


def test_texts_of_single_lines_are_transcripts() -> None:
    one = region("a", (98, 48, 325, 82), " Maria  Petrova ", "NAME")
    unread = region("b", (600, 300, 700, 330), "seen by a person only")
    (first, second) = line_samples(PAGE, regions(one, unread))
    assert isinstance(first, LineSample)
    assert (first.text, second.text) == ("Maria Petrova", "seen by a person only")
    assert Box.of_polygon(first.polygon).x0 == pytest.approx(98)


@pytest.mark.parametrize(
    "unfit",
    [
        region("a", (90, 40, 330, 135), "Maria Petrova Acme Ltd", "NAME"),
        region("a", (98, 48, 325, 82), "Maria\nPetrova", "NAME"),
        region("a", (98, 48, 325, 82), "  ", "NAME"),
        region("a", (98, 48, 325, 82), None, "NAME"),
    ],
    ids=["two lines of print", "two lines of text", "blank", "no text"],
)
def test_regions_that_are_no_single_line_of_print_give_no_transcript(unfit: list[dict[str, object]]) -> None:
    assert line_samples(PAGE, regions(unfit)) == ()


def test_a_line_of_a_turned_page_is_cut_out_upright() -> None:
    """The regions are drawn along the image; the page that was read knows how the text runs."""
    drawn = region("a", (98, 48, 325, 82), "Maria Petrova", "NAME")
    for degrees in (90, 180, 270):
        on_image = PAGE.turned(degrees)
        box = Box.of_polygon(Page(WIDTH, HEIGHT, (line(50, ("x", 100, 325)),)).turned(degrees).lines[0].polygon)
        one = replace(regions(drawn)[0], polygon=box.polygon())
        (sample,) = line_samples(on_image, [one])
        start, end = sample.polygon[:2]
        read_start, read_end = on_image.lines[0].polygon[:2]
        assert (start[0] < end[0], start[1] < end[1]) == (read_start[0] < read_end[0], read_start[1] < read_end[1])


def test_a_strip_that_stands_on_a_level_page_and_was_not_read_is_no_line() -> None:
    strip = region("a", (600, 100, 630, 300), "runs upwards, or downwards")
    assert line_samples(PAGE, regions(strip)) == ()
    turned = [replace(each, rotation=90.0) for each in regions(strip)]
    assert [sample.polygon for sample in line_samples(PAGE, turned)] == [turned[0].polygon]


def test_an_outline_that_a_person_drew_the_other_way_round_is_not_mirrored() -> None:
    drawn = regions(region("a", (98, 48, 325, 82), "Maria Petrova", "NAME"))[0]
    (sample,) = line_samples(PAGE, [replace(drawn, polygon=drawn.polygon[::-1])])
    assert sample.polygon == drawn.polygon
