"""A head reads, is cut down, widened, kept, and grafted into a file that both libraries load."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from model.errors import RecogniserError
from model.ocr import ENGINES, build_engine
from model.recognition.backbone import Backbone
from model.recognition.charset import DEFAULT_LANGUAGES, charset_of, readable
from model.recognition.context import Context
from model.recognition.graft import graft
from model.recognition.head import FILE, Head
from tests.model.recognition.conftest import printed

TEXTS = ("Anna Weber", "+49 30 1234567", "office@example.com", "TOTAL 12.80")


@pytest.fixture(scope="module")
def features(backbone):
    return backbone.features([printed(text) for text in TEXTS])


def test_original_and_shipped_head_read_plain_print(backbone, head, features):
    for one in (backbone.original, head):
        assert [one.read(part).text for part in features] == list(TEXTS)


def test_the_shipped_head_knows_latin_and_cyrillic_and_is_small(head, backbone):
    assert head.characters == charset_of(DEFAULT_LANGUAGES)
    assert head.backbone == backbone.digest
    assert head.weights.nbytes < 1_000_000


def test_scores_and_margin_say_how_sure_a_reading_is(head, features):
    reading = head.read(features[0])
    assert len(reading.character_scores) == len(reading.text)
    assert all(0 < score <= 1 for score in reading.character_scores)
    assert reading.score == pytest.approx(np.mean(reading.character_scores))
    noise = np.random.default_rng(0).normal(0, 1, features[0].shape).astype(np.float32) * 4
    assert 0 <= head.read(features[0] + noise).margin < reading.margin <= 1


def test_nothing_is_read_without_columns(head):
    reading = head.read(np.zeros((0, 120), np.float32))
    assert (reading.text, reading.score, reading.margin) == ("", 0.0, 0.0)


def test_the_margin_ignores_what_would_not_change_the_text():
    head = Head(np.eye(3, dtype=np.float32) * 10, np.zeros(3, np.float32), ("a", "b"), "x")
    unsure_where_a_letter_ends = np.array([[0, 1, 0], [0.5, 0.5, 0], [1, 0, 0]], np.float32)
    unsure_which = np.array([[0, 1, 0.98], [1, 0, 0], [1, 0, 0]], np.float32)
    assert head.read(unsure_where_a_letter_ends).margin > 0.9
    assert head.read(unsure_which).margin < 0.2


def test_a_narrowed_head_reads_the_same_with_fewer_classes(backbone, features):
    narrow = backbone.original.narrowed(charset_of(["latin"]))
    assert len(narrow.characters) < 400
    assert narrow.characters[-1] == " "
    assert [narrow.read(part).text for part in features] == list(TEXTS)


def test_a_widened_head_reads_the_same_until_it_has_learned(head, features):
    wide = head.widened("қәұ₸")
    assert wide.knows("қәұ₸")
    assert wide.characters[-1] == " "
    assert [wide.read(part).text for part in features] == list(TEXTS)
    assert head.widened("abc") is head


def test_new_characters_come_from_another_head_where_it_knows_them(head, backbone):
    wide = head.widened("Ω", source=backbone.original)
    number, old = wide.encode("Ω")[0], backbone.original.encode("Ω")[0]
    assert np.array_equal(wide.weights[:, number], backbone.original.weights[:, old])
    other = Head(backbone.original.weights, backbone.original.bias, backbone.original.characters, "another")
    with pytest.raises(RecogniserError, match="backbone"):
        head.widened("Ω", source=other)


def test_a_kept_head_comes_back_bit_by_bit(head, tmp_path):
    head.save(tmp_path)
    again = Head.load(tmp_path)
    assert (again.digest, again.characters, again.temperature) == (head.digest, head.characters, head.temperature)
    before = (tmp_path / FILE).read_bytes()
    again.save(tmp_path / FILE)
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no head", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_damaged_head_is_named(content, tmp_path):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(RecogniserError, match=FILE):
        Head.load(tmp_path)


def test_a_head_that_does_not_fit_its_alphabet_is_refused():
    with pytest.raises(RecogniserError, match="alphabet"):
        Head(np.zeros((2, 3), np.float32), np.zeros(3, np.float32), ("a",), "x")


def test_both_libraries_read_a_grafted_file_as_the_head_does(onnx_file, head, features, tmp_path):
    wide = head.widened("қ")
    graft(onnx_file, wide, tmp_path / "rec")
    expected = [wide.read(part) for part in features]
    crops = [printed(text) for text in TEXTS]
    for name in ENGINES:
        read = build_engine(name, models_dir=tmp_path, threads=1).recognise(crops)
        assert [one.text for one in read] == [one.text for one in expected]
        assert [one.score for one in read] == pytest.approx([one.score for one in expected], abs=2e-3)
        assert [one.margin for one in read] == pytest.approx([one.margin for one in expected], abs=5e-3)


def test_a_grafted_file_has_the_backbone_that_it_was_put_onto(onnx_file, head, tmp_path):
    plain = replace(head, context=None)
    grafted = Backbone(graft(onnx_file, plain, tmp_path), 1)
    assert grafted.digest == plain.backbone
    assert grafted.original.characters == plain.characters


def test_a_head_over_other_features_cannot_be_grafted(onnx_file, tmp_path):
    with pytest.raises(RecogniserError, match="120"):
        graft(onnx_file, Head(np.zeros((7, 2), np.float32), np.zeros(2, np.float32), ("a",), "x"), tmp_path)


def test_a_charset_holds_the_languages_and_what_was_written_into_corrections():
    charset = charset_of(["cyrillic"], texts=["Қазақстан\u00a0№ 5", "e\u0301"])
    assert {"Қ", "қ", "№", "é", "ё", "Z", "7"} <= set(charset)
    assert charset[-1] == " "
    assert "\u00a0" not in charset
    assert list(charset[:-1]) == sorted(set(charset[:-1]))
    assert all(a != b for a, b in pairwise(charset))


def test_unknown_languages_are_refused_with_those_there_are():
    with pytest.raises(RecogniserError, match=r"klingon.*latin"):
        charset_of(["latin", "klingon"])


def test_texts_are_taught_in_nfc_with_plain_spaces():
    assert readable(" и\u0306од\u00a0\u200b1\t2 ") == "йод 1 2"


def test_a_layer_that_looks_at_neighbours_works_alike_in_the_file(onnx_file, head, features, tmp_path):
    rng = np.random.default_rng(0)
    layer = Context.fresh(120, 8, 16, 9, rng)
    layer = replace(layer, outer=rng.normal(0, 0.1, layer.outer.shape).astype(np.float32))
    looking = replace(head, context=layer)
    assert looking.digest != head.digest
    looking.save(tmp_path)
    assert Head.load(tmp_path).digest == looking.digest
    graft(onnx_file, looking, tmp_path / "rec")
    grafted = Backbone(tmp_path / "rec" / "inference.onnx", 1)
    crop = printed(TEXTS[0])
    assert np.allclose(grafted.features([crop])[0], looking.seen(features[0]), atol=1e-3)


def test_many_lines_are_read_together_as_each_alone(head, backbone):
    features = backbone.features([printed(text) for text in ("Anna Berger", "Room 12", "Сочи", "a.b@c.example")])
    features.insert(2, features[0][:0])
    alone = [head.read(line) for line in features]
    together = head.read_all(features)
    assert [reading.text for reading in together] == [reading.text for reading in alone] == head.texts(features)
    for one, other in zip(alone, together, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-3)
        assert one.margin == pytest.approx(other.margin, abs=1e-3)
    assert head.texts([]) == head.read_all([]) == []
