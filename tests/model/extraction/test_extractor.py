import json
import threading

import numpy as np
import pytest
import torch

from model.document.types import Box, Line, Page, Word
from model.errors import WeightsError
from model.extraction.checkpoint import load_checkpoint
from model.extraction.extraction import entity_text
from model.extraction.extractor import Extractor
from model.extraction.packing import load_weights, save_packed
from tests.model.extraction.checkpoints import save_checkpoint, tiny_model


def page_of(*lines):
    built = []
    for row, texts in enumerate(lines):
        words = tuple(
            Word(t, Box(10 + 40 * i, 10 + 20 * row, 45 + 40 * i, 25 + 20 * row), 0.9) for i, t in enumerate(texts)
        )
        built.append(Line(" ".join(texts), Box.around(w.box for w in words).polygon(), 0.9, words))
    return Page(400, 200, tuple(built))


PAGE = page_of(["ann", "lee"], ["mail:", "ann@example.com"], ["sales"])


def test_entities_are_runs_of_words_inside_one_line_with_their_hull(checkpoint):
    extraction = Extractor.load(checkpoint).extract(PAGE)
    lines = PAGE.line_spans()
    assert extraction.entities
    for entity in extraction.entities:
        assert any(start <= entity.start < entity.stop <= stop for start, stop in lines)
        assert entity.box == Box.around(word.box for word in PAGE.words[entity.start : entity.stop])
        assert 0 <= entity.score <= 1
    assert np.allclose(extraction.probabilities.sum(axis=1), 1)
    assert 0 < extraction.score <= 1


def test_a_page_without_words_scores_zero_because_a_person_should_look(checkpoint):
    extraction = Extractor.load(checkpoint).extract(Page(100, 100, ()))
    assert extraction.entities == ()
    assert extraction.score == 0
    assert not extraction.embedding.any()


def test_the_embedding_tells_pages_apart_and_is_the_same_for_the_same_page(checkpoint):
    extractor = Extractor.load(checkpoint)
    first, again = extractor.extract(PAGE).embedding, extractor.extract(PAGE).embedding
    other = extractor.extract(page_of(["12:30", "+49", "(0)", "777"])).embedding
    assert first.shape == other.shape == (24,)
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_a_word_has_the_same_probabilities_as_from_the_whole_model(checkpoint):
    extractor = Extractor.load(checkpoint)
    (window,) = extractor._encoder.encode(PAGE)
    inputs = {"input_ids": window.input_ids, "bbox": window.boxes, "token_type_ids": window.token_types}
    model = load_checkpoint(checkpoint)[0].eval()
    whole = model(**{name: torch.from_numpy(value)[None] for name, value in inputs.items()}).logits[0]
    rows = whole.detach().softmax(-1).numpy()[window.words >= 0]
    assert np.allclose(extractor.extract(PAGE).probabilities, rows, atol=1e-5)


def test_a_page_longer_than_the_model_is_read_in_windows(checkpoint):
    page = page_of(*[["ann", "lee", "ann@example.com"]] * 30)
    extraction = Extractor.load(checkpoint).extract(page)
    assert extraction.probabilities.shape == (90, 5)
    assert np.allclose(extraction.probabilities.sum(axis=1), 1)


def test_threads_get_the_answers_that_one_gets(checkpoint):
    extractor = Extractor.load(checkpoint)
    alone = extractor.extract(PAGE)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(extractor.extract(PAGE))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 8
    assert all(answer.entities == alone.entities and answer.score == alone.score for answer in answers)


def test_a_checkpoint_that_looks_at_images_uses_them_and_asks_for_them(tmp_path):
    extractor = Extractor.load(save_checkpoint(tmp_path / "seeing", *tiny_model(image_size=32)))
    assert extractor.looks_at_images
    dark, light = (np.full((200, 400, 3), value, dtype=np.uint8) for value in (0, 255))
    assert not np.allclose(extractor.extract(PAGE, dark).probabilities, extractor.extract(PAGE, light).probabilities)
    with pytest.raises(WeightsError, match="image"):
        extractor.extract(PAGE)


def test_the_version_changes_with_the_weights(tmp_path):
    model, tokenizer = tiny_model()
    first = Extractor.load(save_checkpoint(tmp_path / "one", model, tokenizer)).version
    assert Extractor.load(tmp_path / "one").version == first
    with torch.no_grad():
        model.classifier.bias += 1
    assert Extractor.load(save_checkpoint(tmp_path / "one", model, tokenizer)).version != first


def test_packed_weights_are_a_quarter_of_the_size_and_answer_nearly_the_same(tmp_path):
    model, tokenizer = tiny_model(spread=0.1)
    plain = save_checkpoint(tmp_path / "plain", model, tokenizer)
    packed = save_checkpoint(tmp_path / "packed", model, tokenizer)
    save_packed(model.state_dict(), packed / "model.safetensors")
    assert (packed / "model.safetensors").stat().st_size < 0.5 * (plain / "model.safetensors").stat().st_size
    a, b = (Extractor.load(folder).extract(PAGE).probabilities for folder in (plain, packed))
    assert np.abs(a - b).max() < 0.02


def test_packing_keeps_every_tensor_within_half_a_step(tmp_path):
    tensors = {"matrix": torch.randn(5, 7, 3), "vector": torch.randn(9), "zero": torch.zeros(2, 2)}
    save_packed(tensors, tmp_path / "w.safetensors")
    loaded = load_weights(tmp_path / "w.safetensors")
    assert set(loaded) == set(tensors)
    step = tensors["matrix"].flatten(1).abs().amax(1) / 127
    assert ((loaded["matrix"] - tensors["matrix"]).flatten(1).abs().amax(1) <= 0.51 * step + 1e-3).all()
    assert torch.equal(loaded["zero"], tensors["zero"])


def test_a_folder_without_weights_says_what_is_missing(tmp_path):
    with pytest.raises(WeightsError, match=r"config\.json, tokenizer\.json, model\.safetensors"):
        Extractor.load(tmp_path)


def test_damaged_weights_are_refused(checkpoint):
    (checkpoint / "model.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(WeightsError, match="cannot read"):
        Extractor.load(checkpoint)


def test_weights_of_another_shape_are_refused(checkpoint):
    config = json.loads((checkpoint / "config.json").read_text())
    config["intermediate_size"] *= 2
    (checkpoint / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="do not fit"):
        Extractor.load(checkpoint)


@pytest.mark.parametrize(
    ("field", "words", "text"),
    [("EMAIL", ["ann@example", ".com"], "ann@example.com"), ("NAME", ["Ann", "Lee"], "Ann Lee")],
)
def test_addresses_of_the_net_are_joined_without_spaces(field, words, text):
    assert entity_text(field, words) == text
