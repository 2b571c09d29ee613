"""Where a figure comes from: the machine, its versions, and what a process holds of its memory."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from sync_worker.runtime.local.embedded_redis import find_server

PACKAGES = (
    "celery",
    "kombu",
    "flask",
    "waitress",
    "sqlalchemy",
    "psycopg",
    "redis",
    "requests",
    "pyjwt",
)
BUSY_SHARE = 0.3  # of the cores; a load above it before a benchmark begins is other people's work


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine, as a report names it."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str
    commit: str
    when: str
    versions: Mapping[str, str]


def machine() -> Machine:
    memory = next(
        (line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), "0"
    )
    versions = versions_of(PACKAGES) | {
        "SQLite": sqlite3.sqlite_version,
        "redis-server": _redis_version(),
    }
    return Machine(
        _processor(),
        os.cpu_count() or 1,
        round(int(memory) / 1024**2, 1),
        f"{platform.system()} {platform.release()}",
        platform.python_version(),
        _said_by(["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]),
        datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        versions,
    )


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """As they are installed here."""
    return {name: version(name) for name in packages}


def _processor() -> str:
    names = (
        line.partition(":")[2].strip()
        for line in _lines("/proc/cpuinfo")
        if line.startswith("model name")
    )
    return next(names, platform.processor() or platform.machine())


def _redis_version() -> str:
    words = _said_by([find_server(), "--version"]).split()
    return next((word.removeprefix("v=") for word in words if word.startswith("v=")), "unknown")


def _said_by(command: list[str]) -> str:
    """The first line that a command prints; nothing if it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except OSError:
        return ""
    return done.stdout.partition("\n")[0].strip()


def load() -> float:
    """Processes that want a core, averaged over the last minute."""
    return os.getloadavg()[0]


def sync_ms(count: int = 50) -> float:
    """Milliseconds until a page is safe on the disk where benchmarks keep their databases; no
    commit takes less.
    """
    times = []
    with tempfile.NamedTemporaryFile(prefix="ratings-sync-bench-") as file:
        for _ in range(count):
            file.write(b"x" * 4096)
            file.flush()
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - started)
    return median(times) * 1000


def is_busy(load_before: float) -> bool:
    """Whether somebody else was at work on this machine before a benchmark began."""
    return load_before > BUSY_SHARE * (os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one process, in MB.

    ``own``: its pages, and its share of those that it has in common with others.
    """

    name: str
    resident: float
    own: float


def memory_of(pid: int, name: str) -> Memory:
    """Raises OSError for a process that has ended."""
    kilobytes = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        word, _, rest = line.partition(":")
        kilobytes[word] = int(rest.split()[0])
    return Memory(name, kilobytes["Rss"] / 1024, kilobytes["Pss"] / 1024)


def processor_seconds_of(pid: int) -> float:
    """What all threads of a process have worked since it began.

    Raises OSError for one that has ended.
    """
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def children_of(pid: int) -> list[int]:
    """Of a process that has one thread, as gunicorn's master and PostgreSQL's postmaster have."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
