"""P3, P4, P5: the gateway answers every valid delivery in time, whatever hangs or dies
behind it.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
import requests
from sqlalchemy import make_url

from sync_worker.runtime.local.embedded_redis import EmbeddedRedis, embedded_redis
from sync_worker.runtime.waiting import wait_until
from tests.chaos.conftest import Measured, on
from tests.chaos.door import ANSWER_SECONDS, Answer, Door, open_door
from tests.chaos.strikes import STRIKES, OwnPostgres, full_disk, locked, own_postgres
from tests.unit.signed import KEY, OTHER_KEY, pem

pytestmark = [pytest.mark.chaos, pytest.mark.full, pytest.mark.alone, pytest.mark.timeout(180)]

LOAD = 40


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """One that may be struck."""
    with embedded_redis(tmp_path_factory.mktemp("redis")) as redis:
        yield redis


@pytest.fixture
def door(
    tmp_path: Path, environ: dict[str, str], own_redis: EmbeddedRedis, database: dict[str, str]
) -> Iterator[Door]:
    with open_door(tmp_path / "gateway", environ, own_redis, database["DATABASE_URL"]) as door:
        yield door


def assert_all_answered(answers: list[Answer], usual: float = 0.0) -> float:
    """The longest, in seconds; ``usual``: of the same load a moment before, with nothing broken.

    On a machine that others keep busy all answers are slow; a fault may not add its time to that.
    """
    assert {one.status for one in answers} == {200}
    longest = max(one.seconds for one in answers)
    assert longest < ANSWER_SECONDS + usual
    return longest


def assert_all_sent_back(answers: list[Answer]) -> float:
    assert {(one.status, one.retry_after) for one in answers} == {(503, "30")}
    longest = max(one.seconds for one in answers)
    assert longest < ANSWER_SECONDS
    return longest


@on(short="sqlite")
def test_every_delivery_is_answered_in_time_while_redis_is_well(door: Door) -> None:
    before = door.rung()
    assert_all_answered(door.deliver(60))
    # A thread of its own rings, after the answer.
    assert wait_until(lambda: door.rung() - before == 60, 5.0), door.rung()
    assert door.stored() == 60
    assert door.rung() - before == 60, "none is rung for twice"


@pytest.mark.own_redis
@on(short="sqlite")
def test_every_delivery_is_answered_in_time_whatever_redis_does(
    own_redis: EmbeddedRedis,
    measured: Measured,
    tmp_path: Path,
    environ: dict[str, str],
    database: dict[str, str],
) -> None:
    """Six ways to be away, under eight connections; the doorbell rings again when Redis is back.

    Three gateways take turns: while one is struck, the others find out that Redis is back.
    """
    longest, url = 0.0, database["DATABASE_URL"]
    with ExitStack() as stack:
        doors = [
            stack.enter_context(open_door(tmp_path / f"{n}", environ, own_redis, url))
            for n in range(3)
        ]
        for door, strike in zip(doors * 2, STRIKES.values(), strict=True):
            door.ring_until_heard()
            usual = max(one.seconds for one in door.deliver(LOAD))
            with strike(own_redis):
                longest = max(longest, assert_all_answered(door.deliver(LOAD), usual))
        for door in doors:
            door.ring_until_heard()
        assert doors[0].stored() == sum(door.sent for door in doors)
    measured("answered", LOAD * len(STRIKES))
    measured("longest answer in ms", 1000 * longest)


@pytest.mark.own_redis
@pytest.mark.parametrize(
    "name",
    [pytest.param(one, marks=() if one == "frozen" else pytest.mark.long) for one in STRIKES],
)
@on(short="sqlite")
def test_gateway_that_starts_while_redis_is_away_answers_in_time(
    name: str,
    own_redis: EmbeddedRedis,
    measured: Measured,
    tmp_path: Path,
    environ: dict[str, str],
    database: dict[str, str],
) -> None:
    """Its very first publish meets the trouble: no connection is open yet."""
    with (
        STRIKES[name](own_redis),
        open_door(tmp_path / "cold", environ, own_redis, database["DATABASE_URL"]) as door,
    ):
        longest = assert_all_answered(door.deliver(LOAD))
        assert door.stored() == LOAD
    measured("answered", LOAD)
    measured("longest answer in ms", 1000 * longest)


@on(short="sqlite", long=("sqlite",))
def test_locked_ledger_or_full_disk_is_503_and_nothing_is_lost(
    door: Door, database: dict[str, str], measured: Measured
) -> None:
    """A ledger that another process locks or whose disk is full is 503 and nothing is lost.

    Sent again, everything is stored once, by the same processes.
    """
    file, pids = Path(str(make_url(database["DATABASE_URL"]).database)), door.pids()
    assert_all_answered(door.deliver(8))
    longest = 0.0
    is_locked = locked(file)
    for strike in (is_locked, full_disk(pids)):
        before = door.stored()
        with strike:
            struck = time.monotonic()
            longest = max(longest, assert_all_sent_back(door.deliver(LOAD)))
            assert door.says_down(struck)
            assert requests.get(f"{door.url}/healthz", timeout=5).status_code == 200
        # A commit that is under way at the end may follow its 503: the next try is a duplicate.
        assert before <= door.stored() < before + LOAD
        assert_all_answered(door.again())
        assert door.stored() == before + LOAD
        assert wait_until(lambda: door.ready().ok, 8.0), "it can be written again"
    assert door.pids() == pids
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    measured("sent back", 2 * LOAD)
    measured("longest answer in ms", 1000 * longest)


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        yield server


def test_postgresql_that_is_stopped_or_frozen_is_503_and_nothing_is_lost(
    postgres: OwnPostgres,
    own_redis: EmbeddedRedis,
    measured: Measured,
    tmp_path: Path,
    environ: dict[str, str],
) -> None:
    """The gateway finds the new server without a restart."""
    with open_door(tmp_path / "gateway", environ, own_redis, postgres.url) as door:
        pids, longest = door.pids(), 0.0
        assert_all_answered(door.deliver(8))
        for strike in (postgres.stopped, postgres.frozen):
            before = door.stored()
            with strike():
                struck = time.monotonic()
                longest = max(longest, assert_all_sent_back(door.deliver(LOAD)))
                assert door.says_down(struck)
            assert_all_stored_in_the_end(door, before)
        assert door.pids() == pids
        measured("sent back", 2 * LOAD)
        measured("longest answer in ms", 1000 * longest)


def test_process_that_starts_while_postgresql_is_away_waits_for_it(
    postgres: OwnPostgres, own_redis: EmbeddedRedis, tmp_path: Path, environ: dict[str, str]
) -> None:
    """It neither ends nor is it replaced; the others answer meanwhile."""
    with open_door(tmp_path / "gateway", environ, own_redis, postgres.url) as door:
        assert_waits_for_its_ledger(door, postgres.stopped())
        assert_waits_for_its_ledger(door, postgres.frozen())


def assert_waits_for_its_ledger(door: Door, strike: AbstractContextManager[None]) -> None:
    (parent, first, second), before, known = door.pids(), door.stored(), len(door.waiting())
    with strike:
        os.kill(second, signal.SIGKILL)
        assert wait_until(lambda: len(door.waiting()) > known, 60.0)
        assert_all_sent_back(door.deliver(LOAD))
    assert_all_stored_in_the_end(door, before)
    assert wait_until(door.serves_with_all, 60.0)
    assert door.pids() == [parent, first, door.waiting()[known]]


def test_postgresql_that_becomes_read_only_is_503_until_it_can_write(
    postgres: OwnPostgres,
    own_redis: EmbeddedRedis,
    measured: Measured,
    tmp_path: Path,
    environ: dict[str, str],
) -> None:
    """A failover: open sessions are at a server that takes no writes; no restart is needed."""
    with open_door(tmp_path / "gateway", environ, own_redis, postgres.url) as door:
        pids = door.pids()
        assert_all_answered(door.deliver(LOAD))
        before = door.stored()
        with postgres.read_only():
            longest = assert_all_sent_back(door.deliver(LOAD))
            assert wait_until(lambda: door.ready().status_code == 503, 6.0)
            with postgres.writable_for_new_sessions():
                assert_all_stored_in_the_end(door, before)
                assert wait_until(lambda: door.ready().ok, 8.0)
        assert door.pids() == pids
    measured("sent back", LOAD)
    measured("longest answer in ms", 1000 * longest)


def assert_all_stored_in_the_end(door: Door, before: int) -> None:
    """What a frozen server took up before may be committed after all: then its repetition is a
    duplicate.
    """
    assert_all_taken(door, door.again())
    assert door.stored() == before + LOAD


def assert_all_taken(door: Door, answers: list[Answer]) -> None:
    """The last ones, sent again as their sender does where the ledger is away or a busy machine
    was late.
    """
    until = time.monotonic() + 60
    while {one.status for one in answers} != {200}:
        assert {one.status for one in answers} <= {200, 503}
        assert time.monotonic() < until, "the gateway does not recover"
        time.sleep(0.2)
        answers = door.again()


@on(short="sqlite")
def test_fifty_senders_of_one_event_are_answered_200_and_store_it_once(door: Door) -> None:
    door.deliver(1)
    answers = door.post(door.bodies * 50, at_once=50)
    assert_all_answered(answers)
    assert door.stored() == 1


@on(short="sqlite", long=("sqlite",))
def test_key_replaced_while_events_come_costs_none_of_them(
    own_redis: EmbeddedRedis, tmp_path: Path, environ: dict[str, str], database: dict[str, str]
) -> None:
    """A key that is replaced while events come costs none and the retired one opens nothing."""
    url, both = database["DATABASE_URL"], pem(OTHER_KEY) + "\n" + pem()
    with open_door(tmp_path / "both", environ, own_redis, url, both) as door:
        for key in (KEY, OTHER_KEY, KEY, OTHER_KEY):
            assert_all_taken(door, door.deliver(10, key=key))
        assert door.stored() == 40
    with open_door(tmp_path / "new", environ, own_redis, url, pem(OTHER_KEY)) as door:
        assert_all_taken(door, door.deliver(10, key=OTHER_KEY))
        assert {one.status for one in door.deliver(10, key=KEY)} == {401}
        assert door.stored() == 50


@on(short="sqlite", long=("sqlite",))
def test_body_without_an_end_is_cut_off_at_the_limit(door: Door) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield b"x" * 65_536

    try:
        status = requests.post(f"{door.url}/webhooks/wix", data=endless(), timeout=10).status_code
    except requests.ConnectionError:  # answered and closed while we were still sending
        status = 413
    assert status == 413
