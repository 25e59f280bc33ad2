"""What fine-tuning makes small: how unlikely the model finds the tags that may stand at a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import LayoutLMv3ForTokenClassification

from model.document.bio import field_of
from model.extraction.training import IGNORED, Example


@dataclass(frozen=True, slots=True)
class Objective:
    """The loss: how unlikely the model finds the tags that may stand at a word, rare ones weighed more.

    Targets below the number of tags stand for one tag. Those above, for annotated pages, stand for all tags that a
    person without a label for some fields would have annotated in the same way.

    Attributes:
        allowed: Shape ``(targets, tags)``: which tags are right for which target.
        weights: Shape ``(targets,)``.
    """

    allowed: torch.Tensor
    weights: torch.Tensor

    @staticmethod
    def of(
        model: LayoutLMv3ForTokenClassification,
        fields: Sequence[str],
        rename: Mapping[str, str],
        train: Sequence[Example],
        heaviest: float,
    ) -> Objective:
        """Return the objective for a model that knows ``fields`` and more.

        Args:
            model: Gives the tags.
            fields: The project's.
            rename: As :func:`model.extraction.finetune.fine_tune` takes it.
            train: The annotated pages, which tell how rare each tag is.
            heaviest: Most that a tag's rarity may count.
        """
        tags = [model.config.id2label[index] for index in range(model.config.num_labels)]
        ids = {tag: index for index, tag in enumerate(tags)}
        exact = torch.eye(len(tags), dtype=torch.bool)
        grouped = exact.clone()
        for tag, index in ids.items():
            name = field_of(tag)
            if name is not None and name not in fields:
                renamed = rename.get(name)
                stands_for = ids["O"] if renamed not in fields else ids[f"{tag[:2]}{renamed}"]
                grouped[stands_for, index] = True
        counts = Counter(tag for example in train for tag in example.tags if tag != "O")
        usual = float(np.mean(list(counts.values()))) if counts else 1.0
        weights = torch.ones(2 * len(tags))
        for tag, count in counts.items():
            weights[len(tags) + ids[tag]] = min(max(1.0, (usual / count) ** 0.5), heaviest)
        return Objective(torch.cat([exact, grouped]), weights)

    def __call__(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the weighted mean loss over the words of a batch.

        Args:
            logits: Shape ``(pages, tokens, tags)``.
            targets: Shape ``(pages, tokens)``; ``IGNORED`` where no word begins.
        """
        here = targets != IGNORED
        wanted, scores = targets[here], logits[here].float().log_softmax(dim=-1)
        allowed, weights = self.allowed.to(wanted.device)[wanted], self.weights.to(wanted.device)[wanted]
        losses = -scores.masked_fill(~allowed, -torch.inf).logsumexp(dim=-1)
        return (losses * weights).sum() / weights.sum().clamp_min(1.0)


def grouped(labels: NDArray[Any], tags: int) -> NDArray[np.int64]:
    """Return labels as targets that stand for groups of tags (:class:`Objective`)."""
    return np.where(labels == IGNORED, IGNORED, labels + tags).astype(np.int64)


def batch_loss(model: Any, batch: Mapping[str, torch.Tensor], objective: Objective) -> torch.Tensor:
    """Return the loss of one batch, wherever the model is."""
    device = next(model.parameters()).device
    inputs = {name: values.to(device) for name, values in batch.items()}
    targets = inputs.pop("labels")
    return objective(model(**inputs).logits, targets)
