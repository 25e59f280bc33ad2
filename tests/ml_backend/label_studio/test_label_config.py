"""Labelling configurations."""

from __future__ import annotations

import pytest

from ml_backend.errors import LabelConfigError
from ml_backend.label_studio.label_config import Label, PageId, parse_label_config

IMAGE = '<Image name="image" value="$image"/>'
LABELS = '<Label value="NAME"/><Label value="PHONE" predicted_values="tel, mobile"/>'
TEXT = '<TextArea name="text" toName="image" perRegion="true"/>'


def only_target(xml):
    (target,) = parse_label_config(f"<View>{xml}</View>").targets
    return target


def test_rectangle_labels_draw_and_label_at_once():
    target = only_target(f'{IMAGE}<RectangleLabels name="box" toName="image">{LABELS}</RectangleLabels>{TEXT}')

    assert (target.image, target.value_key, target.kind, target.outline) == (
        "image",
        "image",
        "rectanglelabels",
        "rectangle",
    )
    assert (target.shape, target.label, target.text) == ("box", "box", "text")
    assert target.labels == (Label("NAME", (), "NAME"), Label("PHONE", ("tel", "mobile"), "PHONE"))


@pytest.mark.parametrize(("shape", "outline"), [("Rectangle", "rectangle"), ("Polygon", "polygon")])
def test_labels_and_shape_apart(shape, outline):
    target = only_target(
        f'<Labels name="field" toName="image">{LABELS}</Labels>{IMAGE}<{shape} name="drawn" toName="image"/>{TEXT}'
    )

    assert (target.kind, target.outline) == ("labels", outline)
    assert (target.shape, target.label, target.text) == ("drawn", "field", "text")


def test_polygon_labels():
    target = only_target(f'{IMAGE}<PolygonLabels name="p" toName="image">{LABELS}</PolygonLabels>{TEXT}')

    assert (target.kind, target.outline, target.shape, target.label) == ("polygonlabels", "polygon", "p", "p")


def test_tags_are_found_in_nested_views_and_in_any_case():
    target = only_target(
        f'<View style="x"><image name="image" value="$image"/></View><Collapse><Panel><View>'
        f'<rectanglelabels name="box" toName="image">{LABELS}</rectanglelabels></View></Panel></Collapse>{TEXT}'
    )

    assert target.shape == "box"
    assert len(target.labels) == 2


def test_several_images_have_controls_of_their_own_or_share_them():
    config = parse_label_config(
        '<View><Image name="front" value="$front"/><Image name="back" value="$sides.back"/>'
        f'<RectangleLabels name="box" toName="front,back">{LABELS}</RectangleLabels>'
        '<TextArea name="front_text" toName="front" perRegion="true"/>'
        '<TextArea name="back_text" toName="back" perRegion="true"/></View>'
    )

    assert [(target.image, target.shape, target.text) for target in config.targets] == [
        ("front", "box", "front_text"),
        ("back", "box", "back_text"),
    ]
    back = config.target("back")
    assert back is not None
    assert back.pages({"front": "/a.png", "sides": {"back": "/b.png"}}) == {PageId("back"): "/b.png"}
    assert config.target("side") is None


def test_an_image_without_controls_is_left_out():
    config = parse_label_config(
        f'<View>{IMAGE}<Image name="logo" value="$logo"/>'
        f'<RectangleLabels name="box" toName="image">{LABELS}</RectangleLabels></View>'
    )

    assert [target.image for target in config.targets] == ["image"]


def test_the_text_goes_into_the_text_area_per_region_that_always_shows():
    target = only_target(
        f'{IMAGE}<RectangleLabels name="box" toName="image">{LABELS}</RectangleLabels>'
        '<TextArea name="notes" toName="image"/>'
        '<TextArea name="other" toName="elsewhere" perRegion="true"/>'
        '<TextArea name="phone_only" toName="image" perRegion="true" whenLabelValue="PHONE"/>'
        '<TextArea name="text" toName="image" perRegion="TRUE"/>'
    )

    assert target.text == "text"


def test_without_a_text_area_regions_are_only_labelled():
    assert only_target(f'{IMAGE}<RectangleLabels name="b" toName="image">{LABELS}</RectangleLabels>').text is None


def test_without_labels_regions_are_only_transcribed():
    target = only_target(f'{IMAGE}<Rectangle name="b" toName="image"/>{TEXT}')

    assert (target.label, target.labels, target.text) == (None, (), "text")


def test_an_alias_stands_in_results_and_the_title_stays_known():
    target = only_target(
        f'{IMAGE}<RectangleLabels name="b" toName="image"><Label value="Telephone" alias="t1"/></RectangleLabels>'
    )

    assert target.labels == (Label("t1", (), "Telephone"),)


def test_labels_of_the_task_are_added_to_those_of_the_configuration():
    target = only_target(
        f'{IMAGE}<RectangleLabels name="b" toName="image" value="$labels"><Label value="NAME"/></RectangleLabels>'
    )
    data = {"labels": [{"value": "PHONE", "predicted_values": "tel"}, {"value": "NAME"}, "FAX", {"nothing": 1}, 7]}

    assert target.labels_key == "labels"
    assert [label.value for label in target.for_task(data).labels] == ["NAME", "PHONE", "FAX"]
    assert target.for_task(data).labels[1].predicted_values == ("tel",)
    assert target.for_task({}).labels == target.labels
    assert target.for_task({"labels": "NAME"}).labels == target.labels


def test_a_list_of_images_is_noted():
    target = only_target(
        f'<Image name="image" valueList="$pages"/><RectangleLabels name="b" toName="image">{LABELS}</RectangleLabels>'
    )

    assert target.value_list
    first, third = PageId("image", 0), PageId("image", 2)
    assert target.pages({"pages": ["/1.png", None, "/3.png"]}) == {first: "/1.png", third: "/3.png"}
    assert target.pages({"pages": "/1.png"}) == {first: "/1.png"}
    assert target.value_of(["/1.png"]) == ["/1.png"]


def test_without_a_value_list_the_first_image_is_the_one_that_is_shown():
    target = only_target(f'{IMAGE}<RectangleLabels name="b" toName="image">{LABELS}</RectangleLabels>')

    assert target.pages({"image": [None, "/1.png", "/2.png"]}) == {PageId("image"): "/1.png"}
    assert target.value_of(["/1.png"]) == "/1.png"
    with pytest.raises(ValueError, match="too many values"):
        target.value_of(["/1.png", "/2.png"])


@pytest.mark.parametrize(
    "data", [{}, {"image": None}, {"image": 3}, {"image": ""}, {"image": {}}], ids=lambda data: str(data)
)
def test_a_task_without_an_address_gives_none(data):
    target = only_target(f'{IMAGE}<RectangleLabels name="b" toName="image">{LABELS}</RectangleLabels>')

    assert target.pages(data) == {}


def test_a_key_with_a_dot_is_looked_up_whole_first():
    target = only_target(f'<Image name="image" value="$a.b"/><Rectangle name="r" toName="image"/>{TEXT}')

    assert list(target.pages({"a.b": "/whole", "a": {"b": "/nested"}}).values()) == ["/whole"]


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "not XML",
        "<View>",
        "<View/>",
        f'<View><RectangleLabels name="b" toName="image">{LABELS}</RectangleLabels></View>',
        f"<View>{IMAGE}{TEXT}</View>",
        f'<View>{IMAGE}<Labels name="l" toName="image">{LABELS}</Labels>{TEXT}</View>',
        f'<View>{IMAGE}<Rectangle name="r" toName="image"/></View>',
        f'<View>{IMAGE}<RectangleLabels name="b" toName="other">{LABELS}</RectangleLabels></View>',
        '<View><Text name="text" value="$text"/><Labels name="l" toName="text"><Label value="A"/></Labels></View>',
        f'<View><Image name="image" value="https://example.com/a"/><Rectangle name="r" toName="image"/>{TEXT}</View>',
    ],
)
def test_what_cannot_be_used_is_refused_with_the_remedy(xml):
    with pytest.raises(LabelConfigError) as caught:
        parse_label_config(xml)

    assert "RectangleLabels" in caught.value.hint


def test_entities_are_refused_before_they_grow():
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><View>&b;</View>'

    with pytest.raises(LabelConfigError):
        parse_label_config(bomb)


def test_an_external_entity_is_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("<Label value='SECRET'/>")

    with pytest.raises(LabelConfigError):
        parse_label_config(f'<!DOCTYPE x [<!ENTITY s SYSTEM "file://{secret}">]><View>{IMAGE}&s;</View>')
