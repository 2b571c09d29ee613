"""Which processes work on the ledger, and when each last showed a sign: table ``heartbeat``."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from packaging.version import InvalidVersion, Version
from sqlalchemy import Connection, select

from sync_worker.core.processes import Process, ProcessKind, our_version
from sync_worker.ledger.process_tables import heartbeat
from sync_worker.ledger.rows import fitting
from sync_worker.ledger.transactions import Transactions, insert_into, ledger_now

# A sign or two may come late, or wait for the lock of SQLite.
MAX_SILENCE_SIGNS = 3
MAX_SILENCE_SECONDS = 30.0
GONE_DAYS = 1.0


@dataclass(frozen=True, slots=True)
class SeenProcess:
    """A process, as the ledger knows it; times in seconds since 1970 by the ledger's clock.

    ``clock_ahead``: how far its own clock was ahead of the ledger's, in seconds; ``stopped_at``:
    ``None`` unless it ended as it was told to.
    """

    kind: ProcessKind
    host: str
    pid: int
    version: str
    started_at: float
    seen_at: float
    seen_ago: float
    every_seconds: float
    clock_ahead: float
    slots: int
    busy: int
    stopped_at: float | None

    @property
    def is_alive(self) -> bool:
        """Whether its last sign is young enough."""
        longest = max(MAX_SILENCE_SECONDS, MAX_SILENCE_SIGNS * self.every_seconds)
        return self.stopped_at is None and self.seen_ago <= longest

    @property
    def name(self) -> str:
        return f"{self.host} (pid {self.pid})"


class SqlHeartbeats:
    """Notes signs of life, in one statement each; answers ``status`` and ``doctor``."""

    def __init__(
        self, transactions: Transactions, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._transactions, self._wall_clock = transactions, wall_clock

    def note(self, process: Process, ago: float = 0.0) -> None:
        """It showed a sign so many seconds ago. Raises Transient."""
        seen: dict[str, Any] = {
            "version": fitting(process.version, heartbeat.c.version),
            "seen_at": ledger_now() - ago,
            "every_seconds": process.every_seconds,
            "clock_ahead": self._wall_clock() - ledger_now(),
            "slots": process.slots,
            "busy": process.busy,
            "stopped_at": None,
        }
        started_at = ledger_now() - ago
        # Containers that start again keep their name and number.
        if process.up_seconds is not None:
            started_at = seen["started_at"] = ledger_now() - process.up_seconds
        which = {
            "id": fitting(process.id, heartbeat.c.id),
            "kind": str(process.kind),
            "host": fitting(process.host, heartbeat.c.host),
            "pid": process.pid,
        }
        with self._transactions.single() as connection:
            new = insert_into(connection, heartbeat).values(
                **which | {"started_at": started_at} | seen
            )
            connection.execute(new.on_conflict_do_update(index_elements=["id"], set_=seen))

    def note_stop(self, process: Process) -> None:
        """It ends, as it was told to. Raises Transient."""
        with self._transactions.single() as connection:
            connection.execute(
                heartbeat.update()
                .where(heartbeat.c.id == fitting(process.id, heartbeat.c.id))
                .values(stopped_at=ledger_now())
            )

    def all(self) -> list[SeenProcess]:
        """Those that were seen within a day, the newest sign first. Raises Transient."""
        with self._transactions.read() as connection:
            return seen_processes(connection)


def seen_processes(connection: Connection) -> list[SeenProcess]:
    ago = (ledger_now() - heartbeat.c.seen_at).label("ago")
    return [_seen(row) for row in connection.execute(select(heartbeat, ago).order_by(ago))]


def living_processes(connection: Connection) -> dict[str, int]:
    """How many there are of each kind."""
    alive = Counter(str(one.kind) for one in seen_processes(connection) if one.is_alive)
    return dict.fromkeys(map(str, ProcessKind), 0) | alive


def older_processes(connection: Connection) -> list[SeenProcess]:
    """Those alive of an older version than ours, or of one that cannot be compared with it.

    Without schedulers: they touch no rating, and workers tell of them, which know no version.
    """
    alive = [one for one in seen_processes(connection) if one.is_alive]
    alive = [one for one in alive if one.kind is not ProcessKind.BEAT]
    return [one for one in alive if not _is_as_new(one.version, our_version())]


def _is_as_new(version: str, ours: str) -> bool:
    if version == ours:
        return True
    try:
        return Version(version) >= Version(ours)
    except InvalidVersion:
        # Nobody knows what it can do.
        return False


def _seen(row: Any) -> SeenProcess:
    return SeenProcess(
        ProcessKind(row.kind),
        row.host,
        row.pid,
        row.version,
        row.started_at,
        row.seen_at,
        max(0.0, float(row.ago)),
        row.every_seconds,
        row.clock_ahead,
        row.slots,
        row.busy,
        row.stopped_at,
    )
