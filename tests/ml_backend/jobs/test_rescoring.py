"""After a promotion every open task gets the new version's prediction, once, and then the project is switched over."""

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from ml_backend.errors import ImageFetchError
from ml_backend.label_studio.records import Prediction, Task
from ml_backend.order.rescoring import CHUNK, UNCERTAINTY
from ml_backend.predict.serving_models import ServingModels
from ml_backend.predict.uncertainty import Votes
from ml_backend.store.records import StoredAnnotation
from ml_backend.store.task_scores import NOT_SHOWN
from model.document.types import Document, Entity
from tests.ml_backend.backend import RECTANGLES
from tests.ml_backend.jobs.rescoring_world import NEW, OLD, KindReader


def annotate(world, number):
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    world.board.annotated.add(number)
    world.learning.save(
        [(StoredAnnotation(number, 3, number, 1, [], False, False, moment, moment, {}, {"result": []}, NEW, 1), ())]
    )


def test_every_open_task_gets_one_prediction_and_then_the_project_is_switched_over(make):
    world = make(CHUNK + 5)
    world.board.annotated = {2, 3}
    assert world.rescore() == "6 parts", "as many workers can share them"
    assert world.made_by() == [n for n in range(1, CHUNK + 6) if n not in {2, 3}]
    assert (world.board.model_version, world.board.sampling) == (NEW, UNCERTAINTY)
    assert world.learning.project(3).rescored_version == NEW
    assert world.rescorer.memory.rescoring(3).pushed == CHUNK + 3
    assert world.rescorer.memory.rescoring(3).finished_at is not None


def test_doing_it_again_pushes_nothing(make):
    world = make(10)
    for _ in range(3):
        world.rescore()
    assert world.made_by() == list(range(1, 11))


class Clock:
    """A clock that goes on by a second whenever somebody looks."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1
        return self.now


def test_a_long_document_goes_on_in_later_turns_page_after_page(make):
    world = make(2, clock=Clock())
    world.board.config = RECTANGLES.replace('value="$image"', 'valueList="$image"')
    pages = {f"p{n}": f"A {n}".encode() for n in range(1, 41)}
    world.images.images |= pages
    world.board.tasks = {1: Task(1, 3, {"image": list(pages)}, False), 2: Task(2, 3, {"image": ["i1"]}, False)}
    world.rescore()
    assert world.made_by() == [1, 2]
    long = next(item for item in world.board.predictions if item.task == 1)
    assert {part["item_index"] for part in long.result} == set(range(40))
    assert len(world.images.asked) == len(set(world.images.asked)), "no page is fetched twice"
    assert world.board.predictions[0].task == 1 or world.new.reads > 41


def test_what_was_read_before_is_neither_fetched_nor_read_again(make):
    world = make(10)
    world.rescore()
    world.images.asked.clear()
    newer = KindReader("p3-v2-00000002.aaaaaa", world.pages)
    world.switch.now = ServingModels(3, newer)
    world.rescore()
    assert world.made_by(newer.version) == list(range(1, 11))
    assert world.images.asked == []


class NamesAll:
    """A previous champion that gives every word a field."""

    version = "p3-v0-00000000.aaaaaa"

    def extract(self, page):
        entities = tuple(Entity("NAME", word.text, word.box, 0.9, i, i + 1) for i, word in enumerate(page.words))
        return Document(page, entities, 0.9, "text", self.version)


def test_what_the_former_champion_contradicts_is_kept_with_the_scores(make):
    world = make(4)
    world.rescore()
    assert {task.signals.votes.words for task in world.scores.scores(3).values()} == {0}
    newer = KindReader("p3-v2-00000002.aaaaaa", world.pages)
    world.switch.now = ServingModels(3, newer, previous=NamesAll())
    world.rescore()
    for task in world.scores.scores(3).values():
        assert task.version == newer.version
        assert task.signals.previous.largest == 1
        assert task.signals.votes == Votes(0, {"NAME": 1}, {"": 1})


def test_tasks_are_in_the_strategys_order_before_the_project_is_switched_over(make):
    world = make(30, control_share=0.2)
    world.board.predictions.append(Prediction(task=1, model_version=OLD, result=(), id=0))
    world.rescore()
    placed = sorted(world.scores.scores(3).values(), key=lambda task: task.place)
    assert [task.task_id for task in placed] == world.board.order(NEW)
    assert world.board.order(NEW) != sorted(world.board.tasks, reverse=True), "not that of the scores alone"
    assert [place for place, task in enumerate(placed) if task.control][:2] == [4, 9]
    order = world.scores.order(3)
    assert (order.tasks, order.strategy, order.moved) == (30, "diverse_uncertainty", world.board.rescored)
    assert world.board.scores_at_switch == world.board.scores(NEW)


def test_a_prediction_that_is_gone_leaves_its_place_to_the_one_that_stayed(make):
    world = make(20)
    world.rescore()
    last = max(world.scores.scores(3).values(), key=lambda task: task.place)
    (gone,) = world.board.predictions(task_id=last.task_id)
    world.board.predictions.remove(gone)
    world.board.predictions.append(replace(gone, id=900, score=0.0))
    world.scores.shown(3, {last.task_id: (gone.id, 0.0)})
    assert world.rescorer.orderer.order(3).moved == 1
    assert world.scores.scores(3)[last.task_id].prediction_id == 900
    assert world.board.order(NEW)[-1] == last.task_id


def test_putting_tasks_into_order_again_changes_nothing(make):
    world = make(20)
    world.rescore()
    changed = world.board.rescored
    assert world.rescorer.orderer.order(3).moved == 0
    assert world.board.rescored == changed


def test_a_task_that_is_imported_later_is_put_among_the_others(make):
    world = make(20)
    late = world.board.tasks.pop(20)
    world.rescore()
    assert world.scores.to_order(timedelta(0), 10) == []
    world.board.tasks[20] = late
    world.rescore()
    placed = sorted(world.scores.scores(3).values(), key=lambda task: task.place)
    assert [task.task_id for task in placed] == world.board.order(NEW)
    assert len(placed) == 20


def test_what_was_annotated_has_no_place_and_its_embedding_is_renewed(make):
    world = make(20)
    world.rescore()
    for number in range(1, 13):
        annotate(world, number)
    assert world.scores.to_order(timedelta(0), 10) == [3]
    newer = KindReader("p3-v2-00000002.aaaaaa", world.pages)
    world.switch.now = ServingModels(3, newer)
    world.rescore()
    assert world.scores.scores(3)[1].place is None
    assert world.scores.scores(3)[1].version == NEW, "what the person met"
    assert set(world.scores.embeddings(3, newer.version)) == set(range(1, 21))
    assert world.scores.order(3).annotated == 12


def test_an_order_that_is_not_the_projects_version_stays_in_the_store(make):
    world = make(10)
    world.rescore()
    world.board.model_version, world.board.rescored = "somebody else's", 0
    for prediction in world.board.predictions:
        world.scores.shown(3, {prediction.task: (prediction.id, 0.5)})
    assert world.rescorer.orderer.order(3).moved == NOT_SHOWN
    assert world.board.rescored == 0


def test_a_crash_half_way_is_taken_up_without_pushing_twice(make):
    world = make(10)
    world.board.fails_after = 4
    world.rescore()
    assert len(world.made_by()) == 4
    assert world.board.model_version == OLD, "the version is set when all are there"
    world.board.fails_after = None
    world.connection.flushall()  # the jobs that were to be tried again are lost as well
    world.rescore()
    assert world.made_by() == list(range(1, 11))
    assert world.board.model_version == NEW


def test_parts_are_tried_again_where_label_studio_was_down(make):
    world = make(10)
    world.board.fails_after = 4
    world.rescore()
    world.board.fails_after = None
    assert world.rescorer.rescore(3) == "1 parts left"
    world.connection.delete(*world.connection.keys("rq:job:rescore-3-*"))
    assert world.rescore() == "1 parts left", "and handed out again where the queue has forgotten them"
    assert world.made_by() == list(range(1, 11))


def test_old_versions_go_but_the_one_before_stays_for_pages_that_are_open(make):
    world = make(3)
    old = [Prediction(task=n, model_version=v, result=()) for n in (1, 2, 3) for v in (OLD, "p3-v0-0000000f.aaaaaa")]
    world.board.predictions += [*old, Prediction(task=1, model_version="somebody else's", result=())]
    world.rescore()
    assert set(world.board.version_counts(3)) == {NEW, OLD, "somebody else's"}
    world.rescore()
    assert OLD in world.board.version_counts(3), "only the next promotion takes its place"
    world.switch.now = ServingModels(3, KindReader("p3-v2-00000002.aaaaaa", world.pages))
    world.rescore()
    assert set(world.board.version_counts(3)) == {"p3-v2-00000002.aaaaaa", NEW, "somebody else's"}


def test_old_versions_stay_where_a_person_wants_that(make):
    world = make(2, keep_old=True)
    world.board.predictions.append(Prediction(task=1, model_version="p3-v0-0000000f.aaaaaa", result=()))
    world.rescore()
    assert "p3-v0-0000000f.aaaaaa" in world.board.version_counts(3)


def test_a_task_without_a_usable_image_does_not_hold_up_the_others(make):
    world = make(4)
    world.images.images["i2"] = ImageFetchError("The host does not answer.")
    world.board.tasks[3] = Task(3, 3, {"text": "no image"}, False)
    world.rescore()
    assert world.made_by() == [1, 4]
    assert world.board.model_version == NEW
    failures = world.failures.of(3)
    assert {number: each.reason for number, each in failures.items()} == {2: "image_fetch", 3: "no_image"}
    assert failures[2].retry_at > datetime.now(timezone.utc), "its host may come back"


def test_a_version_that_was_replaced_meanwhile_is_not_pushed_any_more(make):
    world = make(5)
    world.rescorer.rescore(3)
    world.switch.now = ServingModels(3, KindReader("p3-v2-00000002.aaaaaa", world.pages))
    world.work()
    assert world.board.predictions == []
    world.rescore()
    assert world.made_by("p3-v2-00000002.aaaaaa") == [1, 2, 3, 4, 5]


def test_nothing_is_done_while_the_version_that_should_serve_is_out_of_reach(make):
    world = make(5)
    world.switch.problems = {3: "Version 2 of project 3 cannot be loaded."}
    assert world.rescore() == "version out of reach"
    assert world.board.predictions == []


def test_a_worker_that_cannot_load_the_version_leaves_its_part_to_others(make):
    world = make(5)
    world.rescorer.rescore(3)
    world.switch.now = ServingModels(3, KindReader(OLD, world.pages))
    world.switch.problems = {3: "Version 2 of project 3 cannot be loaded."}
    world.work()
    assert world.board.predictions == []
    world.switch.now, world.switch.problems = ServingModels(3, world.new), {}
    (part,) = world.connection.hkeys(f"rescoring:3:{hashlib.sha256(NEW.encode()).hexdigest()[:12]}")
    assert world.rescorer.rescore_chunk(3, NEW, part.decode()) == "5 pushed"


def test_two_workers_do_not_end_a_rescoring_at_the_same_time(make):
    world = make(0)
    with world.rescorer.chunks.leased(3, "end"):
        assert world.rescorer.rescore(3) == "somebody else's"
    assert world.rescorer.rescore(3) == "finished"


def test_where_both_predict_each_task_gets_both(make):
    world = make(6)
    challenger = KindReader("p3-v2-00000002.aaaaaa", world.pages)
    world.switch.now = ServingModels(3, world.new, challenger, both=True)
    world.rescore()
    assert world.made_by() == world.made_by(challenger.version) == [1, 2, 3, 4, 5, 6]
    assert [task.version for task in world.scores.scores(3).values()] == [NEW] * 6, "the champion's order counts"
    assert world.board.model_version == NEW


def test_a_share_of_the_tasks_is_predicted_by_the_challenger_under_one_name(make):
    world = make(40)
    challenger = KindReader("p3-v2-00000002.aaaaaa", world.pages)
    world.switch.now = ServingModels(3, world.new, challenger, share=0.5)
    world.rescore()
    assert world.made_by(world.switch.now.version) == list(range(1, 41))
    assert 5 < challenger.reads < 35


def test_a_project_without_open_tasks_is_done_at_once(make):
    world = make(0)
    assert world.rescore() == "finished"
    assert world.learning.project(3).rescored_version == NEW
    assert world.board.model_version == OLD, "Label Studio refuses a version without predictions"
