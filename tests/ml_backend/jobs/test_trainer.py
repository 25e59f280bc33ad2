import os
import subprocess
import sys

import pytest
import torch


def test_what_is_forked_has_no_models_and_no_threads_of_theirs():
    program = (
        "import sys, ml_backend.cli.trainer; "
        "print([name for name in ('torch', 'onnxruntime', 'mlflow', 'transformers') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.strip() == "[]"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_trainer_that_shall_have_a_gpu_does_not_start_without(redis_url, tmp_path):
    settings = {"REDIS_URL": redis_url, "TRAINING_DEVICE": "cuda", "RUN_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "ml_backend.cli.trainer"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | settings,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 1
    assert "TRAINING_DEVICE" in done.stderr
    assert "Traceback" not in done.stderr
