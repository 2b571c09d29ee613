"""Commands that answer questions and put held deliveries back to work."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import click
from redis.exceptions import RedisError
from rich.console import Console
from rich.table import Table

from sync_worker.adapters.redis_figures import BrokerFigures
from sync_worker.errors import Misconfigured
from sync_worker.model import HistoryEntry
from sync_worker.wiring import wiring

JSON = click.option("--json", "as_json", is_flag=True, help="For programs: one JSON document.")
STAMP = "%Y-%m-%d %H:%M:%S"


@click.command()
@JSON
def status(as_json: bool) -> None:
    """What is on its way, what is held and why, how many ratings are linked, and how the broker stands."""
    now, figures, broker = wiring().admin.status(), wiring().ledger_figures(), _broker()
    if as_json:
        parts = {"figures": dataclasses.asdict(figures), "broker": broker and dataclasses.asdict(broker)}
        click.echo(json.dumps(dataclasses.asdict(now) | parts))
        return
    table = Table(show_header=False, box=None)
    table.add_row("deliveries", _words(now.deliveries) or "none yet")
    if now.oldest_open_seconds is not None:
        table.add_row("oldest on its way", f"{now.oldest_open_seconds:.1f} s")
    table.add_row("held", _words(now.held) or "nothing")
    table.add_row("links", _words(now.links) or "none yet")
    table.add_row("open intents", str(now.open_intents))
    table.add_row("writes in the last hour", str(now.writes_last_hour))
    table.add_row("near misses", str(now.near_misses))
    ages = ", ".join(f"{age:.1f} s ({quantile:.0%})" for quantile, age in figures.delivery_age_seconds.items())
    table.add_row("door to end, last 5 min", ages or "nothing ended")
    for run in figures.runs:
        table.add_row(f"last {run.kind}", f"{run.state} {run.ended_seconds_ago:.0f} s ago: {_words(run.counts) or '–'}")
    table.add_row("broker", _broker_words(broker))
    Console().print(table)


def _broker() -> BrokerFigures | None:
    """``None``: it does not answer, or there is none outside of ``ratings-sync up``."""
    try:
        return wiring().broker_figures()
    except (Misconfigured, RedisError):
        return None


def _broker_words(broker: BrokerFigures | None) -> str:
    if broker is None:
        return "not reached (REDIS_URL)"
    queues = f"{_words(broker.queues)} waiting, {broker.unacked} in hand"
    return f"{queues}, {broker.used_memory_bytes / 2**20:.1f} MiB, {broker.evicted_keys} evicted"


def _words(counts: Any) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items())


@click.command()
@click.option("--reason", help="Only those held for this reason.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@JSON
def held(reason: str | None, limit: int, as_json: bool) -> None:
    """Deliveries that wait for a person or for something to arrive, oldest first."""
    rows = wiring().admin.held(reason, limit)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(row) for row in rows], default=str))
        return
    if not rows:
        click.echo("nothing is held")
        return
    table = Table("delivery", "since (UTC)", "side", "change", "remote id", "reason", box=None)
    for row in rows:
        since = row.received_at.strftime(STAMP)
        table.add_row(str(row.inbox_id), since, str(row.side), row.change, row.remote_id, row.reason)
    Console().print(table)
    click.echo("Put one back to work with `ratings-sync replay DELIVERY`, or all of one reason with --reason REASON.")


@click.command()
@click.argument("deliveries", nargs=-1, type=int)
@click.option("--reason", help="Every delivery that is held for this reason.")
def replay(deliveries: Sequence[int], reason: str | None) -> None:
    """Put deliveries back to work, held or ended: each is compared with both sides as they are now."""
    if bool(deliveries) == bool(reason):
        raise Misconfigured("say which: numbers of deliveries, or --reason REASON")
    admin = wiring().admin
    released = admin.release_reason(reason) if reason else admin.release_held(None, inbox_ids=deliveries)
    if missing := set(deliveries) - set(released):
        click.echo(
            f"not replayed, as unknown or on their way already: {', '.join(map(str, sorted(missing)))}", err=True
        )
    click.echo(f"{len(released)} deliveries are on their way")


@click.command()
@click.argument("remote_id", required=False)
@click.option("--link", "link_id", type=int, help="One link, by its number.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@JSON
def history(remote_id: str | None, link_id: int | None, limit: int, as_json: bool) -> None:
    """What was written or decided, with winner, loser and why; of one rating by its id on either side."""
    lines = wiring().admin.history(link_id=link_id, remote_id=remote_id, limit=limit)
    if as_json:
        rows = [{"at": line.at, "link": line.link_id, **dataclasses.asdict(line.entry)} for line in lines]
        click.echo(json.dumps(rows, default=str))
        return
    if not lines:
        click.echo("no history yet" + (f" for {remote_id}" if remote_id else ""))
        return
    table = Table("time (UTC)", "link", "what", "on", "attribute", "value", "lost", "why", box=None)
    for line in lines:
        entry = line.entry
        on = f"{entry.side or ''} {entry.remote_id[:8]}".strip()
        values = (entry.attribute, _change(entry), _loser(entry), entry.reason)
        table.add_row(line.at.strftime(STAMP), str(line.link_id or ""), entry.what, on, *values)
    Console().print(table)


def _change(entry: HistoryEntry) -> str:
    if entry.before is None and entry.after is None:
        return ""
    return f"{_value(entry.before)} → {_value(entry.after)}"


def _loser(entry: HistoryEntry) -> str:
    return "" if entry.loser is None else f"{entry.loser} ({entry.loser_side})"


def _value(value: object) -> str:
    return "–" if value is None else str(value)
