"""The services of held ones, for commands and the console alike."""

from __future__ import annotations

from functools import partial

from sync_worker.config import Settings
from sync_worker.core.errors import Misconfigured
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.manifest.manifest import Manifest
from sync_worker.services.held.held import HeldService
from sync_worker.services.held.mending import Mending
from sync_worker.services.held.reading import Readings
from sync_worker.services.held.waiting import WaitingService
from sync_worker.wiring.connectors import Connectors


class HeldParts:
    """``held``, ``mending`` and ``waiting`` over one ledger."""

    def __init__(self, settings: Settings, connectors: Connectors, admin: LedgerAdmin) -> None:
        readings = Readings(partial(_manifest_of, connectors), settings.wix_app_id)
        self.held = HeldService(admin, readings)
        self.mending = Mending(admin, readings)
        self.waiting = WaitingService(admin)


def _manifest_of(connectors: Connectors, name: str) -> Manifest | None:
    """What it is for all shops; ``None``: CONNECTORS does not name it, or it cannot be read."""
    try:
        return connectors.known.get(name)
    except Misconfigured:
        return None
