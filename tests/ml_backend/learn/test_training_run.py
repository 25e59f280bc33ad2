"""A run from its claim to its end, with real parts but for Label Studio and what is annotated there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from ml_backend.errors import LabelStudioUnreachableError
from ml_backend.label_studio.fields import FieldNames
from ml_backend.learn import evaluation as training_report
from ml_backend.learn import training_run
from ml_backend.learn.dataset import Collected, LabelledDocument
from ml_backend.learn.promotion import NothingBeforeError, Versions, previously_served
from ml_backend.learn.recogniser_training import LearnedHead
from ml_backend.learn.training_run import TrainingServices, documents_of, split, train
from ml_backend.learn.training_trigger import TrainingTrigger
from ml_backend.observability.logs import get_logger
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from ml_backend.store.runs import RunStore
from model.document.types import Page
from model.errors import say
from model.evaluation.extractor_gate import Decision, GateSettings, held_out
from model.evaluation.recogniser_gate import Forgetting
from model.extraction import finetune
from model.extraction.augment import Augmentation
from model.extraction.project_naming import served
from model.ocr.incremental_reread import Step, load_steps
from model.recognition.head import FILE, Head
from model.recognition.measuring import LineScore
from model.registry.tracking import RUN_TAG, Tracking
from model.registry.versions import Registry
from tests.ml_backend.backend import RECTANGLES
from tests.model.extraction.checkpoints import save_checkpoint, tiny_model
from tests.model.extraction.test_finetune import invoice

PROJECT = 1
PLAN = finetune.FinetunePlan(
    budget_seconds=20,
    passes=25,
    learning_rate=3e-3,
    head_rate=5e-3,
    replay=0.0,
    augmentation=Augmentation(digits=0.0, drop_word=0.0),
)


class Annotated:
    """Collects the same documents each time, or raises.

    Args:
        count: How many.
        damage: How many of them are annotated wrongly.
        changed: Tasks that somebody has annotated again.
    """

    def __init__(self, count: int, *, damage: int = 0, changed: Collection[int] = ()) -> None:
        self.count = count
        self.damage = damage
        self.changed = changed
        self.problem: Exception | None = None

    def collect(self, project_id, config, fields, on_progress) -> Collected:
        if self.problem is not None:
            raise self.problem
        on_progress(self.count, self.count)
        documents = []
        for task in range(1, self.count + 1):
            example = invoice(task)
            if task <= self.damage:
                example = replace(example, tags=tuple("B-Total" for _ in example.tags))
            documents.append(LabelledDocument(task, task, "image", str(task), example.page, example.tags, ()))
        names = FieldNames({"Total": "Total"}, {})
        digests = {task: ("1" if task in self.changed else "0") * 64 for task in range(1, self.count + 1)}
        return Collected(tuple(documents), (), digests, names)


class Bench:
    def __init__(self, folder, store_url: str = "") -> None:
        store = Store(store_url or f"sqlite:///{folder / 'store.sqlite3'}")
        self.runs = RunStore(store.engine)
        self.annotated = Annotated(80)
        self.folder = folder
        tracking = Tracking(f"sqlite:///{folder / 'mlflow.sqlite3'}", folder / "models")
        self.registry = Registry(tracking)
        self.services = TrainingServices(
            self.runs,
            TrainingTrigger(LearningStore(store.engine), self.runs, min_documents=1, retrain_after=1),
            SimpleNamespace(project=lambda _: SimpleNamespace(label_config=RECTANGLES)),  # type: ignore[arg-type]
            self.annotated,  # type: ignore[arg-type]
            tracking,
            self.registry,
            Versions(self.registry, self.runs),
            save_checkpoint(folder / "shipped", *tiny_model(spread=0.05)),
            folder / "scratch",
            PLAN,
            GateSettings(min_documents=5, forgetting_margin=1.0),
            # The made-up documents are so alike that a small model names them all: here the network is looked at.
            served=lambda network, fields, documents: network,
        )

    @property
    def brief(self) -> TrainingServices:
        """The same, for runs that need not learn anything."""
        return replace(self.services, plan=replace(PLAN, passes=1.0))

    def due(self) -> int:
        run = self.runs.add_run(PROJECT, "asked for", True, "f" * 64, self.annotated.count)
        assert run is not None
        return run.id

    def clean(self) -> bool:
        return not list((self.folder / "scratch").glob("*"))


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path)


def test_a_run_that_makes_a_better_version_promotes_it_and_the_next_one_no_better_is_kept(bench: Bench) -> None:
    first = bench.due()
    assert train(bench.services, first) == "promoted"
    champion = bench.registry.champion(PROJECT)
    assert champion is not None
    assert champion.tags["decision"] == "promoted"
    run = bench.runs.run(first)
    assert run is not None
    assert (run.state, run.version, run.decision) == ("finished", 1, "promoted")
    assert "entity F1" in (run.message or "")
    assert "none of the project's 80 documents is like a business card" in (run.message or "")
    assert [each.version for each in bench.runs.promotions(PROJECT)] == [1]
    assert len(bench.runs.learned(PROJECT)) == bench.annotated.count
    client = bench.services.tracking.client()
    kept = {each.path for each in client.list_artifacts(champion.mlflow_run_id)}
    assert kept >= {"confusion.png", "decision.txt", "learning_curve.png", "model", "reliability.png"}
    assert bench.clean()

    assert train(bench.services, bench.due()) == "kept"
    challenger = bench.registry.challenger(PROJECT)
    assert challenger is not None
    assert challenger.number == 2
    assert bench.registry.champion(PROJECT) == champion


def test_a_challenger_must_name_better_than_what_is_served_with_what_was_learned_in_seconds(bench: Bench) -> None:
    services = replace(bench.services, served=served)
    run = bench.due()
    assert train(services, run) == "kept"
    found = bench.runs.run(run)
    assert found is not None
    assert bench.registry.champion(PROJECT) is None
    assert "1.000" in (found.message or "")


@pytest.fixture
def taught(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """Let a run's recogniser come out as a test wants it, and what is read with it as well."""

    def taught(promote: bool, *, then: Annotated | None = None) -> TrainingServices:
        read_with: list[Path] = []

        def collector(reading: SimpleNamespace) -> Annotated:
            read_with.append(reading.folder)
            return bench.annotated if then is None or len(read_with) == 1 else then

        def teach(services, project_id, documents, kept, base, engine_version, rng, on_progress) -> LearnedHead:
            on_progress(None, 1, 2)
            assert len(kept) >= 5
            score = LineScore(1, 100, 9, 10)
            decision = Decision(promote, say("CER 1.00 % after 3.00 %"), ())
            return LearnedHead(
                Head(np.zeros((2, 3), np.float32), np.zeros(3, np.float32), ("a", " "), "0" * 12),
                (Step(engine_version, frozenset("a"), 0.5),),
                decision,
                LineScore(3, 100, 7, 10),
                score,
                Forgetting(([score], [score]), ([], []), {}),
                (),
                40,
                9,
            )

        monkeypatch.setattr(training_run, "train_recogniser", teach)
        recogniser = SimpleNamespace(
            reading=lambda folder: SimpleNamespace(folder=folder, engine=SimpleNamespace(version="engine-1")),
            collector=collector,
        )
        return replace(bench.brief, recogniser=recogniser)  # type: ignore[arg-type]

    return taught


def test_recogniser_and_extractor_are_promoted_each_by_itself_or_not_at_all(bench: Bench, taught) -> None:
    services = taught(True)
    assert train(services, bench.due(), only_recogniser=True) == "promoted"
    champion = bench.registry.champion(PROJECT)
    assert champion is not None
    assert (champion.tags["extractor"], champion.tags["recogniser"]) == ("as before", "new")
    assert (champion.tags["cer"], champion.tags["line_accuracy"]) == ("0.0100", "0.9000")
    folder = bench.registry.folder_of(champion)
    assert load_steps(folder) == (Step("engine-1", frozenset("a"), 0.5),)
    assert (folder / "model.safetensors").read_bytes() == (bench.services.shipped / "model.safetensors").read_bytes()
    metrics = bench.services.tracking.client().get_run(champion.mlflow_run_id).data.metrics
    assert (metrics["champion_cer"], metrics["challenger_cer"]) == (0.03, 0.01)
    assert bench.clean()

    # What a version reads with stays, whatever its successors learn to name.
    services = replace(taught(False), plan=PLAN)
    assert train(services, bench.due()) == "promoted"
    successor = bench.registry.champion(PROJECT)
    assert successor is not None
    assert (successor.tags["extractor"], successor.tags["recogniser"]) == ("new", "as before")
    assert (bench.registry.folder_of(successor) / FILE).read_bytes() == (folder / FILE).read_bytes()

    # Nor does a recogniser serve with whose readings fields are named worse.
    assert train(taught(True, then=Annotated(80, damage=80)), bench.due(), only_recogniser=True) == "kept"
    challenger = bench.registry.challenger(PROJECT)
    assert challenger is not None
    assert "with the new readings F1 changes" in challenger.tags["reason"]


def test_what_is_annotated_while_the_recogniser_learns_is_left_to_the_next_run(
    bench: Bench, taught, monkeypatch: pytest.MonkeyPatch
) -> None:
    early, late = range(1, 22), range(1, 81)
    kept = held_out(PROJECT, early, least=5)
    assert kept - held_out(PROJECT, late, least=5), "chosen again, other documents would be held out"
    bench.annotated = Annotated(len(early))
    held, learned = min(kept), min(set(early) - kept)
    looked_at: list[set[Page]] = []

    def evaluate(extractor, documents, *names):
        looked_at.append({each.page for pages in documents for each in pages})
        return training_report.evaluate(extractor, documents, *names)

    def fine_tune(base, taught, valid, *more, **options):
        looked_at.append({each.page for each in (*taught, *valid)})
        return finetune.fine_tune(base, taught, valid, *more, **options)

    monkeypatch.setattr(training_run, "evaluate", evaluate)
    monkeypatch.setattr(training_run, "fine_tune", fine_tune)
    services = taught(True, then=Annotated(len(late), changed={held, learned}))
    run_id = bench.due()
    assert train(services, run_id) in {"promoted", "kept"}, bench.runs.run(run_id)
    champion, learning, challenger = looked_at[:3]
    assert champion == challenger == {invoice(task).page for task in kept - {held}}
    assert learning == {invoice(task).page for task in set(early) - kept - {learned}}
    assert bench.runs.learned(PROJECT) == dict.fromkeys(early, "0" * 64)


def test_what_another_process_has_or_had_is_not_done_again(bench: Bench) -> None:
    run_id = bench.due()
    bench.runs.claim_run(run_id)
    assert train(bench.services, run_id) == "not due"


def test_a_run_that_fails_says_why_and_is_tried_again_later(bench: Bench) -> None:
    bench.annotated.problem = LabelStudioUnreachableError("Label Studio does not answer.")
    run_id = bench.due()
    assert train(bench.services, run_id) == "failed"
    run = bench.runs.run(run_id)
    assert run is not None
    assert (run.state, run.message) == ("failed", "Label Studio does not answer.")
    again = bench.runs.runs(PROJECT)[0]
    assert (again.state, again.attempt) == ("due", 2)
    assert again.not_before is not None
    assert bench.runs.due_runs() == []
    assert bench.clean()


def test_a_full_disk_leaves_no_version_and_no_files(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(finetune, "save_packed", full)
    run_id = bench.due()
    assert train(bench.brief, run_id) == "failed"
    run = bench.runs.run(run_id)
    assert run is not None
    assert "No space left" in (run.message or "")
    assert bench.registry.versions(PROJECT) == []
    assert bench.clean()


def test_a_run_that_was_given_to_another_process_leaves_no_trace(bench: Bench) -> None:
    run_id = bench.due()
    collect = bench.annotated.collect

    def lose(*arguments):
        bench.runs.interrupt(run_id)
        return collect(*arguments)

    bench.annotated.collect = lose  # type: ignore[method-assign]
    assert train(bench.services, run_id) == "lost"
    assert bench.registry.versions(PROJECT) == []
    assert bench.clean()


def test_what_a_killed_run_left_is_removed_by_the_next(bench: Bench) -> None:
    killed = bench.due()
    bench.runs.claim_run(killed)
    (bench.folder / "scratch" / str(killed)).mkdir(parents=True)
    tracked = bench.services.tracking.begin(PROJECT, killed, "killed")
    left = bench.registry.register(bench.services.shipped, PROJECT, tracked, {RUN_TAG: str(killed)})
    again = bench.runs.interrupt(killed)
    assert again is not None
    assert train(bench.brief, again.id) in {"promoted", "kept"}
    assert left.number not in [each.number for each in bench.registry.versions(PROJECT)]
    assert bench.clean()


def test_held_out_documents_are_never_learned_from() -> None:
    collected = Annotated(80).collect(PROJECT, None, (), lambda *_: None)

    documents = documents_of(collected)
    kept = held_out(PROJECT, documents, least=10)
    parts = split(documents, kept, np.random.default_rng(1))
    pages = {document.page for document in collected.examples if document.task_id in kept}
    assert {page.page for document in parts.held_out for page in document} == pages
    assert len(parts.taught) + len(parts.valid) + len(kept) == 80


def test_rolling_back_goes_back_step_by_step(bench: Bench) -> None:
    versions = bench.services.versions
    for number in (1, 2):
        tracked = bench.services.tracking.begin(PROJECT, number, "made")
        bench.registry.register(bench.services.shipped, PROJECT, tracked, {})
        versions.promote(PROJECT, number, by="cli", reason="")
    assert previously_served(bench.runs, PROJECT) == [1, None]
    assert versions.rollback(PROJECT, by="cli", reason="") == 1
    assert previously_served(bench.runs, PROJECT) == [None]
    assert versions.rollback(PROJECT, by="cli", reason="") is None
    with pytest.raises(NothingBeforeError):
        versions.rollback(PROJECT, by="cli", reason="")
    assert [each.version for each in bench.runs.promotions(PROJECT)] == [None, 1, 2, 1]


def test_a_promotion_that_was_not_written_down_is_found_in_the_registry(bench: Bench) -> None:
    tracked = bench.services.tracking.begin(PROJECT, 1, "made")
    bench.registry.register(bench.services.shipped, PROJECT, tracked, {"reason": "better"})
    bench.registry.promote(PROJECT, 1)
    bench.services.versions.complete_history(PROJECT)
    bench.services.versions.complete_history(PROJECT)
    assert [(each.version, each.reason) for each in bench.runs.promotions(PROJECT)] == [(1, "better")]


def test_every_line_of_a_run_names_it(bench: Bench) -> None:
    class Telling(Annotated):
        def collect(self, project_id, config, fields, on_progress):
            get_logger("library").info("collecting")
            raise LabelStudioUnreachableError("Label Studio does not answer.")

    run = bench.due()
    with capture_logs(processors=[merge_contextvars]) as entries:
        train(replace(bench.services, collector=Telling(1)), run)  # type: ignore[arg-type]
    assert {entry["event"]: entry.get("run") for entry in entries} == {"collecting": run, "run_failed": run}
