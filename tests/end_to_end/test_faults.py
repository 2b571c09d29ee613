"""Real processes are killed, Redis is wiped and killed: nothing is lost, nothing is written twice."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest
from flask import Response
from redis import Redis
from redis.exceptions import RedisError

from sandbox.replay import Replay, generated_ratings, products_of
from sandbox.stage import Stage
from tests.end_to_end.conftest import StageMaker

pytestmark = [pytest.mark.alone, pytest.mark.timeout(400)]

PRODUCTS = {"beans": "SKU-1", "tea": "SKU-2", "cups": "SKU-3"}


@contextmanager
def chaos(stage: Stage, seed: int, pause_seconds: float) -> Iterator[dict[str, int]]:
    """Something dies every few seconds, until the block ends. Yields how often each fault struck."""
    stopped, chance = threading.Event(), random.Random(seed)
    struck = {"worker killed": 0, "redis wiped": 0, "redis killed": 0}

    def kill_worker() -> None:
        stage.parts.restart(chance.choice([name for name in stage.parts.parts if name.startswith("worker")]))

    def wipe_redis() -> None:
        with Redis.from_url(stage.redis_url, socket_timeout=2) as redis:
            redis.flushall()

    def kill_redis() -> None:
        assert stage.parts.redis is not None
        stage.parts.redis.kill()
        stopped.wait(1.5)
        stage.parts.redis.start()

    faults = {"worker killed": kill_worker, "redis wiped": wipe_redis, "redis killed": kill_redis}

    def strike() -> None:
        while not stopped.wait(pause_seconds):
            name = chance.choices(list(faults), (3, 1, 1))[0]
            try:
                faults[name]()
            except RedisError:
                continue
            struck[name] += 1

    thread = threading.Thread(target=strike)
    thread.start()
    try:
        yield struck
    finally:
        stopped.set()
        thread.join()


def play_with_chaos(stage: Stage, count: int, seed: int) -> dict[str, int]:
    replay = Replay(stage, generated_ratings_of(count), seed, changes=count // 25)
    with chaos(stage, seed, pause_seconds=3.0) as struck:
        replay.play()
    assert [check.what for check in replay.verdict() if not check.is_good] == []
    assert len(stage.box.wix.webhooks.sent) + len(stage.box.reviews.webhooks.sent) >= 2 * count
    return struck


def generated_ratings_of(count: int) -> list:  # type: ignore[type-arg]  # of RealRating
    return generated_ratings(count, seed=7)


def test_2500_events_survive_killed_workers_and_a_wiped_and_killed_redis(
    make_stage: StageMaker, postgres_url: str
) -> None:
    products = dict(products_of(generated_ratings_of(1250)))
    stage = make_stage(products, settings={"DATABASE_URL": postgres_url}, workers=2)
    struck = play_with_chaos(stage, 1250, seed=1)
    assert struck["worker killed"] >= 2


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(5))
def test_2500_events_survive_on_sqlite_too(make_stage: StageMaker, seed: int) -> None:
    stage = make_stage(dict(products_of(generated_ratings_of(1250))))
    play_with_chaos(stage, 1250, seed)


@pytest.mark.parametrize("moment", ["arrived", "done"])
def test_worker_killed_before_or_after_its_remote_write_leaves_exactly_one_write(
    make_stage: StageMaker, moment: str
) -> None:
    """A create, an update and a delete are all caught at the named point of one worker, which dies there."""
    stage = make_stage(PRODUCTS)
    ada = stage.add_person("ada@example.com", "Ada")
    to_change = stage.rate_on_external("ada@example.com", "Ada", "tea", Decimal(4))
    stage.rate_on_wix(ada, "cups", 60)
    assert stage.wait_until(lambda: stage.is_quiet() and len(stage.rated()) == 2 and not stage.differences(), 20)
    writes_before = stage.writes()["app"]

    caught, is_dead = threading.Semaphore(0), threading.Event()
    hold = threading.local()

    def watch(at: str, call: str) -> Response | None:
        is_write = call.startswith(("POST /v1/ratings", "PATCH /ratings/v1", "DELETE /ratings/v1"))
        if at != moment or is_dead.is_set() or not is_write:
            return None
        hold.call = call
        caught.release()
        is_dead.wait(20)
        return Response(status=500)  # nobody is there to read it

    stage.box.wix.faults.watch = stage.box.reviews.faults.watch = watch
    stage.rate_on_wix(ada, "beans", 80)
    stage.change_on_external(to_change, Decimal(2))
    stage.box.reviews.remove(stage.external_id("ada@example.com", "cups"), by="visitor")
    for _ in range(3):
        assert caught.acquire(timeout=15), "a write never came to the named point"
    stage.parts.restart("worker 1")
    is_dead.set()

    # The contract: a killed worker's work is taken up within 30 s.
    followed = stage.wait_until(lambda: not stage.differences() and stage.is_quiet(), 35)
    assert followed, (stage.rated(), stage.status())
    assert {(one.product, one.wix, one.external) for one in stage.rated()} == {
        ("beans", Decimal(80), Decimal(4)),
        ("tea", Decimal(40), Decimal(2)),
    }
    assert stage.writes()["app"] - writes_before == 3
