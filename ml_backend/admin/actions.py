"""Runs what a button sets going, beside the request, and keeps what came of it."""

from __future__ import annotations

import threading

from ml_backend.observability.logs import get_logger
from ml_backend.store.panel_actions import ActionStore, Work, finish

#: A page waits so long for an action, so that quick ones show their outcome at once.
PATIENCE_SECONDS = 1.5

_log = get_logger(__name__)


class ActionRunner:
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
