"""A training process that is killed outright, in each of its stages, and what is left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ml_backend.learn.training_run import train
from model.registry.tracking import RUN_TAG
from tests.ml_backend.learn.test_training_run import PROJECT, Bench

ROOT = Path(__file__).resolve().parents[3]

# What the killed process runs: it dies right after it has said that the stage began, or before it says that it ended.
VICTIM = """
import os, signal, sys
from pathlib import Path
from ml_backend.learn.training_run import train
from tests.ml_backend.learn.test_training_run import Bench

bench, run_id, stage = Bench(Path(sys.argv[1]), sys.argv[4]), int(sys.argv[2]), sys.argv[3]
report, finish = bench.runs.report, bench.runs.finish

def dying_report(run_id, name, *rest):
    there = report(run_id, name, *rest)
    if name == stage and (name != "train" or rest):
        os.kill(os.getpid(), signal.SIGKILL)
    return there

def dying_finish(*arguments):
    if stage == "finish":
        os.kill(os.getpid(), signal.SIGKILL)
    return finish(*arguments)

bench.runs.report, bench.runs.finish = dying_report, dying_finish
train(bench.services if stage in {"promote", "finish"} else bench.brief, run_id)
"""


# Each takes seconds; what the store does in one stage, it does in the others.
STAGES = {
    "sqlite": ("collect", "evaluate", "promote"),
    "postgresql": ("train", "register", "finish"),
}


@pytest.mark.parametrize(
    ("store_url", "stage"),
    [(name, stage) for name, stages in STAGES.items() for stage in stages],
    indirect=["store_url"],
)
def test_a_run_killed_in_any_stage_is_repeated_without_a_trace_of_the_half_done_one(
    tmp_path: Path, store_url: str, stage: str
) -> None:
    bench = Bench(tmp_path, store_url)
    killed = bench.due()
    victim = subprocess.run(
        [sys.executable, "-c", VICTIM, str(tmp_path), str(killed), stage, store_url],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert victim.returncode == -signal.SIGKILL, victim.stderr.decode()[-2000:]
    run = bench.runs.run(killed)
    assert run is not None
    assert run.state == "running", "nobody could write down that it ended"
    champion = bench.registry.champion(PROJECT)
    assert (champion is not None) == (stage == "finish")

    again = bench.runs.interrupt(killed)
    assert again is not None
    assert train(bench.brief, again.id) in {"promoted", "kept"}

    versions = bench.registry.versions(PROJECT)
    for version in versions:
        assert bench.registry.folder_of(version).is_dir(), "every version that is seen is whole"
    left = [version for version in versions if version.tags[RUN_TAG] == str(killed)]
    assert left == ([champion] if champion else []), "of the killed run only what serves is left"
    after = bench.registry.champion(PROJECT)
    assert champion is None or after is not None
    history = [each.version for each in bench.runs.promotions(PROJECT)]
    assert history[:1] == ([after.number] if after else []), "the history ends with the one champion"
    assert [bench.runs.run(number).state for number in (killed, again.id)] == [  # type: ignore[union-attr]
        "interrupted",
        "finished",
    ]
    assert bench.clean()
