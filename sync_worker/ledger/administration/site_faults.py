"""Which work of a site fails, since when, and when it is tried again: table ``site_fault``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select

from sync_worker.ledger.process_tables import site_fault
from sync_worker.ledger.rows import fitting
from sync_worker.ledger.transactions import Transactions, insert_into, ledger_now

SITE_WORK = ("sweep", "poll", "hooks", "farewell", "old_shop")
FIRST_PAUSE_SECONDS = 60.0
# Longer than the longest pause: what nobody has tried since then is of a site that is gone.
GONE_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class SiteFault:
    """Work of one site that fails.

    ``source``: the connector of the site; ``failures``: in a row; ``again_in_seconds``: 0 or less
    once it may be tried again.
    """

    work: str
    source: str
    failures: int
    error: str
    failed_seconds_ago: float
    again_in_seconds: float


class SqlSiteFaults:
    """Implements ``KeptFaults`` of the schedule, and answers ``status``."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def standing(self) -> list[SiteFault]:
        """Those of today, the longest first."""
        with self._transactions.read() as connection:
            return standing_faults(connection)

    def note(self, work: str, source: str, error: str, longest_seconds: float) -> int:
        """One more failure: a pause twice as long as the last, up to ``longest_seconds``.

        Returns how many there were in a row.
        """
        which = (site_fault.c.work == work) & (site_fault.c.source == source)
        with self._transactions.write() as connection:
            earlier = connection.execute(select(site_fault.c.failures).where(which)).scalar() or 0
            pause = min(FIRST_PAUSE_SECONDS * 2.0 ** min(earlier, 20), longest_seconds)
            values: dict[str, Any] = {
                "failures": earlier + 1,
                "error": fitting(error, site_fault.c.error),
                "failed_at": ledger_now(),
                "next_try_at": ledger_now() + pause,
            }
            new = insert_into(connection, site_fault).values(work=work, source=source, **values)
            connection.execute(
                new.on_conflict_do_update(index_elements=["work", "source"], set_=values)
            )
        return earlier + 1

    def clear(self, work: str, source: str) -> None:
        """It has worked."""
        which = (site_fault.c.work == work) & (site_fault.c.source == source)
        with self._transactions.write() as connection:
            connection.execute(delete(site_fault).where(which))


def standing_faults(connection: Connection) -> list[SiteFault]:
    """The faults of sites that are still tried, the longest first."""
    ago = (ledger_now() - site_fault.c.failed_at).label("ago")
    again_in = (site_fault.c.next_try_at - ledger_now()).label("again_in")
    found = (
        select(site_fault, ago, again_in)
        .where(site_fault.c.next_try_at > ledger_now() - GONE_SECONDS)
        .order_by(site_fault.c.failures.desc(), site_fault.c.work, site_fault.c.source)
    )
    return [
        SiteFault(
            row.work, row.source, row.failures, row.error, float(row.ago), float(row.again_in)
        )
        for row in connection.execute(found)
    ]


def fault_words(fault: SiteFault) -> str:
    """A fault for people: how often, what, and when it is tried again."""
    times = "once" if fault.failures == 1 else f"{fault.failures} times in a row"
    again = f"again in {fault.again_in_seconds:.0f} s"
    if fault.again_in_seconds <= 0:
        again = "due again"
    return f"{times}, last {fault.failed_seconds_ago:.0f} s ago: {fault.error} ({again})"
