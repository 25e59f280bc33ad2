"""A checkpoint's files: ``config.json``, ``tokenizer.json`` and ``model.safetensors``, packed or not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import LayoutLMv3Config, LayoutLMv3ForTokenClassification

from model.errors import WeightsError
from model.extraction.packing import load_weights

_WEIGHTS = "model.safetensors"
_FILES = ("config.json", "tokenizer.json", _WEIGHTS)


def load_checkpoint(folder: Path) -> tuple[LayoutLMv3ForTokenClassification, Tokenizer]:
    """Return a checkpoint's model and tokenizer.

    Raises:
        WeightsError: If a file is missing or damaged, or the checkpoint is no LayoutLMv3 token classifier.
    """
    config = read_config(folder)
    model = LayoutLMv3ForTokenClassification(config)
    fill(model, folder)
    return model, read_tokenizer(folder)


def read_config(folder: Path) -> LayoutLMv3Config:
    """Return a checkpoint's configuration.

    Raises:
        WeightsError: If a file is missing or damaged, or the checkpoint is no LayoutLMv3 token classifier.
    """
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise WeightsError(f"{folder} lacks {', '.join(missing)}: point EXTRACTOR_DIR to a LayoutLMv3 checkpoint")
    try:
        config = LayoutLMv3Config.from_pretrained(folder)
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise WeightsError(f"{folder / 'config.json'} is no configuration of a LayoutLMv3 model") from error
    if config.model_type != "layoutlmv3" or "O" not in config.label2id:
        raise WeightsError(f"{folder} holds a {config.model_type} model, or its labels are no BIO tags")
    return config


def read_tokenizer(folder: Path) -> Tokenizer:
    """Return a checkpoint's tokenizer.

    Raises:
        WeightsError: If the file is missing or damaged.
    """
    try:
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # tokenizers raises the base class itself
        raise WeightsError(f"{folder / 'tokenizer.json'} holds no tokenizer") from error


def fill(model: LayoutLMv3ForTokenClassification, folder: Path) -> dict[str, torch.Tensor]:
    """Give a model the weights in ``folder``, and return them.

    A model on torch's ``meta`` device holds the returned tensors themselves afterwards; others hold copies.

    Raises:
        WeightsError: If the weights are damaged or do not fit the model.
    """
    tensors = load_weights(folder / _WEIGHTS)
    on_meta = next(model.parameters()).is_meta
    try:
        lacking = model.load_state_dict(tensors, strict=False, assign=on_meta).missing_keys
    except RuntimeError as error:
        raise WeightsError(f"the weights in {folder} do not fit their config.json") from error
    if lacking:
        raise WeightsError(f"the weights in {folder} lack {len(lacking)} tensors, the first is {lacking[0]}")
    return tensors


def checkpoint_version(folder: Path) -> str:
    """Return a name for the checkpoint that changes with any of its files: ``FOLDER-`` and eight hexadecimal digits."""
    digest = hashlib.sha256()
    for name in _FILES:
        digest.update((folder / name).read_bytes())
    return f"{folder.name}-{digest.hexdigest()[:8]}"
