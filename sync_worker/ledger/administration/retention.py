"""What the ledger forgets, by age and in small batches: none holds a lock for long.

Never forgotten: what is open or held, links and their bases, mappings, tombstones; but for a site
that was removed and has rested long enough, of which everything goes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, and_, func, literal_column, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from sync_worker.core.values import IntentState, Side
from sync_worker.ledger.administration.door_counts import HOUR_SECONDS, KEPT_DAYS
from sync_worker.ledger.administration.heartbeats import GONE_DAYS
from sync_worker.ledger.administration.leaving import LeavingSites
from sync_worker.ledger.administration.site_faults import GONE_SECONDS
from sync_worker.ledger.console.forgetting import forget_keys
from sync_worker.ledger.imports.statements import count_old_rows, is_old_file, wipe_rows
from sync_worker.ledger.imports.tables import import_file
from sync_worker.ledger.process_tables import door_count, heartbeat, site_fault
from sync_worker.ledger.statements.clock import is_older
from sync_worker.ledger.statements.erasure import is_refusal, shorten_refusals
from sync_worker.ledger.statements.inbox import ENDED, OPEN
from sync_worker.ledger.tables import history, inbox, intent, run, site
from sync_worker.ledger.transactions import Transactions

BATCH = 500
HASH_LENGTH = 20
WORDS_OF_HISTORY = ("words_before", "words_after", "words_loser")
DAY_SECONDS = 86_400.0
LEAST_DAYS = 3  # Wix delivers again for 47 h; a delivery id must be known longer than that
NO_PAYLOAD: ColumnElement[str] = literal_column(
    "'{}'"
)  # as text: the column's own type would make JSON of it


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days each kind of row is kept after its end."""

    # What a webhook or a file carried: e-mail addresses and texts may stand in it.
    payload_days: float = 7.0
    inbox_days: float = 30.0  # delivery ids (duplicates are known that long) and closed intents
    history_days: float = 365.0
    run_days: float = 90.0  # runs, and that files were sent
    words_days: float = 30.0  # what people wrote, and refusals quote, in the history: then a hash
    removed_days: float = 30.0  # everything of a site, after its removal


class LedgerRetention:
    """Forgets what is older than a Retention."""

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)
        self._leaving = LeavingSites(self._transactions)

    def prune(self, keep: Retention, *, batch: int = BATCH) -> Iterator[tuple[str, int]]:
        """One batch at each step: (what was forgotten, how many rows).

        Ends when nothing is left to forget.
        """
        for what, step in self.steps(keep, batch=batch).items():
            while (count := step()) > 0:
                yield what, count
        self.forget_log()

    def forget_log(self) -> None:
        """Finish erasures: SQLite's log could perhaps not be emptied at their time."""
        self._transactions.forget_log()

    def steps(self, keep: Retention, *, batch: int = BATCH) -> dict[str, Callable[[], int]]:
        """By kind of row: forgets one batch, and returns how many rows that were."""
        return {
            "payloads": lambda: self._empty_payloads(keep.payload_days, batch),
            "deliveries": lambda: self._delete(inbox, self._old_deliveries(keep.inbox_days), batch),
            "intents": lambda: self._delete(intent, self._old_intents(keep.inbox_days), batch),
            "history": lambda: self._delete_history(keep.history_days, batch),
            "words": lambda: self._hash_words(keep.words_days, batch),
            "refusals": lambda: self._shorten_refusals(keep.words_days, batch),
            "runs": lambda: self._delete(run, _is_older(run.c.ended_at, keep.run_days), batch),
            "import_rows": lambda: self._wipe_imports(keep.payload_days, batch),
            "import_files": lambda: self._delete(
                import_file, is_old_file(keep.run_days * DAY_SECONDS), batch
            ),
            "site_faults": lambda: self._delete(site_fault, _is_of_gone_site(), batch),
            "heartbeats": lambda: self._delete(
                heartbeat, _is_older(heartbeat.c.seen_at, GONE_DAYS), batch
            ),
            "door_counts": self._delete_door_counts,
            "removed_sites": lambda: self._leaving.forget_some(keep.removed_days, batch),
        }

    def _old_deliveries(self, days: float) -> Any:
        """Ended ones, and those held for a site that nobody added in that time."""
        is_over = inbox.c.state.in_(ENDED) | (inbox.c.reason == "unknown_site")
        return and_(_is_older(inbox.c.closed_at, days), is_over, inbox.c.state.not_in(OPEN))

    def _old_payloads(self, days: float) -> Any:
        is_old = and_(_is_older(inbox.c.closed_at, days), inbox.c.payload != NO_PAYLOAD)
        return and_(is_old, inbox.c.state.in_(ENDED))

    def _old_intents(self, days: float) -> Any:
        return and_(_is_older(intent.c.closed_at, days), intent.c.state != str(IntentState.OPEN))

    def _delete(self, table: Any, is_old: Any, batch: int) -> int:
        """Delete a batch of old rows; how many."""
        # The condition stands twice: a row put back to work between look and delete must stay.
        ids = select(table.c.id).where(is_old).limit(batch)
        with self._transactions.write() as connection:
            return int(
                connection.execute(table.delete().where(table.c.id.in_(ids), is_old)).rowcount
            )

    def _delete_history(self, days: float, batch: int) -> int:
        """Delete a batch of old lines; how many."""
        # Lines are numbered as they are written: the oldest come first, without an index on time.
        first = select(history.c.id, history.c.at).order_by(history.c.id).limit(batch).subquery()
        ids = select(first.c.id).where(_is_older(first.c.at, days))
        with self._transactions.write() as connection:
            return int(connection.execute(history.delete().where(history.c.id.in_(ids))).rowcount)

    def _hash_words(self, days: float, batch: int) -> int:
        """Forget a batch of old words of the history; in how many lines that was."""
        columns = [history.c[name] for name in WORDS_OF_HISTORY]
        found = select(history.c.id, *columns).where(_has_words(), _is_older(history.c.at, days))
        with self._transactions.write() as connection:
            rows = connection.execute(found.order_by(history.c.at).limit(batch)).all()
            for row in rows:
                hashed = {name: _hashed(getattr(row, name)) for name in WORDS_OF_HISTORY}
                # Asked again: an erasure may have emptied the line since the look.
                its_line = update(history).where(history.c.id == row.id, _has_words())
                connection.execute(its_line.values(**hashed, words_hashed=True))
        return len(rows)

    def _shorten_refusals(self, days: float, batch: int) -> int:
        """Forget a batch of what remotes said of writes that they refused; how many."""
        with self._transactions.write() as connection:
            return shorten_refusals(connection, _is_old_refusal(days), batch)

    def _wipe_imports(self, days: float, batch: int) -> int:
        """Forget a batch of the rows of files that were sent; how many."""
        with self._transactions.write() as connection:
            return wipe_rows(connection, days * DAY_SECONDS, batch)

    def _delete_door_counts(self) -> int:
        """Delete the counts of old hours: a few hundred a day, so all at once; how many."""
        is_old = _is_older(door_count.c.hour * HOUR_SECONDS, KEPT_DAYS)
        with self._transactions.write() as connection:
            return int(connection.execute(door_count.delete().where(is_old)).rowcount)

    def _empty_payloads(self, days: float, batch: int) -> int:
        """Empty a batch of old payloads; how many.

        The delivery keeps its id, so a replay reads the record from its side.
        """
        is_old = self._old_payloads(days)
        ids = select(inbox.c.id).where(is_old).limit(batch)
        with self._transactions.write() as connection:
            emptied = update(inbox).where(inbox.c.id.in_(ids), is_old).values(payload=NO_PAYLOAD)
            emptied_ids = connection.execute(emptied.returning(inbox.c.id)).scalars().all()
            forget_keys(connection, emptied_ids)
            return len(emptied_ids)

    def waiting(self, keep: Retention) -> Mapping[str, int]:
        """How many rows the next pruning would forget, by kind."""
        old = {
            "payloads": (inbox, self._old_payloads(keep.payload_days)),
            "deliveries": (inbox, self._old_deliveries(keep.inbox_days)),
            "intents": (intent, self._old_intents(keep.inbox_days)),
            "history": (history, _is_older(history.c.at, keep.history_days)),
            "words": (history, and_(_has_words(), _is_older(history.c.at, keep.words_days))),
            "refusals": (history, _is_old_refusal(keep.words_days)),
            "runs": (run, _is_older(run.c.ended_at, keep.run_days)),
        }
        with self._transactions.read() as connection:
            counts = {
                what: int(
                    connection.execute(
                        select(func.count()).select_from(table).where(which)
                    ).scalar_one()
                )
                for what, (table, which) in old.items()
            }
            old_rows = count_old_rows(connection, keep.payload_days * DAY_SECONDS)
            counts["import_rows"] = old_rows
        return counts | {"removed_sites": self._leaving.waiting(keep.removed_days)}


def _has_words() -> Any:
    """The lines of ix_history_words."""
    told = or_(*(history.c[name].is_not(None) for name in WORDS_OF_HISTORY))
    return and_(told, ~history.c.words_hashed)


def _is_old_refusal(days: float) -> Any:
    """By ix_history_recent: of every site and side, as few lines are refusals."""
    of_sites = history.c.site_id.in_(select(site.c.id)) & history.c.side.in_([*map(str, Side)])
    return and_(of_sites, is_refusal(), _is_older(history.c.at, days))


def _hashed(words: str | None) -> str | None:
    """Enough to know a text again, and nothing of what it said."""
    if words is None:
        return None
    digest = hashlib.sha256(words.encode()).hexdigest()[:HASH_LENGTH]
    return f"({len(words)} characters, sha256 {digest})"


def _is_older(column: Any, days: float) -> Any:
    return is_older(column, days * DAY_SECONDS)


def _is_of_gone_site() -> Any:
    """Nobody has tried that work for long after its pause: its site or connector is gone."""
    return is_older(site_fault.c.next_try_at, GONE_SECONDS)
