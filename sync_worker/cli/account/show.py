"""``ratings-sync account list``, ``show`` and ``history``."""

from __future__ import annotations

from collections.abc import Sequence

import click

from sync_worker.cli.account.options import ACCOUNT, the_account
from sync_worker.cli.account.shown import document, line, locked_now, say_account
from sync_worker.cli.options import JSON, NUMBER, PAGE_AFTER, PAGE_LIMIT
from sync_worker.cli.output import print_json, say
from sync_worker.core.values import AccountState, AuditEntry
from sync_worker.services.accounts.standing import FAILING, their_sites
from sync_worker.wiring import wiring

STATES = click.Choice([*(str(state) for state in AccountState), FAILING])


@click.command("list", epilog="Example: ratings-sync account list --state paused --json")
@click.option("--connector", metavar="NAME", help="Only those of this connector.")
@click.option("--state", type=STATES, help="Only those; without it all, revoked ones too.")
@PAGE_AFTER
@PAGE_LIMIT
@JSON
def list_accounts(
    connector: str | None, state: str | None, after: int, limit: int, as_json: bool
) -> None:
    """Accounts in pages, with how each of them stands."""
    is_failing = state == FAILING
    wanted = AccountState(state) if state and not is_failing else None
    found = wiring().accounts.page(
        after, limit, connector=connector, state=wanted, is_failing=is_failing
    )
    sites = their_sites(wiring().admin.site_pages, found)
    locked = locked_now()
    following = found[-1].id if len(found) == limit else None
    if as_json:
        rows = [document(account, sites[account.site_id], locked) for account in found]
        print_json({"accounts": rows, "next_after": following})
        return
    if not found:
        click.echo("no account here; one is given by: ratings-sync account add SITE", err=True)
    for account in found:
        say(line(account, sites[account.site_id], locked))
    if following is not None:
        click.echo(f"more: ratings-sync account list --after {following}", err=True)


@click.command("show", epilog="Example: ratings-sync account show 7 --json")
@ACCOUNT
@JSON
def show(name: str, as_json: bool) -> None:
    """One account: what it gives, where its webhooks go, how it stands."""
    found = the_account(name)
    if as_json:
        print_json(document(found))
    else:
        say_account(found)


@click.command("history", epilog="Example: ratings-sync account history 7 --json")
@ACCOUNT
@click.option(
    "--before", type=NUMBER, metavar="N", help="Begin before it: the last one of the page before."
)
@PAGE_LIMIT
@JSON
def audit(name: str, before: int | None, limit: int, as_json: bool) -> None:
    """Who changed what of an account, when and why; the newest first."""
    say_changes(
        wiring().accounts.store.audit.of_account(the_account(name).id, before, limit),
        limit,
        as_json=as_json,
    )


def say_changes(found: Sequence[AuditEntry], limit: int, *, as_json: bool) -> None:
    """A page of the audit: who changed what, when and why."""
    following = found[-1].id if len(found) == limit else None
    if as_json:
        print_json({"changes": found, "next_before": following})
        return
    for entry in found:
        why = f" ({entry.why})" if entry.why else ""
        when = f"{entry.at:%Y-%m-%d %H:%M:%S} UTC"
        say(f"{when}  {entry.actor}  {entry.what}  {_changed(entry)}{why}")
    if following is not None:
        click.echo(f"more: --before {following}", err=True)


def _changed(entry: AuditEntry) -> str:
    """The names of what changed; secrets by their names, too."""
    names = {*entry.before, *entry.after}
    for values in (entry.before, entry.after):
        names |= set(values.get("secrets", ()))
    return ", ".join(sorted(names - {"secrets"}))
