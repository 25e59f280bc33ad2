"""Runs what a button sets going, beside the request, and keeps what came of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from ml_backend.errors import BackendError
from ml_backend.i18n import Words, said_by, say
from ml_backend.observability.logs import get_logger
from ml_backend.store.panel_actions import ActionStore
from model.errors import ModelError

#: A page waits so long for an action, so that quick ones show their outcome at once.
PATIENCE_SECONDS = 1.5

Work = Callable[[], "Sequence[Words] | None"]
"""Returns what it came to; ``None`` where another process goes on with it, and ends it (:func:`finish`)."""

_log = get_logger(__name__)


class Actions:
    """Starts actions, none twice.

    Args:
        store: Where they are kept.
    """

    def __init__(self, store: ActionStore) -> None:
        self.store = store

    def start(self, key: str, project_id: int, name: str, work: Work) -> None:
        """Start an action in a thread of its own, unless the same form was sent before or the same action runs.

        Raises:
            StoreError: If the store cannot be written.
        """
        if not self.store.begin(key, project_id, name):
            _log.info("panel_action_repeated", action=name, project=project_id)
            return
        thread = threading.Thread(
            target=self._run, args=(key, project_id, name, work), name=f"panel-{name}", daemon=True
        )
        thread.start()
        thread.join(PATIENCE_SECONDS)

    def _run(self, key: str, project_id: int, name: str, work: Work) -> None:
        finish(self.store, key, name, project_id, work)


def finish(store: ActionStore, key: str, name: str, project_id: int, work: Work) -> None:
    """Do an action's work, and keep what came of it; errors are an outcome too."""
    try:
        outcome = work()
        if outcome is not None:
            store.end(key, "done", tuple(outcome))
            _log.info("panel_action_done", action=name, project=project_id)
    except BackendError as error:
        _log.warning("panel_action_failed", action=name, project=project_id, error=str(error))
        said = [say("{error}", error=error.message), say("{hint}", hint=error.hint)]
        _fail(store, key, said[: 2 if error.hint else 1])
    except ModelError as error:
        _log.warning("panel_action_failed", action=name, project=project_id, error=str(error))
        _fail(store, key, [say("{error}", error=said_by(error))])
    except Exception:  # noqa: BLE001 - the thread's, or the job's, boundary: a page waits for the outcome
        _log.exception("panel_action_failed_unexpectedly", action=name, project=project_id)
        _fail(store, key, [say("It failed; the log of the backend says why.")])


def _fail(store: ActionStore, key: str, outcome: Sequence[Words]) -> None:
    try:
        store.end(key, "failed", outcome)
    except BackendError as error:
        _log.error("panel_action_not_noted", error=str(error))
