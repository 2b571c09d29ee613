"""``ratings-sync import --dry-run``: what an import would do, row by row."""

from __future__ import annotations

from pathlib import Path

import click

from sync_worker.cli.output import advance, print_json, print_problems, progress
from sync_worker.core.values import Site
from sync_worker.files.rows import Row
from sync_worker.import_export.dry_run import DryRunImporter, RejectedRows
from sync_worker.import_export.file_import import Pauses, Tally
from sync_worker.import_export.importing import ImportResult
from sync_worker.import_export.rating_files import RatingFile
from sync_worker.import_export.row_reading import RowReading
from sync_worker.services.imports.running import FileRuns
from sync_worker.wiring import wiring

AGAIN = "nothing was written; run the same command again"


def play_import(site: Site, source: RatingFile, reading: RowReading, threads: int) -> DryRunReport:
    """Play every row, and change nothing on any side or in the ledger."""
    report = DryRunReport(source.path)
    runs = FileRuns(wiring().import_sides, site, reading, report.rejected, report.tally, Pauses())
    work, report.importer = runs.played(AGAIN)
    with progress("played", source.count()) as bar:
        work.run(source.rows(), threads, lambda rows, counts: advance(bar, rows))
    return report


class DryRunReport:
    """What was foreseen for each row, in numbers and row by row."""

    importer: DryRunImporter  # once the file is played

    def __init__(self, file: Path) -> None:
        self.rejected = RejectedRows(str(file))
        self.rows: list[dict[str, object]] = []
        self.tally = Tally(tell=self._tell)

    def _tell(self, row: Row, what: str, result: ImportResult | None) -> None:
        self.rows.append({"line": row.line, "what": what})

    def show(self, *, as_json: bool) -> None:
        if as_json:
            self._show_json()
            return
        counts = self.tally.counts
        click.echo("a dry run: nothing was written")
        click.echo(f"{counts['created']} would be created on Wix")
        for write, count in sorted(self.tally.writes.items()):
            if write != "create on wix":
                click.echo(f"{count} would follow from that: {write}")
        if self.importer.new_contacts:
            click.echo(f"{self.importer.new_contacts} people would become contacts of the site")
        if self.importer.planned:
            click.echo(f"{len(self.importer.planned)} things would be mapped (same_id)")
        print_others(self.tally)
        print_problems(self.rejected.lines)
        if self.rejected.count:
            click.echo(f"{self.rejected.count} would be rejected", err=True)

    def _show_json(self) -> None:
        names = ("created", "there", "differs", "deleted_since", "held", "skipped")
        rows = [*self.rows, *self.rejected.rows]
        print_json(
            {
                "dry_run": True,
                **{name: self.tally.counts[name] for name in names},
                "rejected": self.rejected.count,
                "writes": self.tally.writes,
                "new_contacts": self.importer.new_contacts,
                "new_entities": len(self.importer.planned),
                "skipped_why": self.tally.skipped,
                "rows": sorted(rows, key=lambda row: int(str(row["line"]))),
            }
        )


def print_others(tally: Tally) -> None:
    """What is not created, and why."""
    counts = tally.counts
    click.echo(
        f"{counts['there']} there already ({counts['differs']} with another value, left as they"
        " are)"
    )
    if counts["deleted_since"]:
        click.echo(f"{counts['deleted_since']} deleted since, left so")
    if counts["held"]:
        click.echo(f"{counts['held']} held for a person, left so: see `ratings-sync held`")
    for why, count in tally.skipped.items():
        click.echo(f"{count} skipped: {why}")
