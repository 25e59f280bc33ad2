"""One training run: collect, teach the recogniser and the extractor, evaluate them together, register, promote.

What it writes stands in a folder of its own until the registry has the new version whole, so that a run that is killed
leaves nothing that anybody sees. Repeating it begins with removing what the registry has of it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import numpy as np
from structlog.contextvars import bound_contextvars

from ml_backend.errors import BackendError
from ml_backend.i18n import Words, keep, said_by, say
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.fields import FieldNames
from ml_backend.label_studio.label_config import LabelConfig, parse_label_config
from ml_backend.learn.dataset import Collected
from ml_backend.learn.evaluation import NOTHING, Evaluated, evaluate, in_own_names, note, note_recogniser
from ml_backend.learn.promotion import REASON_TAG, Versions
from ml_backend.learn.recogniser_training import LearnedHead, LineCollector, RecogniserServices, train_recogniser
from ml_backend.learn.training_trigger import TrainingTrigger
from ml_backend.observability.logs import get_logger
from ml_backend.predict.project_naming import project_fields
from ml_backend.store.heartbeat import beating
from ml_backend.store.runs import Decision as Outcome
from ml_backend.store.runs import Run, RunStore
from model.document.types import Page
from model.errors import ModelError
from model.evaluation.card_likeness import CardShare, count_cards
from model.evaluation.entity_metrics import total
from model.evaluation.extractor_gate import Decision, GateSettings, decide, field_agreement, held_out, keeps_up
from model.extraction.extractor import Extractor
from model.extraction.field_concepts import Concept, concept_of
from model.extraction.finetune import FineTuned, FinetunePlan, Progress, fine_tune
from model.extraction.project_head import ProjectFields
from model.extraction.project_naming import Namer, served
from model.extraction.replay import LEARNING, MEASURING, load_cards
from model.extraction.training import Example
from model.ocr.cached_reader import PageReading
from model.recognition.training import HeadProgress
from model.registry.tracking import RUN_TAG, TrackedRun, Tracking
from model.registry.version_files import compose
from model.registry.versions import Registry, Version

#: Share of the documents to learn from that only tell when to stop, and how sure to be.
_VALID_SHARE = 0.15
#: Least seconds between two reports of a step.
_REPORT_SECONDS = 1.0
#: Seconds between two signs of life of a run.
_BEAT_SECONDS = 5.0
#: For so often a run that failed is tried again, after so long the first time and four times as long each next time.
_MOST_ATTEMPTS, _RETRY_AFTER = 5, timedelta(seconds=30)

_log = get_logger(__name__)


Served = Callable[[Extractor, ProjectFields, Sequence[Sequence[tuple[Page, Sequence[str]]]]], Namer]
"""Makes the namer that serves: :func:`model.extraction.project_naming.served`."""


class LostRunError(BackendError):
    """The run was given to another process: this one must stop and leave no trace."""


@dataclass(frozen=True, slots=True)
class TrainingServices:
    """What a run works with.

    Attributes:
        shipped: Folder of the weights that serve where a project has no champion.
        scratch: Folder in which each run has its own while it lasts.
        recogniser: What learning to read works with; ``None`` leaves the recogniser as it is.
        served: Says what names a project's documents today, of a version and what is learned on top of it.
    """

    runs: RunStore
    due: TrainingTrigger
    label_studio: LabelStudio
    collector: LineCollector
    tracking: Tracking
    registry: Registry
    versions: Versions
    shipped: Path
    scratch: Path
    plan: FinetunePlan
    gate: GateSettings
    recogniser: RecogniserServices | None = None
    served: Served = served


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What became of a run's challengers.

    Attributes:
        folder: Files of the version to register.
        decision: About the version as a whole.
        extractor, recogniser: Whether each is new in it.
        evaluated: What the version names on the held-out documents.
    """

    folder: Path
    decision: Decision
    extractor: bool
    recogniser: bool
    evaluated: Evaluated


@dataclass(frozen=True, slots=True)
class Split:
    """The documents of a project: pages to learn from and to tell when to stop, and documents for the gate alone."""

    taught: list[Example]
    valid: list[Example]
    held_out: list[list[Example]]


def train(services: TrainingServices, run_id: int, *, only_recogniser: bool = False) -> str:
    """Do a run that is due; safe to repeat.

    Args:
        services: What it works with.
        run_id: The run.
        only_recogniser: Whether to leave the extractor as it is.

    Returns:
        ``promoted`` or ``kept``; ``failed``; ``not due`` where another process has it, or it may not start yet;
        ``lost`` where another took it over.
    """
    run = services.runs.claim_run(run_id)
    if run is None:
        return "not due"
    folder = services.scratch / str(run_id)
    outcome = "failed"
    try:
        with bound_contextvars(run=run_id), beating(partial(services.runs.beat, run_id), _BEAT_SECONDS):
            _clean(services, run)
            outcome = _Attempt(services, run, folder, only_recogniser).outcome()
    except LostRunError:
        with suppress(ModelError):
            services.registry.discard(run.project_id, run_id)
        _log.warning("run_lost", run=run_id, project=run.project_id)
        return "lost"
    except Exception as error:  # noqa: BLE001 - whatever it was, the run must not be left as running
        _log.exception("run_failed", run=run_id, project=run.project_id)
        _fail(services, run, error)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if outcome != "failed":
        with suppress(BackendError):
            services.due.check(run.project_id)
    return outcome


class _Attempt:
    """The stages of one run.

    Args:
        services: What it works with.
        run: Claimed.
        folder: Its own.
        only_recogniser: Whether to leave the extractor as it is.
    """

    def __init__(self, services: TrainingServices, run: Run, folder: Path, only_recogniser: bool) -> None:
        self._services, self._run, self._folder = services, run, folder
        self._only_recogniser = only_recogniser
        #: Tasks whose documents are for the gate alone: chosen once, whatever else is annotated during the run.
        self._kept: frozenset[int] = frozenset()
        #: Where the champion is, what the names of fields say that it does not know, and what it was trained on.
        self._base = services.shipped
        self._concepts: Mapping[str, Concept] = {}
        self._trained: frozenset[int] = frozenset()
        self._reported = 0.0
        #: Of the stage that is under way: its name and steps, and when it was how far at first.
        self._stage: tuple[str, int | None] = ("", None)
        self._began = (0.0, 0)

    def outcome(self) -> Outcome:
        """Do it all and return what became of the challenger."""
        services, run = self._services, self._run
        self._report("collect")
        champion = services.registry.champion(run.project_id)
        base = services.shipped if champion is None else services.registry.folder_of(champion)
        old = Extractor.load(base)
        config = parse_label_config(services.label_studio.project(run.project_id).label_config)
        self._base, self._concepts = base, project_fields(config, old.fields).concepts
        self._trained = frozenset(services.runs.learned(run.project_id))
        reading = services.recogniser.reading(base) if services.recogniser else None
        collected = self._collect(config, old, reading)
        documents = documents_of(collected)
        self._kept = held_out(run.project_id, documents, least=services.gate.min_documents)
        services.runs.record_learned(run.id, collected.digests)
        tracked = services.tracking.begin(run.project_id, run.id, f"run {run.id}")
        try:
            parts = self._split(documents)
            tracked.parameters(self._parameters(collected, parts, None if champion is None else champion.name))
            taught = self._teach(collected, base, reading)
            if taught is not None:
                note_recogniser(tracked, taught)
            again = (
                self._read_again(taught, config, old) if taught is not None and taught.decision.promote else collected
            )
            chosen = self._choose(base, old, collected, again, taught, tracked)
            version = self._register(chosen, taught, collected, tracked)
            if chosen.decision.promote:
                self._report("promote")
                services.versions.promote(run.project_id, version.number, by="gate", reason=chosen.decision.reason)
        except BaseException:
            with suppress(ModelError):
                tracked.end("FAILED")
            raise
        tracked.end("FINISHED")
        outcome: Outcome = "promoted" if chosen.decision.promote else "kept"
        if not services.runs.finish(
            run.id, "finished", outcome, version.number, chosen.decision.reason, tracked.id
        ):  # fmt: skip
            raise LostRunError("The run was given to another process.")
        _log.info("run_finished", run=run.id, project=run.project_id, version=version.name, outcome=outcome)
        return outcome

    def _collect(self, config: LabelConfig, old: Extractor, reading: PageReading | None) -> Collected:
        services = self._services
        collector: LineCollector = services.collector
        if services.recogniser is not None and reading is not None:
            collector = services.recogniser.collector(reading)
        return collector.collect(
            self._run.project_id, config, old.fields, lambda done, count: self._report("collect", done, count)
        )

    def _teach(self, collected: Collected, base: Path, reading: PageReading | None) -> LearnedHead | None:
        """Teach the recogniser, from the documents that the extractor learns from too."""
        services = self._services
        if services.recogniser is None or reading is None:
            return None
        self._report("recogniser")
        return train_recogniser(
            services.recogniser,
            self._run.project_id,
            collected.examples,
            self._kept,
            base,
            reading.engine.version,
            np.random.default_rng(self._run.id),
            self._recogniser_progress,
        )

    def _read_again(self, taught: LearnedHead, config: LabelConfig, old: Extractor) -> Collected:
        """Return the documents as the new recogniser reads them, since that is what the extractor will see."""
        assert self._services.recogniser is not None
        taught.save(self._folder / "recogniser")
        return self._collect(config, old, self._services.recogniser.reading(self._folder / "recogniser"))

    def _choose(
        self,
        base: Path,
        old: Extractor,
        collected: Collected,
        again: Collected,
        taught: LearnedHead | None,
        tracked: TrackedRun,
    ) -> _Chosen:
        """Teach the extractor, and find out which of the new models work better together than the old ones."""
        by_old, by_new = documents_of(collected), documents_of(again)
        # What was annotated meanwhile is left to the next run.
        same = [task for task in by_old if task in by_new and collected.digests.get(task) == again.digests.get(task)]
        parts, before = (self._split({task: pages[task] for task in same}) for pages in (by_new, by_old))
        names = collected.fields, collected.rename
        champion = evaluate(self._served(old, by_old, names), before.held_out, *names)
        recogniser = self._folder / "recogniser" if taught is not None and taught.decision.promote else None
        version = self._folder / "version"
        if not self._only_recogniser:
            tuned = self._train(base, again, parts)
            self._report("evaluate")
            cards = self._cards(base, old, [by_new[task] for task in same], collected.rename)
            new, decision = self._judge(old, champion, parts, tuned, collected.names, cards, tracked)
            if decision.promote or recogniser is None:
                folder = compose(version, extractor=tuned.folder, recogniser=recogniser or base)
                return _Chosen(folder, decision, True, recogniser is not None, new)
        together = evaluate(old, parts.held_out, *names)
        if taught is None:
            decision = Decision(False, say("there is nothing that the recogniser could learn"), ())
            return _Chosen(compose(version, extractor=base, recogniser=base), decision, False, False, champion)
        taught.save(self._folder / "recogniser")
        decision = taught.decision
        if decision.promote:
            check = keeps_up(champion.counts, together.counts, self._services.gate, np.random.default_rng(self._run.id))
            reason = say("recogniser: {said}", said=decision.reason) if check.passed else check.detail
            decision = Decision(check.passed, reason, (*decision.checks, check))
        folder = compose(version, extractor=base, recogniser=self._folder / "recogniser")
        return _Chosen(folder, decision, False, True, together)

    def _served(
        self,
        old: Extractor,
        documents: Mapping[int, Sequence[Example]],
        names: tuple[Sequence[str], Mapping[str, str]],
    ) -> Namer:
        """Return what names the project's documents today: the champion with what was learned since in seconds.

        It learns here from what the challenger may learn from too, and from nothing that the champion was trained on.
        """
        trained = self._trained if self._base != self._services.shipped else frozenset[int]()
        fresh = [
            [(page.page, page.tags) for page in pages]
            for task, pages in documents.items()
            if task not in self._kept and task not in trained
        ]
        concepts = {name: self._concepts.get(name) or concept_of([name]) for name in names[0] if name not in old.fields}
        return self._services.served(old, ProjectFields(tuple(names[0]), concepts, names[1]), fresh)

    def _split(self, documents: Mapping[int, list[Example]]) -> Split:
        return split(documents, self._kept, np.random.default_rng(self._run.id))

    def _train(self, base: Path, collected: Collected, parts: Split) -> FineTuned:
        self._report("train")
        return fine_tune(
            base,
            parts.taught,
            parts.valid,
            load_cards(LEARNING),
            fields=collected.fields,
            rename=collected.rename,
            plan=replace(self._services.plan, seed=self._run.id),
            folder=self._folder / "checkpoint",
            on_progress=self._progress,
        )

    def _cards(
        self, base: Path, old: Extractor, documents: Sequence[Sequence[Example]], rename: Mapping[str, str]
    ) -> CardShare:
        """Count the project's documents that are cards, as the weights that ship see them."""
        shipped = old if base == self._services.shipped else Extractor.load(self._services.shipped)

        def named_share(page: Page) -> float:
            named = sum(entity.stop - entity.start for entity in shipped.extract(page).entities)
            return named / max(1, len(page.words))

        found = count_cards(documents, rename, named_share)
        _log.info("cards_counted", project=self._run.project_id, cards=found.cards, documents=found.documents)
        return found

    def _judge(
        self,
        old: Extractor,
        before: Evaluated,
        parts: Split,
        tuned: FineTuned,
        names: FieldNames,
        cards: CardShare,
        tracked: TrackedRun,
    ) -> tuple[Evaluated, Decision]:
        new = Extractor.load(tuned.folder)
        after = evaluate(new, parts.held_out, names.fields, names.rename)
        synthetic = [[card] for card in load_cards(MEASURING)]
        on_cards = [evaluate(each, synthetic, names.fields, names.rename) for each in (old, new)]
        before, after, *on_cards = (in_own_names(found, names.labels) for found in (before, after, *on_cards))
        forgetting = on_cards[0], on_cards[1]
        decision = decide(
            before.counts,
            after.counts,
            (forgetting[0].counts, forgetting[1].counts),
            self._services.gate,
            np.random.default_rng(self._run.id),
            cards=cards,
            agreement=field_agreement(after.confusion, NOTHING),
        )
        note(tracked, tuned, before, after, forgetting, cards, decision)
        return after, decision

    def _register(
        self, chosen: _Chosen, taught: LearnedHead | None, collected: Collected, tracked: TrackedRun
    ) -> Version:
        self._report("register")
        tags = {
            RUN_TAG: str(self._run.id),
            "decision": "promoted" if chosen.decision.promote else "kept",
            "reason": str(chosen.decision.reason),
            REASON_TAG: keep(chosen.decision.reason),
            "f1": f"{total(chosen.evaluated.counts)['micro'].f1:.4f}",
            "documents": str(len(collected.digests)),
            "fingerprint": collected.fingerprint,
            "extractor": "new" if chosen.extractor else "as before",
            "recogniser": "new" if chosen.recogniser else "as before",
        }
        if taught is not None:
            score = taught.after if chosen.recogniser else taught.before
            tags |= {
                "cer": f"{score.cer:.4f}",
                "line_accuracy": f"{score.line_accuracy:.4f}",
                "recogniser_reason": str(taught.decision.reason),
            }
        return self._services.registry.register(chosen.folder, self._run.project_id, tracked, tags)

    def _parameters(self, collected: Collected, parts: Split, champion: str | None) -> dict[str, object]:
        plan = self._services.plan
        return {
            "fingerprint": collected.fingerprint,
            "base": champion or "the weights that ship",
            "fields": ", ".join(collected.names.labels.get(field, field) for field in collected.fields),
            "documents": len(collected.digests),
            "taught": len(parts.taught),
            "validation": len(parts.valid),
            "held_out": len(parts.held_out),
            "problems": len(collected.problems),
            "reason": self._run.reason,
            "budget_seconds": plan.budget_seconds,
            "learning_rate": plan.learning_rate,
            "batch_size": plan.batch_size,
            "replay": plan.replay,
            "seed": self._run.id,
        }

    def _progress(self, progress: Progress) -> None:
        last = progress.step >= progress.steps
        if last or time.monotonic() - self._reported >= _REPORT_SECONDS:
            self._report("train", progress.step, progress.steps, progress.loss, progress.eta_seconds)

    def _recogniser_progress(self, progress: HeadProgress | None, done: int, count: int) -> None:
        if done >= count or time.monotonic() - self._reported >= _REPORT_SECONDS:
            self._report("recogniser", done, count, progress.loss if progress else None)

    def _report(
        self,
        stage: str,
        step: int | None = None,
        steps: int | None = None,
        loss: float | None = None,
        eta_seconds: float | None = None,
    ) -> None:
        now = time.monotonic()
        if (stage, steps) != self._stage:
            self._stage, self._began = (stage, steps), (now, step or 0)
        if eta_seconds is None and step is not None and steps is not None and step > self._began[1]:
            eta_seconds = (now - self._began[0]) / (step - self._began[1]) * (steps - step)
        if not self._services.runs.report(self._run.id, stage, step, steps, loss, eta_seconds):
            raise LostRunError("The run was given to another process.")
        self._reported = now


def documents_of(collected: Collected) -> dict[int, list[Example]]:
    """Return the pages that have words, by task: one that is learned from tells of the others of its document."""
    documents: dict[int, list[Example]] = {}
    for each in collected.examples:
        if each.tags:
            documents.setdefault(each.task_id, []).append(Example(each.page, each.tags))
    return documents


def split(documents: Mapping[int, list[Example]], kept: Collection[int], rng: np.random.Generator) -> Split:
    """Share out documents.

    Args:
        documents: Pages by task.
        kept: Tasks for the gate alone; some may have no document.
        rng: Chooses which of the others only tell when to stop.
    """
    learning = [pages for task_id, pages in documents.items() if task_id not in kept]
    order = rng.permutation(len(learning))
    aside = round(_VALID_SHARE * len(learning))
    return Split(
        [page for i in order[aside:] for page in learning[i]],
        [page for i in order[:aside] for page in learning[i]],
        [documents[task_id] for task_id in sorted(kept) if task_id in documents],
    )


def _clean(services: TrainingServices, run: Run) -> None:
    """Remove what earlier tries left that were interrupted, and complete what they did not write down."""
    services.versions.complete_history(run.project_id)
    served = {each.version for each in services.runs.promotions(run.project_id) if each.version is not None}
    for earlier in services.runs.runs(run.project_id, limit=10):
        if earlier.state in {"interrupted", "failed"} and earlier.id != run.id:
            services.registry.discard(run.project_id, earlier.id, served)
            shutil.rmtree(services.scratch / str(earlier.id), ignore_errors=True)


def _fail(services: TrainingServices, run: Run, error: Exception) -> None:
    """Say why, and have the run tried again later."""
    with suppress(ModelError):
        services.registry.discard(run.project_id, run.id)
    message = error.said if isinstance(error, BackendError) else said_by(error)
    if not isinstance(message, Words):
        message = message.splitlines()[0][:500] if message else type(error).__name__
    if services.runs.finish(run.id, "failed", message=message) and run.attempt < _MOST_ATTEMPTS:
        later = datetime.now(timezone.utc) + _RETRY_AFTER * 4 ** (run.attempt - 1)
        services.runs.add_run(
            run.project_id, run.reason, run.asked, run.learned_up_to, run.documents, later, run.attempt + 1
        )
