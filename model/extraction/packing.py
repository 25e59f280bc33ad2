"""Weights stored as 8-bit integers with a scale a row: a quarter of the size, and the scores hardly move.

Only matrices are packed; vectors (biases, LayerNorms) stay in half precision. The file is plain safetensors: a packed
tensor ``NAME`` is an ``int8`` tensor of that name and a ``float16`` tensor ``NAME::scale`` with one number a row.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from model.errors import WeightsError

_SCALE = "::scale"


def save_packed(tensors: dict[str, torch.Tensor], path: Path) -> None:
    """Write ``tensors`` to ``path``; their values are rounded to 255 steps a row."""
    packed: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        values = tensor.detach().float()
        if values.ndim < 2:
            packed[name] = values.half().contiguous()
            continue
        rows = values.flatten(1)
        scale = (rows.abs().amax(dim=1) / 127).clamp_min(1e-6).half()
        packed[name] = (rows / scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8).reshape(values.shape)
        packed[name + _SCALE] = scale
    save_file(packed, path, metadata={"format": "pt"})


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file, packed or not, as 32-bit floats.

    Raises:
        WeightsError: If the file is missing or damaged.
    """
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot read the weights {path}: {error}") from error
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in stored.items():
        if name.endswith(_SCALE):
            continue
        values = tensor.float()
        scale = stored.get(name + _SCALE)
        if scale is not None:
            values *= scale.float().reshape(-1, *[1] * (values.ndim - 1))
        tensors[name] = values
    return tensors
