"""Sites that are removed: when they rest, what of them ends at once, and when all of it goes.

    removed ──▶ its account is revoked: nothing comes in, its secrets wait for the farewell
            ──▶ our webhooks are taken from its shop, the secrets go          (services/leaving)
            ──▶ it rests; installed again, it goes on with all that it had
            ──▶ after RETENTION_REMOVED_DAYS everything of it goes, in batches

What is deleted is found by the tables themselves: a new one with a column ``site_id`` is in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Table,
    UniqueConstraint,
    delete,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError

from sync_worker.core.values import Change, Side, SiteState, account_source
from sync_worker.ledger.access.tables import (
    attempt,
    one_time_link,
    person,
    sent_form,
    used_instance,
)
from sync_worker.ledger.accounts.tables import account
from sync_worker.ledger.process_tables import (
    door_count,
    door_source,
    heartbeat,
    hook_state,
    ledger_clock,
    site_fault,
    up_check,
)
from sync_worker.ledger.statements.clock import is_older
from sync_worker.ledger.statements.inbox import OPEN
from sync_worker.ledger.tables import inbox, intent, link, metadata, run, site
from sync_worker.ledger.transactions import Transactions, is_sqlite, ledger_now

DAY_SECONDS = 86_400.0
# A site whose rows are being deleted: no installation finds it by this name.
FORGOTTEN = "forgotten:"
BY_SOURCE = (site_fault, hook_state, door_count, door_source)
# Tables of the fleet, which know nothing of a site.
OF_THE_FLEET = (
    heartbeat,
    up_check,
    ledger_clock,
    metadata.tables["account_change"],
    person,
    one_time_link,
    used_instance,
    sent_form,
    attempt,
)


class LeavingSites:
    """Deletes everything of sites that were removed long ago. Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        # Tables that hold nothing of a site any more: some are searched without an index.
        self._emptied = set[tuple[int, str]]()

    def forget_some(self, days: float, batch: int) -> int:
        """Delete a batch of rows of one such site; how many.

        The site itself goes last. One that is installed again meanwhile stays.
        """
        try:
            return self._forget_some(days, batch)
        except IntegrityError:
            # A row has come where there was none any more: with the next pruning.
            self._emptied.clear()
            return 0

    def _forget_some(self, days: float, batch: int) -> int:
        with self._transactions.write() as connection:
            _begin_to_count(connection)
            leaving = _next_to_forget(connection, days)
            if leaving is None:
                return 0
            sources = _sources(connection, leaving)
            told = _is_told_of(leaving, sources)
            if count := _delete_some(connection, inbox, told, batch):
                return count
            # From here on an installation of the app begins a new site.
            if not leaving.instance_id.startswith(FORGOTTEN):
                _close_its_name(connection, leaving)
            for table in _children_first():
                belongs, place = _belongs(table, leaving, sources), (leaving.id, table.name)
                if belongs is None or place in self._emptied:
                    continue
                if count := _delete_some(connection, table, belongs, batch):
                    # SQLite may give its number to another site.
                    if table is site:
                        self._emptied = {one for one in self._emptied if one[0] != leaving.id}
                    return count
                self._emptied.add(place)
        return 0

    def waiting(self, days: float) -> int:
        """Of how many sites everything would be deleted now."""
        counted = select(func.count()).select_from(site).where(_is_due(days))
        with self._transactions.read() as connection:
            return int(connection.execute(counted).scalar_one())


def _begin_to_count(connection: Connection) -> None:
    """Sites that were removed before anybody noted when: their time begins now."""
    is_new = (site.c.state == str(SiteState.REMOVED)) & site.c.removed_at.is_(None)
    connection.execute(update(site).where(is_new).values(removed_at=ledger_now()))


def _is_due(days: float) -> Any:
    is_removed = site.c.state == str(SiteState.REMOVED)
    return is_removed & is_older(site.c.removed_at, days * DAY_SECONDS)


def _next_to_forget(connection: Connection, days: float) -> Row[Any] | None:
    """One whose time is over; who installs the app again waits for this batch."""
    # It is installed again: a worker is about to read so.
    comes_back = exists().where(_is_installation(site.c.instance_id, site.c.removed_at))
    due = select(site).where(_is_due(days), ~comes_back)
    found = due.order_by(site.c.removed_at, site.c.id).limit(1)
    if not is_sqlite(connection):
        found = found.with_for_update()
    return connection.execute(found).first()


def _sources(connection: Connection, leaving: Row[Any]) -> list[str]:
    """All names under which its external deliveries ever came."""
    found = select(account.c.connector, account.c.public_id).where(account.c.site_id == leaving.id)
    rows = connection.execute(found)
    sources = [account_source(row.connector, row.public_id) for row in rows]
    if leaving.external_source is not None:
        sources.append(leaving.external_source)
    return sources


def _close_its_name(connection: Connection, leaving: Row[Any]) -> None:
    renamed = update(site).where(site.c.id == leaving.id)
    connection.execute(renamed.values(instance_id=f"{FORGOTTEN}{leaving.id}"))


def _children_first() -> list[Table]:
    """Every table before those that its rows point at; the site itself is the last.

    What is known by its sources alone comes before the accounts, which tell what these were.
    """
    others = [table for table in reversed(metadata.sorted_tables) if table not in BY_SOURCE]
    return [*BY_SOURCE, *(table for table in others if table not in (*OF_THE_FLEET, site)), site]


def _is_told_of(leaving: Row[Any], sources: Sequence[str]) -> Any:
    """Deliveries of either side, as an index finds them."""
    from_wix = (inbox.c.side == str(Side.WIX)) & (inbox.c.source == leaving.instance_id)
    # One that is told of meanwhile is for the site that it begins.
    from_wix &= ~_is_installation(leaving.instance_id, leaving.removed_at)
    from_outside = (inbox.c.side == str(Side.EXTERNAL)) & inbox.c.source.in_(sources)
    return or_(from_wix, from_outside)


def _is_installation(instance_id: Any, removed_at: Any) -> Any:
    """A delivery that nobody has read yet, which installs the app on a site that had removed it."""
    is_its = (inbox.c.side == str(Side.WIX)) & (inbox.c.source == instance_id)
    is_its &= (inbox.c.change == str(Change.APP_INSTALLED)) & inbox.c.state.in_(OPEN)
    return is_its & (inbox.c.received_at >= removed_at)


def _belongs(table: Table, leaving: Row[Any], sources: Sequence[str]) -> Any:
    """Which rows of a table are of the site; ``None``: it has none of any site."""
    if table is site:
        return site.c.id == leaving.id
    # By the index of its links: it has none by site.
    if table is intent:
        return intent.c.link_id.in_(select(link.c.id).where(link.c.site_id == leaving.id))
    if "site_id" in table.c:
        return table.c.site_id == leaving.id
    if "account_id" in table.c:
        its_accounts = select(account.c.id).where(account.c.site_id == leaving.id)
        return table.c.account_id.in_(its_accounts)
    if "run_id" in table.c:
        return table.c.run_id.in_(select(run.c.id).where(run.c.site_id == leaving.id))
    if table in BY_SOURCE:
        return table.c.source.in_(sources)
    return None


def _delete_some(connection: Connection, table: Table, belongs: Any, batch: int) -> int:
    row = tuple_(*_key_of(table))
    some = select(*_key_of(table)).where(belongs).limit(batch)
    return int(connection.execute(delete(table).where(row.in_(some), belongs)).rowcount)


def _key_of(table: Table) -> list[Any]:
    """The columns that tell its rows apart."""
    if table.primary_key.columns:
        return list(table.primary_key.columns)
    (unique,) = (one for one in table.constraints if isinstance(one, UniqueConstraint))
    return list(unique.columns)
