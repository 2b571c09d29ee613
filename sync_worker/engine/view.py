"""What a run sees of both sides: what the ledger remembers, what deliveries say, what it reads from
the remotes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from decimal import Decimal

from sync_worker.core.errors import Held
from sync_worker.core.ports.inbox import ERASED, Closing
from sync_worker.core.ports.ledger import Ledger
from sync_worker.core.ports.links import LeasedLink
from sync_worker.core.ports.remote import Connection, Remote
from sync_worker.core.record_codec import record_listed
from sync_worker.core.scale import FieldMap
from sync_worker.core.values import (
    Base,
    Buried,
    Delivery,
    HistoryEntry,
    InboxState,
    Known,
    Person,
    Record,
    Side,
    Slot,
)
from sync_worker.engine.lease_keeper import LeaseKeeper
from sync_worker.engine.record_view import RecordView, absent, remembered, seen
from sync_worker.engine.slot_write import slots_of

STALE = Closing(InboxState.DONE, "stale")
BURIED = Closing(InboxState.DONE, "buried")
UNSEEN = Closing(InboxState.DONE, "buried_with_unseen_edit")
NOT_MAPPED = Closing(InboxState.DONE, "attribute_not_mapped")
SUPERSEDED = Closing(InboxState.SUPERSEDED)
CREATE_FAILED = Closing(InboxState.DONE, "create_failed")
SHADOWED = Closing(InboxState.DONE, "shadowed")


@dataclass(slots=True)
class View:
    """Both sides of one link during one run.

    ``memory``: the records with their seen revisions, as committed. ``record_views``: the records
    as they are now, as far as this run knows. ``graves``: tombstones as they were just before a
    look; ``revived``: those that the look refuted. ``closings``: deliveries that told nothing new.
    ``history``: edits found to be lost. ``told``: the slot that each delivery spoke of.
    ``shadowed``: records found to stand behind the synced one. ``erases``: a privacy request
    removes this opinion everywhere. ``losers``: living records that have to go, because after a
    merge of contacts another one is the person's.
    """

    run: LeasedLink
    connection: Connection
    ledger: Ledger
    keeper: LeaseKeeper
    memory: dict[Slot, Known] = field(init=False)
    record_views: dict[Slot, RecordView] = field(init=False)
    buried: dict[tuple[Side, str], Buried] = field(default_factory=dict)
    graves: dict[tuple[Side, str], Buried] = field(default_factory=dict)
    revived: dict[tuple[Side, str], Buried] = field(default_factory=dict)
    looked_up: set[Side] = field(default_factory=set)
    history: list[HistoryEntry] = field(default_factory=list)
    closings: dict[int, Closing] = field(default_factory=dict)
    told: dict[int, Slot] = field(default_factory=dict)
    shadowed: set[str] = field(default_factory=set)
    erases: bool = False
    losers: dict[tuple[Side, str], tuple[Slot, Record]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.memory = dict(self.run.link.records)
        bases = {name: self.run.link.bases.get(name, Base()) for name in self.fields}
        self.record_views = {
            slot: remembered(slot, self.memory.get(slot), bases)
            for slot in slots_of(tuple(self.fields))
        }

    # -- who and what

    @property
    def fields(self) -> Mapping[str, FieldMap]:
        return {field.attribute: field for field in self.run.site.fields}

    @property
    def person(self) -> Person:
        contact = self.run.contact
        return Person(contact_id=contact.contact_id, email=contact.email, name=contact.name)

    def remote(self, side: Side) -> Remote:
        return self.connection.remotes[side]

    def slot_of(self, attribute: str, side: Side) -> Slot:
        return Slot(side, attribute) if side is Side.WIX else Slot(side)

    def value_on(self, side: Side, attribute: str) -> Decimal | None:
        """What a side shows of an attribute, in its units."""
        return self.record_views[self.slot_of(attribute, side)].values.get(attribute)

    def take_history(self) -> list[HistoryEntry]:
        """The edits found to be lost, for the commit at hand."""
        history, self.history = self.history, []
        return history

    def version_of(self, attribute: str) -> int:
        """Of the mapping that this run goes by."""
        field = self.fields.get(attribute)
        return field.version if field is not None else 1

    def seen_revisions(self) -> dict[str, int]:
        """By remote id."""
        record_views = self.record_views.values()
        return {
            one.remote_id: one.revision
            for one in record_views
            if one.remote_id and one.revision is not None
        }

    def slot_for(self, side: Side, record: Record) -> Slot | None:
        """The slot a record belongs to; ``None`` when its attribute is not mapped."""
        slots = (slot for slot in self.record_views if slot.side is side)
        return next(
            (slot for slot in slots if not slot.attribute or slot.attribute in record.values), None
        )

    def slot_on_file(self, side: Side, remote_id: str) -> Slot | None:
        return next(
            (
                slot
                for slot, record_view in self.record_views.items()
                if (slot.side, record_view.remote_id) == (side, remote_id)
            ),
            None,
        )

    def learn(self, records: Mapping[Slot, Known | None], bases: Mapping[str, Base]) -> None:
        """The ledger remembers more now; what this run knows only from the ledger follows."""
        for slot, known in records.items():
            if known is None:
                self.memory.pop(slot, None)
            else:
                self.memory[slot] = known
        for slot, record_view in self.record_views.items():
            if record_view.source == "ledger":
                self.record_views[slot] = remembered(slot, self.memory.get(slot), bases)

    # -- deliveries in hand

    def hear(self, delivery: Delivery) -> None:
        """Take in one delivery: as the view of its side, as a reason to read, or as nothing new."""
        side, remote_id = delivery.new.side, delivery.new.remote_id
        slot = self.slot_on_file(side, remote_id)
        if slot is not None:
            self.told[delivery.id] = slot
        if delivery.new.change == "erase":
            self.erases = True
        elif delivery.new.change == "delete":
            self._hear_delete(delivery, slot)
        elif delivery.new.change == "create_failed":
            self.closings[delivery.id] = CREATE_FAILED  # nothing waits for that create (any more)
        elif slot is not None:
            self._hear_known(delivery, slot)
        else:
            self._hear_unknown(delivery)

    def _hear_delete(self, delivery: Delivery, slot: Slot | None) -> None:
        if slot is None:
            self._hear_late_delete(delivery)
        elif _is_older(delivery.new.sequence, self.record_views[slot].sequence):
            self.closings[delivery.id] = STALE  # the record was restored since
        elif self.remote(slot.side).capabilities.delete_is_final and not delivery.must_read:
            self.lose(slot, sequence=delivery.new.sequence, privacy=delivery.new.privacy)
            self.record_views[slot] = absent("heard", delivery.id, privacy=delivery.new.privacy)
        else:
            self._follow(delivery, slot)
        if delivery.new.privacy and slot is not None and self.record_views[slot].remote_id is None:
            self.erases = True

    def _hear_late_delete(self, delivery: Delivery) -> None:
        """Of a record that is not on file (any more): no news, unless only now we hear that privacy
        was the reason.
        """
        new = delivery.new
        grave = self._grave(new.side, new.remote_id)
        # A delete need not name a revision; what we last saw tells whether an edit came in between.
        revision = grave.revision if new.revision is None and grave is not None else new.revision
        self.buried[new.side, new.remote_id] = Buried(
            new.side, new.remote_id, revision, new.sequence, privacy=new.privacy
        )
        if new.privacy and not (grave is not None and grave.privacy):
            self.erases = True
        else:
            self.closings[delivery.id] = BURIED

    def _hear_known(self, delivery: Delivery, slot: Slot) -> None:
        record = self._whole_record(delivery)
        record_view = self.record_views[slot]
        if not self.is_news(delivery, slot) and not delivery.must_read:
            self.closings[delivery.id] = STALE
        elif record is None or record.revision is None or record_view.revision is None:
            self._follow(delivery, slot)
        elif record_view.source == "ledger" or record.revision > record_view.revision:
            self.record_views[slot] = seen(slot, record, self.fields.values(), "heard", delivery.id)
        else:
            self.record_views[slot] = record_view.heard_by(delivery.id)
            self.closings[delivery.id] = SUPERSEDED

    def _hear_unknown(self, delivery: Delivery) -> None:
        """A record with an id that is not on file."""
        side, remote_id = delivery.new.side, delivery.new.remote_id
        if self.is_shadowed(side, remote_id):
            self.closings[delivery.id] = SHADOWED
            return
        told, grave = self._whole_record(delivery), self._grave(side, remote_id)
        record = told
        if grave is not None and grave.privacy:
            self.closings[delivery.id] = ERASED
            return
        if (
            told is None or grave is not None or delivery.new.is_ours
        ):  # a lost create of ours may be gone by now
            may_live = grave is None or may_be_restored(delivery, grave)
            record = self.get(side, remote_id) if may_live else None
        if record is None:
            self._close_buried(delivery, told, grave or Buried(side, remote_id))
            return
        slot = self.slot_for(side, record)
        if slot is None:
            self.closings[delivery.id] = NOT_MAPPED
            return
        self.told[delivery.id] = slot
        if self.record_views[slot].remote_id is None and grave is None:
            self.record_views[slot] = seen(slot, record, self.fields.values(), "heard", delivery.id)
            return
        record_view = self.meet(
            slot, remote_id, merged_from=delivery.new.payload.get("merged_from")
        )
        if self.is_shadowed(side, remote_id):
            self.closings[delivery.id] = SHADOWED
        elif record_view.remote_id == remote_id:
            self.record_views[slot] = record_view.heard_by(delivery.id)

    def _close_buried(self, delivery: Delivery, told: Record | None, grave: Buried) -> None:
        """The record is gone; an edit that came after what we last saw of it lost against its
        deletion.
        """
        self.buried[grave.side, grave.remote_id] = grave
        self.closings[delivery.id] = UNSEEN if was_unseen(delivery, grave) else BURIED
        if told is None or not was_unseen(delivery, grave):
            return
        slot = self.slot_for(grave.side, told)
        for name, value in (
            seen(slot, told, self.fields.values(), "heard").values.items() if slot else ()
        ):
            self.history.append(
                HistoryEntry(
                    "gap",
                    grave.side,
                    name,
                    before=value,
                    loser=value,
                    loser_side=grave.side,
                    reason="edited just before the record was deleted",
                    remote_id=grave.remote_id,
                    inbox_id=delivery.id,
                )
            )

    def _follow(self, delivery: Delivery, slot: Slot) -> None:
        """Read what the delivery only hints at; one read serves all deliveries in hand."""
        if self.record_views[slot].source != "read":
            self.read(slot)
        if self.is_news(delivery, slot):
            self.record_views[slot] = self.record_views[slot].heard_by(delivery.id)

    def _whole_record(self, delivery: Delivery) -> Record | None:
        remote = self.remote(delivery.new.side)
        if delivery.must_read:
            return None
        if (listed := record_listed(delivery.new.payload)) is not None:
            return listed
        return (
            remote.record_in(delivery.new.payload) if remote.capabilities.trusts_payload else None
        )

    def is_news(self, delivery: Delivery, slot: Slot) -> bool:
        """Above the seen revision; without revisions every delivery may be news."""
        known = self.memory.get(slot)
        if known is None or known.remote_id != delivery.new.remote_id:
            return True
        return not _is_older(delivery.new.revision, known.revision)

    # -- reading

    def get(self, side: Side, remote_id: str) -> Record | None:
        """Read a record. Only a grave that was there before the look can be refuted by it."""
        if self.slot_on_file(side, remote_id) is None:
            grave = self.ledger.directory.locate(self.run.site.id, side, remote_id).buried
            if grave is not None:
                self.graves[side, remote_id] = grave
        self.keeper.renew()
        return self.remote(side).get(remote_id)

    def read(self, slot: Slot) -> RecordView:
        """Read the record on file; a slot without one stays as it is."""
        remote_id = self.record_views[slot].remote_id
        if remote_id is not None:
            record = self.get(slot.side, remote_id)
            if record is None:
                self.lose(slot)
            else:
                self.take(slot, record)
        return self.record_views[slot]

    def read_all(self) -> None:
        """Read every record on file anew, and look for those that are not."""
        for slot in self.record_views:
            self.read(slot)

    def meet(self, slot: Slot, remote_id: str, *, merged_from: str | None = None) -> RecordView:
        """Read a record with an id that is not on file, and give it its place. Raises Held.

        ``merged_from``: it was on file for a contact that has been merged away.
        """
        record = self.get(slot.side, remote_id)
        if record is None:
            self.buried[slot.side, remote_id] = Buried(slot.side, remote_id)
            return self.record_views[slot]
        return self.place(slot, record, merged_from=merged_from)

    def place(self, slot: Slot, record: Record, *, merged_from: str | None = None) -> RecordView:
        """A record just read becomes the slot's, in the place of one that is gone. Raises Held if
        both are alive.

        After a merge of contacts both may be alive, each given under one of them: then one loses.
        Where the system allows several of one person, the newest stands for all.
        """
        on_file = self.record_views[slot].remote_id
        if on_file in (None, record.remote_id):
            return self.take(slot, record)
        rival = self.get(slot.side, on_file)
        if rival is None:
            self.lose(slot)
            return self.take(slot, record)
        self.take(slot, rival)
        if merged_from is None and self._may_be_several(slot.side, record, rival):
            return self._newest(slot, record, rival)
        if not self._is_nearer(record, rival, merged_from):
            self.losers[slot.side, record.remote_id] = (slot, record)
            return self.record_views[slot]
        self.losers[slot.side, rival.remote_id] = (slot, rival)
        return self.take(slot, record)

    def _may_be_several(self, side: Side, record: Record, rival: Record) -> bool:
        return (
            not self.remote(side).capabilities.is_unique
            and record.person.email == rival.person.email
        )

    def _newest(self, slot: Slot, record: Record, rival: Record) -> RecordView:
        """By the order in which the remote lists them; a record that its search does not show yet
        is the newest.
        """
        self.keeper.renew()
        order = [
            hit.remote_id
            for hit in self.remote(slot.side).find(self.run.entity.on(slot.side), self.person)
        ]
        old, new = rival.remote_id, record.remote_id
        is_newer = new not in order or (old in order and order.index(old) < order.index(new))
        self._shadow(slot.side, old if is_newer else new)
        return self.take(slot, record) if is_newer else self.record_views[slot]

    def _shadow(self, side: Side, remote_id: str) -> None:
        """This record stands behind a newer one of the same person: not synced, never deleted, on
        record.
        """
        self.shadowed.add(remote_id)
        reason = "a newer record of the same person stands for it"
        self.history.append(HistoryEntry("shadow", side, "", reason=reason, remote_id=remote_id))

    def is_shadowed(self, side: Side, remote_id: str) -> bool:
        is_known = remote_id in self.shadowed or remote_id in self.run.link.shadowed
        return is_known and side is Side.EXTERNAL and self.slot_on_file(side, remote_id) is None

    def shadowed_left(self) -> list[str]:
        """Ids of the records behind the synced one that may still be there."""
        known = sorted(self.shadowed | self.run.link.shadowed)
        return [
            one
            for one in known
            if (Side.EXTERNAL, one) not in self.buried and self.is_shadowed(Side.EXTERNAL, one)
        ]

    def _is_nearer(self, record: Record, rival: Record, merged_from: str | None) -> bool:
        """Whether a record stands nearer to the contact that lives on than the one on file.

        Raises Held if unknown.
        """
        site = self.run.site
        given_by = Person(contact_id=merged_from) if merged_from is not None else record.person
        mine, theirs = (
            self.ledger.merges.merge_distance(site.id, one) for one in (given_by, rival.person)
        )
        is_known = (
            mine is not None
            and theirs is not None
            and mine.lives_as == theirs.lives_as
            and mine != theirs
        )
        policy = site.policy
        may_remove = (
            policy.may_write(Side.WIX)
            and policy.may_write(Side.EXTERNAL)
            and policy.deletes == "propagate"
        )
        if not may_remove or not (is_known or merged_from is not None):
            raise Held("several_records")
        return mine is not None and theirs is not None and is_known and mine < theirs

    def take(self, slot: Slot, record: Record) -> RecordView:
        """The record is the slot's, as just read."""
        key = (slot.side, record.remote_id)
        self.buried.pop(key, None)
        if (grave := self.graves.pop(key, None)) is not None:
            self.revived[key] = grave
        self.record_views[slot] = seen(
            slot, record, self.fields.values(), "read", self.record_views[slot].heard
        )
        return self.record_views[slot]

    def lose(self, slot: Slot, *, sequence: int | None = None, privacy: bool = False) -> None:
        """The record on file is gone."""
        record_view = self.record_views[slot]
        if record_view.remote_id is not None:
            grave = Buried(
                slot.side,
                record_view.remote_id,
                record_view.revision,
                sequence or record_view.sequence,
                privacy,
            )
            self.buried[slot.side, record_view.remote_id] = grave
            self.revived.pop((slot.side, record_view.remote_id), None)
        self.record_views[slot] = absent("read", record_view.heard)

    def lose_buried(self, buried: Set[str]) -> None:
        """These are gone; what we saw of the others is older than that, so it does not stand for a
        fresh look.
        """
        for slot, record_view in self.record_views.items():
            if record_view.remote_id in buried:
                self.lose(slot)
            elif buried and record_view.source == "read":
                self.record_views[slot] = replace(record_view, source="heard")

    def find(self, side: Side, *, also_buried: bool = False) -> Iterator[tuple[Slot, str]]:
        """Slots and ids of this person's records that may be alive. A search may lag: read a hit
        before acting.

        ``also_buried``: those too that we took for gone or shadowed.
        """
        self.looked_up.add(side)
        self.keeper.renew()
        for hit in self.remote(side).find(self.run.entity.on(side), self.person):
            slot = self.slot_for(side, hit)
            is_out = self._grave(side, hit.remote_id) is not None or self.is_shadowed(
                side, hit.remote_id
            )
            if slot is not None and (also_buried or not is_out):
                yield slot, hit.remote_id

    def look_up(self, side: Side, *, also_buried: bool = False) -> None:
        """Find records that are not on file and let them be the slots'."""
        for slot, remote_id in list(self.find(side, also_buried=also_buried)):
            if self.record_views[slot].remote_id != remote_id:
                self.meet(slot, remote_id)

    def _grave(self, side: Side, remote_id: str) -> Buried | None:
        if (side, remote_id) in self.revived:
            return None
        known = self.buried.get((side, remote_id))
        if known is not None or (side, remote_id) in self.run.unburied:
            return known
        return self.ledger.directory.locate(self.run.site.id, side, remote_id).buried


def tells_of_the_dead(delivery: Delivery, grave: Buried) -> bool:
    """Whether a delivery for a buried id may still matter: a restore, an edit nobody saw, a privacy
    request.
    """
    if grave.privacy:
        return False
    if delivery.new.change == "delete":
        return delivery.new.privacy
    return may_be_restored(delivery, grave) or was_unseen(delivery, grave)


def may_be_restored(delivery: Delivery, grave: Buried) -> bool:
    """Whether a delivery for a buried id may be news of a restore; only a look at the remote tells
    for sure.
    """
    if delivery.must_read:
        return True
    new = delivery.new
    if new.sequence is not None and grave.sequence is not None:
        return new.sequence > grave.sequence
    if new.revision is not None and grave.revision is not None:
        return new.revision > grave.revision
    return True


def was_unseen(delivery: Delivery, grave: Buried) -> bool:
    """Whether a delivery for a record that is gone tells of an edit after what we last saw
    of it.
    """
    revision = delivery.new.revision
    return revision is not None and grave.revision is not None and revision > grave.revision


def _is_older(number: int | None, than: int | None) -> bool:
    """At or below; unknown numbers are never older."""
    return number is not None and than is not None and number <= than
