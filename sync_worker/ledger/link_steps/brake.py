"""The brake on deletes: max(20, 5 % of the live links) to a side within an hour."""

from __future__ import annotations

from sqlalchemy import Connection

from sync_worker.core.values import TAKES_AWAY, Side
from sync_worker.ledger.sql_text import Refused, SqlText
from sync_worker.ledger.statements.links import BRAKE_SHARE, MIN_BRAKE
from sync_worker.ledger.transactions import is_sqlite

HOUR_SECONDS = 3600.0
_WHAT = ", ".join(f"'{operation}'" for operation in TAKES_AWAY)
# Deletes of the hour by ix_history_recent, and those whose intent is open: runs side by side must
# not pass the brake together. A privacy deletion is exempt. Below the smallest limit the links are
# not counted, and above it no more of them than it takes to let so many deletes pass.
_DELETES = f"""
WITH counted AS (SELECT :more::bigint
  + (SELECT count(*) FROM history WHERE site_id = :site_id AND side = :side::varchar
      AND what IN ({_WHAT}) AND at > ledger_now() - {HOUR_SECONDS})
  + (SELECT count(*) FROM intent WHERE state = 'open' AND site_id = :site_id
      AND side = :side::varchar AND operation IN ({_WHAT}) AND NOT is_privacy) AS deletes),
enough AS (SELECT id FROM link WHERE site_id = :site_id AND state = 'live'
  LIMIT (SELECT (deletes + 1) * {round(1 / BRAKE_SHARE)} FROM counted))
"""
_MAY_PASS = f"""CASE WHEN deletes < {MIN_BRAKE} THEN 1
  WHEN deletes < {BRAKE_SHARE} * (SELECT count(*) FROM enough) THEN 1
  WHEN deletes < (SELECT coalesce(max(deletes_allowed), 0) FROM site
    WHERE id = :site_id AND deletes_allowed_until > ledger_now()) THEN 1
  ELSE 0 END"""

PASSES = SqlText(f"""
-- brake.passes: 1, or 0 where so many deletes are too many
{_DELETES} SELECT {_MAY_PASS} AS passes FROM counted
""")

LOCK = SqlText("""
-- brake.lock: who is about to delete on a side takes turns, so that one counts the other's intent
SELECT pg_advisory_xact_lock(hashtextextended(
  concat_ws(':', :site_id::text, 'brake', :side::text), 0))
""")

PASS_OR_REFUSE = SqlText(f"""
-- brake.pass_or_refuse: one row, or none of the batch
{_DELETES} SELECT 1 / {_MAY_PASS} AS passes FROM counted
""")


def deletes_exceeded(connection: Connection, site_id: int, side: Side, more: int) -> bool:
    """As ``Links.deletes_exceeded``."""
    passes = PASSES.scalar(connection, site_id=site_id, side=str(side), more=more)
    return not passes


def pass_or_refuse(connection: Connection, site_id: int, side: Side) -> None:
    """At the head of the batch that stores the intent of one more delete.

    Raises Refused, and nothing of the batch stays, if the brake stops it.
    """
    which = {"site_id": site_id, "side": str(side)}
    # It has one writer at a time, and answers at once.
    if is_sqlite(connection):
        if deletes_exceeded(connection, site_id, side, more=0):
            raise Refused
        return
    # Held until the batch is committed: the count has a snapshot of its own, taken after it.
    LOCK.ask(connection, **which)
    PASS_OR_REFUSE.ask(connection, **which, more=0)
