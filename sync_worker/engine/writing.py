"""The remote writes of one run: intent → call → what became of it, on file.

A write that succeeded is committed together with the end of its run where nothing else comes in
between: until then its intent is open, and a crash leaves it to be settled by looking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from sync_worker.core.errors import (
    Conflict,
    Duplicate,
    Gone,
    Held,
    Permanent,
    Transient,
    Unconfirmed,
    UnknownOutcome,
)
from sync_worker.core.plan import Delete, Write
from sync_worker.core.ports.inbox import CREATE_ACCEPTED, Closing
from sync_worker.core.ports.ledger import Ledger
from sync_worker.core.ports.links import Commit, LeasedLink
from sync_worker.core.ports.loop_guard import Guard
from sync_worker.core.scale import OffScale
from sync_worker.core.values import (
    Base,
    Buried,
    Delivery,
    Draft,
    HistoryEntry,
    InboxState,
    Intent,
    IntentState,
    Known,
    LinkState,
    Operation,
    Record,
    Side,
    Slot,
)
from sync_worker.engine.history_lines import line_of_fight, lines_of_removal, lines_of_write
from sync_worker.engine.lease_keeper import LeaseKeeper
from sync_worker.engine.record_view import seen, to_fields
from sync_worker.engine.settlement import Settlement
from sync_worker.engine.slot_write import SlotWrite
from sync_worker.engine.view import View

WRITES_PER_HOUR = 12
HOUR_SECONDS = 3600.0
AWAITING = "awaiting_confirmation"
CREATE_FAILED = "create_failed"
MERGED, SHADOWED = "merged", "shadowed"  # why a record beside the one on file is removed


@dataclass(slots=True)
class Writing:
    """Writes under the lease of a run, and remembers.

    ``bases``: by attribute, as agreed by now. ``count``: writes that succeeded. ``history``: lines
    for the next commit. ``held``: why a person has to look at what a remote made of our value.
    ``written``: the outcome of the last write, if it is not committed yet.
    """

    ledger: Ledger
    guard: Guard
    new_id: Callable[[], str]
    run: LeasedLink
    keeper: LeaseKeeper
    view: View
    bases: dict[str, Base] = field(init=False)
    history: list[HistoryEntry] = field(default_factory=list)
    written: tuple[Intent, Commit] | None = None
    held: str = ""
    count: int = 0

    def __post_init__(self) -> None:
        self.bases = {name: self.run.link.bases.get(name, Base()) for name in self.view.fields}

    # -- one write

    def perform(self, write: SlotWrite) -> None:
        """Write, or first look where the remote offers no precondition; the next round plans with
        what we saw.
        """
        if self._must_look_first(write):
            self._look(write)
            return
        self._refuse_if_too_many(write)
        self._refuse_without_address(write)
        intent = self._intent_for(write)
        self._announce(intent)
        try:
            record = self._call(write, intent)
        except (UnknownOutcome, Unconfirmed):
            raise  # the intent stays open: the next run settles it by looking
        except (Conflict, Gone):
            self._abandon()
            self.view.read_all()
        except Duplicate as duplicate:
            self._abandon()
            self._adopt(write.slot, duplicate)
        except (Transient, Permanent):
            self._abandon()
            raise
        else:
            self._confirm(write, intent, record)

    def _must_look_first(self, write: SlotWrite) -> bool:
        can = self.view.remote(write.slot.side).capabilities
        match write.operation:
            case Operation.CREATE:
                return not can.is_unique and write.slot.side not in self.view.looked_up
            case Operation.UPDATE:
                return (
                    not can.update_precondition
                    and self.view.record_views[write.slot].source != "read"
                )
            case Operation.DELETE:
                return (
                    not can.delete_precondition
                    and self.view.record_views[write.slot].source != "read"
                )

    def _look(self, write: SlotWrite) -> None:
        if write.operation is Operation.CREATE:
            self.view.look_up(write.slot.side)
        else:
            self.view.read(write.slot)

    def _refuse_without_address(self, write: SlotWrite) -> None:
        """A contact that is gone has left no address: the other side would not know whose rating it
        is.
        """
        if (
            write.operation is Operation.CREATE
            and write.slot.side is Side.EXTERNAL
            and self.view.person.email is None
        ):
            raise Held("no_email")

    def _refuse_if_too_many(self, write: SlotWrite) -> None:
        if write.is_privacy:
            return
        if len(self._recent_writes()) >= WRITES_PER_HOUR:
            now = self.view.record_views[write.slot].values.get(next(iter(write.targets)))
            self.keeper.commit(
                Commit(link_state=LinkState.HELD, history=[line_of_fight(write, now)])
            )
            raise Held("fight")
        is_delete = write.operation is Operation.DELETE
        if is_delete and self.run.site.state == "recovery":  # the ledger may be behind both sides
            raise Held("site_recovery")
        if is_delete and self.ledger.links.deletes_exceeded(self.run.site.id, write.slot.side):
            raise Held("delete_brake")

    def _announce(self, intent: Intent) -> None:
        """Put the intent on file.

        The budget comes first: its refusal must not leave a write of unknown outcome.
        """
        side = intent.slot.side
        self.view.remote(side).reserve_request()
        self.keeper.open_intent(intent)
        is_braked = intent.operation is Operation.DELETE and not intent.is_privacy
        if is_braked and self.ledger.links.deletes_exceeded(
            self.run.site.id, side, more=-1
        ):  # without our own
            self._abandon()
            raise Held("delete_brake")

    def _intent_for(self, write: SlotWrite) -> Intent:
        record_view = self.view.record_views[write.slot]
        return Intent(
            id=self.new_id(),
            slot=write.slot,
            operation=write.operation,
            targets=write.targets,
            sources={
                name: self.view.value_on(write.slot.side.other, name) for name in write.targets
            },
            befores={name: record_view.values.get(name) for name in write.targets},
            reasons={name: action.reason for name, action in write.actions.items()},
            is_privacy=write.is_privacy,
            remote_id=record_view.remote_id,
            base_revision=record_view.revision,
            source_ids=self._source_ids(write),
        )

    def _source_ids(self, write: SlotWrite) -> dict[str, str]:
        other = write.slot.side.other
        slots = {self.view.slot_of(name, other) for name in write.targets}
        record_views = {slot.attribute: self.view.record_views[slot] for slot in slots}
        return {
            name: record_view.remote_id
            for name, record_view in sorted(record_views.items())
            if record_view.remote_id is not None
        }

    def _call(self, write: SlotWrite, intent: Intent) -> Record | None:
        remote = self.view.remote(write.slot.side)
        match write.operation:
            case Operation.CREATE:
                return remote.create(self._draft(write, intent), intent.id)
            case Operation.UPDATE:
                assert intent.remote_id is not None  # noqa: S101 - an update has a record on file by construction
                return remote.update(
                    intent.remote_id, self._draft(write, intent), intent.base_revision
                )
            case Operation.DELETE:
                assert intent.remote_id is not None  # noqa: S101 - so has a delete
                remote.delete(intent.remote_id, intent.base_revision)
                return None

    def _draft(self, write: SlotWrite, intent: Intent) -> Draft:
        side = write.slot.side
        values = (
            write.values
            if side is Side.EXTERNAL
            else {write.slot.attribute: write.values[write.slot.attribute]}
        )
        return Draft(
            values=to_fields(values, self.view.fields.values(), side),
            entity=self.run.entity.on(side),
            person=self.view.person,
            last=self.view.record_views[write.slot].raw,
            mapped=frozenset(field.external_field for field in self.view.fields.values()),
            source_id=next(iter(intent.source_ids.values()), ""),
        )

    def _adopt(self, slot: Slot, duplicate: Duplicate) -> None:
        """A record that we did not know stands where we wanted to create one."""
        if duplicate.remote_id is not None:
            self.view.meet(slot, duplicate.remote_id)
        else:
            # It exists, says the remote: also one that moderation had withdrawn, and that we took
            # for gone.
            self.view.look_up(slot.side, also_buried=True)
        if self.view.record_views[slot].remote_id is None:
            raise Transient("the remote says duplicate but does not show the record yet")

    def _abandon(self, history: Sequence[HistoryEntry] = ()) -> None:
        self.keeper.commit(Commit(intent_state=IntentState.ABANDONED, history=history))

    # -- a record for which another one of the same person stands

    def remove_beside(self, slot: Slot, record: Record, action: Delete) -> None:
        """Remove it: by intent, with a line in the history.

        Nothing else may be written and not yet saved.
        """
        shown = seen(slot, record, self.view.fields.values(), "read").values
        names = [slot.attribute] if slot.attribute else list(self.view.fields)
        write = SlotWrite(slot, Operation.DELETE, dict.fromkeys(names, action), {})
        self._refuse_if_too_many(write)
        intent = replace(
            self._intent_for(write),
            befores={name: shown.get(name) for name in names},
            remote_id=record.remote_id,
            base_revision=record.revision,
        )
        self._announce(intent)
        try:
            self.view.remote(slot.side).delete(record.remote_id, record.revision)
        except UnknownOutcome:
            raise
        except Conflict as conflict:
            self._abandon()
            raise Transient("the record changed just now", retry_after=1.0) from conflict
        except (Transient, Permanent):
            self._abandon()
            raise
        self._remember_beside(intent)

    def _remember_beside(self, intent: Intent) -> None:
        """It is gone.

        Another record has its place; if it was the one on file, that place is free now.
        """
        slot, grave = (
            intent.slot,
            Buried(intent.slot.side, intent.remote_id or "", intent.base_revision),
        )
        on_file = self.view.memory.get(slot)
        was_on_file = on_file is not None and on_file.remote_id == grave.remote_id
        self.keeper.commit(
            Commit(
                records={slot: None} if was_on_file else {},
                buried=[grave],
                intent_state=IntentState.CONFIRMED,
                writes=self._recent_writes(1),
                history=lines_of_removal(intent),
            )
        )
        self.count += 1
        if was_on_file:
            self.view.memory.pop(slot)

    def _recent_writes(self, more: int = 0) -> Sequence[float]:
        """When this link was written in the last hour, this run's own writes and so many ``more``
        at its end.
        """
        recent = [at for at in self.run.link.writes if at > self.run.now - HOUR_SECONDS]
        return (*recent, *[self.run.now] * (self.count + more))

    # -- a write whose answer is unknown

    def settle(self, intent: Intent) -> None:
        """Find out what became of it, and commit that."""
        settled = Settlement(self.view, self.ledger, intent).settle()
        if settled is None:
            self._wait_for(intent)
            self._abandon(self.view.take_history())  # what it may have covered: nothing looks again
            return
        if _is_beside(intent):
            self._remember_beside(intent)
            return
        self._remember(intent, settled.landed, settled.values)
        self.save()
        if settled.is_gone:
            self.view.lose(intent.slot)
        # The run that wrote had seen more of the sources than it could put on file: older news must
        # not pass for new.
        sources = dict.fromkeys(
            self.view.slot_of(name, intent.slot.side.other) for name in intent.targets
        )
        for slot in sources:
            if slot in self.view.record_views:
                self.view.read(slot)

    def _wait_for(self, intent: Intent) -> None:
        """An accepted create shows late or never. Raises Unconfirmed while it may show, then Held
        once.

        Nothing is sent again before a person has released it.
        """
        can = self.view.remote(intent.slot.side).capabilities
        is_missing = self.view.record_views[intent.slot].remote_id is None
        if intent.operation is Operation.CREATE and can.create_is_async and is_missing:
            if failures := self._failures_of(intent):
                self._stand_still(
                    intent, CREATE_FAILED, intent_state=IntentState.ABANDONED, told=failures
                )
                raise Held(CREATE_FAILED)
            if self.run.now - intent.opened_at < can.confirm_seconds:
                raise Unconfirmed
            if any(delivery.reason == CREATE_ACCEPTED for delivery in self.run.deliveries):
                self._stand_still(intent, AWAITING)
                raise Held(AWAITING)
        if self.run.link.state is LinkState.HELD:
            raise Held(AWAITING)

    def _failures_of(self, intent: Intent) -> list[Delivery]:
        """Deliveries that tell that the create was not carried out.

        An older one tells of an older try.
        """
        told = [one for one in self.run.deliveries if one.new.change == "create_failed"]
        return [
            one
            for one in told
            if one.received_at and one.received_at.timestamp() >= intent.opened_at
        ]

    def _stand_still(
        self,
        intent: Intent,
        reason: str,
        *,
        intent_state: IntentState | None = None,
        told: Sequence[Delivery] = (),
    ) -> None:
        """The link rests until a person decides.

        ``told``: deliveries that end here, if another one waits.
        """
        note = HistoryEntry("hold", intent.slot.side, "", reason=reason, intent_id=intent.id)
        waits = len(told) < len(self.run.deliveries)
        ends = {one.id: Closing(InboxState.DONE, reason) for one in told} if waits else {}
        self.keeper.commit(
            Commit(
                link_state=LinkState.HELD, intent_state=intent_state, history=[note], closings=ends
            )
        )

    # -- remembering

    def _confirm(self, write: SlotWrite, intent: Intent, record: Record | None) -> None:
        """The write succeeded: the record as returned is the truth now."""
        slot, before = write.slot, self.view.record_views[write.slot]
        if record is None:
            self.view.lose(slot)
        else:
            self.view.record_views[slot] = seen(
                slot, record, self.view.fields.values(), "read", before.heard
            )
        values = {name: self.view.record_views[slot].values.get(name) for name in write.targets}
        self._remember(intent, self.view.record_views[slot].known(), values)
        self._check_returned(write, values)

    def _remember(
        self, intent: Intent, known: Known | None, values: Mapping[str, Decimal | None]
    ) -> None:
        """Note the outcome of a write, for the next commit.

        ``values``: what the target shows now.
        """
        slot = intent.slot
        newest = max((delivery.id for delivery in self.run.deliveries), default=None)
        self.history += lines_of_write(intent, known, values, self.bases, newest)
        if not intent.is_imported:
            for name in intent.targets:
                base = _base(slot.side, values.get(name), intent.sources.get(name))
                self.bases[name] = replace(base, version=self.view.version_of(name))
        elif known is not None and known.revision is not None:
            # The sides have not agreed on it yet: until this run has brought it across, its echo is
            # news.
            known = replace(known, revision=0)
        records = {slot: known, **self._source_records(intent)}
        on_file = {(at.side, one.remote_id) for at, one in records.items() if one is not None}
        change = Commit(
            records=records,
            bases={name: self.bases[name] for name in intent.targets},
            link_state=LinkState.LIVE,
            new_generation=self.begins_generation,
            buried=[
                grave for grave in self.view.buried.values() if grave.remote_id == intent.remote_id
            ],
            revived=[grave for key, grave in self.view.revived.items() if key in on_file],
            shadowed=self.view.shadowed,
            seen=self.view.seen_revisions(),
            intent_state=IntentState.CONFIRMED,
            writes=self._recent_writes(1),
            history=self.take_history(),
        )
        self.written = (intent, change)
        self.count += 1
        self.view.learn(records, self.bases)

    def save(self, end: Commit | None = None) -> list[int] | None:
        """Commit the last write if it is not yet, then tell the guard; with ``end``, as one step
        with the run's end.

        Returns the deliveries that came in meanwhile. ``None``, and the run goes on, if a record
        that is new on file was deleted before anybody knew its link. Raises Permanent if another
        link has a record on file.
        """
        written, self.written = self.written, None
        if written is not None:
            change = written[1].then(end)
        elif end is not None:
            change = end
        else:
            return []
        try:
            committed = self.keeper.commit(change)
        except Permanent:
            if written is not None:
                # Another link has the record on file: its runs see what this write did; nothing is
                # left to settle here.
                self.keeper.commit(
                    Commit(intent_state=IntentState.ABANDONED, history=written[1].history)
                )
            raise
        if written is not None:
            self._tell_guard(*written, committed.buried)
        if committed.buried:
            # Somebody deleted a record before we knew its link.
            self.bases |= change.bases
            self.view.learn(change.records, self.bases)
            self.view.lose_buried(committed.buried)
            return None
        return list(committed.fresh)

    def _tell_guard(self, intent: Intent, change: Commit, buried: frozenset[str]) -> None:
        """Of a record that is gone the guard must not tell: it may be gone because its person asked
        for that.
        """
        known = change.records.get(intent.slot)
        if known is not None and known.revision and known.remote_id not in buried:
            self.guard.remember(
                self.run.site.id, intent.slot.side, known.remote_id, known.revision, intent.id
            )

    def _source_records(self, intent: Intent) -> dict[Slot, Known | None]:
        """Put the records that were carried over on file, so that their absence later means a
        delete.

        Their seen revision does not move before the end of the run: they may have more to tell.
        """
        records: dict[Slot, Known | None] = {}
        for attribute, remote_id in intent.source_ids.items():
            slot = Slot(intent.slot.side.other, attribute)
            on_file = self.view.memory.get(slot)
            if slot in self.view.record_views and (
                on_file is None or on_file.remote_id != remote_id
            ):
                has_revision = self.view.remote(slot.side).capabilities.has_revision
                records[slot] = Known(remote_id, 0 if has_revision else None)
        return records

    @property
    def begins_generation(self) -> bool:
        """Whether the next write, or a record found, ends the death of a link."""
        return self.run.link.state is LinkState.BURIED and self.count == 0

    def take_history(self) -> list[HistoryEntry]:
        """The lines for the commit at hand."""
        history, self.history = self.history, []
        return history

    def _check_returned(self, write: SlotWrite, values: Mapping[str, Decimal | None]) -> None:
        """A remote that turns our value into one of another class is not written to again."""
        for name, action in write.actions.items():
            returned = values.get(name)
            if not isinstance(action, Write) or returned is None:
                continue  # deleted, or created but not published yet
            if not self._is_same(name, write.slot.side, action.value, returned):
                self.held = "normalised_by_remote"

    def _is_same(self, attribute: str, side: Side, wanted: Decimal, returned: Decimal) -> bool:
        field = self.view.fields[attribute]
        class_of = field.wix_class if side is Side.WIX else field.external_class
        try:
            return class_of(wanted) == class_of(returned)
        except OffScale:
            return False


def _is_beside(intent: Intent) -> bool:
    return intent.operation is Operation.DELETE and set(intent.reasons.values()) <= {
        MERGED,
        SHADOWED,
    }


def _base(target: Side, shown: Decimal | None, source: Decimal | None) -> Base:
    return Base(shown, source) if target is Side.WIX else Base(source, shown)
