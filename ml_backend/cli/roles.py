"""``api``, ``worker``, ``trainer``, ``migrate``, ``connect``, ``health``: what a container of the image runs."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

from ml_backend.cli import AddCommand
from ml_backend.settings import Settings


def add_commands(add: AddCommand) -> None:
    """Add the commands to the command line."""
    for name, command in (("api", api), ("worker", worker), ("trainer", trainer), ("migrate", migrate)):
        add(name, command)
    add("connect", connect).add_argument(
        "--demonstration", action="store_true", help="give a project that has no task yet the demonstration cards"
    )
    add("health", health)


def api(_arguments: argparse.Namespace, _settings: Settings) -> int:
    """Serve the API, under gunicorn, until told to stop."""
    from ml_backend.cli.running import serve

    serve()


def worker(_arguments: argparse.Namespace, _settings: Settings) -> int:
    """Do the jobs of the queues, but for training, until told to stop."""
    from ml_backend.cli.running import work

    work()


def trainer(_arguments: argparse.Namespace, _settings: Settings) -> int:
    """Do the training runs until told to stop."""
    from ml_backend.cli.running import train

    train()


def migrate(_arguments: argparse.Namespace, settings: Settings) -> int:
    """Bring the store's schema up to date; safe at any time, and when several do so at once."""
    from ml_backend.store.events import Store

    with closing(Store(settings.store_url)):
        print("The store has the latest schema.")
    return 0


def connect(arguments: argparse.Namespace, settings: Settings) -> int:
    """Make or repair the project LABEL_STUDIO_PROJECT in Label Studio: connection, webhook, predictions, order."""
    from ml_backend.cli.connection import launched
    from ml_backend.launch.business_cards import DEMONSTRATION_CARDS
    from ml_backend.projects.connecting import connect_project

    images: Path | None = DEMONSTRATION_CARDS if arguments.demonstration else None
    report = connect_project(launched(settings), progress=print, images=images)
    print(f"Project {report.project_id} is connected: {report.predicted} of {report.tasks} documents are pre-labelled.")
    if report.waiting:
        print(report.said_of_waiting())
    return 0


def health(_arguments: argparse.Namespace, settings: Settings) -> int:
    """Check the role that runs on this machine: the status is 0 if it is well."""
    from ml_backend.ops.health import check_health
    from ml_backend.ops.role_record import noted_role

    print(check_health(noted_role(), settings))
    return 0
