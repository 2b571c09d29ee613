"""All that the ledger knows of one rating, or of a delivery that belongs to none yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from sync_worker.core.values import InboxState, Intent, Side
from sync_worker.ledger.administration.history_lines import to_time
from sync_worker.ledger.ratings.activity_lines import ActivityLine, activity_line
from sync_worker.ledger.ratings.rating_rows import (
    LinkRow,
    UnlinkedRow,
    link_rows,
    unlinked_rows,
)
from sync_worker.ledger.rows import to_intent
from sync_worker.ledger.tables import history, inbox, intent
from sync_worker.ledger.transactions import Transactions

SHOWN = 50  # of each kind, the newest


@dataclass(frozen=True, slots=True)
class DeliveryStep:
    """A webhook, or a hint of our own, from its arrival to where it stands."""

    inbox_id: int
    side: Side
    change: str
    remote_id: str
    state: InboxState
    reason: str
    attempts: int
    received_at: datetime
    next_try_at: datetime
    ended_at: datetime | None
    is_ours: bool


@dataclass(frozen=True, slots=True)
class RatingStory:
    """The newest of everything, each list newest first."""

    row: LinkRow
    deliveries: Sequence[DeliveryStep]
    intents: Sequence[tuple[Intent, datetime]]
    lines: Sequence[ActivityLine]


class RatingStories:
    """Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def of_rating(self, link_id: int, site_id: int | None) -> RatingStory | None:
        """``None``: there is none, or none of this site."""
        with self._transactions.read() as connection:
            rows = link_rows(connection, [link_id])
            if not rows or site_id not in (None, rows[0].site.id):
                return None
            return RatingStory(
                rows[0],
                _deliveries(connection, inbox.c.link_id == link_id),
                _intents(connection, link_id),
                _lines(connection, history.c.link_id == link_id),
            )

    def of_delivery(
        self, inbox_id: int, site_id: int | None
    ) -> tuple[UnlinkedRow, DeliveryStep, int | None] | None:
        """A delivery, and the link that it belongs to by now."""
        with self._transactions.read() as connection:
            rows = unlinked_rows(connection, [inbox_id])
            if not rows or not _is_of(rows[0], site_id):
                return None
            (step,) = _deliveries(connection, inbox.c.id == inbox_id)
            linked = select(inbox.c.link_id).where(inbox.c.id == inbox_id)
            return rows[0], step, connection.execute(linked).scalar()


def _is_of(row: UnlinkedRow, site_id: int | None) -> bool:
    return site_id is None or (row.site is not None and row.site.id == site_id)


def _deliveries(connection: Connection, which: Any) -> list[DeliveryStep]:
    found = select(inbox).where(which).order_by(inbox.c.id.desc()).limit(SHOWN)
    return [_step(row) for row in connection.execute(found)]


def _step(row: Any) -> DeliveryStep:
    ended_at = None
    if row.closed_at is not None:
        ended_at = to_time(row.closed_at)
    return DeliveryStep(
        row.id,
        Side(row.side),
        row.change,
        row.remote_id,
        InboxState(row.state),
        row.reason,
        row.attempts,
        to_time(row.received_at),
        to_time(row.next_attempt_at),
        ended_at,
        row.is_ours,
    )


def _intents(connection: Connection, link_id: int) -> list[tuple[Intent, datetime]]:
    its = select(intent).where(intent.c.link_id == link_id)
    rows = connection.execute(its.order_by(intent.c.created_at.desc()).limit(SHOWN))
    return [(to_intent(row), to_time(row.created_at)) for row in rows]


def _lines(connection: Connection, which: Any) -> list[ActivityLine]:
    found = select(history).where(which).order_by(history.c.id.desc()).limit(SHOWN)
    return [activity_line(row) for row in connection.execute(found)]
