"""The plots of a project: each with what it says in a sentence, and its numbers as a table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from active_learning.reasons import ReasonCode
from active_learning.stopping import LEAST_POINTS, CurvePoint, fit_curve
from ml_backend.admin.history import Bin, Cost, LiveScore, costs, live_scores, moving_average, reliability
from ml_backend.admin.language import Translator
from ml_backend.admin.queries import Queries
from ml_backend.admin.svg import Point, Series, bars, plot
from ml_backend.i18n import Words, say
from ml_backend.order.recommendations import Recommender
from ml_backend.order.stopping_advice import AHEAD
from ml_backend.predict.serving_models import SHIPPED
from ml_backend.quality.patterns import Period
from model.errors import ModelError
from model.registry.versions import Version

#: Points that a curve is drawn through.
_STEPS = 40
#: Documents whose reasons are counted.
MOST = 10_000
REASONS = {
    ReasonCode.NOTHING_READ: say("nothing was read"),
    ReasonCode.VERY_LOW_CONFIDENCE: say("hardly legible"),
    ReasonCode.LOW_CONFIDENCE: say("read with doubt"),
    ReasonCode.MANY_LOW_BLOCKS: say("many doubtful lines"),
    ReasonCode.AMBIGUOUS_READING: say("lines that could be read in two ways"),
    ReasonCode.CRITICAL_MISSING: say("an important field is missing"),
    ReasonCode.TOO_FEW_BLOCKS: say("very few lines"),
    ReasonCode.TOO_MANY_BLOCKS: say("very many lines"),
    ReasonCode.LOW_CLASSIFIER_CONFIDENCE: say("fields named with doubt"),
    ReasonCode.DISAGREEMENT: say("opinions are divided"),
    ReasonCode.USUAL_MISSING: say("a usual field is missing"),
    ReasonCode.CONFUSED_FIELDS: say("two fields are hard to tell apart"),
    ReasonCode.UNLIKE_ANNOTATED: say("unlike what was annotated"),
    ReasonCode.CONTROL: say("chosen by chance, to measure"),
}


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot.

    Attributes:
        title: Its heading.
        said: What it says, in a sentence.
        picture: SVG; ``None`` while there is nothing to draw.
        legend: The names of its series, by the style sheet's look.
        head: Names of the table's columns.
        rows: Its numbers.
    """

    title: str
    said: str
    picture: Markup | None = None
    legend: Sequence[tuple[int, str]] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def draw(queries: Queries, project_id: int, translator: Translator) -> list[Plot]:
    """Draw all plots of a project, in the visitor's language.

    Raises:
        StoreError: If the store cannot be read.
    """
    outcomes = queries.outcomes(project_id)
    try:
        versions = queries.versions(project_id)[::-1]
    except ModelError:
        versions = []
    live = live_scores(outcomes, np.random.default_rng(0))
    return [
        quality(versions, live, translator),
        learning_curve(versions, translator),
        course_of_cost(costs(queries.learning, project_id), translator),
        calibration(reliability(outcomes), translator),
    ]


def quality(versions: Sequence[Version], live: Sequence[LiveScore], translator: Translator) -> Plot:
    """Draw how well each version names fields: on held-out documents, and while people work with it."""
    title = translator(say("Quality by version"))
    held_out = [(v.number, float(v.tags["f1"])) for v in versions if v.tags.get("f1")]
    numbers = sorted({number for number, _ in held_out} | {each.number for each in live})
    if not numbers:
        return Plot(title, translator(say("The chart appears once pre-labelled documents have been annotated.")))
    place = {number: index for index, number in enumerate(numbers)}
    names = {number: translator(say("shipped")) if number == SHIPPED else f"v{number}" for number in numbers}
    series = []
    if live:
        name = translator(say("what people left unchanged, with 95 % interval"))
        points = [Point(place[e.number], e.f1, e.low, e.high, f"{names[e.number]}: {e.f1:.3f}") for e in live]
        series.append(Series(name, points, 1, "dots"))
    if held_out:
        name = translator(say("held-out documents"))
        series.append(Series(name, [Point(place[n] + 0.08, f1, label=f"v{n}: {f1:.3f}") for n, f1 in held_out], 2))
    known = dict(held_out)
    by_number = {each.number: each for each in live}
    rows = [
        (
            names[n],
            translator.number(known.get(n), 3),
            translator.number(by_number[n].f1, 3) if n in by_number else "–",
            f"{translator.number(by_number[n].low, 3)} – {translator.number(by_number[n].high, 3)}"
            if n in by_number
            else "–",
            translator.number(by_number[n].documents) if n in by_number else "0",
        )
        for n in numbers
    ]
    said = translator(say("Entity F1: 1 means that every value was found, whole and under the right field."))
    picture = plot(
        title,
        said,
        series,
        x_label=translator(say("version")),
        y_label="F1",
        y_range=(0.0, 1.0),
        x_ticks=[(place[n], names[n]) for n in numbers],
    )
    head = _said(translator, say("Version"), say("Held-out F1"), say("Live F1"), say("95 % interval"), say("Documents"))
    return Plot(title, said, picture, [(each.style, each.name) for each in series], head, rows)


def learning_curve(versions: Sequence[Version], translator: Translator) -> Plot:
    """Draw what more documents have brought, and the curve through it on which the advice rests, with its interval."""
    title = translator(say("Learning curve"))
    points = sorted(
        (int(v.tags["documents"]), float(v.tags["f1"]), v.number)
        for v in versions
        if v.tags.get("f1") and v.tags.get("documents", "").isdecimal()
    )
    if len(points) < 2:
        return Plot(title, translator(say("The curve appears after two training runs.")))
    series = [Series(translator(say("held-out F1")), [Point(x, y, label=f"v{n}: {y:.3f}") for x, y, n in points], 2)]
    fitted = fit_curve([CurvePoint(x, y) for x, y, _ in points], np.random.default_rng(len(points)))
    if fitted is None:
        said = translator(
            say("Held-out F1 by annotated documents; a forecast needs {least} versions.", least=LEAST_POINTS)
        )
    else:
        most = points[-1][0]
        band = [Point(x, *fitted.at(x)) for x in np.linspace(points[0][0], most + AHEAD, _STEPS).tolist()]
        name = translator(say("fitted curve and its forecast, with 95 % interval"))
        series = [Series(name, band, 1, "band"), *series, Series("", band, 1, "forecast")]
        expected, low, high = (translator.number(value, 2) for value in fitted.at(most + AHEAD))
        said = translator(
            say(
                "Held-out F1 by annotated documents; {count} more will probably make it {f1} ({low} to {high}).",
                count=AHEAD,
                f1=expected,
                low=low,
                high=high,
            )
        )
    picture = plot(title, said, series, x_label=translator(say("documents")), y_label="F1", y_range=_tenths(series))
    head = _said(translator, say("Documents"), say("Held-out F1"), say("Version"))
    rows = [(translator.number(x), translator.number(y, 3), f"v{n}") for x, y, n in points]
    return Plot(title, said, picture, [(s.style, s.name) for s in series if s.name], head, rows)


def _tenths(series: Sequence[Series]) -> tuple[float, float]:
    """Return the ends of an axis of F1 that show what there is, whole tenths apart: gains of a point must be seen."""
    points = [point for each in series for point in each.points]
    low = min(point.y if point.low is None else point.low for point in points)
    high = max(point.y if point.high is None else point.high for point in points)
    return max(0.0, math.floor(10 * low - 0.2) / 10), min(1.0, math.ceil(10 * high + 0.2) / 10)


def course_of_cost(found: Sequence[Cost], translator: Translator) -> Plot:
    """Draw what documents cost people, one after the other."""
    title = translator(say("Correction cost over time"))
    if len(found) < 2:
        return Plot(title, translator(say("The chart appears once two pre-labelled documents have been annotated.")))
    average = moving_average([float(each.cost) for each in found])
    series = [
        Series(
            translator(say("one document")),
            [Point(i + 1, c.cost, label=f"{translator.moment(c.at)}: {c.cost}") for i, c in enumerate(found)],
            3,
            "dots",
        ),
        Series(translator(say("average of the last ten")), [Point(i + 1, y) for i, y in enumerate(average)], 1),
    ]
    said = translator(
        say(
            "Corrections per document, in the order of annotation: {first} at first, {last} lately.",
            first=translator.number(average[min(len(average), 10) - 1], 1),
            last=translator.number(average[-1], 1),
        )
    )
    picture = plot(
        title, said, series, x_label=translator(say("annotated documents")), y_label=translator(say("corrections"))
    )
    head = _said(translator, say("Annotated"), say("Corrections"), say("Version"))
    rows = [
        (translator.moment(each.at), translator.number(each.cost), "–" if each.version is None else f"v{each.version}")
        for each in found[-50:]
    ]
    return Plot(title, said, picture, [(each.style, each.name) for each in series], head, rows)


def queue_of_reasons(recommender: Recommender, project_id: int, translator: Translator) -> Plot:
    """Draw why documents wait for a person.

    Raises:
        StoreError: If the store cannot be read.
    """
    title = translator(say("Why documents wait"))
    found = recommender.recommendations(project_id, MOST)
    counts = Counter(reason.code for each in found.items for reason in each.reasons)
    if not counts:
        return Plot(title, translator(say("No open document needs a person at the moment.")))
    said = translator(say("Reasons of the documents that the rules send to a person; one may have several."))
    rows = [(translator(REASONS[code]), count) for code, count in counts.most_common()]
    picture = bars(title, said, [(name, float(count), translator.number(count)) for name, count in rows])
    head = _said(translator, say("Reason"), say("Documents"))
    return Plot(title, said, picture, (), head, [(name, translator.number(count)) for name, count in rows])


def draw_weeks(weeks: Sequence[Period], translator: Translator) -> Plot:
    """Draw how many corrections per document needed, week by week."""
    title = translator(say("Week by week"))
    if len(weeks) < 2:
        return Plot(title, translator(say("The chart appears from the second week on.")))
    said = translator(say("Corrections per document."))
    points = [Point(i, week.cost, label=f"{week.name}: {week.cost:.2f}") for i, week in enumerate(weeks)]
    step = max(1, len(weeks) // 6)
    picture = plot(
        title,
        said,
        [Series(translator(say("corrections per document")), points, 1)],
        x_label=translator(say("week")),
        y_label=translator(say("corrections")),
        x_ticks=[(i, week.name) for i, week in enumerate(weeks) if i % step == 0],
    )
    head = _said(translator, say("Week from"), say("Documents"), say("Corrections"))
    rows = [(week.name, translator.number(week.documents), translator.number(week.cost, 2)) for week in weeks]
    return Plot(title, said, picture, (), head, rows)


def calibration(bins: Sequence[Bin], translator: Translator) -> Plot:
    """Draw whether predictions are as often right as they are sure."""
    title = translator(say("Confidence against accuracy"))
    if not bins:
        return Plot(title, translator(say("The chart appears once three pre-labelled documents have been annotated.")))
    gap = sum(abs(each.confidence - each.accuracy) * each.documents for each in bins) / sum(b.documents for b in bins)
    said = translator(
        say(
            "On the dashed line predictions are as often right as they are sure; on average they are {gap} off it.",
            gap=translator.percent(gap),
        )
    )
    points = [Point(b.confidence, b.accuracy, label=f"{b.confidence:.2f} → {b.accuracy:.2f}") for b in bins]
    series = [Series(translator(say("documents of similar confidence")), points, 1)]
    picture = plot(
        title,
        said,
        series,
        x_label=translator(say("confidence")),
        y_label=translator(say("left unchanged")),
        y_range=(0.0, 1.0),
        x_ticks=[(v / 5, f"{v / 5:.1f}") for v in range(6)],
        diagonal=True,
    )
    head = _said(translator, say("Confidence"), say("Left unchanged"), say("Documents"))
    rows = [
        (translator.percent(b.confidence), translator.percent(b.accuracy), translator.number(b.documents)) for b in bins
    ]
    return Plot(title, said, picture, [(1, series[0].name)], head, rows)


def _said(translator: Translator, *words: Words) -> list[str]:
    return [translator(each) for each in words]
