"""Teaches layers below the head together with it: CTC over what enters them, for prints that the backbone sees badly.

What these layers forget, every character forgets; so their steps are small, rendered lines are seen again as often as
corrected ones, and afterwards as much of the way is taken as other rendered lines bear.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from model.recognition.head import Head
from model.recognition.lines import FeatureLine
from model.recognition.lower import Lower, of_one_width
from model.recognition.measuring import measure, pooled
from model.recognition.training import HeadPlan, HeadProgress, TrainedHead, look_around, usable

_SHARES = (1.0, 0.7, 0.5, 0.35, 0.2, 0.1)
_BATCH = 8
# The layers below learn so many times more slowly than known characters' columns.
_SLOWER = 6.0


def train_below(
    lower: Lower,
    head: Head,
    lines: Sequence[FeatureLine],
    replay: Sequence[FeatureLine],
    plan: HeadPlan,
    on_progress: Callable[[HeadProgress], None] = lambda progress: None,
) -> TrainedHead:
    """Return a head, and the layers below in it, that read ``lines`` better.

    Args:
        lower: The layers.
        head: Where to start, with every character of the lines.
        lines: Corrected and confirmed lines, and changed copies, as ``lower.sight`` sees them.
        replay: Rendered lines of what could be read before.
        plan: How long and how fast; ``context`` stays as it is, and ``patience`` has nothing to wait for.
        on_progress: Called now and then; what it raises ends the training.

    Raises:
        ValueError: If there is nothing to learn from.
    """
    lines, replay = ([line for line in part if usable(line, head)] for part in (lines, replay))
    if not lines:
        raise ValueError("no line to learn from")
    started = time.monotonic()
    rng = np.random.default_rng(plan.seed)
    torch.manual_seed(plan.seed)
    lower.become(head.below)
    reader = _Reader(head, plan, lower.device)
    below = [each for each in lower.module.parameters() if each.requires_grad]
    rates = {"columns": plan.learning_rate, "below": plan.learning_rate / _SLOWER}
    optimiser = torch.optim.AdamW(
        [{"params": list(reader.parameters())}, {"params": below}], lr=plan.learning_rate, weight_decay=0.0
    )
    per_pass = len(lines) + round(min(len(replay), plan.replay * len(lines)))
    steps = max(1, round(plan.passes * per_pass / _BATCH))
    every = max(1, steps // max(1, plan.evaluations))
    curve: list[HeadProgress] = []
    losses: list[float] = []
    for step, batch in enumerate(_batches(lines, replay, plan.replay, rng), 1):
        used = time.monotonic() - started
        done = max(step / steps, used / plan.budget_seconds)
        for group, rate in zip(optimiser.param_groups, rates.values(), strict=True):
            group["lr"] = rate * 0.5 * (1 + np.cos(np.pi * min(done, 1.0)))
        features = lower.module(lower.entering([line.features for line in batch]))
        loss = _loss(reader(features.permute(1, 0, 2)), batch, head)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(below, 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
        ended = step >= steps or time.monotonic() - started >= plan.budget_seconds
        if ended or step % every == 0:
            progress = HeadProgress(step, steps, float(np.mean(losses[-50:])), time.monotonic() - started)
            curve.append(progress)
            on_progress(progress)
        if ended:
            break
    return TrainedHead(replace(reader.head(head), below=lower.taught()), tuple(curve), time.monotonic() - started)


def interpolate_below(
    lower: Lower,
    champion: Head,
    start: Head,
    trained: Head,
    guards: Sequence[Sequence[FeatureLine]],
    margin: float,
) -> tuple[Head, float]:
    """Take over as much of what was learned as rendered lines bear, layers and columns alike.

    Args:
        lower: The layers.
        champion: The head in use.
        start: What training started from: the champion, with columns for new characters.
        trained: What came out.
        guards: Rendered lines that were not trained on, kind by kind.
        margin: Rise of the CER that is allowed on each kind, as a share.

    Returns:
        The head, and the share of the way; at 0 it is ``start``.
    """
    before = [pooled(measure(champion, lower.seen(guard, champion))).cer for guard in guards]
    lower.become(start.below)
    numbers = lower.module.tensors()
    for share in _SHARES:
        below = {
            name: (numbers[name] + share * (values - numbers[name])).astype(np.float32)
            for name, values in trained.below.items()
        }
        head = _between(champion, start, replace(trained, below=below), share)
        after = [pooled(measure(head, lower.seen(guard, head))).cer for guard in guards]
        if all(new <= old + margin for old, new in zip(before, after, strict=True)):
            return head, share
    return start, 0.0


def _between(champion: Head, start: Head, trained: Head, share: float) -> Head:
    column = np.array([share, *(share if champion.knows(c) else 1.0 for c in start.characters)], np.float32)
    return replace(
        trained,
        weights=start.weights + column * (trained.weights - start.weights),
        bias=start.bias + column * (trained.bias - start.bias),
    )


class _Reader(torch.nn.Module):
    """The head: what looks at neighbours, as it is, and the matrix, which learns."""

    def __init__(self, head: Head, plan: HeadPlan, device: torch.device) -> None:
        super().__init__()
        self._temperature = head.temperature
        self._start = [torch.tensor(part, device=device) for part in (head.weights, head.bias)]
        self.moved = torch.nn.ParameterList(torch.zeros_like(part) for part in self._start)
        pace = torch.ones(len(head.bias))
        pace[head.encode(plan.quick)] = plan.quickness
        if plan.frozen:
            pace[[0, *head.encode(plan.frozen)]] = 0.0
        self._pace = pace.to(device)
        layer = head.context
        parts = () if layer is None else (layer.narrow, layer.kernel, layer.inner_bias, layer.outer, layer.outer_bias)
        self._context = [torch.tensor(part, device=device) for part in parts]

    def _present(self) -> list[torch.Tensor]:
        return [part + moved * self._pace for part, moved in zip(self._start, self.moved, strict=True)]

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits for features of shape (columns, lines, features)."""
        weights, bias = self._present()
        seen = look_around(features, self._context) if self._context else features
        logits: torch.Tensor = (seen @ weights + bias) / self._temperature
        return logits

    def head(self, start: Head) -> Head:
        weights, bias = (part.detach().cpu().numpy().copy() for part in self._present())
        return replace(start, weights=weights, bias=bias)


def _batches(
    lines: Sequence[FeatureLine], replay: Sequence[FeatureLine], share: float, rng: np.random.Generator
) -> Iterator[list[FeatureLine]]:
    """Yield batches of one width without end, each pass in new order."""
    while True:
        count = min(len(replay), round(share * len(lines)))
        taken = [*lines, *(replay[int(number)] for number in rng.choice(len(replay), count, replace=False))]
        for numbers in of_one_width(taken, _BATCH, rng):
            yield [taken[number] for number in numbers]


def _loss(logits: torch.Tensor, batch: Sequence[FeatureLine], head: Head) -> torch.Tensor:
    targets = [head.encode(line.text) for line in batch]
    sizes = torch.tensor([len(target) for target in targets])
    flat = torch.tensor([number for target in targets for number in target])
    lengths = torch.full((len(batch),), logits.shape[0])
    # On the processor: torch's own CTC on graphics cards is not the same from run to run.
    loss = torch.nn.functional.ctc_loss(
        logits.log_softmax(-1).cpu(), flat, lengths, sizes, reduction="sum", zero_infinity=True
    )
    return loss / sizes.sum()
