"""Lines of the history: what is added, and what is told already. Table ``history``."""

from __future__ import annotations

from sqlalchemy import Connection

from sync_worker.core.values import HistoryEntry
from sync_worker.ledger.rows import from_history
from sync_worker.ledger.sql_text import SqlText

_NUMBERS = ("site_id", "link_id", "inbox_id")
_TEXTS = (
    *("what", "side", "attribute", "before", "after", "loser", "loser_side", "reason"),
    *("remote_id", "intent_id", "actor", "words_before", "words_after", "words_loser"),
)
_LINE = f"INSERT INTO history (at, {', '.join(_NUMBERS + _TEXTS)})"

ADD_HISTORY = SqlText(f"""
-- history.add: one line; lines are never changed, but for what a privacy request erases
{_LINE}
VALUES (ledger_now(), {", ".join(f":{name}" for name in _NUMBERS + _TEXTS)})
""")

_THIS = f"""SELECT ledger_now(), {", ".join(f":{name}::bigint" for name in _NUMBERS)},
  {", ".join(f":{name}::text" for name in _TEXTS)}"""
_OF_A_DIFFERENCE = ("reason", "before", "after", "words_before", "words_after")

ADD_WAITING_DIFFERENCE = SqlText(f"""
-- history.add_waiting_difference: unless the newest line of its attribute says the same
{_LINE}
{_THIS}
WHERE NOT EXISTS (SELECT 1 FROM history AS newest
  WHERE newest.id = (SELECT max(id) FROM history
    WHERE link_id = :link_id::bigint AND attribute = :attribute::text)
  AND newest.what = :what::text AND newest.side IS NULL AND {
    " AND ".join(f"coalesce({name}, '') = coalesce(:{name}::text, '')" for name in _OF_A_DIFFERENCE)
})
""")

ADD_UNLESS_NAMED = SqlText(f"""
-- history.add_unless_named: unless a line of its attribute names the words that were lost
{_LINE}
{_THIS}
WHERE NOT EXISTS (SELECT 1 FROM history AS earlier
  WHERE earlier.link_id = :link_id::bigint AND earlier.attribute = :attribute::text
  AND :words_loser::text IN
    (earlier.words_before, earlier.words_after, earlier.words_loser))
""")


def add_history(
    connection: Connection, site_id: int, link_id: int | None, entry: HistoryEntry
) -> None:
    """One line of the history, at the time of the database; unless it says again what is told."""
    text = ADD_HISTORY
    if entry.is_waiting_difference:
        text = ADD_WAITING_DIFFERENCE
    elif entry.is_told_late:
        text = ADD_UNLESS_NAMED
    text.ask(connection, site_id=site_id, link_id=link_id, **from_history(entry))
