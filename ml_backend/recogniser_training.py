"""Teaches a project's recogniser from corrected and confirmed lines, and holds it against the one in use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from ml_backend.joint_version import recogniser_of
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.line_crops import LineCrops, TaughtLine
from ml_backend.logs import get_logger
from ml_backend.samples import Collected, LabelledDocument
from model.forgetting import misread_characters, settle
from model.line_promotion import Forgetting, LineGate, decide_lines
from model.page_reading import PageReading
from model.promotion import Decision
from model.recognition.backbone import Backbone
from model.recognition.charset import charset_of
from model.recognition.head import FILE, Head
from model.recognition.lines import FeatureLine
from model.recognition.measuring import LineScore, measure, pooled
from model.recognition.training import HeadPlan, HeadProgress, train_head
from model.rereading import ReadTwice, Step, chained, learn_step, load_steps, save_steps

#: With fewer lines to learn from, nothing is learned.
LEAST_LINES = 10
#: So many changed copies are made of a line at most.
_MOST_COPIES = 8
#: From so many lines on, some only tell when to stop; and that share of them, with as many rendered ones.
_ENOUGH, _VALID_SHARE = 60, 0.15
#: So many of those must be misread.
_TELLING = 8
#: One in so many rendered lines is not learned from, but tells how much of what was learned does no harm.
_GUARDS = 4

_log = get_logger(__name__)


class LineCollector(Protocol):
    """Collects documents as one engine reads them; :class:`ml_backend.samples.Collector` is one."""

    def collect(
        self,
        project_id: int,
        config: LabelConfig,
        fields: Sequence[str],
        on_progress: Callable[[int, int], None] = ...,
    ) -> Collected:
        """Return what a project has to teach now."""
        ...


class RenderedLines(Protocol):
    """Lines that nobody corrected, to learn from and to measure with, as a backbone sees them."""

    def __call__(self, backbone: Backbone) -> tuple[list[FeatureLine], list[FeatureLine]]:
        """Return both; lines of one are never in the other."""
        ...


@dataclass(frozen=True, slots=True)
class RecogniserServices:
    """What learning to read works with.

    Attributes:
        crops: Lines cut out of images.
        backbone: Loads the layers that are kept.
        head: Loads the head of a version's file; ``None`` stands for the one that ships.
        rendered: So that nothing is forgotten.
        reading: Loads the engine of a version's folder.
        collector: Collects documents as an engine reads them.
        languages: Whose characters a head knows whatever is corrected.
        plan: How long and how fast.
        gate: What is allowed.
        copies: Changed copies of lines that are made in all; each costs as much time as reading a line.
    """

    crops: LineCrops
    backbone: Callable[[], Backbone]
    head: Callable[[Backbone, Path | None], Head]
    rendered: RenderedLines
    reading: Callable[[Path], PageReading]
    collector: Callable[[PageReading], LineCollector]
    languages: Sequence[str]
    plan: HeadPlan
    gate: LineGate
    copies: int = 240


@dataclass(frozen=True, slots=True)
class TaughtHead:
    """A challenger of the recogniser.

    Attributes:
        head: What was learned.
        steps: Which lines it could read otherwise than its predecessors.
        decision: Whether it may read in the champion's place.
        before: The champion's score on the held-out lines.
        after: The challenger's.
        forgetting: Both's on rendered lines, by language.
        curve: How the training went.
        lines: How many lines it learned from.
        misread: How many of them the champion read wrongly.
        share: How far known characters have gone from where they were towards what was learned, in ``[0, 1]``.
    """

    head: Head
    steps: tuple[Step, ...]
    decision: Decision
    before: LineScore
    after: LineScore
    forgetting: Forgetting
    curve: tuple[HeadProgress, ...]
    lines: int
    misread: int
    share: float = 1.0

    def save(self, folder: Path) -> None:
        """Write it into a model version's folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self.head.save(folder / FILE)
        save_steps(self.steps, folder)


def teach_recogniser(
    services: RecogniserServices,
    project_id: int,
    documents: Sequence[LabelledDocument],
    held_out: frozenset[int],
    base: Path,
    engine_version: str,
    rng: np.random.Generator,
    on_progress: Callable[[HeadProgress | None, int, int], None] = lambda _progress, _done, _all: None,
) -> TaughtHead | None:
    """Learn from the lines of documents, and decide whether that made reading better.

    Args:
        services: What it works with.
        project_id: The project.
        documents: What was annotated.
        held_out: Tasks that are for the gate alone.
        base: Folder of the champion, with a head of its own or without.
        engine_version: The engine with the champion's recogniser.
        rng: For everything that is drawn.
        on_progress: Called while lines are cut out (with counts) and while it trains; what it raises ends it.

    Returns:
        ``None`` where there are too few lines, the champion reads all of them right, or there are no rendered lines
        that could show what is forgotten.

    Raises:
        BackendError: If crops cannot be kept.
        RecogniserError: If a head or the rendered lines are damaged.
    """
    lines = services.crops.collect(project_id, documents, lambda done, of: on_progress(None, done, of))
    taught = [line for line in lines if line.task_id not in held_out]
    if len(taught) < LEAST_LINES:
        return None
    backbone = services.backbone()
    champion = services.head(backbone, recogniser_of(base))

    def seen(line: TaughtLine, variant: int = 0) -> FeatureLine:
        return FeatureLine(services.crops.features(project_id, line.key, backbone, variant), line.text)

    plain = [seen(line) for line in taught]
    wrong = [not score.right for score in measure(champion, plain)]
    misread = sum(wrong)
    if not misread:
        return None
    learning, measuring = services.rendered(backbone)
    if not learning or not measuring:
        _log.warning("recogniser_without_rendered_lines", project=project_id, backbone=backbone.digest)
        return None
    order = rng.permutation(len(taught))
    aside = round(_VALID_SHARE * len(taught)) if len(taught) >= _ENOUGH else 0
    if sum(wrong[i] for i in order[:aside]) < _TELLING:
        # Lines that were read right before cannot tell when to stop.
        aside = 0
    copies = min(_MOST_COPIES, services.copies // (len(taught) - aside))
    kept = [taught[i] for i in order[aside:]]
    batch = [plain[i] for i in order[aside:]]
    for done, line in enumerate(kept):
        on_progress(None, done, len(kept))
        batch += [seen(line, 1 + copy) for copy in range(copies)]
    shuffled = [learning[i] for i in rng.permutation(len(learning))]
    held = len(shuffled) // _GUARDS
    guard, replay = shuffled[:held], shuffled[held:]
    # What is forgotten does not end the training: it is settled afterwards how much of it is taken over.
    valid = [plain[i] for i in order[:aside]]
    touched = misread_characters(champion, plain)
    wide = champion.widened(
        charset_of(services.languages, original=backbone.original.characters, texts=[line.text for line in lines]),
        source=backbone.original,
        rng=rng,
    )
    _warm_up()
    # What does not learn, the layer that looks at neighbours, is applied once and not in every step.
    trained = train_head(
        replace(wide, context=None),
        _seen_by(wide, batch),
        _seen_by(wide, valid),
        _seen_by(wide, replay),
        replace(
            services.plan,
            frozen="".join(c for c in champion.characters if c not in touched),
            seed=int(rng.integers(2**31)),
        ),
        lambda progress: on_progress(progress, progress.step, progress.steps),
    )
    learned = replace(trained.head, context=wide.context)
    head, share = settle(champion, wide, learned, guard, services.gate.forgetting_margin / 2)
    tested = [line for line in lines if line.task_id in held_out]
    tasks = sorted({line.task_id for line in tested})
    pages = [[seen(line) for line in tested if line.task_id == task] for task in tasks]
    before = [pooled(measure(champion, page)) for page in pages]
    after = [pooled(measure(head, page)) for page in pages]
    forgetting = _forgetting(champion, head, measuring)
    decision = decide_lines(before, after, forgetting, services.gate, rng)
    step = learn_step(engine_version, read_twice(champion, head, [*plain, *learning, *measuring]))
    _log.info("recogniser_taught", project=project_id, lines=len(taught), misread=misread, promote=decision.promote)
    return TaughtHead(
        head,
        chained(step, load_steps(base)),
        decision,
        pooled(before),
        pooled(after),
        forgetting,
        trained.curve,
        len(taught),
        misread,
        share,
    )


def _warm_up() -> None:
    """Do one step of nothing: torch's first loads its compiler, for seconds that are not to come off the budget."""
    nothing = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.Adam([nothing])
    nothing.sum().backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _seen_by(head: Head, lines: Sequence[FeatureLine]) -> list[FeatureLine]:
    return [replace(line, features=head.seen(line.features)) for line in lines]


def read_twice(champion: Head, challenger: Head, lines: Sequence[FeatureLine]) -> list[ReadTwice]:
    """Return what both make of lines."""
    readings = [(champion.read(line.features), challenger.read(line.features)) for line in lines]
    return [ReadTwice(old.text, old.score, new.text) for old, new in readings]


def _forgetting(champion: Head, challenger: Head, lines: Sequence[FeatureLine]) -> Forgetting:
    found = {}
    for language in dict.fromkeys(line.language for line in lines):
        own = [line for line in lines if line.language == language]
        found[language or "any"] = pooled(measure(champion, own)), pooled(measure(challenger, own))
    return found
