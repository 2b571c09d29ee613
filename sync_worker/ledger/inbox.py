"""Deliveries from the door to their end, in SQL."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select, update

from sync_worker.core.hold_keys import source_hold_key
from sync_worker.core.ports.inbox import (
    ERASED,
    MAX_DEATHS,
    TRACK_AFTER,
    UNKNOWN_SITE,
    WORKER_DIED,
    Closing,
    Look,
    Rung,
    Stored,
)
from sync_worker.core.values import Delivery, InboxState, NewDelivery, Side, Site
from sync_worker.ledger.accounts.moving import follow_account
from sync_worker.ledger.erasure import ErasureWithoutSite, names_erased_without_site
from sync_worker.ledger.pauses import Pauses, backoff_seconds, put_off, tell_waits
from sync_worker.ledger.rows import from_delivery, to_delivery
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.sql_text import Answer, batch
from sync_worker.ledger.statements import contacts, directory, erasure
from sync_worker.ledger.statements import inbox as deliveries
from sync_worker.ledger.statements.due import Rounds, ring_due
from sync_worker.ledger.statements.held_words import forget_content, hold_rows, keep_newest
from sync_worker.ledger.statements.inbox import OPEN, SWEPT_SECONDS, TAKEN_SECONDS
from sync_worker.ledger.statements.tombstones import to_located
from sync_worker.ledger.tables import inbox
from sync_worker.ledger.transactions import Transactions, ledger_now

MAX_UNKNOWN_SITE = 10_000  # for each source; anybody may install the app
IDS_AT_ONCE = 500  # in one statement; SQLite allows 999 parameters at the least


@dataclass(frozen=True, slots=True)
class InboxObserver:
    """What the inbox sees by the way, for metrics.

    ``first_look``: seconds from the door to a first look. ``takeover``: a delivery was found in the
    hands of a worker whose lease has run out.
    """

    first_look: Callable[[float], None] = lambda seconds: None
    takeover: Callable[[], None] = lambda: None


class SqlInbox:
    """Implements ports.Inbox, and what entry points ask of it besides."""

    def __init__(
        self,
        transactions: Transactions,
        sites: SiteCache,
        observer: InboxObserver = InboxObserver(),
    ) -> None:
        self._transactions, self._sites = transactions, sites
        self._observer = observer
        self._rounds = Rounds()

    # -- from the door

    def store(self, delivery: NewDelivery) -> Stored:
        return self.store_all([delivery])[0]

    def store_all(self, new: Sequence[NewDelivery]) -> list[Stored]:
        """Commit deliveries in one transaction, all or none. Raises Transient."""
        # In one order everywhere: two transactions that wait for each other's rows would never end.
        # What is about one record keeps the order in which it came.
        order = sorted(range(len(new)), key=lambda place: _about(new[place]))
        with self._transactions.single() as connection:
            with batch(connection):
                asked = [
                    deliveries.STORE.ask(connection, **from_delivery(new[place])) for place in order
                ]
            made = dict(zip(order, [answer.first() for answer in asked], strict=True))
            stored = {place: _stored(connection, new[place], made[place]) for place in order}
        return [stored[place] for place in range(len(new))]

    def open_delivery(self, inbox_id: int) -> tuple[Delivery, Site | None] | None:
        with self._transactions.read() as connection:
            located: Answer | None = None
            with batch(connection):
                opened = deliveries.OPEN_DELIVERY.ask(connection, inbox_id=inbox_id)
                if not self._transactions.is_sqlite:
                    located = directory.LOCATED_OF.ask(connection, inbox_id=inbox_id)
            row = opened.first()
            if row is None:
                return None
            delivery = to_delivery(row)
            if deliveries.is_untouched(delivery):
                self._observer.first_look(max(0.0, float(row.age)))
            if row.is_left:
                self._observer.takeover()
            return _opened(connection, self._sites, delivery, row, located)

    # -- to its end

    def close(
        self,
        inbox_id: int,
        closing: Closing,
        *,
        hold_key: str | None = None,
        names: str | None = None,
    ) -> Closing:
        # Most closings need no site: only an erasure has to know whose row this is.
        if closing != ERASED and names is None:
            with self._transactions.single() as connection:
                deliveries.close_rows(connection, [inbox_id], closing, hold_key=hold_key)
            return closing
        with self._transactions.write() as connection:
            owner = _owner(connection, self._sites, inbox_id)
            if owner and names and contacts.is_erased(connection, owner.id, names):
                closing = ERASED  # since the delivery was read
            if closing == ERASED:
                # Nobody has added this source: the id is hashed without a site.
                site_id = 0 if owner is None else owner.id
                erasure.erase_rows(connection, site_id, inbox.c.id == inbox_id)
            else:
                deliveries.close_rows(connection, [inbox_id], closing, hold_key=hold_key)
        if closing == ERASED:
            self._transactions.forget_log()
        return closing

    def hold(self, inbox_ids: Sequence[int], reason: str, *, hold_key: str | None = None) -> None:
        if inbox_ids:
            held = Closing(InboxState.HELD, reason)
            with self._transactions.write() as connection:
                hold_rows(connection, inbox_ids, held, hold_key)

    def gather(self, delivery: Delivery) -> Delivery:
        with self._transactions.write() as connection:
            row = deliveries.gather(connection, delivery.new)
        if row is None:
            return delivery
        return replace(to_delivery(row), is_beside_held=delivery.is_beside_held)

    def forget_content(self, inbox_id: int) -> None:
        with self._transactions.write() as connection:
            forget_content(connection, [inbox_id])
        self._transactions.forget_log()

    def put_back(self, inbox_ids: Sequence[int]) -> None:
        with self._transactions.single() as connection:
            deliveries.put_back_rows(connection, inbox_ids)

    def release_beside(self, delivery: Delivery) -> list[int]:
        with self._transactions.write() as connection:
            return deliveries.release_beside(connection, delivery)

    def erase_without_site(self, request: Delivery) -> bool:
        return ErasureWithoutSite(self._transactions, self._sites, request).erase()

    def hold_for_site(self, inbox_id: int, delivery: NewDelivery) -> Closing | None:
        key = source_hold_key(delivery.side, delivery.source)
        with self._transactions.write() as connection:
            if names_erased_without_site(connection, delivery):
                erasure.erase_rows(connection, 0, inbox.c.id == inbox_id)
                return ERASED
            deliveries.close_rows(connection, [inbox_id], UNKNOWN_SITE, hold_key=key)
            # Anybody may install the app: only the newest rows of a source are kept.
            keep_newest(connection, UNKNOWN_SITE, key, MAX_UNKNOWN_SITE)
        # Only after the commit above: a site that is added now finds the held row, or is found
        # here.
        with self._transactions.read() as connection:
            found = self._sites.by_source(connection, delivery.side, delivery.source)
        return None if found else follow_account(self._transactions, inbox_id, delivery)

    def release_held(
        self,
        site_id: int | None,
        *,
        hold_key: str | None = None,
        inbox_ids: Sequence[int] | None = None,
    ) -> list[int]:
        which = (inbox.c.state == str(InboxState.HELD)) & (inbox.c.hold_key == hold_key)
        # By id an ended delivery goes back to work, too, but none that is under way.
        if inbox_ids is not None:
            which = inbox.c.id.in_(inbox_ids) & inbox.c.state.not_in(OPEN)
        with self._transactions.write() as connection:
            if site_id is not None:
                # A delivery that was held before its key was known has no site yet.
                its_source = deliveries.is_of_site(self._sites.by_id(connection, site_id))
                which &= (inbox.c.site_id == site_id) | its_source
            release = deliveries.release_rows if inbox_ids else deliveries.release_deliveries
            return release(connection, which)

    # -- later

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
        pauses = Pauses.after(delay_seconds, is_failure=is_failure)
        with self._transactions.write() as connection:
            waiting = put_off(connection, inbox_ids, reason, pauses, is_failure=is_failure)
        if is_failure:
            tell_waits(reason, waiting, pauses)

    def wait_for_slot(self, inbox_id: int, seconds: float) -> None:
        with self._transactions.single() as connection:
            deliveries.let_wait(connection, inbox_id, seconds)

    def due(self, limit: int, queued: Collection[int] = ()) -> list[int]:
        return self.due_in_lanes(limit, queued).all

    def due_in_lanes(self, limit: int, queued: Collection[int] = ()) -> Rung:
        """As ``due``; what one source has beyond its share stands apart."""
        with self._transactions.write() as connection:
            return ring_due(connection, self._rounds, limit, queued)

    # -- what workers may have died over

    def begin_look(self, delivery: Delivery) -> Look:
        deaths = delivery.suspected_crashes - TRACK_AFTER
        is_last = deaths >= MAX_DEATHS
        # Without a noted look there is no death: the rings may only show a long queue.
        values: dict[str, Any] = {"attempts": inbox.c.attempts + int(deaths > 0)}
        # So many looks that nobody ended: the delivery is held for a person.
        if is_last:
            values["state"] = str(WORKER_DIED.state)
            values["reason"] = WORKER_DIED.reason
            values["closed_at"] = ledger_now()
        else:
            # Spread: what only lay in the same worker's hands must not meet the one that kills
            # again and again.
            pause = max(TAKEN_SECONDS * random.uniform(0.8, 1.2), backoff_seconds(deaths + 1))  # noqa: S311 - jitter spreads load; nothing to guess
            values["unended"] = inbox.c.unended + 1
            values["next_attempt_at"] = ledger_now() + pause
        # Who comes early has an old message, or another worker is at it: the sweeper rings up to
        # that long ahead.
        is_due = inbox.c.state.in_(OPEN) & (inbox.c.next_attempt_at <= ledger_now() + SWEPT_SECONDS)
        # Two workers with the same message: the first to note its look goes on.
        is_same = (inbox.c.id == delivery.id) & (inbox.c.unended == delivery.suspected_crashes)
        begun = update(inbox).where(is_due & is_same).values(values)
        with self._transactions.single() as connection:
            if connection.execute(begun).rowcount != 1:
                return Look.EARLY
        return Look.GIVEN_UP if is_last else Look.BEGUN

    def end_look(self, delivery: Delivery, *, is_busy: bool = False) -> None:
        with self._transactions.single() as connection:
            deliveries.note_end_of_look(connection, delivery, is_busy=is_busy)

    # -- questions

    def evidence(self, site_id: int, side: Side, remote_id: str, revision: int) -> Delivery | None:
        with self._transactions.read() as connection:
            site = self._sites.by_id(connection, site_id)
            row = deliveries.first_of(connection, site, side, remote_id, revision)
        return None if row is None else to_delivery(row)

    def was_released(self, delivery: Delivery, reason: str) -> bool:
        with self._transactions.read() as connection:
            return deliveries.was_released(connection, delivery, reason)

    def held_among(self, site_id: int, side: Side, remote_ids: Sequence[str]) -> frozenset[str]:
        found: set[str] = set()
        with self._transactions.read() as connection:
            site = self._sites.by_id(connection, site_id)
            is_held = deliveries.is_from(site, side) & (inbox.c.state == str(InboxState.HELD))
            for start in range(0, len(remote_ids), IDS_AT_ONCE):
                some = inbox.c.remote_id.in_(remote_ids[start : start + IDS_AT_ONCE])
                held = select(inbox.c.remote_id).where(is_held, some)
                found.update(connection.execute(held).scalars())
        return frozenset(found)

    # -- for entry points

    def count_open(self) -> int:
        """How many deliveries are not at their end."""
        with self._transactions.read() as connection:
            return deliveries.count_open(connection)


def _opened(
    connection: Connection, sites: SiteCache, delivery: Delivery, row: Any, found: Answer | None
) -> tuple[Delivery, Site | None]:
    """``found``: what is known of its record, where that was asked in the same batch."""
    new, located = delivery.new, None
    site = sites.by_source(connection, new.side, new.source)
    if site is not None and found is not None:
        located = to_located(found.first(), site.id, new.side, new.remote_id)
    elif site is not None:
        located = directory.locate(connection, site.id, new.side, new.remote_id)
    is_beside_held, is_crowded = bool(row.is_beside_held), bool(row.is_crowded)
    opened = replace(
        delivery, is_beside_held=is_beside_held, is_crowded=is_crowded, located=located
    )
    return opened, site


def _owner(connection: Connection, sites: SiteCache, inbox_id: int) -> Site | None:
    source = select(inbox.c.side, inbox.c.source).where(inbox.c.id == inbox_id)
    row = connection.execute(source).one()
    return sites.by_source(connection, Side(row.side), row.source)


def _stored(connection: Connection, delivery: NewDelivery, made: Any) -> Stored:
    """``made``: its row; ``None`` if it has a twin."""
    while made is None:
        twin = deliveries.absorb(connection, delivery)
        if twin is not None:
            return Stored(twin, is_duplicate=True)
        # A run took the twin of a thin delivery between our two statements: now it is news.
        made = deliveries.STORE.first(connection, **from_delivery(delivery))
    return Stored(made.id, is_duplicate=False)


def _about(new: NewDelivery) -> tuple[str, str, str]:
    return (str(new.side), new.source, new.remote_id)
