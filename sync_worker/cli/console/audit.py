"""``ratings-sync console audit``: who did what, when and why."""

from __future__ import annotations

import click

from sync_worker.cli.console.parts import access, somebody
from sync_worker.cli.options import JSON, NUMBER, PAGE_LIMIT, SITE, the_site
from sync_worker.cli.output import STAMP, print_json, print_table, say


@click.command(epilog="Example: ratings-sync console audit --actor kim --json")
@SITE
@click.option("--actor", default="", metavar="NAME", help="What this one did alone.")
@click.option("--what", default="", metavar="WORD", help="One kind of deed, such as site.pause.")
@click.option("--before", type=NUMBER, metavar="N", help="Begin before it: the last one shown.")
@PAGE_LIMIT
@JSON
def audit(
    site_name: str | None, actor: str, what: str, before: int | None, limit: int, as_json: bool
) -> None:
    """Who did what, when and why, newest first: of one site with --site, else of all."""
    site_id = the_site(site_name).id if site_name else None
    page = access().audit.page(
        somebody(), site_id=site_id, actor=actor, what=what, before=before, limit=limit
    )
    after = page.next_before
    following = None if after is None else f"--before {after}"
    if as_json:
        told = {"lines": page.lines, "kinds": page.kinds, "next_after": after, "next": following}
        print_json(told)
        return
    rows = [
        (line.id, line.at.strftime(STAMP), line.actor, line.what, line.site_id, line.why)
        for line in page.lines
    ]
    print_table(("line", "when (UTC)", "who", "what", "site", "why"), rows)
    if following is not None:
        say(f"more: {following}", err=True)
