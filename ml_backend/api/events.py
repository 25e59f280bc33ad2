"""Writing an event of Label Studio's down, whichever server it came to."""

from __future__ import annotations

from ml_backend.api.schemas import IncomingEvent
from ml_backend.api.services import Services
from ml_backend.observability.logs import get_logger
from ml_backend.store.events import Event

_log = get_logger(__name__)


def write_down(services: Services, event: IncomingEvent) -> Event:
    """Store an event and count it; what is learned from it is decided later, elsewhere.

    Raises:
        StoreError: If it cannot be written.
    """
    stored = services.store.add_event(
        event.payload,
        action=event.action,
        project_id=event.project_id,
        task_ids=event.task_ids,
        annotation_ids=event.annotation_ids,
    )
    again = stored.duplicate_of is not None
    services.metrics.event_stored(event.action, duplicate=again)
    _log.info("event_stored", event_id=stored.id, action=event.action, project=event.project_id, again=again)
    return stored
