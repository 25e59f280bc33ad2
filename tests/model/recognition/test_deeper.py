"""Layers below the head run in torch as they do in the file, learn, and go back into it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from model.errors import RecogniserError
from model.ocr import build_engine
from model.recognition.backbone import Backbone, prepare
from model.recognition.deep_training import interpolate_below, train_below
from model.recognition.finetune import Lesson, learn
from model.recognition.graft import graft
from model.recognition.graph import with_numbers
from model.recognition.head import Head
from model.recognition.lines import FeatureLine
from model.recognition.lower import Lower
from model.recognition.native import NativeRecogniser
from model.recognition.neck import find_neck, neck_module, whole_module
from model.recognition.training import HeadPlan
from tests.model.recognition.conftest import printed

TEXTS = ("Tea 12#", "Rice 7#", "Milk 40#", "Bread 3#", "Salt 55#", "Corn 81#", "Soup 9#", "Plum 26#")
PLAN = HeadPlan(budget_seconds=120, passes=10, learning_rate=6e-3, quick="₸")


@pytest.fixture(scope="module")
def model(onnx_file: Path) -> onnx.ModelProto:
    return onnx.load(onnx_file)


@pytest.fixture(scope="module")
def lower(backbone: Backbone) -> Lower:
    return Lower(backbone, "neck")


@pytest.fixture(scope="module")
def lines(lower: Lower) -> list[FeatureLine]:
    """Lines on which "#" is printed where «₸» is meant."""
    crops = [printed(text, size) for size in (26, 32) for text in TEXTS]
    texts = [text.replace("#", "₸") for _ in (26, 32) for text in TEXTS]
    return [FeatureLine(seen, text) for seen, text in zip(lower.sight.features(crops), texts, strict=True)]


@pytest.fixture(scope="module")
def rendered(lower: Lower) -> list[FeatureLine]:
    texts = ["Hotel 512", "No. 3 Street", "Milk Bread", "8 of 19", "Anna Berger", "call 77"]
    seen = lower.sight.features([printed(text, 28) for text in texts])
    return [FeatureLine(each, text, "en") for each, text in zip(seen, texts, strict=True)]


@pytest.fixture(scope="module")
def taught(lower: Lower, head: Head, lines: list[FeatureLine], rendered: list[FeatureLine]) -> Head:
    return train_below(lower, head.widened("₸"), lines, rendered, PLAN).head


def values_at(model: onnx.ModelProto, names: list[str], pixels: np.ndarray) -> list[np.ndarray]:
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    shown.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    session = onnxruntime.InferenceSession(shown.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: pixels})


def logits_of(model: onnx.ModelProto, pixels: np.ndarray) -> np.ndarray:
    (features,) = values_at(model, [find_neck(model).leaving], pixels)
    return features


def test_the_neck_and_all_layers_give_in_torch_what_they_give_in_the_file(model: onnx.ModelProto) -> None:
    neck = find_neck(model)
    pixels = prepare(printed("Hamburg 42"))
    entering, leaving = values_at(model, [neck.entering, neck.leaving], pixels)
    assert entering.shape[1:3] == (384, 1)
    with torch.no_grad():
        from_neck = neck_module(model)(torch.from_numpy(entering)).numpy()
        from_pixels = whole_module(model)(torch.from_numpy(pixels)).numpy()
    assert np.abs(from_neck - leaving).max() < 1e-3 * np.abs(leaving).max()
    assert np.abs(from_pixels - leaving).max() < 1e-3 * np.abs(leaving).max()


def test_transformers_own_model_gives_the_logits_of_the_file(model: onnx.ModelProto, backbone: Backbone) -> None:
    native = NativeRecogniser(model)
    pixels = prepare(printed("Köln 17 & Сочи"))
    (expected,) = values_at(model, [find_neck(model).leaving], pixels)
    with torch.no_grad():
        features = native(torch.from_numpy(pixels)).numpy()
        probabilities = native.network(torch.from_numpy(pixels)).last_hidden_state.numpy()[0]
    original = backbone.original
    assert np.abs(features - expected).max() < 1e-3 * np.abs(expected).max()
    logits, wanted = (each[0] @ original.weights + original.bias for each in (features, expected))
    assert np.abs(logits - wanted).max() < 1e-2
    assert np.abs(probabilities - original.probabilities(expected[0])).max() < 1e-3


def test_what_transformers_model_holds_goes_back_into_the_file_unchanged(model: onnx.ModelProto) -> None:
    native = NativeRecogniser(model)
    own = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    back = native.tensors()
    assert sum(values.size for values in back.values()) > 2_900_000
    for name, values in back.items():
        assert np.allclose(values, own[name], atol=1e-6), name
    pixels = prepare(printed("Ulm 5"))
    with torch.no_grad():
        for part in native.network.head.encoder.conv_block[1].parameters():
            part.mul_(1.01)
        for part in native.network.model.backbone.encoder.blocks[0].blocks[0].channel_conv1.parameters():
            part.mul_(1.02)
        learned = native(torch.from_numpy(pixels)).numpy()
    assert np.abs(learned - logits_of(model, pixels)).max() > 0.01
    assert np.allclose(learned, logits_of(with_numbers(model, native.tensors()), pixels), atol=5e-3)


def test_training_lowers_the_loss_and_changes_the_neck_alone(lower: Lower, head: Head, taught: Head, lines, rendered):
    progress = train_below(lower, head.widened("₸"), lines, rendered, PLAN).curve
    assert progress[-1].loss < 0.5 * progress[0].loss
    assert taught.below
    assert set(taught.below) <= set(lower.module.tensors())
    wide = head.widened("₸")
    assert sum(line.text == wide.read(line.features).text for line in lower.seen(lines, wide)) == 0
    right = sum(line.text == taught.read(line.features).text for line in lower.seen(lines, taught))
    assert right >= 0.8 * len(lines)


def test_without_training_the_layers_are_as_they_came(lower: Lower, head: Head, backbone: Backbone) -> None:
    crop = printed("Bonn 9")
    seen = lower.seen([FeatureLine(lower.sight.features([crop])[0], "Bonn 9")], head)[0].features
    assert lower.taught() == {}
    assert np.abs(seen - backbone.features([crop])[0]).max() < 1e-3 * np.abs(seen).max()


@pytest.mark.parametrize("engine", ["rapidocr", "paddleocr"])
def test_both_libraries_read_with_what_was_taught(engine, taught: Head, backbone, onnx_file, tmp_path, lower: Lower):
    taught.save(tmp_path)
    again = Head.load(tmp_path)
    assert again.digest == taught.digest
    assert again.digest != replace(taught, below={}).digest
    crop = printed("Salt 31#")
    (expected,) = lower.seen([FeatureLine(lower.sight.features([crop])[0], "")], again)
    (exported,) = backbone.under(again).features([crop])
    assert np.abs(exported - expected.features).max() < 1e-3 * np.abs(exported).max()
    graft(onnx_file, again, tmp_path / "rec")
    reader = build_engine(engine, models_dir=None, threads=1, recogniser=tmp_path)
    assert reader.recognise([crop])[0].text == again.read(exported).text == "Salt 31₸"


def test_what_rendered_lines_do_not_bear_is_not_taken_over(lower: Lower, head: Head, taught: Head, rendered) -> None:
    wide = head.widened("₸")
    ruined = replace(taught, below={name: -3 * values for name, values in taught.below.items()})
    settled, share = interpolate_below(lower, head, wide, ruined, [rendered], 0.0)
    assert share < 1.0
    assert [settled.read(line.features).text for line in lower.seen(rendered, settled)] == [
        head.read(line.features).text for line in lower.seen(rendered, head)
    ]


def test_a_lesson_teaches_the_neck_with_the_head(lower: Lower, head: Head, lines, rendered) -> None:
    lesson = Lesson(lines, lambda numbers: (), rendered, rendered)
    learned = learn(head, head.widened("₸"), lesson, PLAN, 1.0, np.random.default_rng(0), lower=lower)
    assert learned.share == 1.0
    assert learned.head.below
    right = sum(line.text == learned.head.read(line.features).text for line in lower.seen(lines, learned.head))
    assert right >= 0.8 * len(lines)


def test_numbers_of_another_recogniser_are_refused(backbone: Backbone, head: Head, model: onnx.ModelProto) -> None:
    for below in ({"nothing": np.zeros(3, np.float32)}, {find_neck(model).entering: np.zeros(3, np.float32)}):
        with pytest.raises(RecogniserError, match="does not fit"):
            backbone.under(replace(head, below=below))
        with pytest.raises(RecogniserError, match="does not fit"):
            neck_module(model).take(below)


def small(*nodes: onnx.NodeProto, **numbers: np.ndarray) -> onnx.ModelProto:
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 1, "w"])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    tensors = [numpy_helper.from_array(values, name) for name, values in numbers.items()]
    graph = helper.make_graph(list(nodes), "small", [given], [made], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)])


def test_a_recogniser_without_a_neck_or_of_unknown_parts_is_a_clear_error() -> None:
    head = helper.make_node("MatMul", ["f", "w"], ["y"])
    weights = {"w": np.ones((2, 3), np.float32)}
    columns = helper.make_node("Transpose", ["s"], ["f"], perm=[0, 2, 1])
    squeezed = helper.make_node("Squeeze", ["x"], ["s"], axes=[2])
    with pytest.raises(RecogniserError, match="teach its head alone"):
        find_neck(small(squeezed, columns, head, **weights))
    strange = helper.make_node("Selu", ["s"], ["t"])
    pool = helper.make_node("MaxPool", ["x"], ["p"], kernel_shape=[1, 2], strides=[1, 2])
    nodes = (
        pool,
        helper.make_node("Squeeze", ["p"], ["s"], axes=[2]),
        strange,
        helper.make_node("Transpose", ["t"], ["f"], perm=[0, 2, 1]),
        head,
    )
    with pytest.raises(RecogniserError, match="Selu"):
        neck_module(small(*nodes, **weights))
    with pytest.raises(RecogniserError, match="not built as"):
        NativeRecogniser(
            small(pool, nodes[1], helper.make_node("Transpose", ["s"], ["f"], perm=[0, 2, 1]), head, **weights)
        )
