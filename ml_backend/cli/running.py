"""Beginning a role in the process that was started for it, which in a container is the first one, number 1."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from types import FrameType
from typing import NoReturn

from ml_backend.launch.commands import SERVER
from ml_backend.ops.role_record import Role, RoleRecord, note_role

_STOPPED = 128 + signal.SIGTERM


def serve() -> NoReturn:
    """Become the API's server.

    Raises:
        RoleError: If the role cannot be noted.
    """
    _begin("api")
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, (sys.executable, *SERVER))  # noqa: S606 - our own words


def work() -> NoReturn:
    """Be a worker until told to stop, then end this process.

    Raises:
        RoleError: If the role cannot be noted.
    """
    _begin("worker")
    _run("ml_backend.cli.worker")


def train() -> NoReturn:
    """Be the trainer until told to stop, then end this process.

    Raises:
        RoleError: If the role cannot be noted.
    """
    _begin("trainer")
    _run("ml_backend.cli.trainer")


def _run(module: str) -> NoReturn:
    """Run a module as the program that it is, in this very process: a new one would not hear SIGTERM yet."""
    # The arguments were those of the command.
    sys.argv[1:] = []
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit(0)


def _begin(role: Role) -> None:
    """Note the role, and make sure that SIGTERM ends it from the first moment.

    The kernel keeps from a container's first process every signal that it does not handle itself. Gunicorn and RQ put
    their own, gentler handlers in the place of this one.
    """
    signal.signal(signal.SIGTERM, _leave)
    note_role(RoleRecord(role, os.getpid()))


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(_STOPPED)
