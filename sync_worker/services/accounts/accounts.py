"""What people and programs do with accounts: one place for commands, API and pages.

Each change says who makes it (``actor``), is checked whole before anything is written, and is
taken up by running processes within two seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import (
    Account,
    AccountChange,
    AccountState,
    NewAccount,
    Site,
    account_source,
)
from sync_worker.ledger.accounts.giving import refuse_what_crosses_sites
from sync_worker.ledger.accounts.sealing import Sealer
from sync_worker.ledger.accounts.store import SqlAccountStore, StaleVersion, new_public_id
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.manifest.default_field import default_field
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.source.account_manifests import AccountManifests
from sync_worker.manifest.source.values import Given
from sync_worker.services.accounts.checks import (
    is_shop_of,
    refuse_revoked,
    try_out,
)
from sync_worker.services.accounts.environment import refuse_shop_of_environment
from sync_worker.services.accounts.giving import Parted, parted, parted_change
from sync_worker.services.accounts.identity import identity_of

KEEP_OLD_SECONDS = 86_400.0  # a replaced secret that rotates, and a replaced address
MAX_PAGE = 500
MAX_TRIES = 5  # of a change that meets others of the same account
Changed = TypeVar("Changed")


@dataclass(frozen=True, slots=True)
class Accounts:
    """``code_of``: a connector's manifest, for any shop; ``sealer``: asked for when something is to
    be sealed; ``tell``: lets all processes know that something has changed. Every method may raise
    Misconfigured, in words for people.
    """

    store: SqlAccountStore
    admin: LedgerAdmin
    code_of: Callable[[str], AccountManifests]
    sealer: Callable[[], Sealer]
    tell: Callable[[], None] = lambda: None

    def check(self, connector: str, given: Mapping[str, str]) -> None:
        """Whether these values could be an account of a new site.

        Raises Misconfigured, BadValues.
        """
        code = self.code_of(connector)
        parts = parted(code.code, given)
        values = {**parts.settings, **parts.secrets}
        code.of(connector, Given(values))
        identity = identity_of(code.code, values)
        refuse_shop_of_environment(self.admin, code, identity)
        tried = NewAccount(new_public_id(), 0, connector, identity, {})
        with self.admin.transactions.read() as connection:
            refuse_what_crosses_sites(connection, tried)

    def add(
        self,
        site: Site,
        connector: str,
        given: Mapping[str, str],
        actor: str,
        *,
        is_same_shop: bool = False,
    ) -> Account:
        """The account of a site, at work from now on.

        Refused: values that cannot be, a site that has one already, an external account that
        serves another site; another shop than the one that the site's links are of, unless
        somebody says that it ``is_same_shop``.
        """
        code = self.code_of(connector)
        parts = parted(code.code, given)
        values = {**parts.settings, **parts.secrets}
        public_id = new_public_id()
        code.of(account_source(connector, public_id), Given(values))
        identity = identity_of(code.code, values)
        refuse_shop_of_environment(self.admin, code, identity)
        before = self.store.last_of_site(site.id)
        new = NewAccount(
            public_id,
            site.id,
            connector,
            identity,
            parts.settings,
            self._sealed(public_id, parts.secrets),
            is_same_shop=is_same_shop or is_shop_of(code.code, before, identity),
        )
        return self._told(self.store.add(new, actor, self._first_fields(code.code, site)))

    def page(
        self,
        after: int = 0,
        limit: int = 50,
        *,
        connector: str | None = None,
        state: AccountState | None = None,
        is_failing: bool = False,
    ) -> Sequence[Account]:
        """Accounts behind that number, in the order in which they were added.

        ``is_failing``: only those whose external system refuses us.
        """
        most = min(limit, MAX_PAGE)
        return self.store.listed(after, most, connector, state, is_failing=is_failing)

    def change(
        self,
        account: Account,
        given: Mapping[str, str],
        actor: str,
        *,
        version: int | None = None,
        keep_old_seconds: float = KEEP_OLD_SECONDS,
        is_same_shop: bool = False,
    ) -> Account:
        """Give some values anew. An optional one that is empty is left out from now on.

        ``version``: that the caller has seen; another change meanwhile refuses this one.
        ``keep_old_seconds``: how long the value before of a secret that rotates stays valid.
        """
        code = self.code_of(account.connector)
        values = parted_change(code.code, given)
        change = AccountChange(
            settings=values.settings,
            sealed=self._sealed(account.public_id, values.secrets),
            rotated=[spec.name for spec in code.code.settings if spec.rotates],
            keep_old_seconds=keep_old_seconds,
            left_out=values.left_out,
        )
        seen = account
        for _ in range(MAX_TRIES):
            checked = self._checked(seen, code, values, change, is_same_shop)
            try:
                # What was checked holds of this version, and of no later one.
                return self._changed(
                    seen, checked, actor, seen.version if version is None else version
                )
            except StaleVersion:
                if version is not None:
                    raise
            seen = self.store.by_public_id(account.public_id) or seen
        raise StaleVersion(f"others are changing account {account.public_id}: try again")

    def _checked(
        self,
        account: Account,
        code: AccountManifests,
        given: Parted,
        change: AccountChange,
        is_same_shop: bool,
    ) -> AccountChange:
        """The change with the shop that it makes the account one of. Raises Misconfigured."""
        refuse_revoked(account)
        settings = {**account.settings, **given.settings}
        settings = {name: text for name, text in settings.items() if name not in given.left_out}
        try_out(code, account, settings, given)
        identity = identity_of(code.code, {**settings, **given.secrets}, account.identity)
        if identity != account.identity:
            refuse_shop_of_environment(self.admin, code, identity)
        is_there_still = is_shop_of(code.code, account, identity)
        return replace(
            change,
            identity=identity,
            is_other_shop=not (is_same_shop or is_there_still),
            leaves_hooks=not is_there_still and self._lets_hooks_go(account.connector),
        )

    def _changed(
        self,
        account: Account,
        change: AccountChange,
        actor: str,
        version: int | None,
        why: str = "",
    ) -> Account:
        return self._told(
            self.store.change(account.public_id, change, version=version, actor=actor, why=why)
        )

    def pause(
        self, account: Account, why: str, actor: str, *, version: int | None = None
    ) -> Account:
        """Its deliveries are kept and wait, until it is resumed; again for another reason."""
        refuse_revoked(account)
        is_stale = version not in (None, account.version)
        if (account.state, account.paused_why) == (AccountState.PAUSED, why) and not is_stale:
            return account
        change = AccountChange(state=AccountState.PAUSED, paused_why=why)
        return self._changed(account, change, actor, version, why)

    def resume(self, account: Account, actor: str, *, version: int | None = None) -> Account:
        """What waited is on its way again; one that was not paused stays as it is."""
        refuse_revoked(account)
        is_stale = version not in (None, account.version)
        if account.state is not AccountState.PAUSED and not is_stale:
            return account
        state = AccountState.ACTIVE if account.probe.get("good") else AccountState.NEW
        change = AccountChange(state=state, paused_why="")
        return self._changed(account, change, actor, version)

    def note_probe(self, account: Account, said: Mapping[str, Any], actor: str) -> Account:
        """Keep what a probe said; ``said["good"]``: whether all is well."""
        refuse_revoked(account)
        works = bool(said.get("good"))
        return self._told(self.store.note_probe(account.public_id, said, actor, works=works))

    def revoke(
        self, account: Account, why: str, actor: str, *, version: int | None = None
    ) -> Account:
        """The end of an account: its secrets and addresses open nothing from now on.

        The links of its site stay, for the next account. Where its shop lets us take our webhooks
        away, a worker does so first, and then the secrets are wiped.
        """
        refuse_revoked(account)
        keeps = self._lets_hooks_go(account.connector)
        return self._told(
            self.store.revoke(account.public_id, actor, why, keeps_secrets=keeps, version=version)
        )

    def rotate_address(
        self,
        account: Account,
        actor: str,
        keep_seconds: float = KEEP_OLD_SECONDS,
        *,
        version: int | None = None,
    ) -> str:
        """A new address for its webhooks; the old one is valid for so long beside it."""
        refuse_revoked(account)
        return self._told(
            self.store.rotate_address(account.public_id, keep_seconds, actor, version)
        )

    def _lets_hooks_go(self, connector: str) -> bool:
        # A connector that is no longer named has nobody who could say farewell.
        with suppress(Misconfigured):
            webhook = self.code_of(connector).code.webhook
            manage = webhook.manage if webhook else None
            return manage is not None and manage.remove is not None
        return False

    def _told(self, changed: Changed) -> Changed:
        """What a change returned, once the other processes know of it."""
        self.tell()
        return changed

    def _sealed(self, public_id: str, secrets: Mapping[str, str]) -> dict[str, str]:
        if not secrets:
            return {}
        sealer = self.sealer()
        return {
            name: sealer.sealed(text, account=public_id, name=name)
            for name, text in secrets.items()
        }

    def _first_fields(self, manifest: Manifest, site: Site) -> Sequence[Any]:
        """What a site without mapped fields maps first; nothing is written out before it may."""
        if site.fields:
            return ()
        fields = (default_field(manifest, site.wix_api),)
        if manifest.first_policies:
            self.admin.sites.set_policy(site.id, manifest.first_policies)
        return fields
