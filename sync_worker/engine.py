"""Brings one rating key in step: lease → settle an open intent → see both sides → plan → intent → write → commit.

A webhook is a hint that something changed; the same run serves webhooks, retries, replay and crash recovery.
The engine takes its ports and its clock as arguments: no thread, no sleep, no wall clock inside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from sync_worker.errors import (
    Conflict,
    Duplicate,
    Gone,
    Held,
    LeaseLost,
    Misconfigured,
    Permanent,
    RateLimited,
    Transient,
    Unconfirmed,
    UnknownOutcome,
)
from sync_worker.joining import join_links
from sync_worker.lease_keeper import LeaseKeeper
from sync_worker.model import (
    Base,
    Buried,
    Draft,
    HistoryEntry,
    InboxState,
    Intent,
    IntentState,
    Known,
    LinkState,
    Merge,
    Operation,
    RatingKey,
    Record,
    Side,
    Site,
    Slot,
)
from sync_worker.plan import Action, Agree, Delete, Hold, Ignore, Write, erase, plan
from sync_worker.ports import RATE_LIMITED, Bell, Clock, Closing, Commit, Connection, Guard, Ledger, Run
from sync_worker.scale import FieldMap, OffScale
from sync_worker.settlement import Settlement
from sync_worker.sight import seen, to_fields
from sync_worker.slot_write import MAIN_FIELD, SlotWrite, slot_write
from sync_worker.view import View

WRITES_PER_HOUR = 12
CONFIRM_WITHIN_SECONDS = 900.0  # an accepted create that does not show by then is a person's to look at
CONFIRM_EVERY_SECONDS = 30.0
ACCEPTED = "create_accepted"
AWAITING = "awaiting_confirmation"
UNSUPPORTED = "unsupported"
ROUNDS = 24  # far above what any policy needs; a run that has not settled by then starts anew later


@dataclass(frozen=True, slots=True)
class Engine:
    """Runs links. ``connect`` gives the live remotes of a site; ``new_id`` makes intent ids."""

    ledger: Ledger
    guard: Guard
    bell: Bell
    clock: Clock
    connect: Callable[[Site], Connection]
    new_id: Callable[[], str]

    def sync_link(self, link_id: int) -> str:
        """Bring one link in step, if no other worker is at it. Returns an outcome word for the log."""
        run = self.ledger.lease(link_id)
        if run is None:
            return "busy"  # the holder looks for new deliveries after its release
        if run.merged_into is not None or run.kin:
            return self._join(run)
        outcome = self.work_on(run)
        if fresh := self.ledger.fresh(link_id):
            self.bell.ring(fresh)
        return outcome

    def _join(self, run: Run) -> str:
        """After a merge of contacts: one link for one person and entity, then bring that one in step."""
        self.ledger.release(run.lease)
        link_id, key = run.lease.link_id, run.link.key
        try:
            if run.merged_into is not None:
                link_id = self._join_into(link_id, replace(key, contact_id=run.merged_into))
            else:
                for one in run.kin:
                    self._join_into(one, key)
        except Transient as failure:
            ids = [delivery.id for delivery in run.deliveries]
            self.ledger.defer(ids, failure.retry_after, failure.message, is_failure=False)
            return "busy"
        return self.sync_link(link_id)

    def _join_into(self, link_id: int, key: RatingKey) -> int:
        """Raises Transient: somebody is at one of the two links, or one has a write that cannot be settled now."""
        target_id = self.ledger.link_id(key)
        for one in (link_id, target_id):
            run = self.ledger.lease(one) if one is not None else None
            if run is not None and run.intent is not None:
                self.work_on(run)
            elif run is not None:
                self.ledger.release(run.lease)
        return join_links(self.ledger, link_id, key)

    def work_on(self, run: Run) -> str:
        """Bring the link of a lease in step; every way in which that may fail is on file afterwards."""
        ids = [delivery.id for delivery in run.deliveries]
        try:
            return LinkRun(self, run).work()
        except LeaseLost:
            return "lease_lost"
        except RateLimited as wait:
            self.ledger.defer(ids, wait.retry_after, RATE_LIMITED, is_failure=False)
            outcome = RATE_LIMITED
        except Unconfirmed:
            self.ledger.defer(ids, CONFIRM_EVERY_SECONDS, ACCEPTED, is_failure=False)
            outcome = ACCEPTED
        except Transient as failure:
            self.ledger.defer(ids, failure.retry_after, failure.message, is_failure=True)
            outcome = "retry"
        except (Held, Permanent, Misconfigured) as refusal:
            if refusal.reason == "contact_unknown" and self._follow_merge(run):
                self.ledger.defer(ids, 0.0, "contact_merged", is_failure=False)
                outcome = "retry"
            else:
                self.ledger.hold(ids, refusal.reason)
                outcome = f"held {refusal.reason}"
        self.ledger.release(run.lease)
        return outcome

    def _follow_merge(self, run: Run) -> bool:
        """Wix refuses this contact: was it merged away, and the event has not reached us (yet)?"""
        contact_id = run.link.key.contact_id
        try:
            contact = self.connect(run.site).people.by_id(contact_id)
        except (Transient, Permanent):
            return False  # held for the first reason; a replay asks again
        if contact is None or contact.contact_id == contact_id:
            return False
        self.ledger.redirect(run.site.id, Merge((contact_id,), contact.contact_id), is_told=False)
        return True


@dataclass(slots=True)
class LinkRun:
    """One run over one link, under its lease."""

    engine: Engine
    run: Run
    keeper: LeaseKeeper = field(init=False)
    view: View = field(init=False)
    bases: dict[str, Base] = field(init=False)
    history: list[HistoryEntry] = field(default_factory=list)
    stuck: set[Slot] = field(default_factory=set)
    held: str = ""
    writes: int = 0

    def __post_init__(self) -> None:
        engine, run = self.engine, self.run
        self.keeper = LeaseKeeper(engine.ledger, run.lease, engine.clock)
        self.view = View(run, engine.connect(run.site), engine.ledger, self.keeper)
        self.bases = {name: run.link.bases.get(name, Base()) for name in self.view.fields}

    def work(self) -> str:
        self.begin()
        return self.come_to_rest()

    def begin(self) -> None:
        """Settle what is open and take in the deliveries in hand."""
        self._refuse_if_stopped()
        if self.run.intent is not None:
            self.settle(self.run.intent)
        for delivery in self.run.deliveries:
            self.view.hear(delivery)
        for slot, record in self.view.losers.values():
            self.remove_loser(slot, record)

    def come_to_rest(self) -> str:
        """Plan and write until nothing is left to do."""
        for _ in range(ROUNDS):
            actions = self.plan()
            write = self.next_write(actions)
            if write is not None:
                self.perform(write)
            elif (outcome := self.finish(actions)) is not None:
                return outcome
        raise Transient("the link did not settle in one run")

    def _refuse_if_stopped(self) -> None:
        if self.run.site.state != "active":
            raise Held(f"site_{self.run.site.state}")
        # A held link whose write may yet show is looked at again.
        asks_to_erase = any(delivery.new.privacy for delivery in self.run.deliveries)
        if self.run.link.state is LinkState.HELD and self.run.intent is None and not asks_to_erase:
            raise Held("link_held")

    # -- planning

    def plan(self) -> dict[str, Action]:
        """One action for each mapped attribute."""
        actions = {name: self._plan(name, field) for name, field in self.view.fields.items()}
        undecided = [name for name, action in actions.items() if isinstance(action, Hold)]
        self.stuck = {self.view.slot_of(name, side) for name in undecided for side in Side}
        return actions

    def _plan(self, name: str, field: FieldMap) -> Action:
        wix, external = (self.view.sights[self.view.slot_of(name, side)].snapshot(name) for side in Side)
        if self.view.erases:
            return erase(wix, external)
        return plan(field, self.bases[name], wix, external, self.run.site.policy)

    def next_write(self, actions: dict[str, Action]) -> SlotWrite | None:
        """The first remote write that the actions ask for; actions that no record can carry turn into holds."""
        if self.view.erases:
            erasure = self.next_erasure()
            if erasure is not None and self.refusal_of(erasure) is not None:
                raise Held(UNSUPPORTED)
            return erasure
        for slot, sight in self.view.sights.items():
            write = slot_write(slot, sight, actions, slot.attribute or self.main_attribute)
            refusal = self.refusal_of(write) if isinstance(write, SlotWrite) else write
            if isinstance(write, SlotWrite) and refusal is None:
                return write
            if isinstance(refusal, Hold):
                self.keep_back(slot, actions, refusal)
            elif isinstance(refusal, Ignore):
                self.let_be(slot, actions, refusal)
        return None

    def refusal_of(self, write: SlotWrite) -> Hold | Ignore | None:
        """What becomes of a write that the remote does not offer; a privacy request is never just noted."""
        can = self.view.remote(write.slot.side).capabilities
        if can.can(write.operation):
            return None
        is_ignored = write.operation in can.ignored_operations and not write.is_privacy
        return Ignore(UNSUPPORTED) if is_ignored else Hold(UNSUPPORTED)

    def let_be(self, target: Slot, actions: dict[str, Action], ignore: Ignore) -> None:
        """The change stays on its side, on record."""
        for name, action in actions.items():
            if getattr(action, "side", None) is target.side and target.attribute in ("", name):
                actions[name] = ignore

    def next_erasure(self) -> SlotWrite | None:
        """Every record that is left has to go, also one that moderation keeps out of sight."""
        for slot, sight in self.view.sights.items():
            if sight.remote_id is not None:
                names = [slot.attribute] if slot.attribute else list(self.view.fields)
                gone = {name: Delete(slot.side, "privacy", privacy=True) for name in names}
                return SlotWrite(slot, Operation.DELETE, gone, {})
        return None

    def keep_back(self, target: Slot, actions: dict[str, Action], hold: Hold) -> None:
        """What the target cannot carry stays with its source, to be seen again."""
        for name, action in actions.items():
            if getattr(action, "side", None) is target.side and target.attribute in ("", name):
                actions[name] = hold
                self.stuck.add(self.view.slot_of(name, target.side.other))

    @property
    def main_attribute(self) -> str | None:
        fields = self.view.fields.items()
        return next((name for name, field in fields if field.external_field == MAIN_FIELD), None)

    # -- writing

    def perform(self, write: SlotWrite) -> None:
        """Write, or first look where the remote offers no precondition; the next round plans with what we saw."""
        if self.must_look_first(write):
            self.look(write)
            return
        self._refuse_if_too_many(write)
        self._refuse_without_address(write)
        intent = self.intent_for(write)
        remote = self.view.remote(write.slot.side)
        remote.prepay()  # before the intent: a refusal must not leave a write of unknown outcome
        self.keeper.open_intent(intent)
        try:
            record = self.call(write, intent)
        except (UnknownOutcome, Unconfirmed):
            raise  # the intent stays open: the next run settles it by looking
        except (Conflict, Gone):
            self.abandon()
            self.view.read_all()
        except Duplicate as duplicate:
            self.abandon()
            self.adopt(write.slot, duplicate)
        except (Transient, Permanent):
            self.abandon()
            raise
        else:
            self.confirm(write, intent, record)

    def must_look_first(self, write: SlotWrite) -> bool:
        can = self.view.remote(write.slot.side).capabilities
        match write.operation:
            case Operation.CREATE:
                return not can.is_unique and write.slot.side not in self.view.looked_up
            case Operation.UPDATE:
                return not can.update_precondition and self.view.sights[write.slot].source != "read"
            case Operation.DELETE:
                return not can.delete_precondition and self.view.sights[write.slot].source != "read"

    def look(self, write: SlotWrite) -> None:
        if write.operation is Operation.CREATE:
            self.view.look_up(write.slot.side)
        else:
            self.view.read(write.slot)

    def remove_loser(self, slot: Slot, record: Record) -> None:
        """Of two ratings that one person gave as two contacts, remove one: by intent, with a line in the history."""
        shown = seen(slot, record, self.view.fields.values(), "read").values
        names = [slot.attribute] if slot.attribute else list(self.view.fields)
        write = SlotWrite(slot, Operation.DELETE, {name: Delete(slot.side, "merged") for name in names}, {})
        self._refuse_if_too_many(write)
        intent = replace(
            self.intent_for(write),
            befores={name: shown.get(name) for name in names},
            remote_id=record.remote_id,
            base_revision=record.revision,
        )
        remote = self.view.remote(slot.side)
        remote.prepay()
        self.keeper.open_intent(intent)
        try:
            remote.delete(record.remote_id, record.revision)
        except UnknownOutcome:
            raise
        except Conflict as conflict:
            self.abandon()
            raise Transient("the record changed just now", retry_after=1.0) from conflict
        except (Transient, Permanent):
            self.abandon()
            raise
        self.remember_loser(intent)

    def remember_loser(self, intent: Intent) -> None:
        """The loser is gone. Another record has its place; if it was the one on file, that place is free now."""
        slot, grave = intent.slot, Buried(intent.slot.side, intent.remote_id or "", intent.base_revision)
        on_file = self.view.memory.get(slot)
        was_on_file = on_file is not None and on_file.remote_id == grave.remote_id
        shown = {name: before for name, before in intent.befores.items() if before is not None}
        self.keeper.commit(
            Commit(
                records={slot: None} if was_on_file else {},
                buried=[grave],
                intent_state=IntentState.CONFIRMED,
                counts_write=True,
                history=[self._loser_entry(intent, *one) for one in shown.items() or [("", None)]],
            )
        )
        self.writes += 1
        if was_on_file:
            self.view.memory.pop(slot)

    def _loser_entry(self, intent: Intent, name: str, before: Decimal | None) -> HistoryEntry:
        side = intent.slot.side
        return HistoryEntry(
            str(Operation.DELETE),
            side,
            name,
            before=before,
            loser=before,
            loser_side=side,
            reason="merged",
            remote_id=intent.remote_id or "",
            intent_id=intent.id,
        )

    def _refuse_without_address(self, write: SlotWrite) -> None:
        """A contact that is gone has left no address: the other side would not know whose rating it is."""
        if write.operation is Operation.CREATE and write.slot.side is Side.EXTERNAL and self.view.person.email is None:
            raise Held("no_email")

    def _refuse_if_too_many(self, write: SlotWrite) -> None:
        if write.is_privacy:
            return
        recent = [at for at in self.run.link.writes if at > self.run.now - 3600]
        if len(recent) + self.writes >= WRITES_PER_HOUR:
            self.keeper.commit(Commit(link_state=LinkState.HELD, history=[self._fight(write)]))
            raise Held("fight")
        if write.operation is Operation.DELETE and self.engine.ledger.deletes_exceeded(
            self.run.site.id, write.slot.side
        ):
            raise Held("delete_brake")

    def _fight(self, write: SlotWrite) -> HistoryEntry:
        name, wanted = next(iter(write.targets.items()))
        now = self.view.sights[write.slot].values.get(name)
        return HistoryEntry("hold", write.slot.side, name, before=now, after=wanted, reason="fight")

    def intent_for(self, write: SlotWrite) -> Intent:
        sight = self.view.sights[write.slot]
        return Intent(
            id=self.engine.new_id(),
            slot=write.slot,
            operation=write.operation,
            targets=write.targets,
            sources={name: self.value_on(write.slot.side.other, name) for name in write.targets},
            befores={name: sight.values.get(name) for name in write.targets},
            reasons={name: action.reason for name, action in write.actions.items()},
            is_privacy=write.is_privacy,
            remote_id=sight.remote_id,
            base_revision=sight.revision,
            source_ids=self.source_ids(write),
        )

    def source_ids(self, write: SlotWrite) -> dict[str, str]:
        other = write.slot.side.other
        slots = {self.view.slot_of(name, other) for name in write.targets}
        sights = {slot.attribute: self.view.sights[slot] for slot in slots}
        return {name: sight.remote_id for name, sight in sorted(sights.items()) if sight.remote_id is not None}

    def value_on(self, side: Side, attribute: str) -> Decimal | None:
        return self.view.sights[self.view.slot_of(attribute, side)].values.get(attribute)

    def call(self, write: SlotWrite, intent: Intent) -> Record | None:
        remote = self.view.remote(write.slot.side)
        match write.operation:
            case Operation.CREATE:
                return remote.create(self.draft(write, intent), intent.id)
            case Operation.UPDATE:
                assert intent.remote_id is not None  # noqa: S101 - an update has a record on file by construction
                return remote.update(intent.remote_id, self.draft(write, intent), intent.base_revision)
            case Operation.DELETE:
                assert intent.remote_id is not None  # noqa: S101 - so has a delete
                remote.delete(intent.remote_id, intent.base_revision)
                return None

    def draft(self, write: SlotWrite, intent: Intent) -> Draft:
        side = write.slot.side
        values = write.values if side is Side.EXTERNAL else {write.slot.attribute: write.values[write.slot.attribute]}
        return Draft(
            values=to_fields(values, self.view.fields.values(), side),
            entity=self.run.entity.on(side),
            person=self.view.person,
            last=self.view.sights[write.slot].raw,
            mapped=frozenset(field.external_field for field in self.view.fields.values()),
            source_id=next(iter(intent.source_ids.values()), ""),
        )

    def adopt(self, slot: Slot, duplicate: Duplicate) -> None:
        """A record that we did not know stands where we wanted to create one."""
        if duplicate.remote_id is not None:
            self.view.meet(slot, duplicate.remote_id)
        else:
            # It exists, says the remote: also one that moderation had withdrawn, and that we took for gone.
            self.view.look_up(slot.side, also_buried=True)
        if self.view.sights[slot].remote_id is None:
            raise Transient("the remote says duplicate but does not show the record yet")

    # -- remembering

    def abandon(self) -> None:
        self.keeper.commit(Commit(intent_state=IntentState.ABANDONED))

    def settle(self, intent: Intent) -> None:
        """Find out what became of a write whose answer is unknown."""
        settled = Settlement(self.view, self.engine.ledger, intent).settle()
        if settled is None:
            self.wait_for(intent)
            self.abandon()
            return
        if _is_merge_loser(intent):
            self.remember_loser(intent)
            return
        self.remember_write(intent, settled.landed, settled.values)
        if settled.is_gone:
            self.view.lose(intent.slot)

    def wait_for(self, intent: Intent) -> None:
        """An accepted create shows late or never. Raises Unconfirmed while it may show, then Held once.

        Nothing is sent again before a person has released it.
        """
        shows_late = self.view.remote(intent.slot.side).capabilities.create_is_async
        if intent.operation is Operation.CREATE and shows_late and self.view.sights[intent.slot].remote_id is None:
            if self.run.now - intent.opened_at < CONFIRM_WITHIN_SECONDS:
                raise Unconfirmed
            if any(delivery.reason == ACCEPTED for delivery in self.run.deliveries):
                note = HistoryEntry("hold", intent.slot.side, "", reason=AWAITING, intent_id=intent.id)
                self.keeper.commit(Commit(link_state=LinkState.HELD, history=[note]))
                raise Held(AWAITING)
        if self.run.link.state is LinkState.HELD:
            raise Held(AWAITING)

    def confirm(self, write: SlotWrite, intent: Intent, record: Record | None) -> None:
        """The write succeeded: the record as returned is the truth now."""
        slot, before = write.slot, self.view.sights[write.slot]
        if record is None:
            self.view.lose(slot)
        else:
            self.view.sights[slot] = seen(slot, record, self.view.fields.values(), "read", before.heard)
        values = {name: self.view.sights[slot].values.get(name) for name in write.targets}
        known = self.view.sights[slot].known()
        self.remember_write(intent, known, values)
        self.check_returned(write, values)

    def remember_write(self, intent: Intent, known: Known | None, values: Mapping[str, Decimal | None]) -> None:
        """Commit the outcome of a write, then tell the guard. ``values``: what the target shows now."""
        slot = intent.slot
        self.history += self.entries(intent, known, values)
        if not intent.is_imported:
            for name in intent.targets:
                base = _base(slot.side, values.get(name), intent.sources.get(name))
                self.bases[name] = replace(base, version=self.version_of(name))
        elif known is not None and known.revision is not None:
            # The sides have not agreed on it yet: until this run has brought it across, its echo is news.
            known = replace(known, revision=0)
        records = {slot: known, **self.source_records(intent)}
        on_file = {(at.side, one.remote_id) for at, one in records.items() if one is not None}
        history = self.take_history()
        change = Commit(
            records=records,
            bases={name: self.bases[name] for name in intent.targets},
            link_state=LinkState.LIVE,
            new_generation=self._begins_generation(),
            buried=[grave for grave in self.view.buried.values() if grave.remote_id == intent.remote_id],
            revived=[grave for key, grave in self.view.revived.items() if key in on_file],
            shadowed=self.view.shadowed,
            seen=self.seen_revisions(),
            intent_state=IntentState.CONFIRMED,
            counts_write=True,
            history=history,
        )
        try:
            committed = self.keeper.commit(change)
        except Permanent:
            # Another link has the record on file: its runs see what this write did, and nothing is left to settle here.
            self.keeper.commit(Commit(intent_state=IntentState.ABANDONED, history=history))
            raise
        self.writes += 1
        self.view.learn(records, self.bases)
        if known is not None and known.revision:
            self.engine.guard.remember(self.run.site.id, slot.side, known.remote_id, known.revision, intent.id)
        # Somebody deleted a record before we knew its link.
        self.lose_buried(committed.buried)

    def source_records(self, intent: Intent) -> dict[Slot, Known | None]:
        """Put the records that were carried over on file, so that their absence later means a delete.

        Their seen revision does not move before the end of the run: they may have more to tell.
        """
        records: dict[Slot, Known | None] = {}
        for attribute, remote_id in intent.source_ids.items():
            slot = Slot(intent.slot.side.other, attribute)
            on_file = self.view.memory.get(slot)
            if slot in self.view.sights and (on_file is None or on_file.remote_id != remote_id):
                has_revision = self.view.remote(slot.side).capabilities.has_revision
                records[slot] = Known(remote_id, 0 if has_revision else None)
        return records

    def _begins_generation(self) -> bool:
        return self.run.link.state is LinkState.BURIED and self.writes == 0

    def check_returned(self, write: SlotWrite, values: Mapping[str, Decimal | None]) -> None:
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

    def entries(self, intent: Intent, known: Known | None, after: Mapping[str, Decimal | None]) -> list[HistoryEntry]:
        """A line for each attribute written: what was there, what is there now, who lost and why."""
        side = intent.slot.side
        entries = []
        for name in intent.targets:
            before = intent.befores.get(name)
            is_edit = before is not None and before != self.bases[name].on(side)
            entries.append(
                HistoryEntry(
                    what="privacy_delete" if intent.is_privacy else str(intent.operation),
                    side=side,
                    attribute=name,
                    before=before,
                    after=after.get(name),
                    loser=before if is_edit else None,
                    loser_side=side if is_edit else None,
                    reason=intent.reasons.get(name, ""),
                    remote_id=intent.remote_id or (known.remote_id if known else ""),
                    intent_id=intent.id,
                    inbox_id=max((delivery.id for delivery in self.run.deliveries), default=None),
                )
            )
        return entries + _gap(intent, known)

    def take_history(self) -> list[HistoryEntry]:
        history, self.history = self.history, []
        return history

    # -- the end of a run

    def finish(self, actions: Mapping[str, Action]) -> str | None:
        """Commit what was seen, close the deliveries and end the lease, in one transaction.

        ``None``, and the lease goes on, if a record that is new on file was deleted before anybody knew its link.
        """
        reason = self.held or next((action.reason for action in actions.values() if isinstance(action, Hold)), "")
        bases = {name: self.current(name) for name, action in actions.items() if isinstance(action, Agree | Ignore)}
        self.history += self.view.history + self.notes(actions)
        exists = any(sight.remote_id is not None for sight in self.view.sights.values())
        records = self.new_records()
        if self.view.erases:
            self.forget_guarded()
        committed = self.keeper.commit(
            Commit(
                records=records,
                bases=bases,
                link_state=LinkState.LIVE if exists or reason else LinkState.BURIED,
                new_generation=exists and self._begins_generation(),
                buried=list(self.view.buried.values()),
                revived=list(self.view.revived.values()),
                shadowed=self.view.shadowed,
                seen=self.seen_revisions(),
                history=self.take_history(),
                closings=self.closings(reason),
                release=True,
                erases=self.view.erases,
            )
        )
        if committed.buried:
            self.bases |= bases
            self.view.learn(records, self.bases)
            self.lose_buried(committed.buried)
            return None
        return f"held {reason}" if reason else ("synced" if self.writes else "in_step")

    def forget_guarded(self) -> None:
        """Before the commit: forgotten too early the guard only costs a look, forgotten never it tells of a person."""
        graves = {(one.side, one.remote_id) for one in self.view.buried.values()}
        graves.update(self.engine.ledger.buried_with(self.run.link.id))
        told = {(one.new.side, one.new.remote_id) for one in self.run.deliveries}
        on_file = {(slot.side, known.remote_id) for slot, known in self.run.link.records.items()}
        for side, remote_id in sorted(graves | told | on_file):
            self.engine.guard.forget(self.run.site.id, side, remote_id)

    def seen_revisions(self) -> dict[str, int]:
        sights = self.view.sights.values()
        return {one.remote_id: one.revision for one in sights if one.remote_id and one.revision is not None}

    def lose_buried(self, buried: frozenset[str]) -> None:
        """These are gone; what we saw of the others is older than that, so it does not stand for a fresh look."""
        for slot, sight in self.view.sights.items():
            if sight.remote_id in buried:
                self.view.lose(slot)
            elif buried and sight.source == "read":
                self.view.sights[slot] = replace(sight, source="heard")

    def current(self, name: str) -> Base:
        return Base(self.value_on(Side.WIX, name), self.value_on(Side.EXTERNAL, name), self.version_of(name))

    def version_of(self, name: str) -> int:
        field = self.view.fields.get(name)
        return field.version if field is not None else 1

    def new_records(self) -> dict[Slot, Known | None]:
        """What to remember of the slots that this run saw.

        A slot with a change that is kept back keeps its seen revision: a later write under it will be refused by
        the remote, and so cannot cover that change. A record that is gone is forgotten in any case.
        """
        return {
            slot: known
            for slot, sight in self.view.sights.items()
            if (known := sight.known()) != self.view.memory.get(slot) and (known is None or slot not in self.stuck)
        }

    def closings(self, hold_reason: str) -> dict[int, Closing]:
        done = Closing(InboxState.DONE, "synced" if self.writes else "in_step")
        open_ids = {delivery.id for delivery in self.run.deliveries} - self.view.closings.keys()
        # A hold must be visible: if no delivery in hand is open for it, the newest one carries it.
        newest = {max(delivery.id for delivery in self.run.deliveries)} if self.run.deliveries else set()
        held_ids = {one for one in open_ids if self.view.told.get(one) in self.stuck} or open_ids or newest
        closings = dict(self.view.closings) | dict.fromkeys(open_ids, done)
        return closings | dict.fromkeys(held_ids if hold_reason else (), Closing(InboxState.HELD, hold_reason))

    def notes(self, actions: Mapping[str, Action]) -> list[HistoryEntry]:
        return [
            HistoryEntry(
                "hold" if isinstance(action, Hold) else "ignore",
                None,
                name,
                before=self.value_on(Side.WIX, name),
                after=self.value_on(Side.EXTERNAL, name),
                reason=action.reason,
            )
            for name, action in actions.items()
            if isinstance(action, Hold | Ignore)
        ]


def _is_merge_loser(intent: Intent) -> bool:
    return intent.operation is Operation.DELETE and set(intent.reasons.values()) == {"merged"}


def _base(target: Side, shown: Decimal | None, source: Decimal | None) -> Base:
    return Base(shown, source) if target is Side.WIX else Base(source, shown)


def _gap(intent: Intent, known: Known | None) -> list[HistoryEntry]:
    """Without a precondition our update may have covered an edit that nobody saw: the revision tells."""
    if intent.operation is not Operation.UPDATE or known is None:
        return []
    if known.revision is None or intent.base_revision is None or known.revision == intent.base_revision + 1:
        return []
    reason = f"revisions {intent.base_revision + 1} to {known.revision - 1} were never seen"
    return [HistoryEntry("gap", intent.slot.side, "", reason=reason, remote_id=known.remote_id)]
