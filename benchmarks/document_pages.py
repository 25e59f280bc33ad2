"""Documents of several pages: how long are they read, and what does a run make of corrections on their pages?

    MIN_TRAINING_SAMPLES=30 GATE_MIN_DOCUMENTS=5 python -m ml_backend run      # in one terminal
    python -m benchmarks.document_pages                                        # in another

``--documents`` PDF files of ``--pages`` badges each, of a design that the shipped weights never saw, become tasks by
``python -m ml_backend pages``; a script corrects ``--annotated`` of them on every page, through Label Studio's API, and
does nothing else: that many corrections start a run by themselves. Entity F1 is that of field and text on the pages of
the untouched documents, before and after. ``--long`` is how many pages one more document has, of which only the reading
is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.records import Prediction
from ml_backend.predict.serving_models import number_of
from ml_backend.store.events import Store
from ml_backend.store.runs import RunStore
from tests.e2e.annotator import corrected, entity_f1
from tests.e2e.badges import LABELS, Badge, draw_badges
from tests.e2e.projects import new_title
from tests.e2e.waiting import until
from tests.paged import paged

PATIENCE = 1500.0


@dataclass(frozen=True)
class Documents:
    """A project of documents.

    Attributes:
        client: Label Studio.
        project_id: The project.
        badges: The pages of each task.
    """

    client: LabelStudio
    project_id: int
    badges: dict[int, Sequence[Badge]]

    def predictions(self, version: str | None = None) -> dict[int, Prediction]:
        """Return each task's latest prediction, or that of a version."""
        made = self.client.predictions(project_id=self.project_id)
        return {item.task: item for item in made if version is None or item.model_version == version}

    def f1(self, tasks: Sequence[int], version: str | None = None) -> float:
        """Return the entity F1 of predictions, by page."""
        made = self.predictions(version)

        def pages() -> Iterator[tuple[list[dict[str, Any]], Badge]]:
            for task in tasks:
                for index, badge in enumerate(self.badges[task]):
                    yield page_of(made[task].result, index) if task in made else [], badge

        return entity_f1(pages())

    def correct(self, task: int, made: Prediction) -> None:
        """Submit what a person makes of a prediction, on all pages."""
        names = {part["type"]: part["from_name"] for part in made.result}
        image = next(part["to_name"] for part in made.result)
        result = [
            part | {"item_index": index, "from_name": names[part["type"]], "to_name": image}
            for index, badge in enumerate(self.badges[task])
            for part in corrected(page_of(made.result, index), badge)
        ]
        self.client.create_annotation(task, result, parent_prediction=made.id)


def page_of(result: Sequence[Mapping[str, Any]], index: int) -> list[dict[str, Any]]:
    """Return the parts of a result that stand on a page."""
    return [dict(part) for part in result if part.get("item_index", 0) == index]


def send(run_dir: Path, folder: Path, title: str) -> None:
    """Make tasks of the files in a folder, as docs/labelling.md says."""
    command = [sys.executable, "-m", "ml_backend", "pages", str(folder), "--title", title, "--labels", ",".join(LABELS)]
    subprocess.run(command, env=os.environ | {"RUN_DIR": str(run_dir)}, check=True, stdout=subprocess.DEVNULL)


def pdf(path: Path, badges: Sequence[Badge]) -> None:
    """Write badges as the pages of a document."""
    path.write_bytes(paged([Image.open(badge.path).convert("RGB") for badge in badges]))


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run-dir", type=Path, default=Path(".run"), help="folder of the running system")
    parser.add_argument("--documents", type=int, default=40)
    parser.add_argument("--annotated", type=int, default=30)
    parser.add_argument("--pages", type=int, default=3, help="of each document")
    parser.add_argument("--long", type=int, default=50, help="pages of a document that is only read; 0: none")
    arguments = parser.parse_args()
    run_dir = arguments.run_dir.absolute()
    connection = json.loads((run_dir / "connection.json").read_text())
    client = LabelStudio(connection["label_studio_url"], connection["api_key"], timeout=120)
    with tempfile.TemporaryDirectory() as name:
        if arguments.long:
            read(client, run_dir, Path(name), arguments.long)
        learn(client, run_dir, Path(name), arguments.documents, arguments.annotated, arguments.pages)
    client.close()


def read(client: LabelStudio, run_dir: Path, folder: Path, count: int) -> None:
    """Time one long document."""
    drawn, sent = folder / "long-pages", folder / "long"
    drawn.mkdir()
    sent.mkdir()
    pdf(sent / "long.pdf", draw_badges(drawn, count, seed=7))
    title, start = new_title("A long document"), time.monotonic()
    send(run_dir, sent, title)
    uploaded = time.monotonic() - start
    (project,) = client.projects(title)
    until(lambda: list(client.predictions(project_id=project.id)), "the prediction", PATIENCE)
    (made,) = client.predictions(project_id=project.id)
    shown = len({part["item_index"] for part in made.result})
    passed = time.monotonic() - start
    say(f"{count} pages: drawn and uploaded after {uploaded:.0f} s, {shown} of them pre-labelled after {passed:.0f} s")


def learn(client: LabelStudio, run_dir: Path, folder: Path, count: int, annotated: int, pages: int) -> None:
    """Play the loop."""
    drawn, sent = folder / "pages", folder / "documents"
    drawn.mkdir()
    sent.mkdir()
    badges = draw_badges(drawn, count * pages)
    by_name = {f"document-{n:03}.pdf": badges[n * pages : (n + 1) * pages] for n in range(count)}
    for name, own in by_name.items():
        pdf(sent / name, own)
    title = new_title("Documents of badges")
    send(run_dir, sent, title)
    (project,) = client.projects(title)
    tasks = {task.id: by_name[Path(task.data["document"]).name] for task in client.tasks(project.id)}
    documents = Documents(client, project.id, tasks)
    until(lambda: len(documents.predictions()) == count, "the pre-labels", PATIENCE)
    order = sorted(tasks)
    made, untouched = documents.predictions(), order[annotated:]
    before = documents.f1(untouched)
    say(f"{count} documents of {pages} pages; entity F1 on the {len(untouched)} untouched ones: {before:.3f}")
    for task in order[:annotated]:
        documents.correct(task, made[task])
    clock = time.monotonic()
    store = Store(f"sqlite:///{run_dir / 'store.sqlite3'}")
    runs = RunStore(store.engine)
    until(lambda: any(run.state == "finished" for run in runs.runs(project.id)), "the run", PATIENCE)
    run = next(run for run in runs.runs(project.id) if run.state == "finished")
    store.close()
    say(f"run over after {time.monotonic() - clock:.0f} s, {run.documents} documents, {run.decision}: {run.message}")
    if run.decision != "promoted":
        return

    def version() -> str:
        return client.project(project.id).model_version

    until(lambda: number_of(version()) == run.version, "the new order", PATIENCE)
    say(f"in the new order after {time.monotonic() - clock:.0f} s; F1 {documents.f1(untouched, version()):.3f}")


if __name__ == "__main__":
    main()
