"""``ratings-sync site pause`` and ``resume``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from sync_worker.cli.options import SITE, UNITS, WHY, whoever
from sync_worker.core.numbers import whole_number
from sync_worker.ledger.administration.held import to_time
from sync_worker.services.sites.pausing import Pausing, Rested
from sync_worker.wiring import wiring


class Later(click.ParamType[datetime]):
    """A time to come: an ISO date or time (UTC), or in how long (``90m``, ``36h``, ``7d``)."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value)
        number = whole_number(text[:-1])
        try:
            if number is not None and number >= 0 and text[-1:] in UNITS:
                return datetime.now(UTC) + timedelta(**{UNITS[text[-1]]: number})
            at = datetime.fromisoformat(text)
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(
                f"{text[:40]!r} is neither a time (2026-01-31T08:00, UTC) nor in how long"
                " (90m, 36h, 7d, 2w)",
                param,
                ctx,
            )


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
