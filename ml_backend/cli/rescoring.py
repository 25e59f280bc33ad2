"""``rescore``: score the open tasks with the serving version."""

from __future__ import annotations

import argparse
from contextlib import closing

from ml_backend.cli import AddCommand
from ml_backend.settings import Settings


def add_commands(add: AddCommand) -> None:
    """Add the command to the command line."""
    add("rescore", rescore).add_argument("project", type=int, metavar="PROJECT", help="number of the project")


def rescore(arguments: argparse.Namespace, settings: Settings) -> int:
    """Have the worker give every open task that lacks one a prediction of the version that serves."""
    from ml_backend.store.annotations import ASKED, LearningStore
    from ml_backend.store.events import Store

    with closing(Store(settings.store_url)) as store:
        LearningStore(store.engine).set_rescored(arguments.project, ASKED)
    print(f"The worker scores the open tasks of project {arguments.project} again; its log says how far it is.")
    return 0
