"""``ratings-sync site pause`` and ``resume``."""

from __future__ import annotations

from datetime import datetime

import click

from sync_worker.cli.options import JSON, SITE, WHY, Later, whoever
from sync_worker.cli.output import print_json
from sync_worker.ledger.administration.history_lines import to_time
from sync_worker.services.sites.pausing import Pausing, Rested
from sync_worker.wiring import wiring


@click.command()
@SITE
@WHY
@click.option("--until", type=Later(), metavar="TIME", help="When it goes on by itself.")
@JSON
def pause(site_name: str | None, why: str, until: datetime | None, as_json: bool) -> None:
    """Hold further deliveries of a site, for a while or until `site resume`.

    \b
    Example: ratings-sync site pause --site 2 --until 2h --why 'the shop moves'
    """
    admin = wiring().admin
    ends = None if until is None else until.timestamp()
    _tell(Pausing(admin).pause(whoever(), admin.sites.find(site_name).id, why, ends), as_json)


@click.command()
@SITE
@WHY
@JSON
def resume(site_name: str | None, why: str, as_json: bool) -> None:
    """Go on with a site that was paused, removed or recovered; what was held for it is on its way.

    One that was recovering when it was paused recovers on; a second `site resume` ends that.

    \b
    Example: ratings-sync site resume
    """
    admin = wiring().admin
    _tell(Pausing(admin).resume(whoever(), admin.sites.find(site_name).id, why), as_json)


def _tell(done: Rested, as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    words = f"site {done.site_id}: {done.state}"
    if done.until is not None:
        words += f" until {to_time(done.until):%Y-%m-%d %H:%M} UTC"
    if done.released:
        words += f", {done.released} deliveries released"
    click.echo(words)
