"""The farewell to a shop that an account has left for another address: our webhooks go from there.

another address ──▶ what the account had is kept ──▶ our webhooks are taken away ──▶ it is forgotten
                ──▶ the shop does not answer: tried again ever later, for an hour
                ──▶ the shop refuses us, or the hour is over: forgotten, and said in the audit
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from sync_worker.core.values import OldShop
from sync_worker.ledger.accounts.old_shops import SqlOldShops
from sync_worker.remotes.external.hooks import ExternalHooks
from sync_worker.services.leaving import AT_ONCE, PATIENCE, taken_away

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OldShops:
    """``hooks_of``: at each address that the account had; raises Held, Misconfigured, Transient."""

    kept: SqlOldShops
    hooks_of: Callable[[OldShop], Iterable[ExternalHooks]]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def due(self, work: str) -> dict[str, OldShop]:
        """Some of them, by the source of their account.

        ``work``: the word for such farewells among faults.
        """
        return {one.account.source: one for one in self.kept.due(AT_ONCE, work)}

    def say(self, left: OldShop) -> int:
        """Take our webhooks away and forget the shop; how many hooks that were.

        Raises Transient while it does not answer, Held while its secrets do not open.
        """
        account = left.account.public_id
        removed, why_left = taken_away(self.hooks_of(left), lambda: self._is_over(left))
        self.kept.forget(left, why_left)
        if why_left:
            log.warning("hooks_left_behind", account=account, at="the shop before", why=why_left)
        log.info("shop_left", account=account, site=left.account.site_id, hooks=removed)
        return removed

    def _is_over(self, left: OldShop) -> bool:
        return self.now() - left.left_at > PATIENCE
