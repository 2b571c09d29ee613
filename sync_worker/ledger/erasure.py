"""What the SQL ledger forgets on a privacy request, and what it keeps: hashes, to know an erased
thing again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Text, func, or_, select, type_coerce, update

from sync_worker.core.hold_keys import (
    contact_grave,
    contact_hold_key,
    email_hold_key,
)
from sync_worker.core.values import (
    Buried,
    InboxState,
    Link,
    NewDelivery,
    Side,
)
from sync_worker.ledger.base import LedgerBase
from sync_worker.ledger.rows import from_delivery
from sync_worker.ledger.statements.contacts import ids_of_contact, surviving_id
from sync_worker.ledger.statements.erasure import (
    RUNNING,
    addresses_of,
    bury_addresses,
    erase_rows,
    forget_addresses,
    hold_listings,
)
from sync_worker.ledger.statements.inbox import DOORBELL_SECONDS, OPEN, UNENDED, is_about
from sync_worker.ledger.statements.links import links_of_contact
from sync_worker.ledger.statements.tombstones import bury, lock_ids
from sync_worker.ledger.tables import (
    contact_redirect,
    inbox,
    listed,
    run,
    site,
    tombstone,
)
from sync_worker.ledger.transactions import insert_into

ROWS_AT_ONCE = 400
ROWS_SEARCHED_AT_ONCE = (
    5_000  # of any text: far below the time that a statement may take, on a slow machine too
)
SEARCH_SECONDS = 30.0  # so long after its last batch a search counts as dead


class ErasureLedger(LedgerBase):
    """Implements the part of ports.Ledger about privacy, and the life of a site."""

    def links_of(self, site_id: int, contact_id: str) -> list[int]:
        with self._transactions.read() as connection:
            return self._links_of(connection, site_id, contact_id)

    def _links_of(self, connection: Connection, site_id: int, contact_id: str) -> list[int]:
        return links_of_contact(connection, site_id, _all_ids(connection, site_id, contact_id))

    def buried_with(self, link_id: int) -> list[tuple[Side, str]]:
        with self._transactions.read() as connection:
            found = select(tombstone).where(tombstone.c.link_id == link_id, ~tombstone.c.privacy)
            return [(Side(row.side), row.remote_id) for row in connection.execute(found)]

    # -- a whole person

    def hint_erasure(self, site_id: int, contact_id: str, inbox_id: int) -> list[int]:
        with self._transactions.write() as connection:
            owner = self._site_by_id(connection, site_id)
            for one in sorted(_all_ids(connection, site_id, contact_id)):
                lock_ids(connection, site_id, {Side.WIX: [contact_grave(one)]})
                bury(connection, site_id, Buried(Side.WIX, contact_grave(one), privacy=True), None)
            ids = self._links_of(connection, site_id, contact_id)
            for link_id in ids:
                name = f"erase:{inbox_id}:{link_id}"
                hint = NewDelivery(
                    Side.WIX, owner.instance_id, name, "erase", f"link:{link_id}", {}, privacy=True
                )
                self._hint_link(connection, hint, site_id, link_id)
        return ids

    def _hint(self, connection: Connection, hint: NewDelivery, target: Link) -> None:
        self._hint_link(connection, hint, target.key.site_id, target.id)

    def _hint_link(
        self, connection: Connection, hint: NewDelivery, site_id: int, link_id: int
    ) -> None:
        """A delivery of our own; one that has come to an end begins anew."""
        row = {
            **from_delivery(hint),
            "state": str(InboxState.NEW),
            "site_id": site_id,
            "link_id": link_id,
            "must_read": True,
            "received_at": self._now,
            "next_attempt_at": self._in(DOORBELL_SECONDS),
        }
        insert = insert_into(connection, inbox).values(row)
        again = {name: row[name] for name in ("state", "link_id", "next_attempt_at")} | {
            "reason": "",
            "unended": 0,
            "closed_at": None,
        }
        is_over = inbox.c.state.not_in(OPEN)
        names = ["side", "source", "dedupe_id"]
        connection.execute(
            insert.on_conflict_do_update(index_elements=names, set_=again, where=is_over)
        )

    def erase_contact(self, site_id: int, contact_id: str, inbox_id: int) -> None:
        """In batches: a ledger may be too large to be searched in one statement.

        What finds the rest, the addresses and the request itself, goes last: a search that was cut
        short begins anew.
        """
        with self._transactions.write() as connection:
            family = _all_ids(connection, site_id, contact_id)
            emails = addresses_of(connection, site_id, family)
            bury_addresses(connection, site_id, emails)
        for _ in self._clean_listings(site_id, family, emails):
            self._keep_asking(inbox_id)
        for found in self._rows_naming(site_id, family, emails, inbox_id):
            with self._transactions.write() as connection:
                for start in range(0, len(found), ROWS_AT_ONCE):
                    self._erase_mentions(connection, site_id, found[start : start + ROWS_AT_ONCE])
            self._keep_asking(inbox_id)
        with self._transactions.write() as connection:
            forget_addresses(connection, site_id, family)
            merged = (contact_redirect.c.site_id == site_id) & contact_redirect.c.contact_id.in_(
                family
            )
            connection.execute(contact_redirect.delete().where(merged))
            self._erase_mentions(connection, site_id, [inbox_id])

    def _keep_asking(self, inbox_id: int) -> None:
        """Nobody begins the same search beside this one."""
        later = {"next_attempt_at": self._in(SEARCH_SECONDS)}
        with self._transactions.write() as connection:
            connection.execute(
                update(inbox).where(inbox.c.id == inbox_id, inbox.c.state.in_(OPEN)).values(later)
            )

    def _clean_listings(
        self, site_id: int, family: Sequence[str], emails: Sequence[str]
    ) -> Iterator[None]:
        """What sweeps under way have listed of the person; one step for each batch."""
        content = func.lower(type_coerce(listed.c.record, Text))
        names = [content.contains(one.lower(), autoescape=True) for one in (*family, *emails)]
        is_theirs = or_(listed.c.contact_id.in_(family), *names)
        with self._transactions.read() as connection:
            runs = connection.execute(
                select(run.c.id).where(run.c.site_id == site_id, run.c.state == RUNNING)
            ).scalars()
            places = [(run_id, side) for run_id in runs.all() for side in Side]
        for run_id, side in places:
            rows = (listed.c.run_id == run_id) & (listed.c.side == str(side))
            for after, last in self._batches(listed.c.remote_id, rows, ""):
                batch = (listed.c.remote_id > after) & (listed.c.remote_id <= last)
                with self._transactions.write() as connection:
                    hold_listings(connection, site_id)
                    connection.execute(listed.delete().where(rows, batch, is_theirs))
                yield

    def _batches(self, column: Any, which: Any, first: Any) -> Iterator[tuple[Any, Any]]:
        """Ranges of a column, each of so many rows: above the first value, up to and with the
        second.
        """
        after = first
        while True:
            some = (
                select(column)
                .where(which, column > after)
                .order_by(column)
                .limit(ROWS_SEARCHED_AT_ONCE)
                .subquery()
            )
            with self._transactions.read() as connection:
                last = connection.execute(select(func.max(some.c[0]))).scalar()
            if last is None:
                return
            yield after, last
            after = last

    def _rows_naming(
        self, site_id: int, family: Sequence[str], emails: Sequence[str], inbox_id: int
    ) -> Iterator[list[int]]:
        """Deliveries of this site that name one of the person's contacts or addresses anywhere,
        batch by batch.
        """
        with self._transactions.read() as connection:
            owner = connection.execute(select(site).where(site.c.id == site_id)).one()
            newest = connection.execute(select(func.max(inbox.c.id))).scalar_one()
        is_ours = inbox.c.source.in_([owner.instance_id, owner.connector]) & (
            inbox.c.id != inbox_id
        )
        content = func.lower(type_coerce(inbox.c.payload, Text))
        names = [content.contains(one.lower(), autoescape=True) for one in (*family, *emails)]
        keys = [*map(contact_hold_key, family), *map(email_hold_key, emails)]
        about = or_(inbox.c.remote_id.in_(family), inbox.c.hold_key.in_(keys), *names)
        # A merge that waits tells of more people who have to go; it forgets its content when its
        # turn has come.
        waits = (inbox.c.change == "contact_merged") & inbox.c.state.in_(UNENDED)
        # What comes in meanwhile finds the graves when its turn comes.
        for after, last in self._batches(inbox.c.id, inbox.c.id <= newest, 0):
            batch = (inbox.c.id > after) & (inbox.c.id <= last)
            found = select(inbox.c.id).where(batch, is_ours, about, ~waits).order_by(inbox.c.id)
            with self._transactions.read() as connection:
                ids = list(connection.execute(found).scalars())
            yield ids

    def _erase_mentions(
        self, connection: Connection, site_id: int, inbox_ids: Sequence[int]
    ) -> None:
        """What never came to a link is buried: told again, it is known as erased."""
        loose = select(inbox.c.side, inbox.c.remote_id).where(
            inbox.c.id.in_(inbox_ids),
            inbox.c.link_id.is_(None),
            inbox.c.change.in_(("upsert", "delete")),
        )
        which = inbox.c.id.in_(inbox_ids)
        for row in connection.execute(loose.distinct()).all():
            side = Side(row.side)
            bury(connection, site_id, Buried(side, row.remote_id, privacy=True), None)
            erase_rows(
                connection,
                site_id,
                is_about(self._site_by_id(connection, site_id), side, row.remote_id),
            )
        # Rows without content are erased already, but for those not at their end, as the request
        # itself may be.
        has_more = or_(inbox.c.payload != {}, inbox.c.state.in_(UNENDED))
        erase_rows(connection, site_id, which & has_more)


def _all_ids(connection: Connection, site_id: int, contact_id: str) -> list[str]:
    """The contact that lives on, and all that were merged into it."""
    return ids_of_contact(connection, site_id, surviving_id(connection, site_id, contact_id))
