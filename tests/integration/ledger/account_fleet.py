"""Sites of one app with accounts of their own, in one ledger."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sync_worker.core.values import Account, NewAccount, Site
from sync_worker.ledger.accounts.store import SqlAccountStore, new_public_id
from sync_worker.ledger.administration.admin import ledger_admin
from tests.twins.observed_ledger import ObservedLedger

ACTOR = "cli:ada@host"


class Fleet:
    """Two processes over one database, and the accounts as a person gives them."""

    def __init__(self, ledgers: list[ObservedLedger]) -> None:
        self.ledger, self.other = ledgers
        self.admin = ledger_admin(self.ledger.engine)
        self.store = SqlAccountStore(self.ledger.transactions)
        self.beside = SqlAccountStore(self.other.transactions)

    def site(self, number: int = 1) -> Site:
        return self.admin.sites.add(f"instance-{number}", "", [])[0]

    def give(self, site: Site, identity: str | None = "https://shop", **changes: Any) -> Account:
        new = NewAccount(new_public_id(), site.id, "shop", identity, {"base_url": "https://shop"})
        return self.store.add(replace(new, **changes), ACTOR)

    def held(self) -> list[str]:
        return self.ledger.held_reasons()


@pytest.fixture
def fleet(ledgers: list[ObservedLedger]) -> Fleet:
    return Fleet(ledgers)
