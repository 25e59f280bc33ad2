"""Search annotated documents for labels that are probably wrong, because a button of the panel asked for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ml_backend.i18n import Words, say
from ml_backend.store.label_errors import LabelSuspect
from ml_backend.store.panel_actions import ActionStore, finish

ACTION = "label_errors"


@dataclass(frozen=True, slots=True)
class LabelSearch:
    """Searches when a button of the panel asks for it.

    Attributes:
        actions: Where the panel waits for the outcome.
        renew: Searches a project's documents again, and returns the queue.
    """

    actions: ActionStore
    renew: Callable[[int], Sequence[LabelSuspect]]

    def search(self, project_id: int, key: str) -> str:
        """Search, and end the action of that key."""
        finish(self.actions, key, ACTION, project_id, lambda: self._outcome(project_id))
        return f"searched project {project_id}"

    def _outcome(self, project_id: int) -> Sequence[Words]:
        found = self.renew(project_id)
        if not found:
            return [say("No label is in doubt.")]
        return [say("Annotated documents to look at again: {count}.", count=len(found))]
