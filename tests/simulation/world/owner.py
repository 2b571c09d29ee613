"""What the owner of a site does with what lets us in: its account outside, and our app on Wix."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import AccountState, Change, Side, account_source
from tests.simulation.world.chance import Chance
from tests.simulation.world.post import Post
from tests.twins.memory_remote import MemoryRemote

FOR_EVER = float("inf")


class Owner:
    """``accounts``: where they are kept; a site with an implicit account has none to change."""

    def __init__(
        self,
        site_id: int,
        accounts: Any,
        post: Post,
        wix: MemoryRemote,
        chance: Chance,
        now: Callable[[], float],
    ) -> None:
        self._site_id, self._accounts, self._post = site_id, accounts, post
        self._wix, self._chance, self._now = wix, chance, now
        self._given, self._told_at = 0, 0.0
        self.is_installed = True
        post.is_open = self.is_in_use

    @property
    def state(self) -> AccountState | None:
        """Of the account, which ends with the app's removal, too; ``None``: an implicit one."""
        if "/" not in self._post.sources[Side.EXTERNAL]:
            return None
        found: AccountState = self._accounts.state_of(self._site_id)
        return found

    def is_in_use(self) -> bool:
        return self.state is not AccountState.REVOKED

    def act(self, removals: float) -> None:
        """Something that is away is given back, or else something goes."""
        if not self.is_installed:
            self.install()
        elif self._chance.happens(removals):
            self.remove()
        elif self.state is AccountState.ACTIVE:
            choices = (self.pause, self.revoke, self.change_accounts)
            self._chance.random.choice(choices)()
        else:
            self.restore()

    def restore(self) -> None:
        """All that lets us in is there again; what was removed has to be installed before."""
        if self.state is AccountState.PAUSED:
            self._set(AccountState.ACTIVE)
        if self.state is AccountState.REVOKED:
            # Refused as long as we have not heard that the app is installed again.
            with suppress(Misconfigured):
                self.give()

    # -- the account outside

    def pause(self) -> None:
        self._set(AccountState.PAUSED)

    def revoke(self) -> None:
        """The door of its address is shut for good within two seconds."""
        self._set(AccountState.REVOKED)
        self._post.shut(until=self._now() + 2.0)

    def give(self) -> None:
        """The same shop again: a new account, and its webhooks are registered there."""
        self._given += 1
        name = f"account-{self._site_id}-{self._given}"
        self._accounts.give(self._site_id, name)
        connector = self._post.sources[Side.EXTERNAL].partition("/")[0]
        self._post.move_to(account_source(connector, name))

    def change_accounts(self) -> None:
        """By a script, which takes no time."""
        self.revoke()
        self.give()

    def _set(self, state: AccountState) -> None:
        self._accounts.change(self._site_id, state)

    # -- the app on Wix

    def remove(self) -> None:
        """Our tokens are refused, and Wix tells of nothing else any more."""
        self._tell(Change.APP_REMOVED)
        self._wix.refused_until, self.is_installed = FOR_EVER, False
        self._post.is_installed = False

    def install(self) -> None:
        self._wix.refused_until, self.is_installed = self._now(), True
        self._post.is_installed = True
        self._tell(Change.APP_INSTALLED)

    def _tell(self, change: Change) -> None:
        # No two of them happen at one moment.
        self._told_at = max(self._now(), self._told_at + 0.001)
        self._post.tell_of_app(change, datetime.fromtimestamp(self._told_at, UTC))
