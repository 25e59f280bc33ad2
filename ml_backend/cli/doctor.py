"""``doctor``: what is broken between the parts, and how to fix it."""

from __future__ import annotations

import argparse
import json

from ml_backend.cli import AddCommand
from ml_backend.cli.connection import launched
from ml_backend.settings import Settings

_SIGNS = {"ok": "✔", "warning": "!", "error": "✘", "skipped": "-", "running": "…"}


def add_commands(add: AddCommand) -> None:
    """Add the command to the command line."""
    parser = add("doctor", doctor)
    parser.add_argument(
        "--project", type=int, action="append", metavar="PROJECT", help="number of a project; all known ones otherwise"
    )
    parser.add_argument("--json", action="store_true", help="write one JSON object a result, for programs")


def doctor(arguments: argparse.Namespace, settings: Settings) -> int:
    """Look at every link between Label Studio, the backend and its parts, and say what to do about broken ones."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    from ml_backend.ops.doctor.examination import examine_everything
    from ml_backend.ops.doctor.results import lacks_predictions
    from ml_backend.store.engine import StoreError

    settings = launched(settings)
    try:
        engine = create_engine(settings.store_url)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise StoreError("DATABASE_URL cannot be used.", "Check address and driver.") from error
    broken, lacking, heading = 0, False, ""
    for examined in examine_everything(settings, engine, arguments.project):
        result = examined.result
        broken += result.state == "error"
        lacking = lacking or lacks_predictions(result)
        if arguments.json:
            print(
                json.dumps(
                    {
                        "project": examined.project_id,
                        "check": result.check,
                        "state": result.state,
                        "found": str(result.found),
                        "remedy": str(result.remedy) if result.remedy else "",
                    },
                    ensure_ascii=False,
                ),
                flush=True,
            )
            continue
        if str(examined.group) != heading:
            heading = str(examined.group)
            print(f"\n{heading}")
        print(f"  {_SIGNS[result.state]} {result.title}: {result.found}", flush=True)
        if result.remedy:
            print(f"    → {result.remedy}")
    engine.dispose()
    if not arguments.json:
        holds = "No link is broken; open tasks lack predictions." if lacking else "All links hold."
        print(f"\n{broken} broken." if broken else f"\n{holds}")
    return 1 if broken else 0
