"""What came to the door: by connector, reason and hour, and when from which source last.

Tables ``door_count`` and ``door_source``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Integer, cast, func, select

from sync_worker.core.values import connector_of
from sync_worker.ledger.process_tables import door_count, door_source
from sync_worker.ledger.rows import fitting
from sync_worker.ledger.transactions import Transactions, insert_into, ledger_now

UNKNOWN_SOURCE = "(unknown)"  # requests for a path or a connector that there is not
HOUR_SECONDS = 3600.0
DAY_SECONDS = 86_400.0
KEPT_DAYS = 30.0


@dataclass(frozen=True, slots=True)
class SourceNews:
    """What one source brought since the last news; times in seconds ago.

    ``refusals``, ``refusing_for``: how many were refused after the last accepted one, and how long
    ago the first of those came.
    """

    source: str
    accepted_ago: float | None = None
    refused_ago: float | None = None
    refused_result: str = ""
    refused_reason: str = ""
    refusals: int = 0
    refusing_for: float | None = None


@dataclass(frozen=True, slots=True)
class DoorNews:
    """What came to the door since the last news.

    ``counts``: by (source, result, reason).
    """

    counts: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    sources: Sequence[SourceNews] = ()


@dataclass(frozen=True, slots=True)
class DoorSource:
    """A source at the door; times in seconds since 1970 by the ledger's clock, ``None``: never.

    ``refusals``: since ``refusing_since``, with none accepted meanwhile.
    """

    source: str
    accepted_at: float | None
    refused_at: float | None
    refused_result: str
    refused_reason: str
    refusing_since: float | None
    refusals: int
    refused_ago: float | None


class SqlDoorCounts:
    """Adds up what gateways tell, a batch at a time; answers ``status`` and ``doctor``."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def add(self, news: DoorNews) -> None:
        """All of it, in one transaction. Raises Transient."""
        with self._transactions.write() as connection:
            hour = int(connection.execute(select(ledger_now())).scalar_one() // HOUR_SECONDS)
            for key, number in sorted(_by_connector(news.counts).items()):
                _add_count(connection, key, hour, number)
            for source in sorted(news.sources, key=lambda one: one.source):
                _put_source(connection, source)

    def sources(self) -> list[DoorSource]:
        """Every source that was ever heard of. Raises Transient."""
        ago = (ledger_now() - door_source.c.refused_at).label("refused_ago")
        found = select(door_source, ago).order_by(door_source.c.source)
        with self._transactions.read() as connection:
            return [DoorSource(**row._mapping) for row in connection.execute(found)]

    def refusing(self, most: int, sources: Collection[str] | None = None) -> list[DoorSource]:
        """Of those of which nothing was accepted since the last refusal, so many.

        ``sources``: of these alone, and of Wix.
        """
        ago = (ledger_now() - door_source.c.refused_at).label("refused_ago")
        found = select(door_source, ago).where(door_source.c.refusing_since.is_not(None))
        if sources is not None:
            found = found.where(door_source.c.source.in_(sorted({*sources, "wix"})))
        with self._transactions.read() as connection:
            rows = connection.execute(found.order_by(door_source.c.refusing_since).limit(most))
            return [DoorSource(**row._mapping) for row in rows]

    def some(self, most: int, sources: Collection[str] | None = None) -> list[DoorSource]:
        """Those that are silent for the longest, of those that were heard within ``KEPT_DAYS``.

        ``sources``: of these alone.
        """
        ago = (ledger_now() - door_source.c.refused_at).label("refused_ago")
        young = ledger_now() - KEPT_DAYS * DAY_SECONDS
        is_heard = (door_source.c.accepted_at > young) | (door_source.c.refused_at > young)
        is_known = door_source.c.source != UNKNOWN_SOURCE
        found = select(door_source, ago).where(is_known, is_heard)
        if sources is not None:
            found = found.where(door_source.c.source.in_(sorted(sources)))
        silent = door_source.c.accepted_at.asc().nulls_first()
        with self._transactions.read() as connection:
            rows = connection.execute(found.order_by(silent).limit(most))
            return [DoorSource(**row._mapping) for row in rows]

    def counts(self, hours: int) -> dict[tuple[str, str, str], int]:
        """Of the last so many hours, by (wix or connector, result, reason). Raises Transient."""
        now_hour = cast(func.floor(ledger_now() / HOUR_SECONDS), Integer)
        kind = (door_count.c.source, door_count.c.result, door_count.c.reason)
        summed = (
            select(*kind, func.sum(door_count.c.number).label("number"))
            .where(door_count.c.hour > now_hour - hours)
            .group_by(*kind)
        )
        with self._transactions.read() as connection:
            rows = connection.execute(summed).all()
        return {(row.source, row.result, row.reason): int(row.number) for row in rows}


def _by_connector(counts: Mapping[tuple[str, str, str], int]) -> Counter[tuple[str, str, str]]:
    """Rows of each hour are as many as connectors, however many accounts there are."""
    summed = Counter[tuple[str, str, str]]()
    for (source, result, reason), number in counts.items():
        summed[connector_of(source), result, reason] += number
    return summed


def source_words(source: DoorSource, now: float) -> str:
    """When a source was last accepted and last refused, for people."""
    words = "nothing accepted yet"
    if source.accepted_at is not None:
        words = f"last accepted {max(0.0, now - source.accepted_at):.0f} s ago"
    if source.source == UNKNOWN_SOURCE:
        words = "no such path or connector (404)"
    if source.refused_at is not None:
        ago = max(0.0, now - source.refused_at)
        words += f"; last refused {ago:.0f} s ago ({source.refused_reason})"
    return words


def _add_count(connection: Connection, key: tuple[str, str, str], hour: int, number: int) -> None:
    source, result, reason = key
    new = insert_into(connection, door_count).values(
        source=source[:128],
        result=fitting(result, door_count.c.result),
        reason=fitting(reason, door_count.c.reason),
        hour=hour,
        number=number,
    )
    connection.execute(
        new.on_conflict_do_update(
            index_elements=["source", "result", "reason", "hour"],
            set_={"number": door_count.c.number + number},
        )
    )


def _put_source(connection: Connection, news: SourceNews) -> None:
    # Something else ended its requests, such as a body that is too large: it is only counted.
    if news.accepted_ago is None and news.refused_ago is None:
        return
    values: dict[str, Any] = {}
    if news.refused_ago is not None:
        values["refused_at"] = ledger_now() - news.refused_ago
        values["refused_result"] = fitting(news.refused_result, door_source.c.refused_result)
        values["refused_reason"] = fitting(news.refused_reason, door_source.c.refused_reason)
    since = None
    if news.refusing_for is not None:
        since = ledger_now() - news.refusing_for
    new = dict(values, source=news.source[:128], refusing_since=since, refusals=news.refusals)
    # What was accepted ends the refusals before it; else they go on.
    if news.accepted_ago is not None:
        accepted = {"accepted_at": ledger_now() - news.accepted_ago}
        new |= accepted
        values |= accepted | {"refusing_since": since, "refusals": news.refusals}
    elif since is not None:
        values["refusing_since"] = func.coalesce(door_source.c.refusing_since, since)
        values["refusals"] = door_source.c.refusals + news.refusals
    insert = insert_into(connection, door_source).values(**new)
    connection.execute(insert.on_conflict_do_update(index_elements=["source"], set_=values))
