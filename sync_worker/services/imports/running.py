"""One run over rows of a file, for a command and for a worker: for real, or only played."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from sync_worker.core.values import Site
from sync_worker.import_export.dry_run import DryRunImporter
from sync_worker.import_export.file_import import FileImport, Imports, Pauses, Rejects, Tally
from sync_worker.import_export.head_starts import begin_together
from sync_worker.import_export.importing import Importer
from sync_worker.import_export.row_reading import RowReading
from sync_worker.runtime.waiting import patiently


class Sides(Protocol):
    """What takes ratings of a site in. Each raises Misconfigured."""

    def importer(self, site: Site, actor: str, wait: Callable[[float], None]) -> Importer:
        """``actor``: who has the file imported."""

    def player(self, site: Site, wait: Callable[[float], None]) -> DryRunImporter:
        """Changes nothing on any side or in the ledger."""


@dataclass(frozen=True, slots=True)
class FileRuns:
    """Makes runs over the rows of a file for one site.

    ``resume``: what to do after a run had to stop.
    """

    sides: Sides
    site: Site
    reading: RowReading
    rejected: Rejects
    tally: Tally
    pauses: Pauses

    def real(self, actor: str, resume: str) -> FileImport:
        """Creates ratings on Wix, many in one call where Wix takes many."""
        importer = self.sides.importer(self.site, actor, self.pauses.wait)
        work = self._over_the_rows(importer, resume)
        work.begin = partial(begin_together, importer)
        return work

    def played(self, resume: str) -> tuple[FileImport, DryRunImporter]:
        """Says what would become of each row; and what knows who and what would be new."""
        importer = self.sides.player(self.site, self.pauses.wait)
        return self._over_the_rows(importer, resume), importer

    def _over_the_rows(self, importer: Imports, resume: str) -> FileImport:
        return FileImport(
            self.site,
            importer,
            self.reading,
            self.rejected,
            patiently,
            self.pauses,
            self.tally,
            resume,
        )
