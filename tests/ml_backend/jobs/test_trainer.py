import subprocess
import sys


def test_what_is_forked_has_no_models_and_no_threads_of_theirs():
    program = (
        "import sys, ml_backend.jobs.trainer; "
        "print([name for name in ('torch', 'onnxruntime', 'mlflow', 'transformers') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.strip() == "[]"
