"""The inbox of the SQL ledger: deliveries from the door to their end."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, literal, or_, select, update

from sync_worker.core.hold_keys import source_hold_key
from sync_worker.core.ports.inbox import (
    MAX_DEATHS,
    RATE_LIMITED,
    RATE_LIMITED_AT_ONCE,
    TRACK_AFTER,
    WORKER_DIED,
    Closing,
    Look,
    Stored,
)
from sync_worker.core.values import Delivery, InboxState, LinkState, NewDelivery, Side, Site
from sync_worker.ledger.base import LedgerBase, fixed
from sync_worker.ledger.prepared import Prepared, batch
from sync_worker.ledger.rows import from_delivery, to_delivery
from sync_worker.ledger.tables import inbox, link

OPEN = (str(InboxState.NEW), str(InboxState.TAKEN))
UNENDED = (*OPEN, str(InboxState.HELD))
DOORBELL_SECONDS = 5.0  # a stored delivery is the doorbell's; after that the sweeper rings
TAKEN_SECONDS = 20.0  # after that the sweeper takes a dead worker's deliveries up: well within 30 s
SWEPT_SECONDS = 10.0  # a delivery that the sweeper rang for is left alone this long
BACKOFF_FIRST_SECONDS = 5.0
BACKOFF_MOST_SECONDS = 3600.0
GIVE_UP_SECONDS = 48 * 3600.0
MAX_UNKNOWN_SITE = 10_000  # for each source; anybody may install the app
IDS_AT_ONCE = 500  # in one statement; SQLite allows 999 parameters at the least
ENDED = (str(InboxState.DONE), str(InboxState.SUPPRESSED), str(InboxState.SUPERSEDED))


class InboxLedger(LedgerBase):
    """Implements the inbox part of ports.Ledger."""

    def store(self, delivery: NewDelivery) -> Stored:
        return self.store_all([delivery])[0]

    def store_all(self, deliveries: Sequence[NewDelivery]) -> list[Stored]:
        """Commit deliveries in one transaction, all or none. Raises Transient."""
        # In one order everywhere: two transactions that wait for each other's rows would never end.
        # What is about one record keeps the order in which it came.
        order = sorted(range(len(deliveries)), key=lambda place: _about(deliveries[place]))
        with self._transactions.single() as connection:
            with batch(connection):
                asked = [
                    self._store.ask(connection, from_delivery(deliveries[place])) for place in order
                ]
            made = dict(zip(order, [answer.first() for answer in asked], strict=True))
            stored = {
                place: self._stored(connection, deliveries[place], made[place]) for place in order
            }
        return [stored[place] for place in range(len(deliveries))]

    def _stored(self, connection: Connection, delivery: NewDelivery, made: Any) -> Stored:
        """``made``: its row; ``None`` if it has a twin."""
        while made is None:
            twin = connection.execute(self._twin_of(delivery)).scalar()
            if twin is not None:
                return Stored(twin, is_duplicate=True)
            # A run took the twin of a thin delivery between our two statements: now it is news.
            made = self._store.first(connection, from_delivery(delivery))
        return Stored(made.id, is_duplicate=False)

    @cached_property
    def _store(self) -> Prepared:
        times = {"received_at": self._now, "next_attempt_at": self._in(DOORBELL_SECONDS)}
        return self._prepared(
            self._insert(inbox).values(times).on_conflict_do_nothing().returning(inbox.c.id)
        )

    def _twin_of(self, new: NewDelivery) -> Any:
        same = select(inbox.c.id).where(inbox.c.side == str(new.side), inbox.c.source == new.source)
        if new.dedupe_id is not None:
            return same.where(inbox.c.dedupe_id == new.dedupe_id)
        return same.where(
            inbox.c.dedupe_id.is_(None),
            inbox.c.state == str(InboxState.NEW),
            inbox.c.remote_id == new.remote_id,
            inbox.c.change == new.change,
        )

    def open_delivery(self, inbox_id: int) -> tuple[Delivery, Site | None] | None:
        with self._transactions.read() as connection:
            row = self._open_row.first(connection, {"the_id": inbox_id})
            if row is None:
                return None
            delivery = to_delivery(row)
            if _is_untouched(delivery):
                self._sights.first_look(max(0.0, float(row.age)))
            if row.is_left:
                self._sights.takeover()
            return delivery, self._site_by_source(
                connection, delivery.new.side, delivery.new.source
            )

    @cached_property
    def _open_row(self) -> Prepared:
        age = (self._now - inbox.c.received_at).label("age")
        lease_until = (
            select(link.c.lease_until).where(link.c.id == inbox.c.link_id).scalar_subquery()
        )
        ran_out = (lease_until > 0) & (lease_until <= self._now)  # its holder never released it
        is_left = ((inbox.c.state == str(InboxState.TAKEN)) & ran_out).label("is_left")
        is_it = (inbox.c.id == bindparam("the_id")) & inbox.c.state.in_(fixed(OPEN))
        return self._prepared(select(inbox, age, is_left).where(is_it))

    def hold(self, inbox_ids: Sequence[int], reason: str, *, hold_key: str | None = None) -> None:
        if inbox_ids:
            with self._transactions.write() as connection:
                self._close_rows(connection, inbox_ids, Closing(InboxState.HELD, reason), hold_key)

    def _close_rows(
        self,
        connection: Connection,
        inbox_ids: Sequence[int],
        closing: Closing,
        hold_key: str | None = None,
        states: tuple[str, ...] = OPEN,
    ) -> None:
        ending = {"state": str(closing.state), "reason": closing.reason[:128], "hold_key": hold_key}
        if states not in self._closing:
            closed = update(inbox).where(
                self._among(inbox.c.id, "the_ids"), inbox.c.state.in_(fixed(states))
            )
            self._closing[states] = self._prepared(closed.values(closed_at=self._now))
        self._closing[states].ask(connection, {"the_ids": list(inbox_ids), **ending})

    @cached_property
    def _closing(self) -> dict[tuple[str, ...], Prepared]:
        """By the states that are closed."""
        return {}

    def defer(
        self,
        inbox_ids: Sequence[int],
        delay_seconds: float | None,
        reason: str,
        *,
        is_failure: bool,
    ) -> None:
        if not inbox_ids:
            return
        with self._transactions.write() as connection:
            rows = connection.execute(
                select(
                    inbox.c.id, inbox.c.attempts, (self._now - inbox.c.received_at).label("age")
                ).where(inbox.c.id.in_(inbox_ids), inbox.c.state.in_(OPEN))
            ).all()
            for row in rows:
                if is_failure and row.age > GIVE_UP_SECONDS:
                    self._close_rows(
                        connection, [row.id], Closing(InboxState.HELD, "attempts_exhausted")
                    )
                    continue
                attempts = row.attempts + is_failure
                delay = delay_seconds if delay_seconds is not None else backoff_seconds(attempts)
                connection.execute(
                    update(inbox)
                    .where(inbox.c.id == row.id)
                    .values(
                        state=str(InboxState.NEW),
                        attempts=attempts,
                        unended=0,
                        reason=reason[:128],
                        next_attempt_at=self._in(delay),
                    )
                )

    def begin_look(self, delivery: Delivery) -> Look:
        deaths = delivery.suspected_crashes - TRACK_AFTER
        is_last = deaths >= MAX_DEATHS
        values: dict[str, Any] = {"attempts": inbox.c.attempts + int(deaths > 0)}
        if is_last:
            values |= {
                "state": str(WORKER_DIED.state),
                "reason": WORKER_DIED.reason,
                "closed_at": self._now,
            }
        else:
            # Spread: what only lay in the same worker's hands must not meet the one that kills
            # again and again.
            pause = max(TAKEN_SECONDS * random.uniform(0.8, 1.2), backoff_seconds(deaths + 1))  # noqa: S311 - jitter spreads load; nothing to guess
            values |= {"unended": inbox.c.unended + 1, "next_attempt_at": self._in(pause)}
        # Who comes early has an old message, or another worker is at it: the sweeper rings up to
        # that long ahead.
        is_due = inbox.c.state.in_(OPEN) & (inbox.c.next_attempt_at <= self._in(SWEPT_SECONDS))
        is_due &= (inbox.c.id == delivery.id) & (inbox.c.unended == delivery.suspected_crashes)
        with self._transactions.write() as connection:
            if connection.execute(update(inbox).where(is_due).values(values)).rowcount != 1:
                return Look.EARLY
        return Look.GIVEN_UP if is_last else Look.BEGUN

    def end_look(self, delivery: Delivery, *, is_busy: bool = False) -> None:
        is_noted = (
            (inbox.c.id == delivery.id) & inbox.c.state.in_(OPEN) & (inbox.c.unended > TRACK_AFTER)
        )
        ended: dict[str, Any] = {"unended": 0, "next_attempt_at": self._in(SWEPT_SECONDS)}
        if is_busy:
            ended |= {"unended": delivery.suspected_crashes, "attempts": delivery.attempts}
        with self._transactions.write() as connection:
            connection.execute(update(inbox).where(is_noted).values(ended))

    def due(self, limit: int) -> list[int]:
        with self._transactions.write() as connection:
            found = list(connection.execute(self._ring(self._ripe(limit))).scalars())
            if len(found) < limit:
                found += connection.execute(self._ring(self._waiting(limit - len(found)))).scalars()
        return sorted(found)

    def _ripe(self, limit: int) -> Any:
        """Due, and not for want of a budget; oldest first."""
        return (
            select(inbox.c.id)
            .where(
                inbox.c.state.in_(OPEN),
                inbox.c.next_attempt_at <= self._now,
                inbox.c.reason != RATE_LIMITED,
            )
            .order_by(inbox.c.next_attempt_at)
            .limit(limit)
        )

    def _waiting(self, limit: int) -> Any:
        """Of those that wait for a budget, the oldest few of each source."""
        place = func.row_number().over(
            partition_by=(inbox.c.side, inbox.c.source), order_by=inbox.c.id
        )
        waits = (
            (inbox.c.reason == RATE_LIMITED)
            & inbox.c.state.in_(OPEN)
            & (inbox.c.next_attempt_at <= self._now)
        )
        placed = select(inbox.c.id, place.label("place")).where(waits).subquery()
        first = select(placed.c.id).where(placed.c.place <= RATE_LIMITED_AT_ONCE)
        return select(inbox.c.id).where(inbox.c.id.in_(first)).limit(limit)

    def _ring(self, which: Any) -> Any:
        if not self._is_sqlite:
            which = which.with_for_update(skip_locked=True)
        unended = case((inbox.c.unended < TRACK_AFTER, inbox.c.unended + 1), else_=inbox.c.unended)
        rung = {"next_attempt_at": self._in(SWEPT_SECONDS), "unended": unended}
        return update(inbox).where(inbox.c.id.in_(which)).values(rung).returning(inbox.c.id)

    def release_held(
        self,
        site_id: int | None,
        *,
        hold_key: str | None = None,
        inbox_ids: Sequence[int] | None = None,
    ) -> list[int]:
        if inbox_ids is not None:
            which = inbox.c.id.in_(inbox_ids) & inbox.c.state.not_in(OPEN)
        else:
            which = (inbox.c.state == str(InboxState.HELD)) & (inbox.c.hold_key == hold_key)
        with self._transactions.write() as connection:
            if site_id is not None:
                which &= or_(inbox.c.site_id == site_id, self._source_matches(connection, site_id))
            return self._release_rows(connection, which)

    def _release_rows(self, connection: Any, which: Any) -> list[int]:
        """Back to work, to be looked at afresh; a held link that they belong to is live again."""
        links = select(inbox.c.link_id).where(which, inbox.c.link_id.is_not(None))
        is_held = link.c.id.in_(links) & (link.c.state == str(LinkState.HELD))
        connection.execute(update(link).where(is_held).values(state=str(LinkState.LIVE), writes=[]))
        released = update(inbox).where(which).values(**self._released()).returning(inbox.c.id)
        return sorted(connection.execute(released).scalars())

    def _released(self) -> dict[str, Any]:
        return {
            # A thin row cannot become `new` beside its twin: the open one will serve for both.
            "state": case(
                (inbox.c.dedupe_id.is_not(None), literal(str(InboxState.NEW))),
                else_=literal(str(InboxState.TAKEN)),
            ),
            "must_read": True,
            "attempts": 0,
            "unended": 0,
            "reason": "",
            "hold_key": None,
            "closed_at": None,
            "received_at": self._now,
            "next_attempt_at": self._now,
        }

    def _source_matches(self, connection: Any, site_id: int) -> Any:
        site = self._site_by_id(connection, site_id)
        wix = (inbox.c.side == str(Side.WIX)) & (inbox.c.source == site.instance_id)
        return wix | ((inbox.c.side == str(Side.EXTERNAL)) & (inbox.c.source == site.connector))

    def hold_for_site(self, inbox_id: int, delivery: NewDelivery) -> bool:
        key = source_hold_key(delivery.side, delivery.source)
        is_same = (inbox.c.state == str(InboxState.HELD)) & (inbox.c.hold_key == key)
        surplus = (
            select(inbox.c.id).where(is_same).order_by(inbox.c.id.desc()).offset(MAX_UNKNOWN_SITE)
        )
        with self._transactions.write() as connection:
            held = Closing(InboxState.HELD, "unknown_site")
            self._close_rows(connection, [inbox_id], held, key)
            too_many = connection.execute(surplus).scalars().all()
            dropped = Closing(InboxState.DONE, "unknown_site_dropped")
            self._close_rows(connection, too_many, dropped, states=(str(InboxState.HELD),))
        with self._transactions.read() as connection:
            return self._site_by_source(connection, delivery.side, delivery.source) is not None

    def evidence(self, site_id: int, side: Side, remote_id: str, revision: int) -> Delivery | None:
        with self._transactions.read() as connection:
            site = self._site_by_id(connection, site_id)
            source = site.instance_id if side is Side.WIX else site.connector
            row = connection.execute(
                select(inbox)
                .where(
                    inbox.c.side == str(side),
                    inbox.c.source == source,
                    inbox.c.remote_id == remote_id,
                    inbox.c.revision == revision,
                )
                .order_by(inbox.c.id)
                .limit(1)
            ).first()
        return None if row is None else to_delivery(row)

    def held_among(self, site_id: int, side: Side, remote_ids: Sequence[str]) -> frozenset[str]:
        found: set[str] = set()
        with self._transactions.read() as connection:
            site = self._site_by_id(connection, site_id)
            source = site.instance_id if side is Side.WIX else site.connector
            is_held = (inbox.c.side == str(side)) & (inbox.c.source == source)
            is_held &= inbox.c.state == str(InboxState.HELD)
            for start in range(0, len(remote_ids), IDS_AT_ONCE):
                some = inbox.c.remote_id.in_(remote_ids[start : start + IDS_AT_ONCE])
                found.update(
                    connection.execute(select(inbox.c.remote_id).where(is_held, some)).scalars()
                )
        return frozenset(found)

    def touch(self) -> None:
        """Whether a write transaction can begin. Raises Transient."""
        with self._transactions.write() as connection:
            connection.execute(select(literal(1)))

    def count_open(self) -> int:
        """How many deliveries are not at their end."""
        with self._transactions.read() as connection:
            return connection.execute(
                select(func.count()).select_from(inbox).where(inbox.c.state.in_(OPEN))
            ).scalar_one()


def _is_untouched(delivery: Delivery) -> bool:
    """From a door, and no look at it has left a trace yet."""
    is_fresh = (
        delivery.state is InboxState.NEW and not delivery.must_read and delivery.link_id is None
    )
    return is_fresh and not delivery.attempts and not delivery.reason


def _about(new: NewDelivery) -> tuple[str, str, str]:
    return (str(new.side), new.source, new.remote_id)


def backoff_seconds(attempts: int) -> float:
    """5 s doubling with each failed attempt, at most an hour, less up to half by chance."""
    ceiling = min(BACKOFF_FIRST_SECONDS * 2.0 ** max(attempts - 1, 0), BACKOFF_MOST_SECONDS)
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load; nothing to guess
