"""``ratings-sync console token``: tokens by which programs use the API."""

from __future__ import annotations

from collections.abc import Sequence

import click

from sync_worker.cli.console.parts import access, somebody
from sync_worker.cli.options import JSON, NUMBER, PAGE_AFTER, PAGE_LIMIT, SITE, the_site
from sync_worker.cli.output import print_json, say
from sync_worker.services.access.tokens import MAX_DAYS
from sync_worker.services.access.who import Right


@click.command("add", epilog="Example: ratings-sync console token add stock --scope look --days 90")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([str(right) for right in Right]),
    help="What it may do; give it several times for more.",
)
@click.option(
    "--days",
    type=click.IntRange(1, MAX_DAYS),
    default=90,
    show_default=True,
    help="How long it counts.",
)
@SITE
@JSON
def add(name: str, scopes: Sequence[str], days: int, site_name: str | None, as_json: bool) -> None:
    """A token for a program, for one site or for all; it is printed this once."""
    site_id = the_site(site_name).id if site_name else None
    rights = [Right(scope) for scope in scopes]
    made = access().tokens.add(somebody(), name, rights, days=days, site_id=site_id)
    if as_json:
        print_json({"token": made.token, "secret": made.secret})
        return
    say(f"token {made.token.id} ({name}) counts until {made.token.valid_until:%Y-%m-%d}:")
    click.echo(made.secret)


@click.command("list", epilog="Example: ratings-sync console token list --json")
@PAGE_AFTER
@PAGE_LIMIT
@JSON
def list_tokens(after: int, limit: int, as_json: bool) -> None:
    """Tokens in pages, with what each may do; those that have ended, too."""
    page = access().tokens.page(somebody(), after, limit)
    if as_json:
        following = None if page.next_after is None else f"--after {page.next_after}"
        print_json({"tokens": page.tokens, "next_after": page.next_after, "next": following})
        return
    for token in page.tokens:
        state = f"until {token.valid_until:%Y-%m-%d}" if token.is_valid else "ended"
        where = f"site {token.site_id}" if token.site_id else "all sites"
        say(f"{token.id}  {token.name}  {where}  {', '.join(token.scopes)}  {state}")
    if page.next_after is not None:
        click.echo(f"more: ratings-sync console token list --after {page.next_after}", err=True)


@click.command("revoke", epilog="Example: ratings-sync console token revoke 3")
@click.argument("token_id", metavar="TOKEN", type=NUMBER)
@JSON
def revoke(token_id: int, as_json: bool) -> None:
    """End a token, by its number; its next request is refused."""
    ended = access().tokens.revoke(somebody(), token_id)
    if as_json:
        print_json(ended)
        return
    say(f"token {ended.id} ({ended.name}) has ended")
