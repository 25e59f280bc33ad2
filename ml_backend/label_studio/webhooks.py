"""What Label Studio's webhooks carry: no password, but headers that can be set."""

from __future__ import annotations

WEBHOOK_SECRET_HEADER = "X-Webhook-Secret"  # noqa: S105 - the name of a header
