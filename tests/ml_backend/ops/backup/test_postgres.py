"""A store on PostgreSQL goes into the same file, through PostgreSQL's own programs."""

import os
import tarfile

import pytest
from sqlalchemy import make_url

from ml_backend.ops.backup import postgres
from ml_backend.ops.backup.contents import BackupError
from ml_backend.ops.backup.restoring import restore_backup
from ml_backend.ops.backup.writing import write_backup
from ml_backend.ops.data_lock import InUseError, alone, shared
from ml_backend.ops.using import using_data
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from tests.ml_backend.ops.backup.test_backup import PROJECT, fill, settings_in


@pytest.fixture
def backed_up(make_settings, empty_postgres, tmp_path):
    """The address of a database that was filled and backed up, and the backup."""
    folder = tmp_path / "here"
    folder.mkdir()
    fill(folder, empty_postgres)
    file = tmp_path / "backup.tar.gz"
    header = write_backup(settings_in(make_settings, folder, database_url=empty_postgres), file)
    assert header.store == "postgresql"
    return empty_postgres, file


def test_a_store_comes_back_in_its_own_database_with_what_was_in_it(backed_up, make_settings, tmp_path):
    url, file = backed_up
    there = settings_in(make_settings, tmp_path / "there", database_url=url)
    store = Store(url)
    store.add_event({"made": "since"}, action="TASKS_CREATED", project_id=PROJECT)
    with pytest.raises(BackupError, match="the store has rows"):
        restore_backup(there, file)
    assert len(store.pending_events()) == 2
    store.close()
    restore_backup(there, file, force=True)
    store = Store(url)
    assert [event.action for event in store.pending_events()] == ["ANNOTATION_CREATED"]
    assert LearningStore(store.engine).project(PROJECT).sync_asked
    # Numbers go on where they were.
    assert store.add_event({"a": 1}, action="TASKS_CREATED", project_id=PROJECT).id == 2
    store.close()


def test_a_store_is_restored_into_a_database_of_its_kind_only(backed_up, make_settings, tmp_path):
    _, file = backed_up
    with pytest.raises(BackupError, match="store is postgresql, and DATABASE_URL names sqlite"):
        restore_backup(settings_in(make_settings, tmp_path / "there"), file)


def test_where_the_dump_cannot_be_read_nothing_has_changed(backed_up, tmp_path):
    url, file = backed_up
    with tarfile.open(file) as archive:
        content = archive.extractfile("store").read()
    damaged = tmp_path / "damaged"
    damaged.write_bytes(content[: len(content) // 2])
    with pytest.raises(BackupError, match="pg_restore failed"):
        postgres.restore(make_url(url), damaged)
    store = Store(url)
    assert len(store.pending_events()) == 1
    store.close()


def test_the_password_is_no_argument_and_in_no_message(monkeypatch, tmp_path):
    """A program that shows its arguments and fails stands in for ``pg_dump``: the real one is tested above."""
    program = tmp_path / "pg_dump"
    program.write_text('#!/bin/sh\necho "$@" "password=$PGPASSWORD" > "$0.seen"\necho "no server" >&2\nexit 1\n')
    program.chmod(0o700)
    monkeypatch.setattr(postgres, "_find", lambda _: program)
    address = make_url("postgresql+psycopg://backend:a-password@127.0.0.1:1/backend")
    with pytest.raises(BackupError) as told:
        postgres.dump(address, tmp_path / "dump")
    arguments, _, password = (tmp_path / "pg_dump.seen").read_text().partition("password=")
    assert password.strip() == "a-password"
    assert "a-password" not in arguments
    assert "postgresql://backend@127.0.0.1:1/backend" in arguments
    assert str(told.value) == "pg_dump failed: no server"
    assert "PGPASSWORD" not in os.environ


def test_roles_on_other_machines_keep_a_restore_away(backed_up, make_settings, tmp_path):
    """Each machine has a run folder of its own: what they share is the server."""
    url, file = backed_up
    there = settings_in(make_settings, tmp_path / "there", database_url=url)
    with (
        shared(tmp_path / "another machine", "worker", there.store_url),
        pytest.raises(InUseError, match=r"in use by: worker \("),
    ):
        restore_backup(there, file, force=True)
    restore_backup(there, file, force=True)
    with (
        alone(tmp_path / "another machine", there.store_url),
        pytest.raises(InUseError, match="being restored at this moment"),
        shared(tmp_path / "there", "worker", there.store_url, patience=0.1),
    ):
        pass


def test_a_store_that_lacks_a_table_is_refused_before_anything_is_touched(make_settings, empty_postgres, tmp_path):
    folder, file = tmp_path / "here", tmp_path / "backup.tar.gz"
    folder.mkdir()
    fill(folder, empty_postgres)
    settings = settings_in(make_settings, folder, database_url=empty_postgres)
    store = Store(settings.store_url)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE events RENAME TO kept")
    write_backup(settings, file)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE kept RENAME TO events")
    with pytest.raises(BackupError, match="lacks events"):
        restore_backup(settings, file, force=True)
    assert len(store.pending_events()) == 1
    with store.engine.connect() as connection:
        tried = "SELECT count(*) FROM pg_database WHERE datname LIKE 'restoring_%%'"
        assert connection.exec_driver_sql(tried).scalar() == 0
    store.close()


def test_a_swap_that_was_cut_off_is_finished_by_the_next_start(backed_up, make_settings, tmp_path, monkeypatch):
    url, file = backed_up
    there = settings_in(make_settings, tmp_path / "there", database_url=url)
    with Store(url).engine.begin() as connection:
        connection.exec_driver_sql("UPDATE events SET action = 'NEWER'")

    def killed(_address, _path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(postgres, "restore", killed)
        patched.setattr("ml_backend.ops.backup.restoring.rehearse", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            restore_backup(there, file, force=True)
    with using_data(there, "api"):
        store = Store(url)
        assert [event.action for event in store.pending_events()] == ["ANNOTATION_CREATED"]
        store.close()
