"""A person is erased from the whole ledger, in batches: it may be too large for one statement.

Where nobody has added the site, the ledger has only what its source told.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Text, delete, func, or_, select, type_coerce, update

from sync_worker.core.email_identity import (
    ADDRESS,
    addresses_told,
    is_usable,
    normalise_email,
)
from sync_worker.core.hold_keys import (
    contact_hold_key,
    email_hold_key,
    erased_id,
)
from sync_worker.core.ports.inbox import ERASED
from sync_worker.core.values import (
    Buried,
    Change,
    Delivery,
    InboxState,
    NewDelivery,
    Side,
    Site,
)
from sync_worker.ledger.accounts.moving import move_some
from sync_worker.ledger.accounts.removal import ENDED_WITH_SITE
from sync_worker.ledger.console.forgetting import deliveries_showing
from sync_worker.ledger.console.tables import unlinked
from sync_worker.ledger.imports.statements import EMPTIED, hold_files, rows_naming
from sync_worker.ledger.imports.tables import import_file, import_row
from sync_worker.ledger.process_tables import listed
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.statements.contacts import all_ids_of, erased_addresses
from sync_worker.ledger.statements.erasure import (
    OF_A_RATING,
    RUNNING,
    addresses_of,
    bury_addresses,
    erase_rows,
    forget_addresses,
    forget_hashed,
    hold_listings,
    is_anothers,
)
from sync_worker.ledger.statements.inbox import (
    ENDED,
    OPEN,
    UNENDED,
    is_about,
    is_of_site,
    release_deliveries,
)
from sync_worker.ledger.statements.tombstones import bury
from sync_worker.ledger.tables import contact_map, contact_redirect, inbox, run
from sync_worker.ledger.transactions import Transactions, ledger_now

ROWS_AT_ONCE = 400
# Of any text: far below the time that a statement may take, on a slow machine too.
ROWS_SEARCHED_AT_ONCE = 5_000
# What may be an id within any text.
NAME = re.compile(r"[\w.@+-]{6,320}")
OF_A_CONTACT = [
    str(Change.CONTACT_CHANGED),
    str(Change.CONTACT_MERGED),
    str(Change.CONTACT_DELETED),
]
NO_SITE = 0  # with it ids are hashed where there is none
SEARCH_SECONDS = 30.0  # so long after its last batch a search counts as dead


class PersonErasure:
    """One privacy request: the delivery ``inbox_id`` asked for it."""

    def __init__(
        self, transactions: Transactions, sites: SiteCache, site_id: int, inbox_id: int
    ) -> None:
        self._transactions, self._sites = transactions, sites
        self._site_id, self._inbox_id = site_id, inbox_id

    def erase(self, contact_id: str) -> None:
        """Forget a contact, and all that were merged into it, in mappings, listings and inbox.

        What finds the rest, the addresses and the request itself, goes last: a search that was cut
        short begins anew.
        """
        # What its accounts before were told is found under the name of today alone.
        move_some(self._transactions, time.monotonic() + SEARCH_SECONDS / 2, self._site_id)
        with self._transactions.write() as connection:
            ids = all_ids_of(connection, self._site_id, contact_id)
            emails = addresses_of(connection, self._site_id, ids)
            emails += self._only_told(connection, ids, emails)
            bury_addresses(connection, self._site_id, emails)
        for _ in self._clean_listings(ids, emails):
            self._keep_asking()
        for _ in self._clean_files(ids, emails):
            self._keep_asking()
        for named, hashed in self._rows_naming(ids, emails):
            with self._transactions.write() as connection:
                for start in range(0, len(named), ROWS_AT_ONCE):
                    self._erase_mentions(connection, named[start : start + ROWS_AT_ONCE])
                for start in range(0, len(hashed), ROWS_AT_ONCE):
                    forget_hashed(connection, self._site_id, hashed[start : start + ROWS_AT_ONCE])
            self._keep_asking()
        with self._transactions.write() as connection:
            forget_addresses(connection, self._site_id, ids)
            is_on_site = contact_redirect.c.site_id == self._site_id
            merged = is_on_site & contact_redirect.c.contact_id.in_(ids)
            connection.execute(delete(contact_redirect).where(merged))
            self._erase_mentions(connection, [self._inbox_id])
            self._release_merges(connection, ids)
        self._transactions.forget_log()

    def _only_told(
        self, connection: Connection, ids: Sequence[str], known: Sequence[str]
    ) -> list[str]:
        """Addresses that events of these contacts told, and under which nobody has rated yet."""
        site = self._sites.by_id(connection, self._site_id)
        is_about = is_of_site(site) & inbox.c.remote_id.in_(ids) & inbox.c.change.in_(OF_A_CONTACT)
        told = connection.execute(select(inbox.c.payload).where(is_about)).scalars().all()
        addresses = {normalise_email(one) for one in addresses_told(told) if is_usable(one)}
        # Such an event may name others, too.
        is_anothers = contact_map.c.email.in_(addresses) & contact_map.c.wix_contact_id.not_in(ids)
        of_others = select(contact_map.c.email).where(
            contact_map.c.site_id == self._site_id, is_anothers
        )
        addresses.difference_update(known, connection.execute(of_others).scalars())
        return sorted(addresses)

    def _release_merges(self, connection: Connection, ids: Sequence[str]) -> None:
        """Held merges that name the person find the tombstones, also where the site rests."""
        its_site = self._sites.by_id(connection, self._site_id)
        is_merge = inbox.c.change == str(Change.CONTACT_MERGED)
        is_held = (inbox.c.state == str(InboxState.HELD)) & is_of_site(its_site) & is_merge
        found = connection.execute(
            select(inbox.c.id, type_coerce(inbox.c.payload, Text)).where(is_held)
        )
        naming = [row[0] for row in found if any(name in row[1] for name in ids)]
        release_deliveries(connection, inbox.c.id.in_(naming))

    def _keep_asking(self) -> None:
        """Nobody begins the same search beside this one."""
        is_open = (inbox.c.id == self._inbox_id) & inbox.c.state.in_(OPEN)
        later = {"next_attempt_at": ledger_now() + SEARCH_SECONDS}
        with self._transactions.write() as connection:
            connection.execute(update(inbox).where(is_open).values(later))

    # -- listings

    def _clean_listings(self, ids: Sequence[str], emails: Sequence[str]) -> Iterator[None]:
        """What sweeps under way have listed of the person; one step for each batch."""
        is_theirs = or_(listed.c.contact_id.in_(ids), *_names_any(listed.c.record, ids, emails))
        for run_id in self._runs_under_way():
            for side in Side:
                rows = (listed.c.run_id == run_id) & (listed.c.side == str(side))
                for batch in _batches(self._transactions, listed.c.remote_id, rows, ""):
                    with self._transactions.write() as connection:
                        hold_listings(connection, self._site_id)
                        connection.execute(delete(listed).where(rows, batch, is_theirs))
                    yield

    def _runs_under_way(self) -> Sequence[int]:
        is_running = (run.c.site_id == self._site_id) & (run.c.state == RUNNING)
        with self._transactions.read() as connection:
            return connection.execute(select(run.c.id).where(is_running)).scalars().all()

    # -- files

    def _clean_files(self, ids: Sequence[str], emails: Sequence[str]) -> Iterator[None]:
        """Rows of files that name the person; one step for each batch."""
        with self._transactions.write() as connection:
            hold_files(connection, self._site_id)
        files = select(import_file.c.id).where(import_file.c.site_id == self._site_id)
        with self._transactions.read() as connection:
            file_ids = connection.execute(files).scalars().all()
        is_theirs = rows_naming(self._site_id, ids, emails)
        for file_id in file_ids:
            its = import_row.c.import_id == file_id
            for batch in _batches(self._transactions, import_row.c.line, its, 0):
                with self._transactions.write() as connection:
                    hold_files(connection, self._site_id)
                    emptied = update(import_row).where(its, batch, is_theirs)
                    connection.execute(emptied.values(EMPTIED))
                yield

    # -- deliveries

    def _rows_naming(
        self, ids: Sequence[str], emails: Sequence[str]
    ) -> Iterator[tuple[list[int], list[int]]]:
        """Deliveries that name one of the contacts or addresses anywhere, batch by batch.

        Apart, those under an address of which only the hash is left: it may be another person's.
        """
        with self._transactions.read() as connection:
            site = self._sites.by_id(connection, self._site_id)
            newest = connection.execute(select(func.max(inbox.c.id))).scalar_one()
        keys = [*map(contact_hold_key, ids), *map(email_hold_key, emails)]
        about = or_(
            inbox.c.remote_id.in_(ids),
            inbox.c.hold_key.in_(keys),
            inbox.c.id.in_(deliveries_showing(site.id, ids, emails)),
            *_names_any(inbox.c.payload, ids, emails),
        )
        # A merge that waits tells of more people who have to go; it forgets its content when its
        # turn has come.
        waits = (inbox.c.change == str(Change.CONTACT_MERGED)) & inbox.c.state.in_(UNENDED)
        is_theirs = is_of_site(site) & (inbox.c.id != self._inbox_id) & about & ~waits
        # What comes in meanwhile finds the tombstones when its turn comes.
        for batch in _batches(self._transactions, inbox.c.id, inbox.c.id <= newest, 0):
            found = select(inbox.c.id).where(batch, is_theirs).order_by(inbox.c.id)
            with self._transactions.read() as connection:
                named = set(connection.execute(found).scalars())
                which = batch & ~waits
                # With an address on file its name has found what has come to an end.
                if emails:
                    which &= inbox.c.state.in_(UNENDED)
                hashed = self._rows_of_erased_addresses(connection, site, ids, which)
            yield sorted(named), sorted(hashed - named)

    def _rows_of_erased_addresses(
        self, connection: Connection, site: Site, ids: Sequence[str], which: Any
    ) -> set[int]:
        """Deliveries under an address of which only the hash is left.

        Where the person's last rating was erased before the contact, no mapping names it any more.
        ``ids``: the person's contacts; what another one's address is again by now stays.
        """
        content = type_coerce(inbox.c.payload, Text)
        its = is_of_site(site) & (inbox.c.id != self._inbox_id)
        found = select(inbox.c.id, content).where(which, its, content.contains("@"))
        rows_by_address: dict[str, set[int]] = {}
        for inbox_id, text in connection.execute(found):
            for address in set(ADDRESS.findall(text)):
                rows_by_address.setdefault(address, set()).add(inbox_id)
        rows: set[int] = set()
        for address in erased_addresses(connection, site.id, rows_by_address, ids):
            rows |= rows_by_address[address]
        return rows

    def _erase_mentions(self, connection: Connection, inbox_ids: Sequence[int]) -> None:
        """What never came to a link is buried: told again, it is known as erased.

        Not so a record that may be somebody else's by now: a look tells, and finds the address.
        """
        which = inbox.c.id.in_(inbox_ids)
        is_loose = inbox.c.link_id.is_(None) & inbox.c.change.in_(OF_A_RATING)
        loose = select(inbox.c.side, inbox.c.remote_id).where(which, is_loose).distinct()
        site = self._sites.by_id(connection, self._site_id)
        for row in connection.execute(loose).all():
            side = Side(row.side)
            about = is_about(site, side, row.remote_id)
            if is_anothers(connection, site, side, row.remote_id, which):
                about &= inbox.c.link_id.is_(None) & inbox.c.state.in_(ENDED)
            else:
                bury(connection, site.id, Buried(side, row.remote_id, privacy=True), None)
            erase_rows(connection, site.id, about)
        # Rows without content are erased already, but for those not at their end, as the request
        # itself may be, and for those that begin anew with their site.
        has_keys = inbox.c.id.in_(select(unlinked.c.inbox_id))
        is_open = inbox.c.state.in_(UNENDED)
        has_more = or_(inbox.c.payload != {}, is_open, has_keys, ENDED_WITH_SITE)
        erase_rows(connection, site.id, which & has_more)


class ErasureWithoutSite:
    """One privacy request of a source that nobody has added a site for."""

    def __init__(self, transactions: Transactions, sites: SiteCache, request: Delivery) -> None:
        self._transactions, self._sites, self._request = transactions, sites, request
        new = request.new
        self._is_its = (inbox.c.side == str(new.side)) & (inbox.c.source == new.source)

    def erase(self) -> bool:
        """What the source has told loses its content; the request last. False: it has a site."""
        new = self._request.new
        with self._transactions.read() as connection:
            if self._sites.by_source(connection, new.side, new.source) is not None:
                return False
            names = self._names(connection, new.remote_id)
        is_theirs = or_(inbox.c.remote_id.in_(names), *_names_any(inbox.c.payload, names, []))
        is_other = self._is_its & (inbox.c.id != self._request.id)
        for batch in _batches(self._transactions, inbox.c.id, is_other, 0):
            with self._transactions.write() as connection:
                erase_rows(connection, NO_SITE, is_other & batch & is_theirs)
        with self._transactions.write() as connection:
            erase_rows(connection, NO_SITE, inbox.c.id == self._request.id)
        self._transactions.forget_log()
        return True

    def _names(self, connection: Connection, asked: str) -> list[str]:
        """The id asked for, those merged into it, and the addresses that were told of them."""
        ids, addresses = [asked], set[str]()
        is_of_contact = self._is_its & inbox.c.change.in_(OF_A_CONTACT)
        for contact_id in ids:
            told = select(inbox.c.change, type_coerce(inbox.c.payload, Text))
            found = connection.execute(told.where(is_of_contact, inbox.c.remote_id == contact_id))
            for change, text in found.all():
                addresses.update(ADDRESS.findall(text))
                if change == str(Change.CONTACT_MERGED):
                    named = [name for name in set(NAME.findall(text)) if name not in ids]
                    merged = select(inbox.c.remote_id).where(is_of_contact).distinct()
                    merged = merged.where(inbox.c.remote_id.in_(named[:ROWS_AT_ONCE]))
                    ids += connection.execute(merged).scalars()
        return [*ids, *sorted(addresses)]


def names_erased_without_site(connection: Connection, new: NewDelivery) -> bool:
    """Whether a delivery names a person or record that such a request has erased."""
    names = {new.remote_id, *NAME.findall(str(new.payload))}
    hashed = sorted(erased_id(NO_SITE, new.side, name) for name in names)
    is_erased = (inbox.c.side == str(new.side)) & (inbox.c.source == new.source)
    is_erased &= inbox.c.reason == ERASED.reason
    for start in range(0, len(hashed), ROWS_AT_ONCE):
        part = inbox.c.remote_id.in_(hashed[start : start + ROWS_AT_ONCE])
        if connection.execute(select(inbox.c.id).where(is_erased, part).limit(1)).first():
            return True
    return False


def _batches(transactions: Transactions, column: Any, which: Any, first: Any) -> Iterator[Any]:
    """Conditions that part the rows into ranges of a column, each of so many rows."""
    after = first
    while True:
        some = select(column).where(which, column > after).order_by(column)
        batch = some.limit(ROWS_SEARCHED_AT_ONCE).subquery()
        with transactions.read() as connection:
            last = connection.execute(select(func.max(batch.c[0]))).scalar()
        if last is None:
            return
        yield (column > after) & (column <= last)
        after = last


def _names_any(column: Any, ids: Sequence[str], emails: Sequence[str]) -> list[Any]:
    """Conditions: the content names one of the contacts or addresses, in any case of letters."""
    content = func.lower(type_coerce(column, Text))
    return [content.contains(name.lower(), autoescape=True) for name in (*ids, *emails)]
