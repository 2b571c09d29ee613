"""How the ledger stands, in a few reads over small indexes: cheap however many rows it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, func, select

from sync_worker.core.values import InboxState, IntentState, Side, SideState
from sync_worker.ledger.accounts.tables import site_side
from sync_worker.ledger.administration.heartbeats import living_processes
from sync_worker.ledger.administration.site_faults import SiteFault, standing_faults
from sync_worker.ledger.administration.standing import site_counts
from sync_worker.ledger.statements.inbox import ENDED, OPEN
from sync_worker.ledger.tables import inbox, intent, run
from sync_worker.ledger.transactions import Transactions, ledger_now

RECENT_SECONDS = 300.0
MAX_RECENT = 1000  # of the newest ended deliveries: enough for a quantile
HOUR_SECONDS = 3600.0
QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class RunFigures:
    """The newest ended run of a kind.

    ``counts``: its own numbers, drift found and healed among them; ``reason``: why it was given up.
    """

    kind: str
    state: str
    ended_seconds_ago: float
    counts: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LedgerFigures:
    """How the ledger stands at one moment.

    ``delivery_age_seconds``: by quantile, from the door to the end, of what ended in the last five
    minutes.

    ``most_attempts``: failed attempts of the delivery that failed most; ``most_for_one_link``:
    deliveries on their way for the link that has most of them; ``site_faults``: sweeps, polls and
    hook checks of one site that fail; ``sites``: by how they stand, ``never_compared`` among them;
    ``processes``: those that live, by kind; ``failing_accounts``: refused by their remote, by side.
    """

    open: Mapping[str, int]
    held: Mapping[str, int]
    oldest_open_seconds: float
    open_intents: int
    near_misses_last_hour: int
    delivery_age_seconds: Mapping[float, float]
    runs: Sequence[RunFigures] = ()
    most_attempts: int = 0
    most_for_one_link: int = 0
    site_faults: Sequence[SiteFault] = ()
    sites: Mapping[str, int] = field(default_factory=dict)
    processes: Mapping[str, int] = field(default_factory=dict)
    failing_accounts: Mapping[str, int] = field(default_factory=dict)


class FigureReader:
    """Reads LedgerFigures."""

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    def figures(self) -> LedgerFigures:
        """Raises Transient."""
        with self._transactions.read() as connection:
            oldest_open_seconds, most_attempts = self._oldest_and_toughest(connection)
            return LedgerFigures(
                open=self._open(connection),
                held=_counts(connection, inbox.c.reason, inbox.c.state == str(InboxState.HELD)),
                oldest_open_seconds=oldest_open_seconds,
                open_intents=_count(connection, intent.c.state == str(IntentState.OPEN), intent),
                near_misses_last_hour=self._near_misses(connection),
                delivery_age_seconds=self._ages(connection),
                runs=self._runs(connection),
                most_attempts=most_attempts,
                most_for_one_link=self._most_for_one_link(connection),
                site_faults=standing_faults(connection),
                sites=site_counts(connection),
                processes=living_processes(connection),
                failing_accounts=_failing_accounts(connection),
            )

    def _open(self, connection: Connection) -> dict[str, int]:
        return dict.fromkeys(OPEN, 0) | _counts(connection, inbox.c.state, inbox.c.state.in_(OPEN))

    def _oldest_and_toughest(self, connection: Connection) -> tuple[float, int]:
        """Age of the oldest open delivery in seconds, and the most failed attempts of any."""
        asked = select(ledger_now() - func.min(inbox.c.received_at), func.max(inbox.c.attempts))
        age, attempts = connection.execute(asked.where(inbox.c.state.in_(OPEN))).one()
        return max(0.0, float(age or 0.0)), int(attempts or 0)

    def _most_for_one_link(self, connection: Connection) -> int:
        counts = select(func.count().label("count")).where(
            inbox.c.state.in_(OPEN), inbox.c.link_id.is_not(None)
        )
        by_link = counts.group_by(inbox.c.link_id).subquery()
        return int(connection.execute(select(func.max(by_link.c.count))).scalar() or 0)

    def _near_misses(self, connection: Connection) -> int:
        """Processed events that carry our identity, but that neither ledger nor intent knew."""
        is_recent = (inbox.c.closed_at > ledger_now() - HOUR_SECONDS) & inbox.c.is_ours
        is_processed = (inbox.c.state == str(InboxState.DONE)) & inbox.c.reason.in_(
            ("synced", "in_step")
        )
        return _count(connection, is_recent & is_processed, inbox)

    def _ages(self, connection: Connection) -> dict[float, float]:
        rows = (
            select(inbox.c.closed_at - inbox.c.received_at)
            .where(inbox.c.closed_at > ledger_now() - RECENT_SECONDS, inbox.c.state.in_(ENDED))
            .order_by(inbox.c.closed_at.desc())
            .limit(MAX_RECENT)
        )
        ages = sorted(float(age) for age in connection.execute(rows).scalars())
        if not ages:
            return {}
        last = len(ages) - 1
        return {share: ages[min(last, int(share * len(ages)))] for share in QUANTILES}

    def _runs(self, connection: Connection) -> list[RunFigures]:
        newest = select(func.max(run.c.id)).where(run.c.ended_at.is_not(None)).group_by(run.c.kind)
        found = (
            select(run, (ledger_now() - run.c.ended_at).label("ago"))
            .where(run.c.id.in_(newest))
            .order_by(run.c.kind)
        )
        return [
            RunFigures(
                row.kind, row.state, max(0.0, float(row.ago)), _numbers(row.counts), row.reason
            )
            for row in connection.execute(found)
        ]


def _failing_accounts(connection: Connection) -> dict[str, int]:
    fails = site_side.c.state == str(SideState.FAILING)
    return dict.fromkeys(map(str, Side), 0) | _counts(connection, site_side.c.side, fails)


def _numbers(counts: Any) -> dict[str, int]:
    if not isinstance(counts, Mapping):
        return {}
    return {
        name: number
        for name, number in counts.items()
        if isinstance(number, int) and not isinstance(number, bool)
    }


def _count(connection: Connection, which: Any, table: Any) -> int:
    return int(
        connection.execute(select(func.count()).select_from(table).where(which)).scalar_one()
    )


def _counts(connection: Connection, column: Any, which: Any) -> dict[str, int]:
    counted = select(column, func.count()).where(which).group_by(column).order_by(column)
    return {str(name): int(number) for name, number in connection.execute(counted)}
