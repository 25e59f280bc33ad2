"""Puts a head onto its backbone: a plain PP-OCR file that PaddleOCR and RapidOCR load like any other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import yaml
from onnx import numpy_helper

from model.errors import RecogniserError
from model.recognition.context import DILATION, Context
from model.recognition.graph import FloatArray, find_head, with_numbers
from model.recognition.head import Head

ONNX_FILE, DESCRIPTION_FILE = "inference.onnx", "inference.yml"


def graft(onnx_file: Path, head: Head, folder: Path, *, name: str = "PP-OCRv6_small_rec") -> Path:
    """Write a recogniser made of another one's backbone and this head.

    The temperature goes into the weights, so that the engines' scores are the calibrated ones.

    Args:
        onnx_file: A recogniser on whose backbone the head was trained; that is for the caller to know.
        head: What names the characters.
        folder: Gets ``inference.onnx``, its alphabet in the metadata, and PaddleOCR's ``inference.yml``.
        name: What PaddleOCR is to call the model: one of the names it knows.

    Returns:
        The ONNX file.

    Raises:
        RecogniserError: If the file has no CTC head, or one over other features, or the alphabet holds line breaks.
    """
    model = with_numbers(onnx.load(onnx_file), head.below)
    old = find_head(model)
    if old.weights.shape[0] != head.weights.shape[0]:
        raise RecogniserError(
            f"The head reads {head.weights.shape[0]} features, this backbone gives {old.weights.shape[0]}."
        )
    graph = model.graph
    kept = [node for number, node in enumerate(graph.node) if number not in old.nodes]
    used = {value for node in kept for value in node.input}
    stored = [tensor for tensor in graph.initializer if tensor.name in used]
    stored += [
        _tensor("head.weights", head.weights / head.temperature),
        _tensor("head.bias", head.bias / head.temperature),
    ]
    del graph.node[:], graph.initializer[:], graph.output[:]
    graph.node.extend(kept)
    features = old.features
    if head.context is not None:
        nodes, tensors, features = _context_nodes(head.context, features)
        graph.node.extend(nodes)
        stored += tensors
    graph.node.extend(
        [
            onnx.helper.make_node("MatMul", [features, "head.weights"], ["head.product"]),
            onnx.helper.make_node("Add", ["head.product", "head.bias"], ["head.logits"]),
            # Lines, columns, classes: the axis by its number, as before opset 13 it means more than one axis.
            onnx.helper.make_node("Softmax", ["head.logits"], [old.output], axis=2),
        ]
    )
    graph.initializer.extend(stored)
    shape = ["lines", "columns", len(head.bias)]
    graph.output.append(onnx.helper.make_tensor_value_info(old.output, onnx.TensorProto.FLOAT, shape))
    # The value's old description, if any, may contradict the new shape.
    described = [info for info in graph.value_info if info.name in used]
    del graph.value_info[:]
    graph.value_info.extend(described)
    entries = [entry for entry in model.metadata_props if entry.key != "character"]
    del model.metadata_props[:]
    model.metadata_props.extend(entries)
    listed = [character for character in head.characters if character != " "]
    # A line for each is what the engines read.
    if any(character.splitlines() != [character] for character in listed):
        raise RecogniserError("A recogniser's alphabet cannot hold line breaks, or nothing.")
    model.metadata_props.add(key="character", value="\n".join(listed))
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / ONNX_FILE
    onnx.save(model, target)
    write_description(folder / DESCRIPTION_FILE, _description(name, listed))
    return target


def write_description(path: Path, content: Mapping[str, object]) -> None:
    """Write PaddleOCR's description of a model.

    All of it is ASCII, every other character an escape: YAML readers refuse some characters and fold others.
    """
    path.write_text(yaml.dump(dict(content), Dumper=yaml.CSafeDumper, allow_unicode=False), "ascii")


def _context_nodes(context: Context, features: str) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto], str]:
    """Return the layer as nodes: a convolution, what is positive of it, a matrix, and the features themselves."""
    nodes = [
        onnx.helper.make_node("MatMul", [features, "context.narrow"], ["context.few"]),
        onnx.helper.make_node("Transpose", ["context.few"], ["context.across"], perm=[0, 2, 1]),
        onnx.helper.make_node(
            "Conv",
            ["context.across", "context.kernel", "context.inner_bias"],
            ["context.inner"],
            dilations=[DILATION],
            pads=[context.reach, context.reach],
        ),
        onnx.helper.make_node("Relu", ["context.inner"], ["context.positive"]),
        onnx.helper.make_node("Transpose", ["context.positive"], ["context.along"], perm=[0, 2, 1]),
        onnx.helper.make_node("MatMul", ["context.along", "context.outer"], ["context.product"]),
        onnx.helper.make_node("Add", ["context.product", "context.outer_bias"], ["context.change"]),
        onnx.helper.make_node("Add", [features, "context.change"], ["context.features"]),
    ]
    names = ("narrow", "kernel", "inner_bias", "outer", "outer_bias")
    tensors = [_tensor(f"context.{name}", getattr(context, name)) for name in names]
    return nodes, tensors, "context.features"


def _tensor(name: str, values: FloatArray) -> onnx.TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name)


def _description(name: str, characters: list[str]) -> dict[str, object]:
    return {
        "Global": {"model_name": name},
        "PreProcess": {
            "transform_ops": [
                {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                {"RecResizeImg": {"image_shape": [3, 48, 160]}},
            ]
        },
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": characters},
    }
