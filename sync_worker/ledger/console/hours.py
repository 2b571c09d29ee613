"""What happened hour by hour: at the door, across, held; a bounded number of rows for each hour."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Integer, case, cast, func, select

from sync_worker.core.values import HistoryKind, InboxState, Side
from sync_worker.ledger.process_tables import door_count
from sync_worker.ledger.statements.inbox import ENDED
from sync_worker.ledger.tables import history, inbox
from sync_worker.ledger.transactions import Transactions, ledger_now

HOUR_SECONDS = 3600.0
MAX_COUNTED = 5_000  # of one hour: more are "5,000 or more"
MAX_AGES = 500  # the newest of an hour: enough for a quantile
QUANTILE = 0.95
CROSSED = "synced"
# What a line of the history says that was written on a side.
WRITTEN = tuple(
    str(kind)
    for kind in (
        HistoryKind.CREATE,
        HistoryKind.UPDATE,
        HistoryKind.DELETE,
        HistoryKind.WITHDRAW,
        HistoryKind.APPROVE,
        HistoryKind.REPLY,
        HistoryKind.PRIVACY_DELETE,
    )
)


@dataclass(frozen=True, slots=True)
class Crossings:
    """What became of deliveries in an hour.

    ``crossed``, ``held``: at most ``MAX_COUNTED``; ``age_p95_seconds``: from the door to the end.
    """

    crossed: int = 0
    held: int = 0
    age_p95_seconds: float | None = None

    @property
    def is_full(self) -> bool:
        """There may be more than were counted."""
        return MAX_COUNTED in (self.crossed, self.held)


@dataclass(frozen=True, slots=True)
class Knocks:
    """What came to the door in an hour."""

    accepted: int = 0
    refused: int = 0


class SqlHours:
    """Hours are numbered from 1970. Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def current(self) -> int:
        """The hour that it is by the ledger's clock."""
        with self._transactions.read() as connection:
            return int(connection.execute(select(ledger_now())).scalar_one() // HOUR_SECONDS)

    def knocks(
        self, first: int, accepted: Collection[str], refused: Collection[str]
    ) -> dict[int, Knocks]:
        """By hour from that one on; the words are results at the door."""
        asked = (
            select(
                door_count.c.hour,
                _sum_of(accepted).label("accepted"),
                _sum_of(refused).label("refused"),
            )
            .where(door_count.c.hour >= first)
            .group_by(door_count.c.hour)
        )
        with self._transactions.read() as connection:
            rows = connection.execute(asked).all()
        return {row.hour: Knocks(int(row.accepted), int(row.refused)) for row in rows}

    def crossings(self, hour: int) -> Crossings:
        """Of all sites in one hour."""
        with self._transactions.read() as connection:
            return Crossings(
                crossed=_count(connection, hour, InboxState.DONE, inbox.c.reason == CROSSED),
                held=_count(connection, hour, InboxState.HELD),
                age_p95_seconds=_age(connection, hour),
            )

    def crossings_of_site(
        self, site_id: int, sources: Collection[str], first: int
    ) -> dict[int, Crossings]:
        """By hour from that one on: what was written for a site, and what is held of its sources.

        Without ages: no index tells them for one site.
        """
        with self._transactions.read() as connection:
            crossed = _written(connection, site_id, first)
            held = _held(connection, sources, first)
        hours = crossed.keys() | held.keys()
        return {hour: Crossings(crossed.get(hour, 0), held.get(hour, 0)) for hour in hours}


def _is_in(hour: int) -> Any:
    begin = hour * HOUR_SECONDS
    return (inbox.c.closed_at >= begin) & (inbox.c.closed_at < begin + HOUR_SECONDS)


def _count(connection: Connection, hour: int, state: InboxState, also: Any = True) -> int:
    some = select(inbox.c.id).where(_is_in(hour), inbox.c.state == str(state), also)
    counted = select(func.count()).select_from(some.limit(MAX_COUNTED).subquery())
    return int(connection.execute(counted).scalar_one())


def _age(connection: Connection, hour: int) -> float | None:
    newest = (
        select(inbox.c.closed_at - inbox.c.received_at)
        .where(_is_in(hour), inbox.c.state.in_(ENDED))
        .order_by(inbox.c.closed_at.desc())
        .limit(MAX_AGES)
    )
    ages = sorted(max(0.0, float(age)) for age in connection.execute(newest).scalars())
    if not ages:
        return None
    return ages[min(len(ages) - 1, int(QUANTILE * len(ages)))]


def _sum_of(results: Collection[str]) -> Any:
    is_one = door_count.c.result.in_(sorted(results))
    return func.sum(case((is_one, door_count.c.number), else_=0))


def _written(connection: Connection, site_id: int, first: int) -> dict[int, int]:
    """The index of the delete brake finds them."""
    its = (history.c.site_id == site_id) & history.c.side.in_([str(side) for side in Side])
    its &= history.c.what.in_(WRITTEN) & (history.c.at >= first * HOUR_SECONDS)
    return _by_hour(connection, history.c.at, its)


def _held(connection: Connection, sources: Collection[str], first: int) -> dict[int, int]:
    its = (inbox.c.state == str(InboxState.HELD)) & inbox.c.source.in_(sorted(sources))
    by_hour = _by_hour(connection, inbox.c.closed_at, its)
    return {hour: number for hour, number in by_hour.items() if hour >= first}


def _by_hour(connection: Connection, time: Any, which: Any) -> dict[int, int]:
    hour = cast(func.floor(time / HOUR_SECONDS), Integer).label("hour")
    some = select(hour).where(which).limit(MAX_COUNTED).subquery()
    counted = select(some.c.hour, func.count().label("n")).group_by(some.c.hour)
    return {int(row.hour): int(row.n) for row in connection.execute(counted)}
