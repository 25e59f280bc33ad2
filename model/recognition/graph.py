"""Finds the CTC head of a recogniser in its ONNX graph, by what the nodes do and not by what they are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from model.errors import RecogniserError

FloatArray = NDArray[np.float32]

# What may stand between the last multiplication and the output without changing which class wins where.
_PASSED = frozenset(
    {"Softmax", "LogSoftmax", "Identity", "Cast", "Add", "Transpose", "Squeeze", "Unsqueeze", "Reshape"}
)


@dataclass(frozen=True, slots=True)
class HeadInGraph:
    """Where the head is, and what it holds.

    Attributes:
        features: Name of the value that enters it, of shape (lines, columns, features).
        product: Name of the node's output that leaves the multiplication.
        output: Name of the graph's output.
        weights: Shape (features, classes).
        bias: Shape (classes,).
        nodes: Numbers of the nodes that make up the head, to be taken out.
    """

    features: str
    product: str
    output: str
    weights: FloatArray
    bias: FloatArray
    nodes: frozenset[int]


def find_head(model: onnx.ModelProto) -> HeadInGraph:
    """Return the last multiplication of a recogniser, with its weights.

    Raises:
        RecogniserError: If the graph does not end in one linear layer over columns, as CTC recognisers do.
    """
    graph = model.graph
    if len(graph.output) != 1:
        raise RecogniserError("This model has several outputs: it is no CTC recogniser.")
    constants = _constants(graph)
    makers = {name: number for number, node in enumerate(graph.node) for name in node.output}
    name, bias, passed = graph.output[0].name, None, set()
    while True:
        number = makers.get(name)
        if number is None:
            raise _no_head("it has no linear layer")
        node = graph.node[number]
        passed.add(number)
        if node.op_type in ("MatMul", "Gemm"):
            break
        if node.op_type not in _PASSED:
            raise _no_head(f"it ends in {node.op_type}")
        free = [given for given in node.input if given and given not in constants]
        if node.op_type == "Add":
            fixed = [constants[given] for given in node.input if given in constants]
            if bias is not None or len(free) != 1 or len(fixed) != 1:
                raise _no_head("its output is a sum")
            bias = fixed[0].reshape(-1)
        name = node.input[0] if node.op_type != "Add" else free[0]
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    if node.input[1] not in constants or any(a.name == "transA" and a.i for a in node.attribute):
        raise _no_head("its last layer multiplies two computed values")
    weights = constants[node.input[1]]
    if weights.ndim != 2:
        raise _no_head("its last layer is no matrix")
    weights = weights.T if transposed else weights
    if node.op_type == "Gemm" and len(node.input) > 2:
        if node.input[2] not in constants or bias is not None:
            raise _no_head("its output is a sum")
        bias = constants[node.input[2]].reshape(-1)
    bias = np.zeros(weights.shape[1], np.float32) if bias is None else bias
    if len(bias) != weights.shape[1]:
        raise _no_head("the bias does not fit the last layer")
    weights = np.ascontiguousarray(weights, np.float32)
    return HeadInGraph(
        node.input[0], node.output[0], graph.output[0].name, weights, bias.astype(np.float32), frozenset(passed)
    )


def alphabet_of(model: onnx.ModelProto) -> tuple[str, ...] | None:
    """Return the alphabet that the file carries in its metadata, without blank and space; None if it has none."""
    for entry in model.metadata_props:
        if entry.key == "character":
            return tuple(entry.value.splitlines())
    return None


def without_head(model: onnx.ModelProto) -> tuple[onnx.ModelProto, HeadInGraph]:
    """Return a copy of the model whose output is the features that enter its head, and the head.

    Raises:
        RecogniserError: If there is no head.
    """
    head = find_head(model)
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    graph = bare.graph
    kept = [node for number, node in enumerate(graph.node) if number not in head.nodes]
    used = {name for node in kept for name in node.input} | {head.features}
    stored = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.node[:], graph.initializer[:], graph.output[:]
    graph.node.extend(kept)
    graph.initializer.extend(stored)
    graph.output.append(onnx.helper.make_tensor_value_info(head.features, onnx.TensorProto.FLOAT, None))
    return bare, head


def with_numbers(model: onnx.ModelProto, numbers: Mapping[str, FloatArray]) -> onnx.ModelProto:
    """Return a copy of the model with other numbers under the same names.

    Raises:
        RecogniserError: If it has no numbers of such a name and shape.
    """
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    own = {tensor.name: tensor for tensor in changed.graph.initializer}
    for name, values in numbers.items():
        if name not in own or tuple(own[name].dims) != values.shape:
            raise RecogniserError(f'"{name}" does not fit this recogniser: the head was taught with another one.')
        own[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
    return changed


def _constants(graph: onnx.GraphProto) -> Mapping[str, FloatArray]:
    """Return the fixed numbers of the graph, initialisers and constant nodes alike, but for integers."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    tensors[node.output[0]] = attribute.t
    # Identities of constants count as constants, as some exporters write them.
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in tensors:
            tensors[node.output[0]] = tensors[node.input[0]]
    wanted = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    return _Lazy({name: tensor for name, tensor in tensors.items() if tensor.data_type in wanted})


class _Lazy(Mapping[str, FloatArray]):
    """Numbers that are unpacked when they are asked for: there are hundreds, and two are needed."""

    def __init__(self, tensors: Mapping[str, onnx.TensorProto]) -> None:
        self._tensors = tensors

    def __getitem__(self, name: str) -> FloatArray:
        return np.asarray(numpy_helper.to_array(self._tensors[name]), np.float32)

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def _no_head(reason: str) -> RecogniserError:
    return RecogniserError(f"This model is no recogniser with a CTC head: {reason}. PP-OCR's recognisers have one.")
