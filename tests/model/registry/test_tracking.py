"""MLflow is imported when it is needed, by whichever thread comes first."""

import subprocess
import sys

FIRST = """
import sys, threading
from pathlib import Path
from model.registry.tracking import Tracking, telling

folder = Path(sys.argv[1])
tracking = Tracking(f"sqlite:///{folder / 'mlflow.sqlite3'}", folder)
go = threading.Barrier(4)

def first(number):
    go.wait()
    if number % 2:
        tracking.client()
    else:
        with telling("nothing"):
            pass

threads = [threading.Thread(target=first, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_that_need_mlflow_for_the_first_time_at_once_all_get_it(tmp_path):
    command = [sys.executable, "-c", FIRST, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    assert done.stderr == ""
