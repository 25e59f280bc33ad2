"""Teaches a project's recogniser from corrected and confirmed lines, and holds it against the one in use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.learn.dataset import Collected, LabelledDocument
from ml_backend.learn.line_crops import LineCrops, TrainingLine
from ml_backend.observability.logs import get_logger
from model.evaluation.extractor_gate import Decision
from model.evaluation.recogniser_gate import Forgetting, LineGate, decide_lines
from model.ocr.cached_reader import PageReading
from model.ocr.incremental_reread import ReadTwice, Step, chained, learn_step, load_steps, save_steps
from model.recognition.backbone import Backbone, LineFeatures
from model.recognition.charset import charset_of
from model.recognition.finetune import Lesson, learn, misread
from model.recognition.head import FILE, Head
from model.recognition.lines import FeatureLine
from model.recognition.lower import Lower
from model.recognition.measuring import LineScore, measure, pooled
from model.recognition.replay import Rendered
from model.recognition.scripts import absent_scripts, bears
from model.recognition.training import HeadPlan, HeadProgress
from model.registry.version_files import recogniser_of

#: With fewer lines to learn from, nothing is learned.
LEAST_LINES = 10
#: So many changed copies are made of a line at most.
_MOST_COPIES = 8

_log = get_logger(__name__)


class LineCollector(Protocol):
    """Collects documents as one engine reads them; :class:`ml_backend.learn.dataset.Collector` is one."""

    def collect(
        self,
        project_id: int,
        config: LabelConfig,
        fields: Sequence[str],
        on_progress: Callable[[int, int], None] = ...,
    ) -> Collected:
        """Return what a project has to teach now."""
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
        lower: Loads the layers below the head that learn with it, if any do.
    """

    crops: LineCrops
    backbone: Callable[[], Backbone]
    head: Callable[[Backbone, Path | None], Head]
    rendered: Callable[[LineFeatures], Rendered]
    reading: Callable[[Path], PageReading]
    collector: Callable[[PageReading], LineCollector]
    languages: Sequence[str]
    plan: HeadPlan
    gate: LineGate
    copies: int = 240
    lower: Callable[[Backbone], Lower | None] = lambda _: None


@dataclass(frozen=True, slots=True)
class LearnedHead:
    """A challenger of the recogniser.

    Attributes:
        head: What was learned.
        steps: Which lines it could read otherwise than its predecessors.
        decision: Whether it may read in the champion's place.
        before: The champion's score on the held-out lines.
        after: The challenger's.
        forgetting: Both's on rendered lines.
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


def train_recogniser(
    services: RecogniserServices,
    project_id: int,
    documents: Sequence[LabelledDocument],
    held_out: frozenset[int],
    base: Path,
    engine_version: str,
    rng: np.random.Generator,
    on_progress: Callable[[HeadProgress | None, int, int], None] = lambda _progress, _done, _all: None,
) -> LearnedHead | None:
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
    lower = services.lower(backbone)
    sight: LineFeatures = backbone.under(champion) if lower is None else lower.sight

    def seen(line: TrainingLine, variant: int = 0) -> FeatureLine:
        return FeatureLine(services.crops.features(project_id, line.key, sight, variant), line.text)

    def by(head: Head, lines: Sequence[FeatureLine]) -> Sequence[FeatureLine]:
        return lines if lower is None else lower.seen(lines, head)

    plain = [seen(line) for line in taught]
    wrong = len(misread(champion, by(champion, plain)))
    if not wrong:
        return None
    rendered = services.rendered(sight)
    if not rendered.complete:
        _log.warning("recogniser_without_rendered_lines", project=project_id, backbone=backbone.digest)
        return None

    def more(numbers: Sequence[int]) -> list[FeatureLine]:
        copies = min(_MOST_COPIES, services.copies // len(numbers))
        made = []
        for done, number in enumerate(numbers):
            on_progress(None, done, len(numbers))
            made += [seen(taught[number], 1 + copy) for copy in range(copies)]
        return made

    wide = champion.widened(
        charset_of(services.languages, original=backbone.original.characters, texts=[line.text for line in lines]),
        source=backbone.original,
        rng=rng,
    )
    learned = learn(
        champion,
        wide,
        Lesson(plain, more, rendered.ordinary, rendered.rare),
        services.plan,
        services.gate.forgetting_margin / 2,
        rng,
        lambda progress: on_progress(progress, progress.step, progress.steps),
        lower,
    )
    head = learned.head
    tested = [line for line in lines if line.task_id in held_out]
    pages = [[number for number, line in enumerate(tested) if line.task_id == task] for task in sorted(held_out)]
    unseen = [seen(line) for line in tested]
    before, after = (_by_page(measure(each, by(each, unseen)), pages) for each in (champion, head))
    measuring = [line.text for line in (*rendered.ordinary_measuring, *rendered.rare_measuring)]
    absent = absent_scripts([line.text for line in lines], measuring)
    forgetting = forgetting_of(champion, head, rendered, by, absent=absent)
    decision = decide_lines(before, after, forgetting, services.gate, rng)
    every = [*plain, *all_of(rendered)]
    step = learn_step(engine_version, read_twice(champion, head, by(champion, every), by(head, every)))
    _log.info("recogniser_taught", project=project_id, lines=len(taught), misread=wrong, promote=decision.promote)
    return LearnedHead(
        head,
        chained(step, load_steps(base)),
        decision,
        pooled(before),
        pooled(after),
        forgetting,
        learned.curve,
        len(taught),
        wrong,
        learned.share,
    )


def _by_page(scores: Sequence[LineScore], pages: Sequence[Sequence[int]]) -> list[LineScore]:
    return [pooled([scores[number] for number in page]) for page in pages if page]


def read_twice(
    champion: Head, challenger: Head, before: Sequence[FeatureLine], after: Sequence[FeatureLine]
) -> list[ReadTwice]:
    """Return what both make of the same lines, each as it sees them."""
    old = champion.read_all([line.features for line in before])
    new = challenger.texts([line.features for line in after])
    return [ReadTwice(one.text, one.score, other) for one, other in zip(old, new, strict=True)]


def all_of(rendered: Rendered) -> list[FeatureLine]:
    """Return the lines to learn from and to measure with."""
    return [*rendered.ordinary, *rendered.rare, *rendered.ordinary_measuring, *rendered.rare_measuring]


def forgetting_of(
    champion: Head,
    challenger: Head,
    rendered: Rendered,
    by: Callable[[Head, Sequence[FeatureLine]], Sequence[FeatureLine]] = lambda _, lines: lines,
    *,
    absent: frozenset[str] = frozenset(),
) -> Forgetting:
    """Return what both make of the rendered lines to measure with.

    Args:
        champion: The head in use.
        challenger: What was learned.
        rendered: The lines.
        by: Gives lines as a head sees them.
        absent: Scripts that the project does not have: their lines do not count, unless no other is left.
    """
    kinds = [
        [line for line in kind if not bears(line.text, absent)]
        for kind in (rendered.ordinary_measuring, rendered.rare_measuring)
    ]
    if not any(kinds):
        kinds, absent = [list(rendered.ordinary_measuring), list(rendered.rare_measuring)], frozenset()
    ordinary, rare = (
        (measure(champion, by(champion, lines)), measure(challenger, by(challenger, lines))) for lines in kinds
    )
    languages: dict[str, tuple[list[LineScore], list[LineScore]]] = {}
    for lines, pair in zip(kinds, (ordinary, rare), strict=True):
        for line, old, new in zip(lines, *pair, strict=True):
            group = languages.setdefault(line.language or "any", ([], []))
            group[0].append(old)
            group[1].append(new)
    return Forgetting(ordinary, rare, languages, absent)
