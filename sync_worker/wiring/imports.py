"""What takes ratings of a file in, for a command and for a worker."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from sync_worker.core.ports.ledger import Ledger
from sync_worker.core.ports.remote import Connection
from sync_worker.core.values import Site
from sync_worker.import_export.dry_run import DryRunImporter, Peek
from sync_worker.import_export.importing import Importer
from sync_worker.intake.intake import Intake
from sync_worker.wiring.sweeps import Monotonic

Wait = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class ImportSides:
    """Implements services' Sides. ``connect``: as patient as a person who waits for a whole file.

    ``peek``: what a lease of a link would give.
    """

    ledger: Callable[[], Ledger]
    intake: Callable[[], Intake]
    connect: Callable[[Site, Wait], Connection]
    peek: Callable[[], Peek]

    def importer(self, site: Site, actor: str, wait: Wait) -> Importer:
        connection = self.connect(site, wait)
        # Its engine serves all rows, so that the bound of one delivery says nothing here.
        intake = replace(self.intake(), connect=lambda site: connection, cpu_seconds=math.inf)
        return Importer(intake.engine, connection, site, actor)

    def player(self, site: Site, wait: Wait) -> DryRunImporter:
        connection = self.connect(site, wait)
        return DryRunImporter(self.ledger(), connection, site, Monotonic(), self.peek())
