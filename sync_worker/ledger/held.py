"""Held deliveries: found by filters, looked at with their link and history, released, or dropped
with a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, and_, or_, select, update

from sync_worker.core.values import (
    Contact,
    Delivery,
    Entity,
    HistoryEntry,
    InboxState,
    Link,
    Side,
    Site,
)
from sync_worker.ledger.base import LedgerBase
from sync_worker.ledger.rows import to_contact, to_delivery, to_entity, to_history, to_link
from sync_worker.ledger.statements.inbox import OPEN
from sync_worker.ledger.tables import contact_map, entity_map, history, inbox, link, link_value

KEYS_AT_ONCE = 400  # SQLite takes no more than some hundred parameters in one statement
HISTORY_SHOWN = 50


@dataclass(frozen=True, slots=True)
class HeldFilter:
    """Which held deliveries; what is ``None`` does not matter.

    ``since``: received at that moment or later.
    """

    reason: str | None = None
    side: Side | None = None
    site: Site | None = None
    since: datetime | None = None
    inbox_ids: Sequence[int] | None = None

    @property
    def is_empty(self) -> bool:
        return all(
            part is None for part in (self.reason, self.side, self.site, self.since, self.inbox_ids)
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
class HistoryLine:
    """A line of the history with its time and link."""

    at: datetime
    link_id: int | None
    entry: HistoryEntry


@dataclass(frozen=True, slots=True)
class DeliveryStory:
    """One delivery with all that the ledger knows around it; ``link`` is ``None`` until its rating
    key is known.
    """

    delivery: Delivery
    site: Site | None
    link: Link | None
    entity: Entity | None
    contact: Contact | None
    history: Sequence[HistoryLine]


class HeldLedger(LedgerBase):
    """What people do with held deliveries. Implements no port: only the command line asks."""

    def held(self, which: HeldFilter | None = None, limit: int | None = None) -> list[HeldDelivery]:
        """What is held, oldest first."""
        found = (
            select(inbox)
            .where(self._is_held(which or HeldFilter()))
            .order_by(inbox.c.id)
            .limit(limit)
        )
        with self._transactions.read() as connection:
            return [_held(row) for row in connection.execute(found)]

    def release(self, which: HeldFilter, by: str) -> list[int]:
        """Put what is held back to work, to be compared with both sides as they are now.

        ``by``: the person who asks, for the history.
        """
        with self._transactions.write() as connection:
            return self._put_back(connection, self._is_held(which), by)

    def replay(self, inbox_ids: Sequence[int], by: str) -> list[int]:
        """The same for deliveries by number, held or ended; those on their way stay as they are."""
        with self._transactions.write() as connection:
            return self._put_back(
                connection, inbox.c.id.in_(inbox_ids) & inbox.c.state.not_in(OPEN), by
            )

    def _put_back(self, connection: Connection, which: Any, by: str) -> list[int]:
        rows: Sequence[Any] = connection.execute(
            select(inbox).where(which).order_by(inbox.c.id)
        ).all()
        released = self._release_rows(connection, which)
        rows = [
            row for row in rows if row.id in released
        ]  # another person may have been quicker with some
        self._note(connection, rows, "replay", lambda row: f"{row.reason or row.state}, by {by}")
        return released

    def drop(self, which: HeldFilter, why: str, by: str) -> list[int]:
        """End what is held, for good, with a person's reason in the history.

        A later change plans anew.
        """
        with self._transactions.write() as connection:
            rows = connection.execute(
                select(inbox).where(self._is_held(which)).order_by(inbox.c.id)
            ).all()
            ended = {
                "state": str(InboxState.DONE),
                "reason": "dropped",
                "hold_key": None,
                "closed_at": self._now,
            }
            for start in range(0, len(rows), KEYS_AT_ONCE):
                part = [row.id for row in rows[start : start + KEYS_AT_ONCE]]
                connection.execute(update(inbox).where(inbox.c.id.in_(part)).values(**ended))
            self._note(connection, rows, "drop", lambda row: f"{row.reason}: {why}, by {by}")
        return [row.id for row in rows]

    def _note(
        self, connection: Connection, rows: Sequence[Any], what: str, words: Callable[[Any], str]
    ) -> None:
        """A line of the history for each; a delivery whose site nobody added has none."""
        now = connection.execute(select(self._now)).scalar_one()
        notes = [
            {
                "site_id": site.id,
                "link_id": row.link_id,
                "at": now,
                "what": what,
                "side": row.side,
                "reason": words(row),
                "remote_id": row.remote_id,
                "inbox_id": row.id,
            }
            for row in rows
            if (site := self._site_by_source(connection, Side(row.side), row.source)) is not None
        ]
        if notes:
            connection.execute(history.insert(), notes)

    def _is_held(self, which: HeldFilter) -> Any:
        parts: list[Any] = [inbox.c.state == str(InboxState.HELD)]
        if which.reason is not None:
            parts.append(inbox.c.reason == which.reason)
        if which.side is not None:
            parts.append(inbox.c.side == str(which.side))
        if which.site is not None:
            parts.append(_is_of(which.site))
        if which.since is not None:
            parts.append(inbox.c.received_at >= which.since.timestamp())
        if which.inbox_ids is not None:
            parts.append(inbox.c.id.in_(which.inbox_ids))
        return and_(*parts)

    # -- what was held for a mapping or a site that has come

    def _release_keys(self, keys: Sequence[str], site: Site | None = None) -> list[int]:
        released: list[int] = []
        for start in range(0, len(keys), KEYS_AT_ONCE):
            has_key = inbox.c.hold_key.in_(keys[start : start + KEYS_AT_ONCE])
            is_ready = self._is_held(HeldFilter(site=site)) & has_key
            with self._transactions.write() as connection:
                released += self._release_rows(connection, is_ready)
        return sorted(released)

    def _release_reasons(self, reasons: Sequence[str], site: Site) -> list[int]:
        is_ready = self._is_held(HeldFilter(site=site)) & inbox.c.reason.in_(reasons)
        with self._transactions.write() as connection:
            return self._release_rows(connection, is_ready)

    # -- one delivery

    def story(self, inbox_id: int) -> DeliveryStory | None:
        """A delivery in any state, with its link and the newest lines of its history,
        oldest first.
        """
        with self._transactions.read() as connection:
            row = connection.execute(select(inbox).where(inbox.c.id == inbox_id)).first()
            if row is None:
                return None
            delivery = to_delivery(row)
            site = self._site_by_source(connection, delivery.new.side, delivery.new.source)
            link_, entity, contact = self._linked(connection, row.link_id)
            about = history.c.remote_id == row.remote_id
            if row.link_id is not None:
                about = or_(about, history.c.link_id == row.link_id)
            lines = connection.execute(
                select(history).where(about).order_by(history.c.id.desc()).limit(HISTORY_SHOWN)
            ).all()
        return DeliveryStory(
            delivery, site, link_, entity, contact, [to_line(line) for line in reversed(lines)]
        )

    def _linked(
        self, connection: Connection, link_id: int | None
    ) -> tuple[Link | None, Entity | None, Contact | None]:
        row = connection.execute(select(link).where(link.c.id == link_id)).first()
        if row is None:
            return None, None, None
        values = connection.execute(select(link_value).where(link_value.c.link_id == row.id)).all()
        entity = connection.execute(
            select(entity_map).where(entity_map.c.id == row.entity_id)
        ).one()
        by = (contact_map.c.site_id == row.site_id) & (
            contact_map.c.wix_contact_id == row.contact_id
        )
        contact = connection.execute(
            select(contact_map).where(by).order_by(contact_map.c.id).limit(1)
        ).first()
        person = to_contact(contact) if contact is not None else Contact(row.contact_id)
        return to_link(row, values), to_entity(entity), person


def to_line(row: Any) -> HistoryLine:
    """A row of the history."""
    return HistoryLine(to_time(row.at), row.link_id, to_history(row))


def to_time(seconds: float) -> datetime:
    """The database's seconds as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def _held(row: Any) -> HeldDelivery:
    side, received_at = Side(row.side), to_time(row.received_at)
    return HeldDelivery(
        row.id, side, row.source, row.change, row.remote_id, row.reason, received_at
    )


def _is_of(site: Site) -> Any:
    return or_(
        and_(inbox.c.side == str(Side.WIX), inbox.c.source == site.instance_id),
        and_(inbox.c.side == str(Side.EXTERNAL), inbox.c.source == site.connector),
    )
