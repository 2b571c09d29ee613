"""The state of one run: both sides of a link as the run knows them by now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.links import LeasedLink
from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.scale import FieldMap
from sync_worker.core.values import (
    Base,
    Buried,
    Delivery,
    HistoryEntry,
    Known,
    LinkState,
    Person,
    Record,
    RecordState,
    Side,
    Slot,
    Standing,
    Value,
)
from sync_worker.engine.holds.looking_again import Holds
from sync_worker.engine.moderation.standing import hidden_by_owner, may_be_hidden
from sync_worker.engine.moves.departures import Departures
from sync_worker.engine.news import Tombstones, is_older
from sync_worker.engine.record_view import (
    EXTERNAL_SLOT,
    Carried,
    RecordView,
    Source,
    absent,
    carried_of,
    remembered,
    seen,
)
from sync_worker.engine.writes.written import Written

HOUR_SECONDS = 3600.0


@dataclass(slots=True)
class View:
    """Both sides of one link during one run. Only its own methods change it.

    ``importer``: who imports the row of a file in hand. ``carried``: the ratings and words kept in
    step; ``fields``: those of ratings. ``memory``: the records with their seen revisions, and
    ``bases``, by attribute: as committed, or about to be. ``record_views``: the records as they are
    now, as far as known. ``slot_by_delivery``: what each delivery spoke of. ``closings``: those
    that told nothing new. ``history``: edits found to be lost, for the next commit. ``erases``: a
    privacy request removes this opinion everywhere. ``shadowed``: records behind the synced one.
    ``let_in``: records of guests that a person let go on. ``losers``: living records that have to
    go, as after a merge another one is the person's. ``looked_up``: sides searched.
    ``written``: what came of its writes.
    """

    run: LeasedLink
    capabilities: Mapping[Side, Capabilities]
    importer: str = ""
    carried: Carried = field(init=False)
    fields: Mapping[str, FieldMap] = field(init=False)
    memory: dict[Slot, Known] = field(init=False)
    bases: dict[str, Base] = field(init=False)
    record_views: dict[Slot, RecordView] = field(init=False)
    tombstones: Tombstones = field(init=False)
    slot_by_delivery: dict[int, Slot] = field(default_factory=dict)
    closings: dict[int, Closing] = field(default_factory=dict)
    history: list[HistoryEntry] = field(default_factory=list)
    erases: bool = False
    shadowed: set[str] = field(default_factory=set)
    let_in: set[str] = field(default_factory=set)
    losers: dict[tuple[Side, str], tuple[Slot, Record]] = field(default_factory=dict)
    looked_up: set[Side] = field(default_factory=set)
    written: Written = field(default_factory=Written)
    holds: Holds = field(default_factory=Holds)
    departures: Departures = field(default_factory=Departures)

    def __post_init__(self) -> None:
        self.carried = carried_of(self.run.site, self.capabilities)
        self.fields = self.carried.fields
        self.memory = dict(self.run.link.records)
        self.bases = self.carried.first_bases(self.run.link.bases)
        self.record_views = {
            slot: remembered(slot, self.memory.get(slot), self.bases, self.carried)
            for slot in self.carried.in_slot
        }
        self.tombstones = Tombstones(self.run.unburied)

    # -- what it shows

    def slot_of(self, attribute: str, side: Side) -> Slot:
        if side is Side.EXTERNAL:
            return EXTERNAL_SLOT
        # Words stand in the record of the main value.
        is_words = attribute in self.carried.words
        return Slot(side, self.carried.main or "") if is_words else Slot(side, attribute)

    def value_on(self, side: Side, attribute: str) -> Value | None:
        """What a side shows of an attribute, in its units."""
        values = self.record_views[self.slot_of(attribute, side)].values
        # A living record that does not show words has them as before.
        if attribute in self.carried.words and self.carried.main in values:
            return values.get(attribute, self.bases[attribute].on(side))
        return values.get(attribute)

    def seen_as(self, slot: Slot, record: Record) -> RecordView:
        """A whole record as the view of a slot, without changing anything."""
        known = self.memory.get(slot)
        return seen(slot, record, self.carried, Source.READ, known=known)

    def slot_for(self, side: Side, record: Record) -> Slot | None:
        """The slot a record belongs to; ``None`` when its attribute is not mapped."""
        for slot in self.record_views:
            # an external record holds all attributes, a Wix record one
            if slot.side is side and (not slot.attribute or slot.attribute in record.values):
                return slot
        return None

    def slot_on_file(self, side: Side, remote_id: str) -> Slot | None:
        for slot, record_view in self.record_views.items():
            if slot.side is side and record_view.remote_id == remote_id:
                return slot
        return None

    def is_news(self, delivery: Delivery, slot: Slot) -> bool:
        """Above the seen revision; without revisions every delivery may be news."""
        known = self.memory.get(slot)
        # another record, or the first of this slot: nothing of it was seen
        if known is None or known.remote_id != delivery.new.remote_id:
            return True
        if not is_older(delivery.new.revision, known.revision):
            return True
        if self.capabilities[slot.side].revision_covers_state:
            return False
        # The same revision may show another state: events have an order of their own.
        is_same = delivery.new.revision == known.revision
        return is_same and not is_older(delivery.new.sequence, known.sequence)

    # -- what deliveries tell

    def note_slot(self, delivery: Delivery, slot: Slot) -> None:
        """The delivery spoke of the record of this slot."""
        self.slot_by_delivery[delivery.id] = slot

    def close(self, delivery: Delivery, closing: Closing) -> None:
        self.closings[delivery.id] = closing

    def erase(self) -> None:
        """A privacy request removes this opinion everywhere."""
        self.erases = True

    def believe(self, slot: Slot, record: Record, delivery: Delivery) -> None:
        """The record is the slot's, as a delivery in hand carries it."""
        known = self.memory.get(slot)
        self.record_views[slot] = seen(slot, record, self.carried, Source.HEARD, delivery.id, known)
        if record.state is not RecordState.PUBLISHED:
            self._hide(slot)

    def hear_again(self, slot: Slot, delivery: Delivery) -> None:
        """A delivery speaks of what the slot shows already."""
        self.record_views[slot] = self.record_views[slot].heard_by(delivery.id)

    def believe_delete(self, slot: Slot, delivery: Delivery) -> None:
        """The record on file is gone, says a delivery in hand."""
        new = delivery.new
        self.lose(slot, sequence=new.sequence, privacy=new.privacy)
        # Known by hearing, not by a look: the delivery counts as this side's last word.
        self.record_views[slot] = absent(Source.HEARD, delivery.id, privacy=new.privacy)

    # -- what looks show

    def show(self, slot: Slot, record: Record) -> None:
        """The record is the slot's, as a remote just returned it."""
        # A look does not undo that a delivery spoke of it.
        heard, known = self.record_views[slot].heard, self.memory.get(slot)
        self.record_views[slot] = seen(slot, record, self.carried, Source.READ, heard, known)
        if record.state is not RecordState.PUBLISHED:
            self._hide(slot)

    def _hide(self, slot: Slot) -> None:
        """By policy a rejection of what we brought may count as its end."""
        shown, policy = self.record_views[slot], self.run.site.policy
        self.record_views[slot] = hidden_by_owner(shown, self.memory.get(slot), policy)

    def take(self, slot: Slot, record: Record) -> None:
        """The record is the slot's, as just read: it is alive."""
        self.tombstones.refute(slot.side, record.remote_id)
        self.show(slot, record)

    def lose(self, slot: Slot, *, sequence: int | None = None, privacy: bool = False) -> None:
        """The record on file is gone."""
        record_view = self.record_views[slot]
        if record_view.remote_id is not None:
            tombstone = Buried(
                slot.side,
                record_view.remote_id,
                record_view.revision,
                sequence or record_view.sequence,
                privacy,
            )
            self.tombstones.bury_again(tombstone, record_view.state)
        self.record_views[slot] = absent(Source.READ, record_view.heard)

    def miss(self, slot: Slot) -> None:
        """A look has not found the record on file."""
        shown, can = self.record_views[slot], self.capabilities[slot.side]
        if may_be_hidden(shown, self.memory.get(slot), can, self.run.site.policy):
            self.record_views[slot] = replace(shown, source=Source.READ, is_missed=True)
        else:
            self.lose(slot)

    def part_with(self, slot: Slot, remote_id: str) -> None:
        """The record is another rating's now: alive, and none of this link's."""
        # Whoever takes it up must find no tombstone of an earlier delete.
        self.tombstones.refute(slot.side, remote_id)
        if self.record_views[slot].remote_id == remote_id:
            self.record_views[slot] = absent(Source.READ, self.record_views[slot].heard)

    def lose_buried(self, remote_ids: Set[str]) -> None:
        """These are gone, as told after this run has looked: its other looks are old by now."""
        for slot, record_view in self.record_views.items():
            if record_view.remote_id in remote_ids:
                self.lose(slot)
            elif remote_ids and record_view.source is Source.READ:
                self.record_views[slot] = replace(record_view, source=Source.HEARD)

    def bury(self, tombstone: Buried) -> None:
        """A record that is not on file (any more) is gone."""
        self.tombstones.bury(tombstone)

    def note_look_up(self, side: Side) -> None:
        self.looked_up.add(side)

    def shadow(self, remote_id: str, line: HistoryEntry) -> None:
        """This record stands behind a newer one of the same person: not synced, never deleted."""
        self.shadowed.add(remote_id)
        self.history.append(line)

    def admit(self, remote_id: str) -> None:
        """A person has let this record in, whoever gave it."""
        self.let_in.add(remote_id)

    def add_loser(self, slot: Slot, record: Record) -> None:
        """This record has to go: after a merge of contacts another one is the person's."""
        self.losers[slot.side, record.remote_id] = (slot, record)

    def pop_loser(self) -> tuple[Slot, Record]:
        return self.losers.popitem()[1]

    # -- what goes on file

    def note(self, lines: Iterable[HistoryEntry]) -> None:
        """Found to be lost: a line for the next commit."""
        self.history.extend(lines)

    def take_history(self) -> list[HistoryEntry]:
        """The edits found to be lost, for the commit at hand."""
        history, self.history = self.history, []
        return history

    def learn(self, records: Mapping[Slot, Known | None], bases: Mapping[str, Base]) -> None:
        """The ledger remembers more now; what this run knows only from the ledger follows."""
        self.bases |= bases
        for slot, known in records.items():
            if known is None:
                self.memory.pop(slot, None)
            else:
                self.memory[slot] = known
                # Settled by looking: what it shows counts by what we know now.
                if known.standing is not Standing.THEIRS and slot in self.record_views:
                    self.note_standing(slot, known.standing)
        for slot, record_view in self.record_views.items():
            # what was heard or read in this run is newer than the ledger
            if record_view.source is Source.LEDGER:
                known = self.memory.get(slot)
                self.record_views[slot] = remembered(slot, known, self.bases, self.carried)

    def note_standing(self, slot: Slot, standing: Standing) -> None:
        """Who made the record of a slot, or keeps it out of sight, is known anew."""
        self.record_views[slot] = self.record_views[slot].under(standing)


# -- what follows from it


def person_of(view: View) -> Person:
    contact = view.run.contact
    return Person(contact_id=contact.contact_id, email=contact.email, name=contact.name)


def is_lost(view: View, attribute: str, side: Side, covered: Value) -> bool:
    """Whether what a write covers is more than both sides had agreed on."""
    agreed = view.bases.get(attribute, Base()).on(side)
    return not view.carried.says_same(attribute, side, agreed, covered)


def is_shadowed(view: View, side: Side, remote_id: str) -> bool:
    """Whether a record stands behind the synced one."""
    # Only outside may a person have several records; if it is on file by now, it is synced.
    is_known = remote_id in view.shadowed or remote_id in view.run.link.shadowed
    return is_known and side is Side.EXTERNAL and view.slot_on_file(side, remote_id) is None


def shadowed_left(view: View) -> list[str]:
    """Ids of the records behind the synced one that may still be there."""
    return [
        remote_id
        for remote_id in sorted(view.shadowed | view.run.link.shadowed)
        if (Side.EXTERNAL, remote_id) not in view.tombstones.buried
        and view.departures.stays(remote_id) is not False
        and is_shadowed(view, Side.EXTERNAL, remote_id)
    ]


def begins_generation(view: View) -> bool:
    """Whether the next write, or a record found, ends the death of a link."""
    return view.run.link.state is LinkState.BURIED and view.written.count == 0


def recent_writes(view: View, more: int = 0) -> Sequence[float]:
    """When this link was written in the last hour.

    This run's own writes, and so many ``more``, are at its end.
    """
    recent = [at for at in view.run.link.writes if at > view.run.now - HOUR_SECONDS]
    return (*recent, *[view.run.now] * (view.written.count + more))
