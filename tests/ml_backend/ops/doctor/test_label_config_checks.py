"""What the doctor says of a labelling configuration, control by control, and of regions that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.label_studio.records import Project
from ml_backend.ops.doctor.project_checks import PROJECT_CHECKS
from ml_backend.ops.doctor.results import CheckResult, examine
from ml_backend.ops.doctor.targets import ProjectLink
from ml_backend.settings import Settings
from tests.ml_backend.backend import RECTANGLES
from tests.ml_backend.label_studio.test_convert import OFFICIAL


@dataclass
class OneProject:
    """Label Studio, of which a check asks for the project alone."""

    label_config: str

    def project(self, project_id: int) -> Project:
        return Project(project_id, "", self.label_config, "", "", 0)


def results(make_settings: object, check: str, xml: str, skipped: Mapping[str, int] | None = None) -> list[CheckResult]:
    def count(project_id: int, config: LabelConfig) -> Mapping[str, int]:
        assert (project_id, len(config.targets)) == (3, 1)
        return skipped or {}

    settings: Settings = make_settings()  # type: ignore[operator]
    link = ProjectLink(settings, OneProject(xml), 3, lambda *_: 0, skipped=count)  # type: ignore[arg-type]
    return list(examine([each for each in PROJECT_CHECKS if each.name == check], link))


def test_each_control_without_pre_labels_is_named_with_its_reason(make_settings: object) -> None:
    xml = RECTANGLES.replace("</View>", '<Brush name="b" toName="image"/><Choices name="c" toName="image"/></View>')
    found = [str(each.found) for each in results(make_settings, "label-config", xml)]
    assert found[:2] == [
        '<Brush name="b"> gets no pre-labels: its regions have no outline of a text, and nothing is learned from them.',
        '<Choices name="c"> gets no pre-labels: it is about the whole document, and stays as people leave it.',
    ]
    assert any("NAME ← NAME" in each for each in found)


def test_the_label_for_text_is_said_to_be_one(make_settings: object) -> None:
    found = results(make_settings, "label-config", OFFICIAL)
    assert 'Lines of no field are "Text".' in [str(each.found) for each in found]
    assert any("names yet: Handwriting" in str(each.found) for each in found)


def test_what_the_configuration_asks_for_is_said(make_settings: object) -> None:
    asked = RECTANGLES.replace('value="$image"', 'value="$image" preLabels="values"')
    said = [[str(each.found) for each in results(make_settings, "label-config", xml)] for xml in (asked, RECTANGLES)]
    assert set(said[0]) - set(said[1]) == {
        'Lines of no field are not pre-labelled, as preLabels="values" of the <Image> tag asks.'
    }


@pytest.mark.parametrize(
    ("xml", "warns"),
    [
        (RECTANGLES, False),
        (RECTANGLES.replace(' perRegion="true"', ""), True),
        (RECTANGLES.replace('perRegion="true"', 'perRegion="true" whenLabelValue="NAME"'), False),
    ],
)
def test_only_a_configuration_without_any_control_for_texts_is_warned_about(
    make_settings: object, xml: str, warns: bool
) -> None:
    found = [each for each in results(make_settings, "label-config", xml) if "misreadings" in str(each.found)]
    assert [each.state for each in found] == ["warning"] * warns


def test_regions_that_cannot_be_used_are_counted_by_the_reason(make_settings: object) -> None:
    (fine,) = results(make_settings, "regions", RECTANGLES)
    assert (fine.state, str(fine.found)) == ("ok", "All annotated regions can be used.")
    (warned,) = results(make_settings, "regions", RECTANGLES, {"it has no extent": 2, "a brush": 3})
    assert warned.state == "warning"
    assert "5 annotated regions" in str(warned.found)
    assert "a brush (3); it has no extent (2)" in str(warned.found)
    (nothing,) = results(make_settings, "regions", "<View/>", {"it has no extent": 2})
    assert nothing.state == "skipped"
