"""One run over one file of ratings: people chunk by chunk, then each rating by itself."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol, TypeVar

from sync_worker.core.errors import Misconfigured, Permanent, SyncError
from sync_worker.core.ports.inbox import ERASED, Closing
from sync_worker.core.values import RatingKey, Site
from sync_worker.files.rows import Row
from sync_worker.import_export.importing import ImportResult, RatingRow
from sync_worker.import_export.refusals import CONCERNS_ALL, Refused
from sync_worker.import_export.row_reading import BadRow, NotForUs, RowReading

CHUNK = 100  # rows whose people are looked up in one call
RESUME = "what was imported stays; run the same command again to go on"
MAX_REASON = 300  # characters
SKIPPED = "skipped"
T = TypeVar("T")
Keyed = tuple[Row, RatingKey, RatingRow]
Begin = Callable[[Sequence[tuple[RatingKey, RatingRow]]], Collection[RatingKey]]


class Waiting(Protocol):
    """Makes a call again that the budget or a remote refuses for now.

    ``sleep`` waits some seconds in between.
    """

    def __call__(self, call: Callable[[], T], sleep: Callable[[float], None]) -> T: ...


@dataclass
class Tally:
    """What became of the rows of a file.

    ``writes``: of a dry run. ``tell``: hears of each row that was not rejected what became of it,
    and all of that if it was not skipped.
    """

    counts: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)
    tell: Callable[[Row, str, ImportResult | None], None] = lambda row, what, result: None

    def add(self, row: Row, result: ImportResult) -> None:
        self.tell(row, result.what, result)
        self.counts[result.what] += 1
        self.writes.update(result.writes)
        if result.differs:
            self.counts["differs"] += 1
        if result.note:
            self.notes[result.note] += 1

    def skip(self, row: Row, why: str) -> None:
        self.tell(row, f"{SKIPPED}: {why}", None)
        self.counts["skipped"] += 1
        self.skipped[why] += 1


class Imports(Protocol):
    """Takes ratings in, or plays that."""

    def find_people(self, ratings: Sequence[RatingRow]) -> None:
        """Look up everybody whom the ledger does not know."""

    def key_of(self, rating: RatingRow) -> RatingKey | Closing:
        """Raises Refused, Transient."""

    def is_erased(self, email: str) -> bool:
        """Whether a privacy request has erased whoever had this address."""

    def import_rating(self, key: RatingKey, rating: RatingRow) -> ImportResult:
        """Raises Refused, Transient."""


class Rejects(Protocol):
    """Takes the rows that cannot be imported."""

    count: int

    def add(self, row: Row, column: str, reason: str) -> None: ...


class Pauses:
    """The waits of one run; all end at once when it is stopped."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()

    def wait(self, seconds: float) -> None:
        """Raises KeyboardInterrupt once the run is stopped."""
        if self._stopped.wait(seconds):
            raise KeyboardInterrupt


@dataclass
class FileImport:
    """Imports the rows of one file.

    ``waiting``: makes calls again that are refused for now, with waits of ``pauses``. ``tally``:
    what has become of the rows; ``resume``: what to do after it had to stop. ``begin``: does for
    the rows of a chunk together what can be done together, and returns the keys of those that came
    too late for that: they go with the next chunk, once. ``first_lines``: where each rating of a
    person stood first, by thing, contact and attribute.
    """

    site: Site
    importer: Imports
    reading: RowReading
    rejected: Rejects
    waiting: Waiting
    pauses: Pauses
    tally: Tally = field(default_factory=Tally)
    resume: str = RESUME
    begin: Begin = lambda rows: ()
    first_lines: dict[tuple[int, str, str], int] = field(default_factory=dict)

    def run(
        self,
        rows: Iterator[Row],
        threads: int,
        report: Callable[[int, Mapping[str, int]], None],
    ) -> None:
        """Import every row.

        ``report``: called after each chunk with its number of rows and the counts so far. Raises
        Misconfigured where an error is not that of a row.
        """
        with ThreadPoolExecutor(threads, thread_name_prefix="import") as pool:
            try:
                left: Sequence[Keyed] = ()
                while (chunk := list(islice(rows, CHUNK - len(left)))) or left:
                    before, left = left, self._import_chunk(left, chunk, pool)
                    report(len(before) + len(chunk) - len(left), self.counts)
            except BaseException:
                # Other rows may wait for the budget: leaving the pool waits for them.
                self.pauses.stop()
                raise

    def _import_chunk(
        self, left: Sequence[Keyed], chunk: Sequence[Row], pool: ThreadPoolExecutor
    ) -> Sequence[Keyed]:
        """Import rows, those ``left`` by the chunk before first; return those left by this one."""
        fresh = self._keyed(chunk)
        late = self.begin([(key, rating) for _, key, rating in [*left, *fresh]])
        # Nobody is left twice: a slow system must not keep a row from coming to its end.
        ready = [*left, *(one for one in fresh if one[1] not in late)]
        self._import_rows(ready, pool)
        return [one for one in fresh if one[1] in late]

    def _import_rows(self, rows: Sequence[Keyed], pool: ThreadPoolExecutor) -> None:
        work = [(row, pool.submit(self._import, key, rating)) for row, key, rating in rows]
        stopped: Misconfigured | None = None
        for row, done in work:
            try:
                self.tally.add(row, done.result())
            except Refused as refused:
                self._reject(row, refused.column, refused.reason)
            except SyncError as error:
                # Those that are in hand come to their end, and are told of; none waits any more.
                self.pauses.stop()
                stopped = stopped or self._stopped_at(row, error)
            except KeyboardInterrupt:
                # A row that has waited: it is left.
                if stopped is None:
                    raise
            except Exception as error:
                self._reject_unforeseen(row, error)
        if stopped is not None:
            raise stopped

    def _stopped_at(self, row: Row, error: SyncError) -> Misconfigured:
        stopped = Misconfigured(f"stopped at line {row.line}: {error}; {self.resume}")
        stopped.__cause__ = error
        return stopped

    @property
    def counts(self) -> dict[str, int]:
        """The tally and the rejected rows, without zeros."""
        counts = {**self.tally.counts, "rejected": self.rejected.count}
        return {name: count for name, count in counts.items() if count}

    def _keyed(self, chunk: Sequence[Row]) -> list[Keyed]:
        read = [(row, self._rating(row)) for row in chunk]
        ratings = self._with_known_people(
            [(row, rating) for row, rating in read if rating is not None]
        )
        keyed = [(row, self._key(row, rating), rating) for row, rating in ratings]
        return [(row, key, rating) for row, key, rating in keyed if key is not None]

    def _with_known_people(
        self, ratings: Sequence[tuple[Row, RatingRow]]
    ) -> Sequence[tuple[Row, RatingRow]]:
        """Look up who has rated, all at once; where Wix refuses that, each by itself."""
        try:
            self._patiently(lambda: self.importer.find_people([rating for _, rating in ratings]))
        except Permanent as refusal:
            if refusal.reason in CONCERNS_ALL:
                raise
            return [pair for pair in ratings if self._has_found_person(*pair)]
        return ratings

    def _has_found_person(self, row: Row, rating: RatingRow) -> bool:
        try:
            self._patiently(lambda: self.importer.find_people([rating]))
        except Permanent as refusal:
            column = self.reading.format.columns.email
            reason = f"{refusal.reason}: Wix does not look up this address"
            self._reject(row, column, reason)
            return False
        return True

    def _reject_unforeseen(self, row: Row, error: Exception) -> None:
        """What nobody has foreseen is told of with its row, and the others go on."""
        self._reject(row, "", f"unexpected error: {type(error).__name__}: {error}"[:MAX_REASON])

    def _reject(self, row: Row, column: str, reason: str) -> None:
        """Put a row into the rejected file, but for one of somebody who asked to be forgotten."""
        email = self.reading.email_in(row)
        if email is not None and self.importer.is_erased(email):
            self.tally.skip(row, ERASED.reason)
        else:
            self.rejected.add(row, column, reason)

    def _rating(self, row: Row) -> RatingRow | None:
        try:
            return self.reading.rating_of(row)
        except BadRow as bad:
            self._reject(row, bad.column, bad.reason)
        except NotForUs as other:
            self.tally.skip(row, str(other))
        return None

    def _key(self, row: Row, rating: RatingRow) -> RatingKey | None:
        columns = self.reading.format.columns
        try:
            key = self._patiently(lambda: self.importer.key_of(rating))
        except Refused as refused:
            column = {"entity": columns.entity, "email": columns.email}[refused.column]
            self._reject(row, column, refused.reason)
            return None
        except SyncError:
            raise
        except Exception as error:
            self._reject_unforeseen(row, error)
            return None
        if not isinstance(key, RatingKey):
            self.tally.skip(row, key.reason)
            return None
        for name in rating.values:
            place = (key.entity_id, key.contact_id, name)
            earlier = self.first_lines.setdefault(place, row.line)
            if earlier != row.line:
                reason = f"the same person has rated the same thing on line {earlier}"
                self._reject(row, columns.email, reason)
                return None
        return key

    def _import(self, key: RatingKey, rating: RatingRow) -> ImportResult:
        return self._patiently(lambda: self.importer.import_rating(key, rating))

    def _patiently(self, call: Callable[[], T]) -> T:
        return self.waiting(call, self.pauses.wait)
