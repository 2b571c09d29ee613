"""People in the SQL ledger: their addresses, what a merge brings together, and whose id stands for
whom.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, bindparam, exists, select, update
from sqlalchemy.exc import IntegrityError

from sync_worker.core.errors import LeaseLost, Transient
from sync_worker.core.values import (
    Contact,
    HistoryEntry,
    Lease,
    Link,
    LinkState,
    Merge,
    MergeDistance,
    NewDelivery,
    Person,
    RatingKey,
    Side,
)
from sync_worker.ledger.erasure import ErasureLedger
from sync_worker.ledger.prepared import Prepared
from sync_worker.ledger.rows import from_external, from_history, to_contact, to_link
from sync_worker.ledger.tables import (
    contact_map,
    contact_redirect,
    history,
    inbox,
    link,
    link_value,
    tombstone,
)


class PeopleLedger(ErasureLedger):
    """Implements the part of ports.Ledger about people."""

    # -- addresses

    def contact(
        self, site_id: int, *, contact_id: str | None = None, email: str | None = None
    ) -> Contact | None:
        with self._transactions.read() as connection:
            if email is None:
                return self._contact_of(connection, site_id, str(contact_id))
            row = self._of_address(connection, site_id, email)
            if row is None:
                return None
            lives_as = self._lives_as(connection, site_id, row.wix_contact_id)
            return Contact(lives_as, row.email, row.name, row.external_author_id)

    def _contact_of(self, connection: Connection, site_id: int, contact_id: str) -> Contact | None:
        row = self._unmerged.first(connection, {"the_site": site_id, "the_contact": contact_id})
        if row is not None:
            return to_contact(row)
        return self._known_as(connection, site_id, self._lives_as(connection, site_id, contact_id))

    @cached_property
    def _unmerged(self) -> Prepared:
        """A contact's own address, if it was not merged into another: all that is to be asked of
        most.
        """
        site_id: Any = bindparam("the_site")
        contact_id: Any = bindparam("the_contact")
        is_merged = exists().where(
            contact_redirect.c.site_id == site_id, contact_redirect.c.contact_id == contact_id
        )
        is_theirs = (contact_map.c.site_id == site_id) & (
            contact_map.c.wix_contact_id == contact_id
        )
        found = select(contact_map).where(is_theirs, ~is_merged)
        return self._prepared(found.order_by(contact_map.c.id).limit(1))

    def _known_as(self, connection: Connection, site_id: int, contact_id: str) -> Contact | None:
        """With an address of its own, else with one of a contact that was merged into it."""
        by = {"the_site": site_id, "the_value": contact_id}
        row = self._contact_by["wix_contact_id"].first(connection, by)
        if row is not None:
            return to_contact(row)
        family = self._family(connection, site_id, contact_id)
        of_family = {"the_site": site_id, "the_ids": family}
        row = self._contact_among.first(connection, of_family) if family[1:] else None
        return (
            None
            if row is None
            else Contact(contact_id, row.email, row.name, row.external_author_id)
        )

    def _of_address(self, connection: Connection, site_id: int, email: str) -> Any:
        return self._contact_by["email"].first(
            connection, {"the_site": site_id, "the_value": email}
        )

    def save_contact(self, site_id: int, contact: Contact) -> Contact:
        row = {
            "site_id": site_id,
            "wix_contact_id": contact.contact_id,
            "email": contact.email,
            "name": contact.name,
            "external_author_id": contact.author_id,
        }
        with self._transactions.write() as connection:
            if not self._is_erased(connection, site_id, contact.contact_id):
                connection.execute(self._insert(contact_map).values(row).on_conflict_do_nothing())
        return self.contact(site_id, email=contact.email) or contact

    def forget_contact(self, site_id: int, contact_id: str) -> bool:
        is_theirs = (contact_map.c.site_id == site_id) & (
            contact_map.c.wix_contact_id == contact_id
        )
        with self._transactions.write() as connection:
            return connection.execute(contact_map.delete().where(is_theirs)).rowcount > 0

    # -- merges

    def redirect(self, site_id: int, merge: Merge, *, is_told: bool = True) -> None:
        with self._transactions.write() as connection:
            for source in merge.sources:
                if source in self._path(connection, site_id, merge.target):
                    continue  # it would lead in a circle
                row = {"site_id": site_id, "contact_id": source, "target_id": merge.target}
                insert = self._insert(contact_redirect).values(row)
                told = insert.on_conflict_do_update(
                    index_elements=["site_id", "contact_id"], set_={"target_id": merge.target}
                )
                connection.execute(told if is_told else insert.on_conflict_do_nothing())

    def merge_distance(self, site_id: int, person: Person) -> MergeDistance | None:
        with self._transactions.read() as connection:
            contact_id = person.contact_id
            if contact_id is None and person.email is not None:
                row = self._of_address(connection, site_id, person.email.strip().casefold())
                contact_id = None if row is None else row.wix_contact_id
            if contact_id is None:
                return None
            path = self._path(connection, site_id, contact_id)
        return MergeDistance(len(path) - 1, contact_id, path[-1])

    def link_id(self, key: RatingKey) -> int | None:
        is_it = (link.c.site_id == key.site_id) & (link.c.entity_id == key.entity_id)
        with self._transactions.read() as connection:
            found = select(link.c.id).where(is_it, link.c.contact_id == key.contact_id)
            return connection.execute(found).scalar()

    def _kin(self, connection: Connection, row: Any) -> tuple[int, ...]:
        """Links of the contacts that were merged into a link's own, for the same entity, unless
        they joined it.
        """
        family = self._family(connection, row.site_id, row.contact_id)[1:]
        if not family:
            return ()
        is_kin = (
            (link.c.site_id == row.site_id)
            & (link.c.entity_id == row.entity_id)
            & link.c.contact_id.in_(family)
        )
        found = (
            select(link.c.id)
            .where(is_kin, link.c.state != str(LinkState.BURIED))
            .order_by(link.c.id)
        )
        return tuple(connection.execute(found).scalars())

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
                        self._read_link(connection, lease),
                        self._read_link(connection, into),
                        lease,
                    )
                survivor = lease if into is None else into
                self._note_merge(connection, survivor.link_id, lease.link_id)
        except IntegrityError as error:
            raise Transient(
                "the contact that lives on has a link for this entity by now", retry_after=1.0
            ) from error

    def _read_link(self, connection: Connection, lease: Lease) -> Link:
        row = connection.execute(select(link).where(link.c.id == lease.link_id)).one()
        values = connection.execute(select(link_value).where(link_value.c.link_id == row.id)).all()
        return to_link(row, values)

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
