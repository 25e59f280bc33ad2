"""What Prometheus is told of the loop, the queue and the disk, and the dashboard and alerts that are built on it."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
import requests
import yaml
from prometheus_client import CollectorRegistry
from redis import Redis
from sqlalchemy import update

from ml_backend.jobs.job_counts import JobTally
from ml_backend.jobs.queue import JobQueue
from ml_backend.jobs.queue_metrics import QueueMetrics
from ml_backend.learn.live_metrics import VersionScores
from ml_backend.learn.training_trigger import TrainingTrigger
from ml_backend.observability.cached_collector import CachedCollector
from ml_backend.observability.disk_metrics import DiskMetrics
from ml_backend.observability.metrics import Metrics
from ml_backend.quality.store_metrics import StoreMetrics
from ml_backend.store.annotations import LearningStore
from ml_backend.store.engine import StoreError, tell_failures
from ml_backend.store.events import Store
from ml_backend.store.rescorings import RescoringStore
from ml_backend.store.runs import RunStore
from ml_backend.store.tables import ProjectRow
from ml_backend.store.task_failures import TaskFailures
from model.document.types import Page
from tests.conftest import free_port
from tests.ml_backend.store.test_annotations import annotation

ROOT = Path(__file__).parents[3]
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8"))


@pytest.fixture
def store():
    store = Store("sqlite://")
    yield store
    store.close()


def due_check(store):
    return TrainingTrigger(LearningStore(store.engine), RunStore(store.engine), min_documents=1, retrain_after=1)


def everything(store, redis_url):
    """Metrics as the web application shows them."""
    metrics = Metrics(CollectorRegistry())
    metrics.add(VersionScores(LearningStore(store.engine)))
    metrics.add(StoreMetrics(store.engine, due_check(store)))
    metrics.add(QueueMetrics(JobQueue.at(redis_url)))
    metrics.add(DiskMetrics({"run_dir": Path.cwd()}))
    return metrics


def shown(metrics):
    rows = (row.rpartition(" ") for row in metrics.render().decode().splitlines() if not row.startswith("#"))
    return {name: float(value) for name, _, value in rows}


def test_the_store_tells_how_far_open_tasks_are_predicted(store):
    rescorings, failures = RescoringStore(store.engine), TaskFailures(store.engine)
    rescorings.note_checked(3, "v1", open_tasks=40, lacking=12)
    failures.note(3, 7, "too_large", "The image is too large.")
    failures.note(3, 8, "too_large", "The image is too large.")
    rescorings.note_checked(4, "v1", problem="not_connected", problem_text="The project is not connected.")
    metrics = Metrics(CollectorRegistry())
    metrics.add(StoreMetrics(store.engine, due_check(store)))
    found = {name: value for name, value in shown(metrics).items() if "open_tasks" in name}
    assert found == {
        'ml_backend_open_tasks{project="3"}': 40,
        'ml_backend_open_tasks_waiting{project="3"}': 10,
        'ml_backend_open_tasks_failed{project="3",reason="too_large"}': 2,
        'ml_backend_open_tasks_seconds_left{project="3"}': 10,
    }


def test_the_store_tells_of_syncs_samples_runs_and_versions(store):
    learning, runs = LearningStore(store.engine), RunStore(store.engine)
    learning.note_synced(3, cursor=None, compared=True)
    with store.engine.begin() as connection:
        moment = datetime(2026, 1, 2, tzinfo=timezone.utc)
        connection.execute(update(ProjectRow).values(synced_at=moment))
    run = runs.add_run(3, "asked for", True, "f", 1)
    runs.claim_run(run.id)
    runs.finish(run.id, "finished", "promoted", 2)
    runs.add_promotion(3, 2, None, "gate", "better")
    runs.add_run(3, "asked for", True, "f", 1)
    store.add_event({"a": 1}, action="TASKS_CREATED", project_id=3)
    metrics = Metrics(CollectorRegistry())
    metrics.add(StoreMetrics(store.engine, due_check(store)))
    found = shown(metrics)
    assert found['ml_backend_last_sync_timestamp_seconds{project="3"}'] == moment.timestamp()
    assert found['ml_backend_training_runs_total{outcome="promoted",project="3"}'] == 1
    assert found['ml_backend_training_seconds_total{outcome="promoted",project="3"}'] >= 0
    assert found['ml_backend_training_runs_open{project="3",state="due"}'] == 1
    assert found['ml_backend_champion_version{project="3"}'] == 2
    assert found['ml_backend_events_waiting{project="3"}'] == 1
    assert found['ml_backend_samples{project="3"}'] == found['ml_backend_samples_waiting{project="3"}'] == 0
    assert found["ml_backend_store_up"] == 1
    assert found["ml_backend_cached_pages"] == 0


def test_samples_wait_until_a_run_has_learned_from_them(store):
    learning, runs = LearningStore(store.engine), RunStore(store.engine)
    learning.ask_sync(3)
    learning.save([(replace(annotation(number), project_id=3, task_id=number, problem=None), ()) for number in (1, 2)])

    def counted():
        metrics = Metrics(CollectorRegistry())
        metrics.add(StoreMetrics(store.engine, due_check(store)))
        found = shown(metrics)
        return found['ml_backend_samples{project="3"}'], found['ml_backend_samples_waiting{project="3"}']

    assert counted() == (2, 2)
    run = runs.add_run(3, "asked for", True, "f", 2)
    runs.claim_run(run.id)
    runs.record_learned(run.id, due_check(store).standing(3).digests)
    runs.finish(run.id, "finished", "kept", 1)
    assert counted() == (2, 0)


def test_the_queue_tells_how_many_jobs_wait_and_what_became_of_the_others(redis_url):
    queue = JobQueue.at(redis_url)
    queue.enqueue_scoring(2, [1, 2, 3])
    with Redis.from_url(redis_url) as connection:
        JobTally(connection).count("score_task", "done", 1.5)
        JobTally(connection).count("score_task", "done", 0.5)
        JobTally(connection).count("train", "killed", 0.0)
    metrics = Metrics(CollectorRegistry())
    metrics.add(QueueMetrics(queue))
    found = shown(metrics)
    assert found['ml_backend_queue_jobs{queue="scoring",state="queued"}'] == 3
    assert found['ml_backend_queue_jobs{queue="training",state="failed"}'] == 0
    assert found['ml_backend_jobs_total{kind="score_task",outcome="done"}'] == 2
    assert found['ml_backend_job_seconds_total{kind="score_task",outcome="done"}'] == 2
    assert found['ml_backend_jobs_total{kind="train",outcome="killed"}'] == 1
    assert found['ml_backend_workers{queue="scoring"}'] == 0
    assert found["ml_backend_queue_up"] == 1


def test_a_queue_that_is_down_is_shown_as_down_and_costs_no_other_metric():
    metrics = Metrics(CollectorRegistry())
    metrics.add(QueueMetrics(JobQueue.at(f"redis://127.0.0.1:{free_port()}/0")))
    metrics.queue_failed()
    found = shown(metrics)
    assert found["ml_backend_queue_up"] == 0
    assert not any(name.startswith("ml_backend_queue_jobs") for name in found)
    assert found["ml_backend_queue_failures_total"] == 1


def test_a_store_that_fails_is_shown_and_counted(store):
    metrics = Metrics(CollectorRegistry())
    tell_failures(store.engine, metrics.store_failed)
    metrics.add(StoreMetrics(store.engine, due_check(store)))
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE projects")
    assert shown(metrics)["ml_backend_store_up"] == 0
    # Counted while the others were written down already.
    assert shown(metrics)['ml_backend_store_errors_total{error="OperationalError"}'] == 1
    with pytest.raises(StoreError):
        LearningStore(store.engine).projects()
    assert shown(metrics)['ml_backend_store_errors_total{error="OperationalError"}'] == 2


def test_what_two_processes_write_at_once_is_no_failure(store):
    metrics = Metrics(CollectorRegistry())
    tell_failures(store.engine, metrics.store_failed)
    for _ in range(2):
        store.put("key", "engine", Page(10, 10, ()))
    assert not any(name.startswith("ml_backend_store_errors_total{") for name in shown(metrics))


def test_what_costs_a_look_is_looked_up_now_and_then(store):
    now, looks = [0.0], []

    class Counted(CachedCollector):
        def look(self):
            looks.append(now[0])
            return ()

    metrics = Metrics(CollectorRegistry())
    metrics.add(Counted("ml_backend_test_up", "Test.", 10.0, lambda: now[0]))
    for now[0] in (0.0, 5.0, 9.9, 10.0, 15.0):
        assert shown(metrics)["ml_backend_test_up"] == 1
    assert looks == [0.0, 10.0]


def test_the_disk_is_measured_where_there_is_a_folder(tmp_path):
    metrics = Metrics(CollectorRegistry())
    metrics.add(DiskMetrics({"run_dir": tmp_path, "models_dir": tmp_path / "not yet"}))
    found = shown(metrics)
    assert (
        0
        < found['ml_backend_disk_free_bytes{folder="run_dir"}']
        <= found['ml_backend_disk_size_bytes{folder="run_dir"}']
    )
    assert 'ml_backend_disk_free_bytes{folder="models_dir"}' not in found


def test_a_worker_shows_its_own_metrics_on_a_port():
    metrics, port = Metrics(CollectorRegistry()), free_port()
    stop = metrics.serve("127.0.0.1", port)
    try:
        with metrics.stage("ocr"):
            pass
        answer = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10)
    finally:
        stop()
    assert 'ml_backend_stage_seconds_count{stage="ocr"} 1.0' in answer.text


# Names


def sample_names(text):
    """Return the names of the samples that an exposition may hold, also where there is none yet."""
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        names |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"} if kind == "histogram" else {name}
    return names


@pytest.fixture
def names(store, redis_url):
    return sample_names(everything(store, redis_url).render().decode())


def used(expression):
    return set(re.findall(r"\bml_backend_\w+", expression))


def test_each_panel_asks_for_metrics_that_there_are(names):
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    asked = {panel["title"]: set().union(*(used(target["expr"]) for target in panel["targets"])) for panel in panels}
    assert all(asked.values())
    assert {title: missing for title, metrics in asked.items() if (missing := metrics - names)} == {}
    queries = [variable["query"] for variable in DASHBOARD["templating"]["list"] if variable["type"] == "query"]
    assert used(json.dumps(queries)) <= names


def test_each_alert_asks_for_metrics_that_there_are_and_says_what_to_do(names):
    rules = [rule for group in ALERTS["groups"] for rule in group["rules"]]
    assert len(rules) > 10
    for rule in rules:
        assert used(rule["expr"])
        assert used(rule["expr"]) <= names, rule["alert"]
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert {"summary", "description"} <= rule["annotations"].keys()


def test_every_metric_has_a_place_on_the_dashboard_or_in_an_alert(names):
    text = json.dumps(DASHBOARD) + json.dumps(ALERTS)
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names if name.startswith("ml_backend_")}
    families -= {name for name in families if name.endswith("_created")}
    # Which version answers is a label, and how many documents a version had belongs beside its cost.
    assert {family for family in families if family not in text} == {
        "ml_backend_model_info",
        "ml_backend_version_documents",
        "ml_backend_last_training_timestamp_seconds",
    }


def test_names_and_units_follow_the_conventions(store, redis_url):
    text = everything(store, redis_url).render().decode()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    helped = set(re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE))
    for name, kind in kinds.items():
        assert name.startswith("ml_backend_")
        assert name in helped
        assert (kind == "counter") == name.endswith("_total"), name
        assert not re.search(r"_(ms|milliseconds|minutes|hours|kb|mb|percent)(_|$)", name)
        if kind == "histogram":
            assert name.endswith(("_seconds", "_bytes"))


def test_panels_have_titles_places_and_numbers_of_their_own():
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)
    assert all(panel["title"] for panel in panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: apt-get install prometheus)"
)
def test_prometheus_itself_finds_nothing_wrong(store, redis_url, tmp_path):
    exposed = everything(store, redis_url).render()
    # The dashboard's questions, as rules: that is what the program can check.
    asked = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    filled = [re.sub(r"\$__rate_interval", "5m", re.sub(r"\$(job|project)", ".*", expression)) for expression in asked]
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(filled)]
    questions = tmp_path / "questions.yml"
    questions.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    for arguments, given in (
        (["rules", str(ROOT / "deploy/prometheus/alerts.yml"), str(questions)], b""),
        (["metrics"], exposed),
    ):
        done = subprocess.run(["promtool", "check", *arguments], input=given, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
