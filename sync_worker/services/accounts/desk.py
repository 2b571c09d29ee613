"""What somebody may see and do with the account of a site; each change says who made it.

Values are sealed here and never opened; what has to be asked of the shop, workers ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sync_worker.core.errors import Misconfigured, Transient
from sync_worker.core.said import joined, said
from sync_worker.core.values import Account, AccountState, Site
from sync_worker.ledger.accounts.store import StaleVersion
from sync_worker.services.access.forms import ChangedMeanwhile
from sync_worker.services.access.who import NotThere, Right, Who
from sync_worker.services.accounts.accounts import Accounts
from sync_worker.services.accounts.checks import refuse_revoked
from sync_worker.services.accounts.document import ShownAccount, shown_account
from sync_worker.services.accounts.forms import Field, changed_values, fields_of
from sync_worker.services.accounts.standing import address_of, state_words

MAX_WHY = 256
Done = TypeVar("Done")


class Asking(Protocol):
    """What lets workers do something. Raises Misconfigured, Transient."""

    def probe(self, public_id: str, actor: str) -> None:
        """Ask the shop of an account and Wix, and keep what they say."""


class OtherName(Misconfigured):
    """Somebody typed the name of another account than the one that they would end."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where webhooks go. ``until``: an earlier one, seconds since 1970."""

    url: str
    until: float | None


@dataclass(frozen=True, slots=True)
class Standing:
    """The account of a site, as pages show it. What only some may see is empty for others."""

    public_id: str
    connector: str
    state: str
    version: int
    paused_why: str
    probed_at: float | None
    is_good: bool
    checks: Sequence[Mapping[str, Any]]
    addresses: Sequence[Address]
    has_public_url: bool
    heard_at: float | None

    @property
    def is_paused(self) -> bool:
        return self.state == AccountState.PAUSED


@dataclass(frozen=True, slots=True)
class AccountPage:
    """``account``: ``None`` where the site has none; ``why_none``: why none can be given.

    ``connectors``: those of which one can be given; ``fields``: of the chosen one.
    """

    account: Standing | None
    why_none: str
    connectors: Sequence[str]
    connector: str
    fields: Sequence[Field]
    was_revoked: bool


class AccountDesk:
    """Each raises Forbidden, Misconfigured, Transient; changes raise BadValues, ChangedMeanwhile.

    ``connectors``: the names of those that shops may have; ``public_url``: the gateway's.
    """

    def __init__(
        self,
        accounts: Accounts,
        connectors: Callable[[], Sequence[str]],
        public_url: str,
        asking: Asking,
    ) -> None:
        self._accounts, self._connectors = accounts, connectors
        self._public_url, self._asking = public_url, asking

    @property
    def connectors(self) -> Sequence[str]:
        """Names of those of which a shop may give an account. Raises Misconfigured."""
        return self._connectors()

    def page(self, who: Who, site_id: int, connector: str = "") -> AccountPage:
        """``connector``: the one that somebody has chosen for a new account."""
        who.check(Right.LOOK, site_id)
        site, account = self._site(site_id), self._accounts.store.of_site(site_id)
        if account is not None:
            standing = self._standing(who, account, site)
            fields = self._fields(account) if who.may(Right.ACCOUNT, site_id) else []
            return AccountPage(standing, "", (), account.connector, fields, False)
        was_revoked = site.account_state is AccountState.REVOKED
        if why := _why_none(site):
            return AccountPage(None, why, (), site.connector, (), was_revoked)
        names = sorted(self._connectors())
        chosen = _chosen(names, connector or site.connector)
        fields = fields_of(self._accounts.code_of(chosen).code, None) if chosen else []
        return AccountPage(None, "", names, chosen, fields, was_revoked)

    def shown(self, who: Who, site_id: int) -> ShownAccount:
        """The account that a site uses. Raises NotThere."""
        who.check(Right.LOOK, site_id)
        site, account = self._site(site_id), self._accounts.store.of_site(site_id)
        if account is None:
            raise NotThere(_no_account(site_id))
        return self._seen(who, account, site)

    def seen_last(self, who: Who, site_id: int) -> ShownAccount | None:
        """The same, or the one that has ended, once somebody has changed it."""
        account = self._accounts.store.last_of_site(site_id)
        return None if account is None else self._seen(who, account, self._site(site_id))

    def _seen(self, who: Who, account: Account, site: Site) -> ShownAccount:
        found = shown_account(account, site, self._public_url)
        return found if who.may(Right.ACCOUNT, site.id) else found.for_lookers()

    def give(
        self,
        who: Who,
        site_id: int,
        connector: str,
        typed: Mapping[str, str],
        *,
        is_same_shop: bool = False,
    ) -> str:
        """The account of a site that has none, at work from now on; a worker tries it out."""
        who.check(Right.ACCOUNT, site_id)
        given = {name: text for name, text in typed.items() if text}
        site = self._site(site_id)
        added = self._accounts.add(site, connector, given, who.name, is_same_shop=is_same_shop)
        given_words = said("The account is given, and at work.")
        return joined(" ", [given_words, self._asked_to_probe(added, who)])

    def change(
        self,
        who: Who,
        site_id: int,
        typed: Mapping[str, str],
        version: int | None,
        *,
        is_same_shop: bool = False,
    ) -> str:
        """What differs counts from now on; a secret that is not typed stays as it is."""
        account = self._account(who, site_id)
        manifest = self._accounts.code_of(account.connector).code
        given = changed_values(manifest, account, typed)
        if not given:
            return said("Nothing was changed: all values are as they were.")
        changed = _unless_changed(
            lambda: self._accounts.change(
                account, given, who.name, version=version, is_same_shop=is_same_shop
            )
        )
        words = said("The account has its new values.")
        return joined(" ", [words, self._asked_to_probe(changed, who)])

    def pause(self, who: Who, site_id: int, why: str, version: int | None) -> str:
        account = self._account(who, site_id)
        _unless_changed(
            lambda: self._accounts.pause(account, why[:MAX_WHY], who.name, version=version)
        )
        return said("The account is paused. What comes meanwhile is kept and waits.")

    def resume(self, who: Who, site_id: int, version: int | None) -> str:
        account = self._account(who, site_id)
        _unless_changed(lambda: self._accounts.resume(account, who.name, version=version))
        return said("The account goes on, with what has waited.")

    def rotate_address(self, who: Who, site_id: int, version: int | None = None) -> str:
        """The old address is valid for a day beside the new one."""
        account = self._account(who, site_id)
        _unless_changed(lambda: self._accounts.rotate_address(account, who.name, version=version))
        return said("There is a new address. Webhooks to the old one are taken for a day still.")

    def revoke(
        self, who: Who, site_id: int, why: str, typed_name: str, version: int | None = None
    ) -> str:
        """``typed_name``: the account's connector, as somebody typed it to show that they mean it.

        Raises OtherName where it is another.
        """
        account = self._account(who, site_id)
        if typed_name.strip() != account.connector:
            raise OtherName(
                said(
                    "nothing was revoked: to revoke the account, type its name, %(name)s",
                    name=account.connector,
                )
            )
        _unless_changed(
            lambda: self._accounts.revoke(account, why[:MAX_WHY], who.name, version=version)
        )
        return said("The account is revoked: its secrets and addresses open nothing any more.")

    def probe(self, who: Who, site_id: int) -> str:
        """Let a worker ask the shop and Wix; what it finds is kept with the account."""
        account = self._account(who, site_id)
        self._asking.probe(account.public_id, who.name)
        return said("A worker asks the shop and Wix now; what it finds stands here in a moment.")

    def _asked_to_probe(self, account: Account, who: Who) -> str:
        """What was changed is changed, whether or not somebody can try it out now."""
        try:
            self._asking.probe(account.public_id, who.name)
        except (Misconfigured, Transient) as error:
            return said("Nobody tries it out yet: %(why)s", why=error.message)
        return said("A worker tries it out now; what it finds stands here in a moment.")

    def _site(self, site_id: int) -> Site:
        return self._accounts.admin.sites.find(str(site_id))

    def _account(self, who: Who, site_id: int) -> Account:
        who.check(Right.ACCOUNT, site_id)
        account = self._accounts.store.of_site(site_id)
        if account is None:
            raise Misconfigured(_no_account(site_id))
        refuse_revoked(account)
        return account

    def _fields(self, account: Account) -> Sequence[Field]:
        return fields_of(self._accounts.code_of(account.connector).code, account)

    def _standing(self, who: Who, account: Account, site: Site) -> Standing:
        shows_all = who.may(Right.ACCOUNT, site.id)
        return Standing(
            account.public_id if shows_all else "",
            account.connector,
            state_words(account, site),
            account.version,
            account.paused_why,
            account.probed_at.timestamp() if account.probed_at else None,
            bool(account.probe.get("good")),
            account.probe.get("checks", ()),
            self._addresses(account) if shows_all else (),
            bool(self._public_url),
            self._heard_at(account),
        )

    def _heard_at(self, account: Account) -> float | None:
        heard = self._accounts.admin.hook_states.of(account.source)
        if heard is None or heard.heard_ago is None:
            return None
        return self._accounts.admin.questions.now() - heard.heard_ago

    def _addresses(self, account: Account) -> list[Address]:
        return [
            Address(
                address_of(self._public_url, account.connector, one.address),
                one.valid_until.timestamp() if one.valid_until else None,
            )
            for one in account.addresses
        ]


def _unless_changed(act: Callable[[], Done]) -> Done:
    try:
        return act()
    except StaleVersion as error:
        raise ChangedMeanwhile(
            said(
                "Somebody has changed the account meanwhile, and nothing was done: %(why)s",
                why=error.message,
            )
        ) from None


def _no_account(site_id: int) -> str:
    return said("site %(site)s has no account: give it one first", site=site_id)


def _why_none(site: Site) -> str:
    if site.external_source and site.external_source == site.connector:
        return said(
            "The shop of this site is set in the environment of this installation; whoever runs it"
            " changes it there."
        )
    return ""


def _chosen(names: Sequence[str], wanted: str) -> str:
    """The connector whose form is shown; empty: somebody has to choose first."""
    if wanted in names:
        return wanted
    return names[0] if len(names) == 1 else ""
