"""Accounts in memory, as far as a process that uses them asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sync_worker.core.errors import Transient
from sync_worker.core.values import Account, AccountAddress, AccountState, SealedSecret
from sync_worker.ledger.accounts.sealing import Sealer


@dataclass
class AccountsInMemory:
    """Implements the book's ``Accounts``; ``asked``: every question; ``is_away``: none answers."""

    sealer: Sealer
    asked: list[str] = field(default_factory=list)
    is_away: bool = False
    number: int = 0
    rows: dict[str, Account] = field(default_factory=dict)
    secrets: dict[int, dict[str, SealedSecret]] = field(default_factory=dict)

    # -- changes, as commands make them

    def add(
        self, public_id: str, connector: str, settings: Mapping[str, str], **secrets: str
    ) -> Account:
        self.number += 1
        account = Account(
            len(self.rows) + 1,
            public_id,
            len(self.rows) + 1,
            connector,
            None,
            dict(settings),
            AccountState.ACTIVE,
            1,
            self.number,
            (AccountAddress(public_id),),
        )
        self.rows[public_id] = account
        self.secrets[account.id] = {
            name: SealedSecret(self.sealed(public_id, name, text)) for name, text in secrets.items()
        }
        return account

    def change(self, public_id: str, **values: Any) -> Account:
        self.number += 1
        old = self.rows[public_id]
        new = replace(old, version=old.version + 1, changed=self.number, **values)
        self.rows[public_id] = new
        return new

    def give_secret(
        self, public_id: str, name: str, text: str, keep_until: datetime | None = None
    ) -> None:
        old = self.secrets[self.rows[public_id].id]
        before = old[name].sealed if keep_until is not None else None
        old[name] = SealedSecret(self.sealed(public_id, name, text), before, keep_until)
        self.change(public_id)

    def revoke(self, public_id: str) -> None:
        self.change(public_id, state=AccountState.REVOKED, addresses=())
        self.secrets[self.rows[public_id].id] = {}

    def sealed(self, public_id: str, name: str, text: str) -> str:
        return self.sealer.sealed(text, account=public_id, name=name)

    # -- questions

    def counter(self) -> int:
        self._ask("counter")
        return self.number

    def changed_since(self, counter: int, limit: int) -> list[Account]:
        self._ask("changed_since")
        found = [row for row in self.rows.values() if row.changed > counter]
        return sorted(found, key=lambda row: row.changed)[:limit]

    def by_address(self, address: str) -> Account | None:
        self._ask("by_address")
        for row in self.rows.values():
            if any(one.address == address for one in row.addresses):
                return row
        return None

    def by_public_id(self, public_id: str) -> Account | None:
        self._ask("by_public_id")
        return self.rows.get(public_id)

    def sealed_of(self, account_id: int) -> Mapping[str, SealedSecret]:
        self._ask("sealed_of")
        return dict(self.secrets[account_id])

    def _ask(self, question: str) -> None:
        if self.is_away:
            raise Transient("the ledger does not answer")
        self.asked.append(question)
