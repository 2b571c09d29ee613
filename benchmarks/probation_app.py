"""``celery -A benchmarks.probation_app worker``: the worker of production without the workarounds
that ``PROBATION_WITHOUT`` names (words of :class:`Workaround`, parted by commas).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import StrEnum

from sync_worker.runtime.celery.broker import SafeChannel, SafeTransport
from sync_worker.runtime.celery.task_events import GatheredEvents
from sync_worker.tasks import app


class Workaround(StrEnum):
    """What reaches into a library."""

    KEPT_CLIENT = "kept-client"
    DROPPED_NO_JSON = "dropped-no-json"
    DROPPED_NO_TASK = "dropped-no-task"
    GATHERED_EVENTS = "gathered-events"


def _remove(owner: type, name: str) -> Callable[[], None]:
    """The class below answers again."""
    return lambda: delattr(owner, name)


REMOVED_BY: dict[Workaround, Callable[[], object]] = {
    Workaround.KEPT_CLIENT: _remove(SafeChannel, "_create_client"),
    Workaround.DROPPED_NO_JSON: _remove(SafeChannel, "_brpop_read"),
    Workaround.DROPPED_NO_TASK: _remove(SafeTransport, "_deliver"),
    Workaround.GATHERED_EVENTS: lambda: app.steps["consumer"].discard(GatheredEvents),
}

for _name in filter(None, os.environ.get("PROBATION_WITHOUT", "").split(",")):
    REMOVED_BY[Workaround(_name)]()


@app.task(name="benchmarks.nothing")
def nothing(number: int) -> None:
    """Show what Celery and kombu themselves take for a message."""
