"""Lines of the history, newest first, in pages by their number, each of a bounded cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select

from sync_worker.core.values import HistoryEntry
from sync_worker.ledger.administration.history_lines import to_time
from sync_worker.ledger.ratings.history_times import first_line_since
from sync_worker.ledger.ratings.rating_rows import LinkRow, link_rows
from sync_worker.ledger.rows import to_history
from sync_worker.ledger.tables import history
from sync_worker.ledger.transactions import Transactions

PAGE = 50
AT_ONCE = 500  # lines in one statement
LOOKED_THROUGH = 20_000  # lines for one page; then a person says whether to look further


@dataclass(frozen=True, slots=True)
class ActivityFilter:
    """Which lines; what is ``None`` does not matter.

    ``kinds``: words of HistoryKind. ``by_people``: only what a person did.
    """

    site_id: int | None = None
    link_ids: Sequence[int] | None = None
    actor: str | None = None
    by_people: bool = False
    kinds: Sequence[str] = ()
    overwritten: bool = False
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ActivityLine:
    """``is_forgotten``: of words only a hash is left."""

    id: int
    at: datetime
    site_id: int
    link_id: int | None
    entry: HistoryEntry
    is_forgotten: bool


@dataclass(frozen=True, slots=True)
class LinesFound:
    """``after``: the key of the next page. ``looked_back_to``: where a search for few lines ended
    for now.
    """

    lines: Sequence[ActivityLine]
    ratings: dict[int, LinkRow]
    after: int | None
    looked_back_to: datetime | None = None


class ActivityLines:
    """Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def page(
        self, which: ActivityFilter, after: int | None = None, limit: int = PAGE
    ) -> LinesFound:
        """Lines below the number ``after``."""
        with self._transactions.read() as connection:
            near = _near(connection, which, after).limit(LOOKED_THROUGH).subquery()
            # By way of the index, and no further than it takes to fill the page.
            asked = select(near).where(_is_chosen(near.c, which)).order_by(near.c.id.desc())
            asked = asked.limit(limit + 1)
            rows = connection.execute(asked).all()
            lines = [activity_line(row) for row in rows[:limit]]
            following, back = None, None
            if len(rows) > limit:
                following = lines[-1].id
            else:
                following, back = _end_of(connection, near)
            ratings = _ratings_of(connection, lines)
        return LinesFound(lines, ratings, following, back)

    def numbered(self, numbers: Sequence[int]) -> LinesFound:
        """The lines with these numbers, in the order of the numbers."""
        lines: list[ActivityLine] = []
        ratings: dict[int, LinkRow] = {}
        for start in range(0, len(numbers), AT_ONCE):
            asked = select(history).where(history.c.id.in_(numbers[start : start + AT_ONCE]))
            with self._transactions.read() as connection:
                rows = connection.execute(asked.order_by(history.c.id))
                some = [activity_line(row) for row in rows]
                ratings |= _ratings_of(connection, some)
            lines += some
        return LinesFound(lines, ratings, None)


def _ratings_of(connection: Connection, lines: Sequence[ActivityLine]) -> dict[int, LinkRow]:
    ids = sorted({line.link_id for line in lines if line.link_id is not None})
    return {row.link.id: row for row in link_rows(connection, ids)}


def activity_line(row: Any) -> ActivityLine:
    return ActivityLine(
        row.id, to_time(row.at), row.site_id, row.link_id, to_history(row), row.words_hashed
    )


def _near(connection: Connection, which: ActivityFilter, after: int | None) -> Select[Any]:
    """The lines among which those that fit are looked for: by an index, newest first."""
    parts: list[Any] = [history.c.id > 0]
    if after is not None:
        parts.append(history.c.id < after)
    if which.site_id is not None:
        parts.append(history.c.site_id == which.site_id)
    if which.link_ids is not None:
        parts.append(history.c.link_id.in_(which.link_ids))
    if which.since is not None:
        parts.append(history.c.id >= first_line_since(connection, which.since))
    if which.until is not None:
        parts.append(history.c.id < first_line_since(connection, which.until))
    return select(history).where(and_(*parts)).order_by(history.c.id.desc())


def _is_chosen(line: Any, which: ActivityFilter) -> Any:
    parts: list[Any] = [line.id > 0]
    if which.actor:
        parts.append(line.actor == which.actor)
    if which.by_people:
        parts.append(line.actor != "")
    if which.kinds:
        parts.append(line.what.in_(which.kinds))
    if which.overwritten:
        parts.append(or_(line.loser.is_not(None), line.words_loser.is_not(None)))
    return and_(*parts)


def _end_of(connection: Connection, near: Any) -> tuple[int | None, datetime | None]:
    """Where a page ended that is not full: at the last line, or where looking was given up."""
    counted = select(func.count(), func.min(near.c.id))
    number, last = connection.execute(counted).one()
    if number < LOOKED_THROUGH:
        return None, None
    at = connection.execute(select(history.c.at).where(history.c.id == last)).scalar_one()
    return int(last), to_time(at)
