"""People in the SQL ledger: their addresses, what a merge brings together, and whose id stands for
whom.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import IntegrityError

from sync_worker.core.errors import LeaseLost, Transient
from sync_worker.core.values import (
    HistoryEntry,
    Lease,
    Link,
    LinkState,
    Merge,
    MergeDistance,
    NewDelivery,
    Person,
    Side,
)
from sync_worker.ledger.erasure import ErasureLedger
from sync_worker.ledger.rows import from_external, from_history
from sync_worker.ledger.statements.contacts import contact_of_address, merge_path
from sync_worker.ledger.statements.links import read_link
from sync_worker.ledger.tables import (
    contact_redirect,
    history,
    inbox,
    link,
    link_value,
    tombstone,
)
from sync_worker.ledger.transactions import insert_into


class PeopleLedger(ErasureLedger):
    """Implements the part of ports.Ledger about people."""

    # -- merges

    def redirect(self, site_id: int, merge: Merge, *, is_told: bool = True) -> None:
        with self._transactions.write() as connection:
            for source in merge.sources:
                if source in merge_path(connection, site_id, merge.target):
                    continue  # it would lead in a circle
                row = {"site_id": site_id, "contact_id": source, "target_id": merge.target}
                insert = insert_into(connection, contact_redirect).values(row)
                told = insert.on_conflict_do_update(
                    index_elements=["site_id", "contact_id"], set_={"target_id": merge.target}
                )
                connection.execute(told if is_told else insert.on_conflict_do_nothing())

    def merge_distance(self, site_id: int, person: Person) -> MergeDistance | None:
        with self._transactions.read() as connection:
            contact_id = person.contact_id
            if contact_id is None and person.email is not None:
                row = contact_of_address(connection, site_id, person.email.strip().casefold())
                contact_id = None if row is None else row.wix_contact_id
            if contact_id is None:
                return None
            path = merge_path(connection, site_id, contact_id)
        return MergeDistance(len(path) - 1, contact_id, path[-1])

    def join(self, lease: Lease, into: Lease | None, contact_id: str) -> None:
        leases = sorted(
            (one for one in (lease, into) if one is not None), key=lambda one: one.link_id
        )
        try:
            with self._transactions.write() as connection:
                for one in (
                    leases
                ):  # in the order of their ids, so that two joins never wait for each other
                    self._touch(connection, one, {"fence": link.c.fence})
                if into is None:
                    rekeyed = (
                        update(link).where(link.c.id == lease.link_id).values(contact_id=contact_id)
                    )
                    connection.execute(rekeyed)
                else:
                    self._move(
                        connection,
                        read_link(connection, lease.link_id),
                        read_link(connection, into.link_id),
                        lease,
                    )
                survivor = lease if into is None else into
                self._note_merge(connection, survivor.link_id, lease.link_id)
        except IntegrityError as error:
            raise Transient(
                "the contact that lives on has a link for this entity by now", retry_after=1.0
            ) from error

    def _move(self, connection: Connection, source: Link, target: Link, lease: Lease) -> None:
        """All of ``source`` to ``target``: records, deliveries and graves."""
        if target.records:
            for slot, known in source.records.items():
                hint = NewDelivery(
                    slot.side,
                    self._source(connection, source.key.site_id, slot.side),
                    f"join:{source.id}:{lease.fence}:{slot}",
                    "upsert",
                    known.remote_id,
                    {"merged_from": source.key.contact_id},
                )
                self._hint(connection, hint, target)
            connection.execute(link_value.delete().where(link_value.c.link_id == source.id))
        else:
            connection.execute(link_value.delete().where(link_value.c.link_id == target.id))
            connection.execute(
                update(link_value)
                .where(link_value.c.link_id == source.id)
                .values(link_id=target.id)
            )
        self._move_external(connection, source, target)
        for table in (inbox, tombstone):
            connection.execute(
                update(table).where(table.c.link_id == source.id).values(link_id=target.id)
            )

    def _move_external(self, connection: Connection, source: Link, target: Link) -> None:
        """Let go of the external record, and hand it and the state on where ``target`` has
        nothing.
        """
        names = [*from_external(None), "state", "writes"]
        row = connection.execute(
            select(*(link.c[name] for name in names)).where(link.c.id == source.id)
        ).one()
        emptied: dict[str, Any] = {
            **from_external(None),
            "state": str(LinkState.BURIED),
            "writes": [],
            "shadowed": [],
        }
        connection.execute(update(link).where(link.c.id == source.id).values(emptied))
        moved: dict[str, Any] = {"shadowed": sorted(target.shadowed | source.shadowed)}
        if not target.records:
            moved |= dict(row._mapping)
        connection.execute(update(link).where(link.c.id == target.id).values(moved))

    def _note_merge(self, connection: Connection, link_id: int, source_id: int) -> None:
        entry = HistoryEntry(
            "merge", None, "", reason=f"link {source_id}: its contact was merged into this one's"
        )
        site_id = select(link.c.site_id).where(link.c.id == link_id).scalar_subquery()
        row = {"site_id": site_id, "link_id": link_id, "at": self._now, **from_history(entry)}
        connection.execute(history.insert().values(row))

    def _touch(self, connection: Connection, lease: Lease, values: Mapping[str, Any]) -> None:
        """Change the link under the fence. Raises LeaseLost, and the transaction with it."""
        is_ours = (
            (link.c.id == lease.link_id)
            & (link.c.fence == lease.fence)
            & (link.c.lease_until > self._now)
        )
        if connection.execute(update(link).where(is_ours).values(**values)).rowcount != 1:
            raise LeaseLost

    def _source(self, connection: Connection, site_id: int, side: Side) -> str:
        site = self._site_by_id(connection, site_id)
        return site.instance_id if side is Side.WIX else site.connector
