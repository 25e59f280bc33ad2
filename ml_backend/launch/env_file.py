"""The file ``.env`` of Docker Compose with random secrets: ``make env``.

It is made with nothing installed but Python, since people who run containers install nothing else.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from ml_backend.errors import LaunchError

DEFAULT_PATH = Path(__file__).resolve().parents[2] / ".env"


def _password() -> str:
    return secrets.token_urlsafe(24)


#: Each secret with what makes one: letters, digits, "-" and "_" alone, which every file, address and shell takes as
#: they are. A token of Label Studio's has 40 characters at most.
SECRETS: Mapping[str, Callable[[], str]] = {
    "LABEL_STUDIO_PASSWORD": _password,
    "LABEL_STUDIO_USER_TOKEN": lambda: secrets.token_hex(20),
    "BASIC_AUTH_PASSWORD": _password,
    "WEBHOOK_SECRET": _password,
    "API_TOKEN": _password,
    "REDIS_PASSWORD": _password,
    "POSTGRES_PASSWORD": _password,
    "BACKEND_DB_PASSWORD": _password,
    "MLFLOW_DB_PASSWORD": _password,
    "LABEL_STUDIO_DB_PASSWORD": _password,
}

_TEMPLATE = """\
# The secrets of docker-compose.yml, made by `make env`. Keep it to yourself, and keep a copy: the databases know them.

# Who logs in at the Label Studio that Compose starts, and its token for the backend. They count on its first start.
LABEL_STUDIO_USERNAME=admin@example.com
LABEL_STUDIO_PASSWORD={LABEL_STUDIO_PASSWORD}
LABEL_STUDIO_USER_TOKEN={LABEL_STUDIO_USER_TOKEN}

# A Label Studio of your own instead: its address and a token of one of its users, and how it reaches the backend.
#LABEL_STUDIO_URL=https://labels.example.com
#LABEL_STUDIO_API_KEY=
#BACKEND_URL=https://backend.example.com

# What Label Studio and its webhooks send, and the token of the panel and the self-learning API.
BASIC_AUTH_USER=label-studio
BASIC_AUTH_PASSWORD={BASIC_AUTH_PASSWORD}
WEBHOOK_SECRET={WEBHOOK_SECRET}
API_TOKEN={API_TOKEN}

# The engines. POSTGRES_PASSWORD is the administrator's; each of the others opens one database.
REDIS_PASSWORD={REDIS_PASSWORD}
POSTGRES_PASSWORD={POSTGRES_PASSWORD}
BACKEND_DB_PASSWORD={BACKEND_DB_PASSWORD}
MLFLOW_DB_PASSWORD={MLFLOW_DB_PASSWORD}
LABEL_STUDIO_DB_PASSWORD={LABEL_STUDIO_DB_PASSWORD}
"""


def write_env_file(path: Path) -> tuple[str, ...]:
    """Write fresh secrets to ``path``, so that only its owner can read it.

    A file that is there keeps its lines: it only gets the secrets that it lacks, as after an upgrade that needs more.

    Returns:
        The names of the secrets that were written; none where all were there.

    Raises:
        LaunchError: If it cannot be read or written.
    """
    made = {name: make() for name, make in SECRETS.items()}
    try:
        if not path.exists():
            _write_private(path, _TEMPLATE.format_map(made))
            return tuple(made)
        there = path.read_text(encoding="utf-8")
        missing = tuple(name for name in made if not re.search(rf"^\s*(export\s+)?{name}\s*=", there, re.MULTILINE))
        if missing:
            added = "".join(f"{name}={made[name]}\n" for name in missing)
            _write_private(
                path, f"{there}{'' if there.endswith(chr(10)) else chr(10)}\n# Added by `make env`.\n{added}"
            )
    except (OSError, UnicodeDecodeError) as error:
        raise LaunchError(f"{path} cannot be read or written ({type(error).__name__}).", "Fix or move it.") from error
    return missing


def _write_private(path: Path, content: str) -> None:
    """Write a file with mode 600, whole or not at all."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def main() -> int:
    """Write the file beside ``docker-compose.yml``; return the exit status."""
    try:
        made = write_env_file(DEFAULT_PATH)
    except LaunchError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(
        f"Wrote {len(made)} secrets to {DEFAULT_PATH}.\n" if made else f"{DEFAULT_PATH} has all secrets.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
