"""Runs part of an ONNX graph in torch, so that its numbers can learn and be written back under their own names.

Only what PP-OCR's recognisers are made of is known; anything else is a clear error. Libraries that turn ONNX into torch
modules lose the names of the numbers, without which nothing can be written back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch.nn import functional

from model.errors import RecogniserError
from model.recognition.graph import FloatArray

_Values = list[torch.Tensor]
_Attributes = Mapping[str, Any]


class GraphModule(torch.nn.Module):
    """The nodes between two values of a graph.

    Args:
        nodes: In the graph's order.
        numbers: The initialisers that they use, by name.
        given: Name of the value that enters.
        wanted: Name of the value that leaves.
        opset: Of the file.

    Raises:
        RecogniserError: If a node is of a kind that is not known.
    """

    def __init__(
        self,
        nodes: Sequence[onnx.NodeProto],
        numbers: Mapping[str, onnx.TensorProto],
        given: str,
        wanted: str,
        opset: int,
    ) -> None:
        super().__init__()
        unknown = sorted({node.op_type for node in nodes} - set(_OPERATIONS) - {"Constant"})
        if unknown:
            raise RecogniserError(f"This recogniser cannot be taught below its head: it uses {', '.join(unknown)}.")
        self._given, self._wanted, self._opset = given, wanted, opset
        self._nodes = [(node.op_type, list(node.input), list(node.output), _attributes(node)) for node in nodes]
        self._fixed: dict[str, torch.Tensor] = {}
        self._names: list[str] = []
        learned = _learned(nodes)
        self.values = torch.nn.ParameterList()
        for name, tensor in numbers.items():
            values = torch.from_numpy(numpy_helper.to_array(tensor).copy())
            if name in learned and values.is_floating_point() and values.numel() > 1:
                self._names.append(name)
                self.values.append(torch.nn.Parameter(values))
            else:
                self._fixed[name] = values
        for node in nodes:
            if node.op_type == "Constant":
                self._fixed[node.output[0]] = torch.from_numpy(numpy_helper.to_array(_attributes(node)["value"]).copy())

    def forward(self, entering: torch.Tensor) -> torch.Tensor:
        """Return what leaves."""
        known = {name: values.to(entering.device) for name, values in self._fixed.items()}
        known |= dict(zip(self._names, self.values, strict=True))
        known[self._given] = entering
        for kind, inputs, outputs, attributes in self._nodes:
            if kind != "Constant":
                known[outputs[0]] = _OPERATIONS[kind]([known[name] for name in inputs if name], attributes, self._opset)
        return known[self._wanted]

    def tensors(self) -> dict[str, FloatArray]:
        """Return the numbers that learn, by their names in the graph."""
        pairs = zip(self._names, self.values, strict=True)
        return {name: values.detach().cpu().numpy().astype(np.float32) for name, values in pairs}

    def take(self, tensors: Mapping[str, FloatArray]) -> None:
        """Replace numbers by others of the same names.

        Raises:
            RecogniserError: If a name or a shape does not fit.
        """
        own = dict(zip(self._names, self.values, strict=True))
        for name, values in tensors.items():
            if name not in own or own[name].shape != values.shape:
                raise RecogniserError(f'"{name}" does not fit this recogniser: it was taught on another one.')
            with torch.no_grad():
                own[name].copy_(torch.from_numpy(np.ascontiguousarray(values)))


def _learned(nodes: Sequence[onnx.NodeProto]) -> set[str]:
    """Return the names of what may be weights: not the running means of normalisations, nor shapes."""
    found: set[str] = set()
    for node in nodes:
        if node.op_type == "BatchNormalization":
            found.update(node.input[1:3])
        elif node.op_type in ("Conv", "MatMul", "Gemm", "Add", "Mul"):
            found.update(node.input)
    return found


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def _integers(values: torch.Tensor) -> list[int]:
    return [int(number) for number in values.reshape(-1).tolist()]


def _padded(values: torch.Tensor, attributes: _Attributes, fill: float = 0.0) -> torch.Tensor:
    """Pad height and width as the node asks for."""
    if attributes.get("auto_pad", b"NOTSET") in (b"SAME_UPPER", b"SAME_LOWER"):
        pads = []
        sizes = zip(values.shape[2:], attributes["kernel_shape"], attributes.get("strides", (1, 1)), strict=True)
        for size, kernel, stride in reversed(list(sizes)):
            missing = max(0, (-(-size // stride) - 1) * stride + kernel - size)
            less, more = missing // 2, missing - missing // 2
            pads += [less, more] if attributes["auto_pad"] == b"SAME_UPPER" else [more, less]
        return functional.pad(values, pads, value=fill)
    edges: list[int] = list(attributes.get("pads") or ())
    if not any(edges):
        return values
    top, left, bottom, right = edges
    return functional.pad(values, (left, right, top, bottom), value=fill)


def _conv(given: _Values, attributes: _Attributes, opset: int) -> torch.Tensor:
    return functional.conv2d(
        _padded(given[0], attributes),
        given[1],
        given[2] if len(given) > 2 else None,
        stride=tuple(attributes.get("strides", (1, 1))),
        dilation=tuple(attributes.get("dilations", (1, 1))),
        groups=attributes.get("group", 1),
    )


def _normalise(given: _Values, attributes: _Attributes, opset: int) -> torch.Tensor:
    values, weight, bias, mean, variance = given
    epsilon = attributes.get("epsilon", 1e-5)
    return functional.batch_norm(values, mean, variance, weight, bias, training=False, eps=epsilon)


def _max_pool(given: _Values, attributes: _Attributes, opset: int) -> torch.Tensor:
    padded = _padded(given[0], attributes, float("-inf"))
    strides = tuple(attributes.get("strides", (1, 1)))
    return functional.max_pool2d(
        padded, tuple(attributes["kernel_shape"]), strides, ceil_mode=bool(attributes.get("ceil_mode", 0))
    )


def _average_pool(given: _Values, attributes: _Attributes, opset: int) -> torch.Tensor:
    if any(attributes.get("pads", ())) or attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise RecogniserError("This recogniser cannot be taught below its head: it averages over padded edges.")
    strides = tuple(attributes.get("strides", (1, 1)))
    return functional.avg_pool2d(
        given[0], tuple(attributes["kernel_shape"]), strides, ceil_mode=bool(attributes.get("ceil_mode", 0))
    )


def _mean(given: _Values, attributes: _Attributes, opset: int) -> torch.Tensor:
    axes = _axes(given, attributes)
    return given[0].mean(dim=axes, keepdim=bool(attributes.get("keepdims", 1)))


def _axes(given: _Values, attributes: _Attributes) -> list[int]:
    return _integers(given[1]) if len(given) > 1 else [int(axis) for axis in attributes["axes"]]


def _slice(given: _Values, attributes: _Attributes, opset: int) -> torch.Tensor:
    values = given[0]
    starts, ends = _integers(given[1]), _integers(given[2])
    axes = _integers(given[3]) if len(given) > 3 else list(range(len(starts)))
    steps = _integers(given[4]) if len(given) > 4 else [1] * len(starts)
    cut = [slice(None)] * values.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        cut[axis] = slice(start, end, step)
    return values[tuple(cut)]


def _squeeze(given: _Values, attributes: _Attributes, opset: int) -> torch.Tensor:
    for axis in sorted(_axes(given, attributes), reverse=True):
        given = [given[0].squeeze(axis), *given[1:]]
    return given[0]


def _unsqueeze(given: _Values, attributes: _Attributes, opset: int) -> torch.Tensor:
    for axis in sorted(_axes(given, attributes)):
        given = [given[0].unsqueeze(axis), *given[1:]]
    return given[0]


def _reshape(given: _Values, attributes: _Attributes, opset: int) -> torch.Tensor:
    shape = _integers(given[1])
    return given[0].reshape([given[0].shape[axis] if size == 0 else size for axis, size in enumerate(shape)])


def _gemm(given: _Values, attributes: _Attributes, opset: int) -> torch.Tensor:
    left = given[0].T if attributes.get("transA") else given[0]
    right = given[1].T if attributes.get("transB") else given[1]
    product: torch.Tensor = float(attributes.get("alpha", 1.0)) * (left @ right)
    return product + float(attributes.get("beta", 1.0)) * given[2] if len(given) > 2 else product


def _softmax(given: _Values, attributes: _Attributes, opset: int) -> torch.Tensor:
    axis = attributes.get("axis", 1 if opset < 13 else -1)
    if opset < 13 and axis not in (-1, given[0].ndim - 1):
        raise RecogniserError("This recogniser cannot be taught below its head: it weighs over several axes at once.")
    return given[0].softmax(axis)


def _hard_sigmoid(given: _Values, attributes: _Attributes, opset: int) -> torch.Tensor:
    slope, middle = float(attributes.get("alpha", 0.2)), float(attributes.get("beta", 0.5))
    return (given[0] * slope + middle).clamp(0, 1)


def _cast(given: _Values, attributes: _Attributes, opset: int) -> torch.Tensor:
    wanted = onnx.helper.tensor_dtype_to_np_dtype(attributes["to"])
    return given[0].to(torch.from_numpy(np.zeros(1, wanted)).dtype)


_OPERATIONS: Mapping[str, Callable[[_Values, _Attributes, int], torch.Tensor]] = {
    "Add": lambda given, attributes, opset: given[0] + given[1],
    "AveragePool": _average_pool,
    "BatchNormalization": _normalise,
    "Cast": _cast,
    "Clip": lambda given, attributes, opset: given[0].clamp(
        given[1] if len(given) > 1 else attributes.get("min"), given[2] if len(given) > 2 else attributes.get("max")
    ),
    "Concat": lambda given, attributes, opset: torch.cat(given, dim=attributes["axis"]),
    "Conv": _conv,
    "Div": lambda given, attributes, opset: given[0] / given[1],
    "Erf": lambda given, attributes, opset: given[0].erf(),
    "Gemm": _gemm,
    "HardSigmoid": _hard_sigmoid,
    "Identity": lambda given, attributes, opset: given[0],
    "MatMul": lambda given, attributes, opset: given[0] @ given[1],
    "MaxPool": _max_pool,
    "Mul": lambda given, attributes, opset: given[0] * given[1],
    "Pow": lambda given, attributes, opset: given[0].pow(given[1]),
    "ReduceMean": _mean,
    "Relu": lambda given, attributes, opset: given[0].relu(),
    "Reshape": _reshape,
    "Shape": lambda given, attributes, opset: torch.tensor(given[0].shape),
    "Sigmoid": lambda given, attributes, opset: given[0].sigmoid(),
    "Slice": _slice,
    "Softmax": _softmax,
    "Sqrt": lambda given, attributes, opset: given[0].sqrt(),
    "Squeeze": _squeeze,
    "Sub": lambda given, attributes, opset: given[0] - given[1],
    "Transpose": lambda given, attributes, opset: given[0].permute(*attributes["perm"]),
    "Unsqueeze": _unsqueeze,
}
