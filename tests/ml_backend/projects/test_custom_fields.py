"""A project's own fields in its labelling configuration."""

import pytest

from ml_backend.errors import LabelConfigError
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.templates import business_cards_config
from ml_backend.projects.custom_fields import with_label
from ml_backend.store.options import CustomField
from tests.ml_backend.backend import LABELS, POLYGONS, RECTANGLES
from tests.ml_backend.label_studio.documents import config_xml


def labels(config):
    return parse_label_config(config).targets[0].labels


@pytest.mark.parametrize("config", [RECTANGLES, LABELS, POLYGONS, business_cards_config()])
def test_a_label_is_added_behind_the_others(config):
    after = with_label(config, CustomField("VAT_ID", ("USt-IdNr", "ИНН")))
    assert labels(after)[:-1] == labels(config)
    assert labels(after)[-1].value == "VAT_ID"
    assert labels(after)[-1].predicted_values == ("USt-IdNr", "ИНН")


def test_adding_it_again_changes_nothing_and_other_names_replace_those_before():
    field = CustomField("VAT_ID", ("USt-IdNr",))
    once = with_label(RECTANGLES, field)
    assert with_label(once, field) == once
    assert labels(with_label(once, CustomField("VAT_ID")))[-1].predicted_values == ()


def test_a_label_of_another_group_is_found_there():
    config = config_xml("two groups", ("NAME", "PHONE"))
    assert with_label(config, CustomField("PHONE")) == config
    after = with_label(config, CustomField("PHONE", ("Tel",)))
    assert [each.predicted_values for each in labels(after)] == [(), ("Tel",)]
    groups = parse_label_config(with_label(config, CustomField("VAT_ID"))).targets[0].groups
    assert [[each.value for each in group.labels] for group in groups] == [["NAME", "VAT_ID"], ["PHONE"]]


def test_comments_and_everything_else_stay():
    config = RECTANGLES.replace("<RectangleLabels", "<!-- ours --><Header value='a &amp; b'/><RectangleLabels")
    after = with_label(config, CustomField("VAT_ID"))
    assert "<!-- ours -->" in after
    assert "a &amp; b" in after
    assert parse_label_config(after).targets[0].text_of(None) == "text"


def test_names_that_mean_something_in_xml_are_safe():
    name = 'A & B <"x">\''
    assert labels(with_label(RECTANGLES, CustomField(name)))[-1].value == name


def test_where_nothing_labels_it_is_said():
    config = """<View><Image name="image" value="$image"/><Rectangle name="bbox" toName="image"/>
    <TextArea name="text" toName="image" perRegion="true"/></View>"""
    with pytest.raises(LabelConfigError, match="no control that labels"):
        with_label(config, CustomField("VAT_ID"))


def test_what_declares_entities_is_refused():
    with pytest.raises(LabelConfigError):
        with_label("<!DOCTYPE x [<!ENTITY a 'b'>]>" + RECTANGLES, CustomField("VAT_ID"))
