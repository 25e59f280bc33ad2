"""Evaluates checkpoints for the gate, and writes down in MLflow what a run came to: numbers, plots, the decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.figure import Figure

from ml_backend.learn.recogniser_training import LearnedHead
from model.document.bio import field_of, spans
from model.evaluation.card_likeness import CardShare
from model.evaluation.entity_metrics import DocumentCounts, count_spans, joined, total
from model.evaluation.extractor_gate import Decision
from model.extraction.calibration import entity_confidences, expected_calibration_error, reliability
from model.extraction.finetune import FineTuned
from model.extraction.project_naming import Namer
from model.extraction.training import Example
from model.recognition.measuring import pooled
from model.registry.tracking import TrackedRun

#: Stands for no field in a confusion.
NOTHING = "none"


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What a checkpoint names on documents.

    Attributes:
        counts: A document each.
        confidences: Shape ``(entities,)``: how sure it is of each entity that it names.
        right: Shape ``(entities,)``: whether that is so.
        confusion: Words by true and by named field, ``none`` for outside.
    """

    counts: tuple[DocumentCounts, ...]
    confidences: tuple[float, ...]
    right: tuple[bool, ...]
    confusion: Mapping[tuple[str, str], int]


def in_own_names(found: Evaluated, labels: Mapping[str, str]) -> Evaluated:
    """Return what was found with the project's names for its fields.

    Args:
        found: By the model's fields.
        labels: Label by field.
    """
    counts = tuple({labels.get(field, field): score for field, score in one.items()} for one in found.counts)
    confusion = {
        (labels.get(truth, truth), labels.get(guess, guess)): count for (truth, guess), count in found.confusion.items()
    }
    return replace(found, counts=counts, confusion=confusion)


def evaluate(
    extractor: Namer, documents: Iterable[Sequence[Example]], fields: Sequence[str], rename: Mapping[str, str]
) -> Evaluated:
    """Compare what an extractor names with the truth, in a project's fields.

    Args:
        extractor: The checkpoint, alone or with what a project adds to it.
        documents: The pages of each, and their tags. The gate draws whole documents: pages of one are alike.
        fields: The fields that count.
        rename: Fields that go by another's name in the project, in what is named and in the truth.
    """
    confidences: list[float] = []
    right: list[bool] = []
    confusion: Counter[tuple[str, str]] = Counter()

    def own(field: str | None) -> str | None:
        field = field if field is None or field in fields else rename.get(field)
        return field if field in fields else None

    def look(example: Example) -> DocumentCounts:
        truth = [(own(f), a, b) for f, a, b in spans(example.tags, example.page.line_spans())]
        wanted = [(field, start, stop) for field, start, stop in truth if field is not None]
        named = [(own(e.field), e.start, e.stop, e.score) for e in extractor.extract(example.page).entities]
        given = [((field, start, stop), score) for field, start, stop, score in named if field is not None]
        sure, hits = entity_confidences(given, wanted)
        confidences.extend(sure.tolist())
        right.extend(hits.tolist())
        guesses = {i: field for (field, start, stop), _ in given for i in range(start, stop)}
        for index, tag in enumerate(example.tags):
            confusion[(own(field_of(tag)) or NOTHING, guesses.get(index, NOTHING))] += 1
        return count_spans(wanted, [span for span, _ in given], fields=fields, rename=rename)

    counts = tuple(joined([look(page) for page in pages]) for pages in documents)
    return Evaluated(counts, tuple(confidences), tuple(right), dict(confusion))


def note(
    tracked: TrackedRun,
    tuned: FineTuned,
    champion: Evaluated,
    challenger: Evaluated,
    forgetting: tuple[Evaluated, Evaluated],
    cards: CardShare,
    decision: Decision,
) -> None:
    """Write all of it into an MLflow run.

    Raises:
        TrackingError: If MLflow cannot be written.
    """
    for progress in tuned.curve:
        numbers = {"loss": progress.loss}
        if progress.valid_loss is not None:
            numbers["valid_loss"] = progress.valid_loss
        tracked.metrics(numbers, progress.step)
    numbers = {"temperature": tuned.temperature, "best_step": tuned.best_step, "promoted": float(decision.promote)}
    for who, found in (("champion", champion), ("challenger", challenger)):
        numbers[f"{who}_ece"] = expected_calibration_error(reliability(found.confidences, found.right))
        for field, score in total(found.counts).items():
            numbers[f"{who}_f1_{_plain(field)}"] = score.f1
    for who, found in zip(("champion", "challenger"), forgetting, strict=True):
        numbers[f"{who}_f1_synthetic"] = total(found.counts)["micro"].f1
    numbers["card_share"] = cards.share
    tracked.metrics(numbers)
    tracked.text(_said(decision), "decision.txt")
    tracked.figure(_learning_curve(tuned), "learning_curve.png")
    tracked.figure(_confusion(challenger.confusion), "confusion.png")
    tracked.figure(_reliability(challenger), "reliability.png")


def note_recogniser(tracked: TrackedRun, taught: LearnedHead) -> None:
    """Write how learning to read went into an MLflow run.

    Raises:
        TrackingError: If MLflow cannot be written.
    """
    for progress in taught.curve:
        numbers = {"recogniser_loss": progress.loss}
        if progress.valid_cer is not None:
            numbers["recogniser_valid_cer"] = progress.valid_cer
        tracked.metrics(numbers, progress.step)
    numbers = {
        "recogniser_lines": taught.lines,
        "recogniser_misread": taught.misread,
        "recogniser_share": taught.share,
        "recogniser_held_out_lines": taught.after.lines,
        "recogniser_promoted": float(taught.decision.promote),
    }
    for who, score in (("champion", taught.before), ("challenger", taught.after)):
        numbers |= {f"{who}_cer": score.cer, f"{who}_line_accuracy": score.line_accuracy}
    for group, pair in {"ordinary": taught.forgetting.ordinary, **taught.forgetting.groups}.items():
        for who, scores in zip(("champion", "challenger"), pair, strict=True):
            numbers[f"{who}_cer_rendered_{_plain(group)}"] = pooled(scores).cer
    tracked.metrics(numbers)
    tracked.text(_said(taught.decision), "decision_recogniser.txt")


def _said(decision: Decision) -> str:
    checks = "\n".join(f"{'yes' if c.passed else 'no ':3} {c.name}: {c.detail}" for c in decision.checks)
    return f"{'promoted' if decision.promote else 'kept'}: {decision.reason}\n\n{checks}\n"


def _plain(field: str) -> str:
    """Return a field's name as MLflow takes it in a metric's name."""
    return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in field)


def _learning_curve(tuned: FineTuned) -> Figure:
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([p.step for p in tuned.curve], [p.loss for p in tuned.curve], label="training", alpha=0.6)
    valid = [(p.step, p.valid_loss) for p in tuned.curve if p.valid_loss is not None]
    if valid:
        axes.plot(*zip(*valid, strict=True), marker="o", label="validation")
        axes.axvline(tuned.best_step, linestyle=":", color="grey", label="kept")
    axes.set(xlabel="step", ylabel="loss", title="Learning curve")
    axes.legend()
    return figure


def _confusion(confusion: Mapping[tuple[str, str], int]) -> Figure:
    names = sorted({name for pair in confusion for name in pair}, key=lambda name: (name == NOTHING, name))
    table = np.array([[confusion.get((truth, guess), 0) for guess in names] for truth in names] or [[0]])
    figure = Figure(figsize=(1.5 + 0.6 * len(names), 1.5 + 0.6 * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(table / np.maximum(table.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(table):
        axes.text(column, row, str(table[row, column]), ha="center", va="center", fontsize=7)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="named", ylabel="true", title="Words by field, held-out documents")
    return figure


def _reliability(found: Evaluated) -> Figure:
    diagram = reliability(found.confidences, found.right)
    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot((0, 1), (0, 1), color="grey", linestyle=":")
    axes.plot([b.confidence for b in diagram], [b.accuracy for b in diagram], marker="o")
    error = expected_calibration_error(diagram)
    axes.set(xlabel="confidence", ylabel="share that is right", title=f"Reliability of entities (ECE {error:.3f})")
    return figure
