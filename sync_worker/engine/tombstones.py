"""What one run knows of remote ids that are gone for good."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field

from sync_worker.core.values import Buried, Side


@dataclass(slots=True)
class Tombstones:
    """Tombstones of one run: new ones, and old ones that a look refuted.

    ``unburied``: ids of deliveries in hand that had no tombstone when the lease was taken.
    ``buried``: ids that this run found to be gone. ``before_look``: tombstones as they were just
    before a look; a look refutes only what was there before it. ``revived``: those it refuted.
    """

    unburied: Set[tuple[Side, str]]
    buried: dict[tuple[Side, str], Buried] = field(default_factory=dict)
    before_look: dict[tuple[Side, str], Buried] = field(default_factory=dict)
    revived: dict[tuple[Side, str], Buried] = field(default_factory=dict)

    def is_decided(self, side: Side, remote_id: str) -> bool:
        """Whether this run knows without the ledger if the id has a tombstone."""
        key = (side, remote_id)
        return key in self.revived or key in self.buried or key in self.unburied

    def get(self, side: Side, remote_id: str) -> Buried | None:
        """The tombstone of an id, as far as this run knows; a refuted one does not count."""
        if (side, remote_id) in self.revived:
            return None
        return self.buried.get((side, remote_id))

    def bury(self, tombstone: Buried) -> None:
        self.buried[tombstone.side, tombstone.remote_id] = tombstone

    def bury_again(self, tombstone: Buried) -> None:
        """The record is gone now, even if an earlier look of this run had found it."""
        self.bury(tombstone)
        self.revived.pop((tombstone.side, tombstone.remote_id), None)

    def note_before_look(self, tombstone: Buried) -> None:
        self.before_look[tombstone.side, tombstone.remote_id] = tombstone

    def refute(self, side: Side, remote_id: str) -> None:
        """A look found the record."""
        key = (side, remote_id)
        self.buried.pop(key, None)
        if (tombstone := self.before_look.pop(key, None)) is not None:
            self.revived[key] = tombstone
