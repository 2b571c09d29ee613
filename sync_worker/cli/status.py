"""``ratings-sync status``: how the work stands."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import click
from redis.exceptions import RedisError
from rich.console import Console
from rich.table import Table

from sync_worker.cli.options import JSON
from sync_worker.cli.output import print_json
from sync_worker.core.errors import Misconfigured
from sync_worker.ledger.administration.hook_states import hook_words
from sync_worker.ledger.administration.site_faults import fault_words
from sync_worker.telemetry.broker_figures import BrokerFigures
from sync_worker.wiring import wiring


@click.command()
@JSON
def status(as_json: bool) -> None:
    """What is on its way, what is held and why, how many ratings are linked, and how the broker
    stands.

    \b
    Example: ratings-sync status --json
    """
    now, figures, broker = (
        wiring().admin.questions.status(),
        wiring().databases.figures(),
        _broker(),
    )
    reason = wiring().databases.up_check.reason()
    hooks = wiring().admin.hook_states.all()
    if as_json:
        ledger = {"is_up": not reason, "reason": reason}
        more = {"figures": figures, "broker": broker, "ledger": ledger, "webhooks": hooks}
        print_json(dataclasses.asdict(now) | more)
        return
    table = Table(show_header=False, box=None)
    if reason:
        table.add_row("ledger", f"cannot be written: {reason}")
    table.add_row("deliveries", _words(now.deliveries) or "none yet")
    if now.oldest_open_seconds is not None:
        table.add_row("oldest on its way", f"{now.oldest_open_seconds:.1f} s")
    table.add_row("held", _words(now.held) or "nothing")
    for account in now.failing_accounts:
        since = account.since.strftime("%Y-%m-%d %H:%M:%S UTC")
        said = f"refused since {since}, asked every minute: {account.reason}"
        table.add_row(f"account on {account.side} of site {account.site_id}", said)
    table.add_row("links", _words(now.links) or "none yet")
    table.add_row("open intents", str(now.open_intents))
    table.add_row("writes in the last hour", str(now.writes_last_hour))
    table.add_row("near misses", str(now.near_misses))
    ages = ", ".join(
        f"{age:.1f} s ({quantile:.0%})" for quantile, age in figures.delivery_age_seconds.items()
    )
    table.add_row("door to end, last 5 min", ages or "nothing ended")
    for run in figures.runs:
        table.add_row(
            f"last {run.kind}",
            f"{run.state} {run.ended_seconds_ago:.0f} s ago: {_counted(run.counts) or '–'}",
        )
    for fault in figures.site_faults:
        table.add_row(f"{fault.work} of {fault.source} fails", fault_words(fault))
    for state in hooks:
        table.add_row(f"webhooks of {state.source}", hook_words(state))
    table.add_row("broker", _broker_words(broker))
    Console().print(table)


def _broker() -> BrokerFigures | None:
    """``None``: it does not answer, or there is none outside of ``ratings-sync up``."""
    try:
        return wiring().redis.broker_figures()
    except (Misconfigured, RedisError):
        return None


def _broker_words(broker: BrokerFigures | None) -> str:
    if broker is None:
        return "not reached (REDIS_URL)"
    queues = f"{_words(broker.queues)} waiting, {broker.unacked} in hand"
    return f"{queues}, {broker.used_memory_bytes / 2**20:.1f} MiB, {broker.evicted_keys} evicted"


def _counted(counts: Mapping[str, int]) -> str:
    return _words({name.replace("_", " "): number for name, number in counts.items() if number})


def _words(counts: Any) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items())
