"""A delivery whose site has its share of the worker's slots."""

from __future__ import annotations

from sync_worker.core.outcome import OutcomeKind
from sync_worker.core.ports.inbox import RATE_LIMITED
from sync_worker.core.ports.slots import SLOT_PAUSE_SECONDS
from sync_worker.intake.intake import Intake
from tests.factories import a_delivery
from tests.simulation.world import OVERALL
from tests.twins.memory_guard import MemoryGuard
from tests.twins.memory_ledger import memory_ledger


class Nobody:
    """No part that is asked for anything."""

    monotonic = cpu_seconds = staticmethod(float)

    def ring(self, inbox_ids: object) -> None:
        raise AssertionError

    def __call__(self, *asked: object) -> object:
        raise AssertionError("a remote was asked")


class Full:
    """All slots are others'."""

    def enter(self, site_id: int) -> bool:
        return False

    def leave(self, site_id: int, *, is_proof: bool) -> None:
        raise AssertionError("it never entered")


def test_delivery_beyond_its_sites_share_waits_and_counts_no_attempt() -> None:
    now = [1000.0]
    ledger = memory_ledger(lambda: now[0])
    ledger.add_site("instance-1", "own-service", None, (OVERALL,))
    inbox_id = ledger.inbox.store(a_delivery(1)).inbox_id
    nobody = Nobody()
    intake = Intake(
        ledger,  # type: ignore[arg-type]  # the twin has all that is asked for
        MemoryGuard(),
        nobody,
        nobody,  # type: ignore[arg-type]  # it is not asked
        nobody,
        str,
        slots=Full(),
    )
    assert intake.process(inbox_id).kind is OutcomeKind.RATE_LIMITED
    opened = ledger.inbox.open_delivery(inbox_id)
    assert opened is not None
    assert (opened[0].attempts, opened[0].reason) == (0, RATE_LIMITED)
    assert ledger.inbox.due(10) == []
    now[0] += SLOT_PAUSE_SECONDS
    assert ledger.inbox.due(10) == [inbox_id]
