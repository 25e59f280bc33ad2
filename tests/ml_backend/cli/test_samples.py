"""The commands that bring annotations in and samples out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml_backend.cli.main import main
from ml_backend.cli.samples import conll_lines
from ml_backend.label_studio.fields import FieldNames
from ml_backend.learn.dataset import Collected, LabelledDocument
from model.document.types import Box, Line, Page, Word
from tests.ml_backend.backend import RECTANGLES
from tests.ml_backend.label_studio.local_server import LocalServer, Request, as_json, running
from tests.ml_backend.label_studio.results import region
from tests.ml_backend.learn.test_sample_io import picture

TIME = "2026-05-01T12:00:00.000000Z"
DATA = {"image": "/data/upload/1/card.png"}


@pytest.fixture
def label_studio(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LocalServer]:
    """One project with one annotated task."""
    annotation = {
        "id": 10,
        "task": 5,
        "result": region("a", (98, 48, 325, 82), "Maria Petrova", "NAME"),
        "completed_by": 1,
        "was_cancelled": False,
        "created_at": TIME,
        "updated_at": TIME,
    }
    task = {"id": 5, "data": DATA, "annotations": [annotation], "predictions": [], "annotations_ids": "10"}

    def tasks(request: Request) -> object:
        after = next(
            item["value"]
            for item in json.loads(request.query["query"])["filters"]["items"]
            if item["filter"] == "filter:tasks:id"
        )
        return as_json({"tasks": [task] if after < 5 else []})

    with running() as server:
        server.routes["/api/projects/1/"] = as_json(
            {"id": 1, "title": "cards", "label_config": RECTANGLES, "task_number": 1}
        )
        server.routes["/api/tasks/"] = tasks  # type: ignore[assignment]
        picture_answer = as_json({})
        picture_answer.body, picture_answer.headers = picture(), {"Content-Type": "image/png"}
        server.routes["/data/upload/1/card.png"] = picture_answer
        for name, value in {
            "LABEL_STUDIO_URL": server.url,
            "LABEL_STUDIO_API_KEY": "legacy-token",
            "RUN_DIR": str(tmp_path / "run"),
            "TRAINING_DATA_DIR": str(tmp_path / "data"),
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield server


def test_sync_says_what_it_found(label_studio: LocalServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", "1"]) == 0
    assert "project 1: 1 annotations new or changed, 0 deleted, 0 events answered" in capsys.readouterr().out
    assert main(["sync"]) in {0, 1}
    assert main(["sync", "1"]) == 0
    assert "project 1: 0 annotations new or changed" in capsys.readouterr().out


def test_a_project_that_does_not_exist_is_an_error(
    label_studio: LocalServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["sync", "2"], ["collect", "2"]):
        assert main(command) == 1
        assert "did not give project 2" in capsys.readouterr().err


def test_what_is_collected_can_be_imported(
    label_studio: LocalServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["collect", "1"]) == 0
    written = tmp_path / "data" / "1" / "samples.jsonl"
    assert f"1 samples are in {written}." in capsys.readouterr().out
    assert main(["import", "1", str(written)]) == 0
    assert "0 samples were taken. 1 are annotated in Label Studio already." in capsys.readouterr().out
    elsewhere = written.with_name("elsewhere.jsonl")
    sample = json.loads(written.read_text(encoding="utf-8")) | {"project_id": 7}
    elsewhere.write_text(json.dumps(sample) + "\nnot a sample\n", encoding="utf-8")
    assert main(["import", "1", str(elsewhere)]) == 1
    said = capsys.readouterr()
    assert "1 samples were taken." in said.out
    assert "line 2: it is not JSON" in said.err


def test_without_a_label_studio_the_commands_say_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUN_DIR", str(tmp_path))
    monkeypatch.setenv("LABEL_STUDIO_URL", "")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "")
    assert main(["sync", "1"]) == 1
    assert "Set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY" in capsys.readouterr().err


def test_words_are_exported_with_boxes_and_tags() -> None:
    words = (Word("Maria", Box(10, 20, 60, 40), 0.9), Word("Engineer", Box(70, 20, 150, 40), 0.9))
    page = Page(400, 300, (Line("Maria Engineer", Box(10, 20, 150, 40).polygon(), 0.9, words),))
    example = LabelledDocument(5, 10, "image", "key", page, ("B-NAME", "O"), ())
    lines = list(conll_lines(Collected((example,), (), {5: "digest"}, FieldNames({}, {}))))
    assert lines == [
        "# task 5\timage key\t400\t300\n",
        "Maria\t10.00\t20.00\t60.00\t40.00\tB-NAME\n",
        "Engineer\t70.00\t20.00\t150.00\t40.00\tO\n",
        "\n",
    ]
