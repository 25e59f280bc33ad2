"""The upper layers compute what transformers' whole model computes."""

import torch

from model.extraction.training import IGNORED, PageDataset, collate
from model.extraction.upper_layers import UpperLayers
from tests.model.extraction.checkpoints import tiny_model
from tests.model.extraction.test_training import example


def windows(model, tokenizer, count=9):
    dataset = PageDataset(example, count, model, tokenizer)
    return [window for index in range(count) for window in dataset.windows(index)]


def test_logits_are_those_of_the_whole_model_whatever_length_stands_beside():
    model, tokenizer = tiny_model()
    items = windows(model, tokenizer)
    layers = UpperLayers(model, 1)
    prepared = layers.prepare(items)
    for some in (range(1), range(len(items))):
        batch = collate([items[index] for index in some])
        targets = batch.pop("labels")
        with torch.no_grad():
            logits, found = layers.logits([prepared[index] for index in some])
            whole = model.eval()(**batch).logits
        assert torch.equal(found, targets)
        here = targets != IGNORED
        assert torch.allclose(logits[here], whole[here], atol=1e-5)


def test_lower_layers_and_embeddings_stay_and_at_most_half_of_the_layers_do():
    model, _ = tiny_model()
    names = UpperLayers(model, 5).trained()
    assert any(".layer.1." in name for name in names)
    assert not any(".layer.0." in name or "embeddings" in name for name in names)


def test_the_model_learns_through_them():
    model, tokenizer = tiny_model()
    layers = UpperLayers(model, 1)
    prepared = layers.prepare(windows(model, tokenizer))
    optimiser = torch.optim.Adam(layers.trained().values(), lr=1e-2)
    losses = []
    for _ in range(30):
        logits, targets = layers.logits(prepared)
        here = targets != IGNORED
        loss = torch.nn.functional.cross_entropy(logits[here], targets[here])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0]
