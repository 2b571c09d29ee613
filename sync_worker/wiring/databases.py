"""The engines of one process on the ledger's database: for deliveries, and aside of them."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from sync_worker.config import Settings
from sync_worker.ledger.administration.figures import FigureReader, LedgerFigures
from sync_worker.ledger.administration.retention import Retention
from sync_worker.ledger.opening import open_with_newest_schema
from sync_worker.ledger.transactions import Transactions
from sync_worker.ledger.up_check import UpCheck
from sync_worker.wiring.state_folder import make_private_file, make_private_folder

WORKER_SQL_SECONDS = 5.0
GATEWAY_SQL_SECONDS = 0.6


class Databases:
    """Opens engines on DATABASE_URL and disposes of them together. Not for use across a fork."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened = ExitStack()
        if settings.is_sqlite:
            make_private_folder(settings.ratings_sync_home)
            if (file := make_url(settings.database).database) and file != ":memory:":
                make_private_file(Path(file))

    def open(self, threads: int, busy_seconds: float = WORKER_SQL_SECONDS) -> Engine:
        """An engine with the newest schema, with a connection for each of so many threads.

        ``busy_seconds``: how long a statement may wait. Raises Misconfigured.
        """
        engine = open_with_newest_schema(
            self._settings.database, busy_seconds=busy_seconds, pool_size=threads
        )
        self._opened.callback(engine.dispose)
        return engine

    @cached_property
    def aside(self) -> Engine:
        """For what is not a delivery: it must not take a connection from those that are."""
        return self.open(2)

    @cached_property
    def up_check(self) -> UpCheck:
        """Whether the ledger can be written now."""
        return UpCheck(Transactions(self.aside))

    def figures(self) -> LedgerFigures:
        """The ledger's figures of this moment. Raises Transient."""
        return FigureReader(self.aside).figures()

    def close(self) -> None:
        """Let go of all engines; what was made over them is of no use afterwards."""
        self._opened.close()


def retention_of(settings: Settings) -> Retention:
    """How long rows are kept, as the RETENTION_ settings say."""
    return Retention(
        settings.retention_payload_days,
        settings.retention_inbox_days,
        settings.retention_history_days,
        settings.retention_run_days,
    )
