"""Workers go on with a file that somebody has sent: a slice of its rows, under a lease.

What became of a row is noted within seconds, so that another process goes on where this one ended.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

import structlog

from sync_worker.core.errors import LeaseLost, SyncError, Transient
from sync_worker.core.values import Site
from sync_worker.files.rows import Row
from sync_worker.import_export.file_import import CHUNK, SKIPPED, Pauses, Tally
from sync_worker.import_export.importing import ImportResult
from sync_worker.import_export.rating_files import Shape
from sync_worker.import_export.row_reading import reading_of
from sync_worker.ledger.imports.values import ImportClaim, ImportPhase, RowEnd, RowKey
from sync_worker.ledger.imports.work import SqlImportWork
from sync_worker.services.imports.running import FileRuns, Sides
from sync_worker.services.imports.stored_rows import format_of_plan, row_of, shape_of_plan

THREADS = 4  # rows at a time: enough for any remote's budget
RENEW_SECONDS = 5.0  # well below the lease of a file
LONGEST_WAIT_SECONDS = 60.0  # a remote that asks for more is asked again in a later slice
PAUSE_SECONDS = 60.0  # after something that may pass
REJECTED = "rejected"
RESUME = "what was done stays; it goes on from there"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Slice:
    """What came of one. ``is_left``: the next slice is due at once; ``told``: in words."""

    told: str = ""
    is_left: bool = False


class ImportSlices:
    """``monotonic``: seconds. Each method raises Transient."""

    def __init__(
        self,
        work: SqlImportWork,
        site_of: Callable[[int], Site],
        sides: Sides,
        monotonic: Callable[[], float],
    ) -> None:
        self._work, self._site_of, self._sides = work, site_of, sides
        self._monotonic = monotonic

    def work_on(self, seconds: float) -> Slice:
        """The file that has waited longest; no further rows are begun after so many seconds."""
        claim = self._work.claim()
        if claim is None:
            return Slice()
        try:
            self._go_on(claim, self._monotonic() + seconds)
            is_left = self._work.rest(claim)
        except LeaseLost:
            # Another process goes on with it.
            return Slice()
        except SyncError as error:
            return self._not_now(claim, error)
        except Exception as error:
            log.error("import_failed", error=type(error).__name__, exc_info=error)
            self._work.fail(claim, f"unexpected error: {type(error).__name__}")
            return Slice(f"import {claim.file.id}: failed")
        return Slice(f"import {claim.file.id}: a slice", is_left)

    def _not_now(self, claim: ImportClaim, error: SyncError) -> Slice:
        """What may pass is tried again later; anything else is for a person."""
        cause = error.__cause__ if isinstance(error.__cause__, Transient) else error
        words = error.message
        if isinstance(cause, Transient):
            seconds = PAUSE_SECONDS if cause.retry_after is None else cause.retry_after
            self._work.postpone(claim, seconds, words)
            return Slice(f"import {claim.file.id}: waits")
        self._work.fail(claim, words)
        return Slice(f"import {claim.file.id}: failed")

    def _go_on(self, claim: ImportClaim, until: float) -> None:
        site = self._site_of(claim.file.site_id)
        (form, places), shape = format_of_plan(claim.plan), shape_of_plan(claim.plan)
        notes = RowNotes(self._work, claim, self._monotonic)
        notes.first_lines.update(self._work.first_lines(claim))
        notes.known_count = len(notes.first_lines)
        runs = FileRuns(
            self._sides,
            site,
            reading_of(form, places, site),
            notes,
            Tally(tell=notes.tell),
            KeptPauses(notes.keep, self._monotonic),
        )
        if claim.file.phase is ImportPhase.RUN:
            work = runs.real(claim.file.actor, RESUME)
        else:
            work, _ = runs.played(RESUME)
        work.first_lines = notes.first_lines
        try:
            work.run(self._rows(claim, shape, until, notes), THREADS, notes.flush)
        except LeaseLost:
            raise
        except BaseException:
            # What has come to its end before that stays so.
            notes.flush(0, {})
            raise

    def _rows(
        self, claim: ImportClaim, shape: Shape, until: float, notes: RowNotes
    ) -> Iterator[Row]:
        for count, stored in enumerate(self._work.rows_to_do(claim)):
            # However short a slice is, it brings the file on.
            is_over = count >= CHUNK and self._monotonic() > until
            if notes.is_stopped or is_over:
                return
            yield row_of(stored, shape)


@dataclass
class RowNotes:
    """Notes what becomes of rows; its methods are called by several threads.

    ``known_count``: so many of the first lines are noted already; ``is_stopped``: by a person.
    """

    work: SqlImportWork
    claim: ImportClaim
    monotonic: Callable[[], float]
    count: int = 0  # rejected ones
    first_lines: dict[tuple[int, str, str], int] = field(default_factory=dict)
    known_count: int = 0
    is_stopped: bool = False
    _ends: list[RowEnd] = field(default_factory=list)
    _writes: Counter[str] = field(default_factory=Counter)
    _keys: dict[int, RowKey] = field(default_factory=dict)  # by line, of rows under way
    _kept_at: float = 0.0
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, row: Row, what: str, result: ImportResult | None) -> None:
        """A row has come to its end."""
        end = RowEnd(row.line, SKIPPED, reason=what.removeprefix(f"{SKIPPED}: "))
        if result is not None:
            end = RowEnd(row.line, what, reason=result.note, differs=result.differs)
            self._writes.update(result.writes)
        self._add(end)

    def add(self, row: Row, column: str, reason: str) -> None:
        """A row is rejected."""
        self.count += 1
        self._add(RowEnd(row.line, REJECTED, column, reason))

    def _add(self, end: RowEnd) -> None:
        self._ends.append(end)
        if self.monotonic() - self._kept_at > RENEW_SECONDS:
            self.flush(0, {})

    def flush(self, rows: int, counts: Mapping[str, int]) -> None:
        """Write down what is known. Raises LeaseLost, Transient."""
        with self._turn:
            ends, writes = self._with_keys(), dict(self._writes)
            if ends:
                self._note(self.work.save(self.claim, ends, writes))
            else:
                self._note(self.work.keep(self.claim))
            # After it: what could not be written is written with what follows.
            for end in ends:
                self._keys.pop(end.line, None)
            self._ends.clear()
            self._writes.clear()

    def keep(self) -> None:
        """Renew the lease, if it is time. Raises LeaseLost, Transient."""
        with self._turn:
            if self.monotonic() - self._kept_at > RENEW_SECONDS:
                self._note(self.work.keep(self.claim))

    def _note(self, is_working: bool) -> None:
        self._kept_at = self.monotonic()
        self.is_stopped = self.is_stopped or not is_working

    def _with_keys(self) -> list[RowEnd]:
        """The ends, with the rating key of each row whose person and thing became known."""
        new = islice(self.first_lines.items(), self.known_count, None)
        for (entity_id, contact_id, attribute), line in new:
            before = self._keys.get(line)
            attributes = [attribute] if before is None else [*before.attributes, attribute]
            self._keys[line] = RowKey(entity_id, contact_id, attributes)
        self.known_count = len(self.first_lines)
        return [replace(end, key=self._keys.get(end.line)) for end in self._ends]


class KeptPauses(Pauses):
    """Waits in which the lease is renewed. ``keep`` raises LeaseLost where that is lost."""

    def __init__(self, keep: Callable[[], None], monotonic: Callable[[], float]) -> None:
        super().__init__()
        self._keep, self._monotonic = keep, monotonic

    def wait(self, seconds: float) -> None:
        """Raises Transient for a long one: it is for a later slice."""
        if seconds > LONGEST_WAIT_SECONDS:
            raise Transient("the other side asks to wait", retry_after=seconds)
        until = self._monotonic() + seconds
        while (left := until - self._monotonic()) > 0:
            super().wait(min(left, RENEW_SECONDS))
            self._keep()
