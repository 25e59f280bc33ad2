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
    LABEL_KINDS,
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
        if "<Polygon" not in CONFIGS[name]:
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
        value = {key: item for key, item in part["value"].items() if key not in {"text", *LABEL_KINDS}}
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


def controls(config: str, document=None) -> dict[tuple[str | None, str], set[str]]:
    """Return the controls that the regions of a prediction go through, by label and text."""
    found = predict(document or card(), parse_label_config(config))["result"]
    parts = defaultdict(list)
    for part in found:
        parts[part["id"]].append(part)
    regions = {region.id: region for region in from_result(found, parse_label_config(config))}
    return {(regions[name].label, regions[name].text): {p["from_name"] for p in own} for name, own in parts.items()}


def test_each_label_goes_to_the_control_that_has_it():
    assert controls(config_xml("two groups", ("EMAIL", "PHONE"))) == {
        (None, "Tel."): {"who", "words"},
        ("PHONE", "+7 495 123"): {"field", "words"},
        (None, "E-mail"): {"who", "words"},
        ("EMAIL", "a@b.c"): {"who", "words"},
    }


def test_regions_without_a_label_go_to_the_rectangle_that_has_none():
    found = controls(config_xml("two groups and a rectangle", ("EMAIL", "PHONE")))

    assert found[None, "Tel."] == {"box", "words"}
    assert found["PHONE", "+7 495 123"] == {"outlined", "words"}
    assert found["EMAIL", "a@b.c"] == {"who", "words"}
    shapes = predict(card(), parse_label_config(config_xml("two groups and a rectangle", ("EMAIL", "PHONE"))))["result"]
    assert {part["from_name"] for part in shapes if "points" in part["value"]} == {"outlined", "words"}


def test_a_label_of_two_controls_goes_to_the_first_of_them():
    xml = config_xml("two groups", ("PHONE", "PHONE", "EMAIL"))

    assert controls(xml)["PHONE", "+7 495 123"] == {"who", "words"}


TEXTS = (
    '<View><Image name="card" value="$image"/><RectangleLabels name="field" toName="card"><Label value="PHONE"/>'
    '<Label value="EMAIL"/></RectangleLabels>{}</View>'
)


def text(name, **more):
    conditions = "".join(f' {key}="{value}"' for key, value in more.items())
    return f'<TextArea name="{name}" toName="card" perRegion="true"{conditions}/>'


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        # A control for each label: a region without a label shows none, and Label Studio would drop its text.
        ([text("p", whenLabelValue="PHONE"), text("e", whenLabelValue="EMAIL")], ("p", "e", None)),
        ([text("p", whenLabelValue="PHONE"), text("e", whenLabelValue="EMAIL"), text("r")], ("p", "e", "r")),
        ([text("r"), text("p", whenLabelValue="PHONE"), text("e", whenLabelValue="EMAIL")], ("p", "e", "r")),
        ([text("both", whenLabelValue="PHONE,EMAIL")], ("both", "both", None)),
        # One with an extra for some.
        ([text("p", whenLabelValue="PHONE"), text("r")], ("r", "r", "r")),
        ([text("e", whenLabelValue="EMAIL")], (None, "e", None)),
        # The name of a control alone hides nothing.
        ([text("f", whenTagName="field")], ("f", "f", "f")),
        ([text("f", whenTagName="field", visibleWhen="region-selected")], ("f", "f", None)),
        ([text("o", whenTagName="field"), text("r")], ("r", "r", "r")),
        ([text("c", visibleWhen="choice-selected", whenTagName="kind", whenChoiceValue="A")], (None, None, None)),
        ([text("c", whenChoiceValue="A"), text("r")], ("r", "r", "r")),
        (
            [
                f'<View visibleWhen="region-selected" whenLabelValue="PHONE">{text("p")}</View>',
                f'<View visibleWhen="region-selected" whenTagName="field" whenLabelValue="EMAIL">{text("e")}</View>',
            ],
            ("p", "e", None),
        ),
        # Kept by Label Studio, but shown only once a person has chosen: better than none.
        ([f'<View visibleWhen="choice-selected" whenTagName="kind">{text("c")}</View>'], ("c", "c", "c")),
        ([f'<View visibleWhen="choice-selected" whenTagName="kind">{text("c")}</View>', text("r")], ("r", "r", "r")),
        ([f'<View visibleWhen="no-region-selected">{text("n")}</View>'], (None, None, None)),
    ],
)
def test_the_text_goes_to_the_control_that_is_shown_for_the_label(texts, expected):
    config = parse_label_config(TEXTS.format("".join(texts)))

    result = predict(card(), config)["result"]

    labels = {part["id"]: part["value"]["rectanglelabels"] for part in result if part["type"] == "rectanglelabels"}
    found = {name: {None} for name in ("PHONE", "EMAIL", "")}
    for part in result:
        if part["type"] == "textarea":
            found["".join(labels[part["id"]])] = {part["from_name"]}
    assert tuple(found[name] for name in ("PHONE", "EMAIL", "")) == tuple({name} for name in expected)


@pytest.mark.parametrize(
    ("name", "asked", "shown", "expected"),
    [
        ("rectanglelabels", "", False, 4),
        ("rectanglelabels", "", True, 2),
        ("rectanglelabels", ' preLabels="values"', False, 2),
        ("labels+rectangle", ' preLabels="Values"', False, 2),
        ("labels+rectangle", ' preLabels="all"', True, 4),
        ("two groups", ' preLabels="what?"', True, 2),
    ],
)
def test_values_alone_are_pre_labelled_where_the_project_wants_no_more(name, asked, shown, expected):
    xml = config_xml(name).replace('value="$image"', f'value="$image"{asked}')
    config = parse_label_config(xml)

    result = to_prediction({PageId("card"): card()}, config, model_version="v", values_only=shown)["result"]

    regions = from_result(result, config)
    assert len(regions) == expected
    assert [region.text for region in regions if region.label] == ["+7 495 123", "a@b.c"]
    LabelInterface(xml).validate()


def test_without_fields_every_line_is_wanted():
    rectangles = '<Rectangle name="r" toName="card"/><TextArea name="t" toName="card" perRegion="true"/></View>'
    for xml in (
        f'<View><Image name="card" value="$i" preLabels="values"/>{rectangles}',
        config_xml("rectanglelabels", ("Text",)),
    ):
        config = parse_label_config(xml)
        result = to_prediction({PageId("card"): card()}, config, model_version="v", values_only=True)["result"]
        assert len(from_result(result, config)) == 1


OFFICIAL = (
    '<View><Image name="card" value="$ocr"/><Labels name="label" toName="card"><Label value="Text" background="green"/>'
    '<Label value="Handwriting" background="blue"/></Labels><Rectangle name="bbox" toName="card" strokeWidth="3"/>'
    '<Polygon name="poly" toName="card" strokeWidth="3"/><TextArea name="transcription" toName="card" editable="true" '
    'perRegion="true" required="true" maxSubmissions="1" rows="5" placeholder="Recognized Text" '
    'displayMode="region-list"/></View>'
)


def test_every_line_of_the_official_template_is_text():
    assert controls(OFFICIAL) == {("Text", "Tel. +7 495 123 E-mail a@b.c"): {"bbox", "label", "transcription"}}


def test_what_is_of_no_field_is_text_where_a_label_says_so():
    xml = config_xml("rectanglelabels", ("PHONE", "Other"))

    assert [(label, text) for label, text in controls(xml)] == [
        ("Other", "Tel."),
        ("PHONE", "+7 495 123"),
        ("Other", "E-mail a@b.c"),
    ]


def test_choices_relations_and_other_controls_do_no_harm():
    more = (
        '<Choices name="kind" toName="card"><Choice value="Invoice"/><Choice value="Letter"/></Choices>'
        '<Relations><Relation value="belongs to"/></Relations><Rating name="quality" toName="card"/>'
        '<Brush name="brush" toName="card"/><TextArea name="notes" toName="card"/></View>'
    )
    plain = config_xml("rectanglelabels")

    assert controls(plain.replace("</View>", more)) == controls(plain)


REPEATED = (
    '<View><Repeater on="$pages"{flag}><Image name="page_{{{{idx}}}}" value="$pages[{{{{idx}}}}].image"/>'
    '<RectangleLabels name="label_{{{{idx}}}}" toName="page_{{{{idx}}}}"><Label value="PHONE"/><Label value="EMAIL"/>'
    '</RectangleLabels><TextArea name="text_{{{{idx}}}}" toName="page_{{{{idx}}}}" perRegion="true"/></Repeater></View>'
)


@pytest.mark.parametrize("flag", ["{{idx}}", "{{page}}", "##"])
def test_pages_of_a_repeater_are_images_of_their_own(flag):
    xml = REPEATED.format(flag=f' indexFlag="{flag}"').replace("{{idx}}", flag)
    config = parse_label_config(xml)
    data = {"pages": [{"image": "/a.png"}, {"nothing": 1}, {"image": "/c.png"}]}
    (target,) = config.for_task(data).targets

    pages = target.pages(data)

    assert pages == {PageId("page_0", 0): "/a.png", PageId("page_2", 2): "/c.png"}
    prediction = to_prediction(dict.fromkeys(pages, card()), config.for_task(data), model_version="v1")
    assert {(part["to_name"], part["from_name"]) for part in prediction["result"]} == {
        (f"page_{page}", f"{control}_{page}") for page in (0, 2) for control in ("label", "text")
    }
    assert all("item_index" not in part for part in prediction["result"])
    regions = from_result(prediction["result"], config)
    assert [region.page for region in regions] == [PageId("page_0", 0)] * 4 + [PageId("page_2", 2)] * 4
    assert [region.label for region in regions] == [None, "PHONE", None, "EMAIL"] * 2
    assert len({region.id for region in regions}) == 8


@settings(max_examples=25, deadline=None)
@given(st.lists(documents(), min_size=1, max_size=12), st.randoms())
def test_pages_of_a_repeater_come_back_as_they_were(drawn, shuffler):
    config = parse_label_config(
        REPEATED.format(flag="").replace('<Label value="PHONE"/>', '<Label value="NAME"/><Label value="PHONE"/>')
    )
    pages = {PageId(f"page_{place}", place): document for place, (document, _) in enumerate(drawn)}
    shuffled = dict(shuffler.sample(list(pages.items()), len(pages)))

    result = to_prediction(shuffled, config, model_version="v1")["result"]

    regions = from_result(shuffler.sample(result, len(result)), config)
    for page, (_, runs) in zip(pages, drawn, strict=True):
        own = [(region.label, region.text) for region in regions if region.page == page]
        assert sorted(map(repr, own)) == sorted(repr((run.field, run.text)) for run in runs)
    # The pages stand in their order, the tenth behind the ninth.
    order = [int(part["to_name"].removeprefix("page_")) for part in result]
    assert order == sorted(order)
