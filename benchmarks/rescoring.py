"""How fast are open tasks scored again after a promotion, and what does that mean for a million of them?

    python -m ml_backend run                       # in one terminal: Label Studio and Redis
    python -m benchmarks.rescoring                 # in another

Every page was read before, as after any promotion but the first. With 1 and with 2 worker processes a project of
``--tasks`` tasks is scored by a new version; the time runs from the first prediction to the last. The parts of the work
are measured one by one as well, in this process: naming fields, and Label Studio's storing of a prediction.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ml_backend.container import build_shared
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.records import Prediction, Task
from ml_backend.label_studio.templates import business_cards_config
from ml_backend.observability.logs import configure_logging
from ml_backend.predict.task_predictor import page_urls
from ml_backend.settings import Settings
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from ml_backend.store.rescorings import RescoringStore, TaskImage
from model.document.images import image_key
from model.registry.tracking import RUN_TAG, Tracking
from model.registry.versions import Registry
from model.synthetic.demo import __file__ as demo
from tests.e2e.versions import changed_weights

CARDS = sorted(Path(demo).parent.glob("*.jpg"))
MILLION = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--run-dir", type=Path, default=Path(".run"), help="folder of the running system")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    configure_logging("ERROR")
    connection = json.loads((arguments.run_dir / "connection.json").read_text())
    secrets = json.loads((arguments.run_dir / "secrets.json").read_text())
    redis = f"redis://:{secrets['redis_password']}@127.0.0.1:{_redis_port(arguments.run_dir)}/1"
    client = LabelStudio(connection["label_studio_url"], connection["api_key"], timeout=120)
    rates = {}
    for workers in arguments.workers:
        with tempfile.TemporaryDirectory() as folder:
            environment = {
                "RUN_DIR": folder,
                "MODELS_DIR": f"{folder}/models",
                "REDIS_URL": redis,
                "LABEL_STUDIO_URL": connection["label_studio_url"],
                "LABEL_STUDIO_API_KEY": connection["api_key"],
                "INFERENCE_THREADS": "1",
                "LOG_LEVEL": "WARNING",
            }
            settings = Settings(_env_file=None, **{name.lower(): value for name, value in environment.items()})
            project_id, tasks = prepare(client, settings, arguments.tasks, parts_too=workers == arguments.workers[0])
            rates[workers] = measure(settings, environment, project_id, workers, len(tasks))
            print(f"{workers} workers: {rates[workers]:.1f} documents a second")
    for workers, rate in rates.items():
        print(f"a million tasks on {workers} workers and this Label Studio: {MILLION / rate / 3600:.1f} h")


def prepare(client: LabelStudio, settings: Settings, count: int, *, parts_too: bool) -> tuple[int, list[int]]:
    """A project of ``count`` tasks whose pages were read, and a promoted version that has scored none of them."""
    project = client.create_project(f"Rescoring {time.time():.0f}", business_cards_config())
    config = parse_label_config(project.label_config)
    uploaded = client.upload_files(project.id, CARDS)
    by_url = {}
    parts = build_shared(settings)
    for task_id, path in zip(uploaded, CARDS, strict=True):
        task = client.task(task_id)
        (name, url), *_ = page_urls(task, config).items()
        parts.pipeline.read(path.read_bytes())
        by_url[url] = (name, image_key(path.read_bytes()))
    urls = [list(by_url)[number % len(by_url)] for number in range(count - len(uploaded))]
    client.import_tasks(project.id, [{"data": {"image": url}} for url in urls])
    memory = RescoringStore(parts.store.engine)
    tasks = list(client.tasks(project.id))
    for task in tasks:
        name, key = by_url[task.data["image"]]
        memory.remember_images(project.id, task.id, {name: TaskImage(task.data["image"], key)})
    LearningStore(parts.store.engine).note_synced(project.id, cursor=None, compared=True)
    if parts_too:
        measure_parts(client, parts, tasks, config, {key: name for name, key in by_url.values()})
    tracking = Tracking(settings.tracking_uri, settings.models_dir)
    run = tracking.begin(project.id, 1, "benchmark")
    version = Registry(tracking).register(
        changed_weights(settings.run_dir / "draft", 1), project.id, run, {RUN_TAG: "1"}
    )
    Registry(tracking).promote(project.id, version.number)
    parts.models.close()
    parts.store.close()
    return project.id, [task.id for task in tasks]


def measure_parts(client: LabelStudio, parts: object, tasks: list[Task], config: object, keys: dict[str, str]) -> None:
    """Print what naming the fields and storing the prediction of one document take, each by itself."""
    few, made = tasks[:40], []
    start = time.perf_counter()
    for task, key in zip(few, [*keys] * 40, strict=False):
        document = parts.pipeline.revisit(key)
        made.append(parts.predictor.convert({keys[key]: document}, task, config, "benchmark-00000000.000000"))
    seconds = (time.perf_counter() - start) / len(few)
    print(f"naming the fields of a page read before: {1000 * seconds:.0f} ms")
    start = time.perf_counter()
    for task, prediction in zip(few, made, strict=True):
        client.create_predictions([Prediction(task=task.id, cluster=0, **prediction)])
    print(f"storing a prediction in Label Studio: {1000 * (time.perf_counter() - start) / len(few):.0f} ms")


def measure(settings: Settings, environment: dict[str, str], project_id: int, workers: int, count: int) -> float:
    """Return the documents a second that so many workers score."""
    command = (sys.executable, "-m", "ml_backend.cli.worker")
    clean = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    running = [subprocess.Popen(command, env=clean | environment, stderr=subprocess.DEVNULL) for _ in range(workers)]
    store = Store(settings.store_url)
    memory, learning = RescoringStore(store.engine), LearningStore(store.engine)
    client = LabelStudio(settings.label_studio_url, settings.label_studio_api_key.get_secret_value(), timeout=120)
    try:
        first = done = 0.0
        before = 0
        while not done:
            time.sleep(0.2)
            counts = client.version_counts(project_id)
            pushed = sum(number for version, number in counts.items() if version.startswith("p"))
            if pushed and not first:
                first, before = time.perf_counter(), pushed
            if pushed >= count:
                done = time.perf_counter()
        rate = (count - before) / (done - first)
        while (state := learning.project(project_id)) is None or not state.rescored_version:
            time.sleep(0.2)
        assert memory.rescoring(project_id).finished_at is not None
        return rate
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait(60)
        store.close()


def _redis_port(run_dir: Path) -> int:
    lines = (run_dir / "redis" / "redis.conf").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("port ")))


if __name__ == "__main__":
    main()
