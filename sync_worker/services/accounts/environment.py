"""The shop of the environment is an account, too, though no row tells of it."""

from __future__ import annotations

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import NewAccount
from sync_worker.ledger.accounts.giving import refuse_what_crosses_sites
from sync_worker.ledger.accounts.store import new_public_id
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.manifest.source.account_manifests import AccountManifests
from sync_worker.services.accounts.identity import identity_of


def refuse_shop_of_environment(
    admin: LedgerAdmin, code: AccountManifests, identity: str | None
) -> None:
    """An account of the shop that a site has from the environment. Raises Misconfigured."""
    if identity is None or identity != identity_of(code.code, code.of_environment()):
        return
    for site in admin.sites.of_environment(code.code.id):
        raise Misconfigured(
            f"this {code.code.id} account serves site {site.id} already, with the settings of the"
            " environment, and two sites would write each other's ratings: give another account"
        )


def refuse_shop_of_account(admin: LedgerAdmin, code: AccountManifests) -> None:
    """A site with the shop of the environment, where another has an account of that shop.

    Raises Misconfigured.
    """
    connector = code.code.id
    identity = identity_of(code.code, code.of_environment())
    with admin.transactions.read() as connection:
        refuse_what_crosses_sites(
            connection, NewAccount(new_public_id(), 0, connector, identity, {})
        )
