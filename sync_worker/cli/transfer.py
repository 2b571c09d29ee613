"""``ratings-sync export`` and ``ratings-sync import``: ratings to files and from files,
streaming.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from sync_worker.cli.common import FILE, JSON, SITE, advance, print_json, progress, the_site
from sync_worker.core.errors import Misconfigured, Permanent, SyncError
from sync_worker.core.values import RatingKey, Side, Site
from sync_worker.import_export.exporting import (
    LEDGER_COLUMNS,
    WIX_COLUMNS,
    Format,
    PageOf,
    Writer,
    export_to_file,
    export_to_stream,
    is_stale_cursor,
    query_for,
    wix_line,
)
from sync_worker.import_export.importing import Importer, ImportResult, RatingRow, Refused
from sync_worker.import_export.rating_files import (
    BadRow,
    NotForUs,
    RatingFile,
    Reading,
    RejectedFile,
    Row,
    load_preset,
    preset_of,
    reading_of,
)
from sync_worker.ledger.export import ExportLedger
from sync_worker.ledger.imports import ImportLedger
from sync_worker.remotes.wix.ratings import WixRatings
from sync_worker.runtime.waiting import patiently
from sync_worker.wiring import wiring

CHUNK = 100  # rows whose people are looked up in one call
OUT = click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Default: stdout.",
)
FORMAT = click.option(
    "--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True
)
NAMESPACE = click.option("--namespace", help="Only this Wix namespace.")
GROUP = click.option("--group", help="Only this Wix group.")
ENTITY = click.option("--entity", help="Only this Wix entity id.")

_stopped = threading.Event()


def _sleep(seconds: float) -> None:
    """Waits for the budget end at once when the command is interrupted."""
    if _stopped.wait(seconds):
        raise KeyboardInterrupt


# -- export


@dataclass(frozen=True)
class Wanted:
    """Which ratings go where, as the options of an export say."""

    site_name: str | None
    namespace: str | None
    group: str | None
    entity: str | None
    form: Format
    out: Path | None

    @property
    def words(self) -> str:
        return f"{self.namespace} {self.group} {self.entity} {self.form}"


def which_ratings(command: Callable[[Wanted], None]) -> Callable[..., None]:
    """The options that all exports have."""

    @wraps(command)
    def packed(**given: Any) -> None:
        command(Wanted(**given))

    for option in (OUT, FORMAT, ENTITY, GROUP, NAMESPACE, SITE):
        packed = option(packed)
    return packed


@click.group()
def export() -> None:
    """Ratings into a CSV or JSONL file, streaming. An export to a file that was killed goes on
    where it stopped.

    \b
    Example: ratings-sync export wix --format csv --out ratings.csv
    """


@export.command("wix")
@which_ratings
def export_wix(wanted: Wanted) -> None:
    """The ratings that Wix has now (Query Ratings, page by page).

    \b
    Example: ratings-sync export wix --group stores --format jsonl --out ratings.jsonl
    """
    site = the_site(wanted.site_name)
    ratings = WixRatings(wiring().remotes.wix_api(site.instance_id, is_patient=True))
    query = query_for(wanted.group, wanted.entity)

    def page_of(cursor: str | None) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        found, following = patiently(lambda: ratings.export_page(query, cursor), _sleep)
        lines = [wix_line(one) for one in found]
        return [line for line in lines if wanted.namespace in (None, line["namespace"])], following

    _export(
        page_of,
        Writer(wanted.form, WIX_COLUMNS),
        wanted.out,
        f"wix {site.instance_id} {wanted.words}",
    )


@export.command("ledger")
@which_ratings
def export_ledger(wanted: Wanted) -> None:
    """What the ledger knows: who and what is linked, and the values when both sides last agreed.

    \b
    Example: ratings-sync export ledger --entity beans
    """
    site = the_site(wanted.site_name)
    ledger = ExportLedger(wiring().admin.engine)
    which = {"namespace": wanted.namespace, "group": wanted.group, "entity": wanted.entity}

    def page_of(cursor: str | None) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        lines, last = ledger.links_page(site.id, int(cursor or 0), **which)
        return lines, None if last is None else str(last)

    _export(
        page_of, Writer(wanted.form, LEDGER_COLUMNS), wanted.out, f"ledger {site.id} {wanted.words}"
    )


def _export(page_of: PageOf, writer: Writer, out: Path | None, what: str) -> None:
    count = 0
    with progress("exported", None) as bar:
        pages = (
            export_to_stream(sys.stdout, writer, page_of)
            if out is None
            else _restartable(out, writer, page_of, what)
        )
        for lines in pages:
            count += lines
            advance(bar, lines)
    if out is not None:
        click.echo(f"{count} lines are in {out}", err=True)


def _restartable(out: Path, writer: Writer, page_of: PageOf, what: str) -> Iterator[int]:
    """A cursor that Wix has forgotten means to begin anew."""
    begun = out.with_name(out.name + ".cursor")
    had_cursor = begun.is_file()
    try:
        yield from export_to_file(out, writer, page_of, what=what)
    except Permanent as refusal:
        if not (had_cursor and is_stale_cursor(refusal)):
            raise
        begun.unlink(missing_ok=True)
        raise Misconfigured(
            "the begun export cannot go on, its cursor is too old; run the same command again to"
            " begin anew"
        ) from refusal


# -- import


@dataclass
class Tally:
    """What became of the rows of a file."""

    counts: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

    def add(self, brought: ImportResult) -> None:
        self.counts[brought.what] += 1
        if brought.differs:
            self.counts["differs"] += 1
        if brought.note:
            self.notes[brought.note] += 1

    def skip(self, why: str) -> None:
        self.counts["skipped"] += 1
        self.skipped[why] += 1


@dataclass
class FileImport:
    """One run over one file.

    Rows go chunk by chunk: people in one call, then each rating by itself.
    """

    site: Site
    importer: Importer
    reading: Reading
    rejected: RejectedFile
    tally: Tally = field(default_factory=Tally)
    seen: dict[tuple[int, str, str], int] = field(default_factory=dict)

    def run(
        self,
        rows: Iterator[Row],
        bar: Progress,
        threads: int,
        report: Callable[[Mapping[str, int]], None],
    ) -> None:
        """``report``: told the counts after each chunk."""
        with ThreadPoolExecutor(threads, thread_name_prefix="import") as pool:
            while chunk := list(islice(rows, CHUNK)):
                ready = self._keyed(chunk)
                work = [
                    (row, pool.submit(self._bring, key, opinion)) for row, key, opinion in ready
                ]
                for row, done in work:
                    try:
                        self.tally.add(done.result())
                    except Refused as refused:
                        self.rejected.add(row, refused.column, refused.reason)
                    except SyncError as error:
                        _stopped.set()
                        raise Misconfigured(
                            f"stopped at line {row.line}: {error}; {RESUME}"
                        ) from error
                advance(bar, len(chunk))
                report(self.counts)

    @property
    def counts(self) -> dict[str, int]:
        return {
            name: count
            for name, count in {**self.tally.counts, "rejected": self.rejected.count}.items()
            if count
        }

    def _keyed(self, chunk: Sequence[Row]) -> list[tuple[Row, RatingKey, RatingRow]]:
        opinions = [(row, opinion) for row in chunk if (opinion := self._opinion(row)) is not None]
        patiently(lambda: self.importer.find_people([opinion for _, opinion in opinions]), _sleep)
        keyed = ((row, self._key(row, opinion), opinion) for row, opinion in opinions)
        return [(row, key, opinion) for row, key, opinion in keyed if key is not None]

    def _opinion(self, row: Row) -> RatingRow | None:
        try:
            return self.reading.opinion(row)
        except BadRow as bad:
            self.rejected.add(row, bad.column, bad.reason)
        except NotForUs as other:
            self.tally.skip(str(other))
        return None

    def _key(self, row: Row, opinion: RatingRow) -> RatingKey | None:
        try:
            key = patiently(lambda: self.importer.key_of(opinion), _sleep)
        except Refused as refused:
            columns = self.reading.preset.columns
            self.rejected.add(
                row,
                {"entity": columns.entity, "email": columns.email}[refused.column],
                refused.reason,
            )
            return None
        if not isinstance(key, RatingKey):
            self.tally.skip(key.reason)
            return None
        for name in opinion.values:
            earlier = self.seen.setdefault((key.entity_id, key.contact_id, name), row.line)
            if earlier != row.line:
                reason = f"the same person has rated the same thing on line {earlier}"
                self.rejected.add(row, self.reading.preset.columns.email, reason)
                return None
        return key

    def _bring(self, key: RatingKey, opinion: RatingRow) -> ImportResult:
        return patiently(lambda: self.importer.bring(key, opinion.values), _sleep)


RESUME = "what was imported stays; run the same command again to go on"


class NoBell:
    """Implements ports.Bell: the workers' sweeper finds what there is to do."""

    def ring(self, inbox_ids: Sequence[int]) -> None:
        return


def _columns(pairs: Sequence[str]) -> dict[str, str]:
    columns = {}
    for pair in pairs:
        name, equals, column = pair.partition("=")
        if not equals or not name.strip() or not column.strip():
            raise click.UsageError(
                f"--column {pair!r} is not PART=COLUMN, such as email=reviewer_email"
            )
        columns[name.strip()] = column.strip()
    return columns


@click.command("import")
@FILE
@SITE
@click.option("--preset", metavar="NAME|PATH", help="judgeme, woocommerce, or a file of your own.")
@click.option(
    "--column",
    "pairs",
    multiple=True,
    metavar="PART=COLUMN",
    help="entity, email, name, state, or an attribute.",
)
@click.option("--scale", metavar="MIN:MAX:STEP", help="Of the file's values, such as 1:5:1.")
@click.option(
    "--mapping",
    type=click.Choice(["proportional", "span"]),
    help="How its scale converts to Wix's.",
)
@click.option(
    "--entity-of",
    type=click.Choice([str(side) for side in Side]),
    help="Whose entity ids the file names.",
)
@click.option("--threads", type=click.IntRange(1, 32), default=8, show_default=True)
@JSON
def import_ratings(
    file: Path,
    site_name: str | None,
    preset: str | None,
    pairs: Sequence[str],
    scale: str | None,
    mapping: Any,
    entity_of: str | None,
    threads: int,
    as_json: bool,
) -> None:
    """Ratings of a CSV or JSONL file into Wix. What is there already stays; a second import writes
    nothing.

    Rejected rows go to FILE.rejected.csv (or .jsonl) with line, column and reason: put them right
    and import that file.

    \b
    Example: ratings-sync import reviews.csv --preset judgeme
    """
    site = the_site(site_name)
    parts = tuple(scale.split(":")) if scale is not None else None
    if parts is not None and len(parts) != 3:
        raise click.UsageError("--scale takes MIN:MAX:STEP, such as 1:5:1")
    base = load_preset(preset) if preset is not None else {}
    chosen = preset_of(base, _columns(pairs), scale=parts, mapping=mapping, entity_of=entity_of)
    with RatingFile(file) as source:
        source.check(chosen)
        rejected = RejectedFile(source)
        connect = wiring().remotes.connect_patiently
        engine = replace(wiring().intake(NoBell()), connect=connect).engine
        importer = Importer(engine, connect(site), site)
        work = FileImport(site, importer, reading_of(chosen, source.header, site), rejected)
        try:
            with _noted(site, work) as report, progress("imported", source.count()) as bar:
                work.run(source.rows(), bar, threads, report)
        finally:
            rejected.close()
            _report(work.tally, rejected, as_json)
    if rejected.count:
        raise SystemExit(1)


@contextmanager
def _noted(site: Site, work: FileImport) -> Iterator[Callable[[Mapping[str, int]], None]]:
    """The import as a run of the ledger, for ``status``."""
    runs = ImportLedger(wiring().admin.engine)
    run_id = runs.begin(site.id)
    is_whole = False
    try:
        yield lambda counts: runs.save(run_id, counts)
        is_whole = True
    finally:
        runs.end(run_id, work.counts, is_whole=is_whole)


def _report(tally: Tally, rejected: RejectedFile, as_json: bool) -> None:
    counts = tally.counts
    if as_json:
        names = ("created", "there", "differs", "deleted_since", "skipped")
        facts: dict[str, Any] = {name: counts[name] for name in names}
        where = str(rejected.path) if rejected.path else None
        print_json(
            {
                **facts,
                "rejected": rejected.count,
                "rejected_file": where,
                "skipped_why": tally.skipped,
            }
        )
        return
    click.echo(f"{counts['created']} created on Wix")
    click.echo(
        f"{counts['there']} there already ({counts['differs']} with another value, left as they"
        " are)"
    )
    if counts["deleted_since"]:
        click.echo(f"{counts['deleted_since']} deleted since, left so")
    for why, count in tally.skipped.items():
        click.echo(f"{count} skipped: {why}")
    for note, count in tally.notes.most_common(5):
        click.echo(f"{count} are on Wix, but did not go further yet: {note}", err=True)
    if rejected.path is not None:
        click.echo(
            f"{rejected.count} rejected; they are in {rejected.path}, with line, column and reason",
            err=True,
        )
