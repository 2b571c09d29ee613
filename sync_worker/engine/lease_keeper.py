"""Keeps a run inside its lease: renews it before every remote call.

A call that might outlive the lease is refused. The ledger alone decides who holds the lease; this
process only measures how long it was away itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sync_worker.core.errors import LeaseLost, Permanent, Transient
from sync_worker.core.ports.clock import Clock
from sync_worker.core.ports.links import Commit, Committed, Links
from sync_worker.core.values import Intent, Lease

# a lease of 14.5 s less 9 s: a call of 8 s that starts later might outlive the lease
PAUSE_SECONDS = 5.5
# seven calls at their deadline of 8 s; what is left is for the next run, from what is on file
RUN_SECONDS = 60.0


@dataclass(slots=True)
class LeaseKeeper:
    """Every ledger write of a run goes through here, under its fence.

    ``cpu_until``: what the thread's clock must not pass; the delivery in hand may use no more.
    """

    links: Links
    lease: Lease
    clock: Clock
    cpu_until: float = math.inf
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock.monotonic()

    def renew(self) -> None:
        """Before a remote read. Raises LeaseLost."""
        # Measured from before the renewal: the lease counts from a moment within that call.
        before = self.clock.monotonic()
        self.links.renew(self.lease)
        self._refuse_if_late(before)

    def open_intent(self, intent: Intent) -> None:
        """Before a remote write; renews too, unless the lease is fresh. Raises LeaseLost."""
        before = self.clock.monotonic()
        self.links.open_intent(self.lease, intent)
        self._refuse_if_late(before)

    def commit(self, change: Commit) -> Committed:
        """Raises LeaseLost, and then nothing was applied."""
        return self.links.commit(self.lease, change)

    def refuse_if_costly(self) -> None:
        """Between two steps; what is committed already stays. Raises Permanent."""
        if self.clock.cpu_seconds() > self.cpu_until:
            raise too_costly()

    def _refuse_if_late(self, before: float) -> None:
        now = self.clock.monotonic()
        # stopped in between: the lease may end before the call does
        if now - before > PAUSE_SECONDS:
            raise LeaseLost("this worker was paused")
        # never stopped, but slow: a later run goes on
        if now - self.started > RUN_SECONDS:
            raise Transient("the run took longer than it may")
        self.refuse_if_costly()


def too_costly() -> Permanent:
    """The error for a delivery that computes for long.

    Python runs one thread at a time, so it would stop all others of its process.
    """
    return Permanent("it used more processor time than a delivery may", reason="too_costly")
