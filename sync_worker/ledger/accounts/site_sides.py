"""Accounts that a remote refuses, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, case, exists, select, tuple_, update

from sync_worker.core.hold_keys import account_hold_key
from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.site_sides import ACCOUNT_FAILING, PROBE_SECONDS
from sync_worker.core.values import AccountState, InboxState, Side, SideState, Site, SiteSide
from sync_worker.ledger.accounts.tables import account, site_side
from sync_worker.ledger.rows import fitting
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.statements.inbox import close_rows, is_of_site, release_deliveries
from sync_worker.ledger.tables import inbox, site
from sync_worker.ledger.transactions import Transactions, insert_into, is_sqlite, ledger_now

FAILING, WORKING = str(SideState.FAILING), str(SideState.WORKING)


AT_ONCE = 5  # accounts in the hands of one process
RELEASE_AT_ONCE = 1000  # deliveries of a recovered account in one transaction
RING_AT_ONCE = 200  # of them; the sweeper rings for the rest
NEVER = 1e12  # seconds since 1970: the next probe of an account that works


@dataclass(frozen=True, slots=True)
class FailingAccount:
    """An account that is refused; ``reason``: what the remote said."""

    site_id: int
    connector: str
    side: str
    since: datetime
    reason: str


class SqlSiteSides:
    """Implements ports.SiteSides."""

    def __init__(self, transactions: Transactions, sites: SiteCache) -> None:
        self._transactions, self._sites = transactions, sites

    def fail(self, refused: SiteSide, inbox_ids: Sequence[int], why: str) -> None:
        with self._transactions.write() as connection:
            _note_failing(connection, refused, why)
            _hold(connection, refused, inbox_ids)
        self._sites.clear()

    def wait(self, refused: SiteSide, inbox_ids: Sequence[int]) -> bool:
        failing = select(site_side.c.site_id).where(_is(refused), site_side.c.state == FAILING)
        with self._transactions.write() as connection:
            # Its recovery waits for us, and then finds what we hold; or it came before.
            if not is_sqlite(connection):
                failing = failing.with_for_update(read=True)
            if connection.execute(failing).first() is None:
                return False
            _hold(connection, refused, inbox_ids)
        return True

    def to_probe(self) -> list[tuple[Site, Side]]:
        # Asked every few seconds, and nearly always in vain: then nothing is locked.
        if not self.are_due():
            return []
        key = (site_side.c.site_id, site_side.c.side)
        some = select(*key).where(_is_due()).order_by(site_side.c.next_probe_at).limit(AT_ONCE)
        next_turn = {"next_probe_at": ledger_now() + PROBE_SECONDS}
        with self._transactions.write() as connection:
            # Another process is at the locked ones.
            if not is_sqlite(connection):
                some = some.with_for_update(skip_locked=True)
            claimed = update(site_side).where(tuple_(*key).in_(some)).values(next_turn)
            rows = connection.execute(claimed.returning(*key)).all()
            return [
                (self._sites.by_id(connection, row.site_id), Side(row.side)) for row in sorted(rows)
            ]

    def are_due(self) -> bool:
        """Whether the turn of a failing account has come."""
        with self._transactions.read() as connection:
            return connection.execute(select(site_side.c.side).where(_is_due())).first() is not None

    def recover(self, refused: SiteSide) -> list[int]:
        waits = (inbox.c.state == str(InboxState.HELD)) & (inbox.c.reason == ACCOUNT_FAILING)
        waits &= inbox.c.hold_key == account_hold_key(refused.side)
        with self._transactions.write() as connection:
            _note_working(connection, refused)
            waits &= is_of_site(self._sites.by_id(connection, refused.site_id))
        self._sites.clear()
        to_ring, last = list[int](), 0
        # Upwards: what is held again meanwhile is not met again.
        while released := self._release_some(refused, waits, last):
            to_ring, last = (to_ring + released)[:RING_AT_ONCE], released[-1]
        return to_ring

    def _release_some(self, refused: SiteSide, waits: Any, last: int) -> list[int]:
        """A batch of what waits, behind an id: all at once would exceed a statement's time."""
        some = select(inbox.c.id).where(waits, inbox.c.id > last)
        some = some.order_by(inbox.c.id).limit(RELEASE_AT_ONCE)
        works = _is(refused) & (site_side.c.state == WORKING)
        with self._transactions.write() as connection:
            ids = connection.execute(some).scalars().all()
            # After the last batch nothing is left to look at.
            later = ledger_now() + PROBE_SECONDS if ids else NEVER
            connection.execute(update(site_side).where(works).values(next_probe_at=later))
            release_deliveries(connection, waits & inbox.c.id.in_(ids))
        return list(ids)


def ask_soon(connection: Connection, site_id: int) -> None:
    """What a site gave for its external side has changed: if it was refused, it is asked now."""
    refused = _is(SiteSide(site_id, Side.EXTERNAL)) & (site_side.c.state == FAILING)
    connection.execute(update(site_side).where(refused).values(next_probe_at=ledger_now()))


def its_shop_refuses() -> Any:
    """Of a row of ``account`` at work: whether its external system refuses our credentials."""
    is_its = (site_side.c.site_id == account.c.site_id) & (site_side.c.side == str(Side.EXTERNAL))
    at_work = [str(AccountState.NEW), str(AccountState.ACTIVE)]
    fails = exists().where(is_its, site_side.c.state == FAILING)
    return fails & account.c.state.in_(at_work)


def failing_accounts(connection: Connection) -> list[FailingAccount]:
    """The accounts that fail now, the longest first."""
    fails = select(site_side, site.c.connector).join(site, site.c.id == site_side.c.site_id)
    fails = fails.where(site_side.c.state == FAILING).order_by(site_side.c.since)
    return [
        FailingAccount(
            row.site_id,
            row.connector,
            row.side,
            datetime.fromtimestamp(row.since, UTC),
            row.reason,
        )
        for row in connection.execute(fails)
    ]


def _is_due() -> Any:
    """Those that fail, and those that work whose recovery has not come to its end."""
    return site_side.c.next_probe_at <= ledger_now()


def _is(refused: SiteSide) -> Any:
    return (site_side.c.site_id == refused.site_id) & (site_side.c.side == str(refused.side))


def _note_working(connection: Connection, refused: SiteSide) -> None:
    # A process may die before all is released: then the next probe goes on.
    recovered = {
        "state": WORKING,
        "since": case((site_side.c.state == FAILING, ledger_now()), else_=site_side.c.since),
        "next_probe_at": ledger_now() + PROBE_SECONDS,
    }
    connection.execute(update(site_side).where(_is(refused)).values(recovered))


def _note_failing(connection: Connection, refused: SiteSide, why: str) -> None:
    insert = insert_into(connection, site_side).values(
        site_id=refused.site_id,
        side=str(refused.side),
        state=FAILING,
        since=ledger_now(),
        reason=fitting(why, site_side.c.reason),
        next_probe_at=ledger_now() + PROBE_SECONDS,
    )
    # One that fails already keeps its beginning, and the time of its next probe.
    new, fails = insert.excluded, site_side.c.state == FAILING
    kept = {
        "state": FAILING,
        "reason": new.reason,
        "since": case((fails, site_side.c.since), else_=new.since),
        "next_probe_at": case((fails, site_side.c.next_probe_at), else_=new.next_probe_at),
    }
    connection.execute(insert.on_conflict_do_update(index_elements=["site_id", "side"], set_=kept))


def _hold(connection: Connection, refused: SiteSide, inbox_ids: Sequence[int]) -> None:
    held = Closing(InboxState.HELD, ACCOUNT_FAILING)
    close_rows(connection, inbox_ids, held, hold_key=account_hold_key(refused.side))
