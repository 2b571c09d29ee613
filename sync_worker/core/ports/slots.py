"""The slots of a worker: how many calls to remotes it has under way at a time.

Its threads are more: a rating needs a slot for the call alone, and the ledger for the rest of its
time. Here they are shared out by sites: a delivery in hand will call, and may hang.
"""

from __future__ import annotations

from typing import Protocol

# Who finds no slot comes again after so long; it is no failed attempt.
SLOT_PAUSE_SECONDS = 2.0


class Slots(Protocol):
    """Which sites may have a thread of them. A thread has one delivery at a time."""

    def enter(self, site_id: int) -> bool:
        """Whether a delivery of a site may be worked on now; if so, ``leave`` comes after it."""

    def leave(self, site_id: int, *, is_proof: bool) -> None:
        """The work of this thread is over; ``is_proof``: the site's remotes were asked for it."""


class Unbounded:
    """Implements Slots where one site alone is worked on, or one thread works."""

    def enter(self, site_id: int) -> bool:
        return True

    def leave(self, site_id: int, *, is_proof: bool) -> None:
        return
