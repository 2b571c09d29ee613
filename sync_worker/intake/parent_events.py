"""Events that name only the rated thing: a hint for each of its ratings that differs.

BigCommerce tells that a product changed, never which review (external-systems:
`store/product/updated` fires on the review count). Each child that differs from what is on file
becomes a hint of its own, and goes the way of any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from sync_worker.core.errors import Misconfigured
from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.core.ports.directory import Directory, RecordsOfEntity
from sync_worker.core.ports.doorbell import Bell
from sync_worker.core.ports.inbox import Closing, Inbox
from sync_worker.core.ports.remote import Connection
from sync_worker.core.values import (
    Change,
    Delivery,
    EntityRef,
    InboxState,
    Known,
    NewDelivery,
    Record,
    Side,
    Site,
    UnknownEntity,
)
from sync_worker.intake.entities import ENTITY_SKIPPED, MappedEntities


@dataclass(frozen=True, slots=True)
class ParentEvents:
    """Compares the external records of one rated thing with what is on file."""

    inbox: Inbox
    directory: Directory
    bell: Bell
    connection: Connection
    site: Site

    def apply(self, delivery: Delivery) -> Outcome:
        """Process an event of a rated thing. Raises Held, Transient, Permanent, Misconfigured."""
        hints = self._hints_of(delivery)
        if isinstance(hints, Closing):
            self.inbox.close(delivery.id, hints)
            return Outcome.of(hints)
        self.inbox.close(delivery.id, Closing(InboxState.DONE, f"hints {len(hints)}"))
        self.bell.ring(hints)
        return Outcome(OutcomeKind.DONE, "parent")

    def _hints_of(self, delivery: Delivery) -> list[int] | Closing:
        """Store a hint for each record that differs; their inbox ids."""
        ref = EntityRef(delivery.new.remote_id)
        if self.connection.children is None:
            raise Misconfigured(
                f"connector {self.site.connector!r} sends parent_changed, but cannot list children"
            )
        # Nothing is stored before the whole list has been read: half of one would look like
        # deletions.
        now = {record.remote_id: record for record in self.connection.children(ref.entity_id)}
        # Without any rating only deletions can follow, and those need no mapped thing.
        if now:
            refusal = self._refusal_of(ref)
            if refusal is not None:
                return refusal
        known = self.directory.records_of_entity(self.site.id, ref)
        unknown = now.keys() - known.on_file.keys() - known.shadowed
        # The release of a held delivery will look at its record.
        unknown -= self.inbox.held_among(self.site.id, Side.EXTERNAL, sorted(unknown))
        changed = changed_children(now, known, unknown)
        gone = [remote_id for remote_id in known.on_file if remote_id not in now]
        source = delivery.new.source
        return self._stored(source, changed, Change.UPSERT) + self._stored(
            source, gone, Change.DELETE
        )

    def _refusal_of(self, ref: EntityRef) -> Closing | None:
        """One held delivery for a thing that is not mapped, not one for each of its ratings."""
        entities = MappedEntities(self.directory, self.site)
        if entities.find(ref, Side.EXTERNAL) is not None:
            return None
        if entities.waits_for_catalogue(ref, Side.EXTERNAL):
            raise entities.hold_until_mapped(ref, Side.EXTERNAL)
        match self.site.policy.unknown_entity:
            case UnknownEntity.SKIP:
                return ENTITY_SKIPPED
            case UnknownEntity.SAME_ID:
                # Mapped with the first of its ratings.
                return None
            case _:
                raise entities.hold_until_mapped(ref, Side.EXTERNAL)

    def _stored(self, source: str, remote_ids: list[str], change: Change) -> list[int]:
        """Hints, without a delivery id: an equal one that nobody has taken yet absorbs them."""
        stored = []
        for remote_id in remote_ids:
            hint = NewDelivery(Side.EXTERNAL, source, None, change, remote_id, {})
            stored.append(self.inbox.store(hint).inbox_id)
        return stored


def changed_children(
    now: Mapping[str, Record], known: RecordsOfEntity, unknown: Set[str]
) -> list[str]:
    """Ids of the records that are new or differ from what is on file."""
    return [
        remote_id
        for remote_id, record in now.items()
        if remote_id in unknown or _differs(record, known.on_file.get(remote_id))
    ]


def _differs(record: Record, known: Known | None) -> bool:
    # shadowed or held: nothing on file to differ from
    if known is None:
        return False
    # Compared as the remote shows it: such a system need not number its revisions.
    return known.state is not record.state or dict(known.raw) != dict(record.raw)
