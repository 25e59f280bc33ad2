"""A LayoutLMv3 small enough to build in a test, with random weights."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import LayoutLMv3Config, LayoutLMv3ForTokenClassification

from model.document.bio import tags_of
from model.extraction.initialise import build_tokenizer
from model.extraction.inputs import SHAPES

LETTERS = "abcdefghijklmnopqrstuvwxyzабвгдежзиклмнопрстуфхцчшщъыьэюя0123456789@.:+-,()/"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS)]


def tiny_model(fields=("NAME", "EMAIL"), *, image_size=0, positions=64, spread=0.5):
    torch.manual_seed(7)
    tags = tags_of(fields)
    config = LayoutLMv3Config(
        vocab_size=len(VOCABULARY),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=positions + 1,
        type_vocab_size=SHAPES,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
        coordinate_size=4,
        shape_size=4,
        visual_embed=image_size > 0,
        input_size=image_size or 224,
        id2label=dict(enumerate(tags)),
        label2id={tag: index for index, tag in enumerate(tags)},
        initializer_range=spread,
    )
    config.word_shapes = True
    return LayoutLMv3ForTokenClassification(config), build_tokenizer(VOCABULARY)


def save_checkpoint(folder: Path, model, tokenizer):
    folder.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file({name: t.contiguous().clone() for name, t in model.state_dict().items()}, folder / "model.safetensors")
    return folder
