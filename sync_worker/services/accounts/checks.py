"""What is refused before an account is written. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sync_worker.core.errors import Misconfigured
from sync_worker.core.said import said
from sync_worker.core.values import Account, AccountState
from sync_worker.core.values.accounts import account_source
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.source.account_manifests import AccountManifests
from sync_worker.manifest.source.values import Given
from sync_worker.services.accounts.giving import Parted
from sync_worker.services.accounts.identity import only_secrets_differ


def refuse_revoked(account: Account) -> None:
    """Raises Misconfigured: a revoked account stays so."""
    if account.state is AccountState.REVOKED:
        raise Misconfigured(
            said(
                "account %(account)s is revoked, and a revoked one stays so; give the site a new"
                " one: ratings-sync account add %(site)s --connector %(connector)s",
                account=account.public_id,
                site=account.site_id,
                connector=account.connector,
            )
        )


def is_shop_of(manifest: Manifest, before: Account | None, identity: str | None) -> bool:
    """Whether an account is of the shop that another was of, as far as can be read."""
    if before is None or before.connector != manifest.id:
        return False
    return only_secrets_differ(manifest, before.identity, identity)


def try_out(
    code: AccountManifests, account: Account, settings: Mapping[str, str], given: Parted
) -> None:
    """Put the values into the manifest, which may refuse what single values do not show.

    Sealed ones are not opened for it: a stand-in is in their place. Raises Misconfigured.
    """
    values = {**settings, **given.secrets}
    for spec in code.code.settings:
        is_sealed = spec.name in account.secret_names and spec.name not in given.left_out
        if spec.name in values or not is_sealed:
            continue
        if spec.problem_of(spec.stand_in):
            return
        values[spec.name] = spec.stand_in
    code.of(account_source(account.connector, account.public_id), Given(values))
