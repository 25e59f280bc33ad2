"""Label Studio's results, as people and other programs leave them, to regions."""

from __future__ import annotations

import copy
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_backend.label_studio.label_config import PageId, parse_label_config
from ml_backend.label_studio.regions import Skipped, from_result, read_result
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


@pytest.mark.parametrize("kind", ["ellipse", "ellipselabels", "brush", "brushlabels", "keypointlabels"])
def test_shapes_without_a_text_outline_are_skipped_with_a_reason(kind):
    value = {"x": 10, "y": 10, "radiusX": 5, "radiusY": 5, "width": 1, "height": 1}

    assert kind in only_skipped([part(kind, value), TEXT])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (SHAPE | {"width": 0}, "extent"),
        (SHAPE | {"height": -1}, "extent"),
        ({"points": [[1, 1], [2, 2]]}, "extent"),
        ({"points": []}, "extent"),
        ({"points": [[1, 1], [2, 2], [3, 3]]}, "extent"),
        ({"points": [[1, 1], [2], [3, 3]]}, "pairs"),
        ({"points": "1,1"}, "pairs"),
        (SHAPE | {"x": None}, "numbers"),
        (SHAPE | {"x": "10"}, "numbers"),
        (SHAPE | {"width": float("nan")}, "numbers"),
        (SHAPE | {"rotation": "north"}, "numbers"),
    ],
)
def test_shapes_that_cannot_be_drawn_are_reported_not_raised(value, reason):
    assert reason in only_skipped([part(value=value)])


@pytest.mark.parametrize("size", [{"original_width": None}, {"original_height": 0}, {"original_width": "wide"}])
def test_without_the_size_of_the_image_there_are_no_pixels(size):
    assert "original_" in only_skipped([part(**size)])


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
