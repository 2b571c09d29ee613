"""What the sweeper rings for: deliveries that are due, at a cost that no backlog raises.

Each statement reads a partial index up to its limit and no further (docs/costs.md). No source
stands before the others, however much of it is due: where much is, half of a turn goes round all
sources. What waits for a request budget stands in indexes of its own: hundreds of thousands of such
rows must not lie before what could go on at once. What has a message in the broker (``queued``) is
left to that: a second one would only make a worker look at what is at its end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection

from sync_worker.core.ports.inbox import (
    RATE_LIMITED,
    RATE_LIMITED_AT_ONCE,
    RING_SHARE,
    TRACK_AFTER,
    Rung,
)
from sync_worker.ledger.sql_text import SKIP_LOCKED, SqlText
from sync_worker.ledger.statements import clock
from sync_worker.ledger.statements.inbox import OPEN, SWEPT_SECONDS, words

WAITING_SHARE = 4  # a fourth of a turn, or one, is kept for what waits for a budget
MAX_SOURCES = 200  # with what waits for a budget, asked in one turn; the next goes on behind them
MAX_AT_WORK = 1000  # with anything else: many have something on its way that is not due
DUE_AT_ONCE = 8  # of a source, of those that have been due for longest
# Of a source's oldest that wait: among so many the due ones go first, oldest first.
OLDEST_SHARE = 4 * RATE_LIMITED_AT_ONCE

_IS_OPEN = f"state IN ({words(OPEN)})"
_WAITS = f"{_IS_OPEN} AND reason = '{RATE_LIMITED}'"
_RIPE = f"{_IS_OPEN} AND reason <> '{RATE_LIMITED}'"
# Rings count up to TRACK_AFTER. From there on only noted looks do.
_RUNG = f"""next_attempt_at = ledger_now() + {SWEPT_SECONDS},
  unended = CASE WHEN unended < {TRACK_AFTER} THEN unended + 1 ELSE unended END"""

# Another sweeper or a run holds the locked rows: they need no ring.
RING_RIPE = SqlText(f"""
-- inbox.ring_ripe: what is due, and not for want of a budget; oldest first
WITH ripe AS MATERIALIZED (
  SELECT id FROM inbox
  WHERE {_RIPE} AND next_attempt_at <= ledger_now() AND NOT id = ANY(:queued::bigint[])
  ORDER BY next_attempt_at LIMIT :room {SKIP_LOCKED})
UPDATE inbox SET {_RUNG} WHERE id IN (SELECT id FROM ripe) RETURNING id, source, unended
""")


def _ring_these(name: str, which: str) -> SqlText:
    return SqlText(f"""
-- inbox.{name}: of these what is still there and due
WITH these AS MATERIALIZED (
  SELECT id FROM inbox
  WHERE id = ANY(:inbox_ids::bigint[]) AND {which} AND next_attempt_at <= ledger_now()
  {SKIP_LOCKED})
UPDATE inbox SET {_RUNG} WHERE id IN (SELECT id FROM these) RETURNING id, source, unended
""")


RING_WAITING = _ring_these("ring_waiting", _WAITS)
RING_DUE = _ring_these("ring_due", _RIPE)


def _sources(which: str, most: int) -> str:
    """From one source to the next, a step in the index each: it is never read through."""
    return f"""
WITH RECURSIVE walk(source) AS (
  SELECT min(source) FROM inbox WHERE {which} AND source > :behind
  UNION ALL
  SELECT (SELECT min(source) FROM inbox WHERE {which} AND inbox.source > walk.source)
  FROM walk WHERE walk.source IS NOT NULL),
sources AS (SELECT source FROM walk WHERE source IS NOT NULL LIMIT {most})
"""


# The oldest of a source. Where they wait for long, those that have been due for longest: another
# budget may have let them go. Both begin at a place of the index and go on in its order: with
# `source = …` PostgreSQL walks through a larger index in the order of ids, hoping for the best.
_THAT_WAIT = f"""
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
  ORDER BY id
"""
_THAT_ARE_DUE = f"""
  SELECT id FROM (
    SELECT id, source, next_attempt_at FROM inbox
    WHERE {_RIPE} AND (inbox.source, inbox.next_attempt_at) > (sources.source, 0)
    ORDER BY inbox.source, inbox.next_attempt_at LIMIT {DUE_AT_ONCE}) AS first
  WHERE first.source = sources.source AND first.next_attempt_at <= ledger_now()
  ORDER BY first.next_attempt_at
"""


def _of_each_source(name: str, sources: str, its: str, each: int) -> SqlText:
    first = f"{its} LIMIT {each}"
    return SqlText(
        f"""
-- inbox.{name}, a few of each source; all sources asked
{sources}
SELECT sources.source, first.id
FROM sources LEFT JOIN LATERAL ({first}) AS first ON true
""",
        # SQLite knows no LATERAL.
        sqlite=f"""
{sources}
SELECT sources.source, first.value AS id
FROM sources LEFT JOIN json_each((SELECT json_group_array(id) FROM ({first}))) AS first
""",
    )


def _one_of_each_source(name: str, sources: str, its: str) -> SqlText:
    first = f"{its} LIMIT 1"
    return SqlText(
        f"""
-- inbox.{name}, one of each source; no further source is asked than there is room for
{sources}
SELECT sources.source, first.id FROM sources JOIN LATERAL ({first}) AS first ON true LIMIT :room
""",
        sqlite=f"""
{sources}
SELECT sources.source, first.value AS id
FROM sources JOIN json_each((SELECT json_group_array(id) FROM ({first}))) AS first LIMIT :room
""",
    )


_SOURCES_THAT_WAIT, _SOURCES_AT_WORK = _sources(_WAITS, MAX_SOURCES), _sources(_RIPE, MAX_AT_WORK)
WAITING = _of_each_source(
    "waiting: what waits for a budget and is due",
    _SOURCES_THAT_WAIT,
    _THAT_WAIT,
    RATE_LIMITED_AT_ONCE,
)
ONE_WAITING = _one_of_each_source(
    "one_waiting: what waits for a budget and is due", _SOURCES_THAT_WAIT, _THAT_WAIT
)
DUE = _of_each_source(
    "due: what is due, and not for want of a budget", _SOURCES_AT_WORK, _THAT_ARE_DUE, DUE_AT_ONCE
)
ONE_DUE = _one_of_each_source(
    "one_due: what is due, and not for want of a budget", _SOURCES_AT_WORK, _THAT_ARE_DUE
)


def ring_ripe(connection: Connection, room: int, queued: Collection[int]) -> list[Any]:
    """Ring for what has been due for longest and waits for no budget."""
    if room <= 0:
        return []
    return RING_RIPE.all(connection, room=room, queued=list(queued))


@dataclass(slots=True)
class Round:
    """Rings for a few of each source, source after source.

    A process remembers where it was, so that each source has its turn however many there are.
    """

    one_of_each: SqlText
    some_of_each: SqlText
    ring_these: SqlText
    max_sources: int
    behind: str = ""

    def ring(self, connection: Connection, room: int, queued: Collection[int]) -> list[Any]:
        """Ring for at most ``room``: one of each source, then a second one of each, and so on."""
        if room <= 0:
            return []
        found = self._one_of_each(connection, room) or self._some_of_each(connection)
        ids = [one for one in found if one not in queued][:room]
        if not ids:
            return []
        return self.ring_these.all(connection, inbox_ids=ids)

    def _one_of_each(self, connection: Connection, room: int) -> list[int]:
        """Where more sources than there is room for have something; else nothing."""
        rows = self.one_of_each.all(connection, behind=self.behind, room=room)
        if len(rows) < room:
            return []
        self.behind = rows[-1].source
        return [row.id for row in rows]

    def _some_of_each(self, connection: Connection) -> list[int]:
        rows = self.some_of_each.all(connection, behind=self.behind)
        by_source: dict[str, list[int]] = {}
        for row in rows:
            of_source = by_source.setdefault(row.source, [])
            if row.id is not None:
                of_source.append(row.id)
        is_through = len(by_source) < self.max_sources
        self.behind = "" if is_through else rows[-1].source
        return in_turns(by_source.values())


def in_turns(lists: Iterable[Sequence[int]]) -> list[int]:
    """The first of each list, then the second of each, and so on."""
    return [one for turn in zip_longest(*lists) for one in turn if one is not None]


def _round_of_due() -> Round:
    return Round(ONE_DUE, DUE, RING_DUE, MAX_AT_WORK)


def _round_of_waiting() -> Round:
    return Round(ONE_WAITING, WAITING, RING_WAITING, MAX_SOURCES)


@dataclass(frozen=True, slots=True)
class Rounds:
    """Where a process is with its rounds through the sources."""

    due: Round = field(default_factory=_round_of_due)
    waiting: Round = field(default_factory=_round_of_waiting)


def share_of_ripe(limit: int) -> int:
    """How many of a turn are not kept for what waits; where one is all, it is not kept."""
    return max(1, min(limit - 1, limit - limit // WAITING_SHARE))


def share_of_oldest(share: int) -> int:
    """How many go by their age alone; if so many are due, the rest goes round all sources."""
    return (share + 1) // 2


def ring_due(
    connection: Connection, rounds: Rounds, limit: int, queued: Collection[int] = ()
) -> Rung:
    """Ring for at most ``limit`` deliveries that are due and not ``queued``.

    What waits for a budget comes last, as most of it would be refused again; but it has a share, or
    what is due again and again, since its remote is down, would leave it no room. The ledger notes
    its time, whatever the limit.
    """
    clock.tick(connection)
    if limit <= 0:
        return Rung()
    share = share_of_ripe(limit)
    oldest = share_of_oldest(share)
    ripe = ring_ripe(connection, oldest, queued)
    # More may be due than there is room for: no source takes it all.
    if len(ripe) == oldest:
        ripe += rounds.due.ring(connection, share - len(ripe), queued)
        ripe += ring_ripe(connection, share - len(ripe), queued)
    found = ripe + rounds.waiting.ring(connection, limit - len(ripe), queued)
    # What waits did not need all of its share.
    if len(ripe) == share and len(found) < limit:
        found += ring_ripe(connection, limit - len(found), queued)
    return in_lanes(found)


def in_lanes(found: Iterable[Any]) -> Rung:
    """Of each source its share goes before what it has beyond."""
    first: list[int] = []
    after: list[int] = []
    sources: dict[int, str] = {}
    counts: Counter[str] = Counter()
    again = set()
    for row in sorted(found, key=attrgetter("id")):
        sources[row.id] = row.source
        counts[row.source] += 1
        lane = first if counts[row.source] <= RING_SHARE else after
        lane.append(row.id)
        if row.unended > 1:
            again.add(row.id)
    return Rung(tuple(first), tuple(after), sources, again)
