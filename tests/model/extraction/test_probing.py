import pytest
import torch

from model.extraction.checkpoint import load_checkpoint
from model.extraction.finetune import _batches, _windows
from model.extraction.objective import Objective
from model.extraction.probing import fit_new_rows
from model.extraction.training import collate
from model.extraction.widening import widen
from tests.model.extraction.checkpoints import save_checkpoint, tiny_model
from tests.model.extraction.test_finetune import invoice

PAGES = [invoice(number) for number in range(40)]


@pytest.fixture(params=[("NAME",), ("NAME", "EMAIL", "PHONE", "FAX", "WEBSITE")], ids=["one layer", "two layers"])
def widened(request, tmp_path):
    """A classifier that was just given a field, its batches, its objective, and how many tags it knew."""
    model, tokenizer = load_checkpoint(save_checkpoint(tmp_path / "tiny", *tiny_model(request.param, spread=0.05)))
    known = model.config.num_labels
    widen(model, ["Total"])
    objective = Objective.of(model, ["Total"], {}, PAGES, 3.0)
    batches = [collate(batch) for batch in _batches(_windows(PAGES, model, tokenizer), 8)]
    return model.eval(), batches, objective, known


def losses(model, batches, objective):
    with torch.no_grad():
        rows = [model(**{name: value for name, value in batch.items() if name != "labels"}).logits for batch in batches]
    return rows, sum(
        float(objective(logits, batch["labels"])) for logits, batch in zip(rows, batches, strict=True)
    ) / len(rows)


def test_a_new_field_is_known_a_little_before_anything_else_learns(widened):
    model, batches, objective, known = widened
    before, first = losses(model, batches, objective)
    fit_new_rows(model, batches, objective, known)
    after, second = losses(model, batches, objective)
    assert second < 0.7 * first
    for old, new in zip(before, after, strict=True):
        torch.testing.assert_close(new[..., :known], old[..., :known])


def test_without_a_new_field_nothing_changes(widened):
    model, batches, objective, _ = widened
    before, _ = losses(model, batches, objective)
    fit_new_rows(model, batches, objective, model.config.num_labels)
    after, _ = losses(model, batches, objective)
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_the_first_pages_are_looked_at_however_short_the_time(widened):
    model, batches, objective, known = widened
    _, first = losses(model, batches, objective)
    fit_new_rows(model, batches, objective, known, seconds=0.0)
    assert losses(model, batches, objective)[1] < first
