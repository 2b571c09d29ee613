"""``ratings-sync comparisons``: what was compared whole, and imported, and what is under way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from sync_worker.cli.options import JSON, NUMBER, the_site, whoever
from sync_worker.cli.output import STAMP, print_json, print_table, say
from sync_worker.ledger.console.compared import ComparedPage, ComparedRun, SqlCompared
from sync_worker.services.access.who import Right
from sync_worker.services.counted import counted
from sync_worker.wiring import wiring


@click.command(epilog="Example: ratings-sync comparisons --site 2 --json")
@click.option("--site", "site_name", metavar="SITE", help="Number, instance id or connector.")
@click.option("--before", type=NUMBER, metavar="N", help="Begin before it: the last one shown.")
@JSON
def comparisons(site_name: str | None, before: int | None, as_json: bool) -> None:
    """Comparisons of both sides and imports of files, newest first; not the polls."""
    page = _page(site_name, before)
    if as_json:
        following = None if page.before is None else f"--before {page.before}"
        print_json({"runs": page.runs, "next_after": page.before, "next": following})
        return
    if not page.runs:
        click.echo("nothing was compared yet")
        return
    headers = ("run", "site", "what", "state", "began (UTC)", "found")
    print_table(headers, _rows(page.runs))
    if page.before is not None:
        say(f"more: --before {page.before}", err=True)


def _page(site_name: str | None, before: int | None) -> ComparedPage:
    compared = SqlCompared(wiring().admin.transactions)
    whoever().check(Right.LOOK)
    if site_name is None:
        return compared.of_all(before)
    return compared.of_site(the_site(site_name).id, before)


def _rows(runs: Sequence[ComparedRun]) -> list[tuple[object, ...]]:
    return [
        (
            run.id,
            run.site_id,
            run.kind.replace("_", " "),
            f"{run.state}: {run.reason}" if run.reason else run.state,
            datetime.fromtimestamp(run.started_at, UTC).strftime(STAMP),
            ", ".join(f"{many} {words}" for words, many in counted(run.counts)) or "nothing yet",
        )
        for run in runs
    ]
