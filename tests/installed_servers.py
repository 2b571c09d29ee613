"""The machine's own Redis and PostgreSQL, beside those of the wheels: ``--server``.

``pytest --server redis`` runs the tests that are about Redis, against the ``redis-server`` or
``valkey-server`` on the PATH; ``--server postgresql`` those that use a PostgreSQL, against the
newest installed one (``initdb`` on the PATH, or where Debian's packages put it). Given twice, both.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sync_worker.runtime.local.free_port import free_port

FIXTURES = {"redis": "redis_server", "postgresql": "postgres_server"}
# What a test that starts a server only in some of its cases calls those.
CASES = {
    "redis": {"redis", "redis_server"},
    "postgresql": {
        "postgresql",
        "postgres_server",
        "postgres_url",
        "fresh_postgres_url",
        "empty_postgres_url",
    },
}
DEBIAN = Path("/usr/lib/postgresql")  # one folder a major version


def binary_of(server: str) -> Path:
    """Where the machine's own ``server`` is. Raises UsageError with what would install it."""
    if server == "redis":
        found = shutil.which("redis-server") or shutil.which("valkey-server")
    else:
        found = shutil.which("initdb") or _newest(DEBIAN)
    if found is None:
        raise pytest.UsageError(f"no {server} is installed here: apt-get install {server}")
    return Path(found).resolve() if server == "postgresql" else Path(found)


def _newest(versions: Path) -> str | None:
    found = sorted(versions.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return str(found[-1]) if found else None


def version_of(server: str) -> str:
    """What the server says of itself, in one line."""
    binary = binary_of(server)
    command = binary if server == "redis" else binary.with_name("postgres")
    return subprocess.run(
        [command, "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()


def uses(item: pytest.Item, server: str) -> bool:
    """Whether a test is about ``server``, by its mark, or else by its fixtures or its case."""
    if item.get_closest_marker(f"own_{server}") is not None:
        return True
    if item.get_closest_marker(f"any_{server}") is not None:
        return False
    case = getattr(item, "callspec", None)
    cases = {str(value) for value in case.params.values()} if case is not None else set()
    return FIXTURES[server] in getattr(item, "fixturenames", ()) or bool(cases & CASES[server])


@contextmanager
def installed_postgresql(folder: Path) -> Iterator[str]:
    """A server of the machine's own PostgreSQL, its data in ``folder``; the URL of ``postgres``.

    The superuser of a machine may not run it: then it runs as the user that Debian's package makes.
    """
    programs, data, port = binary_of("postgresql").parent, folder / "data", free_port()
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    as_user = user if os.geteuid() == 0 else []
    if as_user:
        folder.chmod(0o755)
        data.mkdir()
        shutil.chown(data, "postgres", "postgres")
    _run(*as_user, programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N")
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories="
    options += " -c fsync=off -c full_page_writes=off -c autovacuum=off -c max_connections=200"
    control: list[str | Path] = [*as_user, programs / "pg_ctl", "-D", data, "-w"]
    _run(*control, "-o", options, "-l", data / "log", "start")
    try:
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres?connect_timeout=10"
    finally:
        _run(*control, "-m", "immediate", "stop")


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
