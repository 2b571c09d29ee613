"""What was compared and imported, newest first, and what is under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, true

from sync_worker.core.sweep_values import Phase, RunKind
from sync_worker.ledger.statements.runs import DONE, RUNNING
from sync_worker.ledger.tables import run
from sync_worker.ledger.transactions import Transactions

PAGE = 50
POLL = str(RunKind.POLL)
WHOLE = (str(RunKind.BASELINE), str(RunKind.SWEEP))
EVERY_SITE = true()
SPAN = 20_000  # runs of all sites that one page looks through


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One run. ``phase``: where an open one is; times in seconds since 1970."""

    id: int
    site_id: int
    kind: str
    state: str
    reason: str
    phase: str
    counts: Mapping[str, int]
    started_at: float
    ended_at: float | None

    @property
    def is_open(self) -> bool:
        return self.state == RUNNING

    @property
    def is_done(self) -> bool:
        return self.state == DONE


@dataclass(frozen=True, slots=True)
class ComparedPage:
    """``before``: where the next page begins; ``None``: there is no further one."""

    runs: Sequence[ComparedRun]
    before: int | None


class SqlCompared:
    """Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def of_site(self, site_id: int, before: int | None) -> ComparedPage:
        found = self._runs(_is_before(before), run.c.site_id == site_id)
        following = found[PAGE - 1].id if len(found) > PAGE else None
        return ComparedPage(found[:PAGE], following)

    def of_all(self, before: int | None) -> ComparedPage:
        """Looks through a bounded number of runs, so a page may have few."""
        with self._transactions.read() as connection:
            newest = connection.execute(select(func.max(run.c.id))).scalar()
        top = min(before or (newest or 0) + 1, (newest or 0) + 1)
        bottom = max(top - SPAN, 0)
        found = self._runs((run.c.id < top) & (run.c.id >= bottom))
        if len(found) > PAGE:
            return ComparedPage(found[:PAGE], found[PAGE - 1].id)
        following = bottom if bottom > 1 else None
        return ComparedPage(found, following)

    def one(self, run_id: int) -> ComparedRun | None:
        found = self._runs(run.c.id == run_id)
        return found[0] if found else None

    def last_whole(self, site_id: int) -> ComparedRun | None:
        """The last comparison of both sides that came to its end."""
        is_whole = (run.c.site_id == site_id) & run.c.kind.in_(WHOLE) & (run.c.state == DONE)
        last = select(run).where(is_whole).order_by(run.c.started_at.desc()).limit(1)
        with self._transactions.read() as connection:
            row = connection.execute(last).first()
        return None if row is None else _to_run(row)

    def _runs(self, which: Any, its_site: ColumnElement[bool] = EVERY_SITE) -> list[ComparedRun]:
        """One more than a page has. Also of a kind that only a newer version knows.

        A poll looks at what is new; there may be thousands a day, and they compare nothing whole.
        """
        # Two ranges of the index of a site, and no search through its polls.
        is_no_poll = or_(its_site & (run.c.kind < POLL), its_site & (run.c.kind > POLL))
        found = select(run).where(which, is_no_poll).order_by(run.c.id.desc())
        with self._transactions.read() as connection:
            return [_to_run(row) for row in connection.execute(found.limit(PAGE + 1))]


def _is_before(before: int | None) -> Any:
    return run.c.id > 0 if before is None else run.c.id < before


def _to_run(row: Any) -> ComparedRun:
    phase = str((row.cursor or {}).get("phase", Phase.EXTERNAL))
    return ComparedRun(
        row.id,
        row.site_id,
        row.kind,
        row.state,
        row.reason,
        phase,
        row.counts or {},
        row.started_at,
        row.ended_at,
    )
