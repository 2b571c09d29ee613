"""``ratings-sync import``: ratings of a file into Wix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from sync_worker.cli.options import FILE, JSON, SITE, actor, the_site
from sync_worker.cli.output import advance, print_json, progress
from sync_worker.cli.transfer.choice import takes_choice
from sync_worker.cli.transfer.import_dry_run import play_import, print_others
from sync_worker.core.values import Site, WixKind
from sync_worker.import_export.file_import import RESUME, FileImport, Pauses, Tally
from sync_worker.import_export.rating_files import RatingFile, RejectedFile
from sync_worker.import_export.row_reading import RowReading, reading_of
from sync_worker.ledger.administration.imports import ImportRuns
from sync_worker.services.imports.choosing import Choice, lacks_state
from sync_worker.services.imports.running import FileRuns
from sync_worker.wiring import wiring


@click.command("import")
@FILE
@SITE
@takes_choice
@click.option("--dry-run", is_flag=True, help="Say what would become of each row; write nothing.")
@click.option("--threads", type=click.IntRange(1, 32), default=8, show_default=True)
@JSON
def import_ratings(
    file: Path,
    site_name: str | None,
    choice: Choice,
    dry_run: bool,
    threads: int,
    as_json: bool,
) -> None:
    """Ratings of a CSV or JSONL file into Wix. What is there already stays; a second import writes
    nothing.

    Rejected rows go to FILE.rejected.csv (or .jsonl) with line, column and reason: put them right
    and import that file.

    \b
    Example: ratings-sync import reviews.csv --preset judgeme --dry-run
    """
    site = the_site(site_name)
    form = choice.format()
    with RatingFile(file) as source:
        reading = reading_of(form, choice.places_in(source, form), site)
        for notice in _notices(reading, site):
            click.echo(notice, err=True)
        if dry_run:
            report = play_import(site, source, reading, threads)
            report.show(as_json=as_json)
            raise SystemExit(1 if report.rejected.count else 0)
        rejected = RejectedFile(source)
        runs = FileRuns(wiring().import_sides, site, reading, rejected, Tally(), Pauses())
        work = runs.real(actor(), RESUME)
        try:
            _run(work, source, threads)
        finally:
            rejected.close()
            _report(work.tally, rejected, as_json)
    if rejected.count:
        raise SystemExit(1)


def _notices(reading: RowReading, site: Site) -> Iterator[str]:
    """What a person should know of a file before its rows."""
    if words := lacks_state(reading):
        yield words
    if reading.has_words and site.wix_api is WixKind.RATINGS:
        yield "the site's Wix side is Ratings: the words of the file stay out"


def _run(work: FileImport, source: RatingFile, threads: int) -> None:
    with _noted(work) as note, progress("imported", source.count()) as bar:

        def report(rows: int, counts: Mapping[str, int]) -> None:
            advance(bar, rows)
            note(counts)

        work.run(source.rows(), threads, report)


@contextmanager
def _noted(work: FileImport) -> Iterator[Callable[[Mapping[str, int]], None]]:
    """Keep the import as a run of the ledger, for ``status``; takes the counts so far."""
    runs = ImportRuns(wiring().admin.engine)
    run_id = runs.begin(work.site.id)
    is_whole = False
    try:
        yield lambda counts: runs.save(run_id, counts)
        is_whole = True
    finally:
        runs.end(run_id, work.counts, is_whole=is_whole)


def _report(tally: Tally, rejected: RejectedFile, as_json: bool) -> None:
    counts = tally.counts
    if as_json:
        names = ("created", "there", "differs", "deleted_since", "held", "skipped")
        print_json(
            {
                **{name: counts[name] for name in names},
                "rejected": rejected.count,
                "rejected_file": str(rejected.path) if rejected.path else None,
                "skipped_why": tally.skipped,
            }
        )
        return
    click.echo(f"{counts['created']} created on Wix")
    print_others(tally)
    for note, count in tally.notes.most_common(5):
        click.echo(f"{count} are on Wix, but did not go further yet: {note}", err=True)
    if rejected.path is not None:
        click.echo(
            f"{rejected.count} rejected; they are in {rejected.path}, with line, column and reason",
            err=True,
        )
