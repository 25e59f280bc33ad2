"""What Prometheus is told, by one process and by several."""

import os
import subprocess
import sys

import pytest
from prometheus_client import CollectorRegistry

from ml_backend.observability.metrics import Metrics


def shown(metrics):
    rows = (row.rpartition(" ") for row in metrics.render().decode().splitlines() if not row.startswith("#"))
    return {name: float(value) for name, _, value in rows}


def test_two_sets_of_metrics_do_not_disturb_each_other():
    first, second = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    first.queue_failed()
    assert shown(first)["ml_backend_queue_failures_total"] == 1
    assert shown(second)["ml_backend_queue_failures_total"] == 0


def test_a_stage_that_fails_is_measured_too():
    metrics = Metrics(CollectorRegistry())
    with pytest.raises(ValueError, match="broken"), metrics.stage("fetch"):
        raise ValueError("broken")
    assert shown(metrics)['ml_backend_stage_seconds_count{stage="fetch"}'] == 1


def test_outcomes_are_counted_by_reason():
    metrics = Metrics(CollectorRegistry())
    metrics.task_predicted()
    metrics.task_empty("image")
    metrics.task_empty("image")
    counts = shown(metrics)
    assert counts['ml_backend_predictions_total{outcome="predicted",reason=""}'] == 1
    assert counts['ml_backend_predictions_total{outcome="empty",reason="image"}'] == 2


def test_several_processes_are_added_up(tmp_path):
    program = (
        "import sys; from pathlib import Path; from prometheus_client import CollectorRegistry;"
        "from ml_backend.observability.metrics import Metrics;"
        "metrics = Metrics(CollectorRegistry(), multiprocess_dir=Path(sys.argv[1]));"
        "metrics.tasks_queued(3); metrics.models_serving({'v1'}); sys.stdout.write(metrics.render().decode())"
    )
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for _ in range(2)
    ]
    assert "ml_backend_queued_tasks_total 3.0" in outputs[0]
    assert "ml_backend_queued_tasks_total 6.0" in outputs[1]
    assert 'ml_backend_model_info{model_version="v1"} 1.0' in outputs[1]
