"""``celery -A benchmarks.worker_app worker``: the real intake and settings over instant remotes, and a task of nothing.

``BENCH_LATENCY`` (seconds): how long each remote call takes.
"""

from __future__ import annotations

import os
import uuid
from functools import lru_cache

from celery import Celery

from benchmarks.instant import InstantRemote, Nobody
from sync_worker.intake import Intake
from sync_worker.model import Side, Site
from sync_worker.ports import Capabilities, Connection
from sync_worker.tasks import WorkerBell
from sync_worker.wiring import Monotonic, wiring

app = Celery("benchmarks")
app.config_from_object("celeryconfig")


@lru_cache(maxsize=1)
def intake() -> Intake:
    latency = float(os.environ.get("BENCH_LATENCY", "0"))
    remotes = {
        Side.WIX: InstantRemote(Side.WIX, Capabilities(delete_is_final=True), latency),
        Side.EXTERNAL: InstantRemote(Side.EXTERNAL, Capabilities(many_fields=True), latency),
    }
    connection = Connection(remotes, Nobody())

    def connect(site: Site) -> Connection:
        return connection

    parts = wiring()
    return Intake(parts.ledger, parts.guard, WorkerBell(), connect, Monotonic(), lambda: str(uuid.uuid4()))


@app.task(name="benchmarks.sync")
def sync(inbox_id: int) -> None:
    intake().process(inbox_id)


@app.task(name="benchmarks.nothing")
def nothing(inbox_id: int) -> None:
    return
