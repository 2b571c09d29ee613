"""Held deliveries: found by filters, shown with their history, released or dropped."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from sync_worker.core.values import (
    Contact,
    Delivery,
    Entity,
    HistoryKind,
    InboxState,
    Link,
    Side,
    Site,
)
from sync_worker.ledger.accounts.audit import note_change
from sync_worker.ledger.administration.history_lines import HistoryLine, newest_about, to_time
from sync_worker.ledger.console.held_filter import HeldFilter, is_held
from sync_worker.ledger.rows import fitting, to_delivery, to_entity
from sync_worker.ledger.statements.findings import own_contact
from sync_worker.ledger.statements.inbox import (
    OPEN,
    among,
    release_deliveries,
    release_rows,
)
from sync_worker.ledger.statements.links import read_link
from sync_worker.ledger.statements.sites import site_by_source, sites_by_source
from sync_worker.ledger.tables import entity_map, history, inbox, link
from sync_worker.ledger.transactions import Transactions, ledger_now

KEYS_AT_ONCE = 400  # SQLite takes no more than some hundred parameters in one statement
RELEASED_AT_ONCE = 400  # in one transaction
NUMBERS_NOTED = 20  # of deliveries, in one entry of the audit
# What is noted of a row that a person lets go or ends.
NOTED = (
    inbox.c.id,
    inbox.c.side,
    inbox.c.source,
    inbox.c.remote_id,
    inbox.c.link_id,
    inbox.c.state,
    inbox.c.reason,
)


@dataclass(frozen=True, slots=True)
class HeldDelivery:
    """A delivery that waits for a person or for something to arrive."""

    inbox_id: int
    side: Side
    source: str
    change: str
    remote_id: str
    reason: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class WaitingDelivery:
    """A delivery that is tried again by itself. ``next_try_seconds``: from now."""

    inbox_id: int
    side: Side
    source: str
    remote_id: str
    reason: str
    attempts: int
    next_try_seconds: float


@dataclass(frozen=True, slots=True)
class DeliveryStory:
    """One delivery with all that the ledger knows around it.

    ``link`` is ``None`` until its rating key is known.
    """

    delivery: Delivery
    site: Site | None
    link: Link | None
    entity: Entity | None
    contact: Contact | None
    history: Sequence[HistoryLine]


class HeldAdmin:
    """What people do with held deliveries."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def all(self, which: HeldFilter | None = None, limit: int | None = None) -> list[HeldDelivery]:
        """What is held, oldest first."""
        found = select(inbox).where(is_held(which or HeldFilter())).order_by(inbox.c.id)
        with self._transactions.read() as connection:
            return [_held(row) for row in connection.execute(found.limit(limit))]

    def waiting(self, limit: int | None = None) -> list[WaitingDelivery]:
        """What a remote could not take yet and is tried again by itself, the next one first."""
        left = (inbox.c.next_attempt_at - ledger_now()).label("left")
        is_again = inbox.c.state.in_(OPEN) & (inbox.c.reason != "") & (inbox.c.attempts > 0)
        found = select(inbox, left).where(is_again).order_by(inbox.c.next_attempt_at, inbox.c.id)
        with self._transactions.read() as connection:
            return [_waiting(row) for row in connection.execute(found.limit(limit))]

    def release(self, which: HeldFilter, by: str, why: str = "") -> list[int]:
        """Put what is held back to work, to be compared with both sides as they are now.

        ``by``: the person who asks, for the history.
        """
        with self._transactions.write() as connection:
            return self._put_back(connection, is_held(which), by, why)

    def replay(self, inbox_ids: Sequence[int], by: str) -> list[int]:
        """The same for deliveries by number, held or ended; those on their way stay as they are."""
        is_at_rest = inbox.c.id.in_(inbox_ids) & inbox.c.state.not_in(OPEN)
        with self._transactions.write() as connection:
            return self._put_back(connection, is_at_rest, by, "")

    def release_waiting(self, site: Site, keys: Sequence[str]) -> list[int]:
        """Put back to work what a site holds until one of these names is known."""
        return release_keys(self._transactions, keys, site)

    def _put_back(self, connection: Connection, which: Any, by: str, why: str) -> list[int]:
        held = select(*NOTED).where(which).order_by(inbox.c.id)
        # Locked: another person may be quicker with some, or a worker.
        rows = connection.execute(held.with_for_update()).all()
        released = release_rows(connection, which)
        ours = [row for row in rows if row.id in released]
        reasons = {row.id: f"{row.reason or row.state}, by {by}" for row in ours}
        self._note(connection, ours, HistoryKind.REPLAY, reasons, by)
        self._audit(connection, ours, "held.release", by, why)
        return released

    def drop(self, which: HeldFilter, why: str, by: str) -> list[int]:
        """End what is held, for good, with a person's reason in the history.

        A later change plans anew.
        """
        ended: dict[str, Any] = {
            "state": str(InboxState.DONE),
            "reason": "dropped",
            "hold_key": None,
            "closed_at": ledger_now(),
        }
        held = select(*NOTED).where(is_held(which)).order_by(inbox.c.id)
        with self._transactions.write() as connection:
            # Locked: a worker may be about to take one up.
            rows = connection.execute(held.with_for_update()).all()
            for start in range(0, len(rows), KEYS_AT_ONCE):
                part = [row.id for row in rows[start : start + KEYS_AT_ONCE]]
                connection.execute(update(inbox).where(inbox.c.id.in_(part)).values(**ended))
            reasons = {row.id: f"{row.reason}: {why}, by {by}" for row in rows}
            self._note(connection, rows, HistoryKind.DROP, reasons, by)
            self._audit(connection, rows, "held.drop", by, why)
        return [row.id for row in rows]

    def _note(
        self,
        connection: Connection,
        rows: Sequence[Any],
        what: HistoryKind,
        reasons: Mapping[int, str],
        by: str,
    ) -> None:
        """A line of the history for each; a delivery whose site nobody added has none."""
        now = connection.execute(select(ledger_now())).scalar_one()
        actor = fitting(by, history.c.actor)
        notes = []
        sites = sites_by_source(connection, [row.source for row in rows])
        for row in rows:
            site = sites.get((Side(row.side), row.source))
            if site is not None:
                note = {"site_id": site.id, "link_id": row.link_id, "at": now, "what": str(what)}
                note |= {"side": row.side, "reason": reasons[row.id], "actor": actor}
                notes.append(note | {"remote_id": row.remote_id, "inbox_id": row.id})
        if notes:
            connection.execute(history.insert(), notes)

    def _audit(
        self, connection: Connection, rows: Sequence[Any], what: str, by: str, why: str
    ) -> None:
        """An entry for each site, so that its owner sees it; how many, and the first of them."""
        by_site: dict[int | None, list[Any]] = {}
        sites = sites_by_source(connection, [row.source for row in rows])
        for row in rows:
            site = sites.get((Side(row.side), row.source))
            site_id = None
            if site is not None:
                site_id = site.id
            by_site.setdefault(site_id, []).append(row)
        for site_id, its_rows in by_site.items():
            reasons = Counter(row.reason or row.state for row in its_rows)
            numbers = [row.id for row in its_rows[:NUMBERS_NOTED]]
            after = {"deliveries": len(its_rows), "first": numbers}
            note_change(connection, by, what, site_id, before=dict(reasons), after=after, why=why)

    def story(self, inbox_id: int) -> DeliveryStory | None:
        """A delivery in any state, with its link and the newest lines of its history.

        The lines come oldest first.
        """
        with self._transactions.read() as connection:
            row = connection.execute(select(inbox).where(inbox.c.id == inbox_id)).first()
            if row is None:
                return None
            delivery = to_delivery(row)
            site = site_by_source(connection, delivery.new.side, delivery.new.source)
            rating, entity, contact = _linked(connection, row.link_id)
            told = newest_about(connection, row, site)
        return DeliveryStory(delivery, site, rating, entity, contact, told[::-1])


def _linked(
    connection: Connection, link_id: int | None
) -> tuple[Link | None, Entity | None, Contact | None]:
    row = connection.execute(select(link).where(link.c.id == link_id)).first()
    if row is None:
        return None, None, None
    known = read_link(connection, row.id)
    mapped = select(entity_map).where(entity_map.c.id == known.key.entity_id)
    entity = to_entity(connection.execute(mapped).one())
    return known, entity, own_contact(connection, known.key)


# -- what was held for a mapping or a site that has come


def release_keys(
    transactions: Transactions, keys: Sequence[str], site: Site | None = None
) -> list[int]:
    """Put back to work what waits for these names, of one site or of all."""
    released: list[int] = []
    for start in range(0, len(keys), KEYS_AT_ONCE):
        has_key = inbox.c.hold_key.in_(keys[start : start + KEYS_AT_ONCE])
        released += release_in_batches(transactions, is_held(HeldFilter(site=site)) & has_key)
    return sorted(released)


def release_reasons(
    transactions: Transactions, reasons: Sequence[str], site: Site, until: float | None = None
) -> list[int]:
    """Put back to work what a site holds for these reasons; those that are, until a time."""
    is_ready = is_held(HeldFilter(site=site)) & inbox.c.reason.in_(reasons)
    return release_in_batches(transactions, is_ready, until)


def release_in_batches(
    transactions: Transactions, which: Any, until: float | None = None
) -> list[int]:
    """Put back to work what a condition finds now, not beyond a monotonic time.

    In one statement many would exceed its time. What is held again meanwhile is not met again.
    """
    with transactions.read() as connection:
        ids = connection.execute(select(inbox.c.id).where(which).order_by(inbox.c.id)).scalars()
        waiting = list(ids)
    released = list[int]()
    for start in range(0, len(waiting), RELEASED_AT_ONCE):
        if until is not None and start and time.monotonic() > until:
            break
        some = waiting[start : start + RELEASED_AT_ONCE]
        with transactions.write() as connection:
            released += release_deliveries(connection, among(some, which))
    return released


def _waiting(row: Any) -> WaitingDelivery:
    return WaitingDelivery(
        row.id,
        Side(row.side),
        row.source,
        row.remote_id,
        row.reason,
        row.attempts,
        max(0.0, float(row.left)),
    )


def _held(row: Any) -> HeldDelivery:
    side, received_at = Side(row.side), to_time(row.received_at)
    return HeldDelivery(
        row.id, side, row.source, row.change, row.remote_id, row.reason, received_at
    )
