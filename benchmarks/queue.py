"""Work for a worker: deliveries in the ledger's inbox, messages in the queue, and the time until
both are empty.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from celery import Celery
from redis import Redis
from sqlalchemy import Engine, select

from benchmarks.ground import Ground
from benchmarks.machine import processor_seconds_of
from sync_worker.core.scale import FieldMap, Scale
from sync_worker.core.values import Change, Contact, EntityRef, NewDelivery, Side
from sync_worker.ledger.administration.admin import ledger_admin
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.ledger.tables import inbox, link
from sync_worker.runtime.local.processes import Child

PEOPLE = 100
STARS = FieldMap(
    "overall",
    "value",
    Scale(Decimal(0), Decimal(100), Decimal(1)),
    Scale(Decimal(1), Decimal(5), Decimal(1)),
)
PREFIX = "ratings-sync:"
COUNTED_SHARE = 0.9  # of the messages: while the first tenth goes, slots fill and connections open
END_SECONDS = 600.0
LATE_SECONDS = 10.0  # the sweeper's time for the few that found the budget's bucket empty


def store(at: Ground, connector: str, count: int) -> list[int]:
    """Give a new site ``count`` new ratings by mapped people for mapped things.

    Returns their inbox ids.
    """
    engine = open_engine(at.database_url)
    upgrade(engine)
    ledger, admin = sql_ledger(engine), ledger_admin(engine)
    instance = f"instance-{connector}"
    site, _ = admin.sites.add(instance, connector, [STARS])
    things = -(-count // PEOPLE)
    admin.mappings.import_contacts(
        site, [Contact(f"c{one}", f"p{one}@example.com") for one in range(PEOPLE)]
    )
    admin.mappings.import_entities(
        site, [(EntityRef(f"w{one}", "g", "n"), EntityRef(f"e{one}")) for one in range(things)]
    )
    ids = [ledger.inbox.store(_rating(instance, one)).inbox_id for one in range(count)]
    engine.dispose()
    return ids


def _rating(instance: str, number: int) -> NewDelivery:
    rating = {
        "id": f"{instance}-{number}",
        "attributeName": "overall",
        "value": 80,
        "revision": "1",
        "entityId": f"w{number // PEOPLE}",
        "group": "g",
        "namespace": "n",
        "owner": {"contactId": f"c{number % PEOPLE}"},
    }
    payload = {"createdEvent": {"entity": rating}, "entityEventSequence": "1"}
    return NewDelivery(
        Side.WIX, instance, f"event-{number}", Change.UPSERT, str(rating["id"]), payload, 1
    )


def check_that_all_crossed(at: Ground, ids: Sequence[int], seconds: float = LATE_SECONDS) -> None:
    """A rate of ratings that failed would be no rate. Raises RuntimeError unless all are across
    within this time.

    A rating is across when its delivery is done and its link has the external record on file.
    """
    until = time.monotonic() + seconds
    engine = open_engine(at.database_url)
    try:
        while missed := _not_across(engine, ids):
            if time.monotonic() > until:
                words = ", ".join(f"{count} {how}" for how, count in missed.most_common(5))
                raise RuntimeError(
                    f"{missed.total()} of {len(ids)} ratings have not crossed: {words}"
                )
            time.sleep(0.1)
    finally:
        engine.dispose()


def _not_across(engine: Engine, ids: Sequence[int]) -> Counter[str]:
    """How the deliveries ended that brought nothing across."""
    found = select(inbox.c.id, inbox.c.state, inbox.c.reason, link.c.external_id)
    found = found.outerjoin(link, link.c.id == inbox.c.link_id).where(
        inbox.c.id.between(min(ids), max(ids))
    )
    with engine.connect() as connection:
        rows = {row.id: row for row in connection.execute(found)}
    are_across = {
        row.id for row in rows.values() if row.state == "done" and row.external_id is not None
    }
    return Counter(
        f"{rows[one].state} {rows[one].reason}".strip() for one in ids if one not in are_across
    )


def producer_of(broker: str) -> Celery:
    """Who sends messages into the workers' queue."""
    producer = Celery("benchmarks", broker=broker, set_as_current=False)
    producer.conf.update(
        broker_transport_options={"global_keyprefix": PREFIX},
        task_default_queue="sync",
        task_default_exchange_type="direct",
        task_ignore_result=True,
    )
    return producer


@dataclass(frozen=True, slots=True)
class Drained:
    """``cpu_ms``: processor time of the worker processes for each message."""

    each_second: float
    cpu_ms: float


@dataclass(frozen=True)
class Queue:
    """The queue of worker processes that run. Every round is drained to its end."""

    at: Ground
    workers: Sequence[Child]
    lines: Sequence[str]

    def drain(self, task: str, ids: Sequence[int]) -> Drained:
        """From the first tenth to the last. The workers are frozen while the queue fills.

        Raises RuntimeError with the workers' last lines if they do not get through.
        """
        with Redis.from_url(self.at.redis.url) as redis:
            self.wait_until_it_listens(redis)
            self._signal(signal.SIGSTOP)
            try:
                self.send(task, ids)
            finally:
                self._signal(signal.SIGCONT)
            counted = int(len(ids) * COUNTED_SHARE)
            self._wait_for(redis, counted)
            started, worked, left = time.monotonic(), self._worked(), self._left(redis)
            self._wait_for(redis, 0)
            return Drained(
                left / (time.monotonic() - started), (self._worked() - worked) / left * 1000
            )

    def _worked(self) -> float:
        return sum(processor_seconds_of(one.process.pid) for one in self.workers)

    def _signal(self, which: signal.Signals) -> None:
        for one in self.workers:
            os.kill(one.process.pid, which)

    def send(self, task: str, ids: Sequence[int], together: int = 1) -> None:
        """So many in each message."""
        producer = producer_of(self.at.redis.url)
        for start in range(0, len(ids), together):
            producer.send_task(task, args=list(ids[start : start + together]), queue="sync")
        producer.close()

    def wait_until_it_listens(self, redis: Redis) -> None:
        """A worker that waits for messages is blocked in a BRPOP."""
        until = time.monotonic() + 60
        while sum(one["cmd"] == "brpop" for one in redis.client_list()) < len(self.workers):
            self._give_up_after(until)
            time.sleep(0.02)

    def wait_until_empty(self) -> None:
        """Nothing waits, and nothing is in hand."""
        with Redis.from_url(self.at.redis.url) as redis:
            self._wait_for(redis, 0)

    def _wait_for(self, redis: Redis, left: int) -> None:
        until = time.monotonic() + END_SECONDS
        while self._left(redis) > left:
            self._give_up_after(until)
            time.sleep(0.005)

    def _give_up_after(self, until: float) -> None:
        is_gone = any(one.process.poll() is not None for one in self.workers)
        if is_gone or time.monotonic() > until:
            raise RuntimeError("the workers did not get through:\n" + "\n".join(self.lines[-20:]))

    def _left(self, redis: Redis) -> int:
        """Messages in the queue or in hand."""
        with redis.pipeline(transaction=False) as pipe:
            pipe.llen(f"{PREFIX}sync")
            pipe.hlen(f"{PREFIX}unacked")
            return sum(int(one) for one in pipe.execute())
