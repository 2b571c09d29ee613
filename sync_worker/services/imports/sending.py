"""A file comes in: checked row by row at once, and kept for the workers."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO

from sync_worker.core.errors import Misconfigured
from sync_worker.core.said import said
from sync_worker.core.values import Site
from sync_worker.files.json_lines import ENDINGS
from sync_worker.files.rows import Row
from sync_worker.import_export.file_import import SKIPPED
from sync_worker.import_export.rating_files import RatingFile, Shape
from sync_worker.import_export.row_reading import BadRow, NotForUs, RowReading, reading_of
from sync_worker.ledger.imports.files import SqlImportFiles
from sync_worker.ledger.imports.values import ImportFile, NewRow, RowEnd
from sync_worker.services.imports.choosing import Choice, refuse_own_preset
from sync_worker.services.imports.slices import REJECTED
from sync_worker.services.imports.stored_rows import content_of, plan_of

MAX_FILE_BYTES = 16 * 1024 * 1024
MAX_ROWS = 50_000  # what is longer is for several files, or for the command line
MOST_ROWS = f"{MAX_ROWS:,}"
ROWS_AT_ONCE = 500
PIECE_BYTES = 64 * 1024
MAX_NAME = 100
_ODD = re.compile(r"[^\w.() -]")


@contextmanager
def received(content: IO[bytes], name: str, note: Callable[[bytes], None]) -> Iterator[Path]:
    """What is sent as a file of its own, while it is read. ``note``: hears each piece.

    Raises Misconfigured for one that is too large.
    """
    with tempfile.TemporaryDirectory() as folder:
        path, size = Path(folder) / safe_name(name), 0
        with path.open("wb") as file:
            while piece := content.read(PIECE_BYTES):
                size += len(piece)
                if size > MAX_FILE_BYTES:
                    raise Misconfigured(
                        said(
                            "a file may have %(most)s MiB: send it in parts, or use `ratings-sync"
                            " import`",
                            most=MAX_FILE_BYTES // 1024 // 1024,
                        )
                    )
                note(piece)
                file.write(piece)
        if not size:
            raise Misconfigured(said("the file is empty"))
        yield path


def safe_name(name: str) -> str:
    """Its name without a folder; one that says nothing of its kind is CSV."""
    last = _ODD.sub("_", re.split(r"[/\\]", name)[-1]).strip(" .")[-MAX_NAME:]
    is_known = Path(last).suffix.lower() in (".csv", ".tsv", ".txt", *ENDINGS)
    return last if is_known else f"{last or 'ratings'}.csv"


class Sending:
    """Takes files in. Raises Misconfigured, Transient."""

    def __init__(self, files: SqlImportFiles) -> None:
        self._files = files

    def take(
        self, site: Site, path: Path, choice: Choice, actor: str, *, may_be_own: bool
    ) -> ImportFile:
        """A file is kept whole or not at all; rows that cannot be imported say so at once.

        ``may_be_own``: the preset may be a file of this machine.
        """
        if not may_be_own:
            refuse_own_preset(choice)
        try:
            return self._take(site, path, choice, actor)
        except Misconfigured as error:
            # The folder is ours, and says nothing to anybody.
            if f"{path.parent}/" not in error.message:
                raise
            raise Misconfigured(error.message.replace(f"{path.parent}/", "")) from None

    def _take(self, site: Site, path: Path, choice: Choice, actor: str) -> ImportFile:
        form = choice.format()
        with RatingFile(path) as source:
            places = choice.places_in(source, form)
            reading, shape = reading_of(form, places, site), source.shape
            plan = plan_of(form, places, shape)
            import_id = self._files.begin(site.id, path.name, actor, plan)
            try:
                for rows in _some_at_once(source.rows()):
                    new = [new_row(row, reading, shape) for row in rows]
                    self._files.add_rows(import_id, site.id, new)
            except BaseException:
                self._files.remove(import_id)
                raise
        return self._files.is_there(import_id)


def _some_at_once(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Raises Misconfigured for too many rows, and for none."""
    count = 0
    while some := list(islice(rows, ROWS_AT_ONCE)):
        count += len(some)
        if count > MAX_ROWS:
            raise Misconfigured(
                said(
                    "a file may have %(most)s rows: send it in parts, or use `ratings-sync import`",
                    most=MOST_ROWS,
                )
            )
        yield some
    if not count:
        raise Misconfigured(said("there is no row below the columns"))


def new_row(row: Row, reading: RowReading, shape: Shape) -> NewRow:
    """A row with what is wrong with it, if that shows without asking anybody."""
    end: RowEnd | None = None
    try:
        reading.rating_of(row)
    except BadRow as bad:
        end = RowEnd(row.line, REJECTED, bad.column, bad.reason)
    except NotForUs as other:
        end = RowEnd(row.line, SKIPPED, reason=str(other))
    return NewRow(row.line, content_of(row, shape), row.problem, reading.email_in(row), end)
