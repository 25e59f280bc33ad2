"""The head is found by what the graph does, whatever its nodes are called."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from model.errors import RecogniserError
from model.recognition.backbone import Backbone
from model.recognition.graph import find_head, without_head

WEIGHTS = np.arange(12, dtype=np.float32).reshape(3, 4)
BIAS = np.array([1, 2, 3, 4], np.float32)


def graph_of(nodes, tensors, *, outputs=("y",)):
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "t", 3])
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    stored = [numpy_helper.from_array(np.asarray(values), name) for name, values in tensors.items()]
    return helper.make_model(helper.make_graph(nodes, "g", [given], made, stored))


def node(kind, given, made, **attributes):
    return helper.make_node(kind, given, [made], **attributes)


SHAPES = {
    "a product, a bias and a softmax": graph_of(
        [
            node("Relu", ["x"], "f"),
            node("MatMul", ["f", "w"], "p"),
            node("Add", ["p", "b"], "q"),
            node("Softmax", ["q"], "y"),
        ],
        {"w": WEIGHTS, "b": BIAS},
    ),
    "the bias first": graph_of(
        [node("Relu", ["x"], "f"), node("MatMul", ["f", "w"], "p"), node("Add", ["b", "p"], "y")],
        {"w": WEIGHTS, "b": BIAS},
    ),
    "constants as nodes": graph_of(
        [
            helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(WEIGHTS)),
            helper.make_node("Constant", [], ["b0"], value=numpy_helper.from_array(BIAS)),
            node("Identity", ["b0"], "b"),
            node("Relu", ["x"], "f"),
            node("MatMul", ["f", "w"], "p"),
            node("Add", ["p", "b"], "q"),
            node("Identity", ["q"], "r"),
            node("Softmax", ["r"], "y"),
        ],
        {},
    ),
    "one general product, transposed": graph_of(
        [node("Relu", ["x"], "f"), node("Gemm", ["f", "w", "b"], "q", transB=1), node("Softmax", ["q"], "y")],
        {"w": WEIGHTS.T.copy(), "b": BIAS},
    ),
}


@pytest.mark.parametrize("model", SHAPES.values(), ids=SHAPES)
def test_weights_and_bias_are_found_in(model):
    head = find_head(model)
    assert (head.features, head.weights.tolist(), head.bias.tolist()) == ("f", WEIGHTS.tolist(), BIAS.tolist())


@pytest.mark.parametrize("model", SHAPES.values(), ids=SHAPES)
def test_without_its_head_a_graph_ends_in_the_features(model):
    bare, _ = without_head(model)
    assert [made.name for made in bare.graph.output] == ["f"]
    assert not {"MatMul", "Gemm", "Softmax"} & {node.op_type for node in bare.graph.node}


HEADLESS = {
    "a convolution at the end": graph_of([node("Relu", ["x"], "f"), node("Tanh", ["f"], "y")], {}),
    "a product of two computed values": graph_of([node("Relu", ["x"], "f"), node("MatMul", ["f", "x"], "y")], {}),
    "a sum of two computed values": graph_of(
        [node("MatMul", ["x", "w"], "p"), node("Add", ["p", "p"], "y")], {"w": WEIGHTS}
    ),
    "several outputs": graph_of(
        [node("MatMul", ["x", "w"], "y"), node("Relu", ["x"], "z")], {"w": WEIGHTS}, outputs=("y", "z")
    ),
    "nothing computed": graph_of([node("Identity", ["x"], "y")], {}),
}


@pytest.mark.parametrize("model", HEADLESS.values(), ids=HEADLESS)
def test_a_clear_error_says_that_there_is_no_head_with(model):
    with pytest.raises(RecogniserError, match="CTC"):
        find_head(model)


def test_the_wheels_detector_is_no_recogniser(onnx_file):
    with pytest.raises(RecogniserError, match="CTC"):
        find_head(onnx.load(onnx_file.with_name("PP-OCRv6_det_small.onnx")))


def test_a_file_that_is_no_model_is_named(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"no model")
    with pytest.raises(RecogniserError, match=r"x\.onnx"):
        Backbone(tmp_path / "x.onnx")
