"""The engines of one process on the ledger's database: for deliveries, and aside of them."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property

from sqlalchemy import Engine

from sync_worker.config import Settings
from sync_worker.files.state_folder import make_private_file, make_private_folder
from sync_worker.ledger.administration.figures import FigureReader, LedgerFigures
from sync_worker.ledger.administration.retention import Retention
from sync_worker.ledger.opening import file_of, open_with_newest_schema
from sync_worker.ledger.transactions import Transactions
from sync_worker.ledger.up_check import UpCheck

WORKER_SQL_SECONDS = 5.0
GATEWAY_SQL_SECONDS = 0.6
# Threads of the door come free by themselves, long before their process counts as hung.
GATEWAY_SILENT_SECONDS = 2.5


class Databases:
    """Opens engines on DATABASE_URL and disposes of them together. Not for use across a fork.

    ``makes_ledger``: whether a ledger that is not there is begun, as processes do it; a command
    that only asks begins none.
    """

    def __init__(self, settings: Settings, *, makes_ledger: bool = True) -> None:
        self._settings, self.makes_ledger = settings, makes_ledger
        self._opened = ExitStack()

    def open(
        self,
        threads: int,
        busy_seconds: float = WORKER_SQL_SECONDS,
        silent_seconds: float | None = None,
    ) -> Engine:
        """An engine with the newest schema, with a connection for each of so many threads.

        ``busy_seconds``: how long a statement may wait; ``silent_seconds``: how long PostgreSQL may
        say nothing to one. Raises NoLedger, LedgerAway, Misconfigured.
        """
        url = self._settings.database
        file = file_of(url)
        if self._settings.is_sqlite and (self.makes_ledger or (file and file.exists())):
            make_private_folder(self._settings.ratings_sync_home)
            if file is not None:
                make_private_file(file)
        engine = open_with_newest_schema(
            url,
            busy_seconds=busy_seconds,
            pool_size=threads,
            makes=self.makes_ledger,
            silent_seconds=silent_seconds,
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
        settings.retention_words_days,
        settings.retention_removed_days,
    )
