"""Deliveries that wait for their next try: how long, and the lines that tell of it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, case, select, update

from sync_worker.core.ports.inbox import Closing
from sync_worker.core.values import InboxState
from sync_worker.ledger.rows import fitting
from sync_worker.ledger.statements import clock
from sync_worker.ledger.statements import inbox as deliveries
from sync_worker.ledger.statements.inbox import OPEN
from sync_worker.ledger.tables import inbox
from sync_worker.ledger.transactions import ledger_now

log = structlog.get_logger(__name__)

BACKOFF_FIRST_SECONDS = 5.0
MAX_BACKOFF_SECONDS = 3600.0
EXHAUSTED = Closing(InboxState.HELD, "attempts_exhausted")
GIVE_UP_SECONDS = 48 * 3600.0
GROWING_FOR = 11  # attempts; the pause after each later one has the same length


def backoff_seconds(attempts: int) -> float:
    """5 s doubling with each failed attempt, at most an hour, less up to half by chance."""
    ceiling = min(BACKOFF_FIRST_SECONDS * 2.0 ** max(attempts - 1, 0), MAX_BACKOFF_SECONDS)
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load; nothing to guess


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds until the next try, by the failed attempts before this one; the last holds for all
    beyond.
    """

    seconds: tuple[float, ...]

    @classmethod
    def after(cls, delay_seconds: float | None, *, is_failure: bool) -> Pauses:
        """``delay_seconds`` holds for all of them; without it they grow."""
        if delay_seconds is not None:
            return cls((delay_seconds,))
        return cls(tuple(backoff_seconds(before + is_failure) for before in range(GROWING_FOR)))

    def of(self, attempts: int) -> float:
        return self.seconds[min(attempts, len(self.seconds) - 1)]

    def of_column(self, attempts: Any) -> Any:
        """The same in SQL, of a column with the failed attempts before this one."""
        return case(dict(enumerate(self.seconds)), value=attempts, else_=self.seconds[-1])


def put_off(
    connection: Connection,
    inbox_ids: Sequence[int],
    reason: str,
    pauses: Pauses,
    *,
    is_failure: bool,
) -> dict[int, int]:
    """Let deliveries wait for their next try; those that have failed for two days, for a person.

    Of those that wait: the failed attempts before this one, by id. All in one statement: a crowd
    that waits for one rating is put off with each that comes.
    """
    age = clock.age_of(inbox.c.received_at).label("age")
    is_open = inbox.c.id.in_(inbox_ids) & inbox.c.state.in_(OPEN)
    found = select(inbox.c.id, inbox.c.attempts, age).where(is_open).order_by(inbox.c.id)
    # Locked: another worker may be about to end one of them.
    rows = connection.execute(found.with_for_update()).all()
    given_up = {row.id for row in rows if is_failure and row.age > GIVE_UP_SECONDS}
    if given_up:
        deliveries.close_rows(connection, list(given_up), EXHAUSTED)
    waiting = {row.id: row.attempts for row in rows if row.id not in given_up}
    later = {
        "state": deliveries.state_of_waiting(inbox.c.state),
        # Waiting, for a budget say, is no failed attempt.
        "attempts": inbox.c.attempts + int(is_failure),
        "unended": 0,
        "reason": fitting(reason, inbox.c.reason),
        "next_attempt_at": ledger_now() + pauses.of_column(inbox.c.attempts),
    }
    connection.execute(update(inbox).where(inbox.c.id.in_(waiting)).values(later))
    return waiting


def tell_waits(reason: str, attempts_before: Mapping[int, int], pauses: Pauses) -> None:
    """Log a failed attempt of each delivery; what only waits is logged by its outcome."""
    for inbox_id, before in attempts_before.items():
        facts = {"attempts": before + 1, "next_try_s": round(pauses.of(before))}
        log.info("delivery_waits", inbox_id=inbox_id, reason=reason, **facts)
