"""Label Studio's results, as people and other programs leave them, to regions."""

from __future__ import annotations

import copy
import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_backend.label_studio.geometry import directions, frame_of_polygon, polygon_area
from ml_backend.label_studio.label_config import PageId, parse_label_config
from ml_backend.label_studio.regions import Skipped, from_result, read_result
from model.document.types import Box
from tests.ml_backend.label_studio.documents import config_xml, documents

CONFIG = parse_label_config(config_xml("rectanglelabels"))
SHAPE = {"x": 10.0, "y": 20.0, "width": 30.0, "height": 10.0, "rotation": 0}


def part(kind="rectanglelabels", value=None, **more):
    names = {"textarea": "words", "rectangle": "box", "polygon": "box"}
    return {
        "id": "region-one",
        "type": kind,
        "from_name": names.get(kind, "field"),
        "to_name": "card",
        "original_width": 1000,
        "original_height": 500,
        "image_rotation": 0,
        "value": SHAPE | {"rectanglelabels": ["NAME"]} if value is None else value,
    } | more


TEXT = part("textarea", SHAPE | {"text": ["Anna Beispiel"]})


def only_region(result, config=CONFIG):
    (region,) = from_result(result, config)
    return region


def only_skipped(result, config=CONFIG):
    read = read_result(result, config)
    assert read.regions == ()
    (skipped,) = read.skipped
    return skipped.reason


def test_parts_with_one_id_are_one_region():
    region = only_region([part(), TEXT])

    assert region.polygon == ((100, 100), (400, 100), (400, 150), (100, 150))
    assert (region.id, region.image, region.label, region.text) == ("region-one", "card", "NAME", "Anna Beispiel")
    assert (region.original_width, region.original_height, region.rotation) == (1000, 500, 0)
    assert region.score is None


@settings(max_examples=40, deadline=None)
@given(documents(), st.sampled_from(["rectanglelabels", "labels+rectangle", "polygonlabels"]), st.randoms())
def test_the_order_of_the_parts_does_not_matter(drawn, name, shuffler):
    from ml_backend.label_studio.convert import to_prediction

    config = parse_label_config(config_xml(name))
    result = to_prediction({PageId("card"): drawn[0]}, config, model_version="v")["result"]
    shuffled = copy.copy(result)
    shuffler.shuffle(shuffled)

    assert sorted(map(repr, from_result(shuffled, config))) == sorted(map(repr, from_result(result, config)))


def test_labels_and_shape_apart():
    config = parse_label_config(config_xml("labels+rectangle"))
    result = [part("labels", SHAPE | {"labels": ["PHONE"]}), TEXT, part("rectangle", SHAPE)]

    assert (only_region(result, config).label, only_region(result, config).text) == ("PHONE", "Anna Beispiel")


def test_polygons():
    value = {"points": [[10, 10], [20, 12], [20, 20], [10, 18]], "closed": True, "polygonlabels": ["NAME"]}

    region = only_region([part("polygonlabels", value)], parse_label_config(config_xml("polygonlabels")))

    assert region.polygon == ((100, 50), (200, 60), (200, 100), (100, 90))
    assert region.rotation == 0


def test_rotated_rectangles_turn_clockwise_in_pixels_not_in_per_cents():
    region = only_region([part(value=SHAPE | {"rotation": 90})])

    assert region.polygon == ((100, 100), (100, 400), (50, 400), (50, 100))
    assert region.rotation == 90


@pytest.mark.parametrize(("rotation", "expected"), [(-90, 270), (360, 0), (450, 90), (None, 0)])
def test_rotations_are_brought_into_one_turn(rotation, expected):
    assert only_region([part(value=SHAPE | {"rotation": rotation})]).rotation == expected


def test_a_turned_view_leaves_the_coordinates_as_they_are():
    turned = only_region([part(image_rotation=90)])

    assert turned.polygon == only_region([part()]).polygon
    assert turned.view_rotation == 90


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (["one"], "one"),
        (["one", "two"], "one\ntwo"),
        ("plain", "plain"),
        ([""], ""),
        ([], None),
        (None, None),
        ([7], "7"),
    ],
)
def test_texts_in_every_form(text, expected):
    assert only_region([part(), part("textarea", SHAPE | {"text": text})]).text == expected


def test_a_text_without_a_shape_of_its_own_joins_the_region():
    assert only_region([part("textarea", {"text": ["x"]}), part()]).text == "x"


def test_the_text_of_another_control_is_not_the_regions_text():
    note = part("textarea", SHAPE | {"text": ["a note"]}, from_name="notes")

    assert only_region([part(), note]).text is None
    assert only_region([part(), note, TEXT]).text == "Anna Beispiel"


@pytest.mark.parametrize("labels", [[], None, [None], "NAME"])
def test_a_region_whose_label_was_removed_has_none(labels):
    assert only_region([part(value=SHAPE | {"rectanglelabels": labels}), TEXT]).label is None
    assert only_region([part(value=SHAPE), TEXT]).label is None


def test_a_region_of_which_only_the_text_is_left_is_still_there():
    region = only_region([TEXT])

    assert (region.label, region.text) == (None, "Anna Beispiel")
    assert region.polygon == only_region([part()]).polygon


def test_of_several_labels_the_first_counts():
    assert only_region([part(value=SHAPE | {"rectanglelabels": ["PHONE", "NAME"]})]).label == "PHONE"


def test_scores_of_a_prediction_are_kept():
    assert only_region([part(score=0.25), TEXT]).score == 0.25


@pytest.mark.parametrize("kind", ["brush", "brushlabels", "keypoint", "keypointlabels", "vectorlabels", "bitmask"])
def test_shapes_without_a_text_outline_are_skipped_with_a_reason(kind):
    value = {"x": 10, "y": 10, "radiusX": 5, "radiusY": 5, "width": 1, "height": 1}

    assert kind in only_skipped([part(kind, value), TEXT])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (SHAPE | {"width": 0}, "extent"),
        ({"points": [[1, 1], [2, 2]]}, "extent"),
        ({"points": []}, "extent"),
        ({"points": [[1, 1], [2, 2], [3, 3]]}, "extent"),
        ({"points": [[1, 1], [2], [3, 3]]}, "pairs"),
        ({"points": "1,1"}, "pairs"),
        (SHAPE | {"x": None}, "numbers"),
        (SHAPE | {"x": "ten"}, "numbers"),
        (SHAPE | {"x": "nan"}, "numbers"),
        (SHAPE | {"x": True}, "numbers"),
        ({"x": 1, "y": 1, "radiusX": 0, "radiusY": 2}, "extent"),
        ({"x": 1, "y": 1, "width": 5}, "outline"),
        ({}, "outline"),
        (SHAPE | {"width": float("nan")}, "numbers"),
        (SHAPE | {"rotation": "north"}, "numbers"),
    ],
)
def test_shapes_that_cannot_be_drawn_are_reported_not_raised(value, reason):
    assert reason in only_skipped([part(value=value)])


@pytest.mark.parametrize("size", [{"original_width": None}, {"original_height": 0}, {"original_width": "wide"}])
def test_without_the_size_of_the_image_there_are_no_pixels(size):
    (skipped,) = read_result([part(**size)], CONFIG).skipped
    assert "original_" in skipped.reason
    assert (skipped.needs_size, skipped.page) == (True, PageId("card"))


@pytest.mark.parametrize("size", [{"original_width": None}, {"original_height": 0}, {"original_width": "wide"}])
def test_the_size_of_the_image_is_taken_from_elsewhere(size):
    expected = only_region([part()])

    (read,) = from_result([part(**size)], CONFIG, {PageId("card"): (1000, 500)})
    assert read == expected
    (read, _) = from_result([part(**size), part(id="other")], CONFIG)
    assert read == expected
    # That of another page says nothing.
    assert from_result([part(**size), part(id="other", item_index=1)], CONFIG)[1:] == []


def test_what_other_programs_write_as_text_is_a_number_all_the_same():
    text = {key: str(number) for key, number in SHAPE.items()} | {"rectanglelabels": ["NAME"]}

    region = only_region([part(value=text, original_width="1000", original_height="500.0", item_index="2")])

    assert replace(region, item_index=0) == only_region([part()])
    assert region.item_index == 2


@pytest.mark.parametrize("rotation", [0, 90, 33.0])
@pytest.mark.parametrize(("across", "down"), [(-1, 1), (1, -1), (-1, -1)])
def test_rectangles_that_were_drawn_backwards_are_turned_round(rotation, across, down):
    width, height = 30.0 * across, 10.0 * down
    forwards = SHAPE | {"rotation": rotation, "rectanglelabels": ["NAME"]}
    # The corner where a backward side begins is the one where it ends forwards, in pixels of 1000 × 500.
    along, below = directions(rotation)
    x = (100 + along[0] * (300 if across < 0 else 0) + below[0] * (50 if down < 0 else 0)) / 10
    y = (100 + along[1] * (300 if across < 0 else 0) + below[1] * (50 if down < 0 else 0)) / 5

    region = only_region([part(value=forwards | {"x": x, "y": y, "width": width, "height": height})])

    for found, expected in zip(region.polygon, only_region([part(value=forwards)]).polygon, strict=True):
        assert found == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["ellipse", "ellipselabels"])
def test_an_ellipse_is_what_it_encloses(kind):
    value = {"x": 25, "y": 25, "radiusX": 15, "radiusY": 5, "rotation": 0, kind: ["NAME"]}

    region = only_region([part(kind, value), part("textarea", value | {"text": ["Anna"]})])

    assert (region.text, region.label) == ("Anna", "NAME" if kind == "ellipselabels" else None)
    assert polygon_area(region.polygon) == pytest.approx(math.pi * 150 * 25)
    box = Box.of_polygon(region.polygon)
    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx((100, 100, 400, 150), abs=2)
    # Reading starts at the upper left.
    frame = frame_of_polygon(region.polygon)
    assert (frame.rotation, frame.width, frame.height) == pytest.approx((0, 300, 50), abs=4)


def test_a_turned_ellipse_stands_upright():
    value = {"x": 25, "y": 50, "radiusX": 15, "radiusY": 5, "rotation": 90, "ellipselabels": ["NAME"]}

    box = Box.of_polygon(only_region([part("ellipselabels", value)]).polygon)

    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx((225, 100, 275, 400), abs=2)


def test_where_a_region_lies_that_cannot_be_used_is_known_where_it_says_so():
    dot = part("keypointlabels", {"x": 10, "y": 20, "width": 1, "keypointlabels": ["NAME"]}, id="dot")
    flat = part(value=SHAPE | {"height": 0}, id="flat")
    dots = part("polygonlabels", {"points": [[10, 20], [40, 20]]}, id="dots")
    unknown = part("bitmask", {"imageDataURL": "data:,"}, id="mask")

    found = {each.id: each for each in read_result([dot, flat, dots, unknown], CONFIG).skipped}

    assert found["dot"].area == ((100, 100),)
    assert set(found["flat"].area) == {(100, 100), (400, 100)}
    assert found["dots"].area == ((100, 100), (400, 100))
    assert found["mask"].area is None
    assert {each.page for each in found.values()} == {PageId("card")}
    assert (found["dot"].width, found["dot"].height) == (1000, 500)


def test_what_is_on_another_object_of_the_configuration_says_nothing_about_the_image():
    config = parse_label_config(config_xml("rectanglelabels").replace("</View>", '<Audio name="a" value="$a"/></View>'))

    known = read_result([part("labels", {"start": 1, "end": 2, "labels": ["NAME"]}, to_name="a")], config).skipped[0]
    lost = read_result([part(to_name="an_image_that_was_renamed")], config).skipped[0]

    assert (known.is_elsewhere, lost.is_elsewhere, lost.page) == (True, False, None)


def test_of_two_controls_that_name_a_region_the_first_of_the_configuration_counts():
    config = parse_label_config(config_xml("two groups", ("NAME", "HANDWRITTEN")))
    parts = [
        part(value=SHAPE | {"rectanglelabels": ["HANDWRITTEN"]}),
        part(value=SHAPE | {"rectanglelabels": ["NAME"]}, from_name="who"),
    ]

    assert only_region(parts, config).label == only_region(parts[::-1], config).label == "NAME"


@pytest.mark.parametrize("order", [1, -1])
def test_a_corrected_text_is_read_from_the_control_of_its_label(order):
    config = parse_label_config(config_xml("a text for each label"))

    def texts(*written):
        parts = [part("textarea", SHAPE | {"text": [text]}, from_name=name) for name, text in written]
        return only_region([part(), *parts][::order], config).text

    assert texts(("NAME text", "Anna")) == "Anna"
    assert texts(("words", "generic"), ("NAME text", "Anna")) == "Anna"
    # Left over from the label that the region had before.
    assert texts(("PHONE text", "123"), ("NAME text", "Anna")) == "Anna"
    assert texts(("PHONE text", "123")) == "123"


def test_regions_on_another_object_are_reported():
    assert "object" in only_skipped([part(to_name="audio")])


def test_one_bad_region_does_not_take_the_others_with_it():
    read = read_result([part(value=SHAPE | {"width": 0}, id="bad"), part()], CONFIG)

    assert [region.id for region in read.regions] == ["region-one"]
    assert read.skipped == (Skipped("bad", "it has no extent"),)


def test_relations_and_answers_about_the_whole_image_are_passed_over():
    result = [
        {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"},
        part("choices", {"choices": ["readable"]}, id="choice"),
        part("textarea", {"text": ["about all of it"]}, id="comment"),
        part(),
    ]

    read = read_result(result, CONFIG)

    assert [region.id for region in read.regions] == ["region-one"]
    assert read.skipped == ()


def test_parts_without_an_id_are_regions_of_their_own():
    regions = from_result([part(id=None), part(id="")], CONFIG)

    assert len({region.id for region in regions}) == 2


def test_pages_of_a_list_keep_their_number():
    assert only_region([part(item_index=2)]).item_index == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_nothing_in_a_result_makes_the_reader_fail(data):
    result = [part(), copy.deepcopy(TEXT), part("polygonlabels", {"points": [[1, 1], [5, 1], [5, 5]]}, id="p")]
    for _ in range(data.draw(st.integers(1, 3))):
        broken = data.draw(st.sampled_from(result))
        if not isinstance(broken, dict):
            continue
        inner = broken.get("value")
        broken = inner if isinstance(inner, dict) and data.draw(st.booleans()) else broken
        broken[data.draw(st.sampled_from([*broken, "text", "item_index"]))] = data.draw(JSON)
    result.insert(random.Random(0).randrange(3), data.draw(JSON))

    read = read_result(result, CONFIG)

    assert all(region.original_width > 0 for region in read.regions)
