"""``ratings-sync held``: the deliveries that wait, and which commands act on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from sync_worker.cli.held.options import REASON, SIDE, SINCE, filter_of
from sync_worker.cli.lazy import Lazy, LazyGroup
from sync_worker.cli.options import JSON, NUMBER, SITE, whoever
from sync_worker.cli.output import STAMP, document_of, print_json, print_table, say
from sync_worker.core.hold_reasons import hold_reason
from sync_worker.ledger.administration.held import HeldDelivery, WaitingDelivery
from sync_worker.wiring import wiring

COMMANDS = {
    "show": Lazy(
        "held.show:show",
        "One delivery: both sides as they are now, what the ledger last knew of them, and their"
        " history.",
    ),
    "release": Lazy(
        "held.change:release",
        "Put held deliveries back to work: by number, or all that the options name.",
    ),
    "reasons": Lazy(
        "held.reasons:reasons",
        "What is held by reason: how many, since when, what happened, and what to do.",
    ),
    "try-now": Lazy(
        "held.reasons:try_now",
        "Bring forward the next tries of what is tried again by itself.",
    ),
    "drop": Lazy(
        "held.change:drop",
        "End held deliveries without doing what they ask for; a later change of the same rating is"
        " planned anew.",
    ),
}


@click.group(cls=LazyGroup, lazy=COMMANDS, invoke_without_command=True)
@REASON
@SIDE
@SITE
@SINCE
@click.option("--waiting", is_flag=True, help="What is tried again by itself, and when.")
@click.option("--limit", type=NUMBER, default=100, show_default=True)
@JSON
@click.pass_context
def held(
    context: click.Context,
    reason: str | None,
    side: str | None,
    site_name: str | None,
    since: datetime | None,
    waiting: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Deliveries that wait for a person or for something to arrive, oldest first. Reasons:
    docs/held.md.

    \b
    Example: ratings-sync held --reason unknown_contact --since 7d
    """
    is_narrowed = any((reason, side, site_name, since))
    if context.invoked_subcommand is not None:
        if is_narrowed or waiting or as_json:
            raise click.UsageError("options belong behind the command that they are for")
        return
    if waiting and is_narrowed:
        raise click.UsageError(
            "--waiting lists all that waits: no --reason, --side, --site, --since"
        )
    if waiting:
        _print_waiting(wiring().held_parts.waiting.listed(whoever(), limit), as_json)
        return
    rows = wiring().held_parts.held.listed(
        whoever(), filter_of(reason, side, site_name, since), limit
    )
    if as_json:
        items = wiring().held_parts.held.items(whoever(), [row.inbox_id for row in rows])
        known = {number: document_of(item) for number, item in items.items()}
        print_json([{**document_of(row), **known.get(row.inbox_id, {})} for row in rows])
    elif not rows:
        click.echo("nothing that fits is held" if is_narrowed else "nothing is held")
    else:
        _print_held(rows)
        _print_advice(sorted({row.reason for row in rows}))
        click.echo(
            "Look at one with `ratings-sync held show DELIVERY`; put it back to work with `held"
            " release DELIVERY`,"
        )
        click.echo(
            "or all of one reason with `held release --reason REASON`. What to do about each:"
            " docs/held.md."
        )


def _print_waiting(rows: Sequence[WaitingDelivery], as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo("nothing waits for another try")
        return
    cells = [
        (
            row.inbox_id,
            row.side,
            row.remote_id,
            row.attempts,
            f"in {row.next_try_seconds:.0f} s",
            row.reason,
        )
        for row in rows
    ]
    print_table(("delivery", "side", "remote id", "tries", "next try", "why"), cells)


def _print_advice(reasons: Sequence[str]) -> None:
    for name in reasons:
        known = hold_reason(name)
        say(f"{name}: {known.title}. {known.advice}\n")


def _print_held(rows: Sequence[HeldDelivery]) -> None:
    headers = ("delivery", "since (UTC)", "side", "change", "remote id", "reason")
    print_table(
        headers,
        [
            (
                row.inbox_id,
                row.received_at.strftime(STAMP),
                row.side,
                row.change,
                row.remote_id,
                row.reason,
            )
            for row in rows
        ],
    )
