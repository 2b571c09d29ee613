"""P1, P12 to P14 where one task carries several deliveries: a kill, a poison and a stop in it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence

import pytest
from flask import Response
from redis import Redis
from sqlalchemy import select, update

from benchmarks.queue import producer_of
from sync_sandbox.stage import Stage
from sync_worker.core.ports.doorbell import DELIVERY_TASK
from sync_worker.core.values import Change, NewDelivery, Side
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.statements.inbox import OPEN
from sync_worker.ledger.tables import inbox
from sync_worker.ledger.transactions import ledger_now
from tests.chaos.conftest import Measured, on
from tests.chaos.test_poison import Deadly, crossed, held
from tests.chaos.test_stops import stop
from tests.end_to_end.conftest import StageMaker

pytestmark = [pytest.mark.chaos, pytest.mark.full, pytest.mark.timeout(300)]

COUNT = 8
YOUNG = 15.0  # seconds: a worker has started by then, and has come to the third of them
PRODUCTS = {f"product-{number}": f"SKU-{number}" for number in range(COUNT)}
QUEUE = "ratings-sync:sync"


def open_ids(stage: Stage) -> list[int]:
    engine = open_engine(stage.wiring.settings.database)
    with engine.connect() as connection:
        found = connection.execute(select(inbox.c.id).where(inbox.c.state.in_(OPEN)))
        ids = sorted(found.scalars())
    engine.dispose()
    return ids


def rung(redis: Redis) -> set[str]:
    """What the messages of the queue carry: ids of deliveries, in words."""
    messages = [json.loads(one) for one in redis.lrange(QUEUE, 0, -1)]
    return {one["headers"]["argsrepr"] for one in messages}


def end_worker(stage: Stage) -> None:
    process = stage.parts.parts["worker 1"].child.process
    process.kill()
    process.wait()


def hold_the_sweeper_back(stage: Stage, ids: Sequence[int]) -> None:
    engine = open_engine(stage.wiring.settings.database)
    with engine.begin() as connection:
        ours = inbox.c.id.in_(ids)
        connection.execute(update(inbox).where(ours).values(next_attempt_at=ledger_now() + YOUNG))
    engine.dispose()


def rate_together(stage: Stage, first: Sequence[int] = ()) -> list[int]:
    """Ratings of one site in one message, for the next worker; ``first``: what goes before them.

    The sweeper would ring for each of them once the doorbell's seconds are over, and a worker may
    take longer to start: it takes them for young until the test has looked.
    """
    end_worker(stage)
    ada = stage.add_person("ada@example.com", "Ada")
    for product in PRODUCTS:
        stage.rate_on_wix(ada, product, 80)
    assert stage.box.flush(20)
    rated = [one for one in open_ids(stage) if one not in first]
    hold_the_sweeper_back(stage, rated)
    ids = [*first, *rated]
    with Redis.from_url(stage.redis_url) as redis:
        # The gateway rings after its answer, in a thread of its own.
        assert stage.wait_until(lambda: {f"[{one}]" for one in rated} <= rung(redis), 10)
        redis.delete(QUEUE)
    producer = producer_of(stage.redis_url)
    producer.send_task(DELIVERY_TASK, args=ids, queue="sync")
    producer.close()
    return ids


class Caught:
    """The third create outside waits at a moment of its call until it is let go.

    ``goes_on``: it is carried out then; else it ends without an answer that anybody reads.
    """

    def __init__(self, stage: Stage, moment: str, *, goes_on: bool = False) -> None:
        self.is_there, self._let_go = threading.Event(), threading.Event()
        self._moment, self._goes_on, self.seen = moment, goes_on, 0
        stage.box.reviews.faults.watch = self._watch

    def _watch(self, moment: str, call: str) -> Response | None:
        if moment != self._moment or not call.startswith("POST /v1/ratings"):
            return None
        self.seen += 1
        if self.seen != 3:
            return None
        self.is_there.set()
        self._let_go.wait(60)
        return None if self._goes_on else Response(status=500)

    def let_go(self) -> None:
        self._let_go.set()


@pytest.mark.parametrize("moment", ["arrived", "done"])
@on(short="sqlite")
def test_worker_killed_amid_several_deliveries_loses_and_doubles_none(
    make_stage: StageMaker, database: dict[str, str], measured: Measured, moment: str
) -> None:
    """Two are at their end, one is before or after its write, the others have not begun."""
    stage: Stage = make_stage(PRODUCTS, settings=database)
    rate_together(stage)
    caught = Caught(stage, moment)
    stage.parts.restart("worker 1")
    assert caught.is_there.wait(30), "the third delivery of the message never came to its write"
    assert len(crossed(stage)) in (2, 3), "they are worked off one after the other"
    stage.parts.restart("worker 1")
    killed_at = time.monotonic()
    caught.let_go()
    followed = stage.wait_until(lambda: len(crossed(stage)) == COUNT and stage.is_quiet(), 30)
    assert followed, (crossed(stage), stage.status())
    measured("taken up after s", time.monotonic() - killed_at)
    assert stage.differences() == []
    assert stage.writes() == {"visitor": COUNT, "app": COUNT}


@on(short="sqlite")
def test_delivery_that_kills_its_worker_takes_no_other_along(
    make_stage: StageMaker, database: dict[str, str], measured: Measured
) -> None:
    """It stands first in the message: the others cross all the same, and it alone is held."""
    stage: Stage = make_stage(PRODUCTS, settings={**database, "SWEEP_SECONDS": "1"})
    lookup = NewDelivery(Side.EXTERNAL, stage.box.connector, "poison", Change.UPSERT, "poison", {})
    end_worker(stage)
    poison = stage.wiring.ledger.inbox.store(lookup).inbox_id
    deadly = Deadly(stage, {"GET /v1/ratings/poison": "poison"})
    try:
        rate_together(stage, [poison])
        stage.parts.restart("worker 1")
        began = time.monotonic()
        assert stage.wait_until(lambda: len(crossed(stage)) == COUNT, 60), (
            deadly.deaths,
            crossed(stage),
        )
        measured("others crossed after s", time.monotonic() - began)
        assert stage.wait_until(lambda: len(held(stage)) == 1, 150), deadly.deaths
    finally:
        deadly.close()
    assert [(one.id, one.reason) for one in held(stage)] == [(poison, "worker_died")]
    assert stage.writes() == {"visitor": COUNT, "app": COUNT}
    measured("deaths", sum(deadly.deaths.values()))


@on(short="sqlite")
def test_worker_stopped_amid_several_deliveries_begins_none_of_the_rest(
    make_stage: StageMaker, database: dict[str, str], measured: Measured
) -> None:
    """What it has not begun is rung for, each by itself, for whoever comes next."""
    stage: Stage = make_stage(PRODUCTS, settings=database)
    rate_together(stage)
    caught = Caught(stage, "arrived", goes_on=True)
    stage.parts.restart("worker 1")
    assert caught.is_there.wait(30), "the third delivery of the message never came to its write"
    stage.parts.parts["worker 1"].child.process.terminate()
    time.sleep(1.0)
    caught.let_go()
    measured("longest stop in s", stop(stage, "worker 1"))
    assert caught.seen == 3, "it went on"
    with Redis.from_url(stage.redis_url) as redis:
        is_open = {f"[{one}]" for one in open_ids(stage)}
        assert rung(redis) <= is_open, "what has ended"
    stage.parts.restart("worker 1")
    followed = stage.wait_until(lambda: len(crossed(stage)) == COUNT and stage.is_quiet(), 30)
    assert followed, (crossed(stage), stage.status())
    assert stage.differences() == []
    assert stage.writes() == {"visitor": COUNT, "app": COUNT}
