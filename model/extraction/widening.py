"""Give a token classifier new fields without losing what it knows of the old ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from transformers import LayoutLMv3ForTokenClassification
from transformers.models.layoutlmv3.modeling_layoutlmv3 import LayoutLMv3ClassificationHead

from model.document.bio import OUTSIDE, field_of, tags_of

#: How far a new field's rows stray from the mean of the old ones, in standard deviations of these: two new fields have
#: to differ in something.
_NOISE = 0.1
#: From so many tags on, LayoutLMv3's output has two layers instead of one.
_TAGS_OF_TWO_LAYERS = 10
#: So small, values pass the tanh between the two layers as they are.
_LINEAR = 0.02


def widen(model: LayoutLMv3ForTokenClassification, fields: Sequence[str], *, seed: int = 0) -> None:
    """Add the fields that ``model`` lacks, in place; the scores of its old tags stay as they are.

    A new field's ``B-`` and ``I-`` rows start as the mean of the old ones: as likely as any field, and no more.

    Args:
        model: The classifier.
        fields: The fields that it must know.
        seed: Of the noise.
    """
    old = [model.config.id2label[index] for index in range(model.config.num_labels)]
    known = {field_of(tag) for tag in old}
    added = [tag for tag in tags_of([field for field in fields if field not in known]) if tag != OUTSIDE]
    if not added:
        return
    tags = old + added
    before = model.classifier
    model.config.id2label = dict(enumerate(tags))
    model.config.label2id = {tag: index for index, tag in enumerate(tags)}
    model.num_labels = len(tags)
    plain = isinstance(before, nn.Linear)
    rows = _widened(before if plain else before.out_proj, old, added, torch.Generator().manual_seed(seed))
    if not plain:
        before.out_proj = rows
    elif len(tags) < _TAGS_OF_TWO_LAYERS:
        model.classifier = rows
    else:
        model.classifier = _two_layers(model, rows)


def _widened(rows: nn.Linear, old: Sequence[str], added: Sequence[str], chance: torch.Generator) -> nn.Linear:
    wide = nn.Linear(rows.in_features, len(old) + len(added))
    parts = {}
    for name, values in (("weight", rows.weight.detach()), ("bias", rows.bias.detach()[:, None])):
        new = []
        for tag in added:
            alike = values[[index for index, other in enumerate(old) if other[:2] == tag[:2]]]
            mean = (alike if len(alike) else values).mean(dim=0)
            new.append(mean + _NOISE * values.std() * torch.randn(mean.shape, generator=chance))
        parts[name] = torch.cat([values, torch.stack(new)])
    with torch.no_grad():
        wide.weight.copy_(parts["weight"])
        wide.bias.copy_(parts["bias"][:, 0])
    return wide


def _two_layers(model: LayoutLMv3ForTokenClassification, rows: nn.Linear) -> LayoutLMv3ClassificationHead:
    head = LayoutLMv3ClassificationHead(model.config, pool_feature=False)
    with torch.no_grad():
        head.dense.weight.copy_(_LINEAR * torch.eye(model.config.hidden_size))
        head.dense.bias.zero_()
        head.out_proj.weight.copy_(rows.weight / _LINEAR)
        head.out_proj.bias.copy_(rows.bias)
    return head
