"""Labelling configurations that people have already: pre-labelled, shown by the editor, corrected and read back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

from ml_backend.label_studio.records import Prediction
from ml_backend.label_studio.uploads import upload
from ml_backend.projects.setup import ProjectPlan, ensure_project
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from tests.e2e.browser import WAIT_SECONDS, logged_in
from tests.e2e.conftest import System
from tests.e2e.projects import new_project, printed_cards
from tests.e2e.waiting import until

#: Two groups of labels, and a control of its own for the texts of each label.
GROUPS = """<View>
<Image name="image" value="$image"/>
<RectangleLabels name="person" toName="image"><Label value="NAME"/><Label value="POSITION"/></RectangleLabels>
<RectangleLabels name="reach" toName="image"><Label value="TEL"/><Label value="EMAIL"/></RectangleLabels>
<TextArea name="name_text" toName="image" perRegion="true" whenLabelValue="NAME"/>
<TextArea name="tel_text" toName="image" perRegion="true" whenLabelValue="TEL"/>
<View visibleWhen="region-selected" whenTagName="reach" whenLabelValue="EMAIL">
<TextArea name="mail_text" toName="image" perRegion="true"/></View>
<TextArea name="rest" toName="image" perRegion="true"/>
</View>"""
#: The official template, with a choice for the whole document and relations.
OFFICIAL = """<View>
<Image name="image" value="$ocr"/>
<Labels name="label" toName="image"><Label value="Text" background="green"/>
<Label value="Handwriting" background="blue"/></Labels>
<Rectangle name="bbox" toName="image" strokeWidth="3"/><Polygon name="poly" toName="image" strokeWidth="3"/>
<TextArea name="transcription" toName="image" editable="true" perRegion="true" required="true" maxSubmissions="1"
 rows="5" placeholder="Recognized Text" displayMode="region-list"/>
<Choices name="kind" toName="image"><Choice value="Card"/><Choice value="Letter"/></Choices>
<Relations><Relation value="belongs to"/></Relations>
</View>"""
REPEATED = """<View><Repeater on="$pages" indexFlag="{{idx}}">
<Image name="page_{{idx}}" value="$pages[{{idx}}].image"/>
<RectangleLabels name="label_{{idx}}" toName="page_{{idx}}"><Label value="NAME"/><Label value="EMAIL"/>
</RectangleLabels><TextArea name="text_{{idx}}" toName="page_{{idx}}" perRegion="true"/></Repeater></View>"""
INDEXED = """<View><Image name="second" value="$scans[1]"/>
<RectangleLabels name="label" toName="second"><Label value="NAME"/><Label value="EMAIL"/></RectangleLabels>
<TextArea name="text" toName="second" perRegion="true"/></View>"""

CONFIGS = {"groups": GROUPS, "official": OFFICIAL, "repeated": REPEATED, "indexed": INDEXED}
#: What the editor would submit of a prediction that nobody has touched.
SERIALISED = """
const store = Htx.annotationStore;
const annotation = store.addAnnotationFromPrediction(store.predictions[0]);
store.selectAnnotation(annotation.id);
return annotation.serializeAnnotation();
"""


def task_data(name: str, urls: Sequence[str]) -> dict[str, Any]:
    if name == "repeated":
        return {"pages": [{"image": url} for url in urls]}
    if name == "indexed":
        return {"scans": list(urls)}
    return {"ocr" if name == "official" else "image": urls[0]}


def pre_labelled(system: System, folder: Path, name: str) -> tuple[int, Prediction]:
    """Make a project with a task of printed cards; return its number and the prediction that comes by itself."""
    project_id = new_project(system.client, label_config=CONFIGS[name])
    urls = [upload(system.client, project_id, path.read_bytes()) for path in printed_cards(folder, 2)]
    (task_id,) = system.client.import_tasks(project_id, [{"data": task_data(name, urls)}])
    ensure_project(system.client, ProjectPlan("", "", project_id=project_id), system.backend)
    found: list[Prediction] = []
    until(lambda: found.extend(system.client.predictions(task_id=task_id)) or found, "the prediction", 240)
    return project_id, found[0]


def controls(result: Sequence[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Return the controls that regions go through, by their text."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    texts: dict[str, str] = {}
    for part in result:
        names[part["id"]].add(part["from_name"])
        if part["type"] == "textarea":
            texts[part["id"]] = " ".join(part["value"]["text"])
    return {texts[number]: own for number, own in names.items()}


def as_submitted(browser: WebDriver, system: System, project_id: int, task_id: int) -> list[dict[str, Any]]:
    """Open a task in the editor; return what it would submit of the prediction."""
    browser.get(f"{system.url}/projects/{project_id}/data?task={task_id}")
    wait = WebDriverWait(browser, WAIT_SECONDS, ignored_exceptions=(WebDriverException,))
    wait.until(lambda window: window.execute_script("return window.Htx?.annotationStore?.predictions?.length > 0"))
    wait.until(
        lambda window: window.execute_script(
            "const objects = Htx.annotationStore.predictions[0].objects;"
            "return objects.length > 0 && objects.filter(each => each.type === 'image').every(each => each.isReady);"
        )
    )
    made: list[dict[str, Any]] = browser.execute_script(SERIALISED)
    return made


@pytest.fixture(scope="module")
def made(system: System, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, Prediction]]:
    return {name: pre_labelled(system, tmp_path_factory.mktemp(name), name) for name in CONFIGS}


def test_each_label_and_its_text_go_to_the_controls_that_show_them(made: dict[str, tuple[int, Prediction]]) -> None:
    found = controls(made["groups"][1].result)
    assert found["Maria Petrova"] == {"person", "name_text"}
    assert found["Field Engineer"] == {"person", "rest"}
    assert found["+49 30 5550 1200"] == {"reach", "tel_text"}
    assert found["maria@northwind.example"] == {"reach", "mail_text"}


def test_every_line_of_the_official_template_is_text(made: dict[str, tuple[int, Prediction]]) -> None:
    result = made["official"][1].result
    assert set(controls(result)) == {
        "Maria Petrova",
        "Field Engineer",
        "+49 30 5550 1200",
        "maria@northwind.example",
    }
    assert all(own == {"bbox", "label", "transcription"} for own in controls(result).values())
    assert {tuple(part["value"]["labels"]) for part in result if part["type"] == "labels"} == {("Text",)}


def test_pages_of_a_repeater_and_indexed_values_are_pre_labelled(made: dict[str, tuple[int, Prediction]]) -> None:
    result = made["repeated"][1].result
    texts = {(part["to_name"], *part["value"]["text"]) for part in result if part["type"] == "textarea"}
    assert {("page_0", "+49 30 5550 1200"), ("page_1", "+49 30 5550 1201")} <= texts
    assert {(part["to_name"][5:], part["from_name"][6:]) for part in result if part["type"] != "textarea"} == {
        ("0", "0"),
        ("1", "1"),
    }
    result = made["indexed"][1].result
    assert ["+49 30 5550 1201"] in [part["value"].get("text") for part in result]
    assert ["+49 30 5550 1200"] not in [part["value"].get("text") for part in result]


@pytest.fixture(scope="module")
def browser(system: System) -> Any:
    with logged_in(system) as window:
        yield window


@pytest.mark.parametrize("name", list(CONFIGS))
def test_the_editor_submits_all_of_a_prediction(
    system: System, made: dict[str, tuple[int, Prediction]], browser: WebDriver, name: str
) -> None:
    project_id, prediction = made[name]

    submitted = as_submitted(browser, system, project_id, prediction.task)

    def said(result: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str, object]]:
        kinds = ("text", "labels", "rectanglelabels")
        values = (
            (part, next((part["value"][key] for key in kinds if part["value"].get(key)), None)) for part in result
        )
        # A region without a label needs no part that says so.
        return sorted(
            (part["from_name"], part["to_name"], part["type"], str(value))
            for part, value in values
            if value is not None
        )

    assert said(submitted) == said(prediction.result)


def test_a_text_that_is_corrected_in_the_control_of_its_label_is_learned(
    system: System, made: dict[str, tuple[int, Prediction]]
) -> None:
    _, prediction = made["groups"]
    result = [dict(part) for part in prediction.result]
    (wrong,) = (part for part in result if part["from_name"] == "mail_text")
    wrong["value"] = wrong["value"] | {"text": ["mariya@northwind.example"]}
    number = system.client.create_annotation(prediction.task, result, parent_prediction=prediction.id).id

    store = Store(f"sqlite:///{system.run_dir / 'store.sqlite3'}")
    try:
        learning = LearningStore(store.engine)
        until(lambda: learning.corrections(number), "the sync of the annotation")
        (correction,) = learning.corrections(number)
    finally:
        store.close()
    assert (correction.kind, correction.text_before, correction.text_after, correction.field_after) == (
        "text",
        "maria@northwind.example",
        "mariya@northwind.example",
        "EMAIL",
    )
