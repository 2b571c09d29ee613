"""``ratings-sync status``: how the work stands."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import click
from redis.exceptions import RedisError
from rich.console import Console

from sync_worker.cli.options import JSON, whoever
from sync_worker.cli.output import WordsTable, print_json, print_trouble
from sync_worker.core.errors import Misconfigured, SyncError
from sync_worker.core.processes import ProcessKind
from sync_worker.core.values import Site
from sync_worker.doctor.evidence import find_troubles, local_evidence
from sync_worker.doctor.reviews.products import maps_in_excess
from sync_worker.doctor.reviews.replies import replies_in_vain
from sync_worker.ledger.administration.door_counts import source_words
from sync_worker.ledger.administration.figures import RunFigures
from sync_worker.ledger.administration.heartbeats import SeenProcess
from sync_worker.ledger.administration.hook_states import hook_words
from sync_worker.ledger.administration.site_faults import fault_words
from sync_worker.services.overview import Overview, OverviewService
from sync_worker.services.trouble import Trouble, TroubleKind
from sync_worker.services.troubles import shortened
from sync_worker.telemetry.broker_figures import BrokerFigures
from sync_worker.wiring import wiring

UNREAD = (TroubleKind.NO_LEDGER, TroubleKind.LEDGER)


@click.command()
@click.option("--offline", is_flag=True, help="Ask neither Wix nor the external systems.")
@JSON
def status(offline: bool, as_json: bool) -> None:
    """What is wrong now, what is on its way, what is held and why, and how many ratings are
    linked.

    Status 1 if a rating would not cross now.

    \b
    Example: ratings-sync status --json
    """
    troubles = find_troubles(wiring(), is_offline=offline)
    is_read = all(trouble.kind not in UNREAD for trouble in troubles)
    if as_json:
        print_json(_as_json(troubles, is_read=is_read or _can_be_read()))
    else:
        for trouble in shortened(troubles):
            print_trouble(trouble)
        if is_read or _can_be_read():
            Console().print(_table())
    raise SystemExit(1 if troubles else 0)


def _can_be_read() -> bool:
    """A ledger that takes no writes may tell how it stands."""
    try:
        wiring().admin.questions.now()
    except SyncError:
        return False
    return True


def _as_json(troubles: Sequence[Trouble], *, is_read: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"is_well": not troubles, "troubles": troubles}
    if not is_read:
        return found
    reason = wiring().databases.up_check.reason()
    more = {
        "figures": wiring().databases.figures(),
        "broker": _broker(),
        "ledger": {"is_up": not reason, "reason": reason},
        "webhooks": wiring().admin.hook_states.all(),
        "processes": wiring().admin.heartbeats.all(),
        "door": wiring().admin.door_counts.sources(),
        "accounts": wiring().admin.site_pages.account_counts(),
        "overview": _overview(),
    }
    return found | dataclasses.asdict(wiring().admin.questions.status()) | more


def _overview() -> Overview:
    """As the console says it, which asks no remote."""
    service = OverviewService(wiring().admin, partial(local_evidence, wiring()))
    return service.overview(whoever())


def _table() -> WordsTable:
    now, figures = wiring().admin.questions.status(), wiring().databases.figures()
    table = WordsTable(show_header=False, box=None)
    table.add_row("processes", _process_words(wiring().admin.heartbeats.all()))
    for source in wiring().admin.door_counts.sources():
        table.add_row(f"webhooks from {source.source}", source_words(source, time.time()))
    if accounts := wiring().admin.site_pages.account_counts():
        table.add_row("accounts", _words(accounts))
    table.add_row("deliveries", _words(now.deliveries) or "none yet")
    if now.oldest_open_seconds is not None:
        table.add_row("oldest on its way", f"{now.oldest_open_seconds:.1f} s")
    table.add_row("held", _words(now.held) or "nothing")
    table.add_row("links", _words(now.links) or "none yet")
    if now.words:
        table.add_row("ratings", _words(now.words))
    for site in wiring().admin.sites.all():
        if in_vain := _replies_in_vain(site):
            table.add_row(f"replies of site {site.id}", in_vain)
        if excess := maps_in_excess(wiring().admin.wix_change.mapped_twice(site)):
            table.add_row(f"products of site {site.id}", excess)
    table.add_row("open intents", str(now.open_intents))
    table.add_row("writes in the last hour", str(now.writes_last_hour))
    table.add_row("near misses", str(now.near_misses))
    ages = ", ".join(
        f"{age:.1f} s ({quantile:.0%})" for quantile, age in figures.delivery_age_seconds.items()
    )
    table.add_row("door to end, last 5 min", ages or "nothing ended")
    for run in figures.runs:
        table.add_row(f"last {run.kind}", _run_words(run))
    for fault in figures.site_faults:
        table.add_row(f"{fault.work} of {fault.source} fails", fault_words(fault))
    for state in wiring().admin.hook_states.all():
        table.add_row(f"webhooks of {state.source}", hook_words(state))
    table.add_row("broker", _broker_words(_broker()))
    return table


def _replies_in_vain(site: Site) -> str:
    manifest = wiring().manifests.get(site.connector)
    return replies_in_vain(site, manifest.capabilities.words) if manifest else ""


def _process_words(processes: Sequence[SeenProcess]) -> str:
    alive = Counter(str(process.kind) for process in processes if process.is_alive)
    slots = sum(process.slots for process in processes if _works(process))
    busy = sum(process.busy for process in processes if _works(process))
    if not alive:
        return "none"
    return f"{_words(alive)}; {busy} of {slots} slots busy"


def _works(process: SeenProcess) -> bool:
    return process.is_alive and process.kind is ProcessKind.WORKER


def _run_words(run: RunFigures) -> str:
    why = f" ({run.reason})" if run.reason else ""
    return f"{run.state}{why} {run.ended_seconds_ago:.0f} s ago: {_counted(run.counts) or '–'}"


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
