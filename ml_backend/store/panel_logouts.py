"""Sessions of the panel that people have ended, so that a copy of their cookie is good for nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, delete, select

from ml_backend.store.engine import reading, store_time, upsert, writing
from ml_backend.store.tables import PanelLogoutRow

#: How long a cookie of the panel is good for without a visit.
COOKIE_LASTS = timedelta(hours=12)


class PanelLogouts:
    """Keeps which sessions were ended, for as long as their cookies could be used; processes may share it.

    Every method raises :class:`ml_backend.store.engine.StoreError` if the store cannot be read or written.

    Args:
        engine: The open database.
        kept: How long a cookie is good for.
        clock: Gives the time, in UTC, by the store.
    """

    def __init__(
        self, engine: Engine, kept: timedelta = COOKIE_LASTS, clock: Callable[[Connection], datetime] = store_time
    ) -> None:
        self._engine = engine
        self._kept = kept
        self._clock = clock

    def add(self, session_id: str) -> None:
        """Note that a session was ended; forget those whose cookies have expired since."""
        with writing(self._engine) as connection:
            now = self._clock(connection)
            connection.execute(delete(PanelLogoutRow).where(PanelLogoutRow.ended_at < now - self._kept))
            upsert(connection, PanelLogoutRow, [{"session": _key(session_id), "ended_at": now}])

    def has(self, session_id: str) -> bool:
        """Return whether a session was ended."""
        chosen = select(PanelLogoutRow.session).where(PanelLogoutRow.session == _key(session_id))
        with reading(self._engine) as connection:
            return connection.scalar(chosen) is not None


def _key(session_id: str) -> str:
    # Not the id itself: a reader of the store, or of a backup, gets no session.
    return hashlib.sha256(session_id.encode()).hexdigest()
