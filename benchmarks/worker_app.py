"""``celery -A benchmarks.worker_app worker``: the real intake over remotes in memory, and a task
that does nothing.

A site whose connector is called ``memory-80`` (or ``memory-80-`` and anything) has remotes whose
calls take 80 ms.
"""

from __future__ import annotations

import uuid
from functools import lru_cache

from celery import Celery

from benchmarks.instant import InstantRemote, Nobody
from sync_worker.core.ports.remote import Capabilities, Connection
from sync_worker.core.values import Side, Site
from sync_worker.intake.intake import Intake
from sync_worker.remotes.http.budget import CallSlots
from sync_worker.tasks import bell
from sync_worker.wiring import Monotonic, wiring

app = Celery("benchmarks")
app.config_from_object("sync_worker.runtime.celery.settings")


@lru_cache(maxsize=1)
def intake() -> Intake:
    parts = wiring()
    return Intake(
        parts.ledger, parts.redis.guard, bell, connect, Monotonic(), lambda: str(uuid.uuid4())
    )


def connect(site: Site) -> Connection:
    return _connection(site.connector)


@lru_cache
def _connection(connector: str) -> Connection:
    latency = int(connector.split("-")[1]) / 1000
    slots = CallSlots(wiring().settings.slots)
    final, many = Capabilities(delete_is_final=True), Capabilities(many_fields=True)
    remotes = {
        Side.WIX: InstantRemote(Side.WIX, final, latency, slots),
        Side.EXTERNAL: InstantRemote(Side.EXTERNAL, many, latency, slots),
    }
    return Connection(remotes, Nobody())


@app.task(name="benchmarks.sync")
def sync(inbox_id: int) -> None:
    intake().process(inbox_id)


@app.task(name="benchmarks.nothing")
def nothing(inbox_id: int) -> None:
    return
