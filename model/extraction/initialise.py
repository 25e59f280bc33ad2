"""A LayoutLMv3 that already knows language: its text layers start from a small BERT, its layout is learned here.

BERT's parameter names fit LayoutLMv3's, so most tensors are copied; what BERT lacks (2-D positions, attention biases,
the classifier) starts small. The vocabulary is cut to Latin script and extended for Cyrillic.
The text layers of all-MiniLM-L6-v2 are those of Wang et al., "MiniLM: Deep Self-Attention Distillation" (NeurIPS 2020).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import LayoutLMv3Config, LayoutLMv3ForTokenClassification

from model.document.bio import tags_of
from model.extraction.inputs import SHAPES

_UNKNOWN = "[UNK]"
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_GOING_ON = "##"


def _normaliser() -> normalizers.BertNormalizer:
    return normalizers.BertNormalizer(lowercase=True, strip_accents=True, handle_chinese_chars=False)


def trim_vocabulary(tokens: Sequence[str], words: int) -> list[str]:
    """Return the tokens of a BERT vocabulary worth keeping for Latin script, in their old order.

    Kept are signs, digits, every piece that goes on a word, and the ``words`` first whole words: BERT lists them
    by how often they occur.
    """
    kept, count = list(_SPECIAL), 0
    for token in tokens:
        bare = token.removeprefix(_GOING_ON)
        if not bare or (token.startswith("[") and len(token) > 1):
            continue
        if any(c.isalpha() and not unicodedata.name(c, "").startswith(("LATIN", "CYRILLIC")) for c in bare):
            continue
        if len(bare) > 1 and not token.startswith(_GOING_ON):
            count += 1
            if count > words:
                continue
        kept.append(token)
    return kept


def learn_pieces(texts: Iterable[str], size: int) -> list[str]:
    """Return up to ``size`` WordPiece tokens that spell the Cyrillic words of ``texts``."""
    tokenizer = Tokenizer(models.WordPiece(unk_token=_UNKNOWN))
    tokenizer.normalizer = _normaliser()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, min_frequency=3, continuing_subword_prefix=_GOING_ON, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    vocabulary = tokenizer.get_vocab()
    return [
        token
        for token in sorted(vocabulary, key=lambda t: vocabulary[t])
        if all(unicodedata.name(c, "").startswith("CYRILLIC") for c in token.removeprefix(_GOING_ON))
    ]


def build_tokenizer(vocabulary: Sequence[str]) -> Tokenizer:
    """Return an uncased WordPiece tokenizer over ``vocabulary``."""
    tokenizer = Tokenizer(
        models.WordPiece({token: index for index, token in enumerate(vocabulary)}, unk_token=_UNKNOWN)
    )
    tokenizer.normalizer = _normaliser()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix=_GOING_ON)
    return tokenizer


def initialise(
    source: Path,
    cyrillic: Iterable[str],
    fields: Sequence[str],
    *,
    words: int = 15_000,
    pieces: int = 4_000,
    image_size: int = 0,
    seed: int = 0,
) -> tuple[LayoutLMv3ForTokenClassification, Tokenizer]:
    """Build a LayoutLMv3 token classifier from a BERT.

    Args:
        source: Folder with BERT's ``config.json``, ``vocab.txt`` and ``model.safetensors``.
        cyrillic: Texts that the Cyrillic part of the vocabulary is learned from.
        fields: The fields that the classifier tells apart.
        words: Latin whole words to keep.
        pieces: Cyrillic tokens to learn, at most.
        image_size: Edge in pixels of the page image that the model looks at; 0 for a model that does not look.
        seed: Of what starts at random.

    Returns:
        The model, untrained in layout and classifier, and its tokenizer.
    """
    bert = json.loads((source / "config.json").read_text(encoding="utf-8"))
    tensors = {name.removeprefix("bert."): t.float() for name, t in load_file(source / "model.safetensors").items()}
    old = {t: i for i, t in enumerate((source / "vocab.txt").read_text(encoding="utf-8").splitlines())}
    kept = trim_vocabulary(list(old), words)
    known = set(kept)
    vocabulary = kept + [token for token in learn_pieces(cyrillic, pieces) if token not in known]
    torch.manual_seed(seed)
    tags = tags_of(fields)
    hidden = int(bert["hidden_size"])
    config = LayoutLMv3Config(
        vocab_size=len(vocabulary),
        hidden_size=hidden,
        num_hidden_layers=bert["num_hidden_layers"],
        num_attention_heads=bert["num_attention_heads"],
        intermediate_size=bert["intermediate_size"],
        layer_norm_eps=bert["layer_norm_eps"],
        max_position_embeddings=bert["max_position_embeddings"] + 1,
        type_vocab_size=SHAPES,
        pad_token_id=_SPECIAL.index("[PAD]"),
        bos_token_id=_SPECIAL.index("[CLS]"),
        eos_token_id=_SPECIAL.index("[SEP]"),
        coordinate_size=hidden // 6,
        shape_size=hidden // 6,
        visual_embed=image_size > 0,
        input_size=image_size or 224,
        id2label=dict(enumerate(tags)),
        label2id={tag: index for index, tag in enumerate(tags)},
    )
    config.word_shapes = True
    model = LayoutLMv3ForTokenClassification(config)
    state = model.state_dict()
    copied = {
        f"layoutlmv3.{name}": tensor
        for name, tensor in tensors.items()
        if f"layoutlmv3.{name}" in state and state[f"layoutlmv3.{name}"].shape == tensor.shape
    }
    positions = state["layoutlmv3.embeddings.position_embeddings.weight"].clone()
    positions[1:] = tensors["embeddings.position_embeddings.weight"]
    copied["layoutlmv3.embeddings.position_embeddings.weight"] = positions
    # BERT's sentence type is part of what its layers expect; the word shapes learn their difference from it.
    shapes = tensors["embeddings.token_type_embeddings.weight"][0].repeat(SHAPES, 1)
    copied["layoutlmv3.embeddings.token_type_embeddings.weight"] = shapes + 0.01 * torch.randn_like(shapes)
    copied["layoutlmv3.embeddings.word_embeddings.weight"] = _word_embeddings(
        vocabulary, old, tensors["embeddings.word_embeddings.weight"]
    )
    model.load_state_dict(copied, strict=False)
    if config.visual_embed:
        # With an image a LayerNorm stands behind both kinds of input; it starts as the identity on BERT's.
        model.layoutlmv3.LayerNorm.reset_parameters()
    return model, build_tokenizer(vocabulary)


def _word_embeddings(vocabulary: Sequence[str], old: dict[str, int], rows: torch.Tensor) -> torch.Tensor:
    """Return a row a token: BERT's own where it has one, else the mean of its letters' rows."""
    embeddings = torch.empty(len(vocabulary), rows.shape[1])
    for index, token in enumerate(vocabulary):
        if token in old:
            embeddings[index] = rows[old[token]]
            continue
        bare = token.removeprefix(_GOING_ON)
        letters = [letter if i == 0 and bare == token else _GOING_ON + letter for i, letter in enumerate(bare)]
        embeddings[index] = rows[[old.get(letter, old[_UNKNOWN]) for letter in letters]].mean(dim=0)
    return embeddings
