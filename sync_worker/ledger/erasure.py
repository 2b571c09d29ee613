"""What the SQL ledger forgets on a privacy request, and what it keeps: hashes, to know an erased
thing again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Text, bindparam, false, func, or_, select, type_coerce, update

from sync_worker.core.hold_keys import (
    address_grave,
    contact_grave,
    contact_hold_key,
    email_hold_key,
    erased_id,
)
from sync_worker.core.ports.inbox import ERASED, Closing
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import (
    Buried,
    InboxState,
    IntentState,
    Link,
    LinkState,
    NewDelivery,
    Side,
    Site,
)
from sync_worker.ledger.inbox import DOORBELL_SECONDS, OPEN, UNENDED
from sync_worker.ledger.keys import KeyLedger
from sync_worker.ledger.prepared import Prepared, batch
from sync_worker.ledger.rows import from_delivery
from sync_worker.ledger.tables import (
    contact_map,
    contact_redirect,
    history,
    inbox,
    intent,
    link,
    link_value,
    listed,
    missing,
    run,
    site,
    tombstone,
)

ROWS_AT_ONCE = 400
ROWS_SEARCHED_AT_ONCE = (
    5_000  # of any text: far below the time that a statement may take, on a slow machine too
)
SEARCH_SECONDS = 30.0  # so long after its last batch a search counts as dead
RUNNING = "running"


class ErasureLedger(KeyLedger):
    """Implements the part of ports.Ledger about privacy, and the life of a site."""

    # -- whose id stands for whom

    def _path(self, connection: Connection, site_id: int, contact_id: str) -> list[str]:
        """The contact, the one it was merged into, and so on, to the one that lives on."""
        path = [contact_id]
        while True:
            target = self._target_of.scalar(
                connection, {"the_site": site_id, "the_contact": path[-1]}
            )
            if target is None or target in path:
                return path
            path.append(target)

    @cached_property
    def _target_of(self) -> Prepared:
        is_it = (contact_redirect.c.site_id == bindparam("the_site")) & (
            contact_redirect.c.contact_id == bindparam("the_contact")
        )
        return self._prepared(select(contact_redirect.c.target_id).where(is_it))

    @cached_property
    def _sources_of(self) -> Prepared:
        is_source = contact_redirect.c.target_id == bindparam("the_contact")
        found = select(contact_redirect.c.contact_id).where(
            contact_redirect.c.site_id == bindparam("the_site")
        )
        return self._prepared(found.where(is_source).order_by(contact_redirect.c.contact_id))

    def _lives_as(self, connection: Connection, site_id: int, contact_id: str) -> str:
        return self._path(connection, site_id, contact_id)[-1]

    def _merged_into(self, connection: Connection, site_id: int, contact_id: str) -> str | None:
        lives_as = self._lives_as(connection, site_id, contact_id)
        return None if lives_as == contact_id else lives_as

    def _family(self, connection: Connection, site_id: int, contact_id: str) -> list[str]:
        """The contact first, then all that were merged into it."""
        family, place = [contact_id], 0
        while place < len(family):
            found = self._sources_of.all(
                connection, {"the_site": site_id, "the_contact": family[place]}
            )
            family += [row.contact_id for row in found if row.contact_id not in family]
            place += 1
        return family

    def links_of(self, site_id: int, contact_id: str) -> list[int]:
        with self._transactions.read() as connection:
            return self._links_of(connection, site_id, contact_id)

    def _links_of(self, connection: Connection, site_id: int, contact_id: str) -> list[int]:
        family = self._family(connection, site_id, self._lives_as(connection, site_id, contact_id))
        is_theirs = (link.c.site_id == site_id) & link.c.contact_id.in_(family)
        return list(
            connection.execute(select(link.c.id).where(is_theirs).order_by(link.c.id)).scalars()
        )

    def _is_erased(self, connection: Connection, site_id: int, contact_id: str) -> bool:
        """Asked before anything is made for a contact: who erases it and who asks take turns."""
        with batch(connection):
            graves = self._ask_erased(connection, site_id, contact_id)
        return bool(graves())

    def _ask_erased(
        self, connection: Connection, site_id: int, contact_id: str
    ) -> Callable[[], list[Buried]]:
        """The grave of an erased contact, told after the batch it is asked in."""
        grave = {Side.WIX: [contact_grave(contact_id)]}
        self._lock_ids(connection, site_id, grave)
        return self._ask_graves(connection, site_id, grave)

    def buried_with(self, link_id: int) -> list[tuple[Side, str]]:
        with self._transactions.read() as connection:
            found = select(tombstone).where(tombstone.c.link_id == link_id, ~tombstone.c.privacy)
            return [(Side(row.side), row.remote_id) for row in connection.execute(found)]

    # -- one rating

    def _erase_link(
        self, connection: Connection, site_id: int, link_id: int, change: Commit
    ) -> None:
        """Forget all that is personal of a link that is gone on both sides."""
        buried = connection.execute(
            select(tombstone).where(tombstone.c.link_id == link_id, ~tombstone.c.privacy)
        ).all()
        ids = {(Side(row.side), row.remote_id) for row in buried} | {
            (one.side, one.remote_id) for one in change.buried
        }
        for side, remote_id in sorted(ids):
            self._bury(connection, site_id, Buried(side, remote_id, privacy=True), link_id)
        of_these = or_(
            false(),
            *(self._is_about(connection, site_id, side, remote_id) for side, remote_id in ids),
        )
        # What came in meanwhile, or is held, and tells of another record finds its way anew.
        is_held = (inbox.c.link_id == link_id) & (inbox.c.state == str(InboxState.HELD))
        self._release_rows(connection, is_held & ~of_these)
        is_over = (inbox.c.link_id == link_id) & inbox.c.state.not_in(OPEN)
        self._erase_rows(connection, site_id, or_(is_over, of_these))
        self._erase_listing(connection, site_id, link_id, sorted(ids))
        is_new = (inbox.c.link_id == link_id) & inbox.c.state.in_(OPEN)
        connection.execute(
            update(inbox).where(is_new).values(link_id=None, next_attempt_at=self._now)
        )
        told = {"before": None, "after": None, "loser": None, "remote_id": ""}
        connection.execute(update(history).where(history.c.link_id == link_id).values(told))
        is_closed = (intent.c.link_id == link_id) & (intent.c.state != str(IntentState.OPEN))
        connection.execute(intent.delete().where(is_closed))
        connection.execute(link_value.delete().where(link_value.c.link_id == link_id))
        self._forget_rater(connection, site_id, link_id)

    def _erase_listing(
        self, connection: Connection, site_id: int, link_id: int, ids: Sequence[tuple[Side, str]]
    ) -> None:
        """What a sweep under way has listed of the rating, and what it has missed."""
        key = connection.execute(
            select(link.c.entity_id, link.c.contact_id).where(link.c.id == link_id)
        ).one()
        is_key = (listed.c.entity_id == key.entity_id) & (listed.c.contact_id == key.contact_id)
        them = [
            (listed.c.side == str(side)) & (listed.c.remote_id == remote_id)
            for side, remote_id in ids
        ]
        runs = select(run.c.id).where(run.c.site_id == site_id)
        connection.execute(listed.delete().where(listed.c.run_id.in_(runs), or_(is_key, *them)))
        for side, remote_id in ids:
            is_it = (missing.c.side == str(side)) & (missing.c.remote_id == remote_id)
            connection.execute(missing.delete().where(missing.c.site_id == site_id, is_it))

    def _hold_listings(self, connection: Connection, site_id: int) -> None:
        """Who erases and who saves a page take turns: what is saved later finds the graves of what
        was erased.
        """
        is_open = (run.c.site_id == site_id) & (run.c.state == RUNNING)
        connection.execute(
            select(run.c.id).where(is_open).order_by(run.c.id).with_for_update()
        ).all()

    def _forget_rater(self, connection: Connection, site_id: int, link_id: int) -> None:
        """The link is nobody's now; with the last rating of a person the addresses go too.

        Not while the whole person is erased: by the addresses ``erase_contact`` finds the
        deliveries that name them.
        """
        contact_id = connection.execute(
            select(link.c.contact_id).where(link.c.id == link_id)
        ).scalar_one()
        others = [one for one in self._links_of(connection, site_id, contact_id) if one != link_id]
        family = self._family(connection, site_id, self._lives_as(connection, site_id, contact_id))
        nobody: dict[str, Any] = {
            "contact_id": f"erased-{link_id}",
            "state": str(LinkState.BURIED),
            "external_record": None,
            "writes": [],
            "shadowed": [],
        }
        connection.execute(update(link).where(link.c.id == link_id).values(nobody))
        if self._is_erased(connection, site_id, contact_id):
            return
        lives = (link.c.id.in_(others)) & (link.c.state != str(LinkState.BURIED))
        if connection.execute(select(link.c.id).where(lives).limit(1)).first() is None:
            self._forget_addresses(connection, site_id, family)

    def _forget_addresses(
        self, connection: Connection, site_id: int, family: Sequence[str]
    ) -> None:
        """Only their hashes stay, so that what still comes under one of them is not kept."""
        self._bury_addresses(connection, site_id, self._addresses(connection, site_id, family))
        theirs = (contact_map.c.site_id == site_id) & contact_map.c.wix_contact_id.in_(family)
        connection.execute(contact_map.delete().where(theirs))

    def _addresses(self, connection: Connection, site_id: int, family: Sequence[str]) -> list[str]:
        theirs = (contact_map.c.site_id == site_id) & contact_map.c.wix_contact_id.in_(family)
        return list(connection.execute(select(contact_map.c.email).where(theirs)).scalars())

    def _bury_addresses(self, connection: Connection, site_id: int, emails: Iterable[str]) -> None:
        for email in emails:
            self._bury(
                connection, site_id, Buried(Side.EXTERNAL, address_grave(email), privacy=True), None
            )

    def _is_about(self, connection: Connection, site_id: int, side: Side, remote_id: str) -> Any:
        owner = self._site_by_id(connection, site_id)
        source = owner.instance_id if side is Side.WIX else owner.connector
        return (
            (inbox.c.side == str(side))
            & (inbox.c.source == source)
            & (inbox.c.remote_id == remote_id)
        )

    def _erase_rows(self, connection: Connection, site_id: int, which: Any) -> None:
        """Deliveries without content; those that were not at their end are now."""
        rows = connection.execute(
            select(inbox.c.id, inbox.c.side, inbox.c.remote_id, inbox.c.state).where(which)
        ).all()
        for row in rows:
            emptied: dict[str, Any] = {
                "payload": {},
                "remote_id": erased_id(site_id, Side(row.side), row.remote_id),
                "hold_key": None,
            }
            if row.state in UNENDED:
                emptied |= {
                    "state": str(ERASED.state),
                    "reason": ERASED.reason,
                    "closed_at": self._now,
                }
            connection.execute(update(inbox).where(inbox.c.id == row.id).values(emptied))

    def close(
        self,
        inbox_id: int,
        closing: Closing,
        *,
        hold_key: str | None = None,
        names: str | None = None,
    ) -> Closing:
        with self._transactions.write() as connection:
            if closing == ERASED or names is not None:
                owner = self._owner(connection, inbox_id)
                if (
                    names is not None
                    and owner is not None
                    and self._is_erased(connection, owner.id, names)
                ):
                    closing = ERASED
                if closing == ERASED:
                    self._erase_rows(connection, owner.id if owner else 0, inbox.c.id == inbox_id)
                    return closing
            self._close_rows(connection, [inbox_id], closing, hold_key)
            return closing

    def _owner(self, connection: Connection, inbox_id: int) -> Site | None:
        row = connection.execute(
            select(inbox.c.side, inbox.c.source).where(inbox.c.id == inbox_id)
        ).one()
        return self._site_by_source(connection, Side(row.side), row.source)

    # -- a whole person

    def hint_erasure(self, site_id: int, contact_id: str, inbox_id: int) -> list[int]:
        with self._transactions.write() as connection:
            owner = self._site_by_id(connection, site_id)
            for one in sorted(
                self._family(connection, site_id, self._lives_as(connection, site_id, contact_id))
            ):
                self._lock_ids(connection, site_id, {Side.WIX: [contact_grave(one)]})
                self._bury(
                    connection, site_id, Buried(Side.WIX, contact_grave(one), privacy=True), None
                )
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
        insert = self._insert(inbox).values(row)
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
            family = self._family(
                connection, site_id, self._lives_as(connection, site_id, contact_id)
            )
            emails = self._addresses(connection, site_id, family)
            self._bury_addresses(connection, site_id, emails)
        for _ in self._clean_listings(site_id, family, emails):
            self._keep_asking(inbox_id)
        for found in self._rows_naming(site_id, family, emails, inbox_id):
            with self._transactions.write() as connection:
                for start in range(0, len(found), ROWS_AT_ONCE):
                    self._erase_mentions(connection, site_id, found[start : start + ROWS_AT_ONCE])
            self._keep_asking(inbox_id)
        with self._transactions.write() as connection:
            self._forget_addresses(connection, site_id, family)
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
                    self._hold_listings(connection, site_id)
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
            self._bury(connection, site_id, Buried(side, row.remote_id, privacy=True), None)
            self._erase_rows(
                connection, site_id, self._is_about(connection, site_id, side, row.remote_id)
            )
        # Rows without content are erased already, but for those not at their end, as the request
        # itself may be.
        has_more = or_(inbox.c.payload != {}, inbox.c.state.in_(UNENDED))
        self._erase_rows(connection, site_id, which & has_more)

    # -- the life of a site

    def note_lifecycle(self, site_id: int, state: str, at: float | None) -> list[int]:
        is_news = site.c.id == site_id
        if at is not None:
            is_news &= func.coalesce(site.c.lifecycle_at, 0.0) <= at
        with self._transactions.write() as connection:
            row = connection.execute(select(site.c.state).where(is_news)).first()
            if row is None:
                return []
            # Whoever paused or recovers a site resumes it; installing the app anew only brings a
            # removed one back.
            stays = state == "active" and row.state in ("paused", "recovery")
            values = {"state": row.state if stays else state} | (
                {} if at is None else {"lifecycle_at": at}
            )
            connection.execute(update(site).where(site.c.id == site_id).values(values))
            self._sites.clear()
            if state != "active":
                return []
            which = (inbox.c.state == str(InboxState.HELD)) & (inbox.c.reason == "site_removed")
            return self._release_rows(connection, which & self._source_matches(connection, site_id))
