"""Which version serves a project: promote, roll back, and the history of both."""

from __future__ import annotations

from collections.abc import Sequence

from ml_backend.errors import BackendError
from ml_backend.i18n import kept, say
from ml_backend.store.runs import Promotion, RunStore
from model.registry.versions import Registry, Version

#: Tag of a version: its ``reason`` with the sentence's parts.
REASON_TAG = "reason_words"
BY_HAND, ROLLED_BACK = say("by hand"), say("rolled back by hand")
#: More promotions than any project has.
_ALL = 10_000


def reason_of(version: Version) -> str:
    """Return what the gate said of a version, as a sentence with its parts where they were kept; empty for nothing."""
    return kept(version.tags.get(REASON_TAG, "")) or version.tags.get("reason", "")


def cer_of(version: Version) -> float | None:
    """Return a version's character error rate on held-out lines, a share; ``None`` where none was measured."""
    text = version.tags.get("cer", "")
    return float(text) if text else None


class NothingBeforeError(BackendError):
    """A project whose version was never changed cannot be rolled back."""

    status = 409


def predecessors(history: Sequence[Promotion], number: int | None) -> list[int | None]:
    """Return the versions that one rollback after the other would bring, ``None`` for the weights that ship.

    Args:
        history: All promotions of the project, newest first.
        number: The version that serves.
    """
    found: list[int | None] = []
    while number is not None:
        # The first promotion that brought a version is undone; a rollback's own entry brought it too, but is newer, and
        # what it replaced is not what came before.
        brought = next((each for each in reversed(history) if each.version == number), None)
        if brought is None or brought.previous in found:
            break
        number = brought.previous
        found.append(number)
    return found


def previously_served(runs: RunStore, project_id: int) -> list[int | None]:
    """Return the predecessors of the version that was promoted last.

    Raises:
        StoreError: If the store cannot be read.
    """
    history = runs.promotions(project_id, limit=_ALL)
    return predecessors(history, history[0].version if history else None)


class Versions:
    """Moves the champion and writes down who did it and why.

    Args:
        registry: Versions and their aliases: what counts.
        runs: Keeps the history.
    """

    def __init__(self, registry: Registry, runs: RunStore) -> None:
        self._registry = registry
        self._runs = runs

    def promote(self, project_id: int, number: int | None, *, by: str, reason: str) -> int | None:
        """Let a version serve its project; ``None`` stands for the weights that ship.

        Returns:
            The version that served before.

        Raises:
            ModelError: If there is no such version, its files are damaged, or the registry cannot be written.
            StoreError: If the history cannot be written. That is tried before anything is moved; where it fails later
                all the same, the version serves, and the history is completed next time.
        """
        self.complete_history(project_id)
        self._runs.check_writable()
        previous = self._registry.promote(project_id, number)
        if previous != number:
            self._runs.add_promotion(project_id, number, previous, by, reason)
        return previous

    def rollback(self, project_id: int, *, by: str, reason: str) -> int | None:
        """Let the version serve that served before the present one; two in a row go back two steps.

        Returns:
            The version that serves now.

        Raises:
            NothingBeforeError: If there was none.
            ModelError: If the registry cannot be read or written, or that version's files are damaged.
        """
        self.complete_history(project_id)
        champion = self._registry.champion(project_id)
        before = predecessors(self._runs.promotions(project_id, limit=_ALL), champion.number if champion else None)
        if not before:
            raise NothingBeforeError(
                say("Project {project_id} is served by the weights that ship already.", project_id=project_id),
                say("There is nothing to go back to: promote a version instead."),
            )
        self.promote(project_id, before[0], by=by, reason=reason)
        return before[0]

    def complete_history(self, project_id: int) -> None:
        """Add what a process that was killed between moving the alias and writing it down did not write."""
        champion = self._registry.champion(project_id)
        present = None if champion is None else champion.number
        history = self._runs.promotions(project_id, limit=1)
        known = history[0].version if history else None
        if present != known:
            reason = "" if champion is None else reason_of(champion)
            self._runs.add_promotion(project_id, present, known, "found in the registry", reason)
