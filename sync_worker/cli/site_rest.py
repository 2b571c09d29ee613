"""``ratings-sync site pause`` and ``resume``."""

from __future__ import annotations

from datetime import datetime

import click

from sync_worker.cli.options import SITE, WHY, Later, whoever
from sync_worker.ledger.administration.held import to_time
from sync_worker.services.sites.pausing import Pausing, Rested
from sync_worker.wiring import wiring


@click.command()
@SITE
@WHY
@click.option("--until", type=Later(), metavar="TIME", help="When it goes on by itself.")
def pause(site_name: str | None, why: str, until: datetime | None) -> None:
    """Hold further deliveries of a site, for a while or until `site resume`.

    \b
    Example: ratings-sync site pause --site 2 --until 2h --why 'the shop moves'
    """
    admin = wiring().admin
    ends = None if until is None else until.timestamp()
    _tell(Pausing(admin).pause(whoever(), admin.sites.find(site_name).id, why, ends))


@click.command()
@SITE
@WHY
def resume(site_name: str | None, why: str) -> None:
    """Go on with a site that was paused, removed or recovered; what was held for it is on its way.

    One that was recovering when it was paused recovers on; a second `site resume` ends that.

    \b
    Example: ratings-sync site resume
    """
    admin = wiring().admin
    _tell(Pausing(admin).resume(whoever(), admin.sites.find(site_name).id, why))


def _tell(done: Rested) -> None:
    words = f"site {done.site_id}: {done.state}"
    if done.until is not None:
        words += f" until {to_time(done.until):%Y-%m-%d %H:%M} UTC"
    if done.released:
        words += f", {done.released} deliveries released"
    click.echo(words)
