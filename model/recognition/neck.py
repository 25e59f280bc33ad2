"""Finds what lies between a recogniser's backbone and its head: the neck, SVTR's layers in PP-OCR.

Backbones make images smaller, necks mix columns: so the neck begins where the last node has made the height smaller,
whatever nodes are called.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from model.errors import RecogniserError
from model.recognition.graph import find_head
from model.recognition.torch_graph import GraphModule

_POOLS = frozenset({"MaxPool", "AveragePool"})


@dataclass(frozen=True, slots=True)
class NeckInGraph:
    """Where the neck is.

    Attributes:
        entering: Name of the value that enters it, of shape (lines, channels, height, columns).
        leaving: Name of the value that enters the head.
        nodes: Numbers of its nodes, in order.
    """

    entering: str
    leaving: str
    nodes: tuple[int, ...]


def find_neck(model: onnx.ModelProto) -> NeckInGraph:
    """Return the neck of a recogniser.

    Raises:
        RecogniserError: If there is no CTC head, or nothing between the last node that makes images smaller and it.
    """
    features = find_head(model).features
    nodes = _makers_of(model.graph, features, stop=None)
    shrinking = [number for number in nodes if _shrinks(model.graph.node[number])]
    if not shrinking:
        raise RecogniserError("This recogniser has no layers that can be told from its backbone: teach its head alone.")
    entering = model.graph.node[shrinking[-1]].output[0]
    neck = _makers_of(model.graph, features, stop=entering)
    if not neck or any(number <= shrinking[-1] for number in neck):
        raise RecogniserError("This recogniser's neck looks past the backbone's end: teach its head alone.")
    return NeckInGraph(entering, features, tuple(neck))


def neck_module(model: onnx.ModelProto) -> GraphModule:
    """Return the neck in torch, with the file's numbers.

    Raises:
        RecogniserError: If there is none, or it is made of what is not known.
    """
    neck = find_neck(model)
    return _module(model, neck.entering, neck.leaving, neck.nodes)


def whole_module(model: onnx.ModelProto) -> GraphModule:
    """Return everything below the head in torch, from the prepared image on.

    Raises:
        RecogniserError: If there is no head, or it is made of what is not known.
    """
    features = find_head(model).features
    return _module(model, model.graph.input[0].name, features, tuple(_makers_of(model.graph, features, stop=None)))


def _module(model: onnx.ModelProto, entering: str, leaving: str, numbers: tuple[int, ...]) -> GraphModule:
    nodes = [model.graph.node[number] for number in numbers]
    used = {name for node in nodes for name in node.input}
    tensors = {tensor.name: tensor for tensor in model.graph.initializer if tensor.name in used}
    opset = next(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
    return GraphModule(nodes, tensors, entering, leaving, opset)


def _makers_of(graph: onnx.GraphProto, wanted: str, stop: str | None) -> list[int]:
    """Return the numbers of the nodes that ``wanted`` is computed by, from ``stop`` on, in order."""
    makers = {name: number for number, node in enumerate(graph.node) for name in node.output}
    found: set[int] = set()
    open_names = [wanted]
    while open_names:
        name = open_names.pop()
        number = makers.get(name)
        if number is None or name == stop or number in found:
            continue
        found.add(number)
        open_names.extend(graph.node[number].input)
    return sorted(found)


def _shrinks(node: onnx.NodeProto) -> bool:
    """Say whether a node makes images smaller: a pool, or a convolution that leaves places out."""
    strides = next((list(each.ints) for each in node.attribute if each.name == "strides"), [1])
    return (node.op_type in _POOLS or node.op_type == "Conv") and max(strides) > 1
