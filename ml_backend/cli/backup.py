"""``backup`` and ``restore``: everything into one file, and back."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ml_backend.cli import AddCommand
from ml_backend.settings import Settings


def add_commands(add: AddCommand) -> None:
    """Add the commands to the command line."""
    parser = add("backup", backup)
    parser.add_argument("file", type=Path, metavar="FILE", help="file to write, such as backup.tar.gz")
    parser = add("restore", restore)
    parser.add_argument("file", type=Path, metavar="FILE", help="what the command backup has written")
    parser.add_argument("--force", action="store_true", help="replace what is there")


def backup(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write store, model versions, training data and line crops into one file, while everything runs."""
    from ml_backend.ops.backup.writing import write_backup

    header = write_backup(settings, arguments.file, _say)
    size = arguments.file.stat().st_size
    print(f"{arguments.file} has everything of {header.made_at} ({size / 1e6:.1f} MB).")
    for note in header.notes:
        print(note)
    return 0


def restore(arguments: argparse.Namespace, settings: Settings) -> int:
    """Put a backup's content where the settings say; the backend must not run."""
    from ml_backend.ops.backup.restoring import restore_backup

    header = restore_backup(settings, arguments.file, force=arguments.force, step=_say)
    print(f"Everything of {header.made_at} is back.")
    if header.settings:
        print("Settings that were made then, apart from secrets:")
        for name, value in header.settings.items():
            print(f"  {name}={value}")
    for note in header.notes:
        print(note)
    return 0


def _say(what: str) -> None:
    print(f"… {what}", file=sys.stderr)
