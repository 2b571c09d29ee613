"""Held deliveries: list, look at, release, drop; and replay.

What each reason means: docs/held.md.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from sync_worker.cli.common import JSON, SITE, STAMP, Moment, print_json, the_site, user_name
from sync_worker.core.errors import SyncError
from sync_worker.core.values import Link, Person, Record, Side
from sync_worker.ledger.held import DeliveryStory, HeldDelivery, HeldFilter, HistoryLine
from sync_worker.runtime.waiting import shortly
from sync_worker.wiring import wiring

REASON = click.option("--reason", metavar="REASON", help="Only those held for this reason.")
SIDE = click.option(
    "--side",
    type=click.Choice([str(side) for side in Side]),
    help="Only those that came from there.",
)
SINCE = click.option(
    "--since", type=Moment(), metavar="TIME", help="Received since then: 2026-01-31, 36h, 7d."
)
DELIVERIES = click.argument("deliveries", nargs=-1, type=int)


def _filter(
    reason: str | None,
    side: str | None,
    site_name: str | None,
    since: datetime | None,
    ids: Sequence[int] = (),
) -> HeldFilter:
    site = the_site(site_name) if site_name is not None else None
    return HeldFilter(reason, Side(side) if side else None, site, since, tuple(ids) or None)


@click.group(invoke_without_command=True)
@REASON
@SIDE
@SITE
@SINCE
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@JSON
@click.pass_context
def held(
    context: click.Context,
    reason: str | None,
    side: str | None,
    site_name: str | None,
    since: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """Deliveries that wait for a person or for something to arrive, oldest first. Reasons:
    docs/held.md.

    \b
    Example: ratings-sync held --reason unknown_contact --since 7d
    """
    if context.invoked_subcommand is not None:
        return
    rows = wiring().admin.held(_filter(reason, side, site_name, since), limit)
    if as_json:
        print_json(rows)
    elif not rows:
        is_narrowed = any((reason, side, site_name, since))
        click.echo("nothing that fits is held" if is_narrowed else "nothing is held")
    else:
        _print_held(rows)
        click.echo(
            "Look at one with `ratings-sync held show DELIVERY`; put it back to work with `held"
            " release DELIVERY`,"
        )
        click.echo(
            "or all of one reason with `held release --reason REASON`. What to do about each:"
            " docs/held.md."
        )


def _print_held(rows: Sequence[HeldDelivery]) -> None:
    table = Table("delivery", "since (UTC)", "side", "change", "remote id", "reason", box=None)
    for row in rows:
        since = row.received_at.strftime(STAMP)
        table.add_row(
            str(row.inbox_id), since, str(row.side), row.change, row.remote_id, row.reason
        )
    Console().print(table)


# -- one of them


@held.command()
@click.argument("delivery", type=int)
@click.option("--offline", is_flag=True, help="Ask neither side: only what the ledger knows.")
@JSON
def show(delivery: int, offline: bool, as_json: bool) -> None:
    """One delivery: both sides as they are now, what the ledger last knew of them, and their
    history.

    \b
    Example: ratings-sync held show 17
    """
    story = wiring().admin.story(delivery)
    if story is None:
        click.secho(
            f"there is no delivery {delivery}; `ratings-sync held` lists them", err=True, fg="red"
        )
        raise SystemExit(1)
    now = {} if offline else {str(side): _side_now(story, side) for side in Side}
    if as_json:
        print_json(
            {
                "delivery": _facts(story),
                "now": now,
                "link": _link_facts(story),
                "history": story.history,
            }
        )
        return
    for title, facts in {"delivery": _facts(story), **now, "ledger": _link_facts(story)}.items():
        table = Table(title, "", box=None, title_justify="left")
        for name, value in facts.items():
            table.add_row(name, "" if value is None else str(value))
        Console().print(table)
    if story.history:
        print_history(story.history)


def _facts(story: DeliveryStory) -> dict[str, Any]:
    delivery = story.delivery
    received = delivery.received_at
    return {
        "number": delivery.id,
        "state": str(delivery.state),
        "reason": delivery.reason,
        "side": str(delivery.new.side),
        "source": delivery.new.source,
        "change": delivery.new.change,
        "remote id": delivery.new.remote_id,
        "revision": delivery.new.revision,
        "received (UTC)": received.strftime(STAMP) if received else None,
        "attempts": delivery.attempts,
        "link": delivery.link_id,
    }


def _link_facts(story: DeliveryStory) -> dict[str, Any]:
    if story.link is None or story.entity is None or story.contact is None:
        return {"link": "none yet: the delivery has not found its entity and person"}
    wix, external = story.entity.wix, story.entity.external
    facts: dict[str, Any] = {
        "state": str(story.link.state),
        "person": f"{story.contact.contact_id} {story.contact.email or ''}".strip(),
        "entity on wix": f"{wix.namespace}/{wix.group}/{wix.entity_id}",
        "entity on external": f"{external.group}/{external.entity_id}".lstrip("/"),
    }
    for name, base in story.link.bases.items():
        facts[f"last agreed {name}"] = f"wix {_value(base.wix)}, external {_value(base.external)}"
    return facts


def _side_now(story: DeliveryStory, side: Side) -> dict[str, Any]:
    """What the remote shows at this moment, or why it cannot be asked."""
    if story.site is None:
        return {"record": "cannot be asked: no site is added for this source"}
    ids = _ids_on(story, side)
    try:
        remote = wiring().remotes.connect(story.site).remotes[side]
        found: dict[str, Record | None] = {
            one: shortly(partial(remote.get, one), time.sleep) for one in ids
        }
        if not ids and story.entity is not None and story.contact is not None:
            person = Person(story.contact.contact_id, email=story.contact.email)
            there = story.entity.on(side)
            found = {
                one.remote_id: one
                for one in shortly(lambda: remote.find(there, person), time.sleep)
            }
        shown = {remote_id: _record_words(record) for remote_id, record in found.items()}
    except SyncError as error:
        return {"record": f"cannot be read now: {error}"}
    return {f"record {remote_id}": words for remote_id, words in shown.items()} or {
        "record": "none"
    }


def _ids_on(story: DeliveryStory, side: Side) -> list[str]:
    known: Link | None = story.link
    ids = (
        [one.remote_id for slot, one in known.records.items() if slot.side is side] if known else []
    )
    new = story.delivery.new
    if new.side is side and new.remote_id not in ids and new.change in ("upsert", "delete"):
        ids.append(new.remote_id)
    return ids


def _record_words(record: Record | None) -> str:
    if record is None:
        return "does not exist (any more)"
    values = ", ".join(f"{name} {value}" for name, value in record.values.items())
    revision = "" if record.revision is None else f", revision {record.revision}"
    person = (
        record.person.email or record.person.contact_id or record.person.member_id or "nobody named"
    )
    entity = record.entity.entity_id if record.entity else "nothing named"
    return f"{values} by {person} for {entity} ({record.state}{revision})"


# -- all of them


@held.command()
@DELIVERIES
@REASON
@SIDE
@SITE
@SINCE
@JSON
def release(
    deliveries: Sequence[int],
    reason: str | None,
    side: str | None,
    site_name: str | None,
    since: datetime | None,
    as_json: bool,
) -> None:
    """Put held deliveries back to work: by number, or all that the options name.

    \b
    Example: ratings-sync held release --reason unknown_entity --side external
    """
    which = _filter(reason, side, site_name, since, deliveries)
    _refuse_all(which)
    _tell("released", deliveries, wiring().admin.release(which, user_name()), as_json, reason)


@held.command()
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
    which = _filter(reason, side, site_name, since, deliveries)
    _refuse_all(which)
    if not why.strip():
        raise click.UsageError("--why is empty; say it for whoever reads the history")
    _tell(
        "dropped", deliveries, wiring().admin.drop(which, why.strip(), user_name()), as_json, reason
    )


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
    admin = wiring().admin
    released = (
        admin.release(HeldFilter(reason), user_name())
        if reason
        else admin.replay(deliveries, user_name())
    )
    _tell("replayed", deliveries, released, as_json, reason)


def _refuse_all(which: HeldFilter) -> None:
    if which.is_empty:
        raise click.UsageError(
            "say which: numbers of deliveries, or --reason, --side, --site, --since"
        )


def _tell(
    what: str, asked: Sequence[int], done: Sequence[int], as_json: bool, reason: str | None
) -> None:
    """How many; status 1 if one that was named is not among them.

    A reason that none has may be misspelt.
    """
    held_now = wiring().admin.status().held if reason and not done else {}
    if held_now and reason not in held_now:
        reasons = ", ".join(f"{name} ({count})" for name, count in sorted(held_now.items()))
        click.echo(f"nothing is held for the reason {reason!r}; held now: {reasons}", err=True)
    missing = sorted(set(asked) - set(done))
    if as_json:
        print_json({what: list(done), "not_" + what: missing})
    else:
        if missing:
            numbers = ", ".join(map(str, missing))
            click.echo(f"not {what}, as unknown or on their way already: {numbers}", err=True)
        click.echo(f"{len(done)} deliveries are {'ended' if what == 'dropped' else 'on their way'}")
    if missing:
        raise SystemExit(1)


# -- history, as a table


def print_history(lines: Sequence[HistoryLine]) -> None:
    table = Table("time (UTC)", "link", "what", "on", "attribute", "value", "lost", "why", box=None)
    for line in lines:
        entry = line.entry
        on = f"{entry.side or ''} {entry.remote_id[:8]}".strip()
        change = (
            ""
            if entry.before is entry.after is None
            else f"{_value(entry.before)} → {_value(entry.after)}"
        )
        lost = "" if entry.loser is None else f"{entry.loser} ({entry.loser_side})"
        values = (entry.attribute, change, lost, entry.reason)
        table.add_row(line.at.strftime(STAMP), str(line.link_id or ""), entry.what, on, *values)
    Console().print(table)


def _value(value: Decimal | None) -> str:
    return "–" if value is None else str(value)
