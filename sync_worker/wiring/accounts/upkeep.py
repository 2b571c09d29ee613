"""The upkeep of accounts in a worker: their webhooks, and what waited for the right key."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from sync_worker.config import Settings
from sync_worker.core.errors import Held, Misconfigured
from sync_worker.core.ports.doorbell import Bell
from sync_worker.ledger.accounts.site_sides import RING_AT_ONCE
from sync_worker.ledger.accounts.upkeep import SqlAccountUpkeep
from sync_worker.remotes.external.hooks import ExternalHooks, HookCheck
from sync_worker.runtime.celery.site_faults import HOOKS
from sync_worker.wiring.accounts.book import AccountBook
from sync_worker.wiring.connectors import Connectors
from sync_worker.wiring.remotes import Remotes

RELEASE_SECONDS = 10.0  # of a minute, for each kind of work over many deliveries
CLAIM_SECONDS = 60  # one worker at a time makes the hooks of an account

log = structlog.get_logger(__name__)


class AccountUpkeep:
    """``claim``: whether this process may make an account's hooks now, and for how many seconds.

    Where no shop gives what it has as an account nothing is asked. Raises Transient.
    """

    def __init__(
        self,
        settings: Settings,
        connectors: Connectors,
        book: AccountBook,
        remotes: Remotes,
        ledger: Callable[[], SqlAccountUpkeep],
        claim: Callable[[str, int], bool],
    ) -> None:
        self._settings, self._connectors, self._book = settings, connectors, book
        self._remotes, self._ledger, self._claim = remotes, ledger, claim

    def hooks_due(self) -> list[str]:
        """Accounts whose webhooks are to be looked at, since the last look is long ago."""
        managed = self._managed()
        every_seconds = self._settings.hook_check_seconds
        return self._ledger().hooks_due(managed, every_seconds, HOOKS) if managed else []

    def hooks_changed(self) -> list[str]:
        """Accounts that are new, or that have another address than at the last look."""
        managed = self._managed()
        return self._ledger().hooks_changed(managed, HOOKS) if managed else []

    def check_hooks(self, source: str) -> HookCheck:
        """Look at the webhooks of an account.

        Those that are not there are made; those of another secret are made anew. Raises what
        remotes raise.
        """
        hooks = self._remotes.hooks(source)
        check, base = hooks.check(), self._settings.gateway_public_url.rstrip("/")
        # Nothing is told in between only if the new ones are there first.
        if not check.missing and hooks.can_replace:
            self._leave_old_addresses(source, hooks)
        is_outdated = self._is_outdated(source, hooks, check)
        can_make = is_outdated or (bool(check.missing) and bool(base))
        if not can_make or not self._claim(f"hooks:{source}", CLAIM_SECONDS):
            return check
        if is_outdated:
            self._renew(source, hooks)
        if check.missing and base:
            self._make(source, hooks, check, base + hooks.path)
        self._ledger().note_hooks_made_with(source, hooks.made_with)
        return hooks.check()

    def _make(self, source: str, hooks: ExternalHooks, check: HookCheck, url: str) -> None:
        """Make those that are missing; of what nobody told meanwhile a sweep looks."""
        is_told = self._is_told_elsewhere(source, hooks, check)
        # Whoever dies in between finds none missing any more.
        if not is_told:
            self._ledger().sweep_again(source)
        hooks.register(url)
        log.info("hooks_made", source=source, topics=list(check.missing))
        if not is_told:
            self._ledger().sweep_again(source)

    def _is_told_elsewhere(self, source: str, hooks: ExternalHooks, check: HookCheck) -> bool:
        """Whether hooks at an address that was replaced tell what those that are missing would."""
        told = set[str]()
        for one in self._book.of_source(source).account.addresses:
            if one.valid_until is not None:
                told |= {hook.topic for hook in hooks.at(one.address).ours() if hook.is_enabled}
        return told.issuperset(check.missing)

    def _leave_old_addresses(self, source: str, hooks: ExternalHooks) -> None:
        """Our hooks at addresses whose day is over go: each call of theirs is answered 404."""
        for address in self._ledger().addresses_over(source):
            removed = hooks.at(address).remove()
            self._ledger().forget_address(address)
            if removed:
                log.info("hooks_of_old_address_removed", source=source, hooks=len(removed))

    def _is_outdated(self, source: str, hooks: ExternalHooks, check: HookCheck) -> bool:
        """Whether hooks sign with another secret than the account has now.

        Those that its owner had made before the first look have the one that it was given with.
        """
        known = self._ledger().hooks_made_with(source)
        if known is None and check.working:
            self._ledger().note_hooks_made_with(source, hooks.made_with)
        return known is not None and known != hooks.made_with

    def _renew(self, source: str, hooks: ExternalHooks) -> None:
        if hooks.can_replace:
            hooks.replace()
            log.info("hooks_made_anew", source=source, why="the secret has changed")
            return
        log.warning(
            "hooks_keep_the_old_secret",
            source=source,
            next_step="give the new secret to the webhooks in the system's own dashboard",
        )

    def look_after_sites(self, bell: Bell) -> None:
        """What waits for sites that have left ends, and what the version before installed begins.

        That is what a worker of the version before opened in a rolling upgrade.
        """
        until = time.monotonic() + RELEASE_SECONDS
        if ended := self._ledger().end_for_removed(until):
            log.info("deliveries_of_removed_sites_ended", deliveries=ended)
        for site in self._ledger().take_up_sites_of_before():
            log.info("site_of_the_version_before", site=site.id, source=site.external_source)
            bell.ring(self._ledger().release_for_account(site))

    def release_opened(self, bell: Bell) -> int:
        """Let go what waited for an account whose secrets open here; how many deliveries that were.

        A worker may hold some for the account of a moment before, when its site has a new one: the
        deliveries of that one come first. What is left after some seconds is the next minute's.
        """
        if not self._connectors.serve_accounts:
            return 0
        until = time.monotonic() + RELEASE_SECONDS
        if moved := self._ledger().move_some(until):
            log.info("deliveries_moved_to_the_account_of_today", deliveries=moved)
        until, released = time.monotonic() + RELEASE_SECONDS, 0
        for site in self._ledger().waiting_sites():
            # What else may be wrong with it is said when its deliveries come.
            with suppress(Misconfigured):
                try:
                    self._book.of_site(site)
                except Held:
                    continue
            ids = self._ledger().release_waiting(site, until)
            # The sweeper rings for the rest, at its own pace.
            bell.ring(ids[:RING_AT_ONCE])
            released += len(ids)
        return released

    def _managed(self) -> list[str]:
        """The connectors of accounts whose system lets us manage our webhooks."""
        if not self._connectors.serve_accounts:
            return []
        codes = (self._connectors.code_of(name).code for name in self._connectors.names)
        return [code.id for code in codes if code.webhook and code.webhook.manage]
