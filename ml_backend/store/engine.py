"""The database's engine and its schema."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, ExceptionContext, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DataError, IntegrityError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ml_backend.errors import BackendError
from ml_backend.observability.logs import get_logger
from ml_backend.store.patience import BUSY_SECONDS, use_up, waiting
from ml_backend.store.postgres import open_postgres, storable
from model.errors import say

# Any number will do, as long as nothing else in the same PostgreSQL database uses it.
_MIGRATION_LOCK = 7_233_906_401
# PostgreSQL's code for a lock that was not had within "lock_timeout".
_LOCK_NOT_AVAILABLE = "55P03"

_log = get_logger(__name__)

_turns: WeakKeyDictionary[Engine, threading.Lock] = WeakKeyDictionary()
_turns_lock = threading.Lock()


class StoreError(BackendError):
    """The store cannot be opened, read or written."""

    status = 503


class StoreBusyError(StoreError):
    """Somebody else holds the store's lock for longer than is waited; nothing was changed."""

    retry_after = 5

    def __init__(self) -> None:
        super().__init__(say("The store is locked by another process."), say("Try again in a moment."))


class ValueTooLargeError(StoreError):
    """A value that no column takes, such as a number above 2**63; nothing was changed."""

    status = 400

    def __init__(self) -> None:
        super().__init__(say("A value is larger than the store can hold."), say("Check the numbers in the request."))


def open_engine(url: str) -> Engine:
    """Open the database and bring its schema up to date; safe when several processes do so at once.

    Args:
        url: SQLAlchemy address, SQLite or PostgreSQL. The folder of an SQLite file is made where it is missing.

    Raises:
        StoreError: If the address is wrong, the driver missing, or the database unreachable.
    """
    try:
        engine = _engine(make_url(url))
        _migrate(engine)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise StoreError(
            say("DATABASE_URL cannot be used."), say("{kind}: check address and driver.", kind=type(error).__name__)
        ) from error
    except (SQLAlchemyError, OSError) as error:
        raise StoreError(
            say("The store cannot be opened."), say("Check DATABASE_URL, and that RUN_DIR can be written.")
        ) from error
    return engine


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        return open_postgres(url)
    if url.get_backend_name() != "sqlite":
        raise ArgumentError(f"{url.get_backend_name()} is neither sqlite nor postgresql")
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    _prepare_sqlite(engine)
    return engine


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        # Transactions begin where SQLAlchemy says, DDL included, not where the driver thinks fit.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # FULL and not NORMAL: with WAL, NORMAL may lose the last transactions when the machine loses power, and Label
        # Studio never repeats an event. It costs one fsync an event, milliseconds against a limit of one second.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def clean(_c: object, _cursor: object, statement: str, parameters: Any, _context: object, many: bool) -> Any:
        # Half a pair of surrogates has no UTF-8.
        return statement, [storable(each) for each in parameters] if many else storable(parameters)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and then writes cannot wait for another writer: SQLite refuses it at once.
        # Writers therefore take the lock at their beginning, and wait for it there.
        writes = connection.get_execution_options().get("writes", False)
        with waiting() as seconds:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={round(1000 * seconds)}").close()
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def tell_failures(engine: Engine, told: Callable[[str], None]) -> None:
    """Have it told whenever the database fails, by the name of the driver's error.

    Rows that are there already do not count: two processes that write the same at once are no failure.
    """

    @event.listens_for(engine, "handle_error")
    def tell(context: ExceptionContext) -> None:
        if not isinstance(context.sqlalchemy_exception, IntegrityError):
            told(type(context.original_exception).__name__)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection to read with.

    Raises:
        StoreBusyError: If it is locked for longer than is waited (:mod:`ml_backend.store.patience`).
        ValueTooLargeError: If a value is larger than a column takes.
        StoreError: If the store cannot be read.
    """
    try:
        with engine.connect() as connection:
            yield connection
    except (OverflowError, SQLAlchemyError) as error:
        if known := _known_error(error):
            raise known from error
        _log.error("store_not_read", error=type(error).__name__, cause=type(error.__cause__).__name__)
        raise StoreError(say("The store cannot be read."), say("See the log, and check DATABASE_URL.")) from error


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a connection whose changes are kept, all or none, when the block ends.

    Raises:
        StoreBusyError: If it is locked for longer than is waited (:mod:`ml_backend.store.patience`).
        ValueTooLargeError: If a value is larger than a column takes.
        StoreError: If the store cannot be written.
    """
    try:
        with _turn(engine), engine.execution_options(writes=True).begin() as connection:
            yield connection
    except (OverflowError, SQLAlchemyError) as error:
        raise write_error(error) from error


@contextmanager
def _turn(engine: Engine) -> Iterator[None]:
    """Make the writers of this process take turns at an SQLite file.

    SQLite lets writers that wait sleep longer and longer, and new ones go first: in a burst some wait for
    seconds. Threads that wait for one another wake at once.

    Raises:
        StoreBusyError: If the turn does not come in time.
    """
    if engine.dialect.name != "sqlite":
        yield
        return
    with _turns_lock:
        turn = _turns.setdefault(engine, threading.Lock())
    with waiting() as seconds:
        if not turn.acquire(timeout=seconds):
            _log.error("store_busy", error="TurnTimeout")
            raise StoreBusyError()
    try:
        yield
    finally:
        turn.release()


def write_error(error: Exception) -> StoreError:
    """Return what to say of a failed change, and log its kind."""
    if known := _known_error(error):
        return known
    # The driver's own message may quote the values, and with them the document.
    _log.error("store_not_written", error=type(error).__name__, cause=type(error.__cause__).__name__)
    return StoreError(
        say("The store cannot be written."), say("Check free space, and the rights on RUN_DIR or DATABASE_URL.")
    )


def _known_error(error: Exception) -> StoreError | None:
    """Return the error for what is not the store's fault: a lock that others hold, a value that no column takes."""
    cause = getattr(error, "orig", None)
    if isinstance(error, DataError | OverflowError) or isinstance(cause, OverflowError):
        _log.error("value_out_of_range", error=type(error).__name__, cause=type(cause).__name__)
        return ValueTooLargeError()
    locked = getattr(cause, "sqlstate", None) == _LOCK_NOT_AVAILABLE or "database is locked" in str(cause)
    if locked or isinstance(error, PoolTimeoutError):
        use_up()
        _log.error("store_busy", error=type(error).__name__)
        return StoreBusyError()
    return None


def upsert(connection: Connection, table: type[Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, and replace the given columns of those whose primary key is there already.

    Rows are written in order of their keys, so that two transactions with some in common never wait for each other.

    Args:
        connection: From :func:`writing`.
        table: A mapped class of :mod:`ml_backend.store.tables`.
        rows: All with the same columns, the primary key among them.
    """
    if not rows:
        return
    target: Table = table.__table__
    statement: Any = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(target)
    keys = [column.name for column in target.primary_key]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    statement = (
        statement.on_conflict_do_update(index_elements=keys, set_=changed)
        if changed
        else statement.on_conflict_do_nothing(index_elements=keys)
    )
    connection.execute(statement, sorted(rows, key=lambda row: [row[key] for key in keys]))


def lock_for_writing(connection: Connection, *keys: int) -> None:
    """Let one transaction at a time pass for each of the keys: PostgreSQL only, since SQLite has one writer anyway.

    Keys are locked before a process changes any row, and all at once or in ascending order, so that two
    transactions never wait for each other.
    """
    if connection.dialect.name == "postgresql":
        for key in sorted({*keys}):
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def store_time(connection: Connection) -> datetime:
    """Return the time by the store's clock, in UTC: clocks of machines that share a PostgreSQL may differ."""
    if connection.dialect.name == "postgresql":
        moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        return moment.astimezone(timezone.utc)
    return datetime.now(timezone.utc)


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", "ml_backend.store:migrations")
    with engine.execution_options(writes=True).begin() as connection:
        lock_for_writing(connection, _MIGRATION_LOCK)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
