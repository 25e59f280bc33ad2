"""The control arm: a few tasks drawn by chance, which say without bias how good the model is, and the order too."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from active_learning.pool import FloatArray

#: Documents of either arm below which nothing is said of the order.
LEAST_ARM = 20
#: Draws of the bootstrap, and the share that its interval covers.
_DRAWS, _COVER = 2000, 0.95


def in_control_arm(project_id: int, task_id: int, share: float) -> bool:
    """Tell whether a task belongs to the control arm: always the same answer, in every process.

    Args:
        project_id: Its project.
        task_id: The task.
        share: Of the tasks that belong to it, in ``[0, 1]``; a task of a smaller share belongs to a larger one too.
    """
    digest = hashlib.blake2b(f"control {project_id} {task_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


class Winning(str, Enum):
    """Whether active learning is worth it."""

    UNKNOWN = "unknown"
    YES = "yes"
    NO = "no"


@dataclass(frozen=True, slots=True)
class LabelsSaved:
    """How many labels the order saves.

    Attributes:
        ratio: Corrections that a document of the order teaches, over those that one drawn by chance does. 1.5 says that
            two annotations in the order bring as many corrections as three by chance.
        low: Lower end of the interval of 95 %.
        high: Upper end.
        saved: Annotations by chance that the order spared: ``(ratio - 1) × active``. Below 0 where it costs some.
        saved_low: From the lower end.
        saved_high: From the upper end.
        active: Annotated documents that the strategy chose.
        control: Annotated documents drawn by chance.
        winning: Yes where the interval lies above 1, no where it does not although both arms are large enough.
    """

    ratio: float
    low: float
    high: float
    saved: float
    saved_low: float
    saved_high: float
    active: int
    control: int
    winning: Winning


#: Corrections of each document that the strategy chose, and of each one drawn by chance, 0 or more.
Arms = tuple[Sequence[float], Sequence[float]]


def estimate_labels_saved(by_version: Sequence[Arms], rng: np.random.Generator) -> LabelsSaved:
    """Compare what was corrected in the strategy's documents and in those drawn by chance.

    What a document teaches is taken to be what had to be corrected in it: a document without a correction tells the
    model what it knew. Versions differ in what they get wrong, so that documents are compared with those that the same
    version has pre-labelled, and each version counts by the strategy's documents (direct standardisation): a chance
    that drew more under one version than under another says nothing of the order. The interval is the bootstrap's
    (Efron, 1979), within each version.

    Args:
        by_version: The two arms by version; one that lacks an arm is passed over.
        rng: Where chance comes from.
    """
    pairs = [
        (np.asarray(active, dtype=np.float64), np.asarray(control, dtype=np.float64))
        for active, control in by_version
        if len(active) and len(control)
    ]
    count, drawn = (sum(len(pair[side]) for pair in pairs) for side in (0, 1))
    if not pairs:
        return LabelsSaved(1.0, 0.0, float("inf"), 0.0, 0.0, 0.0, 0, 0, Winning.UNKNOWN)
    weights = np.array([len(active) / count for active, _ in pairs])
    means = np.array([[arm.mean() for arm in pair] for pair in pairs])
    draws = np.array([[_means(arm, rng) for arm in pair] for pair in pairs])
    ratio = float(_ratio(*np.tensordot(weights, means, axes=1)))
    ratios = _ratio(*np.tensordot(weights, draws, axes=1))
    low, high = (float(x) for x in np.quantile(ratios, ((1 - _COVER) / 2, (1 + _COVER) / 2)))
    enough = min(count, drawn) >= LEAST_ARM
    winning = (Winning.YES if low > 1 else Winning.NO) if enough else Winning.UNKNOWN
    return LabelsSaved(
        ratio, low, high, (ratio - 1) * count, (low - 1) * count, (high - 1) * count, count, drawn, winning
    )


def _means(arm: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return the mean of each of the bootstrap's draws, shape ``(draws,)``."""
    return np.asarray(arm[rng.integers(len(arm), size=(_DRAWS, len(arm)))].mean(axis=1))


def _ratio(over: FloatArray | float, under: FloatArray | float) -> FloatArray:
    # A tenth of a correction a document on both sides: an arm without any correction shall not give infinity.
    return np.asarray((over + 0.1) / (under + 0.1))
