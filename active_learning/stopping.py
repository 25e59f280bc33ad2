"""When to stop annotating: what the next documents will probably gain, and how much predictions still change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from active_learning.errors import ShapeError
from active_learning.pool import FloatArray
from active_learning.reasons import Language, field_word

#: Versions that a curve is fitted to, at least.
LEAST_POINTS = 4
_DRAWS, _ENDS = 1000, (0.025, 0.975)
#: Powers that are tried.
_POWERS = np.linspace(0.05, 2.0, 80)
#: How far a curve through few points may stray from them at the least, in F1: that of a few held-out documents does.
_NOISE = 0.01


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A version's place on the learning curve.

    Attributes:
        documents: Annotated documents that it learned from, 1 or more.
        score: Its F1 on held-out documents, in ``[0, 1]``.
    """

    documents: int
    score: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What more documents will probably gain.

    Attributes:
        documents: How many more.
        gain: F1 more than the curve has now, 0 or more.
        low: Lower end of its interval of 95 %.
        high: Upper end.
        ceiling: F1 that the curve nears with ever more documents, in ``[0, 1]``.
    """

    documents: int
    gain: float
    low: float
    high: float
    ceiling: float


@dataclass(frozen=True, slots=True)
class FittedCurve:
    """A learning curve, and those that chance could have made of it.

    Attributes:
        best: Ceiling, factor and power of the curve that fits best, shape ``(1, 3)``.
        others: Those of curves through points drawn again, shape ``(draws, 3)``.
    """

    best: FloatArray
    others: FloatArray

    def at(self, documents: float) -> tuple[float, float, float]:
        """Return the F1 to be expected with so many documents, and the ends of its interval of 95 %, in ``[0, 1]``."""
        size = np.array([documents], dtype=np.float64)
        expected = float(_power_law(self.best, size)[0, 0])
        low, high = (float(x) for x in np.quantile(_power_law(self.others, size), _ENDS))
        return (
            min(max(expected, 0.0), 1.0),
            min(max(min(low, expected), 0.0), 1.0),
            min(max(max(high, expected), 0.0), 1.0),
        )


def forecast(curve: Sequence[CurvePoint], documents: int, rng: np.random.Generator) -> Forecast | None:
    """Fit a power law (Cortes et al., "Learning Curves", NIPS 1993) and follow it.

    ``F1 = ceiling - b × documents ** -c``; the interval is that of the bootstrap over residuals, which are taken to be
    at least 0.01, as a few held-out documents leave them.

    Args:
        curve: One point a version, in any order.
        documents: How many more than the most of ``curve``, 1 or more.
        rng: Where chance comes from.

    Returns:
        None with fewer than :data:`LEAST_POINTS` versions, or if all learned from equally many.
    """
    fitted = fit_curve(curve, rng)
    if fitted is None:
        return None
    most = max(point.documents for point in curve)
    ends = np.array([most, most + documents], dtype=np.float64)
    gain = float(np.diff(_power_law(fitted.best, ends))[0, 0])
    low, high = (float(x) for x in np.quantile(np.diff(_power_law(fitted.others, ends)), _ENDS))
    return Forecast(documents, gain, min(low, gain), max(high, gain), float(fitted.best[0, 0]))


def fit_curve(curve: Sequence[CurvePoint], rng: np.random.Generator) -> FittedCurve | None:
    """Fit the power law of :func:`forecast`, to be followed wherever one likes.

    Args:
        curve: One point a version, in any order.
        rng: Where chance comes from.

    Returns:
        None with fewer than :data:`LEAST_POINTS` versions, or if all learned from equally many.
    """
    sizes = np.array([point.documents for point in curve], dtype=np.float64)
    scores = np.array([point.score for point in curve], dtype=np.float64)
    if len(curve) < LEAST_POINTS or np.ptp(sizes) == 0:
        return None
    fitted = _fit(sizes, scores[None])
    expected = _power_law(fitted, sizes)[0]
    # Three numbers are fitted, so residuals are smaller than what they stand for.
    spread = max(_NOISE, float(np.sqrt(((scores - expected) ** 2).sum() / max(1, len(scores) - 3))))
    others = _fit(sizes, np.clip(expected + rng.normal(0, spread, (_DRAWS, len(sizes))), 0, 1))
    return FittedCurve(fitted, others)


def stability(before: Sequence[str], after: Sequence[str]) -> float:
    """Return how much two versions agree on the words of documents that nobody annotated: Cohen's kappa.

    Bloodgood and Vijay-Shanker, "A Method for Stopping Active Learning Based on Stabilizing Predictions" (CoNLL 2009),
    stop at 0.99 three times in a row.

    Args:
        before: A label for each word by one version.
        after: By the next.

    Returns:
        1 where they agree on all; 0 where no more than chance would.

    Raises:
        ShapeError: If the lengths differ.
    """
    if len(before) != len(after):
        raise ShapeError(f"{len(before)} labels before, {len(after)} after")
    agreed = sum(one == other for one, other in zip(before, after, strict=True))
    return kappa(agreed, Counter(before), Counter(after))


def kappa(agreed: int, before: Mapping[str, int], after: Mapping[str, int]) -> float:
    """Return Cohen's kappa of two versions from counts alone, so that what each said need not be kept.

    Args:
        agreed: Words that both gave the same label.
        before: Label to the words that the one gave it.
        after: The same of the other; as many words in all.

    Returns:
        As :func:`stability`; 1 without words.
    """
    words = sum(after.values())
    if not words:
        return 1.0
    chance = sum(count * after.get(label, 0) for label, count in before.items()) / words**2
    return 1.0 if chance == 1 else (agreed / words - chance) / (1 - chance)


class AdviceKind(str, Enum):
    """What to do."""

    CONTINUE = "continue"
    PAUSE = "pause"
    LOOK_AT_FIELD = "look_at_field"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class FieldState:
    """How well a field is known.

    Attributes:
        score: Its F1 on held-out documents, in ``[0, 1]``.
        examples: Values of it in annotated documents.
    """

    score: float
    examples: int


@dataclass(frozen=True, slots=True)
class AdviceLimits:
    """When to say what.

    Attributes:
        worth: F1 that the next documents must gain to be worth it.
        stable: Agreement from which predictions count as stable.
        behind: F1 by which a field may fall behind the mean of all before it is pointed out.
        few: Fewer examples than this explain that a field is behind.
    """

    worth: float = 0.01
    stable: float = 0.99
    behind: float = 0.15
    few: int = 20


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do next, and why.

    Attributes:
        kind: What to do.
        forecast: What it is based on; None where there are too few versions.
        stability: Agreement of the latest two versions; None where unknown.
        field: The field to look at.
        few_examples: Whether that field has few examples, rather than many that contradict one another.
    """

    kind: AdviceKind
    forecast: Forecast | None = None
    stability: float | None = None
    field: str | None = None
    few_examples: bool = False


def advise(
    forecasted: Forecast | None,
    stable: float | None,
    fields: Mapping[str, FieldState],
    limits: AdviceLimits | None = None,
) -> Advice:
    """Say what to do.

    A field far behind comes first: more documents of all kinds are a dear way to fix it. Then pause, if the upper end
    of the gain is not worth it, or if the gain is not and predictions are stable.

    Args:
        forecasted: See :func:`forecast`.
        stable: See :func:`stability`.
        fields: How well each field is known; those that nobody annotated are left out of the comparison.
        limits: When to say what.
    """
    at = limits or AdviceLimits()
    seen = {name: state for name, state in fields.items() if state.examples}
    mean = float(np.mean([state.score for state in seen.values()])) if seen else 0.0
    worst = min(seen, key=lambda name: (seen[name].score, name), default=None)
    if worst is not None and len(seen) > 1 and seen[worst].score < mean - at.behind:
        return Advice(AdviceKind.LOOK_AT_FIELD, forecasted, stable, worst, seen[worst].examples < at.few)
    if forecasted is None:
        return Advice(AdviceKind.WAIT, None, stable)
    settled = stable is not None and stable >= at.stable
    if forecasted.high < at.worth or (forecasted.gain < at.worth and settled):
        return Advice(AdviceKind.PAUSE, forecasted, stable)
    return Advice(AdviceKind.CONTINUE, forecasted, stable)


def in_words(advice: Advice, language: Language = "en", names: Mapping[str, str] | None = None) -> str:
    """Return an advice as a sentence or two.

    Args:
        advice: What to say.
        language: In which language.
        names: Field to what the project calls it.
    """
    if advice.kind is AdviceKind.LOOK_AT_FIELD and advice.field is not None:
        word = field_word(advice.field, language, names)
        if language == "ru":
            why = "примеров мало: размечайте документы, где оно есть" if advice.few_examples else "проверьте разметку"
            return f'Обратите внимание на поле "{word}": оно заметно отстаёт, {why}.'
        why = "it has few examples: annotate documents that have it" if advice.few_examples else "check its labels"
        return f'Look at the field "{word}": it is far behind the others; {why}.'
    if advice.forecast is None:
        if language == "ru":
            return "Пока рано судить: для прогноза нужно больше версий. Продолжайте размечать."
        return "Too early to say: a forecast needs more versions. Go on annotating."
    seen = advice.forecast
    gain, low, high = (f"{100 * value:.1f}" for value in (seen.gain, seen.low, seen.high))
    pause = advice.kind is AdviceKind.PAUSE
    agreed = "" if advice.stability is None else f"{advice.stability:.2f}"
    if language == "ru":
        start = "Можно сделать паузу" if pause else "Продолжайте"
        said = f"{start}: ещё {seen.documents} документов дадут около {gain} пункта F1 (от {low} до {high})."
        return f"{said} Согласие с прошлой версией (каппа): {agreed}." if agreed else said
    start = "You may pause" if pause else "Go on"
    said = f"{start}: the next {seen.documents} documents will gain about {gain} points of F1 ({low} to {high})."
    return f"{said} The version before agrees with this one by {agreed} (kappa)." if agreed else said


def _power_law(parameters: FloatArray, sizes: FloatArray) -> FloatArray:
    """Return the F1 of curves, shape ``(curves, sizes)``, of parameters of shape ``(curves, 3)``."""
    ceiling, b, c = (parameters[:, i : i + 1] for i in range(3))
    return np.asarray(ceiling - b * sizes[None] ** -c)


def _fit(sizes: FloatArray, scores: FloatArray) -> FloatArray:
    """Fit curves of shape ``(curves, sizes)``; return ceiling, factor and power of each, shape ``(curves, 3)``.

    For a given power a curve is a line, so the powers are tried. A curve never falls, and never passes 1.
    """
    best, least = np.zeros((len(scores), 3)), np.full(len(scores), np.inf)
    for c in _POWERS:
        x = sizes**-c
        centred = x - x.mean()
        b = np.maximum(-(scores @ centred) / (centred @ centred), 0)
        ceiling = scores.mean(axis=1) + b * x.mean()
        over = ceiling > 1
        b = np.where(over, np.maximum((1 - scores) @ x / (x @ x), 0), b)
        ceiling = np.where(over, 1.0, ceiling)
        loss = ((ceiling[:, None] - b[:, None] * x - scores) ** 2).sum(axis=1)
        better = loss < least
        best[better] = np.column_stack((ceiling, b, np.full(len(b), c)))[better]
        least = np.minimum(least, loss)
    return best
