"""P12: what no worker can read or finish blocks nothing and ends no worker."""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pytest
from flask import Response
from redis import Redis
from sqlalchemy import select, text, update

from sync_sandbox.stage import Stage
from sync_worker.core.ports.inbox import MAX_DEATHS, TRACK_AFTER
from sync_worker.core.values import Change, NewDelivery, Side
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.statements.inbox import OPEN
from sync_worker.ledger.tables import inbox, link
from tests.chaos.conftest import Measured, on
from tests.end_to_end.conftest import StageMaker

pytestmark = [pytest.mark.chaos, pytest.mark.full, pytest.mark.timeout(180)]

PRODUCTS = {f"product-{number}": f"SKU-{number}" for number in range(30)}
QUEUE = "ratings-sync:sync"


def frame(body: Any = None, **changes: Any) -> dict[str, Any]:
    """A message as our gateway's Celery writes it; ``changes`` replace parts of it."""
    text = json.dumps(
        [[1], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    )
    properties = {
        "correlation_id": "c-1",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "sync", "routing_key": "sync"},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": "tag-1",
    }
    whole = {
        "body": base64.b64encode(text.encode()).decode() if body is None else body,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": "sync_worker.tasks.sync_delivery",
            "id": "c-1",
            "retries": 0,
        },
        "properties": properties,
    }
    return {**whole, **changes}


def encoded(content: object) -> str:
    return base64.b64encode(json.dumps(content).encode()).decode()


POISON: dict[str, Any] = {
    "no json": b"\xff\xfe not json",
    "empty": b"",
    "too deep": b"[" * 100_000,
    "a list": json.dumps([1, 2]),
    "a number": json.dumps(7),
    "null": json.dumps(None),
    "no parts": json.dumps({}),
    "no base64": json.dumps(frame("%%%")),
    "null body": json.dumps(frame(encoded(None))),
    "a body that is text": json.dumps(frame(encoded("text"))),
    "a body of another form": json.dumps(frame(encoded([1, 2, 3]))),
    "a body that is no string": json.dumps(frame(17)),
    "another content type": json.dumps(frame(**{"content-type": "application/x-python-serialize"})),
    "no properties": json.dumps(frame(properties={})),
    "no address": json.dumps(frame(properties={**frame()["properties"], "delivery_info": {}})),
    "no headers": json.dumps(frame(headers=None)),
    "unknown task": json.dumps(
        frame(headers={"task": "sync_worker.tasks.of_tomorrow", "id": "c-2"})
    ),
    "a time that is none": json.dumps(
        frame(headers={**frame()["headers"], "eta": "tomorrow", "expires": "never"})
    ),
    "limits that are none": json.dumps(
        frame(headers={**frame()["headers"], "timelimit": "x", "retries": "many"})
    ),
    "argument of another kind": json.dumps(frame(encoded([["abc"], {}, {}]))),
    "too many arguments": json.dumps(frame(encoded([[1, 2, 3], {}, {}]))),
    "an id beyond any": json.dumps(frame(encoded([[10**30], {}, {}]))),
}


@pytest.mark.own_redis
@on(short="sqlite")
def test_broken_messages_in_the_queue_stop_no_worker_and_delay_nobody(
    make_stage: StageMaker, database: dict[str, str], measured: Measured
) -> None:
    """Each before and after a real doorbell; nobody restarts the worker."""
    stage: Stage = make_stage(PRODUCTS, settings=database)
    ada = stage.add_person("ada@example.com", "Ada")
    worker = stage.parts.parts["worker 1"].child
    with Redis.from_url(stage.redis_url) as redis:
        for product, poison in zip(PRODUCTS, POISON.values(), strict=False):
            redis.lpush(QUEUE, poison)
            stage.rate_on_wix(ada, product, 80)
            redis.rpush(QUEUE, poison)
        followed = stage.wait_until(
            lambda: len(stage.rated()) == len(POISON) and not stage.differences(), 30
        )
        assert worker.process.poll() is None, "the worker has ended"
        assert followed, (stage.status(), redis.llen(QUEUE))
        assert stage.wait_until(lambda: redis.llen(QUEUE) == 0, 10)
    assert stage.writes() == {"visitor": len(POISON), "app": len(POISON)}
    measured("broken messages", 2 * len(POISON))


@on(short="sqlite")
def test_unforeseen_delivery_is_tried_ever_later_and_held_in_the_end(
    make_stage: StageMaker, database: dict[str, str]
) -> None:
    """A delivery that nobody foresaw is tried ever later and held in the end.

    Something in its row that no code expects; what comes beside it is not delayed.
    """
    stage: Stage = make_stage(PRODUCTS, settings=database)
    poison = stage.wiring.ledger.inbox.store(
        NewDelivery(
            Side.WIX, stage.box.wix.instance_id, "poison", Change.UPSERT, "rating-of-poison", {}
        )
    ).inbox_id
    change(stage, "UPDATE inbox SET payload = '[1]', next_attempt_at = 0 WHERE id = :id", poison)
    stage.rate_on_wix(stage.add_person("ada@example.com", "Ada"), "product-1", 80)
    assert stage.wait_until(lambda: not stage.differences() and len(stage.rated()) == 1, 15)

    assert stage.wait_until(lambda: row(stage, poison).attempts == 1, 20), row(stage, poison)
    tried = row(stage, poison)
    assert (tried.state, tried.reason.partition(":")[0]) == ("new", "unforeseen")
    change(
        stage,
        "UPDATE inbox SET next_attempt_at = 0, received_at = received_at - 172801 WHERE id = :id",
        poison,
    )
    assert stage.wait_until(lambda: row(stage, poison).state == "held", 20), row(stage, poison)
    assert row(stage, poison).reason == "attempts_exhausted"
    assert stage.parts.processes.dead() is None


class Deadly:
    """Calls for certain records end the worker that makes them (SIGKILL, before any answer), and a
    new one starts.

    ``calls``: and the remote id of the delivery that leads to them. While no worker runs, pauses
    and leases of all of them are cut short (the others may have been in the dead one's hands), and
    after a few deaths most of the count is skipped: schedule and count have tests of their own.
    """

    SKIPPED_AFTER, LEFT = 4, 2

    def __init__(self, stage: Stage, calls: Mapping[str, str]) -> None:
        self._stage, self._calls, self._turn = stage, calls, threading.Lock()
        self._engine = open_engine(stage.wiring.settings.database)
        self.deaths: Counter[str] = Counter()
        stage.box.wix.faults.watch = stage.box.reviews.faults.watch = self._watch

    def _watch(self, moment: str, call: str) -> Response | None:
        if moment != "arrived" or call not in self._calls:
            return None
        with self._turn:  # the second of two calls at once came from the dead one, too
            self.deaths[call] += 1
            worker = self._stage.parts.parts["worker 1"].child.process
            worker.kill()
            worker.wait()
            with self._engine.begin() as connection:
                theirs = inbox.c.remote_id.in_(self._calls.values()) & inbox.c.state.in_(OPEN)
                their_links = link.c.id.in_(select(inbox.c.link_id).where(theirs))
                connection.execute(update(link).where(their_links).values(lease_until=1))
                connection.execute(update(inbox).where(theirs).values(next_attempt_at=0))
                if self.deaths[call] == self.SKIPPED_AFTER:
                    its = theirs & (inbox.c.remote_id == self._calls[call])
                    skipped = TRACK_AFTER + MAX_DEATHS - self.LEFT
                    connection.execute(
                        update(inbox)
                        .where(its, inbox.c.unended > TRACK_AFTER)
                        .values(unended=skipped)
                    )
            self._stage.parts.restart("worker 1")
        return Response(status=500)  # without any effect; nobody is there to read it

    def close(self) -> None:
        self._engine.dispose()


@on(short="sqlite")
@pytest.mark.timeout(300)
def test_delivery_that_kills_its_worker_is_held_and_others_cross(
    make_stage: StageMaker, database: dict[str, str], measured: Measured
) -> None:
    """A delivery that kills its worker is held and what comes beside it crosses.

    One kills as its record is looked for, before anything is noted of it; one in the middle of a
    run.

    Nobody else's delivery is held with them, though it was in the same worker's hands.
    """
    stage: Stage = make_stage(PRODUCTS, settings={**database, "SWEEP_SECONDS": "1"})
    ada, email = stage.add_person("ada@example.com", "Ada"), "ada@example.com"
    rating = stage.rate_on_wix(ada, "product-0", 80)
    assert stage.wait_until(
        lambda: stage.is_quiet() and not stage.differences() and len(stage.rated()) == 1, 20
    )
    record = stage.external_id(email, "product-0")

    deadly = Deadly(
        stage, {"GET /v1/ratings/poison": "poison", f"PUT /v1/ratings/{record}": rating}
    )
    try:
        lookup = NewDelivery(
            Side.EXTERNAL, stage.box.connector, "poison", Change.UPSERT, "poison", {}
        )
        poison = stage.wiring.ledger.inbox.store(lookup).inbox_id
        stage.change_on_wix(rating, 20)
        for number in range(1, 12):
            stage.rate_on_wix(ada, f"product-{number}", 60)
            stage.wait_until(partial(has_crossed, stage, f"product-{number}"), 4)
        assert sum(deadly.deaths.values()) > 0
        is_over = stage.wait_until(lambda: len(crossed(stage)) == 12 and len(held(stage)) == 2, 150)
        assert is_over, (deadly.deaths, held(stage), crossed(stage))
    finally:
        deadly.close()
    assert {one.reason for one in held(stage)} == {"worker_died"}
    assert row(stage, poison).state == "held"
    most = TRACK_AFTER + MAX_DEATHS
    assert all(Deadly.SKIPPED_AFTER <= count <= most for count in deadly.deaths.values()), (
        deadly.deaths
    )
    # Each death after the second skip counts for whoever was in the worker's hands, so whose it was
    # is left to chance.
    assert sum(deadly.deaths.values()) >= len(deadly.deaths) * Deadly.SKIPPED_AFTER + Deadly.LEFT, (
        deadly.deaths
    )
    measured("deaths", sum(deadly.deaths.values()))


def has_crossed(stage: Stage, product: str) -> bool:
    return product in crossed(stage)


def crossed(stage: Stage) -> set[str]:
    """Products that both sides show a rating of."""
    return {one.product for one in stage.rated() if None not in (one.wix, one.external)}


def held(stage: Stage) -> Sequence[Any]:
    engine = open_engine(stage.wiring.settings.database)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT id, reason FROM inbox WHERE state = 'held'")).all()
    engine.dispose()
    return found


def change(stage: Stage, statement: str, inbox_id: int) -> None:
    engine = open_engine(stage.wiring.settings.database)
    with engine.begin() as connection:
        connection.execute(text(statement), {"id": inbox_id})
    engine.dispose()


def row(stage: Stage, inbox_id: int) -> Any:
    engine = open_engine(stage.wiring.settings.database)
    with engine.connect() as connection:
        asked = text("SELECT state, reason, attempts FROM inbox WHERE id = :id")
        found = connection.execute(asked, {"id": inbox_id}).one()
    engine.dispose()
    return found
