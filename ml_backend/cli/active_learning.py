"""``recommendations``, ``advice``, ``label-errors``: what active learning says of a project."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tqdm import tqdm

from ml_backend.cli import AddCommand
from ml_backend.cli.connection import connected
from ml_backend.settings import Settings

if TYPE_CHECKING:
    from ml_backend.store.events import Store
    from ml_backend.store.label_errors import LabelSuspect

_LANGUAGES = ("en", "ru")


def add_commands(add: AddCommand) -> None:
    """Add the commands to the command line."""
    parser = _with_project(add("recommendations", recommendations))
    parser.add_argument("--limit", type=int, default=10, metavar="N", help="so many documents at most; 10 by default")
    parser.add_argument("--language", choices=_LANGUAGES, default="en", help="language of the reasons")
    parser = _with_project(add("advice", advice))
    parser.add_argument("--language", choices=_LANGUAGES, default="en", help="language of the advice")
    parser = _with_project(add("label-errors", label_errors))
    parser.add_argument("--limit", type=int, metavar="N", help="so many documents at most; a fifth by default")
    parser.add_argument("--kept", action="store_true", help="show what was found last time instead of searching again")


def recommendations(arguments: argparse.Namespace, settings: Settings) -> int:
    """List the documents that a person should see, and why."""
    from active_learning.reasons import explain
    from ml_backend.container import build_recommender

    with _store(settings) as store:
        found = build_recommender(settings, store).recommendations(arguments.project, arguments.limit)
    for item in found.items:
        said = "; ".join(explain(reason, arguments.language) for reason in item.reasons)
        contact = f" ({item.contact_id})" if item.contact_id is not None else ""
        print(f"task {item.task_id}{contact}  priority {item.priority}  reading {item.confidence:.2f}  {said}")
    print(f"{found.total_candidates} documents should be looked at.")
    return 0


def advice(arguments: argparse.Namespace, settings: Settings) -> int:
    """Say whether to go on annotating, and what the order of tasks saves."""
    from ml_backend.container import build_adviser

    with _store(settings) as store:
        advice = build_adviser(settings, store).advice(arguments.project)
    print("\n".join(advice.words(arguments.language)))
    for name, state in advice.fields.items():
        print(f"{name}: entity F1 {state.score:.2f} with people, {state.examples} values")
    if advice.order is not None:
        order = advice.order
        print(
            f"{order.tasks} open tasks are ordered by {order.strategy} ({order.reason}); {advice.annotated} annotated"
        )
    return 0


def label_errors(arguments: argparse.Namespace, settings: Settings) -> int:
    """Search annotated documents for labels that are probably wrong."""
    from ml_backend.store.annotations import LearningStore
    from ml_backend.store.label_errors import LabelErrors

    if arguments.kept:
        with _store(settings) as store:
            found = LabelErrors(store.engine, LearningStore(store.engine)).queue(
                arguments.project, arguments.limit or 20
            )
        _show(found)
        return 0
    from ml_backend.container import build_collector, build_learning, build_reading
    from ml_backend.quality.label_error_queue import renew_queue
    from model.pipeline import SHIPPED_WEIGHTS

    services = build_learning(connected(settings))
    try:
        shipped = settings.extractor_dir or SHIPPED_WEIGHTS
        services.synchroniser.sync(arguments.project, compare=True)
        reading = build_reading(settings, services, shipped)
        collector = build_collector(settings, services.store, services.label_studio, reading)
        with tqdm(unit="document", file=sys.stderr) as progress:
            suspects = renew_queue(
                services.label_studio,
                collector,
                services.store,
                shipped,
                arguments.project,
                limit=arguments.limit,
                on_progress=lambda: progress.update(),
            )
    finally:
        services.close()
    _show(suspects)
    return 0


def _show(suspects: tuple[LabelSuspect, ...]) -> None:
    for suspect in suspects:
        print(f"task {suspect.task_id}  {suspect.suspicion:.2f}  " + "; ".join(each.words for each in suspect.doubts))
    print(f"{len(suspects)} annotated documents should be looked at again.")


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    from ml_backend.store.events import Store

    store = Store(settings.store_url)
    try:
        yield store
    finally:
        store.close()


def _with_project(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("project", type=int, metavar="PROJECT", help="number of the project")
    return parser
