"""Labelling configurations."""

from __future__ import annotations

import pytest

from ml_backend.errors import LabelConfigError
from ml_backend.label_studio import label_config
from ml_backend.label_studio.label_config import Label, PageId, parse_label_config, unserved_controls

IMAGE = '<Image name="image" value="$image"/>'
LABELS = '<Label value="NAME"/><Label value="PHONE" predicted_values="tel, mobile"/>'
TEXT = '<TextArea name="text" toName="image" perRegion="true"/>'


def only_target(xml):
    (target,) = parse_label_config(f"<View>{xml}</View>").targets
    return target


def only_group(target):
    (group,) = target.groups
    return group


def text_of(target, label=None):
    return target.text_of(label)


def test_rectangle_labels_draw_and_label_at_once():
    target = only_target(f'{IMAGE}<RectangleLabels name="box" toName="image">{LABELS}</RectangleLabels>{TEXT}')

    group = only_group(target)
    assert (target.image, target.value_key, group.kind, group.outline) == (
        "image",
        "image",
        "rectanglelabels",
        "rectangle",
    )
    assert (group.shape, group.label, text_of(target)) == ("box", "box", "text")
    assert target.labels == (Label("NAME", (), "NAME"), Label("PHONE", ("tel", "mobile"), "PHONE"))


@pytest.mark.parametrize(("shape", "outline"), [("Rectangle", "rectangle"), ("Polygon", "polygon")])
def test_labels_and_shape_apart(shape, outline):
    target = only_target(
        f'<Labels name="field" toName="image">{LABELS}</Labels>{IMAGE}<{shape} name="drawn" toName="image"/>{TEXT}'
    )

    group = only_group(target)
    assert (group.kind, group.outline) == ("labels", outline)
    assert (group.shape, group.label, text_of(target)) == ("drawn", "field", "text")


def test_polygon_labels():
    target = only_target(f'{IMAGE}<PolygonLabels name="p" toName="image">{LABELS}</PolygonLabels>{TEXT}')

    group = only_group(target)
    assert (group.kind, group.outline, group.shape, group.label) == ("polygonlabels", "polygon", "p", "p")


def test_tags_are_found_in_nested_views_and_in_any_case():
    target = only_target(
        f'<View style="x"><image name="image" value="$image"/></View><Collapse><Panel><View>'
        f'<rectanglelabels name="box" toName="image">{LABELS}</rectanglelabels></View></Panel></Collapse>{TEXT}'
    )

    assert only_group(target).shape == "box"
    assert len(target.labels) == 2


def test_several_images_have_controls_of_their_own_or_share_them():
    config = parse_label_config(
        '<View><Image name="front" value="$front"/><Image name="back" value="$sides.back"/>'
        f'<RectangleLabels name="box" toName="front,back">{LABELS}</RectangleLabels>'
        '<TextArea name="front_text" toName="front" perRegion="true"/>'
        '<TextArea name="back_text" toName="back" perRegion="true"/></View>'
    )

    assert [(target.image, only_group(target).shape, text_of(target)) for target in config.targets] == [
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

    assert {text_of(target, label) for label in (None, "NAME", "PHONE")} == {"text"}


def test_without_a_text_area_regions_are_only_labelled():
    assert only_target(f'{IMAGE}<RectangleLabels name="b" toName="image">{LABELS}</RectangleLabels>').texts == ()


def test_without_labels_regions_are_only_transcribed():
    target = only_target(f'{IMAGE}<Rectangle name="b" toName="image"/>{TEXT}')

    assert (only_group(target).label, target.labels, text_of(target)) == (None, (), "text")


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

    assert only_group(target).labels_key == "labels"
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
    assert target.task_data(["/1.png"]) == {"pages": ["/1.png"]}


def test_without_a_value_list_the_first_image_is_the_one_that_is_shown():
    target = only_target(f'{IMAGE}<RectangleLabels name="b" toName="image">{LABELS}</RectangleLabels>')

    assert target.pages({"image": [None, "/1.png", "/2.png"]}) == {PageId("image"): "/1.png"}
    assert target.task_data(["/1.png"]) == {"image": "/1.png"}
    with pytest.raises(ValueError, match="too many values"):
        target.task_data(["/1.png", "/2.png"])


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
    ("value", "data", "expected"),
    [
        ("$images[0]", {"images": ["/0.png", "/1.png"]}, "/0.png"),
        ("$images[1]", {"images": ["/0.png", "/1.png"]}, "/1.png"),
        ("$pages[1].image", {"pages": [{}, {"image": "/1.png"}]}, "/1.png"),
        ("$a.b[0].c[1]", {"a": {"b": [{"c": ["/0.png", "/1.png"]}]}}, "/1.png"),
        ("$images[2]", {"images": ["/0.png", "/1.png"]}, None),
        ("$images[0]", {"images": {"0": "/0.png"}}, None),
        ("$images[0]", {"images[0]": "/whole.png"}, "/whole.png"),
        ("$images[99999999999]", {"images": ["/0.png"]}, None),
    ],
)
def test_an_index_leads_into_a_list(value, data, expected):
    target = only_target(f'<Image name="image" value="{value}"/><Rectangle name="r" toName="image"/>{TEXT}')

    assert list(target.pages(data).values()) == ([expected] if expected else [])


@pytest.mark.parametrize("value", ["$image", "$images[0]", "$images[2]", "$pages[1].image", "$a.b[0].c[1]", "$a.b"])
def test_a_task_can_be_made_that_shows_an_image(value):
    target = only_target(f'<Image name="image" value="{value}"/><Rectangle name="r" toName="image"/>{TEXT}')

    assert target.pages(target.task_data(["/1.png"])) == {PageId("image"): "/1.png"}


def repeated(value="$pages[{{idx}}].image", on="$pages", inner=""):
    return only_target(
        f'<Repeater on="{on}"><Image name="page_{{{{idx}}}}" value="{value}"/>{inner}'
        f'<RectangleLabels name="label_{{{{idx}}}}" toName="page_{{{{idx}}}}">{LABELS}</RectangleLabels>'
        '<TextArea name="text_{{idx}}" toName="page_{{idx}}" perRegion="true"/></Repeater>'
    )


@pytest.mark.parametrize(
    ("target", "data"),
    [
        (repeated(), {"pages": [{"image": "/0.png"}, {"image": "/1.png"}]}),
        (repeated("$pages[{{idx}}]"), {"pages": ["/0.png", "/1.png"]}),
        (
            repeated("$doc.pages[{{idx}}].a.b", "$doc.pages"),
            {"doc": {"pages": [{"a": {"b": u}} for u in ("/0.png", "/1.png")]}},
        ),
    ],
)
def test_a_repeater_shows_an_image_for_each_entry_of_a_list(target, data):
    assert target.pages(data) == {PageId("page_0", 0): "/0.png", PageId("page_1", 1): "/1.png"}
    assert target.is_paged
    assert target.task_data(["/0.png", "/1.png"]) == data
    assert target.page(1) == PageId("page_1", 1)
    assert [label.value for label in target.labels] == ["NAME", "PHONE"]


@pytest.mark.parametrize(
    "name", ["page_", "page_x", "page_01", "page_1x", "page_-1", "page_١", "page_1000000", "image"]
)
def test_an_image_that_no_repeater_makes_has_no_target(name):
    assert repeated().of_image(name) is None


@pytest.mark.parametrize("pages", [None, "x", {}, [], 7, [None, 3, {}]])
def test_a_repeater_without_a_list_shows_nothing(pages):
    assert repeated().pages({"pages": pages}) == {}


def test_one_image_beside_a_repeater_keeps_its_place():
    config = parse_label_config(
        '<View><Repeater on="$pages"><Image name="page_{{idx}}" value="$pages[{{idx}}]"/>'
        '<Rectangle name="r_{{idx}}" toName="page_{{idx}}"/>'
        '<TextArea name="t_{{idx}}" toName="page_{{idx}}" perRegion="true"/></Repeater>'
        '<Image name="cover" value="$cover"/><Rectangle name="r" toName="cover"/>'
        '<TextArea name="t" toName="cover" perRegion="true"/></View>'
    )
    pages = [PageId("cover"), PageId("page_10", 10), PageId("page_9", 9)]

    assert config.in_order(pages) == [PageId("page_9", 9), PageId("page_10", 10), PageId("cover")]
    assert [config.target(page.image).groups[0].shape for page in pages] == ["r", "r_10", "r_9"]


UNSERVED = """
<Choices name="kind" toName="image"><Choice value="A"/></Choices>
<Brush name="brush" toName="image"/><KeyPointLabels name="dots" toName="image"><Label value="X"/></KeyPointLabels>
<EllipseLabels name="rounds" toName="image"><Label value="X"/></EllipseLabels>
<Polygon name="poly" toName="image"/><TextArea name="notes" toName="image"/>
<TextArea name="second" toName="image" perRegion="true"/>
<TextArea name="late" toName="image" perRegion="true" whenChoiceValue="A"/>
<RectangleLabels name="again" toName="image"><Label value="PHONE"/><Label value="FAX"/></RectangleLabels>
<Image name="logo" value="$logo"/><Text name="about" value="$about"/>
"""


def test_each_control_that_gets_no_pre_labels_has_its_reason():
    xml = f'<View>{IMAGE}<RectangleLabels name="box" toName="image">{LABELS}</RectangleLabels>{TEXT}{UNSERVED}</View>'

    found = {each.name: str(each.reason) for each in unserved_controls(xml)}

    assert list(found) == ["kind", "brush", "dots", "rounds", "notes", "second", "late", "again", "logo"]
    for name, reason in {
        "kind": "whole document",
        "brush": "no outline of a text",
        "rounds": "ellipses",
        "notes": "perRegion",
        "second": "same regions",
        "late": "after a choice",
        "again": "PHONE",
        "logo": "no control draws",
    }.items():
        assert reason in found[name], name


def test_where_everything_is_served_nothing_is_said():
    xml = f'<View>{IMAGE}<RectangleLabels name="box" toName="image">{LABELS}</RectangleLabels>{TEXT}</View>'

    assert unserved_controls(xml) == []


def test_labels_that_nothing_draws_are_named():
    xml = (
        f'<View>{IMAGE}<RectangleLabels name="box" toName="image">{LABELS}</RectangleLabels>'
        '<Labels name="more" toName="image"><Label value="X"/></Labels></View>'
    )

    (only,) = unserved_controls(xml)
    assert (only.tag, only.name) == ("Labels", "more")
    assert "draws" in str(only.reason)


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


def shared(images, labels, controls=1):
    names = ",".join(f"i{number}" for number in range(images))
    tags = "".join(f'<Image name="i{number}" value="$i{number}"/>' for number in range(images))
    choice = "".join(f'<Label value="L{number}"/>' for number in range(labels))
    boxes = f'<RectangleLabels name="b" toName="{names}">{choice}</RectangleLabels>'
    texts = "".join(f'<TextArea name="t{number}" toName="{names}" perRegion="true"/>' for number in range(controls))
    return f"<View>{tags}{boxes}{texts}</View>"


def test_the_labels_of_a_control_are_read_once_however_many_images_it_is_for(monkeypatch):
    read = []
    monkeypatch.setattr(label_config, "_label", lambda attributes: read.append(1) or Label(attributes["value"]))
    targets = parse_label_config(shared(300, 50)).targets
    assert len(targets) == 300
    assert len(targets[-1].labels) == 50
    assert len(read) == 50


@pytest.mark.parametrize(
    "xml",
    [
        shared(label_config.MOST_IMAGES + 1, 1),
        shared(label_config.MOST_IMAGES, 1, controls=100),
        "<View>" * 300 + IMAGE + "</View>" * 300,
        f"<View><!--{'x' * label_config.MOST_CHARACTERS}-->{IMAGE}</View>",
    ],
    ids=["images", "controls", "levels", "characters"],
)
def test_what_would_take_longer_than_a_request_is_refused_with_what_is_allowed(xml):
    with pytest.raises(LabelConfigError, match=r"too large.*1,000 <Image> tags"):
        parse_label_config(xml)
