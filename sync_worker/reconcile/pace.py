"""How a run over a site waits and works: given from outside, so that a simulator can drive it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sync_worker.core.outcome import Outcome
from sync_worker.core.ports.remote import Connection
from sync_worker.core.sweep_values import Sweep

Job = Callable[[], Outcome]
JobOver = Callable[[Connection], Outcome]
InBulk = Callable[[Connection, Sequence[JobOver]], list[Outcome]]


@dataclass(frozen=True, slots=True)
class Pace:
    """How a run waits and works.

    ``together``: does jobs, some at a time, and returns their outcomes in order. ``is_over``: end
    after this step, to go on another time. ``report``: called after each step. ``in_bulk``: does
    jobs that create records at the same time, over a connection that gathers these into few calls;
    ``None``: each creates its own.
    """

    wait: Callable[[float], None]
    together: Callable[[Sequence[Job]], list[Outcome]] = lambda jobs: [job() for job in jobs]
    is_over: Callable[[], bool] = lambda: False
    report: Callable[[Sweep], None] = lambda sweep: None
    in_bulk: InBulk | None = None
