"""What is held, for people: groups by reason with bounded counts, and pages of rows.

Each question reads an index up to its limit: a hundred thousand held ones cost what a thousand do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Integer, Select, cast, func, literal, select, union_all

from sync_worker.core.values import Delivery, Side, Site
from sync_worker.ledger.administration.history_lines import to_time
from sync_worker.ledger.console.held_facts import RatingFacts, facts_of
from sync_worker.ledger.console.held_filter import HELD, HeldFilter, held_by_source
from sync_worker.ledger.rows import to_delivery
from sync_worker.ledger.statements.sites import sites_by_source
from sync_worker.ledger.tables import history, inbox
from sync_worker.ledger.transactions import Transactions, is_sqlite

# Lines of the history that tell of a value brought across.
CROSSINGS = ("create", "update", "delete")
MAX_COUNTED = 1000  # of a reason; there may be more
MAX_OF_FEW = 20_000  # of one person or product
PAGE = 50
DAYS = 14
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Counted:
    """``number``: no more than ``MAX_COUNTED``; ``is_more``: there are more than that."""

    number: int
    is_more: bool


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """So many are held for a reason; the first of them since then."""

    reason: str
    count: Counted
    oldest_at: datetime


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A held delivery with what the ledger knows around it. ``site``: ``None``: nobody added it."""

    delivery: Delivery
    hold_key: str | None
    site: Site | None
    facts: RatingFacts | None


@dataclass(frozen=True, slots=True)
class DayCount:
    """So many that are held for a reason came on that day (UTC)."""

    day: date
    reason: str
    number: int


class SqlHeldPages:
    """Questions of the page *Needs you*. Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def counts(self, which: HeldFilter) -> list[ReasonCount]:
        """By reason, the oldest first; a reason that nothing is held for is not among them."""
        with self._transactions.read() as connection:
            if which.is_of_few:
                rows = connection.execute(_counts_of_few(which)).all()
            else:
                reasons = _reasons(connection, which)
                if not reasons:
                    return []
                asked = union_all(*(_count(which, reason) for reason in reasons))
                rows = connection.execute(asked).all()
        counts = [_to_count(row) for row in rows if row.number]
        return sorted(counts, key=lambda count: (count.oldest_at, count.reason))

    def page(self, which: HeldFilter, after: int = 0, limit: int = PAGE) -> list[HeldRow]:
        """Behind that number, oldest first."""
        with self._transactions.read() as connection:
            rows = connection.execute(_ordered(which, [inbox], after, limit)).all()
            facts = facts_of(connection, [row.link_id for row in rows if row.link_id is not None])
            sites = sites_by_source(connection, [row.source for row in rows])
            found = []
            for row in rows:
                delivery = to_delivery(row)
                site = sites.get((delivery.new.side, delivery.new.source))
                found.append(HeldRow(delivery, row.hold_key, site, facts.get(row.link_id)))
        return found

    def numbers(self, which: HeldFilter, after: int, limit: int) -> list[int]:
        """The same, their numbers alone."""
        with self._transactions.read() as connection:
            return list(connection.execute(_ordered(which, [inbox.c.id], after, limit)).scalars())

    def last_crossed(self, site_id: int | None) -> datetime | None:
        """When a value was last brought across; ``None``: none that is still in the history."""
        with self._transactions.read() as connection:
            at = connection.execute(_last_crossed(site_id)).scalar()
        return None if at is None else to_time(at)

    def waiting_for(self, reason: str, hold_key: str | None) -> Counted:
        """So many wait for the same thing or person."""
        if hold_key is None:
            return Counted(0, is_more=False)
        some = select(inbox.c.id).where(HELD, inbox.c.reason == reason)
        some = some.where(inbox.c.hold_key == hold_key).limit(MAX_COUNTED + 1)
        with self._transactions.read() as connection:
            number = len(connection.execute(some).all())
        return Counted(min(number, MAX_COUNTED), number > MAX_COUNTED)

    def days(self, which: HeldFilter, since: datetime) -> list[DayCount]:
        """Since when what is held now came, by day and reason; of each reason the newest ones."""
        with self._transactions.read() as connection:
            reasons = _reasons(connection, which)
            if not reasons:
                return []
            newest = union_all(*(_newest(which, reason, since) for reason in reasons)).subquery()
            # Times are positive: what SQLite cuts off is what floor takes away.
            day: Any = newest.c.received_at / DAY_SECONDS
            day = cast(day, Integer) if is_sqlite(connection) else func.floor(day)
            asked = select(day.label("day"), newest.c.reason, func.count().label("number"))
            rows = connection.execute(asked.group_by("day", newest.c.reason)).all()
        counted = [
            DayCount(to_time(int(row.day) * DAY_SECONDS).date(), row.reason, int(row.number))
            for row in rows
        ]
        return sorted(counted, key=lambda one: (one.day, one.reason))


def _reasons(connection: Connection, which: HeldFilter) -> list[str]:
    """Every reason that something is held for: one step in the index for each."""
    if which.reason is not None:
        return [which.reason]
    first = select(func.min(inbox.c.reason).label("reason")).where(HELD)
    reasons = first.cte("reasons", recursive=True)
    following = select(func.min(inbox.c.reason)).where(HELD, inbox.c.reason > reasons.c.reason)
    step = select(following.scalar_subquery()).where(reasons.c.reason.is_not(None))
    reasons = reasons.union_all(step)
    asked = select(reasons.c.reason).where(reasons.c.reason.is_not(None))
    return list(connection.execute(asked).scalars())


def _ordered(
    which: HeldFilter, columns: Sequence[Any], after: int, limit: int, *, newest: bool = False
) -> Select[Any]:
    """Rows in the order of their numbers, each part read no further than the limit."""
    parts = []
    for part in held_by_source(which):
        order = part.columns
        if newest:
            order = [column.desc() for column in order]
        asked = select(*columns).where(part.behind(after)).order_by(*order).limit(limit)
        parts.append(select(asked.subquery()))
    if len(parts) == 1:
        return parts[0]
    together = union_all(*parts).subquery()
    number: Any = together.c.id
    if newest:
        number = number.desc()
    return select(together).order_by(number).limit(limit)


def _last_crossed(site_id: int | None) -> Select[Any]:
    """Of a site by one step in an index for each side and kind; of all by the newest lines."""
    if site_id is None:
        newest = select(history.c.at, history.c.what).order_by(history.c.id.desc())
        some = newest.limit(MAX_COUNTED).subquery()
        return select(func.max(some.c.at)).where(some.c.what.in_(CROSSINGS))
    ways = [
        select(func.max(history.c.at).label("at")).where(
            history.c.site_id == site_id, history.c.side == str(side), history.c.what == what
        )
        for side in Side
        for what in CROSSINGS
    ]
    found = union_all(*ways).subquery()
    return select(func.max(found.c.at))


def _count(which: HeldFilter, reason: str) -> Any:
    """Of a reason. Its first row is the oldest: of the others the index alone is read."""
    its = replace(which, reason=reason)
    some = _ordered(its, [inbox.c.id], 0, MAX_COUNTED + 1).subquery()
    first = _ordered(its, [inbox.c.id, inbox.c.received_at], 0, 1).subquery()
    return select(
        literal(reason).label("reason"),
        select(func.count()).select_from(some).scalar_subquery().label("number"),
        select(first.c.received_at).scalar_subquery().label("oldest"),
    )


def _counts_of_few(which: HeldFilter) -> Select[Any]:
    """Of all reasons at once; the oldest of them, should a person or product have so many."""
    some = _ordered(which, [inbox.c.id, inbox.c.reason, inbox.c.received_at], 0, MAX_OF_FEW)
    found = some.subquery()
    number, oldest = func.count().label("number"), func.min(found.c.received_at).label("oldest")
    return select(found.c.reason, number, oldest).group_by(found.c.reason)


def _newest(which: HeldFilter, reason: str, since: datetime) -> Select[Any]:
    columns = [inbox.c.id, inbox.c.received_at]
    some = _ordered(replace(which, reason=reason), columns, 0, MAX_COUNTED, newest=True).subquery()
    asked: Select[Any] = select(some.c.received_at, literal(reason).label("reason"))
    return asked.where(some.c.received_at >= since.timestamp())


def _to_count(row: Any) -> ReasonCount:
    is_more = row.number > MAX_COUNTED
    number = min(int(row.number), MAX_COUNTED)
    return ReasonCount(row.reason, Counted(number, is_more), to_time(row.oldest))
