"""``ratings-sync site history``: who changed what of a site."""

from __future__ import annotations

import click

from sync_worker.cli.account.show import say_changes
from sync_worker.cli.options import JSON, NUMBER, PAGE_LIMIT, SITE, whoever
from sync_worker.cli.output import print_json
from sync_worker.ledger.access.audit_pages import SqlAuditPages
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.services.access.audit import AuditLog
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
    site_id = admin.sites.find(site_name).id
    if as_json:
        _print_json(site_id, before, limit)
        return
    found = SqlAudit(admin.transactions).of_site(site_id, before, limit)
    say_changes(found, limit, as_json=False)


def _print_json(site_id: int, before: int | None, limit: int) -> None:
    """``changes`` and ``next_before``: the older names of ``lines`` and ``next_after``."""
    audit = AuditLog(SqlAuditPages(wiring().admin.transactions))
    page = audit.page(whoever(), site_id=site_id, before=before, limit=limit)
    after = page.next_before
    told: dict[str, object] = {"lines": page.lines, "kinds": page.kinds, "next_after": after}
    told["next"] = None if after is None else f"--before {after}"
    print_json({**told, "changes": page.lines, "next_before": after})
