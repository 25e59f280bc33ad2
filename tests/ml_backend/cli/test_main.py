import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ml_backend.cli.document_files import find_images
from ml_backend.cli.main import main, write_json
from ml_backend.settings import Settings
from tests.conftest import FIELDS, card_png, print_card
from tests.model.extraction.checkpoints import save_checkpoint, tiny_model
from tests.paged import paged

ROOT = Path(__file__).parents[3]


@pytest.fixture
def quiet_settings(monkeypatch, tmp_path):
    """Run in an empty folder, without settings in the environment but for the quick engine."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OCR_ENGINE", "rapidocr")
    monkeypatch.setenv("INFERENCE_THREADS", "1")


@pytest.fixture
def cards(tmp_path):
    """A folder with two cards, one of them deeper, and a text."""
    folder = tmp_path / "cards"
    (folder / "more").mkdir(parents=True)
    (folder / "one.png").write_bytes(card_png("Rose Garden", "rose@example.com"))
    (folder / "more" / "two.PNG").write_bytes(card_png("Tulip Field"))
    (folder / "notes.txt").write_text("no image")
    return folder


def test_read_writes_the_lines_of_every_image(quiet_settings, cards, tmp_path, capfd):
    assert main(["read", str(cards), "--out", str(tmp_path / "out" / "lines.json")]) == 0
    pages = json.loads((tmp_path / "out" / "lines.json").read_text("utf-8"))
    assert sorted(pages) == ["more/two.PNG", "one.png"]
    page = pages["one.png"]
    assert (page["width"], page["height"]) == (640, 300)
    assert [line["text"] for line in page["lines"]] == ["Rose Garden", "rose@example.com"]
    for line in page["lines"]:
        assert set(line) == {"text", "score", "polygon"}
        assert 0.8 < line["score"] <= 1
        assert len(line["polygon"]) == 4
        assert all(0 <= x <= 640 and 0 <= y <= 300 for x, y in line["polygon"])
    out, err = capfd.readouterr()
    assert out == ""
    assert "2/2" in err


def test_predict_writes_the_fields_of_every_image(quiet_settings, cards, tmp_path, monkeypatch):
    monkeypatch.setenv("EXTRACTOR_DIR", str(save_checkpoint(tmp_path / "tiny", *tiny_model(FIELDS))))
    assert main(["predict", str(cards / "one.png"), "--out", str(tmp_path / "fields.json")]) == 0
    fields = json.loads((tmp_path / "fields.json").read_text("utf-8"))
    assert list(fields) == ["one.png"]
    for value in fields["one.png"]:
        assert set(value) == {"field", "text", "score", "boxes"}
        assert value["field"] in FIELDS
        assert 0 <= value["score"] <= 1
        assert value["boxes"]
        for x0, y0, x1, y1 in value["boxes"]:
            assert 0 <= x0 < x1 <= 640
            assert 0 <= y0 < y1 <= 300


def test_documents_are_read_page_by_page(quiet_settings, tmp_path, capfd, monkeypatch):
    pages = [print_card([f"Sheet {number}"], size=(360, 160)) for number in (1, 2)]
    (tmp_path / "docs").mkdir()
    for kind in ("PDF", "TIFF"):
        (tmp_path / "docs" / f"two.{kind.lower()}").write_bytes(paged(pages, kind))
    assert main(["read", str(tmp_path / "docs"), "--out", str(tmp_path / "lines.json")]) == 0
    found = json.loads((tmp_path / "lines.json").read_text("utf-8"))
    assert sorted(found) == ["two.pdf", "two.tiff"]
    for document in found.values():
        assert [(page["page"], page["width"], page["height"]) for page in document["pages"]] == [
            (1, 360, 160),
            (2, 360, 160),
        ]
        assert [[line["text"] for line in page["lines"]] for page in document["pages"]] == [["Sheet 1"], ["Sheet 2"]]

    monkeypatch.setenv("EXTRACTOR_DIR", str(save_checkpoint(tmp_path / "tiny", *tiny_model(FIELDS))))
    assert main(["predict", str(tmp_path / "docs" / "two.pdf"), "--out", str(tmp_path / "fields.json")]) == 0
    for value in json.loads((tmp_path / "fields.json").read_text("utf-8"))["two.pdf"]:
        assert set(value) == {"field", "text", "score", "boxes", "page"}
        assert value["page"] in (1, 2)

    monkeypatch.setenv("MAX_PAGES", "1")
    assert main(["read", str(tmp_path / "docs"), "--out", str(tmp_path / "lines.json")]) == 1
    assert "more than 1 pages, the limit (MAX_PAGES)" in capfd.readouterr().err


def test_predict_gives_the_fields_that_are_asked_for_under_these_names(quiet_settings, cards, tmp_path, monkeypatch):
    monkeypatch.setenv("EXTRACTOR_DIR", str(save_checkpoint(tmp_path / "tiny", *tiny_model(FIELDS))))
    asked = ["--fields", "TEL, Firma", "--out", str(tmp_path / "fields.json")]
    assert main(["predict", str(cards), *asked]) == 0
    pages = json.loads((tmp_path / "fields.json").read_text("utf-8"))
    assert {value["field"] for values in pages.values() for value in values} <= {"TEL", "Firma"}


def test_predict_says_which_field_it_does_not_know(quiet_settings, cards, tmp_path, capfd):
    assert main(["predict", str(cards), "--fields", "TEL,Logo", "--out", str(tmp_path / "fields.json")]) == 1
    assert "no field for Logo" in capfd.readouterr().err
    assert not (tmp_path / "fields.json").exists()


def test_a_broken_image_is_reported_and_the_rest_goes_on(quiet_settings, cards, tmp_path, capfd):
    (cards / "broken.jpg").write_bytes(b"no image")
    missing = tmp_path / "missing.png"
    assert main(["read", str(cards), str(missing), "--out", str(tmp_path / "lines.json")]) == 1
    assert sorted(json.loads((tmp_path / "lines.json").read_text())) == ["more/two.PNG", "one.png"]
    err = capfd.readouterr().err
    assert f"{cards / 'broken.jpg'}: The file is no image that is read: PNG" in err
    assert f"{missing}: No such file" in err
    assert "2 of 4 images failed" in err


def test_an_image_above_the_limit_fails_alone(quiet_settings, cards, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("MAX_IMAGE_BYTES", str((cards / "one.png").stat().st_size - 1))
    assert main(["read", str(cards), "--out", str(tmp_path / "lines.json")]) == 1
    assert list(json.loads((tmp_path / "lines.json").read_text())) == ["more/two.PNG"]
    assert "MAX_IMAGE_BYTES" in capfd.readouterr().err


def test_without_images_nothing_is_written(quiet_settings, tmp_path, capfd):
    (tmp_path / "empty").mkdir()
    assert main(["read", str(tmp_path / "empty"), "--out", str(tmp_path / "lines.json")]) == 1
    assert not (tmp_path / "lines.json").exists()
    assert "no image" in capfd.readouterr().err


def test_models_that_are_missing_are_one_clear_line(quiet_settings, cards, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("OCR_MODELS_DIR", str(tmp_path / "nowhere"))
    assert main(["read", str(cards), "--out", str(tmp_path / "lines.json")]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert str(tmp_path / "nowhere") in line


def test_a_setting_that_cannot_be_used_is_named(quiet_settings, cards, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("PORT", "many")
    assert main(["read", str(cards), "--out", str(tmp_path / "lines.json")]) == 2
    assert capfd.readouterr().err.startswith("PORT: ")


@pytest.mark.parametrize("arguments", [[], ["read"], ["read", "card.png"], ["predict", "--out", "x.json"], ["dance"]])
def test_arguments_that_are_missing_or_unknown_are_refused(arguments, capfd):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capfd.readouterr().err


def test_the_module_answers_for_help_without_loading_models():
    program = (
        "import sys, runpy; sys.argv = ['ml_backend', '--help']\n"
        "try: runpy.run_module('ml_backend', run_name='__main__')\n"
        "except SystemExit as done: assert done.code == 0\n"
        "assert not {'torch', 'onnxruntime', 'paddleocr', 'rapidocr', 'flask'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    assert all(command in done.stdout for command in ("run", "predict", "read"))


def test_files_of_the_same_name_in_two_folders_keep_apart(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "card.png").touch()
    found = dict(find_images([tmp_path / "a", tmp_path / "b"]))
    assert found == {
        "card.png": tmp_path / "a" / "card.png",
        (tmp_path / "b" / "card.png").as_posix(): tmp_path / "b" / "card.png",
    }


def test_a_file_that_is_named_twice_is_taken_once(tmp_path):
    (tmp_path / "card.png").touch()
    assert list(find_images([tmp_path / "card.png", tmp_path, tmp_path / "card.png"])) == [
        ("card.png", tmp_path / "card.png")
    ]


def test_a_named_file_is_taken_whatever_its_suffix_but_not_from_a_folder(tmp_path):
    (tmp_path / "scan.dat").touch()
    assert [name for name, _ in find_images([tmp_path / "scan.dat"])] == ["scan.dat"]
    assert list(find_images([tmp_path])) == []


def test_a_folder_gives_every_image_and_what_is_left_out_is_named(tmp_path):
    names = ["a.gif", "b.AVIF", "c.jp2", "d.heic", "e.jfif", "f.jpe", "g.webp", "h.tif", "i.bmp", "j.png", "k.pdf"]
    for name in (*names, "notes.txt", "film.mp4", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "card").write_bytes(card_png("Ada"))
    left_out = []
    assert [name for name, _ in find_images([tmp_path], left_out.append)] == sorted([*names, "below/card"])
    assert left_out == [tmp_path / "film.mp4", tmp_path / "notes.txt"]


def test_a_result_replaces_the_old_one_at_once_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "deep" / "result.json"
    write_json(path, {"name": "Zoë"})
    write_json(path, {"name": "Ötzi"})
    assert "Ötzi" in path.read_text("utf-8")
    assert list(path.parent.iterdir()) == [path]


def test_a_result_has_the_rights_of_any_new_file(tmp_path):
    write_json(tmp_path / "result.json", [])
    (tmp_path / "other").touch()
    assert stat.S_IMODE((tmp_path / "result.json").stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_a_result_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "result.json"
    write_json(path, {"old": 1})
    with pytest.raises(TypeError):
        write_json(path, {"new": object()})
    assert json.loads(path.read_text()) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_said(quiet_settings, cards, tmp_path, capfd):
    (tmp_path / "file").touch()
    assert main(["read", str(cards / "one.png"), "--out", str(tmp_path / "file" / "lines.json")]) == 1
    assert "cannot be written" in capfd.readouterr().err
