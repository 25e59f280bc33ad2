"""Where engines take their models from, and what they say when something is missing."""

import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import yaml

from model.errors import EngineError
from model.ocr import ENGINES, build_engine
from model.ocr.files import ModelFiles, ModelPair, find_models
from tests.model.ocr.printing import card


def save_recogniser(source, target, *, alphabet=True, note=""):
    """Copy a recogniser, with or without its alphabet, with a note in its metadata."""
    recogniser = onnx.load(source)
    kept = {entry.key: entry.value for entry in recogniser.metadata_props if alphabet}
    onnx.helper.set_model_props(recogniser, kept | ({"note": note} if note else {}))
    target.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(recogniser, target)


@pytest.fixture(scope="module")
def alphabet(wheel_models):
    recogniser = onnx.load(wheel_models / "PP-OCRv6_rec_small.onnx")
    return next(entry.value for entry in recogniser.metadata_props if entry.key == "character").splitlines()


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_starts_and_reads_without_network_and_without_a_word(name, tmp_path):
    program = """
import socket, sys
def refuse(*arguments): raise OSError("the network was asked for")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
from model.ocr import build_engine
from tests.model.ocr.printing import card
page = build_engine(sys.argv[1], models_dir=None, threads=1).read(card().image)
assert len(page.lines) == 7, page
"""
    done = subprocess.run(
        [sys.executable, "-c", program, name],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_recogniser_of_ones_own_takes_the_place_of_the_one_that_ships(engine, wheel_models, tmp_path):
    name = engine.version.split("-")[0]
    save_recogniser(wheel_models / "PP-OCRv6_rec_small.onnx", tmp_path / "rec" / "inference.onnx", note="trained again")
    own = build_engine(name, models_dir=tmp_path, threads=1)
    assert own.version != engine.version
    assert own.version.rsplit("-", 1)[0] == engine.version.rsplit("-", 1)[0]
    # The head that ships is another one, as sure or surer; what stands where does not change.
    assert [(line.text, line.polygon) for line in own.read(card().image).lines] == [
        (line.text, line.polygon) for line in engine.read(card().image).lines
    ]


@pytest.mark.parametrize("name", ENGINES)
def test_models_in_paddleocrs_own_layout_are_read(name, wheel_models, alphabet, tmp_path):
    (tmp_path / "det").mkdir()
    shutil.copy(wheel_models / "PP-OCRv6_det_small.onnx", tmp_path / "det" / "inference.onnx")
    save_recogniser(wheel_models / "PP-OCRv6_rec_small.onnx", tmp_path / "rec" / "inference.onnx", alphabet=False)
    description = {
        "Global": {"model_name": "PP-OCRv6_small_rec"},
        "PreProcess": {
            "transform_ops": [
                {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                {"RecResizeImg": {"image_shape": [3, 48, 320]}},
            ]
        },
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": alphabet},
    }
    (tmp_path / "rec" / "inference.yml").write_text(yaml.safe_dump(description, allow_unicode=True), "utf-8")
    own = build_engine(name, models_dir=tmp_path, threads=1)
    assert sorted(word.text for word in own.read(card().image).words) == sorted(card().texts)


def test_an_unknown_engine_is_refused_with_the_names_of_those_there_are():
    with pytest.raises(EngineError, match=r"tesseract.*paddleocr, rapidocr"):
        build_engine("tesseract", models_dir=None)


@pytest.mark.parametrize("name", ENGINES)
def test_a_folder_without_models_is_named_with_the_remedy(name, tmp_path):
    with pytest.raises(EngineError) as caught:
        build_engine(name, models_dir=tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in str(caught.value)
    assert "OCR_MODELS_DIR" in str(caught.value)


@pytest.mark.parametrize("part", ["det", "rec"])
def test_a_part_without_its_model_is_named(part, tmp_path):
    (tmp_path / part).mkdir()
    with pytest.raises(EngineError) as caught:
        find_models(tmp_path)
    assert str(tmp_path / part / "inference.onnx") in str(caught.value)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("part", ["det", "rec"])
def test_a_damaged_model_is_an_engine_error_that_names_it(name, part, tmp_path):
    (tmp_path / part).mkdir()
    (tmp_path / part / "inference.onnx").write_bytes(b"no model")
    with pytest.raises(EngineError) as caught:
        build_engine(name, models_dir=tmp_path)
    assert str(tmp_path / part / "inference.onnx") in str(caught.value)


@pytest.mark.parametrize("name", ENGINES)
def test_a_recogniser_without_an_alphabet_is_an_engine_error_with_the_remedy(name, wheel_models, tmp_path):
    save_recogniser(wheel_models / "PP-OCRv6_rec_small.onnx", tmp_path / "rec" / "inference.onnx", alphabet=False)
    with pytest.raises(EngineError, match=r"inference\.yml"):
        build_engine(name, models_dir=tmp_path)


@pytest.mark.parametrize("content", ["", "a: [", "- 1", "PreProcess: {}", b"\xff\xfe"])
def test_a_description_that_describes_nothing_is_an_engine_error_that_names_it(content, tmp_path):
    path = tmp_path / "inference.yml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(EngineError, match=r"inference\.yml"):
        ModelFiles(tmp_path / "inference.onnx", path).describe()


def test_the_alphabet_is_read_from_the_model(wheel_models, alphabet):
    files = ModelFiles(wheel_models / "PP-OCRv6_rec_small.onnx", None)
    assert files.charset() == alphabet
    assert {"A", "z", "0", "@", "ü"} <= set(files.charset())


def test_the_digest_follows_the_content_of_both_models_and_not_their_place(tmp_path):
    def pair(folder, detector=b"d", recogniser=b"r", description=None):
        folder = tmp_path / folder
        folder.mkdir()
        for name, content in (("d", detector), ("r", recogniser)):
            (folder / name).write_bytes(content)
        if description:
            (folder / "y").write_bytes(description)
        return ModelPair(
            ModelFiles(folder / "d", None), ModelFiles(folder / "r", folder / "y" if description else None)
        ).digest()

    first = pair("one")
    assert len(first) == 8
    assert pair("two") == first
    others = [pair("three", detector=b"D"), pair("four", recogniser=b"R"), pair("five", description=b"y")]
    assert len({first, *others}) == 4
