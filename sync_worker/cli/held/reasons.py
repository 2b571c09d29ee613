"""``ratings-sync held reasons`` and ``held try-now``: as the console shows them and does it."""

from __future__ import annotations

import click

from sync_worker.cli.held.options import SIDE, filter_of
from sync_worker.cli.options import JSON, SITE, the_site, whoever
from sync_worker.cli.output import STAMP, print_json, say
from sync_worker.wiring import wiring


@click.command()
@SIDE
@SITE
@JSON
def reasons(side: str | None, site_name: str | None, as_json: bool) -> None:
    """What is held by reason: how many, since when, what happened, and what to do.

    \b
    Example: ratings-sync held reasons --site 2
    """
    which = filter_of(None, side, site_name, None)
    groups = wiring().held_parts.held.groups(whoever(), which)
    if as_json:
        print_json(groups)
        return
    if not groups:
        click.echo("nothing is held")
    for group in groups:
        oldest = group.oldest_at.strftime(STAMP)
        say(f"{group.title} ({group.reason}): {group.count_words}, the oldest of {oldest} UTC")
        say(f"  {group.sentence}\n  what to do: {group.advice}")
        say(f"  goes on by itself when: {group.frees_itself}\n")


@click.command("try-now")
@click.option("--remote", metavar="NAME", help="Only what waits for this one.")
@SITE
@JSON
def try_now(remote: str | None, site_name: str | None, as_json: bool) -> None:
    """Bring forward the next tries of what is tried again by itself.

    \b
    Example: ratings-sync held try-now --remote own-service
    """
    service, who = wiring().held_parts.waiting, whoever()
    site = the_site(site_name) if site_name is not None else None
    done: list[int] = []
    for group in service.on_its_way(who, site, most=None).groups:
        if remote in (None, group.remote):
            done += service.try_now(who, group.key, site)
    if as_json:
        print_json({"tried": sorted(done)})
    else:
        click.echo(f"{len(done)} deliveries are tried within seconds")
