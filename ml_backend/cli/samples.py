"""``sync``, ``collect``, ``import`` and ``export``: what comes in to be learned from, and what goes out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from ml_backend.cli import AddCommand
from ml_backend.cli.connection import connected
from ml_backend.settings import Settings

if TYPE_CHECKING:
    from ml_backend.container import LearningServices
    from ml_backend.label_studio.images import ImageSource
    from ml_backend.learn.dataset import Collected
    from ml_backend.learn.sample_io import Tally

#: Problems that are shown one by one; the rest are counted.
_SHOWN = 20


def add_commands(add: AddCommand) -> None:
    """Add the commands to the command line."""
    parser = add("sync", sync)
    parser.add_argument(
        "projects", nargs="*", type=int, metavar="PROJECT", help="number of a project; none: all that are known"
    )
    _with_project(add("collect", collect))
    parser = _with_project(add("import", import_samples))
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="samples, one JSON object per line; see docs/commands.md"
    )
    parser.add_argument(
        "--images",
        default="",
        metavar="PLACE",
        help="folder of the samples' images, or the address of the application that their paths belong to",
    )
    parser = _with_project(add("export", export))
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write")


def sync(arguments: argparse.Namespace, settings: Settings) -> int:
    """Make the store's annotations equal to Label Studio's."""
    with _services(settings) as services:
        projects = arguments.projects or _known_projects(services, connected(settings).public_url)
        if not projects:
            print("No project is connected to this backend. Name one: sync PROJECT.", file=sys.stderr)
            return 1
        for project_id in projects:
            report = services.service.sync(project_id)
            print(
                f"project {project_id}: {report.changed} annotations new or changed, {report.deleted} deleted, "
                f"{report.events} events answered"
                + (f"; training is pending: {report.run.reason}" if report.run else "")
            )
    return 0


def collect(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write a project's annotations as training samples into TRAINING_DATA_DIR."""
    with _services(settings) as services, tqdm(unit="annotation", file=sys.stderr) as progress:
        found = services.service.collect(arguments.project, write=True, step=lambda: _step(progress))
    print(f"{found.written} samples are in {found.file}.")
    return _report(found.problems)


def import_samples(arguments: argparse.Namespace, settings: Settings) -> int:
    """Take samples from a file for a project's annotations."""
    from ml_backend.label_studio.label_config import parse_label_config
    from ml_backend.learn.sample_files import SampleFolder
    from ml_backend.learn.sample_io import ImageLimits, SampleReader

    with _services(settings) as services, tqdm(unit="sample", file=sys.stderr) as progress:
        config = parse_label_config(services.label_studio.project(arguments.project).label_config)
        limits = ImageLimits(settings.max_image_bytes, settings.max_image_pixels)
        reader = SampleReader(services.learning, SampleFolder(settings.training_data_dir), limits)
        tally: Tally = reader.take(
            arguments.file,
            arguments.project,
            config,
            lambda: _step(progress),
            place=arguments.images,
            fetch=_images(services, settings).fetch,
        )
        run = services.due.check(arguments.project)
    print(
        f"{tally.done} samples were taken."
        + (f" {tally.present} are annotated in Label Studio already." if tally.present else "")
        + (f" Training is pending: {run.reason}." if run else "")
    )
    return _report(tally.problems)


def export(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write a project's annotated words with their tags: a word a line, a blank line between pages (CoNLL)."""
    from ml_backend.container import build_collector
    from ml_backend.label_studio.label_config import parse_label_config
    from ml_backend.predict.engine_pool import build_engine_of
    from ml_backend.store.atomic_write import replacing
    from model.document.bio import FIELDS
    from model.ocr.cached_reader import PageReading

    with _services(settings) as services, tqdm(unit="page", file=sys.stderr) as progress:
        services.synchroniser.sync(arguments.project, compare=True)
        config = parse_label_config(services.label_studio.project(arguments.project).label_config)
        reader = PageReading(
            build_engine_of(settings),
            max_image_bytes=settings.max_image_bytes,
            max_image_pixels=settings.max_image_pixels,
            cache=services.store,
        )
        collector = build_collector(settings, services.store, services.label_studio, reader)
        collected = collector.collect(
            arguments.project, config, FIELDS, lambda done, _all: _step(progress) if done else None
        )
    try:
        with replacing(arguments.out) as file:
            file.writelines(line.encode() for line in conll_lines(collected))
    except OSError as error:
        print(f"{arguments.out} cannot be written: {error.strerror}.", file=sys.stderr)
        return 1
    print(f"{len(collected.examples)} pages are in {arguments.out}.")
    return _report([f"task {problem.task_id}: {problem.reason}" for problem in collected.problems])


def conll_lines(collected: Collected) -> Iterator[str]:
    """Give the lines of a file of tagged words: word, left, top, right, bottom (pixels), tag, with tabs between."""
    for example in collected.examples:
        page = f"\tpage {example.item_index + 1}" if example.item_index else ""
        size = f"{example.page.width}\t{example.page.height}"
        yield f"# task {example.task_id}\timage {example.image_key}\t{size}{page}\n"
        for word, tag in zip(example.page.words, example.tags, strict=True):
            edges = (word.box.x0, word.box.y0, word.box.x1, word.box.y1)
            yield "\t".join((word.text, *(f"{edge:.2f}" for edge in edges), tag)) + "\n"
        yield "\n"


def _with_project(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("project", type=int, metavar="PROJECT", help="number of the project in Label Studio")
    return parser


@contextmanager
def _services(settings: Settings) -> Iterator[LearningServices]:
    from ml_backend.container import build_learning

    services = build_learning(connected(settings))
    try:
        yield services
    finally:
        services.close()


def _known_projects(services: LearningServices, backend_url: str) -> list[int]:
    """Return the projects that were ever synced, and those that this backend is connected to."""
    known = {state.id for state in services.learning.projects()}
    for project in services.label_studio.projects():
        if project.id not in known:
            backends = services.label_studio.ml_backends(project.id)
            known |= {project.id for backend in backends if backend.url.rstrip("/") == backend_url}
    return sorted(known)


def _images(services: LearningServices, settings: Settings) -> ImageSource:
    from ml_backend.label_studio.images import build_images

    return build_images(settings, services.label_studio)


def _step(progress: tqdm) -> None:
    progress.update()


def _report(problems: Sequence[str]) -> int:
    """Say what could not be used; return the exit status."""
    for problem in problems[:_SHOWN]:
        print(problem, file=sys.stderr)
    if len(problems) > _SHOWN:
        print(f"… and {len(problems) - _SHOWN} more.", file=sys.stderr)
    return 1 if problems else 0
