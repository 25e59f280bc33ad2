"""Databases that tests begin with: made once by the real code, then copied, since making one takes long.

They are opened as usual all the same, migrations included, which find a database that is up to date.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from filelock import FileLock
from sqlalchemy import Engine, create_engine

from ml_backend.store import engine as store_engine
from model.registry.tracking import Tracking

_migrate, _open = store_engine._migrate, Tracking._open


def copy_databases(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let stores in SQLite and databases of MLflow begin as copies, where there is no file yet.

    Args:
        patch: For as long as it holds.
        folder: Where the templates are; processes may share it.
    """

    def migrate(engine: Engine) -> None:
        name = engine.url.database
        if engine.dialect.name == "sqlite" and name and name != ":memory:":
            _begin(Path(name), folder / "store.sqlite3", _make_store)
        _migrate(engine)

    def open_client(tracking: Tracking) -> object:
        if tracking._file is not None:
            _begin(tracking._file, folder / "mlflow.sqlite3", _make_mlflow)
        return _open(tracking)

    patch.setattr(store_engine, "_migrate", migrate)
    patch.setattr(Tracking, "_open", open_client)


def make_databases(patch: pytest.MonkeyPatch) -> None:
    """Let each be made from nothing, as in use."""
    patch.setattr(store_engine, "_migrate", _migrate)
    patch.setattr(Tracking, "_open", _open)


def _make_store(file: Path) -> None:
    engine = create_engine(f"sqlite:///{file}")
    store_engine._prepare_sqlite(engine)
    _migrate(engine)
    engine.dispose()


def _make_mlflow(file: Path) -> None:
    _open(Tracking(f"sqlite:///{file}", file.parent / "models"))


def _begin(file: Path, template: Path, make: Callable[[Path], None]) -> None:
    """Copy the template to where there is no file; what cannot be written is left to the code that opens it."""
    if file.exists():
        return
    template.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{template}.lock"):
        if not template.exists():
            make(template)
    draft = file.with_name(f"{file.name}.{uuid.uuid4().hex}")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(template, draft)
        # Of several that begin at once the first one counts.
        with suppress(FileExistsError):
            os.link(draft, file)
        draft.unlink()
