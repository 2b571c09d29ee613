"""Findings of a sweep in the SQL ledger: by key, and on their way into the inbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import (
    Connection,
    and_,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from sync_worker.core.ports.links import ENGINE_RECHECKS, LeasedLink
from sync_worker.core.sweep_values import (
    Finding,
    Listed,
    Mark,
    Queued,
    Sweep,
)
from sync_worker.core.values import (
    Contact,
    Delivery,
    InboxState,
    IntentState,
    Lease,
    Link,
    LinkState,
    NewDelivery,
    RatingKey,
    Side,
)
from sync_worker.ledger.rows import (
    from_delivery,
    to_contact,
    to_delivery,
    to_entity,
    to_intent,
    to_link,
)
from sync_worker.ledger.runs import SweepRuns, to_listed
from sync_worker.ledger.statements.contacts import is_erased
from sync_worker.ledger.statements.inbox import OPEN, released_values, twin_of
from sync_worker.ledger.statements.links import link_of_key
from sync_worker.ledger.tables import (
    contact_map,
    entity_map,
    inbox,
    intent,
    link,
    link_value,
    listed,
)
from sync_worker.ledger.transactions import insert_into

QUEUED_SECONDS = (
    30.0  # a finding handed over is its run's; after that the sweeper takes a dead run's
)


class SqlRuns(SweepRuns):
    """Implements ports.Sweeps."""

    # -- findings

    def next_findings(
        self, sweep: Sweep, limit: int, after: tuple[int, str, str] | None = None
    ) -> list[Finding]:
        is_open = (listed.c.run_id == sweep.id) & (listed.c.mark == str(Mark.OPEN))
        key = (listed.c.entity_id, listed.c.contact_id)
        with self._transactions.read() as connection:
            nobody = self._keyless(connection, sweep, is_open, limit, after)
            if len(nobody) >= limit:
                return nobody
            keys = select(*key).where(is_open, listed.c.contact_id != "")
            if after is not None and after[0] != 0:
                keys = keys.where(tuple_(*key) > tuple_(literal(after[0]), literal(after[1])))
            keys = keys.group_by(*key).order_by(*key).limit(limit - len(nobody))
            wanted = [tuple(row) for row in connection.execute(keys)]
            rows = self._rows_of(connection, sweep, wanted)
        grouped = groupby(rows, key=lambda row: (row.entity_id, row.contact_id))
        return nobody + [_finding(sweep.site_id, list(group)) for _, group in grouped]

    def _keyless(
        self,
        connection: Connection,
        sweep: Sweep,
        is_open: Any,
        limit: int,
        after: tuple[int, str, str] | None,
    ) -> list[Finding]:
        if after is not None and after[0] != 0:
            return []
        place = (listed.c.side, listed.c.remote_id)
        rows = select(listed).where(is_open, listed.c.contact_id == "")
        if after is not None:
            rows = rows.where(tuple_(*place) > tuple_(literal(after[1]), literal(after[2])))
        found = connection.execute(rows.order_by(*place).limit(limit)).all()
        return [Finding(None, (to_listed(sweep.site_id, row),)) for row in found]

    def _rows_of(self, connection: Connection, sweep: Sweep, keys: Sequence[Any]) -> Sequence[Any]:
        if not keys:
            return []
        key = (listed.c.entity_id, listed.c.contact_id)
        marks = [str(Mark.OPEN), str(Mark.HIDDEN)]
        is_wanted = (
            (listed.c.run_id == sweep.id) & listed.c.mark.in_(marks) & tuple_(*key).in_(keys)
        )
        order = (*key, listed.c.side, listed.c.remote_id)
        return connection.execute(select(listed).where(is_wanted).order_by(*order)).all()

    def leave(self, sweep: Sweep, findings: Sequence[Finding]) -> None:
        with self._transactions.write() as connection:
            self._hold_run(connection, sweep)
            self._mark(
                connection, sweep, [row for finding in findings for row in finding.rows], Mark.LEFT
            )

    def is_shown(self, sweep: Sweep, side: Side, remote_id: str) -> bool:
        is_row = (
            (listed.c.run_id == sweep.id)
            & (listed.c.side == str(side))
            & (listed.c.remote_id == remote_id)
        )
        with self._transactions.read() as connection:
            shown = select(listed.c.remote_id).where(is_row, listed.c.change != "delete")
            return connection.execute(shown).first() is not None

    def count_marks(self, sweep: Sweep) -> Mapping[Mark, int]:
        counted = (
            select(listed.c.mark, func.count())
            .where(listed.c.run_id == sweep.id)
            .group_by(listed.c.mark)
        )
        with self._transactions.read() as connection:
            return {Mark(mark): int(count) for mark, count in connection.execute(counted)}

    # -- to the inbox

    def queue(
        self, sweep: Sweep, deliveries: Sequence[tuple[Finding, Sequence[NewDelivery]]]
    ) -> list[Queued]:
        with self._transactions.write() as connection:
            self._hold_run(connection, sweep)
            queued = [self._queue(connection, sweep.site_id, *one) for one in deliveries]
            self._mark(
                connection,
                sweep,
                [row for finding, _ in deliveries for row in finding.rows],
                Mark.DONE,
            )
        return queued

    def _queue(
        self,
        connection: Connection,
        site_id: int,
        finding: Finding,
        deliveries: Sequence[NewDelivery],
    ) -> Queued:
        key = finding.key
        if key is not None and is_erased(connection, site_id, key.contact_id):
            key = None  # since the listing: the deliveries find that out as any others do
        link_id = link_of_key(connection, key) if key is not None else None
        ids: list[int] = []
        held = ""
        for row, new in zip(finding.rows, deliveries, strict=True):
            inbox_id, reason = self._put(connection, site_id, link_id, row, new)
            held = held or reason
            if not reason:
                ids.append(inbox_id)
        return Queued(tuple(ids), link_id, held="" if ids else held)

    def _put(
        self,
        connection: Connection,
        site_id: int,
        link_id: int | None,
        row: Listed,
        new: NewDelivery,
    ) -> tuple[int, str]:
        """One delivery into the inbox; its id, and why it is held if it is."""
        times = {"received_at": self._now, "next_attempt_at": self._in(QUEUED_SECONDS)}
        values = (
            from_delivery(new)
            | times
            | {"site_id": site_id, "link_id": link_id, "must_read": row.must_read}
        )
        if row.hold:
            values |= {"state": str(InboxState.HELD), "reason": row.hold, "closed_at": self._now}
        inserted = (
            insert_into(connection, inbox)
            .values(values)
            .on_conflict_do_nothing()
            .returning(inbox.c.id)
        )
        inbox_id = connection.execute(inserted).scalar()
        if link_id is not None:
            self._give_key(connection, site_id, link_id, new)
        if inbox_id is not None:
            return int(inbox_id), row.hold
        twin = connection.execute(twin_of(new).add_columns(inbox.c.state, inbox.c.reason)).one()
        if twin.state == str(InboxState.HELD):
            return int(twin.id), str(twin.reason)
        if twin.state not in OPEN:
            again = released_values() | {
                "next_attempt_at": self._in(QUEUED_SECONDS),
                "link_id": link_id,
            }
            connection.execute(update(inbox).where(inbox.c.id == twin.id).values(**again))
        return int(twin.id), ""

    def _give_key(
        self, connection: Connection, site_id: int, link_id: int, new: NewDelivery
    ) -> None:
        """What was held as nobody knew its key: now it is known."""
        is_same = (inbox.c.side == str(new.side)) & (inbox.c.source == new.source)
        waits = (inbox.c.state == str(InboxState.HELD)) & inbox.c.link_id.is_(None)
        keyed = released_values() | {"link_id": link_id, "site_id": site_id}
        connection.execute(
            update(inbox).where(is_same, inbox.c.remote_id == new.remote_id, waits).values(**keyed)
        )

    # -- looking ahead

    def peek(self, key: RatingKey) -> LeasedLink:
        mine = (link.c.site_id == key.site_id) & (link.c.entity_id == key.entity_id)
        mine &= link.c.contact_id == key.contact_id
        with self._transactions.read() as connection:
            row = connection.execute(select(link).where(mine)).first()
            entity = connection.execute(
                select(entity_map).where(entity_map.c.id == key.entity_id)
            ).one()
            by = (contact_map.c.site_id == key.site_id) & (
                contact_map.c.wix_contact_id == key.contact_id
            )
            contact = connection.execute(
                select(contact_map).where(by).order_by(contact_map.c.id).limit(1)
            ).first()
            now = connection.execute(select(self._now)).scalar_one()
            found = Link(0, key, 0, LinkState.LIVE, {}, {})
            opened = None
            deliveries: tuple[Delivery, ...] = ()
            if row is not None:
                values = connection.execute(
                    select(link_value).where(link_value.c.link_id == row.id)
                ).all()
                found = to_link(row, values)
                is_open = (intent.c.link_id == row.id) & (intent.c.state == str(IntentState.OPEN))
                opened = connection.execute(select(intent).where(is_open)).first()
                rechecked = (inbox.c.state == str(InboxState.HELD)) & inbox.c.reason.in_(
                    ENGINE_RECHECKS
                )
                is_ready = or_(inbox.c.state.in_(OPEN), rechecked)
                waiting = (
                    select(inbox)
                    .where(and_(inbox.c.link_id == row.id, is_ready))
                    .order_by(inbox.c.id)
                )
                deliveries = tuple(map(to_delivery, connection.execute(waiting)))
            return LeasedLink(
                lease=Lease(found.id, 0, key.site_id),
                site=self._site_by_id(connection, key.site_id),
                link=found,
                entity=to_entity(entity),
                contact=to_contact(contact) if contact is not None else Contact(key.contact_id),
                intent=to_intent(opened) if opened is not None else None,
                deliveries=deliveries,
                now=float(now),
            )


def _finding(site_id: int, rows: Sequence[Any]) -> Finding:
    found = tuple(to_listed(site_id, row) for row in rows)
    return Finding(found[0].key, found)
