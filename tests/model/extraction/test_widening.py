import pytest
import torch

from model.extraction.checkpoint import load_checkpoint
from model.extraction.extractor import Extractor
from model.extraction.widening import widen
from tests.model.extraction.checkpoints import save_checkpoint, tiny_model
from tests.model.extraction.test_training import example

FIVE = ("NAME", "EMAIL", "PHONE", "FAX", "COMPANY")


def logits(model):
    inputs = {"input_ids": torch.tensor([[2, 10, 11, 3]]), "bbox": torch.zeros(1, 4, 4, dtype=torch.long)}
    with torch.inference_mode():
        return model.eval()(**inputs).logits[0]


@pytest.mark.parametrize(
    ("fields", "added"),
    [(("NAME", "EMAIL"), ("Total",)), (FIVE, ("Total", "Date")), (("NAME", "EMAIL"), ("Total", "Date", "Table"))],
    ids=["one layer", "two layers", "one layer becomes two"],
)
def test_the_scores_of_the_old_tags_stay_as_they_are(fields, added):
    model, _ = tiny_model(fields)
    before = logits(model)
    widen(model, (*fields, *added))
    after = logits(model)
    assert after.shape[1] == before.shape[1] + 2 * len(added)
    assert torch.allclose(after[:, : before.shape[1]], before, atol=0.02)


def test_a_new_field_scores_like_the_mean_of_the_old_ones():
    model, _ = tiny_model(FIVE)
    before = logits(model)
    widen(model, (*FIVE, "Total"))
    mean = before[:, 1::2].mean(dim=1)
    assert (logits(model)[:, -2] - mean).abs().max() < before.std()


def test_new_fields_differ():
    model, _ = tiny_model(FIVE)
    widen(model, (*FIVE, "Total", "Date"))
    scores = logits(model)
    assert not torch.allclose(scores[:, -4], scores[:, -2])


def test_a_field_that_is_known_is_not_added_again():
    model, _ = tiny_model(FIVE)
    before = model.classifier
    widen(model, ("EMAIL", "NAME"))
    assert model.classifier is before
    assert model.config.num_labels == 11


@pytest.mark.parametrize("added", [("Total",), ("Total", "Date", "Table")])
def test_a_widened_model_can_be_saved_and_loaded(tmp_path, added):
    model, tokenizer = tiny_model()
    widen(model, added)
    folder = save_checkpoint(tmp_path / "wide", model, tokenizer)
    assert torch.allclose(logits(load_checkpoint(folder)[0]), logits(model))
    extractor = Extractor.load(folder)
    assert extractor.fields == ("NAME", "EMAIL", *added)
    extractor.extract(example(1).page)
