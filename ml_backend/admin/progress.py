"""How far a training run is, in words and in numbers."""

from __future__ import annotations

from dataclasses import dataclass

from ml_backend.admin.language import Translator
from ml_backend.i18n import Words, say
from ml_backend.store.runs import Run

_STAGES = {
    None: say("It waits for the trainer."),
    "collect": say("Collecting documents"),
    "train": say("Training the extractor"),
    "recogniser": say("Training the recogniser"),
    "evaluate": say("Evaluating on held-out documents"),
    "register": say("Keeping the new version"),
    "promote": say("Promoting the new version"),
}
#: Share of a run's time that is over when a stage begins: a bar that only goes forward needs one scale for all.
_BEGINS = {"collect": 0.0, "recogniser": 0.15, "train": 0.4, "evaluate": 0.85, "register": 0.95, "promote": 0.98}
_ENDS = {"collect": 0.15, "recogniser": 0.4, "train": 0.85, "evaluate": 0.95, "register": 0.98, "promote": 1.0}


@dataclass(frozen=True, slots=True)
class RunProgress:
    """A run as the overview shows it.

    Attributes:
        run_id: ``None`` where there is no run.
        active: Whether it is due or runs, so that looking again is worth while.
        share: How much of it is over, in ``[0, 1]``.
        stage: What it is doing.
        detail: Step, loss, time left.
    """

    run_id: int | None
    active: bool
    share: float
    stage: str
    detail: str

    def as_json(self) -> dict[str, object]:
        """Return it for the page's script."""
        return {
            "run": self.run_id,
            "active": self.active,
            "share": round(self.share, 4),
            "stage": self.stage,
            "detail": self.detail,
        }


def progress_of(run: Run | None, translator: Translator) -> RunProgress:
    """Say how far a run is."""
    if run is None:
        return RunProgress(None, False, 0.0, "", "")
    active = run.state in ("due", "running")
    if not active:
        return RunProgress(run.id, False, 1.0, "", "")
    stage = run.stage if run.state == "running" else None
    begin, end = _BEGINS.get(stage or "", 0.0), _ENDS.get(stage or "", 0.0)
    inner = run.step / run.steps if run.step is not None and run.steps else 0.0
    words: Words = _STAGES.get(stage) or say("{stage}", stage=stage)
    return RunProgress(
        run.id, True, begin + (end - begin) * min(1.0, inner), translator(words), _detail(run, translator)
    )


def _detail(run: Run, translator: Translator) -> str:
    said = []
    if run.step is not None and run.steps:
        said.append(
            translator(
                say("step {step} of {steps}", step=translator.number(run.step), steps=translator.number(run.steps))
            )
        )
    if run.loss is not None:
        said.append(translator(say("loss {loss}", loss=translator.number(run.loss, 3))))
    if run.eta_seconds is not None:
        said.append(translator(say("about {time} left", time=translator.span(run.eta_seconds))))
    return ", ".join(said)
