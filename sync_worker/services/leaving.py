"""The farewell of an account that has ended: our webhooks go from its shop, then its secrets.

revoked ──▶ our webhooks are taken away ──▶ its secrets are wiped
        ──▶ the shop does not answer: tried again ever later, for an hour
        ──▶ it refuses us, or lets nobody take hooks away: wiped at once, and told in the audit
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from sync_worker.core.errors import Held, Misconfigured, Permanent, Transient
from sync_worker.core.values import Account, AccountAddress
from sync_worker.ledger.accounts.store import SqlAccountStore
from sync_worker.remotes.external.hooks import ExternalHooks

AT_ONCE = 50  # farewells in the hands of one task
PATIENCE = timedelta(hours=1)  # of a shop that does not answer; our door is shut to it all the time

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Farewells:
    """``hooks_of``: of each address of an account; raises Held, Misconfigured, Transient."""

    accounts: SqlAccountStore
    hooks_of: Callable[[Account], Iterable[ExternalHooks]]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def due(self, work: str) -> dict[str, Account]:
        """Some accounts that have ended and have secrets still, by their source.

        ``work``: the word for farewells among faults.
        """
        return {one.source: one for one in self.accounts.leaving(AT_ONCE, work)}

    def say(self, leaver: Account) -> int:
        """Take our webhooks away and wipe its secrets; how many hooks that were.

        Raises Transient while its shop does not answer, Held while its secrets do not open.
        """
        # Hooks may be left at those whose day is over, too.
        over = map(AccountAddress, self.accounts.addresses_over(leaver.public_id))
        leaver = replace(leaver, addresses=(*leaver.addresses, *over))
        removed, why_left = taken_away(self.hooks_of(leaver), lambda: self._is_over(leaver))
        self.accounts.wipe(leaver.public_id, why_left)
        if why_left:
            log.warning("hooks_left_behind", account=leaver.public_id, why=why_left)
        log.info("account_wiped", account=leaver.public_id, site=leaver.site_id, hooks=removed)
        return removed

    def _is_over(self, leaver: Account) -> bool:
        """Whether its shop had time enough to answer."""
        return leaver.revoked_at is not None and self.now() - leaver.revoked_at > PATIENCE


def taken_away(hooks: Iterable[ExternalHooks], is_over: Callable[[], bool]) -> tuple[int, str]:
    """Take hooks of ours away: how many went, and why others may be left.

    ``is_over``: whether their shop had time enough to answer. Raises Transient while it has not,
    Held while the secrets do not open.
    """
    removed = 0
    try:
        for some in hooks:
            removed += len(some.remove())
    # The shop lets nobody do that, or refuses us already.
    except (Misconfigured, Permanent) as error:
        return removed, error.message
    # It does not answer, or its secrets do not open in this process.
    except (Held, Transient) as error:
        if not is_over():
            raise
        return removed, error.message
    return removed, ""
