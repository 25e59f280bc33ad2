"""The recogniser that is meant is found, reads, and is measured on lines that nobody learned from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ml_backend.cli.main import main
from ml_backend.cli.recogniser import evaluate_recogniser, find_recogniser
from ml_backend.settings import Settings
from model.errors import ModelError, VersionError
from model.evaluation.extractor_gate import GateSettings
from model.ocr import build_engine
from model.ocr.files import recogniser_file
from model.recognition.backbone import Backbone
from model.recognition.head import FILE
from model.recognition.lines import FeatureLine
from model.recognition.replay import Rendered
from model.recognition.shipped import shipped_head
from model.registry.tracking import Tracking
from model.registry.versions import Registry
from tests.conftest import card_png
from tests.ml_backend.backend import RECTANGLES
from tests.ml_backend.learn.test_recogniser_training import Shop
from tests.model.extraction.checkpoints import save_checkpoint, tiny_model


@pytest.fixture
def settings(make_settings, tmp_path: Path) -> Settings:
    return make_settings(
        mlflow_tracking_uri=f"sqlite:///{tmp_path / 'mlflow.sqlite3'}",
        models_dir=tmp_path / "models",
        database_url=f"sqlite:///{tmp_path / 'store.sqlite3'}",
    )


def register(settings: Settings, folder: Path) -> None:
    tracking = Tracking(settings.tracking_uri, settings.models_dir)
    Registry(tracking).register(folder, 7, tracking.begin(7, 1, "made"), {})


def digits_only(folder: Path) -> Path:
    """A head of our own that knows no letters but "x"."""
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    shipped_head().narrowed("0123456789x ").save(folder)
    return folder


def test_shipped_versions_files_and_folders_are_found(settings: Settings, tmp_path: Path) -> None:
    folder = digits_only(tmp_path / "made")
    register(settings, folder)
    assert find_recogniser(settings, "shipped") is None
    found = find_recogniser(settings, "p7-v1")
    assert found is not None
    assert found.read_bytes() == (folder / FILE).read_bytes()
    name = Registry(Tracking(settings.tracking_uri, settings.models_dir)).versions(7)[0].name
    assert find_recogniser(settings, f"{name}.0123ab") == found
    (folder / FILE).unlink()
    register(settings, folder)
    with pytest.raises(VersionError, match="has no recogniser of its own"):
        find_recogniser(settings, "p7-v2")
    with pytest.raises(VersionError, match="no version 3"):
        find_recogniser(settings, "p7-v3")
    shipped_head().save(folder)
    assert find_recogniser(settings, str(folder)) == find_recogniser(settings, str(folder / FILE)) == folder / FILE


def test_what_is_no_recogniser_is_told(settings: Settings) -> None:
    with pytest.raises(VersionError, match='There is no recogniser "nothing"'):
        find_recogniser(settings, "nothing")


def test_read_reads_with_the_recogniser_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("OCR_ENGINE", "rapidocr")
    monkeypatch.setenv("RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("RECOGNISER_LANGUAGES", "latin")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "card.png").write_bytes(card_png("Room 4711", "Москва 5"))
    folder = digits_only(tmp_path / "made")
    arguments = ["read", "card.png", "--out", "lines.json"]
    assert main([*arguments, "--recogniser", str(folder)]) == 0
    (page,) = json.loads((tmp_path / "lines.json").read_text("utf-8")).values()
    assert "4711" in page["lines"][0]["text"]
    assert main([*arguments, "--recogniser", "p9-v9"]) == 1
    assert "no version 9" in capfd.readouterr().err


def test_a_version_is_measured_on_held_out_lines_on_others_and_on_rendered_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recogniser_file(None)
    assert path is not None
    backbone = Backbone(path, threads=1)
    shop = Shop(tmp_path, backbone)
    documents = [replace(document, tags=("O",)) for document in shop.documents[:6]]
    folder = save_checkpoint(tmp_path / "version", *tiny_model())
    features = backbone.features([shop.crops.crop(1, shop.crops.collect(1, documents)[0].key)])[0]
    services = replace(
        shop.services,
        reading=lambda _: SimpleNamespace(),  # type: ignore[arg-type]
        collector=lambda _: SimpleNamespace(collect=lambda *_: SimpleNamespace(examples=documents)),  # type: ignore[arg-type]
        rendered=lambda _: Rendered([], [], [FeatureLine(features, "Tea", "en")], []),
    )
    training = SimpleNamespace(
        recogniser=services,
        label_studio=SimpleNamespace(project=lambda _: SimpleNamespace(label_config=RECTANGLES)),
        gate=GateSettings(min_documents=1),
    )
    assert evaluate_recogniser(training, 1, folder) == 0  # type: ignore[arg-type]
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[-1] for row in rows[1:]] == ["3", "15", "1", "1"]
    assert evaluate_recogniser(replace_recogniser(training), 1, folder) == 1  # type: ignore[arg-type]


def replace_recogniser(training: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(**vars(training) | {"recogniser": None})


def test_a_damaged_head_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"broken")
    with pytest.raises(ModelError, match="no recogniser's head, or damaged"):
        build_engine("rapidocr", models_dir=None, threads=1, recogniser=tmp_path / FILE)
