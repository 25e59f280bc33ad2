import numpy as np
import pytest
import torch

from model.document.bio import tags_of
from model.document.types import Box, Line, Page, Word
from model.extraction.extractor import Extractor
from model.extraction.initialise import build_tokenizer, learn_pieces, trim_vocabulary
from model.extraction.training import IGNORED, Example, PageDataset, Plan, collate, train
from tests.model.extraction.checkpoints import save_checkpoint, tiny_model


def example(number):
    """One line: a name of letters and an address with an at sign; which comes first depends on the number."""
    letters = "abcdefgh"
    name, mail = letters[number % 8] * 3, f"{letters[number % 7]}@x.y"
    pairs = [(name, "B-NAME"), (mail, "B-EMAIL"), ("tel", "O")]
    pairs = pairs[number % 3 :] + pairs[: number % 3]
    words = tuple(Word(text, Box(10 + 50 * i, 10, 50 + 50 * i, 20), 1.0) for i, (text, _) in enumerate(pairs))
    line = Line(" ".join(word.text for word in words), Box(10, 10, 150, 20).polygon(), 1.0, words)
    return Example(Page(200, 40, (line,)), tuple(tag for _, tag in pairs))


def test_training_teaches_what_the_examples_show(tmp_path):
    model, tokenizer = tiny_model(spread=0.05)
    dataset = PageDataset(example, 400, model, tokenizer)
    train(model, dataset, Plan(passes=6, learning_rate=5e-3, batch_size=16), folder=tmp_path)
    extractor = Extractor.load(save_checkpoint(tmp_path / "trained", model, tokenizer))
    for number in range(400, 424):
        unseen = example(number)
        found = [(entity.field, entity.start) for entity in extractor.extract(unseen.page).entities]
        assert found == [(tag[2:], i) for i, tag in enumerate(unseen.tags) if tag != "O"]


def test_only_the_first_token_of_a_word_carries_a_label():
    model, tokenizer = tiny_model()
    item = PageDataset(example, 1, model, tokenizer)[0]
    labelled = item["labels"] != IGNORED
    assert labelled.sum() == 3
    assert [model.config.id2label[i] for i in item["labels"][labelled]] == list(example(0).tags)


def test_padding_gets_neither_loss_nor_attention():
    short = {"input_ids": np.array([2, 3]), "bbox": np.zeros((2, 4), int), "labels": np.array([IGNORED, 1])}
    longer = {"input_ids": np.array([2, 9, 3]), "bbox": np.ones((3, 4), int), "labels": np.array([IGNORED, 1, IGNORED])}
    batch = collate([short, longer])
    assert batch["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1]]
    assert batch["labels"][0].tolist() == [IGNORED, 1, IGNORED]
    assert batch["bbox"].shape == (2, 3, 4)


def test_a_page_without_words_is_no_example():
    model, tokenizer = tiny_model()
    with pytest.raises(ValueError, match="no words"):
        PageDataset(lambda _: Example(Page(10, 10, ()), ()), 1, model, tokenizer)[0]


def test_the_trimmed_vocabulary_keeps_signs_and_pieces_and_the_commonest_words():
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    old = ["[PAD]", "[unused1]", *special[1:], "!", "7", "a", "я", "漢", "the", "of", "rare", "##ing"]
    assert trim_vocabulary(old, 2) == [*special, "!", "7", "a", "я", "the", "of", "##ing"]


def test_cyrillic_pieces_are_learned_from_texts_and_spell_their_words_briefly():
    pieces = learn_pieces(["Директор по продажам", "Генеральный директор"] * 20, 200)
    assert "директор" in pieces
    tokenizer = build_tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces])
    assert tokenizer.encode("ДИРЕКТОР").tokens == ["директор"]


def test_the_loss_ignores_what_carries_no_label():
    model, _ = tiny_model()
    labels = torch.full((1, 4), IGNORED)
    labels[0, 1] = len(tags_of(("NAME",))) - 1
    inputs = {"input_ids": torch.tensor([[2, 10, 11, 3]]), "bbox": torch.zeros(1, 4, 4, dtype=torch.long)}
    loss = model.eval()(**inputs, labels=labels).loss
    logits = model(**inputs).logits[0, 1]
    assert torch.isclose(loss, torch.nn.functional.cross_entropy(logits[None], labels[0, 1:2]))


def test_frozen_tokens_keep_their_embeddings_and_the_others_learn(tmp_path):
    model, tokenizer = tiny_model()
    words = model.get_input_embeddings().weight
    before = words.detach().clone()
    letters = [tokenizer.token_to_id(letter) for letter in "abcd"]
    dataset = PageDataset(example, 32, model, tokenizer)
    plan = Plan(learning_rate=5e-3, frozen_tokens=frozenset(letters))
    train(model, dataset, plan, folder=tmp_path)
    assert torch.equal(words[letters], before[letters])
    assert not torch.equal(words[tokenizer.token_to_id("e")], before[tokenizer.token_to_id("e")])


def test_layout_and_classifier_may_learn_faster_than_language(tmp_path):
    model, tokenizer = tiny_model()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    dataset = PageDataset(example, 32, model, tokenizer)
    train(model, dataset, Plan(learning_rate=0.0, fresh_learning_rate=5e-3), folder=tmp_path)
    changed = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert "classifier.weight" in changed
    assert "layoutlmv3.embeddings.x_position_embeddings.weight" in changed
    assert not any(".attention." in name or "word_embeddings" in name for name in changed)


def test_hidden_tokens_are_others_each_time_and_never_the_first_or_last():
    model, tokenizer = tiny_model()
    mask = tokenizer.token_to_id("[MASK]")
    plain = PageDataset(example, 1, model, tokenizer)[0]["input_ids"]
    dataset = PageDataset(example, 1, model, tokenizer, masked=0.5)
    seen = [dataset[0]["input_ids"] for _ in range(40)]
    assert all(ids[0] == plain[0] and ids[-1] == plain[-1] for ids in seen)
    assert len({tuple(ids) for ids in seen}) > 5
    assert 0.3 < np.mean([ids[1:-1] == mask for ids in seen]) < 0.7
    assert all(ids[i] in {mask, plain[i]} for ids in seen for i in range(len(plain)))
