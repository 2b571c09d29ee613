"""``ratings-sync site history``: who changed what of a site."""

from __future__ import annotations

import click

from sync_worker.cli.account.show import say_changes
from sync_worker.cli.options import JSON, NUMBER, PAGE_LIMIT, SITE
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.wiring import wiring


@click.command("history", epilog="Example: ratings-sync site history --site 2 --json")
@SITE
@click.option(
    "--before", type=NUMBER, metavar="N", help="Begin before it: the last one of the page before."
)
@PAGE_LIMIT
@JSON
def site_history(site_name: str | None, before: int | None, limit: int, as_json: bool) -> None:
    """Who changed what of a site, its maps, accounts and held ones, when and why; newest first."""
    admin = wiring().admin
    found = SqlAudit(admin.transactions).of_site(admin.sites.find(site_name).id, before, limit)
    say_changes(found, limit, as_json=as_json)
