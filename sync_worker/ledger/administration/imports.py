"""Imports of files as runs in the ledger: how far each came, for ``status``."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Engine, update

from sync_worker.ledger.tables import run
from sync_worker.ledger.transactions import Transactions, ledger_now

IMPORT = "import"
LEASE_SECONDS = 600.0  # above the longest chunk of rows at the slowest pace


class ImportRuns:
    """An import keeps no cursor: every row finds out for itself whether it is there already."""

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    def begin(self, site_id: int) -> int:
        """A new run; those of processes that died are given up."""
        theirs = (run.c.site_id == site_id) & (run.c.kind == IMPORT) & (run.c.state == "running")
        row = {"site_id": site_id, "kind": IMPORT, "state": "running", "counts": {}, "fence": 1}
        times = {"started_at": ledger_now(), "lease_until": ledger_now() + LEASE_SECONDS}
        with self._transactions.write() as connection:
            dead = update(run).where(theirs, run.c.lease_until <= ledger_now())
            connection.execute(dead.values(state="abandoned", ended_at=ledger_now()))
            return int(
                connection.execute(
                    run.insert().values(row | times).returning(run.c.id)
                ).scalar_one()
            )

    def save(self, run_id: int, counts: Mapping[str, int]) -> None:
        """How far it is."""
        values = {"counts": dict(counts), "lease_until": ledger_now() + LEASE_SECONDS}
        with self._transactions.write() as connection:
            connection.execute(update(run).where(run.c.id == run_id).values(values))

    def end(self, run_id: int, counts: Mapping[str, int], *, is_whole: bool) -> None:
        """The file is at its end, or the import was stopped."""
        state = "done" if is_whole else "abandoned"
        values = {
            "counts": dict(counts),
            "state": state,
            "ended_at": ledger_now(),
            "lease_until": 0.0,
        }
        with self._transactions.write() as connection:
            connection.execute(update(run).where(run.c.id == run_id).values(values))
