"""The time that the ledger told last: table ``ledger_clock``, one row."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from sync_worker.ledger.sql_text import SqlText

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
    """Note the time, so that a clock which is set back does not take the ledger's time with it."""
    seen = SEEN.first(connection)
    told = max(seen.told, seen.newest or 0.0)
    shift, latest = seen.shift or 0.0, seen.latest or 0.0
    is_set_back = abs(told - seen.raw - shift) > STEP_SECONDS
    if is_set_back:
        shift = told - seen.raw
    if is_set_back or told > latest + TICK_SECONDS:
        NOTE.run(connection, shift=shift, latest=told)


@dataclass(frozen=True, slots=True)
class Times:
    """``raw``: what the database's clock shows. ``told``: the ledger's time."""

    raw: float
    told: float

    @property
    def seconds_added(self) -> float:
        """The database's clock was set back by as much."""
        return self.told - self.raw


def seen_times(connection: Connection) -> Times:
    """Both clocks at this moment."""
    seen = SEEN.first(connection)
    return Times(float(seen.raw), float(seen.told))
