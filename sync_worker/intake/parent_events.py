"""What an event about a rated thing means for its ratings, where a system has no events of the
ratings themselves.

BigCommerce tells that a product changed, never which review (external-systems:
`store/product/updated` fires on the review count). Each child that differs from what is on file
becomes a hint of its own, and goes the way of any other.
"""

from __future__ import annotations

from dataclasses import dataclass

from sync_worker.core.errors import Held, Misconfigured
from sync_worker.core.hold_keys import entity_hold_key
from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.ledger import Ledger
from sync_worker.core.ports.remote import Connection
from sync_worker.core.values import (
    Delivery,
    EntityRef,
    InboxState,
    Known,
    NewDelivery,
    Record,
    Side,
    Site,
)

NOT_MAPPED = Closing(InboxState.DONE, "entity_skipped")


@dataclass(frozen=True, slots=True)
class Children:
    """Compares the external records of one rated thing with what is on file."""

    ledger: Ledger
    connection: Connection
    site: Site

    def hints_of(self, delivery: Delivery) -> list[int] | Closing:
        """Store a hint for each record that differs; their inbox ids. Raises Held, Transient,
        Permanent, Misconfigured.

        Nothing is stored before the whole list has been read: half of one would look like
        deletions.
        """
        ref = EntityRef(delivery.new.remote_id)
        if self.connection.children is None:
            raise Misconfigured(
                f"connector {self.site.connector!r} sends parent_changed, but cannot list children"
            )
        now = {record.remote_id: record for record in self.connection.children(ref.entity_id)}
        if now and (refusal := self._refusal(ref)) is not None:
            return refusal
        known = self.ledger.directory.records_of_entity(self.site.id, ref)
        new = now.keys() - known.on_file.keys() - known.shadowed
        new -= self.ledger.inbox.held_among(self.site.id, Side.EXTERNAL, sorted(new))
        changed = [one for one in now if one in new or _differs(now[one], known.on_file.get(one))]
        gone = [one for one in known.on_file if one not in now]
        return self._stored(delivery.new, changed, "upsert") + self._stored(
            delivery.new, gone, "delete"
        )

    def _refusal(self, ref: EntityRef) -> Closing | None:
        """One held delivery for a thing that is not mapped, not one for each of its ratings."""
        if self.ledger.directory.entity(self.site.id, Side.EXTERNAL, ref) is not None:
            return None
        match self.site.policy.unknown_entity:
            case "skip":
                return NOT_MAPPED
            case "same_id":
                return None
            case _:
                raise Held(
                    "unknown_entity",
                    hold_key=entity_hold_key(Side.EXTERNAL, ref),
                    has_arrived=lambda: (
                        self.ledger.directory.entity(self.site.id, Side.EXTERNAL, ref) is not None
                    ),
                )

    def _stored(self, parent: NewDelivery, remote_ids: list[str], change: str) -> list[int]:
        """Hints, without a delivery id: an equal one that nobody has taken yet absorbs them."""
        hints = (
            NewDelivery(Side.EXTERNAL, parent.source, None, change, one, {}) for one in remote_ids
        )
        return [self.ledger.inbox.store(hint).inbox_id for hint in hints]


def _differs(record: Record, known: Known | None) -> bool:
    return known is not None and (
        known.state is not record.state or dict(known.raw) != dict(record.raw)
    )
