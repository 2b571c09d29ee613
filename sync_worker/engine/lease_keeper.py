"""Keeps a run inside its lease: no remote call begins under one that might end before the call.

A call that might outlive the lease is refused. The ledger alone decides who holds the lease; this
process only measures how long ago it asked for it, and how long it was away itself.
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
# A look may wait 5 s for its token and then take 8 s: so much younger, a lease of 15 s outlives it.
YOUNG_SECONDS = 1.0
# seven calls at their deadline of 8 s; what is left is for the next run, from what is on file
RUN_SECONDS = 60.0
# When a lease was asked for of which that is not known.
LONG_AGO = -math.inf


@dataclass(slots=True)
class LeaseKeeper:
    """Every ledger write of a run goes through here, under its fence.

    ``cpu_until``: what the thread's clock must not pass; the delivery in hand may use no more.
    ``asked_at``: a moment of the process's clock before the lease was asked for.
    """

    links: Links
    lease: Lease
    clock: Clock
    cpu_until: float = math.inf
    asked_at: float = LONG_AGO
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock.monotonic()

    def begin_look(self) -> None:
        """Before a remote read: renews a lease that is not young any more. Raises LeaseLost."""
        # Measured from before the ledger is asked: the lease counts from a moment after that.
        before = self.clock.monotonic()
        if before - self.asked_at > YOUNG_SECONDS:
            self.links.renew(self.lease)
            self.asked_at = before
        self._refuse_if_late(before)

    def open_intent(self, intent: Intent) -> bool:
        """Before a remote write; renews too, unless the lease is fresh. Raises LeaseLost.

        ``False``, and nothing is on file, if the brake on deletes stops it.
        """
        before = self.clock.monotonic()
        is_on_file = self.links.open_intent(self.lease, intent)
        self._refuse_if_late(before)
        return is_on_file

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
