"""Whatever alphabet a recogniser has, those that read its files read that alphabet."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from paddlex.inference.utils.io import YAMLReader
from rapidocr.ch_ppocr_rec.utils import CTCLabelDecode

from model.errors import RecogniserError
from model.ocr.files import ModelFiles
from model.ocr.paddle import _describe_recogniser, _lay_out
from model.recognition.backbone import Backbone
from model.recognition.charset import charset_of
from model.recognition.graft import graft
from model.recognition.head import Head

AWKWARD = "😀𠮷\U0010ffff\ufeff\ufffe\u0378\ud7ff~=1-#'\"\\&*!|>%@`{}[],:?nNyY"

CHARACTERS = st.lists(st.text(min_size=1, max_size=1), max_size=40, unique=True)
WORDS = st.sampled_from(["null", "yes", "1e3", "- a", "é", "\U0001f468\u200d\U0001f469"])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A file with a CTC head over three features and nothing below."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("Relu", ["x"], ["features"]),
            helper.make_node("MatMul", ["features", "w"], ["product"]),
            helper.make_node("Add", ["product", "b"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["y"], axis=2),
        ],
        "tiny",
        [helper.make_tensor_value_info("x", kind, [1, "columns", 3])],
        [helper.make_tensor_value_info("y", kind, [1, "columns", 3])],
        [
            onnx.numpy_helper.from_array(np.ones((3, 3), np.float32), "w"),
            onnx.numpy_helper.from_array(np.zeros(3, np.float32), "b"),
        ],
    )
    path = tmp_path_factory.mktemp("tiny") / "inference.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def head_of(characters):
    return Head(
        np.ones((3, len(characters) + 1), np.float32), np.zeros(len(characters) + 1, np.float32), tuple(characters), "x"
    )


def read_by_all(files):
    """Return the alphabet as this project, PaddleX and RapidOCR read it."""
    by_paddle = YAMLReader().read(str(files.description))["PostProcess"]["character_dict"]
    carried = files.metadata().get("character", "")
    by_rapid = CTCLabelDecode(character=carried.splitlines()).character[1:-1] if carried else []
    return [files.charset(), by_paddle, by_rapid, files.describe()["PostProcess"]["character_dict"]]


@settings(max_examples=40, deadline=None)
@given(texts=CHARACTERS, words=st.lists(WORDS, max_size=3, unique=True))
def test_a_grafted_alphabet_is_read_as_it_was_written(tiny, tmp_path_factory, texts, words):
    wanted = [c for c in (*charset_of([], texts=texts), *words) if c != " "]
    head = head_of([*dict.fromkeys(wanted), " "])
    folder = tmp_path_factory.mktemp("rec")
    head.save(folder)
    kept = Head.load(folder)
    assert kept.characters == head.characters

    onnx_file = graft(tiny, kept, folder)

    for alphabet in read_by_all(ModelFiles(onnx_file, onnx_file.with_name("inference.yml"))):
        assert alphabet == list(head.characters[:-1])
    assert Backbone(onnx_file, 1).original.characters == head.characters


@pytest.mark.parametrize("characters", [AWKWARD, "".join(map(chr, range(0x20000, 0x20400)))], ids=["awkward", "many"])
def test_a_file_without_a_description_gets_one_with_its_alphabet(tiny, tmp_path, characters):
    model = onnx.load(tiny)
    onnx.helper.set_model_props(model, {"character": "\n".join(characters)})
    onnx.save(model, tmp_path / "own.onnx")

    laid_out = _lay_out(tmp_path, ModelFiles(tmp_path / "own.onnx", None), "recogniser", _describe_recogniser)

    folder = tmp_path / str(laid_out.name)
    for alphabet in read_by_all(ModelFiles(folder / "inference.onnx", folder / "inference.yml")):
        assert alphabet == list(characters)
    assert yaml.safe_load((folder / "inference.yml").read_text("ascii"))["Global"]["model_name"] == "recogniser"


@pytest.mark.parametrize("character", ["\n", "\x85", "\u2028", "\x0b", "a\nb", ""])
def test_an_alphabet_that_no_engine_could_read_is_refused(tiny, tmp_path, character):
    with pytest.raises(RecogniserError, match="line breaks"):
        graft(tiny, head_of(["a", character, " "]), tmp_path)


def test_half_a_character_is_never_learned():
    charset = charset_of([], texts=["a\ud83db", "😀"])
    assert "😀" in charset
    "".join(charset).encode("utf-8")
