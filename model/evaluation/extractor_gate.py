"""The gate: may a challenger take the champion's place?

Both are evaluated on the project's held-out documents, and on synthetic cards that neither has seen. The cards count
in so far as the project's documents are cards (:mod:`model.evaluation.card_likeness`). What decides is told apart check
by check, so that a person can read why.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import Words, listed, say
from model.evaluation.card_likeness import CardShare
from model.evaluation.entity_metrics import DocumentCounts, Score, total

#: Share of the documents that is never learned from.
HELD_OUT_SHARE = 0.2
#: Where chance holds out too few documents, no more than one in so many are.
KEPT_ONE_IN = 4
#: With fewer true entities, a field says nothing by itself.
_LEAST_ENTITIES = 5
#: Agreement beyond chance below which labels teach nothing ("slight", Landis and Koch 1977, ends at 0.2), and words
#: without which it is not judged.
_LEAST_AGREEMENT, _LEAST_WORDS = 0.3, 20
#: Share of the words with the right field that needs no comparison with chance.
_PLAIN_AGREEMENT = 0.85
#: The lower bound that a loss must stay above: one-sided, 95 %.
_QUANTILE = 0.05


@dataclass(frozen=True, slots=True)
class GateSettings:
    """What is allowed; margins are differences of F1, in ``[0, 1]``.

    Attributes:
        margin: Loss that the held-out documents must rule out with 95 % confidence.
        field_margin: Loss that no field may suffer which has five true entities or more.
        forgetting_margin: Loss that is allowed on synthetic cards in a project of cards; where a share of the
            documents are cards, that share of the loss counts.
        min_documents: Held-out documents without which nothing is promoted.
        samples: Resamples of the bootstrap.
    """

    margin: float = 0.02
    field_margin: float = 0.15
    forgetting_margin: float = 0.05
    min_documents: int = 10
    samples: int = 2000


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of a promotion.

    Attributes:
        name: What was looked at.
        passed: Whether it holds.
        detail: The numbers, in one sentence.
    """

    name: str
    passed: bool
    detail: Words


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the challenger is promoted, and why."""

    promote: bool
    reason: Words
    checks: tuple[Check, ...]


def held_out(
    project_id: int, task_ids: Iterable[int], *, least: int = 0, share: float = HELD_OUT_SHARE
) -> frozenset[int]:
    """Return the tasks whose documents are kept for the gate: those whose hash lies in the lowest ``share``.

    Where chance leaves fewer than ``least`` of them, the tasks next in order are kept as well, as long as three
    quarters of all remain to be learned from. Once there are more tasks these may be learned from; a task that was
    learned from is kept for the gate later only if others are deleted.

    Args:
        project_id: Their project.
        task_ids: All annotated tasks.
        least: Documents that the gate needs.
        share: Share of the tasks, in ``[0, 1]``.
    """
    order = sorted((_position(project_id, task_id), task_id) for task_id in set(task_ids))
    count = sum(position < share for position, _ in order)
    if count < least and len(order) >= documents_needed(least):
        count = least
    return frozenset(task_id for _, task_id in order[:count])


def documents_needed(least: int) -> int:
    """Return how many documents there must be for ``least`` of them to be held out whatever chance leaves."""
    return KEPT_ONE_IN * least


def _position(project_id: int, task_id: int) -> float:
    digest = hashlib.sha256(f"{project_id}:{task_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def decide(
    champion: Sequence[DocumentCounts],
    challenger: Sequence[DocumentCounts],
    forgetting: tuple[Sequence[DocumentCounts], Sequence[DocumentCounts]],
    settings: GateSettings,
    rng: np.random.Generator,
    *,
    cards: CardShare | None = None,
    agreement: float | None = None,
) -> Decision:
    """Decide whether the challenger is promoted.

    Args:
        champion: Its counts, a held-out document each.
        challenger: Those of the same documents in the same order.
        forgetting: The champion's and the challenger's counts on synthetic cards; empty where there are none.
        settings: What is allowed.
        rng: For the bootstrap.
        cards: How many of the project's documents are cards; ``None`` where all are.
        agreement: How far the fields that the challenger names agree with the annotated ones beyond chance, see
            :func:`field_agreement`; ``None`` where that cannot be told.

    Raises:
        ValueError: If the two were not evaluated on as many documents.
    """
    if len(champion) != len(challenger) or len(forgetting[0]) != len(forgetting[1]):
        raise ValueError("champion and challenger must be evaluated on the same documents")
    enough = len(champion) >= settings.min_documents
    checks = [
        Check("documents", enough, _needed(len(champion), settings)),
    ]
    if enough:
        old, new = total(champion), total(challenger)
        before, after = old["micro"].f1, new["micro"].f1
        bound = lower_bound(champion, challenger, settings.samples, rng)
        checks += [
            Check(
                "better", after > before, say("entity F1 {after:.3f} after {before:.3f}", after=after, before=before)
            ),
            Check(
                "bootstrap",
                bound > -settings.margin,
                say(
                    "with 95 % confidence F1 changes by {bound:+.3f} or more, {allowed:+.3f} is allowed",
                    bound=bound,
                    allowed=-settings.margin,
                ),
            ),
            _no_field_collapses(champion, challenger, settings, rng),
        ]
        if agreement is not None:
            checks.append(_labels_agree(agreement))
    telling_names = {"better"}
    if forgetting[0]:
        checks.append(_cards_kept(forgetting, settings, cards))
        if cards is not None and cards.share < 1:
            telling_names.add("forgetting")
    failed = [check for check in checks if not check.passed]
    telling = failed or [check for check in checks if check.name in telling_names]
    return Decision(not failed, listed([check.detail for check in telling]), tuple(checks))


def field_agreement(confusion: Mapping[tuple[str, str], int], outside: str) -> float | None:
    """Return how far named and annotated fields agree beyond chance: Cohen's kappa over the words that have both.

    Where labels were given by chance a model still learns which words have one, but not which: kappa is about 0. Where
    nearly all words have one and the same field chance agrees as well, and plain agreement counts if it is high.

    Cohen, "A Coefficient of Agreement for Nominal Scales" (1960).

    Args:
        confusion: Words by annotated and by named field.
        outside: The name that stands for no field.

    Returns:
        At most 1; ``None`` where fewer than two fields are annotated or too few words are both named and annotated.
    """
    words = {pair: count for pair, count in confusion.items() if outside not in pair and count}
    count = sum(words.values())
    annotated, named = Counter[str](), Counter[str]()
    for (truth, guess), number in words.items():
        annotated[truth] += number
        named[guess] += number
    if count < _LEAST_WORDS or len(annotated) < 2:
        return None
    seen = sum(number for (truth, guess), number in words.items() if truth == guess) / count
    if seen >= _PLAIN_AGREEMENT:
        return seen
    chance = sum(annotated[field] * named[field] for field in annotated) / count**2
    return (seen - chance) / (1 - chance)


def _labels_agree(agreement: float) -> Check:
    said = say(
        "named and annotated fields agree by {agreement:.2f} beyond chance, {least:.2f} is needed: with less, the "
        "labels seem to be given by chance",
        agreement=agreement,
        least=_LEAST_AGREEMENT,
    )
    return Check("labels", agreement >= _LEAST_AGREEMENT, said)


def _cards_kept(
    forgetting: tuple[Sequence[DocumentCounts], Sequence[DocumentCounts]],
    settings: GateSettings,
    cards: CardShare | None,
) -> Check:
    """See that cards are still read, in so far as the project's documents are cards."""
    before, after = (total(counts)["micro"].f1 for counts in forgetting)
    if cards is None or not cards.documents:
        said = say("F1 on synthetic cards {after:.3f} after {before:.3f}", after=after, before=before)
        return Check("forgetting", after >= before - settings.forgetting_margin, said)
    if not cards.cards:
        said = say(
            "synthetic cards do not count: none of the project's {documents} documents is like a business card "
            "(F1 on them {after:.3f} after {before:.3f})",
            documents=cards.documents,
            after=after,
            before=before,
        )
        return Check("forgetting", True, said)
    loss = cards.share * (before - after)
    said = say(
        "F1 on synthetic cards {after:.3f} after {before:.3f}; {cards} of {documents} documents are like business "
        "cards, so that the change counts as {change:+.3f}, {allowed:+.3f} is allowed",
        after=after,
        before=before,
        cards=cards.cards,
        documents=cards.documents,
        change=-loss,
        allowed=-settings.forgetting_margin,
    )
    # Equal but for the arithmetic's last digit is allowed.
    return Check("forgetting", loss <= settings.forgetting_margin + 1e-9, said)


def keeps_up(
    champion: Sequence[DocumentCounts],
    challenger: Sequence[DocumentCounts],
    settings: GateSettings,
    rng: np.random.Generator,
) -> Check:
    """Check that the naming of fields does not suffer from what should change reading alone.

    Args:
        champion: Counts with the old readings, a held-out document each.
        challenger: Counts of the same documents with the new readings.
        settings: What is allowed.
        rng: For the bootstrap.
    """
    if len(champion) < settings.min_documents:
        return Check("together", False, _needed(len(champion), settings))
    bound = lower_bound(champion, challenger, settings.samples, rng)
    detail = say(
        "with the new readings F1 changes by {bound:+.3f} or more, {allowed:+.3f} is allowed",
        bound=bound,
        allowed=-settings.margin,
    )
    return Check("together", bound > -settings.margin, detail)


def lower_bound(
    champion: Sequence[DocumentCounts],
    challenger: Sequence[DocumentCounts],
    samples: int,
    rng: np.random.Generator,
) -> float:
    """Return what micro F1 gains at least, with 95 % confidence: a paired bootstrap over documents.

    Efron and Tibshirani, "An Introduction to the Bootstrap" (1993); for F1, Koehn, «Statistical Significance Tests for
    Machine Translation Evaluation» (EMNLP 2004).
    """
    return float(np.quantile(_gains(champion, challenger, "micro", samples, rng), _QUANTILE))


def _gains(
    champion: Sequence[DocumentCounts],
    challenger: Sequence[DocumentCounts],
    field: str,
    samples: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return what a field's F1 gains on documents that are drawn again: shape ``(samples,)``."""
    drawn = rng.integers(len(champion), size=(samples, len(champion)))
    return _f1(_sums(challenger, field)[drawn].sum(axis=1)) - _f1(_sums(champion, field)[drawn].sum(axis=1))


def _sums(documents: Sequence[DocumentCounts], field: str) -> NDArray[np.float64]:
    """Return shape ``(documents, 2)``: twice the hits, and what was given and wanted."""
    rows = [total([counts]).get(field, Score(0, 0, 0)) for counts in documents]
    return np.array([(2 * row.hits, row.given + row.wanted) for row in rows], dtype=np.float64)


def _f1(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    f1: NDArray[np.float64] = sums[..., 0] / np.maximum(sums[..., 1], 1.0)
    return f1


def _no_field_collapses(
    champion: Sequence[DocumentCounts],
    challenger: Sequence[DocumentCounts],
    settings: GateSettings,
    rng: np.random.Generator,
) -> Check:
    """Look for a field that loses more than it may, and more than which documents were held out can explain."""
    old, new = total(champion), total(challenger)
    losses = {
        field: score.f1 - new[field].f1
        for field, score in old.items()
        if field != "micro" and score.wanted >= _LEAST_ENTITIES
    }
    if not losses:
        return Check("fields", True, say("no field has {count} true entities", count=_LEAST_ENTITIES))
    for field in sorted(losses, key=lambda name: -losses[name]):
        if losses[field] <= settings.field_margin:
            break
        gains = _gains(champion, challenger, field, settings.samples, rng)
        if np.quantile(gains, 1 - _QUANTILE) < 0:
            detail = say(
                "{field} changes by {change:+.3f}, {allowed:+.3f} is allowed",
                field=field,
                change=-losses[field],
                allowed=-settings.field_margin,
            )
            return Check("fields", False, detail)
    worst = max(losses, key=lambda name: losses[name])
    said = say("of all fields {field} changes worst, by {change:+.3f}", field=worst, change=-losses[worst])
    return Check("fields", True, said)


def _needed(found: int, settings: GateSettings) -> Words:
    return say("{found} held-out documents of {least} needed", found=found, least=settings.min_documents)
