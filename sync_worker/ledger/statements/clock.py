"""The time that the ledger told last: table ``ledger_clock``, one row; and how old something is
where what cannot be undone depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, or_

from sync_worker.ledger.sql_text import SqlText
from sync_worker.ledger.transactions import ledger_now, ledger_raw

TICK_SECONDS = 5.0  # between two notes of the time, at the least
STEP_SECONDS = 1.0  # less is no step back: two processes that ask at once differ by as much

# The newest delivery's time, too: the clock may have been set back before anybody noted the time.
SEEN = SqlText("""
-- clock.seen: the database's clock, what is added to it, the time noted, and the ledger's time
SELECT ledger_raw() AS raw, ledger_now() AS told,
  (SELECT max(shift) FROM ledger_clock) AS shift,
  (SELECT max(latest) FROM ledger_clock) AS latest,
  (SELECT received_at FROM inbox ORDER BY id DESC LIMIT 1) AS newest
""")

NOTE = SqlText("""
-- clock.note: from here time goes on, whatever the database's clock shows
INSERT INTO ledger_clock (id, shift, latest) VALUES (1, :shift, :latest)
ON CONFLICT (id) DO UPDATE SET shift = excluded.shift, latest = excluded.latest
""")


def tick(connection: Connection) -> None:
    """Note the time, so that a clock which is set back or ahead does not take the ledger's time
    with it.
    """
    seen = SEEN.first(connection)
    told = max(seen.told, seen.newest or 0.0)
    shift, latest = seen.shift or 0.0, seen.latest or 0.0
    has_jumped = abs(told - seen.raw - shift) > STEP_SECONDS
    if has_jumped:
        shift = told - seen.raw
    if has_jumped or told > latest + TICK_SECONDS:
        NOTE.run(connection, shift=shift, latest=told)
    bound(connection.dialect, told)


def bound(dialect: Any, told: float) -> None:
    """From now on this engine knows itself how much time goes by.

    SQLite's clock is the process's own, which bounds itself.
    """
    if dialect.name != "sqlite":
        dialect.time_bound.note(told)


def age_of(column: Any) -> ColumnElement[float]:
    """How long ago it was, in seconds, for what cannot be undone.

    The ledger's time may be ahead of what went by: nothing could tell that a clock was ahead when a
    process began. So the smaller of both clocks counts, but not for what happened later than the
    database's shows: only the ledger's can have told that time.
    """
    told, raw = ledger_now(), ledger_raw()
    age: ColumnElement[float] = case((column > raw, told), (raw < told, raw), else_=told) - column
    return age


def is_older(column: Any, seconds: float) -> ColumnElement[bool]:
    """``age_of(column) > seconds``, as an index can find it."""
    told, raw = ledger_now(), ledger_raw()
    smaller = case((raw < told, raw), else_=told)
    return or_(column < smaller - seconds, and_(column > raw, column < told - seconds))


@dataclass(frozen=True, slots=True)
class Times:
    """``raw``: what the database's clock shows. ``told``: the ledger's time."""

    raw: float
    told: float

    @property
    def seconds_added(self) -> float:
        """The database's clock was set back by as much; below zero: it is ahead."""
        return self.told - self.raw


def seen_times(connection: Connection) -> Times:
    """Both clocks at this moment."""
    seen = SEEN.first(connection)
    return Times(float(seen.raw), float(seen.told))
