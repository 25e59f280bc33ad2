"""After a promotion every open task gets the new version's prediction, once, and then the project is switched over."""

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from redis import Redis
from rq.job import Job

from ml_backend.container import TaskServices
from ml_backend.errors import ImageFetchError, LabelStudioUnreachableError
from ml_backend.jobs.leases import Chunks
from ml_backend.jobs.queue import JobQueue
from ml_backend.jobs.workers import build_worker
from ml_backend.label_studio.records import Prediction, Project, Task
from ml_backend.observability.metrics import Metrics
from ml_backend.order.candidates import CandidateSource
from ml_backend.order.embedding_refresh import LookingAgain
from ml_backend.order.pushing import READ_HERE, Pusher
from ml_backend.order.rescoring import CHUNK, UNCERTAINTY, Rescorer
from ml_backend.order.task_order import Orderer, Policy
from ml_backend.predict.serving_models import Lineup
from ml_backend.predict.task_predictor import TaskPredictor
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from ml_backend.store.records import StoredAnnotation
from ml_backend.store.rescorings import RescoringStore
from ml_backend.store.signals import Votes
from ml_backend.store.task_scores import NOT_SHOWN, TaskScores
from ml_backend.tasks import provide
from model.document.images import image_key
from model.document.types import Box, Document, Entity, Line, Page, Word
from tests.ml_backend.backend import RECTANGLES, ImageTable

OLD, NEW = "cards-12345678.aaaaaa", "p3-v1-00000001.aaaaaa"


class Board:
    """Label Studio in memory: tasks of project 3, the annotated ones, predictions."""

    def __init__(self, count, version=OLD):
        self.tasks = {number: Task(number, 3, {"image": f"i{number}"}, False) for number in range(1, count + 1)}
        self.annotated, self.predictions = set(), []
        self.model_version, self.sampling = version, "Sequential sampling"
        self.fails_after = None
        self.config = RECTANGLES
        self.made, self.rescored, self.scores_at_switch = 0, 0, None

    def project(self, project_id):
        return Project(3, "cards", self.config, self.model_version, self.sampling, len(self.tasks))

    def update_project(self, project_id, *, model_version=None, sampling=None):
        if model_version:
            self.scores_at_switch = self.scores(model_version)
        self.model_version, self.sampling = model_version or self.model_version, sampling or self.sampling

    def scores(self, version):
        return {item.task: item.score for item in self.predictions if item.model_version == version}

    def order(self, version):
        """The open tasks as Label Studio serves them."""
        scores = self.scores(version)
        return sorted(self.open_ids(3), key=lambda task: scores[task])

    def has(self, task, version):
        return any(item.task == task and item.model_version == version for item in self.predictions)

    def open_ids(self, project_id, *, lacking=None):
        yield from (n for n in self.tasks if n not in self.annotated and not (lacking and self.has(n, lacking)))

    def open_tasks(self, project_id, task_ids, *, lacking=None):
        open_now = set(self.open_ids(project_id, lacking=lacking))
        yield from (self.tasks[number] for number in sorted(task_ids) if number in open_now)

    def create_predictions(self, predictions):
        made = list(predictions)
        for item in made:
            if self.fails_after == len(self.predictions):
                raise LabelStudioUnreachableError("Label Studio does not answer.")
            self.made += 1
            self.predictions.append(replace(item, id=self.made))
        return list(range(self.made - len(made) + 1, self.made + 1))

    def rescore_prediction(self, prediction_id, score):
        (place,) = [at for at, item in enumerate(self.predictions) if item.id == prediction_id]
        self.predictions[place] = replace(self.predictions[place], score=score)
        self.rescored += 1

    def version_counts(self, project_id):
        names = [item.model_version for item in self.predictions]
        return {name: names.count(name) for name in set(names)}

    def delete_version(self, project_id, version):
        self.predictions = [item for item in self.predictions if item.model_version != version]


class KindReader:
    """Reads ``KIND NUMBER``: documents of one kind have like embeddings; the score falls with the number."""

    def __init__(self, version, pages):
        self.version, self.pages, self.revisits, self.reads = version, pages, 0, 0

    def predict(self, data):
        self.reads += 1
        kind, number = data.decode().split()
        box = Box(10, 10, 90, 30)
        page = Page(100, 50, (Line(kind, box.polygon(), 0.9, (Word(kind, box, 0.9),)),))
        embedding = np.zeros(8, dtype=np.float32)
        embedding[ord(kind) % 8] = 1
        # Of one kind, and yet not the same.
        embedding[2 + int(number) % 5] = 0.1 + int(number) / 50
        document = Document(page, (), 1 / int(number), "text", self.version, embedding)
        self.pages[image_key(data)] = data
        return document

    def revisit(self, key):
        if key not in self.pages:
            return None
        self.revisits += 1
        return self.predict(self.pages[key])


class Switch:
    """The models of one project, which a test changes."""

    versions, problems = (), {}

    def __init__(self, lineup):
        self.now = lineup

    def lineup(self, project_id):
        return self.now

    refresh = lineup


class World:
    def __init__(self, redis_url, count, control_share=0.1, **options):
        self.store = Store("sqlite://")
        self.board = Board(count)
        self.pages = {}
        self.new = KindReader(NEW, self.pages)
        self.images = ImageTable(**{f"i{n}": f"{'AB'[n % 2]} {n}".encode() for n in range(1, count + 1)})
        self.switch = Switch(Lineup(3, self.new))
        self.queue = JobQueue.at(redis_url)
        self.connection = self.queue.connection
        self.learning = LearningStore(self.store.engine)
        memory = RescoringStore(self.store.engine)
        self.scores = TaskScores(self.store.engine)
        predictor = TaskPredictor(self.images, Metrics(CollectorRegistry()), memory, self.scores)
        source = CandidateSource(self.scores, self.learning)
        self.rescorer = Rescorer(
            self.board,
            self.switch,
            predictor,
            memory,
            self.learning,
            Pusher(self.board, predictor, memory, self.queue, self.scores),
            self.queue,
            Chunks(self.queue),
            orderer=Orderer(
                self.board,
                source,
                self.scores,
                Policy("diverse_uncertainty", control_share, fallback=False),
                look_again=LookingAgain(self.switch, memory, source, self.scores).look,
            ),
            **options,
        )
        provide(TaskServices(rescorer=self.rescorer))

    def work(self):
        build_worker(Redis.from_url(self.url)).work(burst=True, logging_level="ERROR")

    def rescore(self):
        said = self.rescorer.rescore(3)
        self.work()
        return said

    def made_by(self, version=NEW):
        return sorted(item.task for item in self.board.predictions if item.model_version == version)


@pytest.fixture
def make(redis_url):
    made = []

    def make(count, **options):
        world = World(redis_url, count, **options)
        world.url = redis_url
        made.append(world)
        return world

    yield make
    provide(TaskServices())
    for world in made:
        world.store.close()


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


def test_a_long_document_that_nobody_has_read_is_left_to_the_job_for_single_tasks(make):
    world = make(2)
    world.board.config = RECTANGLES.replace('value="$image"', 'valueList="$image"')
    world.board.tasks = {
        1: Task(1, 3, {"image": ["i1"] * (READ_HERE + 1)}, False),
        2: Task(2, 3, {"image": ["i1"] * READ_HERE}, False),
    }
    queued = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JobQueue, "enqueue_scoring", lambda _self, project, tasks: queued.extend(tasks) or len(tasks))
        world.rescore()
    assert queued == [1]
    assert world.made_by() == [2]
    assert {part["item_index"] for part in world.board.predictions[0].result} == set(range(READ_HERE))


def test_what_was_read_before_is_neither_fetched_nor_read_again(make):
    world = make(10)
    world.rescore()
    world.images.asked.clear()
    newer = KindReader("p3-v2-00000002.aaaaaa", world.pages)
    world.switch.now = Lineup(3, newer)
    world.rescore()
    assert world.made_by(newer.version) == list(range(1, 11))
    assert world.images.asked == []


class NamesAll:
    """A former champion that gives every word a field."""

    version = "p3-v0-00000000.aaaaaa"

    def extract(self, page):
        entities = tuple(Entity("NAME", word.text, word.box, 0.9, i, i + 1) for i, word in enumerate(page.words))
        return Document(page, entities, 0.9, "text", self.version)


def test_what_the_former_champion_contradicts_is_kept_with_the_scores(make):
    world = make(4)
    world.rescore()
    assert {task.signals.votes.words for task in world.scores.scores(3).values()} == {0}
    newer = KindReader("p3-v2-00000002.aaaaaa", world.pages)
    world.switch.now = Lineup(3, newer, former=NamesAll())
    world.rescore()
    for task in world.scores.scores(3).values():
        assert task.version == newer.version
        assert task.signals.former.largest == 1
        assert task.signals.votes == Votes(0, {"NAME": 1}, {"": 1})


def test_tasks_are_in_the_strategys_order_before_the_project_is_switched_over(make):
    world = make(30, control_share=0.2)
    world.rescore()
    placed = sorted(world.scores.scores(3).values(), key=lambda task: task.place)
    assert [task.task_id for task in placed] == world.board.order(NEW)
    assert world.board.order(NEW) != sorted(world.board.tasks, reverse=True), "not that of the scores alone"
    assert [place for place, task in enumerate(placed) if task.control][:2] == [4, 9]
    order = world.scores.order(3)
    assert (order.tasks, order.strategy, order.moved) == (30, "diverse_uncertainty", world.board.rescored)
    assert world.board.scores_at_switch == world.board.scores(NEW)


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
    world.switch.now = Lineup(3, newer)
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
    world.switch.now = Lineup(3, KindReader("p3-v2-00000002.aaaaaa", world.pages))
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
    assert Job.exists("score-3-2", connection=world.connection), "its host may come back"


def test_a_version_that_was_replaced_meanwhile_is_not_pushed_any_more(make):
    world = make(5)
    world.rescorer.rescore(3)
    world.switch.now = Lineup(3, KindReader("p3-v2-00000002.aaaaaa", world.pages))
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
    world.switch.now = Lineup(3, KindReader(OLD, world.pages))
    world.switch.problems = {3: "Version 2 of project 3 cannot be loaded."}
    world.work()
    assert world.board.predictions == []
    world.switch.now, world.switch.problems = Lineup(3, world.new), {}
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
    world.switch.now = Lineup(3, world.new, challenger, both=True)
    world.rescore()
    assert world.made_by() == world.made_by(challenger.version) == [1, 2, 3, 4, 5, 6]
    assert [task.version for task in world.scores.scores(3).values()] == [NEW] * 6, "the champion's order counts"
    assert world.board.model_version == NEW


def test_a_share_of_the_tasks_is_predicted_by_the_challenger_under_one_name(make):
    world = make(40)
    challenger = KindReader("p3-v2-00000002.aaaaaa", world.pages)
    world.switch.now = Lineup(3, world.new, challenger, share=0.5)
    world.rescore()
    assert world.made_by(world.switch.now.version) == list(range(1, 41))
    assert 5 < challenger.reads < 35


def test_a_project_without_open_tasks_is_done_at_once(make):
    world = make(0)
    assert world.rescore() == "finished"
    assert world.learning.project(3).rescored_version == NEW
    assert world.board.model_version == OLD, "Label Studio refuses a version without predictions"
