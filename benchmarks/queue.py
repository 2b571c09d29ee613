"""Work for a worker: deliveries in the ledger's inbox, messages in the queue, and the time until both are empty."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from celery import Celery
from redis import Redis

from benchmarks.ground import Ground
from sync_worker.adapters.ledger import SqlLedger
from sync_worker.adapters.ledger_admin import LedgerAdmin
from sync_worker.adapters.sql_engine import open_engine
from sync_worker.migrations.upgrade import upgrade
from sync_worker.model import Contact, EntityRef, NewDelivery, Side
from sync_worker.processes import Child
from sync_worker.scale import FieldMap, Scale

PEOPLE = 100
STARS = FieldMap(
    "overall", "value", Scale(Decimal(0), Decimal(100), Decimal(1)), Scale(Decimal(1), Decimal(5), Decimal(1))
)
PREFIX = "ratings-sync:"
COUNTED_SHARE = 0.9  # of the messages: while the first tenth goes, slots fill and connections open
END_SECONDS = 600.0


def store(at: Ground, connector: str, count: int) -> list[int]:
    """A site of its own with ``count`` new ratings, by mapped people for mapped things; their inbox ids."""
    engine = open_engine(at.database_url)
    upgrade(engine)
    ledger, admin = SqlLedger(engine), LedgerAdmin(engine)
    instance = f"instance-{connector}"
    site, _ = admin.add_site(instance, connector, [STARS])
    things = -(-count // PEOPLE)
    admin.import_contacts(site, [Contact(f"c{one}", f"p{one}@example.com") for one in range(PEOPLE)])
    admin.import_entities(site, [(EntityRef(f"w{one}", "g", "n"), EntityRef(f"e{one}")) for one in range(things)])
    ids = [ledger.store(_rating(instance, one)).inbox_id for one in range(count)]
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
    return NewDelivery(Side.WIX, instance, f"event-{number}", "upsert", str(rating["id"]), payload, 1)


@dataclass(frozen=True)
class Queue:
    """The queue of a worker that runs. Every round is drained to its end."""

    at: Ground
    worker: Child
    lines: Sequence[str]

    def drain(self, task: str, ids: Sequence[int]) -> float:
        """Messages a second, from the first tenth to the last. The worker is frozen while the queue fills.

        Raises RuntimeError with the worker's last lines if it does not get through.
        """
        with Redis.from_url(self.at.redis.url) as redis:
            self._wait_until_it_listens(redis)
            os.kill(self.worker.process.pid, signal.SIGSTOP)
            try:
                self._send(task, ids)
            finally:
                os.kill(self.worker.process.pid, signal.SIGCONT)
            counted = int(len(ids) * COUNTED_SHARE)
            self._wait_for(redis, counted)
            started, left = time.monotonic(), self._left(redis)
            self._wait_for(redis, 0)
            return left / (time.monotonic() - started)

    def _send(self, task: str, ids: Sequence[int]) -> None:
        producer = Celery("benchmarks", broker=self.at.redis.url, set_as_current=False)
        producer.conf.update(
            broker_transport_options={"global_keyprefix": PREFIX},
            task_default_queue="sync",
            task_default_exchange_type="direct",
            task_ignore_result=True,
        )
        for inbox_id in ids:
            producer.send_task(task, args=[inbox_id], queue="sync")
        producer.close()

    def _wait_until_it_listens(self, redis: Redis) -> None:
        """A worker that waits for messages is blocked in a BRPOP."""
        until = time.monotonic() + 60
        while not any(one["cmd"] == "brpop" for one in redis.client_list()):
            self._give_up_after(until)
            time.sleep(0.02)

    def _wait_for(self, redis: Redis, left: int) -> None:
        until = time.monotonic() + END_SECONDS
        while self._left(redis) > left:
            self._give_up_after(until)
            time.sleep(0.005)

    def _give_up_after(self, until: float) -> None:
        if self.worker.process.poll() is not None or time.monotonic() > until:
            raise RuntimeError("the worker did not get through:\n" + "\n".join(self.lines[-20:]))

    def _left(self, redis: Redis) -> int:
        """Messages in the queue or in hand."""
        with redis.pipeline(transaction=False) as pipe:
            pipe.llen(f"{PREFIX}sync")
            pipe.hlen(f"{PREFIX}unacked")
            return sum(int(one) for one in pipe.execute())
