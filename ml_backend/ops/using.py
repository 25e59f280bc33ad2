"""Beginning to use the data: a restore that was cut off is finished first, and none begins meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ml_backend.observability.logs import get_logger
from ml_backend.ops.backup.contents import BackupError
from ml_backend.ops.backup.restoring import finish_restore
from ml_backend.ops.backup.swapping import read_journal
from ml_backend.ops.data_lock import InUseError, alone, shared
from ml_backend.ops.private_files import keep_files_private
from ml_backend.settings import Settings

#: So long a role waits for others that begin at the same time and finish a restore.
_PATIENCE_SECONDS = 60.0

_log = get_logger(__name__)
_for_good = ExitStack()


@contextmanager
def using_data(settings: Settings, role: str) -> Iterator[None]:
    """Use the data beside others; no backup is restored meanwhile.

    Args:
        settings: Where the data are.
        role: What uses them, as a refused restore names it.

    Raises:
        InUseError: If a restore is under way.
        BackupError: If a restore was cut off, and can be neither finished nor taken back.
    """
    with ExitStack() as stack:
        stack.enter_context(shared(settings.run_dir, role, settings.store_url))
        if read_journal(settings.run_dir) is not None:
            # Nobody gives away what another could take: let go, have it alone, come back.
            stack.close()
            try:
                with alone(settings.run_dir, settings.store_url, patience=_PATIENCE_SECONDS):
                    if said := finish_restore(settings):
                        _log.warning("restore_finished", said=said)
            except InUseError:
                # Another that begins has been faster, and has finished it, or the journal is still there.
                pass
            stack.enter_context(shared(settings.run_dir, role, settings.store_url))
            if read_journal(settings.run_dir) is not None:
                raise BackupError(
                    "A restore was cut off, and others use the data already.", "Stop them, and start again."
                )
        yield


def use_data(settings: Settings, role: str) -> None:
    """Use the data until this process ends, and keep what it writes from other users; see :func:`using_data`.

    Raises:
        BackendError: See :func:`using_data`.
    """
    keep_files_private()
    _for_good.enter_context(using_data(settings, role))
