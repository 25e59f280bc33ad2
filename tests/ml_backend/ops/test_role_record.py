"""A role is noted where its health check finds it."""

import os

import pytest

from ml_backend.ops import role_record as record
from ml_backend.ops.role_record import RoleError, RoleRecord, note_role, noted_role


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(record.tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_was_noted_last_is_found(folder):
    assert noted_role() is None
    note_role(RoleRecord("worker", 7))
    note_role(RoleRecord("api", os.getpid()))
    assert noted_role() == RoleRecord("api", os.getpid())


@pytest.mark.parametrize("content", ["", "{", "[]", '{"role": "cook", "pid": 1}', '{"role": "api"}', '{"pid": 1}'])
def test_a_damaged_note_is_said(folder, content):
    note_role(RoleRecord("api", 1))
    (note,) = folder.iterdir()
    note.write_text(content)
    with pytest.raises(RoleError, match="start the role again"):
        noted_role()


def test_a_folder_that_cannot_be_written_is_said(folder, monkeypatch):
    (folder / "file").write_text("")
    monkeypatch.setattr(record.tempfile, "tempdir", str(folder / "file"))
    with pytest.raises(RoleError, match="TMPDIR"):
        note_role(RoleRecord("api", 1))
