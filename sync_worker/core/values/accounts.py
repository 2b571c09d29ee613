"""An account: what the shop of a site gave us, so that its external system lets us in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sync_worker.core.values.records import ShownWord


class AccountState(ShownWord):
    """``NEW``: given, not in use yet; ``REVOKED``: at an end, its secrets open nothing."""

    NEW = "new"
    ACTIVE = "active"
    PAUSED = "paused"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class AccountAddress:
    """The last part of an account's webhook address; ``valid_until``: one that was replaced."""

    address: str
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """The external account of a site, without a value of its secrets.

    ``identity``: what its external system knows it by, normalised; no other site may have it.
    ``version``: grows with every change; ``changed``: the ledger's counter at the last one.
    """

    id: int
    public_id: str
    site_id: int
    connector: str
    identity: str | None
    settings: Mapping[str, str]
    state: AccountState
    version: int
    changed: int
    addresses: tuple[AccountAddress, ...] = ()
    secret_names: tuple[str, ...] = ()
    paused_why: str = ""
    probed_at: datetime | None = None
    probe: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    revoked_at: datetime | None = None
    wiped_at: datetime | None = None

    @property
    def source(self) -> str:
        """The source of its deliveries in the inbox."""
        return account_source(self.connector, self.public_id)


def account_source(connector: str, public_id: str) -> str:
    """The source of an account's deliveries; that of the implicit account is its connector."""
    return f"{connector}/{public_id}"


def connector_of(source: str) -> str:
    """The connector of an external source, be it an account's or the connector itself."""
    return source.partition("/")[0]


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A secret as it lies in the ledger, and its value before, as long as that counts."""

    sealed: str
    previous: str | None = None
    previous_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class OldShop:
    """Where an account was: our webhooks are there still. ``account``: with what it had then."""

    id: int
    account: Account
    sealed: Mapping[str, SealedSecret]
    left_at: datetime


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What a shop gives for a site.

    ``public_id``: made before, since it is bound into what is sealed. ``sealed``: by secret's name.
    ``is_same_shop``: it is the shop that the site's links are of, though its identity is another.
    """

    public_id: str
    site_id: int
    connector: str
    identity: str | None
    settings: Mapping[str, str]
    sealed: Mapping[str, str] = field(default_factory=dict)
    state: AccountState = AccountState.NEW
    is_same_shop: bool = False


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What changes of an account; what is not named stays.

    ``keep_old_seconds``: how long the value before of each secret in ``rotated`` (``None``: in
    ``sealed``) counts beside the new one; 0, and of others: it ends at once. ``left_out``: settings
    and secrets that go. ``is_other_shop``: as far as can be told, ``identity`` is another shop's.
    ``leaves_hooks``: our webhooks are to be taken from where the account was.
    """

    settings: Mapping[str, str] | None = None
    identity: str | None = None
    is_other_shop: bool = False
    leaves_hooks: bool = False
    sealed: Mapping[str, str] = field(default_factory=dict)
    rotated: Collection[str] | None = None
    keep_old_seconds: float = 0.0
    left_out: Collection[str] = ()
    state: AccountState | None = None
    paused_why: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who changed what, when and why; of a secret only that it was changed."""

    id: int
    at: datetime
    actor: str
    what: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    why: str = ""
    site_id: int | None = None
    account_id: int | None = None
