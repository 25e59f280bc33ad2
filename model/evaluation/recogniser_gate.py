"""The gate of recognisers: may one that was trained again read in the champion's place?

Both read the same lines, of documents that were never learned from, and rendered lines of each language that neither
has seen. :mod:`model.evaluation.extractor_gate` is its counterpart for the naming of fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import listed, say
from model.evaluation.extractor_gate import Check, Decision
from model.recognition.measuring import LineScore, pooled

#: The bound that a rise must stay below: one-sided, 95 %.
_QUANTILE = 0.95


@dataclass(frozen=True, slots=True)
class LineGate:
    """What is allowed; margins are differences of CER as shares, so that 0.001 is a tenth of a point.

    Attributes:
        margin: Rise of the CER that the held-out lines must rule out with 95 % confidence.
        forgetting_margin: Rise of the CER that is allowed on rendered lines: on all of them together and on ordinary
            ones, where twice as much must be ruled out with 95 % confidence; and on those of each language and on rare
            characters, unless chance explains it.
        min_lines: Held-out lines without which nothing is promoted.
        samples: Resamples of the bootstrap.
    """

    margin: float = 0.005
    forgetting_margin: float = 0.001
    min_lines: int = 20
    samples: int = 2000


Pair = tuple[Sequence[LineScore], Sequence[LineScore]]
"""The champion's and the challenger's counts on the same lines, a line each."""


@dataclass(frozen=True, slots=True)
class Forgetting:
    """What both make of rendered lines.

    Attributes:
        ordinary: Lines such as documents bear.
        rare: Lines with rare characters and of hard prints.
        languages: All of these lines once more, by language.
        absent: Scripts whose lines were left out, since the project has none.
    """

    ordinary: Pair
    rare: Pair
    languages: Mapping[str, Pair]
    absent: frozenset[str] = frozenset()

    @property
    def groups(self) -> Mapping[str, Pair]:
        """The groups that may suffer no more than chance explains."""
        return {name: pair for name, pair in {"rare characters": self.rare, **self.languages}.items() if pair[0]}


def decide_lines(
    champion: Sequence[LineScore],
    challenger: Sequence[LineScore],
    forgetting: Forgetting | None,
    gate: LineGate,
    rng: np.random.Generator,
) -> Decision:
    """Decide whether the challenger may read in the champion's place.

    Args:
        champion: Its counts, a held-out document each: lines of one document err alike, so documents are drawn again.
        challenger: Those of the same documents in the same order.
        forgetting: Both's counts on rendered lines, if there are any.
        gate: What is allowed.
        rng: For the bootstrap.

    Raises:
        ValueError: If the two did not read the same documents.
    """
    if [(each.lines, each.characters) for each in champion] != [(each.lines, each.characters) for each in challenger]:
        raise ValueError("champion and challenger must read the same lines")
    old, new = pooled(champion), pooled(challenger)
    enough = old.lines >= gate.min_lines
    needed = say("{found} held-out lines of {least} needed", found=old.lines, least=gate.min_lines)
    checks = [Check("lines", enough, needed)]
    if enough:
        bound = upper_bound(champion, challenger, gate.samples, rng)
        better = new.cer < old.cer or (new.cer == old.cer and new.line_accuracy > old.line_accuracy)
        checks += [
            Check(
                "better",
                better,
                say("CER {after:.2f} % after {before:.2f} %", after=100 * new.cer, before=100 * old.cer),
            ),
            Check(
                "accuracy",
                new.right >= old.right,
                say(
                    "{after:.2f} % of the lines right after {before:.2f} %",
                    after=100 * new.line_accuracy,
                    before=100 * old.line_accuracy,
                ),
            ),
            Check(
                "bootstrap",
                bound < gate.margin,
                say(
                    "with 95 % confidence the CER changes by {bound:+.2f} points or less, {allowed:+.2f} is allowed",
                    bound=100 * bound,
                    allowed=100 * gate.margin,
                ),
            ),
        ]
    if forgetting:
        checks += [
            _nothing_forgotten(forgetting, gate),
            *_ordinary_kept(forgetting, gate, rng),
            _no_group_suffers(forgetting, gate, rng),
        ]
    telling_names = {"better", "accuracy"}
    if forgetting and forgetting.absent:
        scripts = ", ".join(sorted(script.capitalize() for script in forgetting.absent))
        said = say("rendered lines in {scripts} do not count: the project has no such line", scripts=scripts)
        checks.append(Check("scripts", True, said))
        telling_names.add("scripts")
    failed = [check for check in checks if not check.passed]
    telling = failed or [check for check in checks if check.name in telling_names]
    return Decision(not failed, listed([check.detail for check in telling]), tuple(checks))


def _nothing_forgotten(forgetting: Forgetting, gate: LineGate) -> Check:
    before, after = (pooled([*forgetting.ordinary[which], *forgetting.rare[which]]) for which in (0, 1))
    # Sums of shares: what is equal but for the arithmetic's last digit is allowed.
    holds = after.cer - before.cer <= gate.forgetting_margin + 1e-9
    said = say(
        "CER on rendered lines {after:.3f} % after {before:.3f} %", after=100 * after.cer, before=100 * before.cer
    )
    return Check("forgetting", holds, said)


def _ordinary_kept(forgetting: Forgetting, gate: LineGate, rng: np.random.Generator) -> list[Check]:
    """See that ordinary lines are read no worse: gains on rare characters make up for no loss here."""
    if not forgetting.ordinary[0]:
        return []
    before, after = (pooled(scores).cer for scores in forgetting.ordinary)
    bound, most = upper_bound(*forgetting.ordinary, gate.samples, rng), 2 * gate.forgetting_margin
    detail = say(
        "CER on ordinary rendered lines {after:.3f} % after {before:.3f} %, with 95 % confidence by {bound:+.2f} "
        "points or less; {margin:+.2f} and {most:+.2f} are allowed",
        after=100 * after,
        before=100 * before,
        bound=100 * bound,
        margin=100 * gate.forgetting_margin,
        most=100 * most,
    )
    holds = after - before <= gate.forgetting_margin + 1e-9 and bound <= most + 1e-9
    return [Check("ordinary lines", holds, detail)]


def _no_group_suffers(forgetting: Forgetting, gate: LineGate, rng: np.random.Generator) -> Check:
    """Look for a group whose CER rises by more than it may, where drawing its lines again makes it rise as well."""
    groups = forgetting.groups
    rises = {name: pooled(new).cer - pooled(old).cer for name, (old, new) in groups.items()}
    for name in sorted(rises, key=lambda group: -rises[group]):
        if rises[name] <= gate.forgetting_margin:
            break
        if np.quantile(resampled_rises(*groups[name], gate.samples, rng), 1 - _QUANTILE) > 0:
            before, after = (pooled(scores).cer for scores in groups[name])
            detail = say(
                "CER on rendered lines, {group}, {after:.3f} % after {before:.3f} %",
                group=name,
                after=100 * after,
                before=100 * before,
            )
            return Check("languages", False, detail)
    worst = max(rises, key=lambda group: rises[group])
    said = say(
        "of all rendered lines {group} changes worst, by {change:+.2f} points", group=worst, change=100 * rises[worst]
    )
    return Check("languages", True, said)


def upper_bound(
    champion: Sequence[LineScore], challenger: Sequence[LineScore], samples: int, rng: np.random.Generator
) -> float:
    """Return what the CER rises by at most, with 95 % confidence."""
    return float(np.quantile(resampled_rises(champion, challenger, samples, rng), _QUANTILE))


def resampled_rises(
    champion: Sequence[LineScore], challenger: Sequence[LineScore], samples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return by what the CER rises on units that are drawn again: a paired bootstrap, shape ``(samples,)``.

    Bisani and Ney, "Bootstrap Estimates for Confidence Intervals in ASR Performance Evaluation" (ICASSP 2004).
    """
    characters = np.array([each.characters for each in champion], dtype=np.float64)
    rises = np.array([new.edits - old.edits for old, new in zip(champion, challenger, strict=True)], dtype=np.float64)
    drawn = rng.integers(len(champion), size=(samples, len(champion)))
    resampled: NDArray[np.float64] = rises[drawn].sum(axis=1) / np.maximum(characters[drawn].sum(axis=1), 1.0)
    return resampled
