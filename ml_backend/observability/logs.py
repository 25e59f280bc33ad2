"""Logging: one line an event, from the backend and its libraries alike, each with what it belongs to.

``request`` is the id of the web request that a line belongs to, also in the jobs that it caused; ``job`` and ``run``
are those of the job and of the training run. Secrets and document content are never logged: messages carry ids, counts,
durations and reasons, and what a library writes is searched for secrets (:mod:`ml_backend.observability.redaction`).
"""

from __future__ import annotations

import logging.config
import sys
from collections.abc import Iterable
from typing import Any, Literal

import structlog

from ml_backend.observability.redaction import Redactor

Style = Literal["console", "json"]

# Libraries that tell at INFO what only their authors need, or at DEBUG whole requests with their headers.
_CHATTY = ("alembic", "httpx", "httpcore", "urllib3", "PIL", "werkzeug", "label_studio_ml")

_SHARED: tuple[structlog.typing.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


class _Lines(structlog.stdlib.ProcessorFormatter):
    """Renders lines, and takes out of them what must not be there."""

    def __init__(self, *arguments: Any, redact: Redactor, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without secrets."""
        return self._redact(super().format(record))


def configure_logging(level: str, style: Style = "console", secrets: Iterable[str] = ()) -> None:
    """Send everything that is logged in this process to standard error.

    Calling it again replaces the previous configuration.

    Args:
        level: Name of the least level that is shown, such as ``INFO``.
        style: ``console`` for people, ``json`` for collectors.
        secrets: What no line may show.
    """
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    logging.config.dictConfig(logging_config(level, style, secrets))


def logging_config(level: str, style: Style = "console", secrets: Iterable[str] = ()) -> dict[str, Any]:
    """Return what :func:`logging.config.dictConfig` takes, for servers that insist on configuring it themselves."""
    renderer: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
        if style == "json"
        # Local variables stay out of tracebacks: they may hold document content.
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    lines = {
        "()": _Lines,
        "redact": Redactor(secrets),
        "foreign_pre_chain": _SHARED,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
    }
    quieter = {"level": level if level == "ERROR" else "WARNING"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": lines},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "lines"}},
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": dict.fromkeys(_CHATTY, quieter) | {"gunicorn.error": {"handlers": [], "propagate": True}},
    }


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module; values are passed as keywords, never formatted into the event."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
