"""How long a delivery waits after a failed attempt, and the line that tells of it."""

from __future__ import annotations

import random

import structlog

log = structlog.get_logger(__name__)

BACKOFF_FIRST_SECONDS = 5.0
MAX_BACKOFF_SECONDS = 3600.0


def backoff_seconds(attempts: int) -> float:
    """5 s doubling with each failed attempt, at most an hour, less up to half by chance."""
    ceiling = min(BACKOFF_FIRST_SECONDS * 2.0 ** max(attempts - 1, 0), MAX_BACKOFF_SECONDS)
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load; nothing to guess


def tell_wait(inbox_id: int, reason: str, attempts: int, delay: float, *, is_failure: bool) -> None:
    """Log a failed attempt; what only waits is logged by its outcome."""
    if not is_failure:
        return
    facts = {"reason": reason, "attempts": attempts, "next_try_s": round(delay)}
    log.info("delivery_waits", inbox_id=inbox_id, **facts)
