"""The book of accounts of one process, over its ledger and its keys."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

from sync_worker.config import Settings
from sync_worker.ledger.accounts.store import SqlAccountStore
from sync_worker.ledger.transactions import Transactions
from sync_worker.wiring.accounts.book import AccountBook
from sync_worker.wiring.connectors import Connectors
from sync_worker.wiring.secret_keys import opener


def account_book(
    settings: Settings,
    connectors: Connectors,
    transactions: Callable[[], Transactions],
    listen: Callable[[Callable[[], None]], None] = lambda heard: None,
) -> AccountBook:
    """Where no account is asked for, neither a key nor the ledger is needed.

    ``listen``: begins to call what it is given with each piece of news.
    """

    @cache
    def accounts() -> SqlAccountStore:
        return SqlAccountStore(transactions())

    return AccountBook(accounts, connectors, cache(partial(opener, settings)), listen)
