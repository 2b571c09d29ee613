"""Structured logs: one line for each outcome, never a payload, an address or a secret.

Lines of a piece of work carry its ids by themselves (``structlog.contextvars``): ``request_id`` at
the door, ``inbox_id`` and ``task_id`` in a worker, down to each remote call.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping

import structlog

from sync_worker.core.outside_words import for_people

OF_LINES = ("exception", "stack")  # ours, of several lines

log = structlog.get_logger(__name__)
NOISY = ("alembic", "celery", "kombu", "amqp", "redis", "urllib3", "werkzeug")


def set_up_logs(log_format: str, log_level: str) -> None:
    """Send structlog and the standard library's logs to stderr, both in the chosen form.

    ``log_format``: ``json`` or ``console``; ``log_level``: a name that ``logging`` knows.
    """
    level = logging.getLevelNamesMapping()[log_level]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer = _renderer(log_format)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    _set_up_standard_logs(level, shared, renderer)


def warn_of_misspelt(names: Mapping[str, str]) -> None:
    """A line for each name that is no setting but nearly so, with the one that is meant."""
    for name, meant in names.items():
        log.warning("unknown_setting", name=name, did_you_mean=meant)


def _renderer(log_format: str) -> structlog.typing.Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer()
    console = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return lambda logger, name, line: console(logger, name, _for_eyes(line))


def _for_eyes(line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A terminal obeys what some ids hold; JSON escapes it by itself."""
    return {
        name: for_people(value) if isinstance(value, str) and name not in OF_LINES else value
        for name, value in line.items()
    }


def _set_up_standard_logs(
    level: int, shared: list[structlog.typing.Processor], renderer: structlog.typing.Processor
) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
