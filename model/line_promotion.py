"""The gate of recognisers: may one that was trained anew read in the champion's place?

Both read the same lines, of documents that were never learned from, and rendered lines of each language that neither
has seen. :mod:`model.promotion` is its counterpart for the naming of fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model.promotion import Check, Decision
from model.recognition.measuring import LineScore, pooled
from model.words import listed, say

#: The bound that a rise must stay below: one-sided, 95 %.
_QUANTILE, _NORMAL_QUANTILE = 0.95, 1.645


@dataclass(frozen=True, slots=True)
class LineGate:
    """What is allowed; margins are differences of CER as shares, so that 0.001 is a tenth of a point.

    Attributes:
        margin: Rise of the CER that the held-out lines must rule out with 95 % confidence.
        forgetting_margin: Rise of the CER that is allowed on rendered lines: on all of them together, and on those of
            each group unless chance explains it.
        min_lines: Held-out lines without which nothing is promoted.
        samples: Resamples of the bootstrap.
    """

    margin: float = 0.005
    forgetting_margin: float = 0.001
    min_lines: int = 20
    samples: int = 2000


Forgetting = Mapping[str, tuple[LineScore, LineScore]]
"""A group of rendered lines, such as a language, to the champion's and the challenger's counts on it."""


def decide_lines(
    champion: Sequence[LineScore],
    challenger: Sequence[LineScore],
    forgetting: Forgetting,
    gate: LineGate,
    rng: np.random.Generator,
) -> Decision:
    """Decide whether the challenger may read in the champion's place.

    Args:
        champion: Its counts, a held-out document each: lines of one document err alike, so documents are drawn anew.
        challenger: Those of the same documents in the same order.
        forgetting: Both's counts on rendered lines.
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
        checks += [_nothing_forgotten(forgetting, gate), _no_group_suffers(forgetting, gate)]
    failed = [check for check in checks if not check.passed]
    telling = failed or [check for check in checks if check.name in {"better", "accuracy"}]
    return Decision(not failed, listed([check.detail for check in telling]), tuple(checks))


def _nothing_forgotten(forgetting: Forgetting, gate: LineGate) -> Check:
    before, after = (pooled([pair[which] for pair in forgetting.values()]) for which in (0, 1))
    # Sums of shares: what is equal but for the arithmetic's last digit is allowed.
    holds = after.cer - before.cer <= gate.forgetting_margin + 1e-9
    said = say(
        "CER on rendered lines {after:.3f} % after {before:.3f} %", after=100 * after.cer, before=100 * before.cer
    )
    return Check("forgetting", holds, said)


def _no_group_suffers(forgetting: Forgetting, gate: LineGate) -> Check:
    """Look for a group whose CER rises by more than it may, and by more than its few lines can explain.

    Edits are counted as independent events (Poisson), the same lines read twice as two samples: both err on the side
    of chance, so that what is found is no chance.
    """
    rises = {group: after.cer - before.cer for group, (before, after) in forgetting.items()}
    for group, (before, after) in forgetting.items():
        chance = _NORMAL_QUANTILE * (before.edits + after.edits) ** 0.5 / max(before.characters, 1)
        if rises[group] > gate.forgetting_margin + chance:
            detail = say(
                "CER on rendered lines, {group}, {after:.3f} % after {before:.3f} %",
                group=group,
                after=100 * after.cer,
                before=100 * before.cer,
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
    """Return what the CER rises by at most, with 95 % confidence: a paired bootstrap over documents.

    Bisani and Ney, «Bootstrap Estimates for Confidence Intervals in ASR Performance Evaluation» (ICASSP 2004).
    """
    characters = np.array([each.characters for each in champion], dtype=np.float64)
    rises = np.array([new.edits - old.edits for old, new in zip(champion, challenger, strict=True)], dtype=np.float64)
    drawn = rng.integers(len(champion), size=(samples, len(champion)))
    gains = rises[drawn].sum(axis=1) / np.maximum(characters[drawn].sum(axis=1), 1.0)
    return float(np.quantile(gains, _QUANTILE))
