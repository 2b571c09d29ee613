"""One app, many sites: a running fleet is given accounts of three platforms, which come and go
while ratings flow; nothing is lost, and nothing crosses from one site to another.

The long forms, with their figures on the screen:
``pytest -m long -s tests/end_to_end/test_many_sites.py``.
"""

from __future__ import annotations

import json
import os
import random
import socket
import statistics
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import flask
import pytest
import requests

from sync_sandbox.platforms.bigcommerce import BigCommerce
from sync_worker.config import load_settings
from sync_worker.runtime.local.free_port import free_port
from tests.end_to_end.test_canary import _dump, _listen, _rows
from tests.end_to_end.test_processes import _tasks
from tests.fleet_of_sites import EVERYBODY, SERVED_SECONDS, FleetOfSites, Served, wait_for
from tests.ledgers import create_database
from tests.lent_databases import new_name

TOKEN = "canary-token-of-metrics"
ADDED_PER_SECOND = 5.0  # 1,000 in 200 s
full = pytest.mark.full
pytestmark = [pytest.mark.alone, pytest.mark.timeout(1200)]


@contextmanager
def a_fleet(folder: Path, server: str, **more: object) -> Iterator[FleetOfSites]:
    """2 gateway and 2 worker processes; what they said last is printed."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    url, lines = create_database(server, new_name()), deque[str](maxlen=100)
    fleet = FleetOfSites(folder, environ, url, **more)  # type: ignore[arg-type]  # its fields
    told = fleet.say

    def say(name: str, line: str) -> None:
        lines.append(f"{name} | {line}")
        told(name, line)

    fleet.say = say
    try:
        with fleet:
            yield fleet
    finally:
        print("\n".join(lines))  # noqa: T201 - pytest shows it only where a test failed


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[FleetOfSites]:
    """A small one, whose log says all that there is to say."""
    settings = {
        "LOG_LEVEL": "DEBUG",
        "LOG_FORMAT": "json",
        "METRICS_TOKEN": TOKEN,
        "METRICS_BIND": f"127.0.0.1:{free_port()}",
    }
    folder = tmp_path_factory.mktemp("fleet")
    with a_fleet(folder, postgres_server, settings=settings, flower_port=free_port()) as running:
        yield running


@pytest.fixture
def large_fleet(tmp_path: Path, postgres_server: str) -> Iterator[FleetOfSites]:
    with a_fleet(tmp_path, postgres_server) as running:
        yield running


@contextmanager
def ratings_flowing(fleet: FleetOfSites, among: Sequence[Served]) -> Iterator[None]:
    """Somebody rates in some site all the time."""
    is_over, chance = threading.Event(), random.Random(1)

    def flow() -> None:
        round_ = 0
        while not is_over.wait(0.05):
            round_ += 1
            fleet.rate_both_ways(chance.choice(among), round_)

    thread = threading.Thread(target=flow)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def let_accounts_come_and_go(
    fleet: FleetOfSites, count: int, per_second: float | None = None
) -> float:
    """Seconds until so many accounts were added; ``per_second``: the pace of the script.

    Each serves its first rating both ways within a minute of its creation. Then one in a hundred is
    revoked, one in a hundred gets another address, one in a hundred is paused for a while.
    """
    added = fleet.add_all(count, per_second)
    late = [one.shop.number for one in fleet.served if (one.seconds or 999.0) > SERVED_SECONDS]
    assert late == [], fleet.differences()

    few, others = max(1, count // 100), list(fleet.served)
    revoked, rotated, paused = (others[place * few : (place + 1) * few] for place in range(3))
    with ratings_flowing(fleet, others[few:]):
        for one in paused:
            fleet.pause(one)
        for one in rotated:
            fleet.rotate(one)
        for one in revoked:
            fleet.revoke(one)
        # What a strange shop of the same platform has signed is refused.
        assert set(fleet.forged(others[3 * few : 6 * few], others[6 * few : 9 * few])) == {401}
        time.sleep(2.0)  # every process knows by now
        for one in paused:
            fleet.rate_both_ways(one, 10_000)
        time.sleep(2.0)
        waiting = [one.shop.shown()[f"10000.{EVERYBODY}"] for one in paused]
        shut = [fleet.post_to(one) for one in revoked]
        for one in paused:
            fleet.resume(one)
    assert all(None in pair for pair in waiting)  # nothing crosses before
    assert set(shut) == {404}
    wait_for(lambda: not fleet.differences(without=revoked), 120.0)
    assert fleet.differences(without=revoked) == {}
    assert fleet.crossed() == []
    return added


@full
def test_accounts_come_and_go_while_ratings_flow(fleet: FleetOfSites) -> None:
    """None is lost, none crosses; and no secret of an account stands where it does not belong."""
    sent: list[str] = []
    is_over = threading.Event()
    redis_url = load_settings(fleet.parts.environ).broker
    listener = threading.Thread(target=_listen, args=(redis_url, sent, is_over))
    listener.start()
    lines: list[str] = []
    fleet.parts.processes.say = lambda name, line: lines.append(line)
    try:
        let_accounts_come_and_go(fleet, 24)
    finally:
        is_over.set()
        listener.join()

    header = {"Authorization": f"Bearer {TOKEN}"}
    told = (fleet.parts.gateway_url, f"http://{fleet.everything['METRICS_BIND']}")
    shown = {
        "logs": "\n".join(lines),
        "Redis": _dump(redis_url),
        "messages": "\n".join(sent),
        "Flower": json.dumps(_tasks(f"http://127.0.0.1:{fleet.flower_port}")),
        "metrics": "".join(
            requests.get(f"{url}/metrics", headers=header, timeout=5).text for url in told
        ),
        "database": _rows(fleet.database_url),
    }
    hidden = fleet.secrets()
    assert len(hidden) > 24
    for place, content in shown.items():
        assert content, f"{place}: nothing was looked at"
        assert [one for one in hidden if one in content] == [], place
    assert "remote_call" in shown["logs"], "the log was not detailed enough to prove anything"
    public = [one.account.public_id for one in fleet.served]
    # The one gauge that names accounts, the 20 with most troubles, is bounded.
    lines = shown["metrics"].splitlines()
    others = [line for line in lines if "ratings_sync_account_troubles" not in line]
    assert [one for one in public if one in "\n".join(others)] == [], "a label for each account"


class Hanging:
    """A shop that accepts calls and answers none. ``most``: who waited at one time."""

    def __init__(self) -> None:
        self.is_over = threading.Event()
        self.most = self._waiting = 0
        self._turn = threading.Lock()

    def __call__(self, moment: str, call: str) -> None:
        if moment != "arrived":
            return
        with self._turn:
            self._waiting += 1
            self.most = max(self.most, self._waiting)
        sock = flask.request.environ["werkzeug.socket"]
        while not self.is_over.wait(0.02) and not has_hung_up(sock):
            pass
        with self._turn:
            self._waiting -= 1


def has_hung_up(sock: socket.socket) -> bool:
    try:
        return not sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


@full
def test_hanging_account_leaves_slots_to_the_others(fleet: FleetOfSites) -> None:
    """It holds a quarter of them at most, whatever else of its site ends quickly."""
    hanging, *others = [fleet.add() for _ in range(4)]
    hang = Hanging()
    hanging.shop.platform.faults.watch = hang
    slots = fleet.workers * load_settings(fleet.everything).slots
    for number in range(2 * slots):
        hanging.shop.rate_on_wix(f"person{number}@example.com", 4)
    for one in others:
        for number in range(8):
            one.shop.rate_on_wix(f"person{number}@example.com", 2)
    try:
        assert wait_for(lambda: all(one.shop.is_as_expected() for one in others), 60.0)
        assert 1 <= hang.most <= slots // 4, "more than a quarter of the slots"
        assert not hanging.shop.platform.reviews
    finally:
        hang.is_over.set()
        hanging.shop.platform.faults.watch = None
    assert wait_for(hanging.shop.is_as_expected, 60.0)


@pytest.mark.long
def test_1000_accounts_are_added_in_minutes_and_none_loses_a_rating(
    large_fleet: FleetOfSites,
) -> None:
    """The script paces itself: it adds faster than a small fleet serves.

    On a machine of two cores the fleet, the shops' stand-ins, Wix's stand-in and the script share
    both; they bring some seven new accounts a second to their first rating both ways.
    """
    added = let_accounts_come_and_go(large_fleet, 1000, ADDED_PER_SECOND)
    seconds = [one.seconds or 999.0 for one in large_fleet.served]
    print(  # noqa: T201 - what the long form is for
        f"1,000 accounts were added in {added:.0f} s; each had served its first rating both ways"
        f" within {max(seconds):.1f} s of its creation, half of them within"
        f" {statistics.median(seconds):.1f} s"
    )
    assert added < 300.0


@pytest.mark.long
def test_three_bad_accounts_hardly_slow_the_others(large_fleet: FleetOfSites) -> None:
    """One hangs, one floods (half of all webhooks), one has a wrong secret."""
    fleet = large_fleet
    fleet.add_all(33)  # each has served its first rating
    hanging, flooding, wrong, *others = fleet.served
    alone = fleet.latencies(others, seconds=30.0, per_second=5.0)
    # The same work of shops that are well, to tell what the machine itself makes of it.
    more = [(one, 1.0) for one in others[:9]]
    alike = fleet.latencies(others[9:], seconds=30.0, per_second=5.0, beside=more)
    hanging.shop.platform.faults.set("hang", chance=1.0)
    assert isinstance(wrong.shop.platform, BigCommerce)
    wrong.shop.platform.access_token = "bc-another-token"
    bad = [(hanging, 1.0), (flooding, 7.0), (wrong, 1.0)]
    beside = fleet.latencies(others, seconds=30.0, per_second=5.0, beside=bad)
    ratio = statistics.median(beside) / statistics.median(alone)
    print(  # noqa: T201 - what the long form is for
        f"30 accounts, median until a rating is on the other side:"
        f" {1000 * statistics.median(alone):.0f} ms alone, {1000 * statistics.median(beside):.0f}"
        f" ms beside one that hangs, one that floods and one with a wrong secret: {ratio:.2f} x;"
        f" {1000 * statistics.median(alike):.0f} ms beside as many ratings in shops that are well"
    )
    assert ratio < 1.2
