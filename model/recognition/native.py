"""PP-OCRv6's small recogniser as transformers has it, with the numbers of an ONNX file: for full fine-tuning.

The file's layers and transformers' come in the same order; normalisations that the file has merged into convolutions
become ones that only add. Both ways are exact but for rounding, so that what was learned goes back into the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from transformers import PPOCRV6SmallRecConfig, PPOCRV6SmallRecForTextRecognition

from model.errors import RecogniserError
from model.recognition.graph import FloatArray, find_head


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer of the file.

    Attributes:
        kind: ``Conv``, ``Linear`` or ``LayerNorm``.
        weight: Name of its weight.
        bias: Name of what is added; None where a normalisation follows.
        normalisation: Names of the scale, shift, mean and variance that follow, if any.
    """

    kind: str
    weight: str
    bias: str | None
    normalisation: tuple[str, str, str, str] | None = None


class NativeRecogniser(nn.Module):
    """Everything below the head, in transformers' layers.

    Args:
        model: PP-OCRv6's small recogniser.

    Raises:
        RecogniserError: If its layers are not those that transformers has.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__()
        head = find_head(model)
        config = PPOCRV6SmallRecConfig(head_out_channels=head.weights.shape[1])
        self.network: nn.Module = PPOCRV6SmallRecForTextRecognition(config)
        self._numbers = {tensor.name: tensor for tensor in model.graph.initializer}
        self._pairs = _paired(self.network, list(_layers(model.graph, self._numbers)), self._numbers)
        self.eval()
        with torch.no_grad():
            for part, batch, layer in self._pairs:
                self._fill(part, batch, layer)
            last = self.network.get_submodule("head.head")
            assert isinstance(last, nn.Linear)
            last.weight.copy_(torch.from_numpy(head.weights.T.copy()))
            last.bias.copy_(torch.from_numpy(head.bias))
        # The head is learned elsewhere, over fewer characters.
        last.requires_grad_(False)

    def train(self, mode: bool = True) -> NativeRecogniser:
        """Stay as in use: normalisations keep what they have measured, and nothing is dropped."""
        super().train(False)
        return self

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return what enters the head for prepared crops: shape (lines, columns, features)."""
        below = self.network.get_submodule("model")(pixels).last_hidden_state
        features: torch.Tensor = self.network.get_submodule("head.encoder")(below).last_hidden_state
        return features

    def tensors(self) -> dict[str, FloatArray]:
        """Return the numbers under the names that they have in the file."""
        found: dict[str, FloatArray] = {}
        for part, batch, layer in self._pairs:
            own: Any = part
            weight = own.weight.detach().cpu()
            bias = None if own.bias is None else own.bias.detach().cpu()
            if batch is not None and layer.normalisation is None:
                scale, shift = _merged(batch)
                weight, bias = weight * scale.reshape(-1, *[1] * (weight.ndim - 1)), shift
            elif batch is not None and layer.normalisation is not None:
                for name, values in zip(layer.normalisation[:2], (batch.weight, batch.bias), strict=True):
                    found[name] = values.detach().cpu().numpy().astype(np.float32)
            found[layer.weight] = (weight.T if layer.kind == "Linear" else weight).numpy().astype(np.float32)
            if layer.bias is not None and bias is not None:
                shape = tuple(self._numbers[layer.bias].dims)
                found[layer.bias] = bias.numpy().astype(np.float32).reshape(shape)
        return {name: np.ascontiguousarray(values) for name, values in found.items()}

    def take(self, tensors: Mapping[str, FloatArray]) -> None:
        """Replace numbers by others of the same names.

        Raises:
            RecogniserError: If a name or a shape does not fit.
        """
        for name, values in tensors.items():
            if name not in self._numbers or tuple(self._numbers[name].dims) != values.shape:
                raise RecogniserError(f'"{name}" does not fit this recogniser: it was taught on another one.')
            self._numbers[name] = numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name)
        with torch.no_grad():
            for part, batch, layer in self._pairs:
                self._fill(part, batch, layer)

    def _fill(self, part: nn.Module, batch: nn.BatchNorm2d | None, layer: _Layer) -> None:
        weight = self._values(layer.weight)
        part.weight.copy_(weight.T if layer.kind == "Linear" else weight)  # type: ignore[operator]
        bias = None if layer.bias is None else self._values(layer.bias).reshape(-1)
        if batch is None:
            if bias is not None:
                part.bias.copy_(bias)  # type: ignore[operator]
            return
        scale, shift, mean, variance = (
            [self._values(name) for name in layer.normalisation]
            if layer.normalisation
            else [torch.ones(len(weight)), bias, torch.zeros(len(weight)), torch.full((len(weight),), 1 - batch.eps)]
        )
        pairs = ((batch.weight, scale), (batch.bias, shift), (batch.running_mean, mean), (batch.running_var, variance))
        for target, values in pairs:
            target.copy_(values)  # type: ignore[union-attr, arg-type]

    def _values(self, name: str) -> torch.Tensor:
        return torch.from_numpy(numpy_helper.to_array(self._numbers[name]).astype(np.float32))


_Pair = tuple[nn.Module, nn.BatchNorm2d | None, _Layer]


def _merged(batch: nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what a normalisation multiplies by and adds."""
    assert batch.running_mean is not None
    assert batch.running_var is not None
    scale = batch.weight.detach() / torch.sqrt(batch.running_var + batch.eps)
    return scale.cpu(), (batch.bias.detach() - batch.running_mean * scale).cpu()


def _paired(network: nn.Module, layers: list[_Layer], numbers: Mapping[str, onnx.TensorProto]) -> list[_Pair]:
    """Return transformers' layers with the file's, in the order in which an image passes them."""
    passed: list[nn.Module] = []
    kinds = (nn.Conv2d, nn.Linear, nn.LayerNorm, nn.BatchNorm2d)
    hooks = [
        part.register_forward_hook(lambda part, _given, _made: passed.append(part))
        for part in network.modules()
        if isinstance(part, kinds)
    ]
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, 48, 32))
    for hook in hooks:
        hook.remove()
    pairs: list[_Pair] = []
    waiting = iter(layers)
    for part in passed[:-1]:
        if isinstance(part, nn.BatchNorm2d):
            pairs[-1] = (pairs[-1][0], part, pairs[-1][2])
            continue
        layer = next(waiting, None)
        kind = {nn.Conv2d: "Conv", nn.Linear: "Linear", nn.LayerNorm: "LayerNorm"}[type(part)]
        own = tuple(part.weight.shape)  # type: ignore[arg-type]
        theirs = tuple(numbers[layer.weight].dims) if layer else ()
        if layer is None or layer.kind != kind or (theirs[::-1] if kind == "Linear" else theirs) != own:
            raise RecogniserError(
                "This recogniser is not built as transformers' PP-OCRv6 small: teach its neck instead."
            )
        pairs.append((part, None, layer))
    if next(waiting, None) is not None:
        raise RecogniserError(
            "This recogniser has more layers than transformers' PP-OCRv6 small: teach its neck instead."
        )
    return pairs


def _layers(graph: onnx.GraphProto, numbers: Mapping[str, onnx.TensorProto]) -> Iterator[_Layer]:
    """Yield the layers of the file below the head."""
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)

    def follower(node: onnx.NodeProto) -> onnx.NodeProto | None:
        following = users.get(node.output[0], [])
        while len(following) == 1 and following[0].op_type == "Identity":
            following = users.get(following[0].output[0], [])
        return following[0] if following else None

    def added(node: onnx.NodeProto) -> str | None:
        after = follower(node)
        return next((n for n in after.input if n in numbers), None) if after and after.op_type == "Add" else None

    last = _head_node(graph)
    for node in graph.node:
        if node.op_type == "Conv":
            after = follower(node)
            normalised = after is not None and after.op_type == "BatchNormalization"
            names = tuple(after.input[1:5]) if normalised and after is not None else None
            own = node.input[2] if len(node.input) > 2 else added(node)
            yield _Layer("Conv", node.input[1], None if normalised else own, names)
        elif node.op_type == "MatMul" and node.input[1] in numbers and node.output[0] != last:
            yield _Layer("Linear", node.input[1], added(node))
        elif node.op_type == "Sqrt":
            divided = follower(node)
            scaled = follower(divided) if divided is not None else None
            if scaled is not None and scaled.op_type == "Mul":
                yield _Layer("LayerNorm", next(n for n in scaled.input if n in numbers), added(scaled))


def _head_node(graph: onnx.GraphProto) -> str:
    """Return the name of what the head's multiplication gives."""
    return next(str(node.output[0]) for node in reversed(graph.node) if node.op_type in ("MatMul", "Gemm"))
