"""Restores where they are needed: over damaged data, from damaged backups, below running roles, killed at any step."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from itertools import count

import pytest

from ml_backend.ops.backup.contents import BackupError
from ml_backend.ops.backup.restoring import restore_backup
from ml_backend.ops.backup.swapping import JOURNAL, read_journal
from ml_backend.ops.backup.writing import write_backup
from ml_backend.ops.data_lock import InUseError, alone, shared, users
from ml_backend.ops.using import using_data
from ml_backend.store.events import Store
from tests.ml_backend.ops.backup.test_backup import PROJECT, fill, rewritten, settings_in


@pytest.fixture
def system(make_settings, tmp_path):
    """A folder with one event and files, and its backup; afterwards another event came, and another file."""
    folder, file = tmp_path / "system", tmp_path / "backup.tar.gz"
    folder.mkdir()
    fill(folder)
    settings = settings_in(make_settings, folder)
    model = folder / "models/p1-v1/model.bin"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"the older model")
    # Any SQLite file will do for MLflow's; its own takes seconds to make.
    Store(settings.tracking_uri).close()
    write_backup(settings, file)
    with closing(Store(settings.store_url)) as store:
        store.add_event({"made": "since"}, action="TASKS_CREATED", project_id=PROJECT)
    model.write_bytes(b"the newer model")
    (folder / "training_data/1/later.txt").write_text("made since")
    return settings, file


@pytest.fixture(autouse=True)
def _any_revision_of_mlflow(monkeypatch):
    monkeypatch.setattr("ml_backend.ops.backup.restoring._mlflow_knows", lambda _: True)


def state(settings):
    """What the data say: the number of events, the model, and whether the later file is there."""
    folder = settings.run_dir
    with closing(Store(settings.store_url)) as store:
        events = len(store.pending_events())
    return events, (folder / "models/p1-v1/model.bin").read_bytes(), (folder / "training_data/1/later.txt").exists()


NEWER, OLDER = (2, b"the newer model", True), (1, b"the older model", False)


def left_over(settings):
    return [
        str(path)
        for path in settings.run_dir.rglob("*")
        if ".restoring" in path.name or ".replaced" in path.name or path.name == JOURNAL
    ]


@pytest.mark.parametrize("damage", [b"no database at all" * 500, b""], ids=["overwritten", "emptied"])
def test_a_corrupt_store_is_replaced_where_that_is_said(system, damage):
    settings, file = system
    path = settings.run_dir / "store.sqlite3"
    path.write_bytes(damage)
    with pytest.raises(BackupError, match="There is something already"):
        restore_backup(settings, file)
    assert path.read_bytes() == damage
    restore_backup(settings, file, force=True)
    assert state(settings) == OLDER
    assert not left_over(settings)


def test_a_store_whose_pages_are_torn_is_replaced_too(system):
    settings, file = system
    path = settings.run_dir / "store.sqlite3"
    content = bytearray(path.read_bytes())
    content[4096 : len(content) // 2] = os.urandom(len(content) // 2 - 4096)
    path.write_bytes(content)
    restore_backup(settings, file, force=True)
    assert state(settings) == OLDER


def _in_store(file, change):
    """Write a backup again with its store changed, and a digest that is right."""
    import hashlib

    with tarfile.open(file) as archive:
        store = archive.extractfile("store").read()
    new = change(store)

    def each(name, content):
        if name == "digests.json":
            content = json.dumps(json.loads(content) | {"store": hashlib.sha256(new).hexdigest()}).encode()
        return [(name, new if name == "store" else content)]

    rewritten(file, each)


def _sql(statement):
    def change(content):
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(content)
            connection.execute(statement)
            connection.commit()
            return connection.serialize()

    return change


def _torn(content):
    half = len(content) // 2
    return content[:4096] + b"\xa5" * (half - 4096) + content[half:]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: b"not a database, and long enough to be none" * 200, "store does not open"),
        (lambda content: b"", "revision"),
        (_torn, "store is damaged|store does not open"),
        (_sql("DROP TABLE events"), "lacks events"),
        (_sql("ALTER TABLE events RENAME COLUMN duplicate_of TO other"), "lacks events.duplicate_of"),
        (_sql("UPDATE alembic_version SET version_num = '9999'"), "revision '9999'"),
        # The first migration finds what it would make.
        (_sql("UPDATE alembic_version SET version_num = '0001'"), "cannot be brought up to date"),
    ],
    ids=["no database", "empty", "torn", "no table", "no column", "unknown revision", "migration fails"],
)
def test_a_backup_whose_store_cannot_be_used_replaces_nothing(system, change, words):
    settings, file = system
    _in_store(file, change)
    with pytest.raises(BackupError, match=words):
        restore_backup(settings, file, force=True)
    assert state(settings) == NEWER
    assert not left_over(settings)


HOLDER = """
import sys, time
from pathlib import Path
from ml_backend.ops.data_lock import shared
with shared(Path(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    time.sleep(120)
"""


@pytest.mark.parametrize("role", ["api", "worker", "trainer", "make run"])
def test_below_a_running_role_nothing_is_restored(system, role):
    settings, file = system
    arguments = [sys.executable, "-c", HOLDER, str(settings.run_dir), role]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(InUseError, match=rf"in use by: {role} \(process {holder.pid}\)"):
                restore_backup(settings, file, force=True)
            assert state(settings) == NEWER
        finally:
            holder.send_signal(signal.SIGKILL)
    # What held it is gone, however it went.
    restore_backup(settings, file, force=True)
    assert state(settings) == OLDER


def test_roles_go_together_and_none_begins_during_a_restore(tmp_path):
    with shared(tmp_path, "api"), shared(tmp_path, "worker"):
        assert [name.split()[0] for name in users(tmp_path)] == ["api", "worker"]
        with pytest.raises(InUseError, match=r"api .*worker"), alone(tmp_path):
            pass
    assert users(tmp_path) == []
    with (
        alone(tmp_path),
        pytest.raises(InUseError, match="being restored at this moment"),
        shared(tmp_path, "api", patience=0.1),
    ):
        pass


def test_what_a_role_has_forked_holds_the_data_when_the_role_is_killed(tmp_path):
    program = """
import os, sys, time
from pathlib import Path
from ml_backend.ops.data_lock import shared
with shared(Path(sys.argv[1]), "trainer"):
    child = os.fork()
    if child:
        print(child, flush=True)
    time.sleep(120)
"""
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        child = int(holder.stdout.readline())
        holder.kill()
        holder.wait(30)
        try:
            with pytest.raises(InUseError, match=rf"trainer \(process {holder.pid}\)"), alone(tmp_path):
                pass
        finally:
            os.kill(child, signal.SIGKILL)
    with alone(tmp_path, patience=30):
        pass


def test_every_role_holds_the_data(tmp_path):
    """gunicorn's configuration does it for the API, before any process of it is forked."""
    program = """
import sys
from pathlib import Path
from types import SimpleNamespace
from ml_backend.ops.data_lock import users
from ml_backend.settings import Settings
role = sys.argv[1]
if role == "api":
    from ml_backend import gunicorn_conf
    gunicorn_conf.on_starting(SimpleNamespace())
elif role == "worker":
    import ml_backend.cli.worker as module
else:
    import ml_backend.cli.trainer as module
if role != "api":
    class Connected:
        ping = staticmethod(lambda: True)
    module.Redis = SimpleNamespace(from_url=lambda _: Connected)
    def stop(*_, **__):
        print(*users(Settings().run_dir)); sys.exit(0)
    module.build_sync_services = module.build_worker_services = module.build_trainer = stop
    module.os.nice = lambda _: None
    module.main()
print(*users(Settings().run_dir))
"""
    for role in ("api", "worker", "trainer"):
        environment = os.environ | {"RUN_DIR": str(tmp_path / role)}
        arguments = [sys.executable, "-c", program, role]
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.stdout.startswith(f"{role} (process "), done.stderr


KILLED = """
import os, pathlib, sys
from pathlib import Path
from ml_backend.ops.backup import restoring, swapping
from ml_backend.settings import Settings
left = int(sys.argv[3])
restoring._mlflow_knows = lambda _: True
def counted(function):
    def wrapped(*arguments, **options):
        global left
        result = function(*arguments, **options)
        left -= 1
        if not left:
            os._exit(9)
        return result
    return wrapped
# Every change of the file system that the swap makes, and every note of it.
swapping._write = counted(swapping._write)
for name in ("rename", "replace", "unlink"):
    setattr(pathlib.Path, name, counted(getattr(pathlib.Path, name)))
swapping.shutil.rmtree = counted(swapping.shutil.rmtree)
folder = Path(sys.argv[1])
settings = Settings(
    _env_file=None, run_dir=folder, models_dir=folder / "models", training_data_dir=folder / "training_data"
)
restoring.restore_backup(settings, Path(sys.argv[2]), force=True)
"""


def _kill_forked(settings, file, steps):
    """Restore in a forked process that dies after so many changes; tell whether it did."""
    pid = os.fork()
    if not pid:
        try:
            sys.argv = ["", str(settings.run_dir), str(file), str(steps)]
            exec(compile(KILLED, "killed", "exec"), {"__name__": "killed"})
        except BaseException:  # noqa: BLE001 - the process ends here, and says how
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, 9}, code
    return code == 9


@pytest.mark.parametrize("after", ["start", "second restore"])
def test_killed_at_any_step_it_is_whole_again_after_the_next_start(system, tmp_path, after):
    settings, file = system
    newer = tmp_path / "newer.tar.gz"
    write_backup(settings, newer)
    seen = set()
    # A second restore is tried after every fourth change, which takes seconds less.
    for steps in count(1, 1 if after == "start" else 4):
        killed = _kill_forked(settings, file, steps)
        cut_off = read_journal(settings.run_dir) is not None
        if after == "start":
            with using_data(settings, "api"):
                found = state(settings)
        else:
            # The same file again, with what another start would have to decide.
            restore_backup(settings, file, force=True)
            found = state(settings)
            assert found == OLDER
        assert found in (NEWER, OLDER), f"half of each after {steps} changes"
        assert read_journal(settings.run_dir) is None
        seen.add((cut_off, found))
        restore_backup(settings, newer, force=True)
        assert state(settings) == NEWER
        assert not left_over(settings)
        if not killed:
            break
    assert steps > 20
    assert (True, OLDER) in seen
    if after == "start":
        assert (False, NEWER) in seen


def test_a_restore_that_cannot_go_on_is_taken_back_by_the_next_start(system):
    settings, file = system
    for steps in count(8):
        assert _kill_forked(settings, file, steps)
        journal = read_journal(settings.run_dir)
        if journal and any(part.name == "models" and part.stage == "placed" for part in journal.parts):
            break
    # Where the store has to go lies something that no file can replace.
    path = settings.run_dir / "store.sqlite3"
    assert journal.parts[-1].stage == "untouched"
    blocked = settings.run_dir / "store.sqlite3.replaced"
    blocked.mkdir()
    (blocked / "x").touch()
    with pytest.raises(BackupError, match="cannot be written"), using_data(settings, "api"):
        pass
    # Nothing runs on half of each; when the obstacle is gone, the next start finds all as it was.
    assert read_journal(settings.run_dir).back
    (blocked / "x").unlink()
    blocked.rmdir()
    with using_data(settings, "api"):
        assert state(settings) == NEWER
    assert path.exists()
    assert not left_over(settings)
