import os
import subprocess
import sys
from pathlib import Path

import pytest

from ml_backend.errors import LaunchError
from ml_backend.ops.run_folder import locked, stop_leftovers

HOLD = """
import sys
from pathlib import Path
from ml_backend.ops.run_folder import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_folder_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(LaunchError, match=rf"Process {holder.pid} already runs"), locked(tmp_path):
        pass
    holder.communicate("\n", timeout=10)
    with locked(tmp_path):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_killed_holder_holds_it_no_longer(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    holder.kill()
    holder.wait(10)
    with locked(tmp_path):
        pass


def test_process_that_only_inherited_a_recorded_number_is_let_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    record = tmp_path / "pids" / "redis.pid"
    record.parent.mkdir()
    record.write_text(str(stranger.pid))
    os.utime(record, (1_000_000_000, 1_000_000_000))
    try:
        assert stop_leftovers(tmp_path) == []
        assert stranger.poll() is None
        assert not record.exists()
    finally:
        stranger.kill()
        stranger.wait(10)
