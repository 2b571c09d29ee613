"""People who change: merged contacts and erased ones."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from sync_worker.core.errors import Transient
from sync_worker.core.hold_keys import contact_tombstone
from sync_worker.core.values import (
    Buried,
    Change,
    HistoryEntry,
    HistoryKind,
    Lease,
    Merge,
    MergeDistance,
    NewDelivery,
    Person,
    Side,
)
from sync_worker.ledger.erasure import PersonErasure
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.statements.contacts import (
    all_ids_of,
    contact_of_any_form,
    merge_path,
)
from sync_worker.ledger.statements.history import add_history
from sync_worker.ledger.statements.links import links_of_contact, read_link
from sync_worker.ledger.statements.merges import (
    hint_link,
    hold_link,
    move_link,
    rekey_link,
    store_redirect,
)
from sync_worker.ledger.statements.set_aside import return_externals
from sync_worker.ledger.statements.tombstones import bury, lock_ids
from sync_worker.ledger.tables import tombstone
from sync_worker.ledger.transactions import Transactions


class SqlMerges:
    """Implements ports.Merges."""

    def __init__(self, transactions: Transactions, sites: SiteCache) -> None:
        self._transactions, self._sites = transactions, sites

    # -- merges

    def redirect(self, site_id: int, merge: Merge, *, is_told: bool = True) -> None:
        with self._transactions.write() as connection:
            for source in merge.sources:
                # A merge that would lead in a circle is left out.
                if source not in merge_path(connection, site_id, merge.target):
                    store_redirect(connection, site_id, source, merge.target, is_told=is_told)

    def merge_distance(self, site_id: int, person: Person) -> MergeDistance | None:
        with self._transactions.read() as connection:
            contact_id = person.contact_id
            # The external system knows people by their address only.
            if contact_id is None and person.email is not None:
                row = contact_of_any_form(connection, site_id, person.email)
                contact_id = None if row is None else row.wix_contact_id
            # Nobody on file has this address, so no merge concerns it.
            if contact_id is None:
                return None
            path = merge_path(connection, site_id, contact_id)
        return MergeDistance(len(path) - 1, contact_id, path[-1])

    def links_of(self, site_id: int, contact_id: str) -> list[int]:
        with self._transactions.read() as connection:
            ids = all_ids_of(connection, site_id, contact_id)
            return links_of_contact(connection, site_id, ids)

    def join(self, lease: Lease, into: Lease | None, contact_id: str) -> None:
        leases = [lease] if into is None else [lease, into]
        survivor = leases[-1]
        try:
            with self._transactions.write() as connection:
                # In the order of their ids, so that two joins never wait for each other.
                for held in sorted(leases, key=lambda held: held.link_id):
                    hold_link(connection, held)
                # The contact that lives on has no link for this entity: this link becomes theirs.
                if into is None:
                    rekey_link(connection, lease.link_id, contact_id)
                else:
                    # Both contacts have a link: all that this link has goes to the other.
                    site = self._sites.by_id(connection, lease.site_id)
                    source = read_link(connection, lease.link_id)
                    target = read_link(connection, into.link_id)
                    move_link(connection, site, source, target, lease.fence)
                entry = _merge_of(lease.link_id)
                add_history(connection, lease.site_id, survivor.link_id, entry)
        except IntegrityError as error:
            raise Transient(
                "the contact that lives on has a link for this entity by now", retry_after=1.0
            ) from error

    # -- privacy

    def buried_with(self, link_id: int) -> list[tuple[Side, str]]:
        is_in_clear = (tombstone.c.link_id == link_id) & ~tombstone.c.privacy
        with self._transactions.read() as connection:
            rows = connection.execute(select(tombstone).where(is_in_clear)).all()
        return [(Side(row.side), row.remote_id) for row in rows]

    def hint_erasure(self, site_id: int, contact_id: str, inbox_id: int) -> list[int]:
        with self._transactions.write() as connection:
            site = self._sites.by_id(connection, site_id)
            ids = all_ids_of(connection, site_id, contact_id)
            # In the order of their names, so that two requests never wait for each other.
            for name in map(contact_tombstone, sorted(ids)):
                lock_ids(connection, site_id, {Side.WIX: [name]})
                bury(connection, site_id, Buried(Side.WIX, name, privacy=True), None)
            # After the tombstones: nobody can make a link now that this list would miss.
            links = links_of_contact(connection, site_id, ids)
            return_externals(connection, links)
            for link_id in links:
                name = f"erase:{inbox_id}:{link_id}"
                hint = NewDelivery(
                    Side.WIX,
                    site.instance_id,
                    name,
                    Change.ERASE,
                    f"link:{link_id}",
                    {},
                    privacy=True,
                )
                hint_link(connection, hint, site_id, link_id)
        return links

    def erase_contact(self, site_id: int, contact_id: str, inbox_id: int) -> None:
        PersonErasure(self._transactions, self._sites, site_id, inbox_id).erase(contact_id)


def _merge_of(link_id: int) -> HistoryEntry:
    reason = f"link {link_id}: its contact was merged into this one's"
    return HistoryEntry(HistoryKind.MERGE, None, "", reason=reason)
