"""Deletes that the brake holds: which they are, and a person's word that they are right.

Only what the person has seen is released: what was held since then waits for another look.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import select

from sync_worker.core.values import Site
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.ledger.console.held_filter import HeldFilter, is_held
from sync_worker.ledger.tables import inbox

BRAKE = "delete_brake"
AT_ONCE = 500  # deliveries in one statement


class Allowing(Protocol):
    """Part of ports.Sweeps."""

    def allow_deletes(self, site_id: int, count: int, actor: str = "") -> None: ...


class Braked:
    """Raises Transient."""

    def __init__(self, admin: LedgerAdmin, sweeps: Allowing) -> None:
        self._admin, self._sweeps = admin, sweeps

    def numbers(self, site: Site) -> list[int]:
        """The deliveries of a site that the brake holds now."""
        held = select(inbox.c.id).where(is_held(HeldFilter(reason=BRAKE, site=site)))
        with self._admin.transactions.read() as connection:
            return list(connection.execute(held.order_by(inbox.c.id)).scalars())

    def let_go(self, site: Site, numbers: Sequence[int], count: int, who: str) -> None:
        """These go on, and so many deletes are right for a day."""
        self._sweeps.allow_deletes(site.id, count, who)
        # The doorbell is the sweeper's: within seconds.
        for start in range(0, len(numbers), AT_ONCE):
            some = numbers[start : start + AT_ONCE]
            which = HeldFilter(reason=BRAKE, site=site, inbox_ids=some)
            self._admin.held.release(which, who)


def mark_of(numbers: Sequence[int]) -> str:
    """What stands for exactly these; empty: for none."""
    if not numbers:
        return ""
    return hashlib.sha256(",".join(map(str, numbers)).encode()).hexdigest()[:32]
