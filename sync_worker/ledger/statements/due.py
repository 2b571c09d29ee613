"""What the sweeper rings for: deliveries that are due, at a cost that no backlog raises.

Each statement reads a partial index up to its limit and no further (docs/costs.md). What waits for
a request budget stands in indexes of its own: hundreds of thousands of such rows must not lie
before what could go on at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from sync_worker.core.ports.inbox import RATE_LIMITED, RATE_LIMITED_AT_ONCE, TRACK_AFTER
from sync_worker.ledger.sql_text import SKIP_LOCKED, SqlText
from sync_worker.ledger.statements.inbox import OPEN, SWEPT_SECONDS, words

WAITING_SHARE = 4  # a fourth of a turn, or one, is kept for what waits for a budget
MAX_SOURCES = 200  # asked in one turn; the next one goes on behind them
# Of a source's oldest that wait: among so many the due ones go first, oldest first.
OLDEST_SHARE = 4 * RATE_LIMITED_AT_ONCE

_IS_OPEN = f"state IN ({words(OPEN)})"
_WAITS = f"{_IS_OPEN} AND reason = '{RATE_LIMITED}'"
# Rings count up to TRACK_AFTER. From there on only noted looks do.
_RUNG = f"""next_attempt_at = ledger_now() + {SWEPT_SECONDS},
  unended = CASE WHEN unended < {TRACK_AFTER} THEN unended + 1 ELSE unended END"""

# Another sweeper or a run holds the locked rows: they need no ring.
RING_RIPE = SqlText(f"""
-- inbox.ring_ripe: what is due, and not for want of a budget; oldest first
WITH ripe AS MATERIALIZED (
  SELECT id FROM inbox
  WHERE {_IS_OPEN} AND reason <> '{RATE_LIMITED}' AND next_attempt_at <= ledger_now()
  ORDER BY next_attempt_at LIMIT :room {SKIP_LOCKED})
UPDATE inbox SET {_RUNG} WHERE id IN (SELECT id FROM ripe) RETURNING id
""")

RING_WAITING = SqlText(f"""
-- inbox.ring_waiting: of these that wait for a budget what is still there and due
WITH waiting AS MATERIALIZED (
  SELECT id FROM inbox
  WHERE id = ANY(:inbox_ids::bigint[]) AND {_WAITS} AND next_attempt_at <= ledger_now()
  {SKIP_LOCKED})
UPDATE inbox SET {_RUNG} WHERE id IN (SELECT id FROM waiting) RETURNING id
""")

# From one source to the next, a step in the index each: it is never read through.
_SOURCES = f"""
WITH RECURSIVE walk(source) AS (
  SELECT min(source) FROM inbox WHERE {_WAITS} AND source > :behind
  UNION ALL
  SELECT (SELECT min(source) FROM inbox WHERE {_WAITS} AND inbox.source > walk.source)
  FROM walk WHERE walk.source IS NOT NULL),
sources AS (SELECT source FROM walk WHERE source IS NOT NULL LIMIT {MAX_SOURCES})
"""
# The oldest of a source. Where they wait for long, those that have been due for longest: another
# budget may have let them go. Both begin at a place of the index and go on in its order: with
# `source = …` PostgreSQL walks through a larger index in the order of ids, hoping for the best.
_FIRST_OF_SOURCE = f"""
  SELECT id FROM (
    SELECT id, source, next_attempt_at FROM (
      SELECT id, source, next_attempt_at FROM inbox
      WHERE {_WAITS} AND (inbox.source, inbox.id) > (sources.source, 0)
      ORDER BY inbox.source, inbox.id LIMIT {OLDEST_SHARE}) AS oldest
    UNION
    SELECT id, source, next_attempt_at FROM (
      SELECT id, source, next_attempt_at FROM inbox
      WHERE {_WAITS} AND (inbox.source, inbox.next_attempt_at) > (sources.source, 0)
      ORDER BY inbox.source, inbox.next_attempt_at LIMIT {RATE_LIMITED_AT_ONCE}) AS longest_due
  ) AS first
  WHERE first.source = sources.source AND first.next_attempt_at <= ledger_now()
  ORDER BY id LIMIT {RATE_LIMITED_AT_ONCE}
"""
WAITING = SqlText(
    f"""
-- inbox.waiting: what waits for a budget and is due, a few of each source; all sources asked
{_SOURCES}
SELECT sources.source, first.id
FROM sources LEFT JOIN LATERAL ({_FIRST_OF_SOURCE}) AS first ON true
""",
    # SQLite knows no LATERAL.
    sqlite=f"""
{_SOURCES}
SELECT sources.source, first.value AS id
FROM sources LEFT JOIN json_each((SELECT json_group_array(id) FROM ({_FIRST_OF_SOURCE}))) AS first
""",
)


def ring_ripe(connection: Connection, room: int) -> list[int]:
    """Ring for what is due and waits for no budget."""
    return [row.id for row in RING_RIPE.all(connection, room=room)]


@dataclass(slots=True)
class WaitingForBudget:
    """Rings for what waits for a budget, source after source.

    A process remembers where it was, so that each source has its turn however many there are.
    """

    behind: str = ""

    def ring(self, connection: Connection, room: int) -> list[int]:
        """Ring for at most ``room``."""
        if room <= 0:
            return []
        rows = WAITING.all(connection, behind=self.behind)
        found = [row for row in rows if row.id is not None][:room]
        has_room = len(found) < room
        is_through = has_room and len({row.source for row in rows}) < MAX_SOURCES
        if is_through:
            self.behind = ""
        elif has_room:
            self.behind = rows[-1].source
        else:
            self.behind = found[-1].source
        if not found:
            return []
        ids = [row.id for row in found]
        return [row.id for row in RING_WAITING.all(connection, inbox_ids=ids)]


def share_of_ripe(limit: int) -> int:
    """How many of a turn are not kept for what waits; where one is all, it is not kept."""
    return max(1, min(limit - 1, limit - limit // WAITING_SHARE))


def ring_due(connection: Connection, waiting: WaitingForBudget, limit: int) -> list[int]:
    """Ring for at most ``limit`` deliveries that are due.

    What waits for a budget comes last, as most of it would be refused again; but it has a share, or
    what is due again and again, since its remote is down, would leave it no room.
    """
    if limit <= 0:
        return []
    share = share_of_ripe(limit)
    ripe = ring_ripe(connection, share)
    found = ripe + waiting.ring(connection, limit - len(ripe))
    # What waits did not need all of its share.
    if len(ripe) == share and len(found) < limit:
        found += ring_ripe(connection, limit - len(found))
    return found
