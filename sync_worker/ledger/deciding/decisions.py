"""Decisions about single ratings: stored as deliveries, with an entry of the audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select, update

from sync_worker.core.ports.decisions import HeldOne, Judge, PastLine, RatingOnFile
from sync_worker.core.values import (
    Change,
    Delivery,
    HistoryEntry,
    HistoryKind,
    InboxState,
    Link,
    NewDelivery,
    Side,
    Site,
)
from sync_worker.core.values.decisions import (
    LINES_LOOKED_AT,
    SETTLES,
    decision_in,
    decision_name,
    delivery_of,
    is_erased_key,
    shown_on_file,
)
from sync_worker.ledger.accounts.audit import note_change
from sync_worker.ledger.rows import fitting, from_delivery, to_delivery, to_entity, to_history
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.statements import inbox as deliveries
from sync_worker.ledger.statements import links
from sync_worker.ledger.statements.findings import own_contact
from sync_worker.ledger.statements.history import add_history
from sync_worker.ledger.statements.inbox import OPEN, release_rows
from sync_worker.ledger.tables import entity_map, history, inbox, link
from sync_worker.ledger.transactions import Transactions, is_sqlite, ledger_now


class SqlDecisions:
    """Implements ports.Decisions."""

    def __init__(self, transactions: Transactions, sites: SiteCache) -> None:
        self._transactions, self._sites = transactions, sites

    # -- what is on file

    def rating(self, link_id: int) -> RatingOnFile | None:
        with self._transactions.read() as connection:
            return self._rating(connection, link_id)

    def _rating(self, connection: Connection, link_id: int) -> RatingOnFile | None:
        if connection.execute(select(link.c.id).where(link.c.id == link_id)).first() is None:
            return None
        known = links.read_link(connection, link_id)
        newest = select(history).where(history.c.link_id == link_id).order_by(history.c.id.desc())
        lines = connection.execute(newest.limit(LINES_LOOKED_AT)).all()
        waiting = _waiting(connection, link_id)
        held = {one.id: one.reason for one in waiting if one.state is InboxState.HELD}
        mapped = select(entity_map).where(entity_map.c.id == known.key.entity_id)
        return RatingOnFile(
            link_id,
            self._site_of(connection, known),
            known.state,
            to_entity(connection.execute(mapped).one()),
            own_contact(connection, known.key),
            version=max([row.id for row in lines], default=0),
            shown=shown_on_file(known, [to_history(row) for row in lines], [*held.values()]),
            deciding=next((one.id for one in waiting if _is_deciding(one)), None),
            held=held,
            is_erased=is_erased_key(known.key),
        )

    def _site_of(self, connection: Connection, known: Link) -> Site:
        return self._sites.by_id(connection, known.key.site_id)

    def line(self, number: int) -> PastLine | None:
        with self._transactions.read() as connection:
            row = connection.execute(select(history).where(history.c.id == number)).first()
            if row is None:
                return None
            beside = [row]
            if row.intent_id:
                same = (history.c.link_id == row.link_id) & (history.c.intent_id == row.intent_id)
                found = select(history).where(same).order_by(history.c.id)
                beside = list(connection.execute(found).all())
            return PastLine(
                number,
                row.link_id,
                row.site_id,
                to_history(row),
                [to_history(one) for one in beside],
                newest=_newest(connection, row.link_id),
                later=_later(connection, row),
                is_forgotten=any(one.words_hashed for one in beside),
            )

    def held(self, inbox_ids: Sequence[int]) -> list[HeldOne]:
        is_held = inbox.c.id.in_(inbox_ids) & (inbox.c.state == str(InboxState.HELD))
        with self._transactions.read() as connection:
            rows = connection.execute(select(inbox).where(is_held).order_by(inbox.c.id)).all()
            return [self._held(connection, row) for row in rows]

    def _held(self, connection: Connection, row: Any) -> HeldOne:
        site = self._sites.by_source(connection, Side(row.side), row.source)
        if site is None:
            return HeldOne(row.id, None, row.link_id, row.reason)
        return HeldOne(row.id, site.id, row.link_id, row.reason)

    # -- what is decided

    def decide(self, link_id: int, name: str, judge: Judge) -> int:
        with self._transactions.write() as connection:
            # Who commits a step of a run, or decides, comes before this or after it.
            if not is_sqlite(connection):
                links.LOCK.all(connection, link_id=link_id)
            rating = self._rating(connection, link_id)
            named = decision_name(name)
            known = None if rating is None else _known(connection, rating.site, named)
            if known is not None:
                return known
            decision = judge(rating)
            its_link = links.read_link(connection, link_id)
            site = self._site_of(connection, its_link)
            new = delivery_of(decision, named, site.instance_id, its_link)
            inbox_id = _store(connection, its_link, new)
            after = {"rating": link_id, "delivery": inbox_id}
            what = f"rating.{decision.asked}"
            note_change(connection, decision.actor, what, site.id, after=after, why=decision.why)
            return inbox_id

    def let_go_on(self, link_id: int, reasons: Sequence[str], by: str, why: str) -> list[int]:
        waits = (inbox.c.link_id == link_id) & (inbox.c.state == str(InboxState.HELD))
        waits &= inbox.c.reason.in_(reasons)
        with self._transactions.write() as connection:
            rows = connection.execute(select(inbox).where(waits).order_by(inbox.c.id)).all()
            if all(row.reason != reasons[0] for row in rows):
                return []
            released = release_rows(connection, waits)
            let_go = [row for row in rows if row.id in released]
            site_id = links.read_link(connection, link_id).key.site_id
            for row in let_go:
                add_history(connection, site_id, link_id, _line_of_release(row, by))
            after = {"rating": link_id, "deliveries": len(let_go)}
            note_change(connection, by, "rating.go_on", site_id, after=after, why=why)
            return released


def _known(connection: Connection, site: Site, named: str) -> int | None:
    """The delivery that has this name already."""
    same = (inbox.c.side == str(Side.WIX)) & (inbox.c.source == site.instance_id)
    found = select(inbox.c.id).where(same, inbox.c.dedupe_id == named)
    return connection.execute(found).scalar()


def _store(connection: Connection, its_link: Link, new: NewDelivery) -> int:
    inbox_id: int = deliveries.STORE.scalar(connection, **from_delivery(new))
    # No doorbell need ring for it: it is due at once.
    at_once: dict[str, Any] = {"link_id": its_link.id, "site_id": its_link.key.site_id}
    at_once["next_attempt_at"] = ledger_now()
    connection.execute(update(inbox).where(inbox.c.id == inbox_id).values(at_once))
    return inbox_id


def _line_of_release(row: Any, by: str) -> HistoryEntry:
    return HistoryEntry(
        HistoryKind.REPLAY,
        Side(row.side),
        "",
        reason=f"{row.reason}, by {by}",
        remote_id=row.remote_id,
        inbox_id=row.id,
        actor=fitting(by, history.c.actor),
    )


def _waiting(connection: Connection, link_id: int) -> list[Delivery]:
    """What is open or held of a link."""
    waits = (inbox.c.link_id == link_id) & inbox.c.state.in_([*OPEN, str(InboxState.HELD)])
    rows = connection.execute(select(inbox).where(waits).order_by(inbox.c.id)).all()
    return [to_delivery(row) for row in rows]


def _is_deciding(delivery: Delivery) -> bool:
    is_open = delivery.state is not InboxState.HELD
    decision = decision_in(delivery.new.payload) if delivery.new.change is Change.DECIDE else None
    return is_open and decision is not None and decision.asked.writes


def _newest(connection: Connection, link_id: int | None) -> int:
    """The number of a link's newest line."""
    newest = select(func.max(history.c.id)).where(history.c.link_id == link_id)
    return connection.execute(newest).scalar() or 0


def _later(connection: Connection, row: Any) -> int | None:
    """A line that has changed the same attribute since, but for one of the same run."""
    is_later = (history.c.link_id == row.link_id) & (history.c.id > row.id)
    is_later &= (history.c.attribute == row.attribute) & history.c.what.in_([*map(str, SETTLES)])
    if row.inbox_id is not None:
        is_later &= func.coalesce(history.c.inbox_id, 0) != row.inbox_id
    return connection.execute(select(func.max(history.c.id)).where(is_later)).scalar()
