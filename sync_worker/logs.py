"""Structured logs: one line for each outcome, fixed words and ids, never a payload, an address or a secret."""

from __future__ import annotations

import logging
import sys

import structlog

from sync_worker.config import Settings


def set_up_logs(settings: Settings) -> None:
    """Send structlog and the standard library's logs to stderr, in the chosen form."""
    level = logging.getLevelNamesMapping()[settings.log_level]
    is_json = settings.log_format == "json"
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if is_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=level, format="%(levelname)s %(name)s %(message)s", stream=sys.stderr, force=True)
    for noisy in ("celery", "kombu", "amqp", "urllib3", "werkzeug"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
