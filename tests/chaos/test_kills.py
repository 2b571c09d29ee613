"""P1, P2, P13: real processes are killed, Redis is wiped and killed: nothing is lost, nothing is
written twice.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest
from flask import Response

from sync_sandbox.replay import RealRating, Replay, generated_ratings, products_of
from sync_sandbox.stage import Stage
from tests.chaos.conftest import Measured, on
from tests.chaos.strikes import wipe
from tests.end_to_end.conftest import StageMaker

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]

RATINGS = 1250  # each is an event and its echo
FAULTS = 16
WRITES = ("POST /v1/ratings", "PATCH /ratings/v1", "DELETE /ratings/v1")


@contextmanager
def chaos(stage: Stage, seed: int, pause_seconds: float) -> Iterator[dict[str, int]]:
    """Something dies every moment while the block runs, sixteen times.

    Yields how often each fault struck.
    """
    is_over, chance = threading.Event(), random.Random(seed)
    struck = {"worker killed": 0, "redis wiped": 0, "redis killed": 0}

    def kill_worker() -> None:
        stage.parts.restart(
            chance.choice([name for name in stage.parts.parts if name.startswith("worker")])
        )

    def kill_redis() -> None:
        assert stage.parts.redis is not None
        stage.parts.redis.kill()
        is_over.wait(1.0)
        stage.parts.redis.start()

    faults: dict[str, Callable[[], object]] = {
        "worker killed": kill_worker,
        "redis wiped": lambda: wipe(stage.redis_url),
        "redis killed": kill_redis,
    }

    def strike() -> None:
        for name in chance.sample(
            ["worker killed"] * 10 + ["redis wiped"] * 3 + ["redis killed"] * 3, FAULTS
        ):
            if is_over.wait(pause_seconds):
                return
            faults[name]()
            struck[name] += 1

    thread = threading.Thread(target=strike)
    thread.start()
    try:
        yield struck
    finally:
        is_over.set()
        thread.join()


def play_with_chaos(stage: Stage, seed: int, measured: Measured) -> None:
    ratings = generated_ratings(RATINGS, seed=7)
    replay = Replay(stage, ratings, seed, changes=RATINGS // 25)
    with chaos(stage, seed, pause_seconds=1.5) as struck:
        replay.play()
    assert [check.what for check in replay.verdict() if not check.is_good] == []
    events = len(stage.box.wix.webhooks.sent) + len(stage.box.reviews.webhooks.sent)
    assert events >= 2 * RATINGS
    assert struck["worker killed"] >= 3
    assert struck["redis wiped"] + struck["redis killed"] >= 1
    for fault, count in struck.items():
        measured(fault, count)
    measured("events", events)
    measured("events/s", events / replay.seconds)


def ratings_of_all() -> list[RealRating]:
    return generated_ratings(RATINGS, seed=7)


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in (2, 3))]
)
@on(short="postgres")
@pytest.mark.full
def test_2500_events_survive_killed_workers_and_a_wiped_and_killed_redis(
    make_stage: StageMaker, database: dict[str, str], measured: Measured, seed: int
) -> None:
    """Sixteen faults while the events come, on PostgreSQL with two workers, on SQLite with one."""
    workers = 2 if "postgres" in database["DATABASE_URL"] else 1
    stage = make_stage(dict(products_of(ratings_of_all())), settings=database, workers=workers)
    play_with_chaos(stage, seed, measured)


class Trap:
    """Stops write calls at named points of the worker that makes them: before their effect, or
    after it.

    ``most``: how many of each kind of call; they alternate between the two points. What was caught
    is never answered.
    """

    def __init__(self, stage: Stage, most: int) -> None:
        self.caught = threading.Semaphore(0)
        self._most, self._turn, self._let_go = most, threading.Lock(), threading.Event()
        self._seen: Counter[str] = Counter()
        self._at_the_end: set[int] = set()
        stage.box.wix.faults.watch = stage.box.reviews.faults.watch = self._watch

    def _watch(self, moment: str, call: str) -> Response | None:
        if self._let_go.is_set() or not call.startswith(
            ("POST /v1/ratings", "PATCH /ratings/v1", "DELETE /ratings/v1")
        ):
            return None
        with self._turn:
            if moment == "arrived":
                kind = call.split()[0]
                self._seen[kind] += 1
                if self._seen[kind] > self._most:
                    return None
                if self._seen[kind] % 2 == 0:
                    self._at_the_end.add(threading.get_ident())
                    return None
            elif threading.get_ident() in self._at_the_end:
                self._at_the_end.remove(threading.get_ident())
            else:
                return None
        self.caught.release()
        self._let_go.wait(30)
        return Response(status=500)  # nobody is there to read it

    def wait(self, count: int) -> None:
        for _ in range(count):
            assert self.caught.acquire(timeout=20), "a write never came to its named point"

    def open(self) -> None:
        self._let_go.set()


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 10))]
)
@on(short="sqlite")
def test_worker_killed_around_its_remote_write_leaves_exactly_one(
    make_stage: StageMaker, database: dict[str, str], measured: Measured, seed: int
) -> None:
    """A worker killed before or after its remote write leaves exactly one write.

    Two creates, two updates and two deletes are caught, each before and after its effect; their
    worker dies there.

    The contract: others take up a killed worker's work within 30 s.
    """
    products = {f"product-{number}": f"SKU-{number}" for number in range(6)}
    stage: Stage = make_stage(products, settings=database)
    email, ada = "ada@example.com", stage.add_person("ada@example.com", "Ada")
    to_change = [
        stage.rate_on_external(email, "Ada", f"product-{number}", Decimal(4)) for number in (2, 3)
    ]
    for number in (4, 5):
        stage.rate_on_wix(ada, f"product-{number}", 60)
    assert stage.wait_until(
        lambda: stage.is_quiet() and len(stage.rated()) == 4 and not stage.differences(), 20
    )
    writes_before = stage.writes()["app"]

    trap = Trap(stage, most=2)
    for number in (0, 1):
        stage.rate_on_wix(ada, f"product-{number}", 80)
        stage.change_on_external(to_change[number], Decimal(2))
        stage.box.reviews.remove(stage.external_id(email, f"product-{number + 4}"), by="visitor")
    trap.wait(6)
    stage.parts.restart("worker 1")
    killed_at = time.monotonic()
    trap.open()

    followed = stage.wait_until(lambda: not stage.differences() and stage.is_quiet(), 30)
    assert followed, (stage.rated(), stage.status())
    measured("taken up after s", time.monotonic() - killed_at)
    assert {(one.product, one.wix, one.external) for one in stage.rated()} == {
        ("product-0", Decimal(80), Decimal(4)),
        ("product-1", Decimal(80), Decimal(4)),
        ("product-2", Decimal(40), Decimal(2)),
        ("product-3", Decimal(40), Decimal(2)),
    }
    assert stage.writes()["app"] - writes_before == 6
