"""Lines of the history around one delivery."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Select, select, union

from sync_worker.core.values import HistoryEntry, Side, Site
from sync_worker.ledger.rows import to_history
from sync_worker.ledger.tables import history, link, link_value, tombstone

SHOWN = 50


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """A line of the history with its time, link and number."""

    at: datetime
    link_id: int | None
    entry: HistoryEntry
    number: int = 0


def newest_about(connection: Connection, delivery: Any, site: Site | None) -> list[HistoryLine]:
    """Of the delivery's link and of its record, newest first; each by an index of its own.

    A delivery whose site nobody has added has none.
    """
    if site is None:
        return []
    found = {
        row.id: row
        for which in _ways(connection, delivery, site)
        for row in connection.execute(which.order_by(history.c.id.desc()).limit(SHOWN))
    }
    newest = sorted(found.values(), key=attrgetter("id"), reverse=True)
    return [to_line(row) for row in newest[:SHOWN]]


def to_line(row: Any) -> HistoryLine:
    """A row of the history."""
    return HistoryLine(to_time(row.at), row.link_id, to_history(row), row.id)


def to_time(seconds: float) -> datetime:
    """The database's seconds as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def _ways(connection: Connection, delivery: Any, site: Site) -> Iterator[Select[Any]]:
    here = select(history).where(history.c.site_id == site.id)
    if delivery.link_id is not None:
        yield here.where(history.c.link_id == delivery.link_id)
    its = here.where(history.c.remote_id == delivery.remote_id)
    yield its.where(history.c.link_id.is_(None))
    links = set(connection.execute(_links_on_file(delivery, site)).scalars())
    yield its.where(history.c.link_id.in_(sorted(links - {delivery.link_id})))


def _links_on_file(delivery: Any, site: Site) -> Any:
    """The links that the record is or was on file with."""
    buried = select(tombstone.c.link_id).where(
        tombstone.c.site_id == site.id,
        tombstone.c.side == delivery.side,
        tombstone.c.remote_id == delivery.remote_id,
        tombstone.c.link_id.is_not(None),
    )
    if delivery.side == Side.WIX:
        is_its = (link_value.c.site_id == site.id) & (link_value.c.wix_id == delivery.remote_id)
        return union(select(link_value.c.link_id).where(is_its), buried)
    is_its = (link.c.site_id == site.id) & (link.c.external_id == delivery.remote_id)
    return union(select(link.c.id).where(is_its), buried)
