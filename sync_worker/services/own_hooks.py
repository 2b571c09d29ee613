"""Our webhooks at the shop of the environment: taken away with the app, made again with it.

Its settings stay where they are: they are its operator's. A person made the webhooks first, and so
said where they lead.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import structlog

from sync_worker.ledger.accounts.own_hooks import SqlOwnHooks
from sync_worker.remotes.external.hooks import ExternalHooks
from sync_worker.services.leaving import PATIENCE, taken_away

CLAIM_SECONDS = 60  # nobody makes what another process is about to take away

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OwnHooks:
    """``managed``: connectors of the environment whose system lets us manage webhooks.

    ``hooks_of``: of a connector; raises Misconfigured. ``claim``: whether this process may change
    them now, and for how many seconds.
    """

    kept: SqlOwnHooks
    managed: Collection[str]
    hooks_of: Callable[[str], ExternalHooks]
    claim: Callable[[str, int], bool]

    def due(self, work: str) -> dict[str, str]:
        """Those whose site has removed the app, by source. ``work``: the word among faults."""
        return {source: source for source in self.kept.leaving(self.managed)}

    def say(self, source: str) -> int:
        """Take them away; how many went. Raises Transient while the shop does not answer."""
        if not self._may(source):
            return 0
        tried_seconds, urls = self.kept.begin(source), list[str]()
        noted = self._noted(source, urls)
        removed, why_left = taken_away(noted, lambda: tried_seconds > PATIENCE.total_seconds())
        self.kept.note_gone(source, urls, why_left)
        if why_left:
            log.warning("hooks_left_behind", source=source, why=why_left)
        log.info("own_hooks_removed", source=source, hooks=removed)
        return removed

    def _noted(self, source: str, urls: list[str]) -> Iterator[ExternalHooks]:
        """Whoever dies before they are all gone has noted where they led."""
        hooks = self.hooks_of(source)
        urls.extend(dict.fromkeys(hook.url for hook in hooks.ours()))
        self.kept.note_urls(source, urls)
        yield hooks

    def back(self) -> dict[str, list[str]]:
        """Those whose site works again, with the addresses that their webhooks had."""
        return self.kept.coming_back(self.managed)

    def make_again(self, source: str, urls: Sequence[str]) -> None:
        """Make them where they led. Raises what remotes raise."""
        if not self._may(source):
            return
        hooks = self.hooks_of(source)
        for url in urls:
            hooks.register(url)
        self.kept.note_back(source)
        log.info("own_hooks_made_again", source=source, urls=list(urls))

    def _may(self, source: str) -> bool:
        """Whether no other process is about to change them."""
        return self.claim(f"own-hooks:{source}", CLAIM_SECONDS)
