"""Teaches a head: CTC (Graves et al. 2006) over kept features, seconds on a processor.

The backbone stays as it is, so that nothing below the head can be forgotten; rendered lines are seen again
along with corrected ones, and columns are held near where they started, so that the head does not forget either.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from model.recognition.confidence import fit_temperature
from model.recognition.context import DILATION, Context
from model.recognition.graph import FloatArray
from model.recognition.head import Head
from model.recognition.lines import FeatureLine
from model.recognition.measuring import measure, pooled

#: Fewer lines than this tell neither when to stop nor how sure to be.
_LEAST_VALID = 8

CONTEXT_SIZES = (40, 96, 9)
"""Of the layer that looks at neighbours: what it takes of a column, its inner size, and its width."""


@dataclass(frozen=True, slots=True)
class HeadPlan:
    """How long and how fast to learn.

    Attributes:
        budget_seconds: Time for training, measuring included.
        passes: Times that each line is seen, at most.
        batch_size: Lines a step; lines of like length go together.
        learning_rate: Highest rate; it falls to nothing along a cosine.
        quick: Characters whose columns learn so many times faster than others: new ones have a long way to go.
        quickness: How many times.
        anchor: How strongly known characters are held where they started (L2-SP, Xuhong et al. 2018); 0 lets them go.
        replay: Rendered lines for each one to learn from, at most.
        noise: Spread of what is added to features, as a share of each feature's own spread.
        evaluations: Times that the validation lines are read.
        patience: Evaluations without a better one after which training ends, once one was better than the start: what
            is new reads worse at first than what it is to replace.
        context: Whether the layer that looks at neighbours learns too, made again where the head has none; it takes ten
            times the lines, and three times the time.
        frozen: Characters whose columns stay as they are, whatever happens around them; the blank's with them, if any.
        seed: Of everything that is drawn.
    """

    budget_seconds: float = 30.0
    passes: float = 40.0
    batch_size: int = 32
    learning_rate: float = 3e-3
    quick: str = ""
    quickness: float = 10.0
    anchor: float = 0.0
    replay: float = 4.0
    noise: float = 0.05
    evaluations: int = 8
    patience: int = 3
    context: bool = False
    frozen: str = ""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class HeadProgress:
    """How far the training is.

    Attributes:
        step: Steps done.
        steps: Steps planned.
        loss: Mean CTC loss of a character, over the latest steps.
        seconds: Since the start.
        valid_cer: Character error rate of the validation lines, where it was measured at this step.
    """

    step: int
    steps: int
    loss: float
    seconds: float
    valid_cer: float | None = None


@dataclass(frozen=True, slots=True)
class TrainedHead:
    """What came out.

    Attributes:
        head: The best head by validation, calibrated; the one that training started from if none was better.
        curve: Progress at each evaluation.
        seconds: How long it took.
    """

    head: Head
    curve: tuple[HeadProgress, ...]
    seconds: float


def train_head(
    head: Head,
    lines: Sequence[FeatureLine],
    valid: Sequence[FeatureLine],
    replay: Sequence[FeatureLine],
    plan: HeadPlan,
    on_progress: Callable[[HeadProgress], None] = lambda progress: None,
) -> TrainedHead:
    """Return a head that reads ``lines`` better and has not forgotten ``replay``.

    Args:
        head: Where to start. It has to know every character; see :meth:`~model.recognition.head.Head.widened`.
        lines: Corrected and confirmed lines.
        valid: Lines that are not learned from: they tell when to stop and how sure to be. With fewer than eight the
            last state is taken, and the temperature stays.
        replay: Rendered lines of what the head could read before.
        plan: How long and how fast.
        on_progress: Called at each evaluation; what it raises ends the training.

    Raises:
        ValueError: If there is nothing to learn from.
    """
    threads = torch.get_num_threads()
    # What a step of the head alone multiplies is so little that threads, which wait for each other, cost time.
    torch.set_num_threads(threads if plan.context else 1)
    try:
        return _trained(head, lines, valid, replay, plan, on_progress)
    finally:
        torch.set_num_threads(threads)


def _trained(
    head: Head,
    lines: Sequence[FeatureLine],
    valid: Sequence[FeatureLine],
    replay: Sequence[FeatureLine],
    plan: HeadPlan,
    on_progress: Callable[[HeadProgress], None],
) -> TrainedHead:
    started = time.monotonic()
    learned = [line for line in lines if usable(line, head)]
    if not learned:
        raise ValueError("no line to learn from")
    rng = np.random.default_rng(plan.seed)
    torch.manual_seed(plan.seed)
    others = [line for line in replay if usable(line, head)]
    share = min(plan.replay, len(others) / len(learned)) if others else 0.0
    per_pass = len(learned) + round(share * len(learned))
    steps = max(1, round(plan.passes * per_pass / plan.batch_size))
    if not plan.context:
        # What does not learn is computed once.
        learned, others = _seen(learned, head), _seen(others, head)
    model = _Layers(head, plan, rng)
    spread = torch.tensor(np.concatenate([line.features for line in learned[:200]]).std(axis=0), dtype=torch.float32)
    optimiser = torch.optim.Adam(model.groups(plan.learning_rate))
    batches = _batches(learned, others, share, plan.batch_size, rng)
    best = _Best(head, valid)
    curve: list[HeadProgress] = []
    losses: list[float] = []
    every = max(1, steps // max(1, plan.evaluations))
    due = plan.budget_seconds / max(1, plan.evaluations)
    last = started
    for step in range(1, steps + 1):
        used = time.monotonic() - started
        # Whatever ends first, the budget or the passes, sets the pace at which the rate falls.
        done = max(step / steps, used / plan.budget_seconds)
        for group in optimiser.param_groups:
            group["lr"] = group["highest"] * 0.5 * (1 + np.cos(np.pi * min(done, 1.0)))
        batch = next(batches)
        loss = _loss(batch, head, model, spread * plan.noise)
        total = loss + plan.anchor * model.drift() if plan.anchor else loss
        optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
        now = time.monotonic()
        ended = step == steps or now - started >= plan.budget_seconds
        if ended or step % every == 0 or now - last >= due:
            last = now
            state = model.head(head)
            cer = best.look_at(state)
            progress = HeadProgress(step, steps, float(np.mean(losses[-50:])), time.monotonic() - started, cer)
            curve.append(progress)
            on_progress(progress)
            if ended or (best.improved and best.stale >= plan.patience):
                break
    kept = best.head
    if len(valid) >= _LEAST_VALID:
        kept = replace(kept, temperature=fit_temperature(kept, valid))
    return TrainedHead(kept, tuple(curve), time.monotonic() - started)


class _Layers:
    """The numbers that learn."""

    def __init__(self, head: Head, plan: HeadPlan, rng: np.random.Generator) -> None:
        self._start = torch.tensor(head.weights), torch.tensor(head.bias)
        # What is learned is how far each column goes: Adam's steps are all of one size, so that a column whose way
        # counts tenfold goes ten times as fast.
        self._moved = (
            torch.zeros_like(self._start[0]).requires_grad_(),
            torch.zeros_like(self._start[1]).requires_grad_(),
        )
        quick = head.encode(plan.quick)
        self._pace = torch.ones(len(head.bias))
        self._pace[quick] = plan.quickness
        self._held = torch.tensor([0, *head.encode(plan.frozen)] if plan.frozen else [], dtype=torch.long)
        self._pace[self._held] = 0.0
        self.context: list[torch.Tensor] = []
        if plan.context:
            layer = head.context or Context.fresh(len(head.weights), *CONTEXT_SIZES, rng)
            self.context = [
                torch.tensor(values, requires_grad=True)
                for values in (layer.narrow, layer.kernel, layer.inner_bias, layer.outer, layer.outer_bias)
            ]

    @property
    def weights(self) -> torch.Tensor:
        """The matrix at present."""
        return self._start[0] + self._moved[0] * self._pace

    @property
    def bias(self) -> torch.Tensor:
        """The bias at present."""
        return self._start[1] + self._moved[1] * self._pace

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """Return what the optimiser takes; the layer before the matrix learns more slowly."""
        groups = [{"params": list(self._moved), "lr": rate, "highest": rate}]
        if self.context:
            groups.append({"params": self.context, "lr": rate / 2, "highest": rate / 2})
        return groups

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits of shape (columns, lines, classes) for features of shape (columns, lines, features)."""
        if self.context:
            features = look_around(features, self.context)
        return features @ self.weights + self.bias

    def drift(self) -> torch.Tensor:
        """Return the squared distance from the start, of columns that are not new."""
        known = (self._pace == 1.0).float()
        return (self._moved[0] * known).square().sum() + (self._moved[1] * known).square().sum()

    def head(self, start: Head) -> Head:
        """Return the present state."""
        context = Context(*(_numbers(part) for part in self.context)) if self.context else start.context
        return replace(start, weights=_numbers(self.weights), bias=_numbers(self.bias), context=context)


def look_around(features: torch.Tensor, context: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return what :meth:`model.recognition.context.Context.apply` does, for shape (columns, lines, features)."""
    narrow, kernel, inner_bias, outer, outer_bias = context
    columns, width = len(features), kernel.shape[2]
    reach = DILATION * (width // 2)
    few = torch.nn.functional.pad(features @ narrow, (0, 0, 0, 0, reach, reach))
    # One product over all neighbours: several times as quick as torch's own dilated convolution.
    around = torch.cat([few[n * DILATION : n * DILATION + columns] for n in range(width)], dim=2)
    inner = around @ kernel.permute(2, 1, 0).reshape(-1, len(kernel)) + inner_bias
    return features + inner.relu() @ outer + outer_bias


def _seen(lines: Sequence[FeatureLine], head: Head) -> list[FeatureLine]:
    return [replace(line, features=head.seen(line.features)) for line in lines]


class _Best:
    """The head that reads the validation lines best so far."""

    def __init__(self, head: Head, valid: Sequence[FeatureLine]) -> None:
        self.head, self.stale, self.improved = head, 0, False
        self._valid = valid if len(valid) >= _LEAST_VALID else ()
        self._cer = pooled(measure(head, self._valid)).cer if self._valid else float("inf")

    def look_at(self, head: Head) -> float | None:
        if not self._valid:
            self.head = head
            return None
        cer = pooled(measure(head, self._valid)).cer
        better = cer < self._cer
        self.stale = 0 if better else self.stale + 1
        if better:
            self.head, self._cer, self.improved = head, cer, True
        return cer


def usable(line: FeatureLine, head: Head) -> bool:
    """Say whether CTC can spell the text in the line's columns: one for each character, one between equal ones."""
    needed = len(line.text) + sum(a == b for a, b in zip(line.text, line.text[1:], strict=False))
    return 0 < needed <= len(line.features) and head.knows(line.text)


def _batches(
    lines: Sequence[FeatureLine],
    others: Sequence[FeatureLine],
    share: float,
    size: int,
    rng: np.random.Generator,
) -> Iterator[list[FeatureLine]]:
    """Yield batches without end, each pass in new order, lines of like length together."""
    while True:
        taken = list(lines)
        if others and share:
            taken += [others[i] for i in rng.choice(len(others), max(1, round(share * len(lines))), replace=False)]
        # Lengths are blurred, so that it is not the same lines that meet in every pass.
        keys = [len(line.features) * rng.uniform(0.9, 1.1) for line in taken]
        order = np.argsort(keys)
        groups = [[taken[i] for i in order[start : start + size]] for start in range(0, len(order), size)]
        for index in rng.permutation(len(groups)):
            yield groups[index]


def _loss(batch: Sequence[FeatureLine], head: Head, model: _Layers, noise: torch.Tensor) -> torch.Tensor:
    lengths = [len(line.features) for line in batch]
    padded = np.zeros((max(lengths), len(batch), batch[0].features.shape[1]), np.float32)
    for number, line in enumerate(batch):
        padded[: len(line.features), number] = line.features
    features = torch.from_numpy(padded)
    if bool(noise.any()):
        features = features + torch.randn_like(features) * noise
    logits = model.logits(features) / head.temperature
    targets = [head.encode(line.text) for line in batch]
    flat = torch.tensor([number for target in targets for number in target])
    sizes = torch.tensor([len(target) for target in targets])
    loss = torch.nn.functional.ctc_loss(
        logits.log_softmax(-1), flat, torch.tensor(lengths), sizes, reduction="sum", zero_infinity=True
    )
    return loss / sizes.sum()


def _numbers(tensor: torch.Tensor) -> FloatArray:
    return tensor.detach().numpy().copy()
