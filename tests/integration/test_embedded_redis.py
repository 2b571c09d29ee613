"""The Redis that `up`, the demo and the tests bring along: the real server inside the wheel."""

from __future__ import annotations

import shutil
from pathlib import Path

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


def test_machine_without_a_server_is_told_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(Misconfigured, match=r"pip install 'ratings-sync\[local\]'"):
        module.find_server()
