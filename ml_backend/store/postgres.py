"""What PostgreSQL needs that SQLite does not: its driver, limits on waiting, and text that it can hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from ml_backend.store.patience import BUSY_SECONDS, waiting

#: A server or a network that is gone is noticed after so many seconds, on both sides.
_CONNECT_SECONDS = 5
_DEAD_SECONDS = 30
#: So long a transaction waits for another's lock, and so long one may stand idle before the server ends it: what a
#: machine held that lost its power must not keep the others waiting for hours.
_LOCK_SECONDS = round(BUSY_SECONDS)
_IDLE_SECONDS = 60

#: libpq's options: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_CONNECT = {
    "connect_timeout": _CONNECT_SECONDS,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 1000 * _DEAD_SECONDS,
    "application_name": "label-studio-ocr-backend",
}
_SESSION = {
    "lock_timeout": f"{_LOCK_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{_IDLE_SECONDS}s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "4",
    "timezone": "UTC",
}
#: PostgreSQL's text has no NUL, and UTF-8 no halves of a surrogate pair; both may stand in what people send.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def open_postgres(url: URL) -> Engine:
    """Return an engine for a PostgreSQL database; nothing is connected to yet.

    Each process holds 15 connections at most, and fewer than five while it is idle. A connection that the server has
    closed meanwhile is replaced before it is used.

    Args:
        url: Its address, with the driver.

    Raises:
        ImportError: If the driver is missing.
    """
    ours = _CONNECT if url.drivername == "postgresql+psycopg" else {}
    options = {name: value for name, value in ours.items() if name not in url.query}
    engine = create_engine(url, pool_pre_ping=True, pool_timeout=_LOCK_SECONDS, connect_args=options)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            for name, value in _SESSION.items():
                cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
        connection.commit()

    @event.listens_for(engine, "begin")
    def bound(connection: Connection) -> None:
        with waiting() as seconds:
            # Of a request that waits no longer than that for all of its writes.
            if seconds < _LOCK_SECONDS and connection.get_execution_options().get("writes", False):
                # 0 would mean for ever.
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, round(1000 * seconds))}")

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def clean(_c: object, _cursor: object, statement: str, parameters: Any, _context: object, many: bool) -> Any:
        return statement, [storable(each) for each in parameters] if many else storable(parameters)

    return engine


def storable(parameters: Any) -> Any:
    """Return a statement's parameters without characters that a database refuses."""
    if isinstance(parameters, Mapping):
        return {name: _text(value) for name, value in parameters.items()}
    return type(parameters)(_text(value) for value in parameters)


def _text(value: Any) -> Any:
    return _UNSTORABLE.sub(_REPLACEMENT, value) if isinstance(value, str) else value
