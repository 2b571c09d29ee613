"""A worker and the nightly sweep in the process of a test, between both stand-ins."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sync_sandbox.server import Sandbox
from sync_worker.core.outcome import OutcomeKind
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import Site
from sync_worker.reconcile.pace import Pace
from sync_worker.reconcile.planned_writes import PlannedWrite
from sync_worker.wiring import Wiring

MANY = 200  # deliveries: more never follow of one act


@dataclass
class OwnWorker:
    """Rung for by whoever stores a delivery."""

    box: Sandbox
    wiring: Wiring
    site: Site
    rung: list[int] = field(default_factory=list, kw_only=True)

    def ring(self, inbox_ids: Sequence[int]) -> None:
        self.rung += inbox_ids

    def work_off(self) -> None:
        """All that is on its way, stored or due."""
        for _ in range(MANY):
            assert self.box.flush(10)
            self.rung += self.wiring.ledger.inbox.due(50)
            if not self.rung:
                return
            inbox_id = self.rung.pop(0)
            outcome = self.wiring.intake(self).process(inbox_id)
            # The budget of the system outside: nobody rings before its time.
            if outcome.kind is OutcomeKind.RATE_LIMITED:
                time.sleep(0.1)
                self.rung.append(inbox_id)


def writes_of_sweep(wiring: Wiring, site: Site) -> list[PlannedWrite]:
    """What one sweep of a site writes, from its listing to its end."""
    written: list[PlannedWrite] = []
    sweep = wiring.sweeps.runs.begin(site.id, RunKind.SWEEP)
    assert sweep is not None
    run = wiring.sweeps.reconcile(site, sweep, Pace(lambda seconds: None), written.append)
    assert run.list_both()
    assert run.confirm_absences()
    assert run.apply()
    return written
