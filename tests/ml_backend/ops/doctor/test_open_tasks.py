"""What the doctor says of open tasks: each with its prediction, under way, or why there is none."""

from datetime import datetime, timedelta, timezone

import pytest

from ml_backend.ops.doctor.project_checks import PROJECT_CHECKS, UNATTENDED
from ml_backend.ops.doctor.results import OPEN_TASKS, examine, lacks_predictions, worst
from ml_backend.ops.doctor.targets import ProjectLink
from ml_backend.store.coverage import LABEL_CONFIG, NOT_CONNECTED, VERSION, Coverage
from ml_backend.store.task_failures import FailureGroup

CHECK = tuple(check for check in PROJECT_CHECKS if check.name == OPEN_TASKS)


@pytest.fixture
def look(make_settings):
    def look(coverage):
        return list(examine(CHECK, ProjectLink(make_settings(), None, 3, lambda *_: 0, coverage=lambda _: coverage)))

    return look


def coverage(lacking=0, *, ago=timedelta(seconds=5), **more):
    return Coverage(3, "v1", 40, lacking, checked_at=datetime.now(timezone.utc) - ago, **more)


def test_all_is_well_only_where_nothing_lacks(look):
    (result,) = look(coverage())
    assert (result.state, str(result.found)) == ("ok", 'All 40 open tasks have a prediction of "v1".')
    assert not lacks_predictions(result)


def test_what_is_under_way_is_said_with_the_time_left_and_is_no_warning(look):
    (result,) = look(coverage(30, seconds_left=300.0, running=True))
    assert result.state == "running"
    assert str(result.found) == "30 of 40 open tasks wait for their prediction, for about 5 minutes."
    assert worst([result]) == "ok"
    assert lacks_predictions(result)


def test_what_nobody_works_on_is_a_warning(look):
    (result,) = look(coverage(30, ago=UNATTENDED + timedelta(minutes=1)))
    assert (result.state, "worker" in str(result.remedy)) == ("warning", True)


def test_tasks_without_a_prediction_are_a_warning_for_each_reason(look):
    failures = {
        "image_fetch": FailureGroup(3, "The host does not answer."),
        "too_large": FailureGroup(1, "The image has 90 megapixels."),
    }
    results = look(coverage(4, failures=failures))
    assert [result.state for result in results] == ["warning", "warning"]
    assert str(results[0].found) == (
        "3 open tasks have no prediction: the image could not be fetched. Of the latest: The host does not answer."
    )
    assert "too large" in str(results[1].found)
    assert all(lacks_predictions(result) for result in results)


def test_a_project_nobody_has_looked_at_is_a_warning(look):
    (result,) = look(None)
    assert result.state == "warning"


@pytest.mark.parametrize(
    ("problem", "state"), [(VERSION, "warning"), (NOT_CONNECTED, "skipped"), (LABEL_CONFIG, "skipped")]
)
def test_what_keeps_all_tasks_from_a_prediction_is_said(look, problem, state):
    (result,) = look(coverage(40, problem=problem, problem_text="It is so."))
    assert (result.state, str(result.found)) == (state, "No open task is predicted: It is so.")
