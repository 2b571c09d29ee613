"""How accounts are shown: for people, and as documents for programs. Never a secret's value."""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime
from typing import Any

import click

from sync_worker.cli.output import document_of, say
from sync_worker.core.values import Account, Site, SiteState
from sync_worker.services.accounts.document import (
    ShownAddress,
    shown_account,
    shown_addresses,
)
from sync_worker.services.accounts.standing import address_of, state_words, their_sites
from sync_worker.wiring import wiring
from sync_worker.wiring.secret_keys import locked_sites


def locked_now() -> frozenset[int]:
    """Sites of which our keys do not open what their account gave."""
    return locked_sites(wiring().settings, wiring().admin.sealed)


def document(
    account: Account, site: Site | None = None, locked: Container[int] | None = None
) -> dict[str, Any]:
    """One account for a program."""
    if locked is None:
        locked = locked_now()
    site = site or their_sites(wiring().admin.site_pages, [account])[account.site_id]
    shown = shown_account(account, site, wiring().settings.gateway_public_url, locked)
    # ``site``: its older name.
    return {**document_of(shown), "site": account.site_id}


def line(account: Account, site: Site, locked: Container[int]) -> str:
    """One account in a list."""
    state = state_words(account, site, locked)
    if _is_at_rest(site):
        state += f" (site {site.state})"
    return f"{account.public_id}  {account.site_id}  {account.connector}  {state}"


def _is_at_rest(site: Site) -> bool:
    """Whether a site rests for a reason of its own, whatever its account does."""
    return not site.is_at_work and site.state is not SiteState.ACTIVE


def say_account(account: Account, site: Site | None = None) -> None:
    """All of one account, for people."""
    site = site or their_sites(wiring().admin.site_pages, [account])[account.site_id]
    say(f"account {account.public_id} of site {account.site_id} ({site.instance_id})")
    state = state_words(account, site, locked_now())
    say(f"  {account.connector}, {state}, version {account.version}")
    if account.paused_why:
        say(f"  paused: {account.paused_why}")
    if _is_at_rest(site):
        say(f"  its site is {site.state}: nothing of it is worked on")
    for name, text in sorted(account.settings.items()):
        say(f"  {name}: {text}")
    for name in account.secret_names:
        say(f"  {name}: sealed")
    say_addresses(account)
    _say_probe(account)


def addresses(account: Account) -> list[ShownAddress]:
    """Where its webhooks go, for a program."""
    return shown_addresses(account, wiring().settings.gateway_public_url)


def say_addresses(account: Account) -> None:
    """The same for people."""
    for one in account.addresses:
        until = f" (until {_time(one.valid_until)})" if one.valid_until else ""
        say(f"  webhooks: POST {_url(account, one.address)}{until}")
    if account.addresses and not wiring().settings.gateway_public_url:
        click.echo("  GATEWAY_PUBLIC_URL is not set: put the gateway's address before the path")


def _say_probe(account: Account) -> None:
    if account.probed_at is None:
        click.echo(f"  never probed: ratings-sync account probe {account.public_id}")
        return
    good = "good" if account.probe.get("good") else "something is wrong"
    say(f"  probed {_time(account.probed_at)}: {good}")
    for check in account.probe.get("checks", ()):
        if check.get("verdict") == "bad":
            say(f"    ✗ {check.get('name')}: {check.get('what')}")
            say(f"      → {check.get('next_step')}")


def _url(account: Account, address: str) -> str:
    return address_of(wiring().settings.gateway_public_url, account.connector, address)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
