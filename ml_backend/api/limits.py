"""How large requests may be, by route."""

from __future__ import annotations

#: Label Studio sends all selected tasks in one request, about a kilobyte each.
MAX_REQUEST_BYTES = 64 * 1024 * 1024
MAX_EVENT_BYTES = 16 * 1024 * 1024
#: "Start training" brings the project along, but no annotation.
MAX_HINT_BYTES = 1024 * 1024
#: Forms of the panel are small; the largest holds a reason for a promotion.
MAX_FORM_BYTES = 64 * 1024
