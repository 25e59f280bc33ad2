"""The upper layers of a checkpoint, trained on hidden states that the lower ones computed once for each page.

Layers that stay as they are need neither be computed again at each step nor remember anything for the way back.
Attention is torch's own, which neither keeps nor drops out attention weights; its numbers are those of transformers'
(CogView's rearranged softmax is the same function).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import LayoutLMv3ForTokenClassification

from model.extraction.training import IGNORED, collate

#: Pages whose hidden states are computed at a time.
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class PreparedWindow:
    """One window of a page, half-way through the model.

    Attributes:
        states: Shape ``(tokens, hidden)``: what the lowest trained layer is given.
        boxes: Shape ``(tokens, 4)``: grid boxes.
        targets: Shape ``(tokens,)``: targets of :class:`model.extraction.objective.Objective`, :data:`IGNORED` where no
            word begins.
    """

    states: torch.Tensor
    boxes: torch.Tensor
    targets: torch.Tensor


class UpperLayers:
    """Trains all but the lowest layers of a token classifier; the lowest and the embeddings stay as they are.

    Args:
        model: On the device to compute on. What is frozen needs no gradient afterwards.
        frozen: Number of lowest layers that stay, at most half of them.
    """

    def __init__(self, model: LayoutLMv3ForTokenClassification, frozen: int) -> None:
        self.model = model
        self._encoder: Any = model.layoutlmv3.encoder
        frozen = min(frozen, len(self._encoder.layer) // 2)
        self._lower, self._upper = self._encoder.layer[:frozen], self._encoder.layer[frozen:]
        for module in (model.layoutlmv3.embeddings, *self._lower):
            module.requires_grad_(False)
        self._device = next(model.parameters()).device

    def trained(self) -> dict[str, nn.Parameter]:
        """Return the parameters that are trained, by name."""
        return {name: each for name, each in self.model.named_parameters() if each.requires_grad}

    def prepare(self, windows: Sequence[Mapping[str, Any]]) -> list[PreparedWindow]:
        """Compute what the trained layers are given; the model is in evaluation mode afterwards.

        Args:
            windows: Items of :class:`model.extraction.training.PageDataset`.
        """
        self.model.eval()
        # Windows of about one length go together: padding is computed for nothing.
        order = sorted(range(len(windows)), key=lambda index: len(windows[index]["input_ids"]))
        made: dict[int, PreparedWindow] = {}
        for start in range(0, len(order), _AT_ONCE):
            some = order[start : start + _AT_ONCE]
            batch = {name: each.to(self._device) for name, each in collate([windows[i] for i in some]).items()}
            with torch.no_grad():
                states = self.model.layoutlmv3.embeddings(
                    input_ids=batch["input_ids"], bbox=batch["bbox"], token_type_ids=batch["token_type_ids"]
                )
                states = self._run(self._lower, states, self._bias(batch["bbox"], batch["attention_mask"]))
            for row, index in enumerate(some):
                tokens = len(windows[index]["input_ids"])
                parts = (each[row, :tokens].cpu() for each in (states, batch["bbox"], batch["labels"]))
                made[index] = PreparedWindow(*(part.clone() for part in parts))
        return [made[index] for index in range(len(windows))]

    def logits(self, windows: Sequence[PreparedWindow]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits of some windows and their targets.

        Returns:
            Shapes ``(windows, tokens, tags)`` and ``(windows, tokens)``.
        """
        longest = max(len(each.targets) for each in windows)
        pads = [longest - len(each.targets) for each in windows]
        states = _stack(functional.pad(each.states, (0, 0, 0, pad)) for each, pad in zip(windows, pads, strict=True))
        boxes = _stack(functional.pad(each.boxes, (0, 0, 0, pad)) for each, pad in zip(windows, pads, strict=True))
        targets = _stack(
            functional.pad(each.targets, (0, pad), value=IGNORED) for each, pad in zip(windows, pads, strict=True)
        )
        mask = _stack(torch.arange(longest) < longest - pad for pad in pads)
        states, boxes, targets, mask = (each.to(self._device) for each in (states, boxes, targets, mask))
        hidden = self._run(self._upper, states, self._bias(boxes, mask))
        return self.model.classifier(hidden), targets

    def _bias(self, boxes: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return what is added to the attention's scores, shape ``(pages, heads, tokens, tokens)``."""
        encoder = self._encoder
        positions = torch.arange(boxes.shape[1], device=boxes.device)[None]
        heads = encoder.config.num_attention_heads
        bias = torch.zeros((len(boxes), heads, boxes.shape[1], boxes.shape[1]), device=boxes.device)
        with torch.no_grad():
            if encoder.has_relative_attention_bias:
                bias = bias + encoder._cal_1d_pos_emb(positions)
            if encoder.has_spatial_attention_bias:
                bias = bias + encoder._cal_2d_pos_emb(boxes)
        bias = bias / math.sqrt(encoder.config.hidden_size // heads)
        return bias.masked_fill(mask[:, None, None, :] == 0, torch.finfo(bias.dtype).min)

    @staticmethod
    def _run(layers: Iterable[Any], states: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        for layer in layers:
            attention = layer.attention.self
            query, key, value = (
                project(states).unflatten(-1, (attention.num_attention_heads, -1)).transpose(1, 2)
                for project in (attention.query, attention.key, attention.value)
            )
            seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
            attended = layer.attention.output(seen.transpose(1, 2).flatten(2), states)
            states = layer.output(layer.intermediate(attended), attended)
        return states


def _stack(tensors: Iterable[torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(tensors))
