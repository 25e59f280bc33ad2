"""Give new output rows a start: fitted to what the model makes of pages already, before anything else learns.

Rows that know nothing cost many steps, in which they pull the layers below out of shape (Kumar et al., «Fine-Tuning can
Distort Pretrained Features and Underperform Out-of-Distribution», ICLR 2022: probe first, then fine-tune).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

import torch
from torch import nn
from transformers import LayoutLMv3ForTokenClassification

from model.extraction.objective import Objective
from model.extraction.training import IGNORED

_ITERATIONS = 60
#: Pull of the rows towards where they start, in nats a word for a squared distance of 1: pages are few, and a row is
#: long. With less, rows are so sure of what they know of these pages that the layers below are pulled out of shape
#: after all; ``benchmarks/RESULTS.md`` has the numbers.
_RIDGE = 1e-3


def fit_new_rows(
    model: LayoutLMv3ForTokenClassification,
    batches: Sequence[Mapping[str, torch.Tensor]],
    objective: Objective,
    known: int,
    *,
    seconds: float = math.inf,
) -> None:
    """Fit the output rows after the first ``known`` ones to annotated pages, in place; all else stays as it is.

    Args:
        model: The classifier, widened.
        batches: Annotated pages; their labels are targets of ``objective``.
        objective: What is made small.
        known: Number of tags that the classifier knew before.
        seconds: Time for looking at pages; those that do not fit are left out, but for the first batch.
    """
    rows = model.classifier if isinstance(model.classifier, nn.Linear) else model.classifier.out_proj
    if known >= rows.out_features or not batches:
        return
    model.eval()
    states, targets = _states(model, rows, batches, seconds)
    if not len(states):
        return
    weight, bias = rows.weight.detach(), rows.bias.detach()
    old = states @ weight[:known].T + bias[:known]
    start = torch.cat([weight[known:], bias[known:, None]], dim=1)
    new = start.clone().requires_grad_()
    ones = torch.cat([states, torch.ones(len(states), 1)], dim=1)
    optimiser = torch.optim.LBFGS([new], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = objective(torch.cat([old, ones @ new.T], dim=1), targets) + _RIDGE * (new - start).square().sum()
        torch.autograd.backward(value)
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        rows.weight[known:] = new[:, :-1]
        rows.bias[known:] = new[:, -1]


def _states(
    model: LayoutLMv3ForTokenClassification,
    rows: nn.Linear,
    batches: Sequence[Mapping[str, torch.Tensor]],
    seconds: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the output rows are given at each word, and the words' targets."""
    states: list[torch.Tensor] = []
    targets: list[torch.Tensor] = []
    given: list[torch.Tensor] = []
    hook = rows.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0].detach()))
    until = time.monotonic() + seconds
    try:
        with torch.no_grad():
            for batch in batches:
                inputs = dict(batch)
                labels = inputs.pop("labels")
                model(**inputs)
                here = labels != IGNORED
                states.append(given.pop()[:, : labels.shape[1]][here])
                targets.append(labels[here])
                if time.monotonic() > until:
                    break
    finally:
        hook.remove()
    return torch.cat(states), torch.cat(targets)
