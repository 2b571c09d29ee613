"""The options that say which held deliveries are meant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from sync_worker.cli.options import NUMBER, Moment, the_site
from sync_worker.core.values import Side
from sync_worker.ledger.console.held_filter import HeldFilter

REASON = click.option("--reason", metavar="REASON", help="Only those held for this reason.")
SIDE = click.option(
    "--side",
    type=click.Choice([str(side) for side in Side]),
    help="Only those that came from there.",
)
SINCE = click.option(
    "--since", type=Moment(), metavar="TIME", help="Received since then: 2026-01-31, 36h, 7d."
)
DELIVERIES = click.argument("deliveries", nargs=-1, type=NUMBER)


def filter_of(
    reason: str | None,
    side: str | None,
    site_name: str | None,
    since: datetime | None,
    ids: Sequence[int] = (),
) -> HeldFilter:
    site = the_site(site_name) if site_name is not None else None
    return HeldFilter(reason, Side(side) if side else None, site, since, tuple(ids) or None)
