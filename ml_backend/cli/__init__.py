"""Commands of ``python -m ml_backend``, a module a concern: each has ``add_commands`` and imports its parts late."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from ml_backend.settings import Settings

Command = Callable[[argparse.Namespace, Settings], int]
"""Takes the parsed arguments and the settings, and returns the exit status."""

AddCommand = Callable[[str, Command], argparse.ArgumentParser]
"""Adds a command by its name; its docstring is its help."""
