"""How the account of a site on a side stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sync_worker.core.values import Side, Site, SiteSide

ACCOUNT_FAILING = "account_failing"  # why a delivery waits for its account
PROBE_SECONDS = 60.0  # between two looks at a failing account


class SiteSides(Protocol):
    """The accounts that the remotes refuse. Each method but ``recover`` is one transaction."""

    def fail(self, account: SiteSide, inbox_ids: Sequence[int], why: str) -> None:
        """The remote refuses the account: these open deliveries are held until it does no more."""

    def wait(self, account: SiteSide, inbox_ids: Sequence[int]) -> bool:
        """Hold these open deliveries if the account is failing now; whether it is."""

    def to_probe(self) -> list[tuple[Site, Side]]:
        """A few failing accounts whose turn has come; their next is after ``PROBE_SECONDS``.

        Also those whose recovery has not come to its end.
        """

    def recover(self, account: SiteSide) -> list[int]:
        """The remote accepts the account again: all that waited for it goes on.

        Returns the ids to ring for; the sweeper rings for more.
        """
