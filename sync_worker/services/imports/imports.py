"""Files of ratings that somebody sends: checked, looked at, imported by workers, and their result.

sent ──▶ checked ──▶ a worker plays every row (look) ──▶ somebody types how many would be created
     ──▶ a worker imports (run), slice by slice; stopped or failed, it goes on where it was
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sync_worker.core.errors import Misconfigured, SyncError
from sync_worker.core.said import said
from sync_worker.core.values import Site, SiteState
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.ledger.imports.files import FilesPage, SqlImportFiles
from sync_worker.ledger.imports.values import ImportFile, ImportPhase, ImportState, StoredRow
from sync_worker.services.access.forms import ChangedMeanwhile
from sync_worker.services.access.who import NotThere, Right, Who
from sync_worker.services.comparing import why_not_compared
from sync_worker.services.imports.choosing import Choice
from sync_worker.services.imports.sending import Sending
from sync_worker.services.imports.slices import REJECTED
from sync_worker.services.imports.stored_rows import row_of, shape_of_plan

MAX_WHY = 256
ROWS = 100  # of a page
REJECTED_AT_ONCE = 1000
LOOK, RUN, CHECK = ImportPhase.LOOK, ImportPhase.RUN, ImportPhase.CHECK
# From where a file may be looked at, begun, and gone on with.
MAY_BE_LOOKED_AT = (
    (CHECK, ImportState.READY),
    (LOOK, ImportState.READY),
    (LOOK, ImportState.STOPPED),
    (LOOK, ImportState.FAILED),
)
MAY_BEGIN = ((LOOK, ImportState.READY),)
MAY_GO_ON = ((RUN, ImportState.STOPPED), (RUN, ImportState.FAILED))

__all__ = ["FilesPage", "ImportFile", "Imports", "RejectedPart", "RowsPage", "StoredRow"]


class Asking(Protocol):
    """What lets workers do something. Raises Transient."""

    def import_files(self) -> None:
        """Go on with the files that wait."""


# By phase and state.
STANDINGS = {
    (CHECK, ImportState.READY): said("sent and checked"),
    (LOOK, ImportState.WORKING): said("a worker looks at each row"),
    (LOOK, ImportState.READY): said("looked at, nothing imported yet"),
    (LOOK, ImportState.STOPPED): said("the look was stopped"),
    (LOOK, ImportState.FAILED): said("the look could not go on"),
    (RUN, ImportState.WORKING): said("is being imported"),
    (RUN, ImportState.READY): said("imported"),
    (RUN, ImportState.STOPPED): said("stopped, can go on"),
    (RUN, ImportState.FAILED): said("could not go on"),
}


@dataclass(frozen=True, slots=True)
class RowsPage:
    """``after``: the line where the next page begins; ``None``: there is no further one."""

    rows: Sequence[StoredRow]
    after: int | None


@dataclass(frozen=True, slots=True)
class RejectedPart:
    """Rejected rows in the form of their file, with line, column and reason.

    The texts of all parts together are the file. ``after``: as of RowsPage.
    """

    name: str
    text: str
    after: int | None


@dataclass(frozen=True, slots=True)
class ShownImport:
    """A file, and what may be done with it now. ``left``: rows that are still to do.

    ``to_type``: what somebody who says yes types: how many would be created, or are left.
    """

    file: ImportFile
    left: int
    may_look: bool
    may_run: bool
    to_type: int
    why_not: str


class Imports:
    """Each raises Forbidden, NotThere, Misconfigured, Transient."""

    def __init__(self, admin: LedgerAdmin, files: SqlImportFiles, asking: Asking) -> None:
        self._admin, self._files, self._asking = admin, files, asking
        self._sending = Sending(files)
        self._audit = SqlAudit(admin.transactions)

    def send(
        self, who: Who, site_id: int, path: Path, choice: Choice, *, may_be_own: bool = False
    ) -> ImportFile:
        """A file is kept whole or not at all; nothing is imported yet.

        ``may_be_own``: whoever asks has a shell here, so that a preset may be a file of this
        machine. Workers need it no more: how the file is read is kept with it.
        """
        who.check(Right.DRY_RUN, site_id)
        site = self._site(site_id)
        file = self._sending.take(site, path, choice, who.name, may_be_own=may_be_own)
        after = {"import": file.id, "rows": file.row_count}
        self._audit.add(who.name, "import.send", site_id=site_id, after=after)
        return file

    def of_site(self, who: Who, site_id: int, before: int | None = None) -> FilesPage:
        """Newest first."""
        who.check(Right.LOOK, site_id)
        return self._files.of_site(site_id, before)

    def one(self, who: Who, site_id: int, import_id: int) -> ShownImport:
        who.check(Right.LOOK, site_id)
        return self._shown(site_id, import_id)

    def _shown(self, site_id: int, import_id: int) -> ShownImport:
        file, left = self._file(site_id, import_id), self._files.left(import_id)
        standing = (file.phase, file.state)
        may_go_on = standing in MAY_GO_ON and not file.is_wiped
        may_begin = standing in MAY_BEGIN and not file.is_wiped
        to_type = left if may_go_on else file.counts.get("created", 0)
        return ShownImport(
            file,
            left,
            standing in MAY_BE_LOOKED_AT and not file.is_wiped,
            may_go_on or (may_begin and to_type > 0),
            to_type,
            why_not_compared(self._site(site_id)),
        )

    def rows(
        self, who: Who, site_id: int, import_id: int, what: str | None = None, after: int = 0
    ) -> RowsPage:
        """Rows as they stand in the file; addresses and words are in them."""
        who.check(Right.SEE_ADDRESSES, site_id)
        self._file(site_id, import_id)
        found = self._files.rows(import_id, what, after, ROWS + 1)
        return RowsPage(found[:ROWS], found[ROWS - 1].line if len(found) > ROWS else None)

    def rejected(self, who: Who, site_id: int, import_id: int, after: int = 0) -> RejectedPart:
        """A part of the file of rejected rows; ``after``: the last line of the part before."""
        who.check(Right.SEE_ADDRESSES, site_id)
        file, plan = self._file(site_id, import_id), self._files.plan(import_id)
        if plan is None:
            raise _no_import(import_id)
        shape, most = shape_of_plan(plan), REJECTED_AT_ONCE
        found = self._files.rows(import_id, REJECTED, after, most + 1)
        lines = [shape.line(row_of(row, shape), row.place, row.reason) for row in found[:most]]
        head = "" if after else shape.head
        name = f"{file.name}.rejected.{shape.ending}"
        following = found[most - 1].line if len(found) > most else None
        return RejectedPart(name, head + "".join(lines), following)

    def look(self, who: Who, site_id: int, import_id: int) -> str:
        """A worker says what would become of each row; nothing is written."""
        who.check(Right.DRY_RUN, site_id)
        self._file(site_id, import_id)
        self._refuse_at_rest(site_id)
        if not self._files.ask(import_id, LOOK, who.name, MAY_BE_LOOKED_AT, is_anew=True):
            raise ChangedMeanwhile(self._standing(site_id, import_id))
        self._ring()
        self._note(who, "import.look", site_id, import_id)
        return said(
            "A worker looks at each row now, and writes nothing; what it finds stands here."
        )

    def run(self, who: Who, site_id: int, import_id: int, count: int, why: str = "") -> str:
        """The workers import the file. ``count``: as ShownImport's ``to_type`` says.

        Raises ChangedMeanwhile where it says something else by now.
        """
        who.check(Right.COMPARE, site_id)
        shown = self._shown(site_id, import_id)
        site = self._refuse_at_rest(site_id)
        if site.state is SiteState.RECOVERY:
            raise Misconfigured(
                said(
                    "site %(site)s is in recovery: look first, with a dry run, then resume the"
                    " site",
                    site=site_id,
                )
            )
        if not shown.may_run:
            raise ChangedMeanwhile(self._standing(site_id, import_id))
        if count != shown.to_type:
            raise ChangedMeanwhile(
                said(
                    "It is about %(now)s rows now, not %(seen)s: look at them again. Nothing was"
                    " done.",
                    now=shown.to_type,
                    seen=count,
                )
            )
        is_anew = shown.file.phase is LOOK
        standing = MAY_BEGIN if is_anew else MAY_GO_ON
        if not self._files.ask(import_id, RUN, who.name, standing, is_anew=is_anew):
            raise ChangedMeanwhile(self._standing(site_id, import_id))
        self._ring()
        self._note(who, "import.run", site_id, import_id, why)
        return said("The workers import the file now; how far they are stands here.")

    def stop(self, who: Who, site_id: int, import_id: int, why: str = "") -> str:
        """No further rows are begun; what was imported stays."""
        who.check(Right.DRY_RUN, site_id)
        self._file(site_id, import_id)
        if not self._files.stop(import_id):
            raise ChangedMeanwhile(self._standing(site_id, import_id))
        self._note(who, "import.stop", site_id, import_id, why)
        return said(
            "It stops after the rows that are in hand. What was imported stays; it can go on."
        )

    def remove(self, who: Who, site_id: int, import_id: int) -> str:
        """Forget the file and its rows; what was imported stays."""
        who.check(Right.DRY_RUN, site_id)
        self._file(site_id, import_id)
        if not self._files.remove(import_id):
            raise ChangedMeanwhile(said("A worker has the file in hand: stop it first."))
        self._note(who, "import.remove", site_id, import_id)
        return said("The file is forgotten. What was imported of it stays.")

    def _file(self, site_id: int, import_id: int) -> ImportFile:
        """Raises NotThere alike for one of another site, and for one that there is not."""
        found = self._files.one(import_id)
        if found is None or found.site_id != site_id:
            raise _no_import(import_id)
        return found

    def _standing(self, site_id: int, import_id: int) -> str:
        file = self._file(site_id, import_id)
        return said(
            "The file stands at %(standing)s now. Nothing was done.", standing=standing_of(file)
        )

    def _site(self, site_id: int) -> Site:
        return self._admin.sites.find(str(site_id))

    def _refuse_at_rest(self, site_id: int) -> Site:
        site = self._site(site_id)
        if why := why_not_compared(site):
            raise Misconfigured(why)
        return site

    def _ring(self) -> None:
        # The workers' own tick finds it, whether Redis is away or unknown here.
        with suppress(SyncError):
            self._asking.import_files()

    def _note(self, who: Who, what: str, site_id: int, import_id: int, why: str = "") -> None:
        after = {"import": import_id}
        self._audit.add(who.name, what, site_id=site_id, after=after, why=why[:MAX_WHY])


def standing_of(file: ImportFile) -> str:
    """How far a file is, in words."""
    if not file.phase.is_known:
        return f"{file.phase}: {file.state}"
    return STANDINGS.get((file.phase, file.state)) or str(file.state)


def _no_import(import_id: int) -> NotThere:
    return NotThere(said("there is no import %(number)s here", number=import_id))
