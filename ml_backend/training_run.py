"""One training run: collect, train, evaluate, register, promote.

What it writes stands in a folder of its own until the registry has the new version whole, so that a run that is killed
leaves nothing that anybody sees. Whoever repeats it begins by removing what the registry has of it.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from ml_backend.due import DueCheck
from ml_backend.errors import BackendError
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.logs import get_logger
from ml_backend.run_store import Decision as Outcome
from ml_backend.run_store import Run, RunStore
from ml_backend.samples import Collected, Collector
from ml_backend.training_report import Evaluated, evaluate, note
from ml_backend.versions import Versions
from model.errors import ModelError
from model.evaluation import total
from model.extraction.extractor import Extractor
from model.extraction.finetune import FineTuned, FinetunePlan, Progress, fine_tune
from model.extraction.replay import LEARNING, MEASURING, load_cards
from model.extraction.training import Example
from model.promotion import Decision, GateSettings, decide, held_out
from model.registry import Registry, Version
from model.tracking import RUN_TAG, TrackedRun, Tracking

#: Share of the documents to learn from that only tell when to stop, and how sure to be.
_VALID_SHARE = 0.15
#: Seconds between two signs of life, and least seconds between two reports of a step.
_BEAT_SECONDS, _REPORT_SECONDS = 5.0, 1.0
#: For so often a run that failed is tried again, after so long the first time and four times as long each next time.
_MOST_ATTEMPTS, _RETRY_AFTER = 5, timedelta(seconds=30)

_log = get_logger(__name__)


class LostRunError(BackendError):
    """The run was given to another process: this one must stop and leave no trace."""


@dataclass(frozen=True, slots=True)
class TrainingServices:
    """What a run works with.

    Attributes:
        shipped: Folder of the weights that serve where a project has no champion.
        scratch: Folder in which each run has its own while it lasts.
    """

    runs: RunStore
    due: DueCheck
    label_studio: LabelStudio
    collector: Collector
    tracking: Tracking
    registry: Registry
    versions: Versions
    shipped: Path
    scratch: Path
    plan: FinetunePlan
    gate: GateSettings


@dataclass(frozen=True, slots=True)
class Split:
    """The documents of a project: to learn from, to tell when to stop, and for the gate alone."""

    taught: list[Example]
    valid: list[Example]
    held_out: list[Example]


def train(services: TrainingServices, run_id: int) -> str:
    """Do a run that is due; safe to repeat.

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
        with _beating(services.runs, run_id):
            _clean(services, run)
            outcome = _Attempt(services, run, folder).outcome()
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
    """

    def __init__(self, services: TrainingServices, run: Run, folder: Path) -> None:
        self._services, self._run, self._folder = services, run, folder
        self._reported = 0.0

    def outcome(self) -> Outcome:
        """Do it all and return what became of the challenger."""
        services, run = self._services, self._run
        self._report("collect")
        champion = services.registry.champion(run.project_id)
        base = services.shipped if champion is None else services.registry.folder_of(champion)
        old = Extractor.load(base)
        config = parse_label_config(services.label_studio.project(run.project_id).label_config)
        collected = services.collector.collect(
            run.project_id, config, old.fields, lambda done, count: self._report("collect", done, count)
        )
        services.runs.record_learned(run.id, collected.digests)
        parts = split(run.project_id, collected, services.gate.min_documents, np.random.default_rng(run.id))
        tracked = services.tracking.begin(run.project_id, run.id, f"run {run.id}")
        try:
            tracked.parameters(self._parameters(collected, parts, None if champion is None else champion.name))
            tuned = self._train(base, collected, parts)
            self._report("evaluate")
            new, decision = self._judge(old, collected, parts, tuned, tracked)
            version = self._register(tuned, collected, tracked, new, decision)
            if decision.promote:
                self._report("promote")
                services.versions.promote(run.project_id, version.number, by="gate", reason=decision.reason)
        except BaseException:
            with suppress(ModelError):
                tracked.end("FAILED")
            raise
        tracked.end("FINISHED")
        outcome: Outcome = "promoted" if decision.promote else "kept"
        if not services.runs.finish(run.id, "finished", outcome, version.number, decision.reason, tracked.id):
            raise LostRunError("The run was given to another process.")
        _log.info("run_finished", run=run.id, project=run.project_id, version=version.name, outcome=outcome)
        return outcome

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

    def _judge(
        self, old: Extractor, collected: Collected, parts: Split, tuned: FineTuned, tracked: TrackedRun
    ) -> tuple[Evaluated, Decision]:
        new, names = Extractor.load(tuned.folder), (collected.fields, collected.rename)
        before, after = evaluate(old, parts.held_out, *names), evaluate(new, parts.held_out, *names)
        cards = load_cards(MEASURING)
        forgetting = evaluate(old, cards, *names), evaluate(new, cards, *names)
        decision = decide(
            before.counts,
            after.counts,
            (forgetting[0].counts, forgetting[1].counts),
            self._services.gate,
            np.random.default_rng(self._run.id),
        )
        note(tracked, tuned, before, after, forgetting, decision)
        return after, decision

    def _register(
        self, tuned: FineTuned, collected: Collected, tracked: TrackedRun, new: Evaluated, decision: Decision
    ) -> Version:
        self._report("register")
        tags = {
            RUN_TAG: str(self._run.id),
            "decision": "promoted" if decision.promote else "kept",
            "reason": decision.reason,
            "f1": f"{total(new.counts)['micro'].f1:.4f}",
            "documents": str(len(collected.digests)),
            "fingerprint": collected.fingerprint,
        }
        return self._services.registry.register(tuned.folder, self._run.project_id, tracked, tags)

    def _parameters(self, collected: Collected, parts: Split, champion: str | None) -> dict[str, object]:
        plan = self._services.plan
        return {
            "fingerprint": collected.fingerprint,
            "base": champion or "the weights that ship",
            "fields": ", ".join(collected.fields),
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

    def _report(
        self,
        stage: str,
        step: int | None = None,
        steps: int | None = None,
        loss: float | None = None,
        eta_seconds: float | None = None,
    ) -> None:
        if not self._services.runs.report(self._run.id, stage, step, steps, loss, eta_seconds):
            raise LostRunError("The run was given to another process.")
        self._reported = time.monotonic()


def split(project_id: int, collected: Collected, least_held_out: int, rng: np.random.Generator) -> Split:
    """Share out the documents that have words; which are held out depends on the tasks alone."""
    examples = {each.task_id: Example(each.page, each.tags) for each in collected.examples if each.tags}
    kept = held_out(project_id, examples, least=least_held_out)
    learning = [example for task_id, example in examples.items() if task_id not in kept]
    order = rng.permutation(len(learning))
    aside = round(_VALID_SHARE * len(learning))
    return Split(
        [learning[i] for i in order[aside:]], [learning[i] for i in order[:aside]], [examples[i] for i in sorted(kept)]
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
    message = str(error).splitlines()[0][:500] if str(error) else type(error).__name__
    if services.runs.finish(run.id, "failed", message=message) and run.attempt < _MOST_ATTEMPTS:
        later = datetime.now(timezone.utc) + _RETRY_AFTER * 4 ** (run.attempt - 1)
        services.runs.add_run(
            run.project_id, run.reason, run.asked, run.learned_up_to, run.documents, later, run.attempt + 1
        )


@contextmanager
def _beating(runs: RunStore, run_id: int) -> Iterator[None]:
    """Give signs of life while the run goes on, also where a stage takes long without a report."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(_BEAT_SECONDS):
            # A store that is busy for a moment is no reason to stop; the next report finds out.
            with suppress(BackendError):
                runs.beat(run_id)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
