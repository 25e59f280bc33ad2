"""Everything into one file and back, on another folder, with the loop going on there."""

import errno
import gzip
import io
import json
import sqlite3
import subprocess
import sys
import tarfile
import threading
from contextlib import closing

import pytest

from ml_backend import __version__
from ml_backend.cli.main import main
from ml_backend.errors import BackendError
from ml_backend.learn.training_run import train
from ml_backend.ops.backup import swapping
from ml_backend.ops.backup.contents import BackupError
from ml_backend.ops.backup.restoring import restore_backup
from ml_backend.ops.backup.swapping import DRAFT
from ml_backend.ops.backup.writing import write_backup
from ml_backend.ops.locks import FilesBusyError, housekeeping
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from model.extraction.extractor import Extractor
from model.registry.tracking import RUN_TAG
from tests.ml_backend.learn.test_training_run import PROJECT, Bench


def settings_in(make_settings, folder, **values):
    return make_settings(
        **{
            "run_dir": folder,
            "models_dir": folder / "models",
            "training_data_dir": folder / "training_data",
            "api_token": "a token that is long",
        }
        | values
    )


def fill(folder, url=None):
    """Write what a small system writes, but for versions."""
    store = Store(url or f"sqlite:///{folder / 'store.sqlite3'}")
    LearningStore(store.engine).ask_sync(PROJECT)
    event = store.add_event({"action": "ANNOTATION_CREATED"}, action="ANNOTATION_CREATED", project_id=PROJECT)
    store.close()
    for name, content in {
        "training_data/1/samples.jsonl": b'{"image": "images/a.png"}\n',
        "training_data/1/images/a.png": b"pixels",
        "lines/1/0123.png": b"a crop",
        "lines/1/0123.f.0.npy": b"computed from it",
        "models/fetched/p1-v1/model.bin": b"fetched from a server",
        "models/.draft": b"half of something",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return event


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder in which a run has made a version, which serves."""
    folder = tmp_path_factory.mktemp("trained")
    bench = Bench(folder)
    run = bench.runs.claim_run(bench.due())
    bench.runs.record_learned(run.id, {1: "0" * 64})
    tracked = bench.services.tracking.begin(PROJECT, run.id, "run")
    bench.registry.register(bench.services.shipped, PROJECT, tracked, {RUN_TAG: str(run.id)})
    tracked.end("FINISHED")
    bench.runs.finish(run.id, "finished", "promoted", 1)
    bench.services.versions.promote(PROJECT, 1, by="cli", reason="by hand")
    fill(folder)
    return folder


@pytest.fixture
def small(tmp_path):
    """A folder with a store and files, but no version."""
    folder = tmp_path / "small"
    folder.mkdir()
    fill(folder)
    return folder


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_what_is_restored_elsewhere_serves_and_learns_on(trained, make_settings, tmp_path):
    file, there = tmp_path / "backup.tar.gz", tmp_path / "there"
    header = write_backup(settings_in(make_settings, trained), file)
    assert (header.version, header.store, header.tracking) == (__version__, "sqlite", "sqlite")
    assert file.stat().st_mode & 0o077 == 0
    moved = trained.rename(trained.with_name("gone"))
    try:
        restore_backup(settings_in(make_settings, there), file)
        bench = Bench(there)
        champion = bench.registry.champion(PROJECT)
        assert (champion.number, champion.source.startswith(f"file://{there}/models")) == (1, True)
        folder = bench.registry.folder_of(champion)
        assert folder.is_relative_to(there)
        assert Extractor.load(folder).fields
        assert [each.version for each in bench.runs.promotions(PROJECT)] == [1]
        assert bench.runs.learned(PROJECT) == {1: "0" * 64}
        # The next run starts from the version, and its figures go where the others are.
        bench.annotated.count = 24
        # It has nothing to teach here, but goes through every stage, from the claim to the registry.
        assert train(bench.services, bench.due(), only_recogniser=True) == "kept"
        second = bench.registry.version(PROJECT, 2)
        assert bench.registry.folder_of(second).is_relative_to(there)
        assert bench.services.tracking.client().get_run(second.mlflow_run_id).data.params["base"] == champion.name
    finally:
        moved.rename(trained)


def test_files_come_back_but_for_what_can_be_made_again(small, make_settings, tmp_path):
    file, there = tmp_path / "backup.tar.gz", tmp_path / "there"
    write_backup(settings_in(make_settings, small), file)
    restore_backup(settings_in(make_settings, there), file)
    assert (there / "training_data/1/images/a.png").read_bytes() == b"pixels"
    assert (there / "lines/1/0123.png").read_bytes() == b"a crop"
    kept = {name for name in files_in(there) if not name.endswith("lock") and "sqlite3" not in name}
    assert kept == {"training_data/1/samples.jsonl", "training_data/1/images/a.png", "lines/1/0123.png"}
    store = Store(f"sqlite:///{there / 'store.sqlite3'}")
    assert [event.action for event in store.pending_events()] == ["ANNOTATION_CREATED"]
    assert LearningStore(store.engine).project(PROJECT).sync_asked
    store.close()


def test_no_secret_is_in_it_and_the_other_settings_are(small, make_settings, tmp_path):
    secrets = {"webhook_secret": "a secret that is long", "redis_url": "redis://:redis-password@127.0.0.1:1/0"}
    settings = settings_in(make_settings, small, retrain_after=7, **secrets)
    header = write_backup(settings, tmp_path / "backup.tar.gz")
    assert header.settings["RETRAIN_AFTER"] == "7"
    assert header.settings["REDIS_URL"] == "redis://:***@127.0.0.1:1/0"
    assert not {"WEBHOOK_SECRET", "API_TOKEN"} & header.settings.keys()
    content = gzip.decompress((tmp_path / "backup.tar.gz").read_bytes())
    for secret in (b"a secret that is long", b"redis-password", b"a token that is long"):
        assert secret not in content


def test_a_busy_store_is_copied_as_it_was_at_one_moment(small, make_settings, tmp_path):
    store, stop, written = Store(f"sqlite:///{small / 'store.sqlite3'}"), threading.Event(), []

    def write():
        while not stop.is_set():
            written.append(store.add_event({"n": len(written)}, action="TASKS_CREATED", project_id=PROJECT).id)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(written) < 20:
            stop.wait(0.01)
        # A backup is quick, and a busy machine may give the writer no turn while one is made.
        for number in range(100):
            before, backup = len(written), tmp_path / f"backup-{number}.tar.gz"
            write_backup(settings_in(make_settings, small), backup)
            after = len(written)
            if after > before:
                break
    finally:
        stop.set()
        writer.join()
        store.close()
    assert after > before
    restore_backup(settings_in(make_settings, tmp_path / "there"), backup)
    with closing(sqlite3.connect(tmp_path / "there/store.sqlite3")) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        numbers = [number for (number,) in copy.execute("SELECT id FROM events ORDER BY id")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert before <= len(numbers) - 1 <= len(written)


def test_what_is_there_is_replaced_only_where_that_is_said(small, make_settings, tmp_path):
    file = tmp_path / "backup.tar.gz"
    settings = settings_in(make_settings, small)
    write_backup(settings, file)
    (small / "training_data/1/later.txt").write_text("made since")
    with pytest.raises(BackupError, match=r"There is something already.*training_data has files.*--force"):
        restore_backup(settings, file)
    assert (small / "training_data/1/later.txt").exists()
    restore_backup(settings, file, force=True)
    assert not (small / "training_data/1/later.txt").exists()
    assert (small / "training_data/1/images/a.png").read_bytes() == b"pixels"
    assert not [name for name in files_in(small) if ".replaced" in name or ".restoring" in name]


def test_where_the_last_step_fails_all_is_as_it_was(small, make_settings, tmp_path, monkeypatch):
    file = tmp_path / "backup.tar.gz"
    settings = settings_in(make_settings, small)
    write_backup(settings, file)
    store = Store(settings.store_url)
    store.add_event({"made": "since"}, action="TASKS_CREATED", project_id=PROJECT)
    store.close()
    (small / "training_data/1/later.txt").write_text("made since")

    def files():
        return [name for name in files_in(small) if "sqlite3-" not in name and not name.endswith("lock")]

    before = files()
    move = swapping._Files._move

    def fail_at_last(source, target):
        move(source, target)
        if target.name == "store.sqlite3" and source.name.endswith(DRAFT):
            raise OSError(errno.ENOSPC, "The disk is full")

    monkeypatch.setattr(swapping._Files, "_move", staticmethod(fail_at_last))
    with pytest.raises(BackupError, match="disk is full"):
        restore_backup(settings, file, force=True)
    assert files() == before
    store = Store(settings.store_url)
    assert len(store.pending_events()) == 2
    store.close()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: content[: len(content) // 2], "damaged|cut off"),
        (lambda content: b"no tar at all", "is no backup"),
    ],
    ids=["cut off", "another file"],
)
def test_a_file_that_is_no_whole_backup_changes_nothing(small, make_settings, tmp_path, damage, words):
    file, there = tmp_path / "backup.tar.gz", tmp_path / "there"
    write_backup(settings_in(make_settings, small), file)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(BackupError, match=words):
        restore_backup(settings_in(make_settings, there), file)
    assert [name for name in files_in(there) if not name.endswith("lock")] == []


def rewritten(file, change):
    """Write a backup again with members changed by ``change(name, content)``; ``None`` leaves one out."""
    with tarfile.open(file) as archive:
        members = [(member.name, archive.extractfile(member).read()) for member in archive]
    with tarfile.open(file, "w:gz") as archive:
        for name, content in members:
            for new_name, new in change(name, content):
                member = tarfile.TarInfo(new_name)
                member.size = len(new)
                archive.addfile(member, io.BytesIO(new))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda name, content: [(name, content.replace(b"pixels", b"pixelz"))], "a.png is not as it was"),
        (lambda name, content: [] if name.endswith("a.png") else [(name, content)], "a.png is not as it was"),
        (lambda name, content: [] if name == "digests.json" else [(name, content)], "cut off"),
        (lambda name, content: [(name, content), ("training_data/../../evil", b"x")], "damaged"),
        (lambda name, content: [(name, content.replace(b'"format": 1', b'"format": 2'))], "of format 2"),
        (
            lambda name, content: [(name, _with(content, store_revision="9999") if name == "backup.json" else content)],
            "later version",
        ),
    ],
    ids=["changed", "missing", "no end", "outside", "later format", "later store"],
)
def test_what_was_tampered_with_or_is_too_new_is_refused(small, make_settings, tmp_path, change, words):
    file, there = tmp_path / "backup.tar.gz", tmp_path / "there"
    write_backup(settings_in(make_settings, small), file)
    rewritten(file, change)
    with pytest.raises(BackupError, match=words):
        restore_backup(settings_in(make_settings, there), file)
    assert [name for name in files_in(there) if not name.endswith("lock")] == []
    assert not (tmp_path / "evil").exists()


def _with(content, **values):
    return json.dumps(json.loads(content) | values).encode()


def test_a_running_system_is_not_overwritten(small, make_settings, tmp_path):
    file, settings = tmp_path / "backup.tar.gz", settings_in(make_settings, small)
    write_backup(settings, file)
    program = (
        "import sys, time; from pathlib import Path; from ml_backend.ops.run_folder import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(small)], stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(BackendError, match="already runs a system"):
                restore_backup(settings, file, force=True)
        finally:
            holder.kill()


def test_nothing_is_tidied_up_during_a_backup(tmp_path):
    with housekeeping(tmp_path), pytest.raises(FilesBusyError), housekeeping(tmp_path, patience=0.1):
        pass


def test_the_commands_say_what_they_did(small, make_settings, tmp_path, monkeypatch, capsys):
    make_settings()
    monkeypatch.chdir(tmp_path)
    for folder, arguments in (("small", ["backup", "b.tar.gz"]), ("there", ["restore", "b.tar.gz"])):
        monkeypatch.setenv("RUN_DIR", folder)
        monkeypatch.setenv("MODELS_DIR", f"{folder}/models")
        monkeypatch.setenv("TRAINING_DATA_DIR", f"{folder}/training_data")
        assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "b.tar.gz has everything of" in shown
    assert "Secrets are not in it" in shown
    assert "is back" in shown
    assert (tmp_path / "there/lines/1/0123.png").exists()
    assert main(["restore", "b.tar.gz"]) == 1
    assert "--force" in capsys.readouterr().err
    assert main(["backup", "there/models/b.tar.gz"]) == 1
