"""What a person changed is typed, and counted."""

import pytest

from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.learn.annotation_diff import diff
from tests.ml_backend.backend import POLYGONS, RECTANGLES
from tests.ml_backend.label_studio.results import polygon, region

CONFIG = parse_label_config(RECTANGLES)
NAME = region("a", (100, 50, 300, 80), "Maria Petrova", "NAME")
MAIL = region("b", (100, 100, 300, 130), "maria@northwind.example", "EMAIL")


def kinds(prediction, annotation, config=CONFIG):
    return [(correction.kind, correction.region_id) for correction in diff(prediction, annotation, config)]


def test_an_untouched_prediction_needs_no_correction():
    assert diff(NAME + MAIL, MAIL + NAME, CONFIG) == ()


def test_white_space_is_no_correction():
    assert kinds(NAME, region("a", (100, 50, 300, 80), " Maria  Petrova\n", "NAME")) == []


def test_another_text():
    (correction,) = diff(NAME, region("a", (100, 50, 300, 80), "Maria Petrowa", "NAME"), CONFIG)
    assert correction.kind == "text"
    assert (correction.text_before, correction.text_after) == ("Maria Petrova", "Maria Petrowa")
    assert (correction.field_before, correction.field_after) == ("NAME", "NAME")
    assert correction.box == pytest.approx((100, 50, 300, 80))


@pytest.mark.parametrize(("before", "after"), [("NAME", "COMPANY"), (None, "NAME"), ("NAME", None)])
def test_another_field(before, after):
    box = (100, 50, 300, 80)
    (correction,) = diff(region("a", box, "x", before), region("a", box, "x", after), CONFIG)
    assert (correction.kind, correction.field_before, correction.field_after) == ("field", before, after)


def test_a_region_added_and_one_deleted():
    assert kinds(NAME, MAIL) == [("added", "b"), ("deleted", "a")]


@pytest.mark.parametrize(
    ("box", "moved"), [((101, 50, 301, 80), False), ((100, 50, 330, 80), True), ((600, 300, 800, 330), True)]
)
def test_a_region_that_was_moved_is_still_the_same(box, moved):
    found = kinds(NAME, region("a", box, "Maria Petrova", "NAME"))
    assert found == ([("moved", "a")] if moved else [])


def test_several_changes_of_one_region_are_several_corrections():
    changed = region("a", (100, 50, 400, 80), "ACME Ltd", "COMPANY")
    assert kinds(NAME, changed) == [("text", "a"), ("field", "a"), ("moved", "a")]


def test_a_region_that_was_drawn_anew_in_its_place_is_the_same():
    assert kinds(NAME + MAIL, MAIL + region("new", (102, 50, 301, 81), "Maria Petrowa", "NAME")) == [("text", "new")]


def test_two_regions_made_one_are_one_that_grew_and_one_that_went():
    first = region("a", (100, 50, 200, 80), "Maria", "NAME")
    second = region("c", (205, 50, 300, 80), "Petrova", "NAME")
    assert kinds(first + second, NAME) == [("text", "a"), ("moved", "a"), ("deleted", "c")]


def test_closest_regions_belong_together():
    upper, lower = region("1", (100, 50, 300, 80), "one", "NAME"), region("2", (100, 65, 300, 95), "two", "NAME")
    drawn = region("x", (100, 64, 300, 94), "two", "NAME") + region("y", (100, 50, 300, 80), "one", "NAME")
    assert kinds(upper + lower, drawn) == []


def test_the_same_id_on_another_image_is_another_region():
    config = parse_label_config(
        '<View><Image name="front" value="$a"/><Image name="back" value="$b"/>'
        '<RectangleLabels name="label" toName="front,back"><Label value="NAME"/></RectangleLabels>'
        '<TextArea name="text" toName="front,back" perRegion="true"/></View>'
    )
    box = (100, 50, 300, 80)
    front, back = (region("a", box, "x", "NAME", image=image) for image in ("front", "back"))
    assert kinds(front, back, config) == [("added", "a"), ("deleted", "a")]


def test_polygons_are_compared_by_what_they_cover():
    config = parse_label_config(POLYGONS)
    points = [(100, 50), (300, 60), (298, 90), (98, 80)]
    before = polygon("a", points, "Maria", "NAME")
    assert kinds(before, polygon("b", points[2:] + points[:2], "Maria", "NAME"), config) == []
    crossing = [points[0], points[1], points[3], points[2], (500, 300)]
    assert kinds(before, polygon("a", crossing, "Maria", "NAME"), config) == [("moved", "a")]


def test_what_cannot_be_read_is_passed_over():
    assert kinds([{"type": "choices", "value": {}}, *NAME], NAME) == []


def test_a_text_that_is_corrected_in_the_control_of_its_label_is_a_correction() -> None:
    config = parse_label_config(
        '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image"><Label value="NAME"/>'
        '<Label value="EMAIL"/></RectangleLabels>'
        '<TextArea name="name" toName="image" perRegion="true" whenLabelValue="NAME"/>'
        '<TextArea name="mail" toName="image" perRegion="true" whenLabelValue="EMAIL"/></View>'
    )

    def written(text: str, control: str = "mail") -> list:
        return [
            part | ({"from_name": control} if part["type"] == "textarea" else {})
            for part in region("a", (100, 50, 300, 80), text, "EMAIL")
        ]

    assert diff(written("a@b.c"), written("a@b.c"), config) == ()
    (correction,) = diff(written("a@b.c"), written("anna@b.c"), config)
    assert (correction.kind, correction.text_before, correction.text_after) == ("text", "a@b.c", "anna@b.c")


def test_a_deleted_line_without_a_field_is_no_correction() -> None:
    line, value = region("a", (100, 50, 300, 80), "Thank you"), region("b", (100, 90, 300, 120), "a@b.c", "EMAIL")
    assert diff(line + value, value, CONFIG) == ()
    assert [each.kind for each in diff(line + value, line, CONFIG)] == ["deleted"]
    # Whoever only transcribes wants every line.
    config = parse_label_config(
        '<View><Image name="image" value="$i"/><Rectangle name="label" toName="image"/>'
        '<TextArea name="text" toName="image" perRegion="true"/></View>'
    )
    rectangles = [part | {"type": part["type"].replace("rectanglelabels", "rectangle")} for part in line]
    assert [each.kind for each in diff(rectangles, [], config)] == ["deleted"]


def test_a_region_without_a_size_is_compared_by_that_of_the_prediction() -> None:
    before = region("a", (100, 50, 300, 80), "a@b.c", "EMAIL")
    after = [part | {"original_width": None} for part in before]
    assert diff(before, after, CONFIG) == ()
