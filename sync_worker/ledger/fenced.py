"""The ledger in SQL: what a run writes under the fence of its lease, which shuts out every earlier
holder.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, func, select, update
from sqlalchemy.exc import IntegrityError

from sync_worker.core.errors import LeaseLost, Permanent
from sync_worker.core.ports.inbox import ERASED, Closing
from sync_worker.core.ports.links import Commit, Committed
from sync_worker.core.values import (
    InboxState,
    Intent,
    IntentState,
    Lease,
    LinkState,
    Operation,
    Side,
)
from sync_worker.ledger.base import fixed
from sync_worker.ledger.inbox import UNENDED
from sync_worker.ledger.people import PeopleLedger
from sync_worker.ledger.prepared import Answer, Prepared, batch
from sync_worker.ledger.rows import from_base, from_external, from_history, from_intent, from_wix
from sync_worker.ledger.tables import history, inbox, intent, link, link_value, site, tombstone

HOUR_SECONDS = 3600.0
FRESH_SHARE = 29 / 30  # of a lease that is as good as renewed: half a second of it may be gone
MIN_BRAKE = 20
BRAKE_SHARE = 0.05


class FencedLedger(PeopleLedger):
    """Implements the part of ports.Ledger that needs a lease, and the brake on deletes."""

    def renew(self, lease: Lease) -> None:
        with self._transactions.single() as connection:
            self._renew(connection, lease)

    def _renew(self, connection: Connection, lease: Lease) -> None:
        _check(self._under_fence(connection, self._renewal, lease))

    @cached_property
    def _renewal(self) -> Prepared:
        return self._prepared(self._own_link.values(lease_until=self._in(self._lease_seconds)))

    @property
    def _own_link(self) -> Any:
        """An update of the link that only the holder of its lease can do."""
        return update(link).where(_is_ours() & (link.c.lease_until > self._now))

    def _under_fence(
        self, connection: Connection, statement: Prepared, lease: Lease, **values: Any
    ) -> Answer:
        """Whose count must be 1: the lease is lost otherwise, and the transaction with it."""
        return statement.ask(
            connection, {"the_link": lease.link_id, "the_fence": lease.fence, **values}
        )

    def open_intent(self, lease: Lease, intent_: Intent) -> None:
        row = {**from_intent(intent_), "link_id": lease.link_id, "site_id": lease.site_id}
        fenced = {"the_link": lease.link_id, "the_fence": lease.fence}
        with self._transactions.single() as connection:
            if (
                self._first_intent.run(
                    connection, {f"its_{name}": one for name, one in row.items()} | fenced
                )
                == 1
            ):
                return
        with self._transactions.write() as connection:
            self._renew(connection, lease)
            self._new_intent.run(connection, row)

    @cached_property
    def _first_intent(self) -> Prepared:
        """Under a lease just taken, in one statement: nobody else can take it as long as the
        statement runs.
        """
        names = [
            column.key
            for column in intent.c
            if column not in (intent.c.created_at, intent.c.closed_at)
        ]
        values = [bindparam(f"its_{name}", type_=intent.c[name].type).label(name) for name in names]
        is_fresh = link.c.lease_until > self._in(self._lease_seconds * FRESH_SHARE)
        under_lease = select(*values, self._now.label("created_at")).where(_is_ours() & is_fresh)
        return self._prepared(intent.insert().from_select([*names, "created_at"], under_lease))

    @cached_property
    def _new_intent(self) -> Prepared:
        return self._prepared(intent.insert().values(created_at=self._now))

    def commit(self, lease: Lease, change: Commit) -> Committed:
        try:
            with self._transactions.write() as connection:
                if change.erases:
                    self._hold_listings(
                        connection, lease.site_id
                    )  # before the link, as whoever queues findings
                buried = self._buried_meanwhile(connection, lease.site_id, change)
                change = change.without(buried)
                fresh = self._commit_rows(connection, lease, change)
                if _digs(change):
                    self._commit_graves(connection, lease, change)
                    fresh = self._ask_fresh(connection, lease) if change.release else None
                return Committed(buried, () if fresh is None else _ids(fresh))
        except IntegrityError as error:
            raise Permanent(
                "another link has this record on file", reason="id_linked_elsewhere"
            ) from error

    def _commit_rows(self, connection: Connection, lease: Lease, change: Commit) -> Answer | None:
        """The link, its values, and how it came to them.

        Returns the new deliveries if nothing else is to be done.
        """
        values = self._link_values(connection, lease, change)
        asks_fresh = change.release and not _digs(change)
        held: Answer | None = None
        try:
            with batch(connection):
                held = self._under_fence(connection, self._link_change, lease, **values)
                self._commit_values(connection, lease.link_id, lease.site_id, change)
                self._commit_story(connection, lease.link_id, lease.site_id, change)
                fresh = self._ask_fresh(connection, lease) if asks_fresh else None
        except IntegrityError:
            if held is not None and held.count == 0:
                raise LeaseLost from None  # and so has nothing to say of records
            raise
        _check(held)
        return fresh

    def _link_values(self, connection: Connection, lease: Lease, change: Commit) -> dict[str, Any]:
        values: dict[str, Any] = {"more_generations": int(change.new_generation)}
        for slot, known in change.records.items():
            if slot.side is Side.EXTERNAL:
                values |= from_external(known)
        if change.link_state is not None:
            values["state"] = str(change.link_state)
        if change.release:
            values["lease_until"] = 0.0
        if change.shadowed:
            before = connection.execute(
                select(link.c.shadowed).where(link.c.id == lease.link_id)
            ).scalar_one()
            values["shadowed"] = sorted({*before, *change.shadowed})
        if change.writes:
            values["writes"] = list(change.writes)
        return values

    @cached_property
    def _link_change(self) -> Prepared:
        generation = link.c.generation + bindparam("more_generations", type_=Integer)
        return self._prepared(self._own_link.values(generation=generation))

    def _commit_values(
        self, connection: Connection, link_id: int, site_id: int, change: Commit
    ) -> None:
        rows: dict[str, dict[str, Any]] = {
            name: from_base(base) for name, base in change.bases.items()
        }
        for slot, known in change.records.items():
            if slot.side is Side.WIX:
                rows.setdefault(slot.attribute, {}).update(from_wix(known))
        for attribute, values in rows.items():
            row = {"link_id": link_id, "attribute": attribute, "site_id": site_id, **values}
            self._value_change(tuple(values)).ask(connection, row)

    def _value_change(self, names: tuple[str, ...]) -> Prepared:
        if names not in self._value_changes:
            insert = self._insert(link_value)
            changed = {name: insert.excluded[name] for name in names}
            stored = insert.on_conflict_do_update(
                index_elements=["link_id", "attribute"], set_=changed
            )
            self._value_changes[names] = self._prepared(stored)
        return self._value_changes[names]

    @cached_property
    def _value_changes(self) -> dict[tuple[str, ...], Prepared]:
        """By the columns that they change."""
        return {}

    def _commit_story(
        self, connection: Connection, link_id: int, site_id: int, change: Commit
    ) -> None:
        """The intent's end, the history, and how the deliveries ended."""
        if change.intent_state is not None:
            self._intent_end.ask(
                connection, {"the_link": link_id, "state": str(change.intent_state)}
            )
        for entry in change.history:
            row = {"site_id": site_id, "link_id": link_id, **from_history(entry)}
            self._new_history.ask(connection, row)
        for closing, inbox_ids in _by_closing(change).items():
            self._close_rows(connection, inbox_ids, closing, states=UNENDED)

    def _commit_graves(self, connection: Connection, lease: Lease, change: Commit) -> None:
        for grave in change.buried:
            self._bury(connection, lease.site_id, grave, lease.link_id)
        for grave in change.revived:
            is_same = self._is_grave(lease.site_id, grave.side, [grave.remote_id])
            for name in ("revision", "sequence", "privacy"):
                is_same &= tombstone.c[name].is_not_distinct_from(getattr(grave, name))
            connection.execute(tombstone.delete().where(is_same))
        if erased := _by_closing(change).get(ERASED):
            self._erase_rows(connection, lease.site_id, inbox.c.id.in_(erased))
        if change.erases:
            self._erase_link(connection, lease.site_id, lease.link_id, change)

    @cached_property
    def _intent_end(self) -> Prepared:
        is_open = (intent.c.link_id == bindparam("the_link")) & intent.c.state.in_(
            fixed([IntentState.OPEN])
        )
        return self._prepared(update(intent).where(is_open).values(closed_at=self._now))

    @cached_property
    def _new_history(self) -> Prepared:
        return self._prepared(history.insert().values(at=self._now).inline())

    def _buried_meanwhile(
        self, connection: Connection, site_id: int, change: Commit
    ) -> frozenset[str]:
        """Of the ids that come on file, those with a grave that this step does not open."""
        records = [(slot.side, known.remote_id) for slot, known in change.records.items() if known]
        ids = {side: sorted(one for of, one in records if of is side) for side in Side}
        if not records:
            return frozenset()
        with batch(connection):
            self._lock_ids(connection, site_id, ids)
            graves = self._ask_graves(connection, site_id, ids)
        return frozenset(grave.remote_id for grave in graves() if change.is_dead(grave))

    def release(self, lease: Lease) -> Sequence[int]:
        with self._transactions.single() as connection:
            with batch(connection):
                self._release.ask(connection, {"the_link": lease.link_id, "the_fence": lease.fence})
                fresh = self._ask_fresh(connection, lease)
            return _ids(fresh)

    @cached_property
    def _release(self) -> Prepared:
        return self._prepared(update(link).where(_is_ours()).values(lease_until=0.0))

    def _ask_fresh(self, connection: Connection, lease: Lease) -> Answer:
        """Asked after the lease has ended in this transaction: an older delivery shows, a newer one
        gets the lease.
        """
        return self._fresh.ask(connection, {"the_link": lease.link_id})

    @cached_property
    def _fresh(self) -> Prepared:
        waits = (inbox.c.reason != "") & (inbox.c.next_attempt_at > self._now)
        is_new = (inbox.c.link_id == bindparam("the_link")) & (inbox.c.state == str(InboxState.NEW))
        return self._prepared(select(inbox.c.id).where(is_new, ~waits).order_by(inbox.c.id))

    def deletes_exceeded(self, site_id: int, side: Side, more: int = 0) -> bool:
        recent = (
            (history.c.site_id == site_id)
            & (history.c.side == str(side))
            & (history.c.what == "delete")
        )
        under_way = (
            (intent.c.state == str(IntentState.OPEN))
            & (intent.c.site_id == site_id)
            & (intent.c.side == str(side))
            & (intent.c.operation == str(Operation.DELETE))
            & ~intent.c.is_privacy
        )
        with self._transactions.read() as connection:
            count = select(func.count()).select_from(history)
            deletes = connection.execute(
                count.where(recent, history.c.at > self._in(-HOUR_SECONDS))
            ).scalar_one()
            deletes += connection.execute(
                select(func.count()).select_from(intent).where(under_way)
            ).scalar_one()
            if deletes + more < MIN_BRAKE:
                return False
            return bool(deletes + more >= self._deletes_most(connection, site_id, deletes + more))

    def _deletes_most(self, connection: Connection, site_id: int, deletes: int) -> float:
        """Where the brake grips: max(20, 5 % of the live links), or above what a person has
        allowed.

        Of the links no more are counted than it takes to let so many deletes pass: a large site has
        a million.
        """
        is_live = (link.c.site_id == site_id) & (link.c.state == str(LinkState.LIVE))
        enough = select(link.c.id).where(is_live).limit(int((deletes + 1) / BRAKE_SHARE)).subquery()
        live = connection.execute(select(func.count()).select_from(enough)).scalar_one()
        allowed = select(site.c.deletes_allowed).where(
            site.c.id == site_id, site.c.deletes_allowed_until > self._now
        )
        return max(MIN_BRAKE, live * BRAKE_SHARE, connection.execute(allowed).scalar() or 0)


def _check(held: Answer) -> None:
    """Raises LeaseLost, and the transaction with it."""
    if held.count != 1:
        raise LeaseLost


def _ids(answer: Answer) -> Sequence[int]:
    return [row.id for row in answer.all()]


def _by_closing(change: Commit) -> dict[Closing, list[int]]:
    by_closing: dict[Closing, list[int]] = {}
    for inbox_id, closing in change.closings.items():
        by_closing.setdefault(closing, []).append(inbox_id)
    return by_closing


def _digs(change: Commit) -> bool:
    """Whether graves are dug or opened, or what is personal is erased."""
    return bool(
        change.buried or change.revived or change.erases or ERASED in change.closings.values()
    )


def _is_ours() -> Any:
    """The link whose fence is still that of the lease in hand."""
    return (link.c.id == bindparam("the_link")) & (link.c.fence == bindparam("the_fence"))
