"""Documents to regions, and back."""

from __future__ import annotations

import math
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_studio_sdk.label_interface import LabelInterface

from ml_backend.label_studio.convert import from_result, read_result, to_prediction, to_regions
from ml_backend.label_studio.geometry import Frame
from ml_backend.label_studio.label_config import PageId, parse_label_config
from ml_backend.learn.annotation_diff import diff
from model.document.types import Box, Document, Entity, Line, Page, Word
from tests.ml_backend.label_studio.documents import (
    CONFIGS,
    FIELDS,
    HEIGHT,
    WIDTH,
    config_xml,
    documents,
    line_at,
)

every_config = pytest.mark.parametrize("name", list(CONFIGS))


def card(*, field="EMAIL", width=400, height=200):
    """One line, "Tel. +7 495 123 E-mail a@b.c", with a phone number and an address in it."""
    spans = [
        ("Tel.", 10, 40),
        ("+7", 50, 70),
        ("495", 80, 110),
        ("123", 115, 150),
        ("E-mail", 160, 210),
        ("a@b.c", 220, 300),
    ]
    words = tuple(Word(text, Box(x0, 20, x1, 40), 0.9) for text, x0, x1 in spans)
    line = Line(" ".join(word.text for word in words), Box(10, 20, 300, 40).polygon(), 0.9, words)
    entities = (
        Entity("PHONE", "+7 495 123", Box(50, 20, 150, 40), 0.8, 1, 4),
        Entity(field, "a@b.c", Box(220, 20, 300, 40), 0.5, 5, 6),
    )
    return Document(Page(width, height, (line,)), entities, 0.4, "engine", "model")


def predict(document, config, **images):
    pages = {PageId(name): image for name, image in {"card": document, **images}.items()}
    return to_prediction(pages, config, model_version="v1")


@every_config
@settings(max_examples=60, deadline=None)
@given(documents())
def test_what_goes_to_label_studio_comes_back_as_it_was(name, drawn):
    document, runs = drawn
    config = parse_label_config(config_xml(name))

    back = read_result(predict(document, config)["result"], config)

    assert back.skipped == ()
    assert [(region.label, region.text) for region in back.regions] == [(run.field, run.text) for run in runs]
    for region, run in zip(back.regions, runs, strict=True):
        assert (region.image, region.original_width, region.original_height) == ("card", WIDTH, HEIGHT)
        for found, expected in zip(region.polygon, run.frame.polygon, strict=True):
            assert math.dist(found, expected) < 0.01
        if not name.startswith("poly") and "polygon" not in name:
            assert math.isclose(region.rotation, run.frame.rotation, abs_tol=1e-4)


@every_config
@settings(max_examples=25, deadline=None)
@given(documents())
def test_label_studios_own_validation_accepts_every_prediction(name, drawn):
    xml = config_xml(name)

    prediction = predict(drawn[0], parse_label_config(xml))

    assert LabelInterface(xml).validate_prediction(prediction, return_errors=True) == []


@every_config
@settings(max_examples=25, deadline=None)
@given(documents())
def test_ids_are_unique_to_a_region_and_the_same_every_time(name, drawn):
    document, runs = drawn
    config = parse_label_config(config_xml(name))

    result = predict(document, config)["result"]

    geometry = defaultdict(set)
    for part in result:
        value = {key: item for key, item in part["value"].items() if key not in {"text", "labels", name}}
        geometry[part["id"]].add(repr(value))
    assert len(geometry) == len(runs)
    assert all(len(values) == 1 for values in geometry.values())
    assert all(len(region_id) >= 10 for region_id in geometry)
    assert predict(document, config)["result"] == result


def test_equal_lines_on_one_page_get_ids_of_their_own():
    line = line_at(Frame(10, 10, 50, 20), [(0, 50)], ["same"])
    document = Document(Page(200, 100, (line, line, line)), (), 1.0, "engine", "model")
    config = parse_label_config(config_xml("rectanglelabels"))

    assert len({region.id for region in from_result(predict(document, config)["result"], config)}) == 3


def test_a_salt_gives_other_ids():
    (target,) = parse_label_config(config_xml("rectanglelabels")).targets

    plain, salted = to_regions(card(), target), to_regions(card(), target, salt="drawn")

    assert {part["id"] for part in plain}.isdisjoint(part["id"] for part in salted)
    assert [part["value"] for part in plain] == [part["value"] for part in salted]


@every_config
def test_a_line_with_two_fields_gives_two_labelled_regions_and_the_words_between(name):
    config = parse_label_config(config_xml(name))

    regions = from_result(predict(card(), config)["result"], config)

    assert [(region.label, region.text) for region in regions] == [
        (None, "Tel."),
        ("PHONE", "+7 495 123"),
        (None, "E-mail"),
        ("EMAIL", "a@b.c"),
    ]
    assert Box.of_polygon(regions[1].polygon).iou(Box(50, 20, 150, 40)) > 0.9999


def test_a_field_without_a_label_is_text_without_a_label():
    config = parse_label_config(config_xml("rectanglelabels", ("PHONE", "LOGO")))

    regions = from_result(predict(card(), config)["result"], config)

    assert [(region.label, region.text) for region in regions] == [
        (None, "Tel."),
        ("PHONE", "+7 495 123"),
        (None, "E-mail a@b.c"),
    ]


def test_parts_of_a_region_stand_together_and_repeat_its_shape():
    config = parse_label_config(config_xml("labels+rectangle"))

    shape, label, text = predict(card(), config)["result"][2:5]

    assert [part["type"] for part in (shape, label, text)] == ["rectangle", "labels", "textarea"]
    assert [part["from_name"] for part in (shape, label, text)] == ["box", "field", "words"]
    assert shape["value"] == {"x": 12.5, "y": 10.0, "width": 25.0, "height": 10.0, "rotation": 0.0}
    assert label["value"] == shape["value"] | {"labels": ["PHONE"]}
    assert text["value"] == shape["value"] | {"text": ["+7 495 123"]}
    assert {
        (part["id"], part["to_name"], part["original_width"], part["original_height"]) for part in (shape, label, text)
    } == {(shape["id"], "card", 400, 200)}
    assert all(part["image_rotation"] == 0 and "item_index" not in part for part in (shape, label, text))


def test_a_region_without_label_has_an_empty_list_where_drawing_and_labelling_are_one():
    config = parse_label_config(config_xml("rectanglelabels"))

    shape, text = predict(card(), config)["result"][:2]

    assert (shape["type"], shape["value"]["rectanglelabels"]) == ("rectanglelabels", [])
    assert text["value"]["text"] == ["Tel."]


def test_without_a_text_control_only_labels_are_sent():
    xml = config_xml("rectanglelabels").replace('perRegion="true"', "")
    config = parse_label_config(xml)

    result = predict(card(), config)["result"]

    assert {part["type"] for part in result} == {"rectanglelabels"}
    assert [region.label for region in from_result(result, config)] == [None, "PHONE", None, "EMAIL"]


def test_without_labels_every_line_is_one_region():
    xml = (
        '<View><Image name="card" value="$i"/><Rectangle name="r" toName="card"/>'
        '<TextArea name="t" toName="card" perRegion="true"/></View>'
    )
    config = parse_label_config(xml)

    regions = from_result(predict(card(), config)["result"], config)

    assert [(region.label, region.text) for region in regions] == [(None, "Tel. +7 495 123 E-mail a@b.c")]


def test_scores_say_how_sure_the_models_are():
    prediction = predict(card(), parse_label_config(config_xml("rectanglelabels")))

    scores = [part["score"] for part in prediction["result"] if part["type"] == "textarea"]
    assert scores == [0.9, 0.72, 0.9, 0.45]
    assert prediction["score"] == 0.4
    assert prediction["model_version"] == "v1"


def test_the_least_certain_image_gives_the_task_its_score():
    xml = (
        '<View><Image name="card" value="$front"/><Image name="back" value="$back"/>'
        '<RectangleLabels name="field" toName="card,back"><Label value="PHONE"/></RectangleLabels></View>'
    )
    config = parse_label_config(xml)
    back = Document(Page(10, 10, ()), (), 0.1, "engine", "model")

    prediction = predict(card(), config, back=back)

    assert prediction["score"] == 0.1
    assert {part["to_name"] for part in prediction["result"]} == {"card"}
    both = predict(card(), config, back=card())
    assert {part["to_name"] for part in both["result"]} == {"card", "back"}
    assert len({part["id"] for part in both["result"]}) == 2 * len({part["id"] for part in prediction["result"]})


def test_a_task_of_which_nothing_was_read_is_for_a_person():
    config = parse_label_config(config_xml("rectanglelabels"))

    assert to_prediction({}, config, model_version="v1") == {"result": [], "score": 0.0, "model_version": "v1"}


def test_a_list_of_images_is_numbered():
    config = parse_label_config(config_xml("rectanglelabels").replace('value="$image"', 'valueList="$image"'))

    assert {part["item_index"] for part in predict(card(), config)["result"]} == {0}


@every_config
@settings(max_examples=40, deadline=None)
@given(st.lists(documents(), min_size=1, max_size=4), st.randoms())
def test_pages_come_back_as_they_were_each_in_its_place(name, drawn, shuffler):
    config = parse_label_config(config_xml(name).replace('value="$image"', 'valueList="$image"', 1))
    # Some of five may be missing: they cannot be read.
    places = sorted(shuffler.sample(range(5), len(drawn)))
    pages = {PageId("card", place): document for place, (document, _) in zip(places, drawn, strict=True)}
    shuffled = dict(shuffler.sample(list(pages.items()), len(pages)))

    prediction = to_prediction(shuffled, config, model_version="v1")

    assert [part["item_index"] for part in prediction["result"]] == sorted(
        part["item_index"] for part in prediction["result"]
    )
    regions = from_result(prediction["result"], config)
    assert len({region.id for region in regions}) == len(regions)
    for place, (document, runs) in zip(places, drawn, strict=True):
        own = [region for region in regions if region.page == PageId("card", place)]
        assert [(region.label, region.text) for region in own] == [(run.field, run.text) for run in runs]
        sizes = {(region.original_width, region.original_height) for region in own}
        assert sizes <= {(document.page.width, document.page.height)}
    # Nothing was changed, page by page.
    assert diff(prediction["result"], shuffler.sample(prediction["result"], len(prediction["result"])), config) == ()


def test_an_empty_page_does_not_make_a_document_uncertain():
    config = parse_label_config(config_xml("rectanglelabels").replace('value="$image"', 'valueList="$image"'))
    blank = Document(Page(10, 10, ()), (), 0.0, "engine", "model")
    pages = {PageId("card", 0): card(), PageId("card", 1): blank}

    assert to_prediction(pages, config, model_version="v1")["score"] == card().score
    assert to_prediction({PageId("card", 0): blank}, config, model_version="v1")["score"] == 0.0


@pytest.mark.parametrize("angle", [-0.9, -0.3, 0.5, 0.99, 359.5])
def test_a_line_that_is_almost_level_gets_upright_regions(angle):
    line = line_at(Frame(100, 100, 200, 20, angle), [(0, 80), (100, 200)], ["a", "b"])
    document = Document(Page(500, 500, (line,)), (Entity("NAME", "a", line.words[0].box, 1.0, 0, 1),), 1, "e", "m")
    config = parse_label_config(config_xml("rectanglelabels"))

    regions = from_result(predict(document, config)["result"], config)

    assert [region.rotation for region in regions] == [0, 0]
    for region, word in zip(regions, line.words, strict=True):
        assert Box.of_polygon(region.polygon).iou(word.box) > 0.99


def test_a_line_that_is_upside_down_is_read_from_its_own_start():
    line = line_at(Frame(300, 200, 200, 20, 180), [(0, 80), (100, 200)], ["first", "second"])
    document = Document(Page(500, 500, (line,)), (Entity("NAME", "first", line.words[0].box, 1.0, 0, 1),), 1, "e", "m")
    config = parse_label_config(config_xml("rectanglelabels"))

    first, second = from_result(predict(document, config)["result"], config)

    assert (first.text, first.rotation, second.rotation) == ("first", 180, 180)
    assert math.dist(first.polygon[0], (300, 200)) < 0.01
    assert math.dist(second.polygon[0], (200, 200)) < 0.01


@every_config
def test_what_stands_over_the_edge_is_cut_to_the_page(name):
    line = line_at(Frame(-5, 190, 420, 20), [(0, 420)], ["wide"])
    config = parse_label_config(config_xml(name))

    (region,) = from_result(predict(Document(Page(400, 200, (line,)), (), 1, "e", "m"), config)["result"], config)

    box = Box.of_polygon(region.polygon)
    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx((0, 190, 400, 200))


def test_a_line_outside_the_page_becomes_a_sliver_that_can_be_deleted():
    line = line_at(Frame(500, 300, 50, 20), [(0, 50)], ["lost"])
    config = parse_label_config(config_xml("rectanglelabels"))

    (region,) = from_result(predict(Document(Page(400, 200, (line,)), (), 1, "e", "m"), config)["result"], config)

    box = Box.of_polygon(region.polygon)
    assert (box.x1, box.y1) == pytest.approx((400, 200))
    assert (box.width, box.height) == pytest.approx((1, 1))


@settings(max_examples=50, deadline=None)
@given(documents(), st.sampled_from(list(CONFIGS)), st.sets(st.sampled_from(FIELDS)))
def test_every_word_is_in_exactly_one_region(drawn, name, labels):
    document, _ = drawn
    config = parse_label_config(config_xml(name, tuple(sorted(labels)) or ("LOGO",)))

    regions = from_result(predict(document, config)["result"], config)

    texts = [region.text or "" for region in regions]
    assert " ".join(texts) == " ".join(word.text for word in document.page.words)


def test_an_entity_brings_its_own_spelling_of_a_value_that_the_engine_broke():
    box = Box(0, 0, 100, 10)
    words = (Word("ann@example", Box(0, 0, 70, 10), 1.0), Word(".com", Box(72, 0, 100, 10), 1.0))
    line = Line("ann@example .com", box.polygon(), 1.0, words)
    document = Document(Page(500, 500, (line,)), (Entity("EMAIL", "ann@example.com", box, 1.0, 0, 2),), 1, "e", "m")
    config = parse_label_config(config_xml("labels+rectangle", ("EMAIL",)))
    regions = from_result(to_regions(document, config.targets[0]), config)
    assert [(region.label, region.text) for region in regions] == [("EMAIL", "ann@example.com")]
