"""One lesson of a recogniser: what corrected lines make of a head, and how much of it is taken over.

A training run and the benchmark of it share this, so that what is measured is what happens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from model.recognition.deep_training import interpolate_below, train_below
from model.recognition.head import Head
from model.recognition.lines import FeatureLine
from model.recognition.lower import Lower
from model.recognition.measuring import measure
from model.recognition.training import HeadPlan, HeadProgress, train_head
from model.recognition.weight_interpolation import misread_characters, settle

#: From so many lines on, some only tell when to stop; and that share of them.
_ENOUGH, _VALID_SHARE = 60, 0.15
#: So many of those must be misread.
_TELLING = 8
#: One in so many rendered lines, ordinary and rare ones, is not learned from, but tells how much of what was learned
#: does no harm.
_GUARDS = 2, 4
#: So often the others are taken: rare characters are not to have more weight than what documents bear.
_TIMES = 3, 1


@dataclass(frozen=True, slots=True)
class Lesson:
    """What there is to learn from.

    Attributes:
        lines: Corrected and confirmed lines, as the backbone sees them, or what enters the layers that learn.
        more: Gives other lines that say the same as those whose numbers it gets: changed copies, drawn ones.
        ordinary: Rendered lines of what could be read before, such as documents bear.
        rare: Those with rare characters and hard prints.
    """

    lines: Sequence[FeatureLine]
    more: Callable[[Sequence[int]], Sequence[FeatureLine]]
    ordinary: Sequence[FeatureLine]
    rare: Sequence[FeatureLine]


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of it.

    Attributes:
        head: What reads from now on.
        share: How far known characters have gone from where they were towards what was learned, in ``[0, 1]``.
        curve: How the training went.
    """

    head: Head
    share: float
    curve: tuple[HeadProgress, ...]


def learn(
    champion: Head,
    wide: Head,
    lesson: Lesson,
    plan: HeadPlan,
    margin: float,
    rng: np.random.Generator,
    on_progress: Callable[[HeadProgress], None] = lambda progress: None,
    lower: Lower | None = None,
) -> Learned:
    """Teach a head.

    Args:
        champion: The head in use.
        wide: The same, with columns for each character of the lesson.
        lesson: What there is to learn from.
        plan: How long and how fast.
        margin: Rise of the CER that is allowed on rendered lines, as a share.
        rng: For everything that is drawn.
        on_progress: Called while it trains; what it raises ends it.
        lower: Layers below the head that learn with it; None for the head alone.

    Raises:
        ValueError: If there is nothing to learn from.
    """
    lines = lesson.lines
    read = lines if lower is None else lower.seen(lines, champion)
    touched = misread_characters(champion, read)
    plan = replace(
        plan,
        frozen="".join(c for c in champion.characters if c not in touched),
        quick="".join(c for c in wide.characters if not champion.knows(c)),
        seed=int(rng.integers(2**31)),
    )
    order = [int(i) for i in rng.permutation(len(lines))]
    aside = round(_VALID_SHARE * len(lines)) if len(lines) >= _ENOUGH and lower is None else 0
    if len(misread(champion, [read[i] for i in order[:aside]])) < _TELLING:
        # Lines that were read right before cannot tell when to stop.
        aside = 0
    batch = [lines[i] for i in order[aside:]] + list(lesson.more(order[aside:]))
    # What is forgotten does not end the training: it is settled afterwards how much of it is taken over.
    valid = [lines[i] for i in order[:aside]]
    replay: list[FeatureLine] = []
    guards: list[list[FeatureLine]] = []
    for kind, one_in, times in zip((lesson.ordinary, lesson.rare), _GUARDS, _TIMES, strict=True):
        shuffled = [kind[i] for i in rng.permutation(len(kind))]
        guards.append(shuffled[: len(shuffled) // one_in])
        replay += shuffled[len(shuffled) // one_in :] * times
    _warm_up()
    if lower is not None:
        trained = train_below(lower, wide, batch, replay, plan, on_progress)
        head, share = interpolate_below(lower, champion, wide, trained.head, guards, margin)
        return Learned(head, share, trained.curve)
    # What does not learn, the layer that looks at neighbours, is applied once and not in every step.
    batch, valid, replay, *guards = (_seen_by(wide, part) for part in (batch, valid, replay, *guards))
    start = replace(wide, context=None)
    trained = train_head(start, batch, valid, replay, plan, on_progress)
    head, share = settle(replace(champion, context=None), start, trained.head, guards, margin)
    return Learned(replace(head, context=wide.context), share, trained.curve)


def misread(head: Head, lines: Sequence[FeatureLine]) -> list[int]:
    """Return the numbers of the lines that a head does not read right."""
    return [number for number, score in enumerate(measure(head, lines)) if not score.right]


def _warm_up() -> None:
    """Do one step of nothing: torch's first loads its compiler, for seconds that are not to come off the budget."""
    nothing = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.Adam([nothing])
    nothing.sum().backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _seen_by(head: Head, lines: Sequence[FeatureLine]) -> list[FeatureLine]:
    return [replace(line, features=head.seen(line.features)) for line in lines]
