"""Sites in pages, each with its account and how much there is of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, case, func, select

from sync_worker.core.values import (
    AccountState,
    InboxState,
    LinkState,
    Side,
    Site,
    SiteState,
)
from sync_worker.ledger.accounts.site_sides import its_shop_refuses
from sync_worker.ledger.accounts.tables import account
from sync_worker.ledger.statements.inbox import OPEN
from sync_worker.ledger.statements.sites import read_sites
from sync_worker.ledger.tables import inbox, link, site
from sync_worker.ledger.transactions import Transactions

MAX_PAGE = 500
IN_USE = account.c.state != str(AccountState.REVOKED)


@dataclass(frozen=True, slots=True)
class SiteFilter:
    """Which sites; what is ``None`` does not matter."""

    state: SiteState | None = None
    connector: str | None = None
    account_state: AccountState | None = None


@dataclass(frozen=True, slots=True)
class SiteRow:
    """``account``: its id, if it has one of its own; ``waiting``: deliveries on their way."""

    site: Site
    account: str | None
    links: int
    held: int
    waiting: int


class SitePages:
    """The list of sites. A page costs five statements, however many sites there are."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def page(self, which: SiteFilter, after: int = 0, limit: int = 50) -> list[SiteRow]:
        """Sites behind that number, in the order in which they were added."""
        with self._transactions.read() as connection:
            sites = read_sites(connection, _is(which) & (site.c.id > after), limit=limit)
            return _rows(connection, sites)

    def rows(
        self, which: SiteFilter, after: int = 0, limit: int | None = None
    ) -> Iterator[SiteRow]:
        """Sites behind that number, at most so many, page by page."""
        left = limit
        while left is None or left > 0:
            size = MAX_PAGE if left is None else min(left, MAX_PAGE)
            rows = self.page(which, after, size)
            yield from rows
            if len(rows) < size:
                return
            after = rows[-1].site.id
            left = None if left is None else left - size

    def count(self, which: SiteFilter) -> int:
        """How many there are."""
        counted = select(func.count()).select_from(site).where(_is(which))
        with self._transactions.read() as connection:
            return int(connection.execute(counted).scalar_one())

    def account_counts(self) -> dict[str, int]:
        """How many accounts stand so, of those that are in use; what is failing is one word."""
        word = case((its_shop_refuses(), "failing"), else_=account.c.state).label("word")
        counted = select(word, func.count().label("number")).where(IN_USE).group_by(word)
        with self._transactions.read() as connection:
            return {row.word: row.number for row in connection.execute(counted)}

    def some(self, ids: Iterable[int]) -> list[Site]:
        """Sites by their numbers."""
        with self._transactions.read() as connection:
            return read_sites(connection, site.c.id.in_(list(ids)))


def _is(which: SiteFilter) -> Any:
    chosen = site.c.id > 0
    if which.state is not None:
        chosen &= site.c.state == str(which.state)
    if which.connector is not None:
        chosen &= site.c.connector == which.connector
    if which.account_state is not None:
        has_it = account.c.state == str(which.account_state)
        chosen &= site.c.id.in_(select(account.c.site_id).where(has_it))
    return chosen


def _rows(connection: Connection, sites: Sequence[Site]) -> list[SiteRow]:
    ids = [known.id for known in sites]
    accounts = _accounts(connection, ids)
    links = _links(connection, ids)
    held = _deliveries(connection, sites, (str(InboxState.HELD),))
    waiting = _deliveries(connection, sites, OPEN)
    return [
        SiteRow(
            known,
            accounts.get(known.id),
            links.get(known.id, 0),
            _of(known, held),
            _of(known, waiting),
        )
        for known in sites
    ]


def _accounts(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    found = select(account.c.site_id, account.c.public_id).where(account.c.site_id.in_(ids), IN_USE)
    return {row.site_id: row.public_id for row in connection.execute(found)}


def _links(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    is_live = link.c.state == str(LinkState.LIVE)
    counted = select(link.c.site_id, func.count().label("number"))
    counted = counted.where(link.c.site_id.in_(ids), is_live).group_by(link.c.site_id)
    return {row.site_id: row.number for row in connection.execute(counted)}


def _deliveries(
    connection: Connection, sites: Sequence[Site], states: Sequence[str]
) -> dict[tuple[str, str], int]:
    """How many of each source stand so."""
    sources = {known.instance_id for known in sites} | {known.external_source for known in sites}
    counted = select(inbox.c.side, inbox.c.source, func.count().label("number"))
    counted = counted.where(inbox.c.state.in_(states), inbox.c.source.in_(sources - {""}))
    rows = connection.execute(counted.group_by(inbox.c.side, inbox.c.source))
    return {(row.side, row.source): row.number for row in rows}


def _of(known: Site, counts: dict[tuple[str, str], int]) -> int:
    from_wix = counts.get((str(Side.WIX), known.instance_id), 0)
    return from_wix + counts.get((str(Side.EXTERNAL), known.external_source), 0)
