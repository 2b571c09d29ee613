"""An account as programs are shown it, by API and command alike. Never a secret's value. Pure."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sync_worker.core.values import Account, Site
from sync_worker.services.accounts.standing import address_of, state_words


@dataclass(frozen=True, slots=True)
class ShownAddress:
    """Where webhooks go. ``valid_until``: of an earlier one."""

    url: str
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class ShownAccount:
    """``account``: its id; ``secrets``: the names of what is sealed; ``probe``: what was found."""

    account: str
    site_id: int
    site_state: str
    connector: str
    state: str
    identity: str | None
    settings: Mapping[str, str]
    secrets: Sequence[str]
    addresses: Sequence[ShownAddress]
    version: int
    paused_why: str
    probed_at: datetime | None
    probe: Mapping[str, Any]
    created_at: datetime | None
    revoked_at: datetime | None

    def for_lookers(self) -> ShownAccount:
        """How it stands, without what the shop gave and where its webhooks go."""
        return replace(self, account="", identity=None, settings={}, secrets=(), addresses=())


def shown_account(
    account: Account, site: Site, public_url: str, locked: Container[int] = ()
) -> ShownAccount:
    """``public_url``: the gateway's; ``locked``: as state_words takes it."""
    return ShownAccount(
        account.public_id,
        account.site_id,
        str(site.state),
        account.connector,
        state_words(account, site, locked),
        account.identity,
        account.settings,
        account.secret_names,
        shown_addresses(account, public_url),
        account.version,
        account.paused_why,
        account.probed_at,
        account.probe,
        account.created_at,
        account.revoked_at,
    )


def shown_addresses(account: Account, public_url: str) -> list[ShownAddress]:
    """The address of now, and earlier ones as long as they are valid."""
    return [
        ShownAddress(address_of(public_url, account.connector, one.address), one.valid_until)
        for one in account.addresses
    ]
