"""The list of sites for pages: those in trouble first, with what is wrong and what is held.

A page reads all sites once, which are some thousand rows, and no more of the inbox than it shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, exists, false, func, literal, or_, select, union_all

from sync_worker.core.values import AccountState, InboxState, SideState, Site, SiteState
from sync_worker.ledger.accounts.tables import account, site_side
from sync_worker.ledger.administration.sites import is_named
from sync_worker.ledger.console.pause_rows import Pause, read_pauses
from sync_worker.ledger.process_tables import site_fault
from sync_worker.ledger.statements.runs import DONE, is_whole
from sync_worker.ledger.statements.sites import read_sites
from sync_worker.ledger.tables import inbox, run, site
from sync_worker.ledger.transactions import Transactions

PAGE = 50
MAX_CONNECTORS = 200
MAX_HELD = 100  # counted of one site: more are "100 or more"


class SiteTrouble(StrEnum):
    """Why ratings of a site may not cross."""

    PAUSED = "paused"
    RECOVERY = "recovery"
    NO_ACCOUNT = "no_account"
    ACCOUNT_RESTS = "account_rests"
    REFUSED = "refused"
    NEVER_COMPARED = "never_compared"
    WORK_FAILS = "work_fails"


@dataclass(frozen=True, slots=True)
class SitesWanted:
    """Which sites; what is ``None`` does not matter.

    ``name``: its number, instance id, connector or account. ``site_id``: the only one that may be
    seen. ``in_trouble``: only those with some trouble, or with this one.
    """

    name: str | None = None
    state: SiteState | None = None
    connector: str | None = None
    in_trouble: bool = False
    trouble: SiteTrouble | None = None
    site_id: int | None = None


@dataclass(frozen=True, slots=True)
class SiteLine:
    """``held``: at most ``MAX_HELD``; ``after``: where the page behind it begins."""

    site: Site
    troubles: Sequence[SiteTrouble]
    held: int
    pause: Pause | None
    after: str


class SqlSiteList:
    """Pages of sites. Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def page(self, which: SitesWanted, after: str = "", limit: int = PAGE) -> list[SiteLine]:
        """Sites behind that place, at most so many."""
        with self._transactions.read() as connection:
            return _lines(connection, _places(connection, which, _place(after), limit))

    def some(self, ids: Sequence[int]) -> dict[int, SiteLine]:
        """Sites by their numbers; no more of them than a page has."""
        with self._transactions.read() as connection:
            lines = _lines(connection, dict.fromkeys(ids, ""))
        return {line.site.id: line for line in lines}

    def connectors(self) -> list[str]:
        """Of which there are sites, by name."""
        named = select(site.c.connector).where(site.c.connector != "").distinct()
        with self._transactions.read() as connection:
            found = connection.execute(named.order_by(site.c.connector).limit(MAX_CONNECTORS))
            return list(found.scalars())


def _lines(connection: Connection, places: Mapping[int, str]) -> list[SiteLine]:
    """``places``: by the number of each site."""
    sites = {known.id: known for known in read_sites(connection, site.c.id.in_(places))}
    troubles = _troubles_of(connection, list(places))
    pauses = read_pauses(connection, places)
    held = held_of(connection, list(sites.values()))
    return [
        SiteLine(sites[one], troubles[one], held[one], pauses.get(one), place)
        for one, place in places.items()
        if one in sites
    ]


def _conditions() -> dict[SiteTrouble, Any]:
    its_account = account.c.site_id == site.c.id
    rests = exists().where(its_account, account.c.state == str(AccountState.PAUSED))
    is_used = exists().where(its_account, account.c.state != str(AccountState.REVOKED))
    is_implicit = func.coalesce(site.c.external_source == site.c.connector, false())
    whole = exists().where(is_whole(site.c.id), run.c.state == DONE)
    fails = exists().where(
        site_side.c.site_id == site.c.id, site_side.c.state == str(SideState.FAILING)
    )
    goes_wrong = exists().where(site_fault.c.source == site.c.external_source)
    is_given = is_implicit | is_used
    return {
        SiteTrouble.PAUSED: site.c.state == str(SiteState.PAUSED),
        SiteTrouble.RECOVERY: site.c.state == str(SiteState.RECOVERY),
        SiteTrouble.NO_ACCOUNT: ~is_given,
        SiteTrouble.ACCOUNT_RESTS: rests,
        SiteTrouble.REFUSED: fails,
        SiteTrouble.NEVER_COMPARED: (site.c.state == str(SiteState.ACTIVE)) & is_given & ~whole,
        SiteTrouble.WORK_FAILS: goes_wrong,
    }


def _places(
    connection: Connection, which: SitesWanted, after: tuple[int, int], limit: int
) -> dict[int, str]:
    """The place of each site of a page: those in trouble first, those removed last.

    Rank by rank, and of each no further than the page goes: what is wrong with ten thousand sites
    takes long to find out.
    """
    found: dict[int, str] = {}
    for rank, is_of_rank in enumerate(_ranks(which)):
        if rank < after[0] or len(found) == limit:
            continue
        asked = select(site.c.id).where(_is_wanted(which), is_of_rank)
        if rank == after[0]:
            asked = asked.where(site.c.id > after[1])
        asked = asked.order_by(site.c.id).limit(limit - len(found))
        found |= {one: f"{rank}.{one}" for one in connection.execute(asked).scalars()}
    return found


def _ranks(which: SitesWanted) -> list[Any]:
    """Which sites come first, which next; only those that can be meant."""
    is_removed = site.c.state == str(SiteState.REMOVED)
    conditions = _conditions()
    if which.trouble is not None:
        return [~is_removed & conditions[which.trouble]]
    is_troubled = or_(*conditions.values())
    if which.in_trouble:
        return [~is_removed & is_troubled]
    return [~is_removed & is_troubled, ~is_removed & ~is_troubled, is_removed]


def _troubles_of(connection: Connection, ids: Sequence[int]) -> dict[int, list[SiteTrouble]]:
    """What is wrong with each of these sites."""
    is_there = site.c.state != str(SiteState.REMOVED)
    found = {trouble: is_there & which for trouble, which in _conditions().items()}
    asked = select(site.c.id, *(which.label(name) for name, which in found.items()))
    rows = connection.execute(asked.where(site.c.id.in_(ids)))
    return {row.id: [trouble for trouble in SiteTrouble if getattr(row, trouble)] for row in rows}


def _is_wanted(which: SitesWanted) -> Any:
    chosen = site.c.id > 0
    if which.site_id is not None:
        chosen &= site.c.id == which.site_id
    if which.name:
        chosen &= is_named(which.name)
    if which.state is not None:
        chosen &= site.c.state == str(which.state)
    if which.connector:
        chosen &= site.c.connector == which.connector
    return chosen


def _place(after: str) -> tuple[int, int]:
    """Behind which rank and site a page begins; what is no such place is the beginning."""
    rank, _, number = after.partition(".")
    is_one = rank.isascii() and rank.isdecimal() and number.isascii() and number.isdecimal()
    if not is_one or len(rank) > 1 or len(number) > 18:
        return 0, 0
    return int(rank), int(number)


def held_of(connection: Connection, sites: Sequence[Site]) -> Mapping[int, int]:
    """How many deliveries each site holds, none counted beyond ``MAX_HELD``."""
    sources = {known.instance_id for known in sites} | {known.external_source for known in sites}
    names = sorted(sources - {""})
    if not names:
        return dict.fromkeys((known.id for known in sites), 0)
    counted = union_all(*(_held_of(place, name) for place, name in enumerate(names)))
    by_source = {names[row.place]: row.number for row in connection.execute(counted)}
    return {
        known.id: min(
            MAX_HELD,
            by_source.get(known.instance_id, 0) + by_source.get(known.external_source, 0),
        )
        for known in sites
    }


def _held_of(place: int, source: str) -> Any:
    is_held = (inbox.c.state == str(InboxState.HELD)) & (inbox.c.source == source)
    some = select(inbox.c.id).where(is_held).limit(MAX_HELD).subquery()
    return select(literal(place).label("place"), func.count().label("number")).select_from(some)
