"""``ratings-sync held release`` and ``drop``, and ``replay``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from sync_worker.cli.held.options import DELIVERIES, REASON, SIDE, SINCE, filter_of
from sync_worker.cli.options import JSON, SITE, WHY, whoever
from sync_worker.cli.output import print_json
from sync_worker.ledger.console.held_filter import HeldFilter
from sync_worker.wiring import wiring


@click.command()
@DELIVERIES
@REASON
@SIDE
@SITE
@SINCE
@WHY
@click.option("--preview", is_flag=True, help="Release nothing; say what is expected.")
@JSON
def release(
    deliveries: Sequence[int],
    reason: str | None,
    side: str | None,
    site_name: str | None,
    since: datetime | None,
    why: str,
    preview: bool,
    as_json: bool,
) -> None:
    """Put held deliveries back to work: by number, or all that the options name.

    \b
    Example: ratings-sync held release --reason unknown_entity --side external
    """
    which = filter_of(reason, side, site_name, since, deliveries)
    _refuse_all(which)
    if preview:
        _print_preview(which, as_json=as_json)
        return
    done = wiring().held_parts.held.release(whoever(), which, why)
    _tell("released", deliveries, done.numbers, as_json, reason, is_more=done.is_more)


@click.command()
@DELIVERIES
@REASON
@SIDE
@SITE
@SINCE
@click.option("--why", required=True, metavar="TEXT", help="Goes into the history.")
@JSON
def drop(
    deliveries: Sequence[int],
    reason: str | None,
    side: str | None,
    site_name: str | None,
    since: datetime | None,
    why: str,
    as_json: bool,
) -> None:
    """End held deliveries without doing what they ask for; a later change of the same rating is
    planned anew.

    \b
    Example: ratings-sync held drop --reason anonymous_visitor --why "visitors stay on Wix"
    """
    which = filter_of(reason, side, site_name, since, deliveries)
    _refuse_all(which)
    if not why.strip():
        raise click.UsageError("--why is empty; say it for whoever reads the history")
    done = wiring().held_parts.held.drop(whoever(), which, why)
    _tell("dropped", deliveries, done.numbers, as_json, reason, is_more=done.is_more)


@click.command()
@DELIVERIES
@click.option("--reason", help="Every delivery that is held for this reason.")
@JSON
def replay(deliveries: Sequence[int], reason: str | None, as_json: bool) -> None:
    """Put deliveries back to work, held or ended: each is compared with both sides as they are now.

    \b
    Example: ratings-sync replay 17 18
    """
    if bool(deliveries) == bool(reason):
        raise click.UsageError("say which: numbers of deliveries, or --reason REASON")
    service, who = wiring().held_parts.held, whoever()
    released: Sequence[int]
    if reason:
        released = service.release(who, HeldFilter(reason)).numbers
    else:
        released = service.replay(who, deliveries)
    _tell("replayed", deliveries, released, as_json, reason)


def _print_preview(which: HeldFilter, *, as_json: bool) -> None:
    expected = wiring().held_parts.held.preview(whoever(), which)
    if as_json:
        print_json(expected)
        return
    click.echo(expected.words)
    for one in expected.expectations:
        click.echo(f"  {one.count} {one.expected}: {one.why}")


def _refuse_all(which: HeldFilter) -> None:
    if which.is_empty:
        raise click.UsageError(
            "say which: numbers of deliveries, or --reason, --side, --site, --since"
        )


def _tell(
    what: str,
    asked: Sequence[int],
    done: Sequence[int],
    as_json: bool,
    reason: str | None,
    *,
    is_more: bool = False,
) -> None:
    """How many; status 1 if one that was named is not among them.

    A reason that none has may be misspelt.
    """
    held_now = wiring().admin.questions.status().held if reason and not done else {}
    if held_now and reason not in held_now:
        reasons = ", ".join(f"{name} ({count})" for name, count in sorted(held_now.items()))
        click.echo(f"nothing is held for the reason {reason!r}; held now: {reasons}", err=True)
    missing = sorted(set(asked) - set(done))
    if as_json:
        print_json({what: list(done), "not_" + what: missing, "is_more": is_more})
    else:
        if missing:
            numbers = ", ".join(map(str, missing))
            click.echo(f"not {what}, as unknown or on their way already: {numbers}", err=True)
        click.echo(f"{len(done)} deliveries are {'ended' if what == 'dropped' else 'on their way'}")
    if missing:
        raise SystemExit(1)
