"""``ratings-sync history``: what was written or decided, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from decimal import Decimal

import click
from rich.console import Console
from rich.table import Table

from sync_worker.cli.options import JSON, NUMBER
from sync_worker.cli.output import STAMP, print_json
from sync_worker.ledger.administration.held import HistoryLine
from sync_worker.wiring import wiring


@click.command()
@click.argument("remote_id", required=False)
@click.option("--link", "link_id", type=NUMBER, help="One link, by its number.")
@click.option("--limit", type=NUMBER, default=50, show_default=True)
@JSON
def history(remote_id: str | None, link_id: int | None, limit: int, as_json: bool) -> None:
    """What was written or decided, with winner, loser and why; of one rating by its id on either
    side.

    \b
    Example: ratings-sync history 076716da-0000-4000-8000-2448c17c89df
    """
    lines = wiring().admin.questions.history(link_id=link_id, remote_id=remote_id, limit=limit)
    if as_json:
        print_json(
            [
                {"at": line.at, "link": line.link_id, **dataclasses.asdict(line.entry)}
                for line in lines
            ]
        )
    elif not lines:
        click.echo("no history yet" + (f" for {remote_id}" if remote_id else ""))
    else:
        print_history(lines)


def print_history(lines: Sequence[HistoryLine]) -> None:
    table = Table("time (UTC)", "link", "what", "on", "attribute", "value", "lost", "why", box=None)
    for line in lines:
        entry = line.entry
        on = f"{entry.side or ''} {entry.remote_id[:8]}".strip()
        change = lost = ""
        if entry.before is not None or entry.after is not None:
            change = f"{value_words(entry.before)} → {value_words(entry.after)}"
        if entry.loser is not None:
            lost = f"{entry.loser} ({entry.loser_side})"
        values = (entry.attribute, change, lost, entry.reason)
        table.add_row(line.at.strftime(STAMP), str(line.link_id or ""), entry.what, on, *values)
    Console().print(table)


def value_words(value: Decimal | None) -> str:
    return "–" if value is None else str(value)
