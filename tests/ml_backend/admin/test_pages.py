import re
import threading
import time
from types import SimpleNamespace

import pytest

from ml_backend.i18n import keep, say
from ml_backend.learn.promotion import REASON_TAG, Versions
from ml_backend.learn.sample_files import SampleFolder
from ml_backend.store.annotations import ASKED, LearningStore
from ml_backend.store.engine import StoreBusyError
from ml_backend.store.label_errors import Doubt, LabelErrors, LabelSuspect
from ml_backend.store.options import ProjectOptions
from ml_backend.store.panel_actions import ActionStore
from ml_backend.store.patience import wait_together
from ml_backend.store.records import Correction, StoredAnnotation
from ml_backend.store.rescorings import RescoringStore
from ml_backend.store.runs import RunStore
from ml_backend.store.task_failures import TaskFailures
from model.registry.tracking import RUN_TAG, Tracking
from model.registry.versions import Registry
from tests.conftest import card_png
from tests.ml_backend.backend import RECTANGLES
from tests.ml_backend.store.test_annotations import annotation
from tests.ml_backend.store.test_patience import locked

OVERVIEW = "/admin/projects/7/"
PREDICTION = {"result": [], "model_version": "cards-241df1e8.f52e5d", "score": 0.8}


@pytest.fixture
def learning(store):
    return LearningStore(store.engine)


def annotate(learning, count, *corrections, **changes):
    items: list[tuple[StoredAnnotation, tuple[Correction, ...]]] = []
    for number in range(1, count + 1):
        values = {"project_id": 7, "task_id": number, "problem": None} | changes
        items.append((annotation(number, **values), corrections))
    learning.save(items)


def register(settings, folder, f1, **more):
    """A version without weights: nothing here loads one."""
    draft = folder / f"draft-{f1}"
    draft.mkdir()
    (draft / "model.txt").write_text(str(f1))
    tracking = Tracking(settings.tracking_uri, settings.models_dir)
    run = tracking.begin(7, 1, "run 1")
    run.metrics({"challenger_f1_NAME": f1, "champion_f1_NAME": 0.5, "challenger_f1_micro": f1})
    tags = {RUN_TAG: "1", "f1": str(f1), "documents": "60", "decision": "kept", "reason": "<b>not better</b>"} | more
    return Registry(tracking).register(draft, 7, run, tags)


def test_the_overview_counts_what_there_is_to_learn_from_and_says_the_next_step(visitor, learning):
    annotate(learning, 1)
    page = visitor.get(OVERVIEW).text
    assert re.search(r'class="figure">1<span> / 2</span>', page)
    assert "Label Studio is unreachable." in page


def test_the_overview_says_how_far_open_tasks_are_predicted(visitor, store):
    RescoringStore(store.engine).note_checked(7, "v1", open_tasks=1200, lacking=901)
    TaskFailures(store.engine).note(7, 5, "image_fetch", "The host does not answer.")
    page = visitor.get(OVERVIEW).text
    assert "900 of 1,200 open tasks wait for their prediction; about 15 minutes left" in page
    assert (
        "1 open tasks have no prediction: the image could not be fetched. Of the latest: The host does not answer."
        in page
    )
    RescoringStore(store.engine).note_checked(7, "v1", open_tasks=1200, lacking=0)
    TaskFailures(store.engine).clear(7)
    assert "every open task has its prediction" in visitor.get(OVERVIEW).text


def test_a_run_in_progress_is_shown_and_can_be_followed(visitor, store):
    runs = RunStore(store.engine)
    run = runs.add_run(7, "asked for", True, "f" * 64, 60)
    runs.claim_run(run.id)
    runs.report(run.id, "train", 30, 120, 0.25, 42.0)
    shown = visitor.get(OVERVIEW + "progress", headers={"Accept": "application/json"}).json
    assert shown["active"]
    assert shown["stage"] == "Training the extractor"
    assert shown["detail"] == "step 30 of 120, loss 0.250, about 42 seconds left"
    assert 0.15 < shown["share"] < 0.85
    assert "step 30 of 120" in visitor.get(OVERVIEW).text
    runs.finish(run.id, "finished", "kept", None, "not better")
    assert not visitor.get(OVERVIEW + "progress").json["active"]


def test_a_button_shows_what_came_of_it(visitor, learning):
    learning.note_synced(7, cursor=None, compared=True)
    answer, _, _ = visitor.press(OVERVIEW, "rescore")
    page = visitor.get(answer.location).text
    assert "Rescore: done" in page
    assert learning.project(7).rescored_version == ASKED


def test_a_button_that_fails_shows_why(visitor):
    answer, _, _ = visitor.press(OVERVIEW, "train")
    page = visitor.get(answer.location).text
    assert "Train: failed" in page
    assert "There is no annotated document to learn from." in page


def test_a_double_click_on_train_makes_one_run(visitor, learning, store):
    annotate(learning, 3)
    _, address, fields = visitor.press(OVERVIEW, "train")
    assert visitor.http.post(address, data=fields).status_code == 303
    assert len(RunStore(store.engine).runs(7)) == 1


def test_versions_stand_side_by_side_with_their_fields_and_the_gates_reason(visitor, settings, registry, tmp_path):
    register(settings, tmp_path, 0.75)
    register(settings, tmp_path, 0.875)
    page = visitor.get(OVERVIEW + "versions").text
    assert "&lt;b&gt;not better&lt;/b&gt;" in page
    assert re.search(r"NAME</th>.*0\.875.*0\.750", page, re.DOTALL)


def test_versions_name_fields_as_the_project_does(visitor, settings, store, registry, tmp_path):
    ProjectOptions(store.engine).remember_label_config(7, RECTANGLES.replace('value="NAME"', 'value="Ansprechpartner"'))
    why = say("{field} changes by {change:+.3f}, {allowed:+.3f} is allowed", field="NAME", change=-0.3, allowed=-0.15)
    register(settings, tmp_path, 0.75, **{REASON_TAG: keep(why)})
    Versions(registry, RunStore(store.engine)).promote(7, 1, by="gate", reason=why)
    page = visitor.get(OVERVIEW + "versions").text
    assert re.search(r"Ansprechpartner</th>.*0\.750", page, re.DOTALL)
    assert page.count("Ansprechpartner changes by -0.300") == 2
    assert "NAME" not in page


def test_the_gates_reasons_are_shown_in_the_visitors_language(visitor, settings, store, registry, tmp_path):
    why = say("{found} held-out documents of {least} needed", found=3, least=10)
    register(settings, tmp_path, 0.7, cer="0.0123", **{REASON_TAG: keep(why)})
    Versions(registry, RunStore(store.engine)).promote(7, 1, by="gate", reason=why)
    page = visitor.get(OVERVIEW + "versions", headers={"Accept-Language": "ru"}).text
    assert page.count("Отложенных документов 3, а нужно 10") + page.count("отложенных документов 3, а нужно 10") == 2
    assert "проверка после обучения" in page
    assert "1,23%" in page


def test_errors_are_said_in_the_visitors_language(visitor):
    answer, _, _ = visitor.press(OVERVIEW, "sync")
    page = visitor.get(answer.location, headers={"Accept-Language": "ru"}).text
    assert "Label Studio не указан." in page
    assert "Задайте LABEL_STUDIO_URL и LABEL_STUDIO_API_KEY." in page


def test_promoting_and_rolling_back_is_written_down_with_who_did_it(visitor, settings, store, registry, tmp_path):
    version = register(settings, tmp_path, 0.75)
    visitor.press(OVERVIEW + "versions", "promote")
    assert registry.champion(7) == version
    answer, _, _ = visitor.press(OVERVIEW + "versions", "rollback")
    assert "The weights that ship serve again" in visitor.get(answer.location).text
    assert registry.champion(7) is None
    history = RunStore(store.engine).promotions(7)
    assert [(each.by, each.version) for each in history] == [("panel", None), ("panel", version.number)]


def test_a_rollback_that_another_person_did_meanwhile_is_not_done_again(visitor, settings, store, registry, tmp_path):
    versions = Versions(registry, RunStore(store.engine))
    for f1 in (0.5, 0.75):
        versions.promote(7, register(settings, tmp_path, f1).number, by="test", reason="")
    page = OVERVIEW + "versions"
    found = re.search(r'action="([^"]*rollback)"(.*?)</form>', visitor.get(page).text, re.DOTALL)
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', found[2]))
    versions.rollback(7, by="somebody else", reason="")
    answer = visitor.http.post(found[1], data=fields)
    assert "The serving version has changed" in visitor.get(answer.location).text
    assert registry.champion(7).number == 1


def test_two_clicks_on_roll_back_go_back_one_step(visitor, settings, store, registry, tmp_path):
    versions = Versions(registry, RunStore(store.engine))
    for f1 in (0.25, 0.5, 0.75):
        versions.promote(7, register(settings, tmp_path, f1).number, by="test", reason="")
    found = re.search(r'action="([^"]*rollback)"(.*?)</form>', visitor.get(OVERVIEW + "versions").text, re.DOTALL)
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', found[2]))
    clicks = [threading.Thread(target=visitor.http.post, args=(found[1],), kwargs={"data": fields}) for _ in range(2)]
    [click.start() for click in clicks]
    [click.join() for click in clicks]
    actions = ActionStore(store.engine)
    deadline = time.monotonic() + 60
    while any(each.state == "running" for each in actions.latest(7)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert registry.champion(7).number == 2


def test_corrections_are_shown_before_and_after(visitor, learning):
    correction = Correction("text", "a", "NAME", "NAME", "Lov<elace", "Lovelace", (1, 2, 3, 4))
    annotate(learning, 1, correction, prediction=PREDICTION, model_version="x", cost=1)
    page = visitor.get(OVERVIEW + "corrections").text
    assert "<del>Lov&lt;elace</del>" in page
    assert "<ins>Lovelace</ins>" in page


def test_documents_of_an_application_are_called_what_it_calls_them(visitor, learning, store, settings, monkeypatch):
    monkeypatch.setitem(vars(settings), "label_studio_url", "http://127.0.0.1:1")
    annotate(learning, 1, task_data={"image": "a.png", "contact_id": "crm-17"})
    annotate(learning, 1, task_id=-936606851054444, source="import", id=-1)
    annotate(learning, 1, task_id=-936606851054445, source="api", id=-2, task_data={"contact_id": "crm-18"})
    page = visitor.get(OVERVIEW + "corrections").text
    assert re.findall("<h2>(.*?)</h2>", page) == ["crm-17", "Imported document", "crm-18"]
    assert page.count("feedback of an application") == 1
    assert "-936606851054444" not in page

    def suspect(stored: StoredAnnotation) -> LabelSuspect:
        doubts = (Doubt("Ada", "", "NAME", 0.9, box=(1, 2, 3, 4)),)
        return LabelSuspect(stored.task_id, stored.id, stored.digest, "v1", 0.9, doubts, stored.updated_at)

    LabelErrors(store.engine, learning).save(7, [suspect(each) for each in learning.annotations([1, -1, -2])])
    page = visitor.get(OVERVIEW + "label-errors").text
    assert sorted(re.findall("<h2>(.*?)</h2>", page)) == ["Imported document", "crm-17", "crm-18"]
    assert page.count("/data?task=") == 1, "there is nothing to open in Label Studio for what was never there"


def test_the_place_of_a_doubt_is_shown_on_an_image_that_came_with_feedback(
    visitor, learning, store, settings, panel, monkeypatch
):
    folder = SampleFolder(settings.training_data_dir)
    address = folder.address(7, folder.keep_image(7, card_png("Maria Petrova")))
    project = SimpleNamespace(label_config=RECTANGLES)
    monkeypatch.setattr(panel.queries, "label_studio", SimpleNamespace(project=lambda _: project, projects=list))
    annotate(learning, 1, id=-1, task_id=-5, source="api", task_data={"image": address, "contact_id": "crm-17"})
    (stored,) = learning.annotations([-1])
    doubts = (Doubt("Maria", "", "NAME", 0.9, box=(40, 40, 300, 80)),)
    suspect = LabelSuspect(stored.task_id, stored.id, stored.digest, "v1", 0.9, doubts, stored.updated_at)
    LabelErrors(store.engine, learning).save(7, [suspect])
    (picture,) = re.findall('src="([^"]*/crops/[^"]*)"', visitor.get(OVERVIEW + "label-errors").text)
    answer = visitor.get(picture)
    assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")
    assert visitor.get(picture.replace("/-5/", "/-6/")).status_code == 404


def test_corrections_come_a_page_at_a_time(visitor, learning):
    annotate(learning, 10)
    assert "Page 1 of 2" in visitor.get(OVERVIEW + "corrections").text
    assert visitor.get(OVERVIEW + "corrections?page=1").text.count("<article") == 2
    assert visitor.get(OVERVIEW + "corrections?page=nonsense").status_code == 200


def test_plots_are_drawn_from_what_people_did(visitor, learning, settings, registry, tmp_path):
    result = [{"id": n, "type": "labels", "value": {"labels": ["NAME"]}, "score": 0.8} for n in range(4)]
    prediction = {"result": result, "model_version": "cards-241df1e8.f52e5d"}
    correction = Correction("field", "1", "NAME", "COMPANY", "x", "x")
    more = {"prediction": prediction, "model_version": "cards-241df1e8.f52e5d", "cost": 1, "result": result}
    annotate(learning, 12, correction, **more)
    register(settings, tmp_path, 0.75)
    page = visitor.get(OVERVIEW + "plots").text
    assert page.count("<svg") == 3
    assert "Corrections per document, in the order of annotation: 1.0 at first, 1.0 lately." in page
    assert "The curve appears after two training runs." in page


def test_without_data_the_plots_say_what_is_missing(visitor):
    page = visitor.get(OVERVIEW + "plots").text
    assert "<svg" not in page
    assert page.count("The chart appears") + page.count("The curve appears") + page.count("There is ") == 4


def test_the_doctor_says_that_all_links_hold_only_where_no_open_task_lacks_a_prediction(visitor, monkeypatch):
    from ml_backend.admin import pages
    from ml_backend.ops.doctor.examination import Examined
    from ml_backend.ops.doctor.results import CheckResult

    waits = CheckResult("open-tasks", say("Open tasks"), "running", say("No worker has looked at the open tasks yet."))
    monkeypatch.setattr(pages, "examine_everything", lambda *_, **__: iter([Examined(say("Project"), waits, 7)]))
    page = visitor.http.post(OVERVIEW + "doctor", data={"form": visitor.secret(OVERVIEW)}).text
    assert "All links hold." not in page
    assert "No link is broken; open tasks lack predictions." in page


def test_the_doctor_writes_its_findings_into_the_page(visitor, monkeypatch):
    from ml_backend.admin import pages

    monkeypatch.setattr(pages, "examine_everything", lambda *_, **__: iter([]))
    assert "All links hold." in visitor.http.post(
        OVERVIEW + "doctor", data={"form": visitor.secret(OVERVIEW)}
    ).text  # fmt: skip


@pytest.mark.parametrize("number", [2**63, 10**40])
@pytest.mark.parametrize("page", ["", "progress", "plots", "corrections", "recommendations", "patterns", "versions"])
def test_a_number_that_no_store_holds_is_a_wrong_request(visitor, number, page):
    assert visitor.get(f"/admin/projects/{number}/{page}").status_code in (400, 404)


def test_a_page_beyond_all_pages_is_empty_or_refused(visitor):
    assert visitor.get(f"{OVERVIEW}corrections?page={10**30}").status_code in (200, 400)


def test_while_the_store_is_locked_no_version_is_moved(settings, store, registry, tmp_path):
    number = register(settings, tmp_path, 0.5).number
    wait_together(0.2)
    try:
        with locked(settings), pytest.raises(StoreBusyError):
            Versions(registry, RunStore(store.engine)).promote(7, number, by="test", reason="")
    finally:
        wait_together(None)
    assert registry.champion(7) is None
