"""What the three mappings share: import a file whole or not at all, and print or save rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from sync_worker.cli.options import actor
from sync_worker.cli.output import document_of, print_csv, print_json, print_problems
from sync_worker.core.values import Site
from sync_worker.files.csv_lines import csv_line
from sync_worker.files.mapping_files import MappingFile
from sync_worker.files.rows import BadFile
from sync_worker.ledger.administration.mappings import Imported, ImportRefused


def read_or_refuse(file: Path, read: Callable[[Path], MappingFile[Any]]) -> MappingFile[Any]:
    """Problems go to stderr, line by line, and end the command."""
    try:
        return read(file)
    except BadFile as bad:
        _refuse(bad.problems)


def _refuse(problems: Sequence[str]) -> NoReturn:
    print_problems(problems)
    click.echo("nothing was imported", err=True)
    raise SystemExit(1)


def import_rows(
    site: Site,
    rows: MappingFile[Any],
    save: Callable[[Site, Sequence[Any], str], Imported],
    as_json: bool,
    more: Callable[[Imported], dict[str, object]] = lambda done: {},
) -> Imported:
    """Saved as a whole or not at all. ``more``: what programs are told besides."""
    try:
        done = save(site, rows.rows, actor())
    except ImportRefused as refused:
        _refuse([rows.problem(position, why) for position, why in sorted(refused.problems.items())])
    if as_json:
        print_json({**document_of(done), **more(done)})
    else:
        click.echo(
            f"{done.added} added, {done.changed} changed, {done.unchanged} were there already"
        )
        if done.released:
            click.echo(
                f"{len(done.released)} held deliveries had waited for these and are on their way"
            )
    return done


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[object]], as_json: bool) -> None:
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_csv(columns, rows)


def save_rows(columns: Sequence[str], rows: Iterable[Sequence[object]], out: Path | None) -> None:
    if out is None:
        print_csv(columns, rows)
        return
    with out.open("w", newline="", encoding="utf-8") as file:
        file.write(csv_line(columns))
        file.writelines(csv_line(row) for row in rows)
