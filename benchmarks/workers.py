"""How many ratings a worker process brings across in a second, against Celery tasks that do nothing on the same pool.

Every rating is new: contact and entity are mapped, the external record is created. Messages are in the queue before
the worker starts; the rate is taken from the first tenth of them to the last.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from celery import Celery
from redis import Redis

from benchmarks.ground import Ground, ground
from sync_worker.adapters.ledger import SqlLedger
from sync_worker.adapters.ledger_admin import LedgerAdmin
from sync_worker.adapters.sql_engine import open_engine
from sync_worker.migrations.upgrade import upgrade
from sync_worker.model import Contact, EntityRef, NewDelivery, Side
from sync_worker.processes import QUIET, Processes
from sync_worker.scale import FieldMap, Scale

PEOPLE = 100
STARS = FieldMap(
    "overall", "value", Scale(Decimal(0), Decimal(100), Decimal(1)), Scale(Decimal(1), Decimal(5), Decimal(1))
)
PREFIX = "ratings-sync:"
END_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Rate:
    """``each_second`` in one setting; ``bound``: what slots ÷ latency would give, ``None`` without a latency."""

    database: str
    slots: int
    latency_ms: int
    each_second: float
    nothing_each_second: float
    memory_mb: float

    @property
    def bound(self) -> float | None:
        return self.slots / (self.latency_ms / 1000) if self.latency_ms else None


def measure(database: str, slots: int, latencies_ms: Sequence[int], count: int) -> list[Rate]:
    """One run: tasks that do nothing first, then ratings at each latency, on the same machine and pool."""
    with ground(database) as at:
        nothing, _ = _drain(at, "benchmarks.nothing", list(range(count)), slots, {})
        rates = []
        for number, latency in enumerate(latencies_ms):
            ids = _store(at, count, number)
            each, memory = _drain(at, "benchmarks.sync", ids, slots, {"BENCH_LATENCY": str(latency / 1000)})
            rates.append(Rate(database, slots, latency, each, nothing, memory))
        return rates


def _store(at: Ground, count: int, number: int) -> list[int]:
    """A site of its own for this round, with ``count`` new ratings of mapped people on mapped things."""
    engine = open_engine(at.database_url)
    upgrade(engine)
    ledger, admin = SqlLedger(engine), LedgerAdmin(engine)
    instance = f"instance-{number}"
    site, _ = admin.add_site(instance, f"connector-{number}", [STARS])
    things = -(-count // PEOPLE)
    admin.import_contacts(site, [Contact(f"c{one}", f"p{one}@example.com") for one in range(PEOPLE)])
    admin.import_entities(site, [(EntityRef(f"w{one}", "g", "n"), EntityRef(f"e{one}")) for one in range(things)])
    ids = []
    for one in range(count):
        rating = {
            "id": f"rating-{number}-{one}",
            "attributeName": "overall",
            "value": 80,
            "revision": "1",
            "entityId": f"w{one // PEOPLE}",
            "group": "g",
            "namespace": "n",
            "owner": {"contactId": f"c{one % PEOPLE}"},
        }
        payload = {"createdEvent": {"entity": rating}, "entityEventSequence": "1"}
        new = NewDelivery(Side.WIX, instance, f"event-{number}-{one}", "upsert", str(rating["id"]), payload, 1)
        ids.append(ledger.store(new).inbox_id)
    engine.dispose()
    return ids


def _drain(at: Ground, task: str, ids: Sequence[int], slots: int, more: Mapping[str, str]) -> tuple[float, float]:
    """Tasks a second, and the worker's memory in MB at the end."""
    environ = at.environ(WORKER_CONCURRENCY=str(slots), SWEEP_SECONDS="3600", CONNECTORS="", **more)
    producer = Celery("benchmarks", broker=at.redis.url, set_as_current=False)
    producer.conf.update(
        broker_transport_options={"global_keyprefix": PREFIX},
        task_default_queue="sync",
        task_default_exchange_type="direct",
        task_ignore_result=True,
    )
    for inbox_id in ids:
        producer.send_task(task, args=[inbox_id], queue="sync")
    producer.close()
    command = ["-m", "celery", "-A", "benchmarks.worker_app", "worker", "-Q", "sync,maint", *QUIET]
    lines: list[str] = []
    with Redis.from_url(at.redis.url) as redis, Processes(lambda name, line: lines.append(line), at.folder) as all_:
        worker = all_.start("worker", command, environ)
        started, left_at_start = 0.0, 0
        until = time.monotonic() + END_SECONDS
        while (left := _left(redis)) > 0:
            if not started and left <= len(ids) * 0.9:
                started, left_at_start = time.monotonic(), left
            if worker.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("the worker did not get through:\n" + "\n".join(lines[-20:]))
            time.sleep(0.005)
        seconds = time.monotonic() - started
        return left_at_start / seconds, _memory_mb(worker.process.pid)


def _left(redis: Redis) -> int:
    """Messages in the queue or in hand."""
    with redis.pipeline(transaction=False) as pipe:
        pipe.llen(f"{PREFIX}sync")
        pipe.hlen(f"{PREFIX}unacked")
        return sum(int(one) for one in pipe.execute())


def _memory_mb(pid: int) -> float:
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))
