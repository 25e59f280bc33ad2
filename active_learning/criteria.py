"""The rules by which a document is sent to a person, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from active_learning.errors import CriteriaError
from active_learning.missing import UsualFields
from active_learning.pool import FloatArray
from active_learning.reasons import Reason, ReasonCode

#: How urgent a document is; 0 is not sent.
HIGH, MEDIUM, LOW, NONE = 3, 2, 1, 0


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the rules draw their lines. Shares and confidences are in ``[0, 1]``.

    Attributes:
        confidence: Mean reading confidence below it is low; so is that of a single block.
        very_low_confidence: Below it, very low.
        low_block_share: More blocks of low confidence than this share are many.
        fewest_blocks: Fewer are too few.
        most_blocks: More on a page, on average, are unusual.
        classifier_confidence: Mean confidence of the named values below it is low.
        disagreement: Above it, the committee is at odds.
        reading_margin: A block whose text leads the next best one by less could well say something else.
        critical_fields: Fields that a document must have.
        usual_share: A field that at least this share of the annotated documents has is usual.
        novelty: Distance from the nearest annotated document above which a document is like none of them, as a
            multiple of the usual one.

    Raises:
        CriteriaError: If a threshold is out of its range, or contradicts another.
    """

    confidence: float = 0.7
    very_low_confidence: float = 0.5
    low_block_share: float = 0.3
    fewest_blocks: int = 3
    most_blocks: int = 30
    classifier_confidence: float = 0.6
    disagreement: float = 0.3
    reading_margin: float = 0.1
    critical_fields: tuple[str, ...] = ("NAME", "PHONE", "EMAIL")
    usual_share: float = 0.7
    novelty: float = 2.0

    def __post_init__(self) -> None:
        for name in (
            "confidence",
            "very_low_confidence",
            "low_block_share",
            "classifier_confidence",
            "disagreement",
            "reading_margin",
            "usual_share",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise CriteriaError(f"{name} is a share between 0 and 1, not {getattr(self, name)}")
        if self.very_low_confidence > self.confidence:
            raise CriteriaError("very_low_confidence lies above confidence")
        if not 0 <= self.fewest_blocks <= self.most_blocks:
            raise CriteriaError("fewest_blocks lies above most_blocks, or below 0")


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """What the rules look at.

    Attributes:
        block_scores: Reading confidence of each block (line), in ``[0, 1]``, of all pages.
        fields: Fields of which a value was named.
        classifier_confidence: Mean confidence of the named values, in ``[0, 1]``; None without values.
        disagreement: The committee's, in ``[0, 1]``.
        confused: Two fields hard to tell apart, and how much, as :func:`active_learning.uncertainty.confused_fields`
            gives it.
        novelty: Distance from the nearest annotated document, as a multiple of the usual one; None where unknown.
        usual: What annotated documents have.
        pages: Pages with blocks, 1 or more.
        block_margins: By how much the text of a block led the next best one, in ``[0, 1]``, of the blocks of which that
            is known.
    """

    block_scores: Sequence[float]
    fields: frozenset[str]
    classifier_confidence: float | None = None
    disagreement: float = 0.0
    confused: tuple[tuple[str, str], float] | None = None
    novelty: float | None = None
    usual: UsualFields = field(default_factory=lambda: UsualFields({}, 0))
    pages: int = 1
    block_margins: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether, and why, a person should look.

    Attributes:
        priority: 3 for the most urgent, 0 for a document that need not be sent.
        reasons: The most urgent first.
        confidence: Mean reading confidence of the blocks, in ``[0, 1]``; 0 where nothing was read.
    """

    priority: int
    reasons: tuple[Reason, ...]
    confidence: float


def should_send_for_annotation(document: DocumentFacts, thresholds: Thresholds | None = None) -> Verdict:
    """Apply the rules to one document.

    Priority 3: nothing or very little is read surely, many blocks are unsure, two critical fields or more are missing,
    or there are too few blocks. Priority 2: the average is low, one critical field is missing, or there are too many
    blocks. Priority 1: fields are unsure, the committee disagrees, and edge cases: many blocks could well say something
    else, a usual field is missing, two fields are hard to tell apart, nothing alike was annotated.
    """
    limits = thresholds or Thresholds()
    blocks = np.asarray(document.block_scores, dtype=np.float64)
    sure = float(blocks.mean()) if len(blocks) else 0.0
    found = [
        *_reading(blocks, sure, limits),
        *_ambiguous(np.asarray(document.block_margins, dtype=np.float64), limits),
        *_critical(document, limits),
        *_block_count(len(blocks), document.pages, limits),
        *_classifier(document, limits),
    ]
    found.sort(key=lambda pair: -pair[0])
    return Verdict(max((priority for priority, _ in found), default=NONE), tuple(r for _, r in found), sure)


_Found = list[tuple[int, Reason]]


def _reading(blocks: FloatArray, sure: float, limits: Thresholds) -> _Found:
    if not len(blocks):
        return [(HIGH, Reason(ReasonCode.NOTHING_READ))]
    found: _Found = []
    if sure < limits.very_low_confidence:
        found.append((HIGH, Reason(ReasonCode.VERY_LOW_CONFIDENCE, (), sure, limits.very_low_confidence)))
    elif sure < limits.confidence:
        found.append((MEDIUM, Reason(ReasonCode.LOW_CONFIDENCE, (), sure, limits.confidence)))
    low = float((blocks < limits.confidence).mean())
    if low > limits.low_block_share:
        found.append((HIGH, Reason(ReasonCode.MANY_LOW_BLOCKS, (), low, limits.low_block_share)))
    return found


def _ambiguous(margins: FloatArray, limits: Thresholds) -> _Found:
    torn = float((margins < limits.reading_margin).mean()) if len(margins) else 0.0
    if torn <= limits.low_block_share:
        return []
    return [(LOW, Reason(ReasonCode.AMBIGUOUS_READING, (), torn, limits.low_block_share))]


def _critical(document: DocumentFacts, limits: Thresholds) -> _Found:
    lacking = tuple(name for name in limits.critical_fields if name not in document.fields)
    if not lacking:
        return []
    return [(HIGH if len(lacking) > 1 else MEDIUM, Reason(ReasonCode.CRITICAL_MISSING, lacking, float(len(lacking))))]


def _block_count(count: int, pages: int, limits: Thresholds) -> _Found:
    if count and count < limits.fewest_blocks:
        return [(HIGH, Reason(ReasonCode.TOO_FEW_BLOCKS, (), float(count), float(limits.fewest_blocks)))]
    most = limits.most_blocks * pages
    if count > most:
        return [(MEDIUM, Reason(ReasonCode.TOO_MANY_BLOCKS, (), float(count), float(most)))]
    return []


def _classifier(document: DocumentFacts, limits: Thresholds) -> _Found:
    found: _Found = []
    sure = document.classifier_confidence
    if sure is not None and sure < limits.classifier_confidence:
        found.append((LOW, Reason(ReasonCode.LOW_CLASSIFIER_CONFIDENCE, (), sure, limits.classifier_confidence)))
    if document.disagreement > limits.disagreement:
        found.append((LOW, Reason(ReasonCode.DISAGREEMENT, (), document.disagreement, limits.disagreement)))
    usual = [
        (name, share)
        for name, share in document.usual.missing(document.fields, least=limits.usual_share)
        if name not in limits.critical_fields
    ]
    if usual:
        found.append(
            (LOW, Reason(ReasonCode.USUAL_MISSING, tuple(n for n, _ in usual), usual[0][1], limits.usual_share))
        )
    if document.confused is not None:
        pair, torn = document.confused
        found.append((LOW, Reason(ReasonCode.CONFUSED_FIELDS, pair, torn)))
    if document.novelty is not None and document.novelty > limits.novelty:
        found.append((LOW, Reason(ReasonCode.UNLIKE_ANNOTATED, (), document.novelty, limits.novelty)))
    return found
