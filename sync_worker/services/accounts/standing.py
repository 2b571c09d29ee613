"""How an account stands, in one word for everybody who shows it."""

from __future__ import annotations

from collections.abc import Container, Iterable

from sync_worker.core.hold_reasons import ACCOUNT_LOCKED
from sync_worker.core.values import Account, AccountState, Side, Site
from sync_worker.ledger.administration.site_pages import SitePages

FAILING = "failing"
AT_WORK = (AccountState.NEW, AccountState.ACTIVE)


def state_words(account: Account, site: Site, locked: Container[int] = ()) -> str:
    """``failing`` while its external system refuses us; else the account's own state.

    ``locked``: sites of which our keys do not open what the account gave.
    """
    if account.state in AT_WORK and site.id in locked:
        return ACCOUNT_LOCKED
    if account.state in AT_WORK and Side.EXTERNAL in site.failing:
        return FAILING
    return str(account.state)


def site_account_words(site: Site, locked: Container[int] = ()) -> str:
    """The same for a site whose account is not at hand; ``none``: its owner gave none yet."""
    if site.account_state is None:
        return "none"
    if site.account_state in AT_WORK and site.id in locked:
        return ACCOUNT_LOCKED
    if site.account_state in AT_WORK and Side.EXTERNAL in site.failing:
        return FAILING
    return str(site.account_state)


def address_of(public_url: str, connector: str, address: str) -> str:
    """Where an account's webhooks go; without the gateway's public address its path alone."""
    return f"{public_url.rstrip('/')}/webhooks/external/{connector}/{address}"


def their_sites(sites: SitePages, accounts: Iterable[Account]) -> dict[int, Site]:
    """The sites of some accounts, by number; one statement for all."""
    return {site.id: site for site in sites.some({account.site_id for account in accounts})}


def current_address(account: Account) -> str:
    """The last part of the address that its webhooks go to from now on."""
    return next((one.address for one in account.addresses if one.valid_until is None), "")
