"""The shops of the environment: whether it still holds what sites have of it, and each only once.

Said at the start of each process, by ``doctor`` and ``status``, and told to the door.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import structlog

from sync_worker.core.errors import Misconfigured, Transient
from sync_worker.core.values import Site
from sync_worker.ledger.accounts.giving import site_served
from sync_worker.ledger.administration.sites import SiteAdmin
from sync_worker.ledger.transactions import Transactions
from sync_worker.services.accounts.identity import identity_of
from sync_worker.wiring.connectors import Connectors

KNOWN_SECONDS = 60.0  # strangers may ask as often as they like
LEFT_SECONDS = 1.0  # a door shuts, and opens again, within this time

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ShopFault:
    """What is wrong with the shop of a site, in words, and what to do."""

    source: str
    line: str
    next_step: str


class OwnShops:
    """Raises Transient."""

    def __init__(
        self,
        connectors: Connectors,
        transactions: Transactions,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connectors, self._transactions, self._clock = connectors, transactions, clock
        self._sites = SiteAdmin(transactions)
        self._lost, self._known_until = frozenset[str](), float("-inf")
        self._left, self._left_until = frozenset[str](), float("-inf")
        self._asking = threading.Lock()

    def faults(self) -> list[ShopFault]:
        """Of all sites whose shop stands in the environment."""
        sites = self._sites.of_environment()
        return [*map(self._lost_fault, self._without_shop(sites)), *self._twice(sites)]

    def twice(self) -> list[ShopFault]:
        """Shops of the environment that another site has as an account, too."""
        return list(self._twice(self._sites.of_environment()))

    def is_lost(self, connector: str) -> bool:
        """Whether a site has its shop of the environment, which does not hold it any more."""
        if self._clock() >= self._known_until:
            sites = self._without_shop(self._sites.of_environment())
            self._lost = frozenset(site.external_source for site in sites)
            self._known_until = self._clock() + KNOWN_SECONDS
        return connector in self._lost

    def has_left(self, connector: str) -> bool:
        """Whether the site of that shop has removed the app, as it was a second ago.

        Where the ledger does not answer, whoever stores finds that out.
        """
        if self._clock() >= self._left_until and self._asking.acquire(blocking=False):
            try:
                self._left = frozenset(self._sites.left_of_environment())
            except Transient:
                pass
            finally:
                self._left_until = self._clock() + LEFT_SECONDS
                self._asking.release()
        return connector in self._left

    def _without_shop(self, sites: list[Site]) -> list[Site]:
        return [site for site in sites if site.connector not in self._connectors.manifests]

    def _lost_fault(self, site: Site) -> ShopFault:
        return ShopFault(
            site.external_source,
            self._connectors.lost(site),
            f"set them again (`ratings-sync connector show {site.connector}` lists them) and start"
            " all processes: its webhooks are answered 503 until then",
        )

    def _twice(self, sites: list[Site]) -> Iterator[ShopFault]:
        for site in sites:
            if site.connector not in self._connectors.manifests:
                continue
            code = self._connectors.code_of(site.connector)
            identity = identity_of(code.code, code.of_environment())
            with self._transactions.read() as connection:
                other = site_served(connection, site.connector, identity)
            if other is not None:
                yield ShopFault(
                    site.external_source,
                    f"sites {site.id} (settings of the environment) and {other} (its account) have"
                    f" the same {site.connector} shop: they write each other's ratings",
                    f"pause one now (`ratings-sync site pause --site {site.id}`), then give it its"
                    f" own shop, or `ratings-sync account revoke {other}`",
                )


def warn_of_own_shops(connectors: Connectors, transactions: Transactions) -> None:
    """Lines at the start of a process; it goes on for all others."""
    # A ledger that is away, and manifests that cannot be read, are told where they are asked for.
    with suppress(Transient, Misconfigured):
        for fault in OwnShops(connectors, transactions).faults():
            log.error("shop_of_the_environment", why=fault.line, next_step=fault.next_step)
