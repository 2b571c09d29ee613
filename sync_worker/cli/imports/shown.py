"""``ratings-sync imports list``, ``show``, ``rows``, ``rejected``."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from sync_worker.cli.imports.options import IMPORT
from sync_worker.cli.options import JSON, NUMBER, PAGE_AFTER, SITE, the_site, whoever
from sync_worker.cli.output import STAMP, print_json, print_table, say
from sync_worker.services.imports.imports import ShownImport
from sync_worker.wiring import wiring


@click.command("list", epilog="Example: ratings-sync imports list --site 7 --json")
@SITE
@click.option("--before", type=NUMBER, metavar="N", help="Begin before it: the last one shown.")
@JSON
def list_files(site_name: str | None, before: int | None, as_json: bool) -> None:
    """Files that were sent for a site, newest first."""
    page = wiring().imports.of_site(whoever(), the_site(site_name).id, before)
    following = None if page.before is None else f"--before {page.before}"
    if as_json:
        print_json({"files": page.files, "next_after": page.before, "next": following})
        return
    if not page.files:
        click.echo("no file was sent yet")
        return
    headers = ("import", "file", "phase", "state", "rows", "sent (UTC)", "by")
    lines = [
        (
            file.id,
            file.name,
            file.phase,
            file.state,
            file.row_count,
            datetime.fromtimestamp(file.sent_at, UTC).strftime(STAMP),
            file.actor,
        )
        for file in page.files
    ]
    print_table(headers, lines)
    if following is not None:
        say(f"more: {following}", err=True)


@click.command(epilog="Example: ratings-sync imports show 12")
@IMPORT
@SITE
@JSON
def show(import_id: int, site_name: str | None, as_json: bool) -> None:
    """One file: how far it is, what became of its rows, and what is next."""
    shown = wiring().imports.one(whoever(), the_site(site_name).id, import_id)
    if as_json:
        print_json(shown)
        return
    _print(shown)


def _print(shown: ShownImport) -> None:
    file = shown.file
    say(f"{file.name}: {file.phase}, {file.state}; {file.row_count} rows, {shown.left} to do")
    if file.reason:
        say(file.reason)
    for name, many in file.counts.items():
        say(f"{many} {name.replace('_', ' ')}")
    for write, many in file.writes.items():
        say(f"{many} would follow: {write}")
    if shown.why_not:
        say(shown.why_not)
    elif shown.may_run:
        say(f"next: ratings-sync imports run {file.id} --count {shown.to_type}")
    elif shown.may_look:
        say(f"next: ratings-sync imports look {file.id}")


@click.command(epilog="Example: ratings-sync imports rows 12 --what rejected")
@IMPORT
@SITE
@click.option("--what", metavar="WORD", help="Those alone of which that became: rejected, held.")
@PAGE_AFTER
@JSON
def rows(
    import_id: int, site_name: str | None, what: str | None, after: int, as_json: bool
) -> None:
    """Rows of a file, each with what became of it, and why."""
    page = wiring().imports.rows(whoever(), the_site(site_name).id, import_id, what, after)
    following = None if page.after is None else f"--after {page.after}"
    if as_json:
        print_json({"rows": page.rows, "next_after": page.after, "next": following})
        return
    lines = [(row.line, row.what or "to do", row.place, row.reason) for row in page.rows]
    print_table(("line", "what", "column", "why"), lines)
    if following is not None:
        say(f"more: {following}", err=True)


@click.command(epilog="Example: ratings-sync imports rejected 12 > rejected.csv")
@IMPORT
@SITE
def rejected(import_id: int, site_name: str | None) -> None:
    """The rejected rows as a file, to be put right and sent again."""
    site, after = the_site(site_name), 0
    while True:
        part = wiring().imports.rejected(whoever(), site.id, import_id, after)
        click.echo(part.text, nl=False)
        if part.after is None:
            return
        after = part.after
