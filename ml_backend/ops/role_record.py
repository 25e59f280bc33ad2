"""Which role runs on this machine, noted where its health check finds it.

A container runs one role, and its health check is a second process in it that was told nothing. The note lies in the
folder for temporary files, which every container has to itself.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from ml_backend.errors import BackendError
from ml_backend.store.atomic_write import replacing

Role = Literal["api", "worker", "trainer"]
_FILE = "ml-backend-role.json"


class RoleError(BackendError):
    """A role cannot be begun, or is not healthy."""


@dataclass(frozen=True, slots=True)
class RoleRecord:
    """A role that was begun.

    Attributes:
        role: Which.
        pid: Its process.
    """

    role: Role
    pid: int


def note_role(record: RoleRecord) -> None:
    """Note a role; one that was noted before is forgotten.

    Raises:
        RoleError: If the folder for temporary files cannot be written.
    """
    try:
        with replacing(_path()) as file:
            file.write(json.dumps(asdict(record)).encode())
    except OSError as error:
        raise RoleError(
            f"{_path()} cannot be written ({error.strerror}).",
            "Give the process a folder for temporary files: a tmpfs at /tmp, or TMPDIR.",
        ) from error


def noted_role() -> RoleRecord | None:
    """Return the role that was noted, ``None`` where there is none.

    Raises:
        RoleError: If the note is not what was written.
    """
    try:
        parsed = json.loads(_path().read_bytes())
        role, pid = parsed["role"], int(parsed["pid"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RoleError(f"{_path()} cannot be read.", "Remove it, and start the role again.") from error
    if role not in get_args(Role):
        raise RoleError(f"{_path()} names no role.", "Remove it, and start the role again.")
    return RoleRecord(role, pid)


def _path() -> Path:
    return Path(tempfile.gettempdir()) / _FILE
