"""Every open task gets a prediction of the version that serves, whatever made it lack one; what cannot be is said."""

from datetime import datetime, timedelta, timezone

import pytest

from ml_backend.errors import FileTooLargeError, ImageFetchError
from ml_backend.label_studio.records import MlBackend, Prediction
from ml_backend.order import rescoring
from ml_backend.predict.serving_models import ServingModels
from ml_backend.store.annotations import ASKED
from ml_backend.store.coverage import LABEL_CONFIG, NOT_CONNECTED, VERSION
from ml_backend.store.task_failures import RETRY_LONGEST, retry_delay
from tests.ml_backend.jobs.rescoring_world import NEW, OLD, URL, Board, KindReader

NEWER = "p3-v2-00000002.aaaaaa"
ELSEWHERE = MlBackend(9, 3, "http://127.0.0.1:1", "another", True, "CO", "", "another-1.0")


def predicted_once(world, project_id=3, version=NEW):
    """Tell whether each open task has exactly one prediction of a version."""
    return [n for n in world.made_by(version) if n in world.board.of(project_id).tasks] == sorted(
        world.board.open_ids(project_id)
    )


@pytest.mark.parametrize("shipped", [NEW, OLD])
def test_a_project_that_is_connected_before_it_has_tasks_gets_them_predicted_when_they_come(make, shipped):
    world = make(0)
    world.switch.now = ServingModels(3, KindReader(shipped, world.pages))
    world.board.model_version = "OCR"
    assert world.rescore() == "finished"
    world.board.add(1, 30)
    world.know_images(1, 30)
    world.rescore()
    assert predicted_once(world, version=shipped)
    assert (world.board.model_version, world.board.sampling) == (shipped, rescoring.UNCERTAINTY)
    assert world.scores.order(3).tasks == 30
    world.board.add(31, 2)
    world.know_images(31, 2)
    world.rescore()
    assert predicted_once(world, version=shipped)
    assert world.scores.order(3).tasks == 32


def test_a_project_with_some_predictions_gets_the_rest(make):
    world = make(80)
    world.board.predictions = [Prediction(task=n, model_version=NEW, result=(), score=0.5, id=n) for n in range(1, 9)]
    world.board.made, world.board.model_version = 8, NEW
    world.rescore()
    assert predicted_once(world)
    assert world.learning.project(3).rescored_version == NEW


def test_tasks_whose_predictions_label_studio_is_about_to_store_are_left_to_it(make):
    world = make(12)
    world.queue.answer_begun([3, 4], 60)
    world.rescore()
    assert world.made_by(NEW) == [1, 2, *range(5, 13)]
    world.queue.answer_begun([3], 60)
    world.queue.answer_begun([4], 0)
    world.rescore()
    assert 4 in world.made_by(NEW), "what an answer left out is predicted at the next look"
    assert 3 not in world.made_by(NEW)
    world.queue.answer_begun([3], 0)
    world.rescore()
    assert predicted_once(world)


def test_tasks_that_came_while_the_backend_was_down_are_found_without_an_event(make):
    world = make(5)
    world.rescore()
    world.board.add(6, 4)
    world.know_images(6, 4)
    assert world.learning.project(3).predict_at is not None, "the ticker has the project looked at without a reason"
    world.rescore()
    assert predicted_once(world)


def test_a_project_of_which_nothing_is_lacking_is_looked_at_again_after_a_while(make):
    world = make(5)
    world.rescore()
    assert world.rescore() == "nothing lacking"
    left = world.learning.project(3).predict_at - datetime.now(timezone.utc)
    assert timedelta(seconds=250) < left <= timedelta(seconds=300)


def test_who_connects_a_project_during_a_look_is_not_forgotten(make):
    world = make(3)
    world.rescore()
    count = world.board.open_count

    def connecting(project_id, **named):
        world.learning.look_after(project_id)
        return count(project_id, **named)

    world.board.open_count = connecting
    world.rescore()
    assert world.learning.project(3).predict_at is None, "which stands for now"


def test_a_version_that_changes_half_way_ends_with_the_new_one_everywhere(make, monkeypatch):
    world = make(40)
    monkeypatch.setattr(type(world.queue), "rescoring_workers", lambda _self: 0)
    assert world.rescorer.rescore(3) == "4 parts"
    push = world.rescorer.pusher.push
    done = []

    def replaced(*arguments, **named):
        done.append(push(*arguments, **named))
        if len(done) == 2:
            world.switch.now = ServingModels(3, KindReader(NEWER, world.pages))
        return done[-1]

    monkeypatch.setattr(type(world.rescorer.pusher), "push", lambda _self, *a, **n: replaced(*a, **n))
    world.work()
    assert 0 < len(world.made_by()) < 40
    assert world.made_by(NEWER) == []
    world.rescore()
    assert predicted_once(world, version=NEWER)
    assert world.board.model_version == NEWER
    assert world.coverages.of(3).lacking == 0


def with_another(make, count, other):
    world = make(count)
    world.board.other = Board(other, number=4, first=10_001)
    world.know_images(10_001, other)
    return world


def test_many_tasks_of_one_project_do_not_starve_another(make):
    world = with_another(make, 300, 60)
    world.rescorer.rescore(3)
    world.rescorer.rescore(4)
    world.work()
    assert predicted_once(world, 3)
    assert predicted_once(world, 4)
    first_of_other, *_, last_of_other = [at for at, item in enumerate(world.board.predictions) if item.task > 10_000]
    assert first_of_other <= 2 * 25
    assert last_of_other < 60 + 8 * 25, "the two take turns, part by part"


def test_a_few_tasks_of_another_project_go_before_the_many(make):
    world = with_another(make, 300, 3)
    world.rescorer.rescore(3)
    world.rescorer.rescore(4)
    world.work()
    assert {item.task for item in world.board.predictions[:3]} == {10_001, 10_002, 10_003}


def test_those_that_are_served_next_come_first(make):
    world = make(20)
    world.rescore()
    served = world.board.order(NEW)
    world.switch.now = ServingModels(3, KindReader(NEWER, world.pages))
    world.rescore()
    assert [item.task for item in world.board.predictions if item.model_version == NEWER] == served


def test_a_failure_is_kept_with_its_reason_and_tried_again_later_while_the_others_go_on(make, monkeypatch):
    world = make(6)
    world.images.images["i2"] = ImageFetchError("The host does not answer.")
    world.images.images["i3"] = FileTooLargeError("The image has more than 50 MB.")
    world.rescore()
    assert world.made_by() == [1, 4, 5, 6]
    assert world.board.model_version == NEW
    coverage = world.coverages.of(3)
    assert (coverage.open_tasks, coverage.lacking, coverage.waiting) == (6, 2, 0)
    assert {reason: (group.count, group.message) for reason, group in coverage.failures.items()} == {
        "image_fetch": (1, "The host does not answer."),
        "too_large": (1, "The image has more than 50 MB."),
    }
    asked = len(world.images.asked)
    assert world.rescore() == "nothing lacking"
    assert len(world.images.asked) == asked, "not before its time"
    assert world.learning.project(3).predict_at <= world.failures.of(3)[2].retry_at + timedelta(seconds=1)
    world.know_images(2, 1)
    moment = datetime.now(timezone.utc) + timedelta(minutes=2)

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return moment

    monkeypatch.setattr(rescoring, "datetime", Later)
    world.rescore()
    assert world.made_by() == [1, 2, 4, 5, 6]
    assert {number: each.tries for number, each in world.failures.of(3).items()} == {3: 2}


def test_a_failed_task_that_is_annotated_or_deleted_is_no_failure_any_more(make):
    world = make(3)
    world.images.images["i2"] = world.images.images["i3"] = ImageFetchError("The host does not answer.")
    world.rescore()
    world.board.annotated.add(2)
    del world.board.tasks[3]
    world.rescore()
    assert world.failures.of(3) == {}
    assert world.coverages.of(3).lacking == 0


def test_a_person_who_asks_has_failures_tried_at_once(make):
    world = make(2)
    world.images.images["i2"] = ImageFetchError("The host does not answer.")
    world.rescore()
    world.know_images(2, 1)
    world.learning.set_rescored(3, ASKED)
    world.rescore()
    assert predicted_once(world)
    assert world.learning.project(3).rescored_version == NEW


def test_tries_become_rarer_up_to_a_bound():
    waits = [retry_delay(tries) for tries in (1, 2, 3, 4, 5, 6, 1000)]
    assert waits[:4] == [timedelta(minutes=minutes) for minutes in (1, 4, 16, 64)]
    assert waits[-1] == RETRY_LONGEST
    assert waits == sorted(waits)


def test_a_task_that_ended_its_worker_twice_is_left_alone_for_a_while(make):
    world = make(4)
    for _ in range(rescoring.BEGUN_AT_MOST):
        world.rescorer.chunks.begun(3, 2)
    world.rescore()
    assert world.made_by() == [1, 3, 4]
    assert world.failures.of(3)[2].reason == "crash"


def test_a_prediction_that_label_studio_made_itself_meanwhile_is_not_doubled(make):
    world = make(6)

    def opened():
        world.board.predictions.append(Prediction(task=2, model_version=NEW, result=(), score=0.5, id=900))
        return b"A 2"

    world.images.images["i2"] = opened
    world.rescore()
    assert predicted_once(world)


def test_a_task_that_is_annotated_meanwhile_is_left_alone(make):
    world = make(6)

    def annotated():
        world.board.annotated.add(2)
        return b"A 2"

    world.images.images["i2"] = annotated
    world.rescore()
    assert world.made_by() == [1, 3, 4, 5, 6]


@pytest.mark.parametrize("backends", [[], [ELSEWHERE]])
def test_a_project_that_is_not_connected_is_left_untouched(make, backends):
    world = make(6)
    world.board.backends = backends
    assert world.rescore() == "not connected"
    assert (world.board.predictions, world.board.sampling) == ([], "Sequential sampling")
    assert world.coverages.of(3).problem == NOT_CONNECTED
    assert world.coverages.all() == []


def test_a_project_that_is_connected_under_another_address_is_known_by_the_version(make):
    world = make(3)
    world.board.backends = [MlBackend(9, 3, "http://backend:9090", "OCR", True, "CO", "", OLD)]
    world.rescore()
    assert predicted_once(world)


def test_a_project_that_is_gone_is_looked_at_more_and_more_rarely(make):
    world = make(3)
    assert world.rescore(77) == "not connected"
    wait = world.learning.project(77).predict_at - datetime.now(timezone.utc)
    assert wait >= timedelta(seconds=15)


def test_projects_that_people_connect_by_hand_are_found_and_others_are_not(make, monkeypatch):
    world = make(3)
    world.board.other = Board(3, number=4, first=101)
    world.board.other.backends = [ELSEWHERE]
    assert world.rescorer.discover() == [3]
    assert world.rescorer.discover() == []
    assert world.learning.project(4) is None
    assert world.learning.project(3).predict_at is None, "which stands for now"
    world.board.other.backends = [MlBackend(2, 4, URL, "OCR", True, "CO", "")]
    assert world.rescorer.discover() == [4]


def test_of_many_unknown_projects_all_have_their_turn(make, monkeypatch):
    monkeypatch.setattr(rescoring, "FOUND_OUT_AT_ONCE", 2)
    world = make(1)
    board = world.board
    for number in range(4, 9):
        board.other = Board(0, number=number)
        board = board.other
        board.backends = [ELSEWHERE]
    assert [world.rescorer.discover() for _ in range(3)] == [[], [], [3]]


def test_a_configuration_that_cannot_be_used_is_said_and_noticed_when_it_is_changed(make):
    world = make(3)
    good, world.board.config = world.board.config, "<View><Text name='t' value='$text'/></View>"
    world.rescore()
    coverage = world.coverages.of(3)
    assert (coverage.problem, coverage.lacking, coverage.running) == (LABEL_CONFIG, 3, False)
    assert coverage.problem_text
    world.board.config = good
    world.rescore()
    assert predicted_once(world)
    assert world.coverages.of(3).problem == ""


def test_a_version_out_of_reach_is_said_with_what_lacks(make):
    world = make(3)
    world.rescore()
    world.switch.problems = {3: "Version 2 of project 3 cannot be loaded."}
    world.rescore()
    coverage = world.coverages.of(3)
    assert (coverage.problem, coverage.problem_text) == (VERSION, "Version 2 of project 3 cannot be loaded.")


def test_progress_and_the_time_left_are_told(make):
    world = make(40)
    assert world.coverages.of(3) is None
    world.rescorer.rescore(3)
    begun = world.coverages.of(3)
    assert (begun.open_tasks, begun.waiting, begun.running, begun.seconds_left) == (40, 40, True, 40.0)
    world.work()
    ended = world.coverages.of(3)
    assert (ended.lacking, ended.running, ended.seconds_left) == (0, False, 0.0)
