"""A promoted version takes over; one that cannot be loaded does not; requests keep what they began with."""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from ml_backend.observability.metrics import Metrics
from ml_backend.predict.model_manager import RETRY_SECONDS, Choice, ModelManager
from model.errors import ModelError, WeightsError
from tests.ml_backend.backend import SteppingClock


@dataclass(frozen=True)
class Ref:
    number: int
    project_id: int = 3

    @property
    def name(self):
        return f"p{self.project_id}-v{self.number}-0000000{self.number}"


@dataclass
class Loaded:
    version: str


@dataclass
class Versions:
    """A registry in memory."""

    champions: dict = field(default_factory=dict)
    challengers: dict = field(default_factory=dict)
    corrupt: set = field(default_factory=set)
    down: bool = False
    asked: int = 0

    def champion(self, project_id):
        self.asked += 1
        if self.down:
            raise ModelError("The registry does not answer.")
        number = self.champions.get(project_id)
        return None if number is None else Ref(number, project_id)

    def challenger(self, project_id):
        number = self.challengers.get(project_id)
        return None if number is None else Ref(number, project_id)

    def version(self, project_id, number):
        return Ref(number, project_id)

    def folder_of(self, ref):
        if ref.number in self.corrupt:
            raise WeightsError("the files are not those that were registered")
        return Path(ref.name)


@pytest.fixture
def versions():
    return Versions()


@pytest.fixture
def clock():
    return SteppingClock()


@pytest.fixture
def make(versions, clock):
    made = []

    def make(most=8, predecessors=lambda _: (), **choice):
        loads = []

        def load(folder, name):
            loads.append(name)
            return Loaded(f"{name}.aaaaaa")

        metrics = Metrics(CollectorRegistry())
        models = ModelManager(
            Loaded("cards-12345678.aaaaaa"),
            versions,
            load,
            metrics,
            choice=Choice(**choice),
            most=most,
            predecessors=predecessors,
            clock=clock,
        )
        models.loads, models.metrics = loads, metrics
        made.append(models)
        return models

    yield make
    for models in made:
        models.close()


def test_the_weights_that_ship_answer_until_a_version_is_promoted(make, versions):
    models = make()
    assert models.serving(3).version == models.serving(None).version == "cards-12345678.aaaaaa"
    versions.champions[3] = 1
    models.refresh(3)
    assert models.serving(3).version == "p3-v1-00000001.aaaaaa"
    assert models.serving(4).version == models.serving(None).version == "cards-12345678.aaaaaa"


def test_a_look_up_neither_asks_nor_loads_again(make, versions):
    models = make()
    versions.champions[3] = 1
    assert len({id(models.serving(3)) for _ in range(50)}) == 1
    assert (versions.asked, len(models.loads)) == (1, 1)


def test_the_watcher_puts_a_promoted_version_in_place_within_its_time(make, versions):
    models = make()
    old = models.serving(3)
    models.watch(0.02)
    versions.champions[3] = 2
    deadline = time.monotonic() + 5
    while models.serving(3).version != "p3-v2-00000002.aaaaaa":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert old.version == "cards-12345678.aaaaaa", "a request in flight keeps what it began with"


def test_the_watcher_makes_projects_ready_that_were_not_asked_for(make, versions):
    versions.champions[3] = 2
    models = make()
    models.watch(0.02, lambda: [3])
    deadline = time.monotonic() + 5
    while not models.loads:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_rolling_back_to_the_weights_that_ship_is_a_change_like_another(make, versions):
    models = make()
    versions.champions[3] = 1
    models.refresh(3)
    versions.champions[3] = None
    assert models.refresh(3).version == "cards-12345678.aaaaaa"


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_serving_and_says_so(make, versions, clock):
    models = make()
    versions.champions[3] = 1
    models.refresh(3)
    versions.champions[3], versions.corrupt = 2, {2}
    assert models.refresh(3).version == "p3-v1-00000001.aaaaaa"
    assert "Version 2 of project 3 cannot be loaded" in models.problems[3]
    assert 'ml_backend_model_problem{project="3"} 1.0' in models.metrics.render().decode()
    versions.corrupt = set()
    models.refresh(3)
    assert models.problems, "it is not read again every few seconds"
    clock.advance(RETRY_SECONDS)
    assert models.refresh(3).version == "p3-v2-00000002.aaaaaa"
    assert not models.problems
    assert 'ml_backend_model_problem{project="3"} 0.0' in models.metrics.render().decode()


def test_a_process_that_starts_while_the_champion_is_damaged_serves_the_latest_sound_predecessor(make, versions, clock):
    versions.champions[3], versions.corrupt = 3, {2, 3}
    models = make(predecessors=lambda _: [2, 1, None])
    assert models.serving(3).version == "p3-v1-00000001.aaaaaa"
    assert "Version 3 of project 3 cannot be loaded" in models.problems[3]
    assert models.settled_version(3) is None
    models.refresh(3)
    assert models.loads == ["p3-v1-00000001"]
    versions.corrupt = set()
    clock.advance(RETRY_SECONDS)
    assert models.refresh(3).version == "p3-v3-00000003.aaaaaa"
    assert not models.problems


def test_without_a_sound_predecessor_the_weights_that_ship_serve(make, versions):
    versions.champions[3], versions.corrupt = 2, {1, 2}
    assert make(predecessors=lambda _: [1]).serving(3).version == "cards-12345678.aaaaaa"


def test_a_registry_that_is_down_changes_nothing(make, versions):
    models = make()
    versions.champions[3] = 1
    models.refresh(3)
    versions.down = True
    assert models.refresh(3).version == "p3-v1-00000001.aaaaaa"
    assert models.serving(4).version == "cards-12345678.aaaaaa"
    assert set(models.problems) == {3, 4}
    versions.down = False
    models.refresh(3)
    assert set(models.problems) == {4}


def test_a_pinned_version_wins(make, versions):
    versions.champions[3] = 2
    models = make(pinned={3: 1}.get, share=0.5)
    versions.challengers[3] = 3
    assert models.serving(3).version == "p3-v1-00000001.aaaaaa"


def test_a_challenger_is_loaded_only_where_it_is_asked_for(make, versions):
    versions.champions[3], versions.challengers[3] = 1, 2
    assert make().serving(3).challenger is None
    assert make(share=0.25).serving(3).version.startswith("p3-v1+v2@25-")
    assert len(make(both=True).serving(3).of_task(1)) == 2
    versions.corrupt = {2}
    assert make(both=True).serving(3).version == "p3-v1-00000001.aaaaaa"


def test_a_challenger_that_is_the_champion_is_none(make, versions):
    versions.champions[3] = versions.challengers[3] = 1
    assert make(share=0.5).serving(3).challenger is None


def test_of_many_projects_the_one_not_asked_for_longest_is_forgotten(make, versions):
    versions.champions = {1: 1, 2: 1, 3: 1}
    models = make(most=2)
    for project in (1, 2, 1, 3):
        models.serving(project)
    assert len(models.loads) == 3
    models.serving(1)
    assert len(models.loads) == 3
    models.serving(2)
    assert len(models.loads) == 4


def test_what_serves_is_shown_and_what_did_is_shown_as_gone(make, versions):
    models = make()
    versions.champions[3] = 1
    models.refresh(3)
    versions.champions[3] = 2
    models.refresh(3)
    shown = models.metrics.render().decode()
    assert 'ml_backend_model_info{model_version="p3-v1-00000001.aaaaaa"} 0.0' in shown
    assert 'ml_backend_model_info{model_version="p3-v2-00000002.aaaaaa"} 1.0' in shown


def test_swaps_under_load_give_every_request_a_whole_line_up(make, versions):
    models = make(both=True)
    versions.champions[3], versions.challengers[3] = 1, 2
    seen, go_on = set(), threading.Event()

    def ask():
        while not go_on.is_set():
            seen.add(models.serving(3).versions)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        versions.champions[3], versions.challengers[3] = versions.challengers[3], versions.champions[3]
        models.refresh(3)
    go_on.set()
    for thread in threads:
        thread.join(10)
    names = ("p3-v1-00000001.aaaaaa", "p3-v2-00000002.aaaaaa")
    assert seen <= {names, names[::-1]}


def test_the_share_that_is_set_for_a_project_wins_at_once():
    shares = {}
    models = ModelManager(
        Loaded("shipped-00000000.aaaaaa"),
        Versions(champions={3: 1}, challengers={3: 2}),
        lambda folder, name: Loaded(f"{name}.aaaaaa"),
        Metrics(CollectorRegistry()),
        choice=Choice(0.0, own_share=shares.get),
        most=4,
    )
    assert models.serving(3).challenger is None
    shares[3] = 0.25
    assert models.refresh(3).share == 0.25
    shares[3] = 0.0
    assert models.refresh(3).challenger is None
    assert models.refresh(3).version == "p3-v1-00000001.aaaaaa"


def test_the_former_champion_stands_by_with_a_second_opinion(make, versions):
    before = {3: []}
    models = make(predecessors=lambda project: before[project])
    assert models.serving(3).previous is None
    versions.champions[3], before[3] = 1, [None]
    assert models.refresh(3).previous is models.serving(None).champion, "the weights that ship served before"
    first = models.serving(3).champion
    versions.champions[3], before[3] = 2, [1, None]
    assert models.refresh(3).previous is first
    assert len(models.loads) == 2, "it was in memory"
    assert models.versions == ("cards-12345678.aaaaaa", "p3-v2-00000002.aaaaaa"), "it answers for nobody"


def test_former_champion_that_cannot_be_loaded_is_done_without(make, versions):
    versions.champions[3] = 2
    versions.corrupt.add(1)
    models = make(predecessors=lambda _: [1])
    assert models.serving(3).previous is None
    assert models.serving(3).version == "p3-v2-00000002.aaaaaa"
    assert not models.problems
