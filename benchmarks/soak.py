"""Everything at once for half an hour: is each request answered, how fast, and does memory grow?

    python -m ml_backend run                       # in one terminal
    python -m benchmarks.soak --minutes 30         # in another

Against a running system, with an empty project of its own, five work side by side, each resting between two steps:

- an annotator corrects badges (``tests.e2e.badges``) in Label Studio, which sends its webhooks, and uploads new ones
  when few are left: they are read, scored and ordered in the background, and 50 corrections start a training run;
- Label Studio's part of ``/predict``: pages of that project, a few at a time;
- webhooks come a second time, as after a time-out;
- an application sends cards that nobody has read to ``/extract``, feedback, and asks for all else that it may know;
- somebody leafs through all pages of the panel.

Told are, by kind of request, how many there were, how many failed (an answer of 400 or above, or none within a minute)
and how long they took; by process, its memory (proportional set size, every 15 s): from a sixth of the time on, when
all is loaded, and at the end, and by how much it grew in an hour, as a straight line fits it. ``--out`` draws it.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import random
import re
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import psutil
import requests

from benchmarks.predict_latency import cards
from ml_backend.label_studio.client import LabelStudio
from ml_backend.ops.run_folder import MARK
from ml_backend.projects.setup import BackendAddress, ProjectPlan, ensure_project
from tests.e2e.annotator import corrected
from tests.e2e.badges import LABEL_CONFIG, Badge, draw_badges
from tests.e2e.projects import new_title

mpl.use("svg")
from matplotlib import pyplot as plt

TIMEOUT = 60.0
LEARNING = "/api/self-learning"
PANEL_PAGES = ("", "progress", "recommendations", "corrections", "patterns", "label-errors", "plots", "versions")
#: Badges uploaded at once, and how many open ones are too few.
UPLOAD, FEW = 20, 10
MIB = 1024 * 1024


@dataclass
class Tally:
    """What was asked, by kind: seconds of each answer, and what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failures: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def time(self, kind: str, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Return what a call returns, or ``None`` if it fails."""
        start = time.perf_counter()
        try:
            answer = call(*arguments, **named)
            if isinstance(answer, requests.Response) and answer.status_code >= 400:
                raise RuntimeError(f"status {answer.status_code}: {answer.text[:200]}")
        except Exception as error:  # noqa: BLE001 - each failure is counted, and the load goes on
            self.failures[kind].append(f"{time.strftime('%H:%M:%S')} {type(error).__name__}: {error}"[:300])
            answer = None
        self.seconds[kind].append(time.perf_counter() - start)
        return answer


class Web:
    """Requests to the backend over connections that are kept.

    Args:
        url: The backend's address.
        headers: What comes with each request.
    """

    def __init__(self, url: str, **headers: str) -> None:
        self._url, self.session = url.rstrip("/"), requests.Session()
        self.session.headers.update(headers)

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.session.request(method, self._url + path, timeout=TIMEOUT, **more)


class Load:
    """All that is done to one project.

    Args:
        client: Label Studio.
        backend: Where the backend is, and the secret of its webhook.
        api_token: The token of the self-learning API and of the panel.
        folder: For badges.
    """

    def __init__(self, client: LabelStudio, backend: BackendAddress, api_token: str, folder: Path) -> None:
        self.tally = Tally()
        self._client, self._backend, self._token, self._folder = client, backend, api_token, folder
        self._badges: dict[str, Badge] = {}
        self._batches = itertools.count(1)
        self._events: list[dict[str, Any]] = []
        self._guard = threading.Lock()
        self.project_id = client.create_project(new_title("Soak"), LABEL_CONFIG).id
        plan = ProjectPlan("", "", project_id=self.project_id, images=tuple(self._new_badges()))
        ensure_project(client, plan, backend)

    def annotator(self) -> Iterator[float]:
        """Correct badge after badge; give the seconds to rest."""
        while True:
            open_tasks = list(self._client.tasks(self.project_id, annotated=False))
            if len(open_tasks) < FEW:
                upload = self._client.upload_files
                self.tally.time(f"Label Studio: upload {UPLOAD} badges", upload, self.project_id, self._new_badges())
                open_tasks = list(self._client.tasks(self.project_id, annotated=False))
            made = {item.task: item for item in self._client.predictions(project_id=self.project_id)}
            for task in sorted(open_tasks, key=lambda task: -(made[task.id].score or 0.0) if task.id in made else 1.0)[
                :5
            ]:
                badge = self._badges[_name(task.data["image"])]
                item = made.get(task.id)
                result = corrected(item.result if item else (), badge)
                parent = item.id if item else None
                submit = self._client.create_annotation
                annotation = self.tally.time("Label Studio: submit", submit, task.id, result, parent_prediction=parent)
                if annotation is not None:
                    self._note(task.id, task.data, annotation.id, result)
                yield 5.0

    def predict(self) -> Iterator[float]:
        """Ask for pages of the project, one to five at a time."""
        chance, web = random.Random(1), Web(self._backend.url)
        if self._backend.user:
            web.session.auth = (self._backend.user, self._backend.password)
        while True:
            tasks = [{"id": task.id, "data": dict(task.data)} for task in self._client.tasks(self.project_id)]
            for _ in range(10):
                body = {
                    "tasks": chance.sample(tasks, chance.randint(1, 5)),
                    "project": f"{self.project_id}.1",
                    "label_config": LABEL_CONFIG,
                }
                self.tally.time("/predict", web.ask, "POST", "/predict", json=body)
                yield 2.0

    def webhooks(self) -> Iterator[float]:
        """Send events again that Label Studio has sent."""
        chance = random.Random(2)
        web = Web(self._backend.url, **{"X-Webhook-Secret": self._backend.webhook_secret})
        while True:
            with self._guard:
                event = chance.choice(self._events) if self._events else None
            if event is not None:
                self.tally.time("/webhook", web.ask, "POST", "/webhook", json=event)
            yield 1.0

    def application(self) -> Iterator[float]:
        """Send cards and feedback, and ask for what there is to know."""
        web = Web(self._backend.url, Authorization=f"Bearer {self._token}")
        query = {"project_id": self.project_id}
        asked = ("status", "recommendations", "patterns", "metrics/history", "versions", "runs", "feedback")
        for number, card in enumerate(cards(100_000, 30)):
            sent = {"image": ("card.jpg", card, "image/jpeg")}
            self.tally.time("/extract", web.ask, "POST", f"{LEARNING}/extract", params=query, files=sent)
            yield 3.0
            if number % 3 == 0:
                path, body = f"{LEARNING}/feedback/soak-{number}", self._feedback(number)
                self.tally.time("/feedback", web.ask, "POST", path, params=query, json=body)
                yield 3.0
            for what in asked:
                self.tally.time("self-learning API: a GET", web.ask, "GET", f"{LEARNING}/{what}", params=query)
                yield 1.0

    def _feedback(self, number: int) -> dict[str, Any]:
        """A badge of its own, on which one text was read wrongly."""
        folder = self._folder / f"feedback-{number}"
        folder.mkdir()
        (badge,) = draw_badges(folder, 1, seed=100_000 + number)
        right = [{"text": text, "bbox": list(box), "field": name} for name, text, box in badge.truth]
        wrong = [{**right[0], "text": right[0]["text"][:-1]}, *right[1:]]
        image = base64.b64encode(badge.path.read_bytes()).decode()
        return {"original_blocks": wrong, "corrected_blocks": right, "image_base64": image}

    def panel(self) -> Iterator[float]:
        """Leaf through the panel."""
        web = Web(self._backend.url)
        form = re.search(r'name="form" value="([^"]+)"', web.ask("GET", "/admin/login").text)
        if form is None:
            raise SystemExit("the panel's login has no form")
        web.ask("POST", "/admin/login", data={"form": form[1], "token": self._token}).raise_for_status()
        for page in itertools.cycle(PANEL_PAGES):
            path = f"/admin/projects/{self.project_id}/{page}"
            answer = self.tally.time("panel: a page", web.ask, "GET", path)
            if answer is not None and page == "corrections":
                for picture in re.findall(r'src="(/admin/[^"]+/crops/\d+)"', answer.text)[:5]:
                    self.tally.time("panel: a picture", web.ask, "GET", picture)
            yield 2.0

    def _new_badges(self) -> list[Path]:
        batch = next(self._batches)
        folder = self._folder / f"batch{batch:03}"
        folder.mkdir()
        paths = []
        for badge in draw_badges(folder, UPLOAD, seed=1000 + batch):
            path = badge.path.rename(folder / f"b{batch:03}-{badge.path.name}")
            self._badges[path.name] = badge
            paths.append(path)
        return paths

    def _note(self, task_id: int, data: Any, annotation_id: int, result: Any) -> None:
        event = {
            "action": "ANNOTATION_CREATED",
            "annotation": {"id": annotation_id, "task": task_id, "result": result, "project": self.project_id},
            "task": {"id": task_id, "data": dict(data), "project": self.project_id},
            "project": {"id": self.project_id, "title": "Soak", "label_config": LABEL_CONFIG},
        }
        with self._guard:
            self._events.append(event)


class Memory:
    """What the processes of a launch hold.

    Args:
        run_dir: The launch's folder.
    """

    def __init__(self, run_dir: Path) -> None:
        self._mark = str(run_dir.absolute())
        # It writes its title over its environment.
        self._redis = int((run_dir / "pids" / "redis.pid").read_text())
        self._names: dict[int, str] = {}
        self.samples: list[tuple[float, dict[str, float]]] = []

    def look(self, now: float) -> None:
        """Note the proportional set size of each kind of process, in MiB, at ``now`` seconds."""
        held: dict[str, float] = defaultdict(float)
        for process in psutil.process_iter():
            try:
                if not self._is_ours(process):
                    continue
                held[self._name(process)] += process.memory_full_info().pss / MIB
            except (psutil.Error, OSError):
                continue
        self.samples.append((now, dict(held)))

    def _is_ours(self, process: psutil.Process) -> bool:
        return process.pid == self._redis or process.environ().get(MARK) == self._mark

    def _name(self, process: psutil.Process) -> str:
        if process.pid not in self._names:
            line = " ".join(process.cmdline())
            kinds = {
                "gunicorn": "API (gunicorn)",
                "cli.trainer": "trainer and its run",
                "cli.worker": "worker",
                "label-studio": "Label Studio",
                "label_studio": "Label Studio",
                "redis": "Redis",
            }
            self._names[process.pid] = next((name for part, name in kinds.items() if part in line), "launcher")
        return self._names[process.pid]

    def table(self, warm: float) -> list[tuple[str, float, float, float, float]]:
        """Return name, MiB at ``warm`` seconds, MiB at the end, most, and MiB by which it grew in an hour."""
        rows = []
        for name in sorted({name for _, held in self.samples for name in held}):
            seen = np.array([(at, held.get(name, 0.0)) for at, held in self.samples if at >= warm])
            slope = np.polyfit(seen[:, 0] / 3600, seen[:, 1], 1)[0] if len(seen) > 2 else 0.0
            few = max(1, len(seen) // 10)
            first, last = float(np.median(seen[:few, 1])), float(np.median(seen[-few:, 1]))
            rows.append((name, first, last, float(seen[:, 1].max()), float(slope)))
        return rows

    def draw(self, path: Path) -> None:
        """Write a figure."""
        figure, axes = plt.subplots(figsize=(7, 4.2))
        for name in sorted({name for _, held in self.samples for name in held}):
            axes.plot([at / 60 for at, _ in self.samples], [h.get(name, 0.0) for _, h in self.samples], label=name)
        axes.set(
            xlabel="minutes", ylabel="MiB (proportional set size)", title="memory under mixed load", ylim=(0, None)
        )
        axes.legend(fontsize=8)
        mpl.rcParams["svg.hashsalt"] = "plots"
        figure.tight_layout()
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--run-dir", type=Path, default=Path(".run"), help="folder of the running system")
    parser.add_argument("--out", type=Path, help="file for a figure of the memory (SVG)")
    arguments = parser.parse_args()
    connection = json.loads((arguments.run_dir / "connection.json").read_text())
    secrets = json.loads((arguments.run_dir / "secrets.json").read_text())
    client = LabelStudio(connection["label_studio_url"], connection["api_key"], timeout=TIMEOUT)
    backend = BackendAddress(url=connection["backend_url"], webhook_secret=secrets["webhook_secret"])
    memory = Memory(arguments.run_dir)
    with tempfile.TemporaryDirectory() as folder:
        load = Load(client, backend, secrets["api_token"], Path(folder))
        over = threading.Event()
        works = [load.annotator, load.predict, load.webhooks, load.application, load.panel]
        threads = [threading.Thread(target=go_on, args=(work, load.tally, over), daemon=True) for work in works]
        start = time.monotonic()
        for thread in threads:
            thread.start()
        while (passed := time.monotonic() - start) < 60 * arguments.minutes:
            memory.look(passed)
            time.sleep(15)
        over.set()
        for thread in threads:
            thread.join(2 * TIMEOUT)
    report(load.tally, memory, 60 * arguments.minutes / 6)
    web = Web(backend.url, Authorization=f"Bearer {secrets['api_token']}")
    for run in web.ask("GET", f"{LEARNING}/runs", params={"project_id": load.project_id}).json().get("runs", ()):
        print("run", {name: run.get(name) for name in ("run_id", "state", "decision", "documents", "message")})
    if arguments.out:
        memory.draw(arguments.out)
    client.close()
    return 1 if any(load.tally.failures.values()) else 0


def go_on(work: Callable[[], Iterator[float]], tally: Tally, over: threading.Event) -> None:
    """Work until the time is over; what fails outside of a timed request is counted too, and begun again."""
    while not over.is_set():
        try:
            for rest in work():
                if over.wait(rest):
                    return
        except Exception as error:  # noqa: BLE001 - as in Tally
            said = f"{time.strftime('%H:%M:%S')} {type(error).__name__}: {error}"
            tally.failures[f"{work.__name__}, between requests"].append(said[:300])
            over.wait(1)


def report(tally: Tally, memory: Memory, warm: float) -> None:
    """Print both tables, and what went wrong."""
    print("| request | count | failed | median s | 95 % | 99 % | slowest |\n|---|---:|---:|---:|---:|---:|---:|")
    for kind, seconds in sorted(tally.seconds.items()):
        middle, high, higher = np.percentile(seconds, [50, 95, 99])
        failed = len(tally.failures.get(kind, ()))
        print(f"| {kind} | {len(seconds)} | {failed} | {middle:.3f} | {high:.2f} | {higher:.2f} | {max(seconds):.2f} |")
    for kind, said in tally.failures.items():
        for line in said[:5]:
            print(f"{kind}: {line}")
    print(f"\n| processes | MiB after {warm / 60:.0f} min | at the end | most | MiB an hour |")
    print("|---|---:|---:|---:|---:|")
    for name, first, last, most, slope in memory.table(warm):
        print(f"| {name} | {first:.0f} | {last:.0f} | {most:.0f} | {slope:+.0f} |")


def _name(address: str) -> str:
    """Return the name that a file had before Label Studio put its own in front of it."""
    return re.sub(r"^[0-9a-f]{8}-", "", address.rpartition("/")[2])


if __name__ == "__main__":
    raise SystemExit(main())
