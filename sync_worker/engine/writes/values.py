"""From a planned write to what is sent, and to what goes on file before and after it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace

from sync_worker.core.ports.links import Commit, IfGone
from sync_worker.core.values import (
    MODERATES,
    NOTHING_SEEN,
    Base,
    Buried,
    Draft,
    Intent,
    IntentState,
    Known,
    LinkState,
    Operation,
    Record,
    RecordState,
    Side,
    Slot,
    Standing,
    Value,
)
from sync_worker.core.values.record_identity import identity_shown
from sync_worker.engine.deciding.planning import sources_of
from sync_worker.engine.history_lines import lines_for_removal, lines_for_write
from sync_worker.engine.link_plan import SlotWrite, Told
from sync_worker.engine.moderation.visibility import left_if_gone
from sync_worker.engine.record_view import seen_revisions, to_fields, values_in
from sync_worker.engine.view import View, begins_generation, person_of, recent_writes
from sync_worker.engine.words.answers import has_more_to_say
from sync_worker.engine.words.drafts import pictures_for, with_words


def intent_for(view: View, write: SlotWrite, intent_id: str) -> Intent:
    """The intent of a write to the record on file."""
    record_view = view.record_views[write.slot]
    other = write.slot.side.other
    sources = {name: view.value_on(other, name) for name in write.targets}
    if view.holds.decided is not None:
        sources = sources_of(view, view.holds.decided, write.slot.side, sources)
    return Intent(
        id=intent_id,
        slot=write.slot,
        operation=write.operation,
        targets=write.targets,
        sources=sources,
        befores={name: record_view.values.get(name) for name in write.targets},
        reasons={name: action.reason for name, action in write.actions.items()},
        is_privacy=write.is_privacy,
        remote_id=record_view.remote_id,
        base_revision=record_view.revision,
        source_ids=_source_ids(view, write, other),
    )


def intent_beside(view: View, write: SlotWrite, record: Record, intent_id: str) -> Intent:
    """The intent of a removal of a record that is not the one on file, hidden or not."""
    shown = values_in(write.slot, record, view.carried)
    return replace(
        intent_for(view, write, intent_id),
        befores={name: shown.get(name) for name in write.targets},
        remote_id=record.remote_id,
        base_revision=record.revision,
    )


def draft_for(view: View, write: SlotWrite, intent: Intent) -> Draft:
    """All that the record shall hold, in the remote's own fields and units."""
    slot, fields = write.slot, view.fields.values()
    values = write.values
    if slot.side is Side.WIX:
        # there each attribute has a record of its own
        values = {slot.attribute: write.values[slot.attribute]}
    draft = Draft(
        values=to_fields(values, fields, slot.side),
        entity=view.run.entity.on(slot.side),
        person=person_of(view),
        last=view.record_views[slot].raw,
        mapped=frozenset(field.external_field for field in fields),
        source_id=next(iter(intent.source_ids.values()), ""),
    )
    if view.carried.words:
        draft = with_words(view, draft, write.values, write.targets, slot)
    told = write.told
    if write.operation is Operation.CREATE and slot.side is Side.WIX:
        draft = replace(draft, media=pictures_for(view, told))
    return draft if told is None else _as_told(draft, told)


def _as_told(draft: Draft, told: Told) -> Draft:
    """A draft with what a file tells of its record."""
    person = replace(draft.person, name=told.name or draft.person.name)
    words = {**told.words, **draft.words}
    return replace(draft, words=words, person=person, written_at=told.written_at)


def _source_ids(view: View, write: SlotWrite, other: Side) -> dict[str, str]:
    """Ids of the records that are carried over, by the attribute of their slot."""
    slots = {view.slot_of(name, other) for name in write.targets}
    record_views = {slot.attribute: view.record_views[slot] for slot in slots}
    return {
        name: record_view.remote_id
        for name, record_view in sorted(record_views.items())
        if record_view.remote_id is not None
    }


# -- after a write that succeeded


def newest_in_hand(view: View) -> int | None:
    """The delivery that a line of the history names."""
    return max((delivery.id for delivery in view.run.deliveries), default=None)


def commit_of_write(
    view: View, intent: Intent, known: Known | None, values: Mapping[str, Value | None]
) -> Commit:
    """``known``: the record after the write, ``values``: what it shows of each attribute."""
    history = lines_for_write(view, intent, known, values, newest_in_hand(view))
    is_imported = intent.is_imported
    is_of_many = len(view.carried.in_slot.get(intent.slot, ())) > 1
    is_unseen = intent.slot in view.written.unseen or intent.operation in MODERATES
    # The sides have not agreed on it yet, it has more to say, or it shows somebody's edit, perhaps.
    is_news_left = (
        is_imported
        or (is_of_many and has_more_to_say(view, intent))
        or (is_unseen and intent.slot in view.memory)
    )
    if known is not None and known.revision is not None and is_news_left:
        known = replace(known, revision=NOTHING_SEEN)
    records = {intent.slot: known, **source_records(view, intent)}
    on_file = {(slot.side, one.remote_id) for slot, one in records.items() if one is not None}
    # Of tombstones only what concerns these records; the run's end brings the others.
    tombstones = view.tombstones
    bases = _bases(view, intent, known, values, is_imported=is_imported)
    if_gone: dict[Slot, IfGone] = {}
    if view.capabilities[intent.slot.side].can_moderate:
        if_gone = left_if_gone(view, intent.slot, known, bases)
    return Commit(
        records=records,
        bases=bases,
        if_gone=if_gone,
        link_state=LinkState.LIVE,
        new_generation=begins_generation(view),
        buried=[
            tombstone
            for tombstone in tombstones.buried.values()
            if tombstone.remote_id == intent.remote_id
        ],
        revived=[tombstone for key, tombstone in tombstones.revived.items() if key in on_file],
        shadowed=view.shadowed,
        seen=seen_revisions(view.record_views.values()),
        intent_state=IntentState.CONFIRMED,
        writes=recent_writes(view, 1),
        history=history,
    )


def commit_of_removal(view: View, intent: Intent) -> Commit:
    """Of a record beside the one on file; after a merge it may be that one, too."""
    slot = intent.slot
    tombstone = Buried(slot.side, intent.remote_id or "", intent.base_revision)
    on_file = view.memory.get(slot)
    was_on_file = on_file is not None and on_file.remote_id == tombstone.remote_id
    # Another record has its place; if it was the one on file, that place is free now.
    records: dict[Slot, Known | None] = {slot: None} if was_on_file else {}
    return Commit(
        records=records,
        buried=[tombstone],
        intent_state=IntentState.CONFIRMED,
        writes=recent_writes(view, 1),
        history=lines_for_removal(intent),
    )


def left_without(change: Commit, intent: Intent, taken: Set[Slot]) -> Commit:
    """Of a write what goes on file when other links have the records of these slots by now.

    What it made of such a record goes again, as if its source had been deleted.
    """
    is_copy = intent.operation is Operation.CREATE and intent.slot not in taken
    records, bases = dict[Slot, Known | None](), dict[str, Base]()
    if is_copy and taken:
        records = {slot: one for slot, one in change.records.items() if slot not in taken}
        bases = dict(change.bases)
    state = IntentState.CONFIRMED if taken else IntentState.ABANDONED
    return replace(change, records=records, bases=bases, if_gone={}, intent_state=state)


def source_records(view: View, intent: Intent) -> dict[Slot, Known | None]:
    """Put the records that were carried over on file: their absence later means a delete.

    Their seen revision does not move before the end of the run: they may have more to tell.
    """
    records: dict[Slot, Known | None] = {}
    for attribute, remote_id in intent.source_ids.items():
        slot = Slot(intent.slot.side.other, attribute)
        on_file = view.memory.get(slot)
        is_on_file = on_file is not None and on_file.remote_id == remote_id
        # still mapped, and new on file or with another id there
        if slot in view.record_views and not is_on_file:
            # Whatever tells of the record is still news.
            seen = NOTHING_SEEN if view.capabilities[slot.side].has_revision else None
            identity = view.record_views[slot].identity
            # Not seen in this run: a write of an earlier one is settled. It was taken for this
            # link's by what it told.
            if identity is None and slot.side is Side.EXTERNAL:
                identity = identity_shown(view.run.entity.external, view.run.contact.email, None)
            records[slot] = Known(remote_id, seen, identity=identity)
    return records


def is_made_by(intent: Intent, revision: int | None, attribute: str, shown: Value | None) -> bool:
    """Whether a write turned an attribute into what the record shows, though not as we wanted.

    Else it was not applied, and what the record shows may be somebody's edit.
    """
    # numbered: ours is the very next revision
    is_next = revision is None or revision == (intent.base_revision or 0) + 1
    return is_next and shown != intent.befores.get(attribute)


def _bases(
    view: View,
    intent: Intent,
    known: Known | None,
    values: Mapping[str, Value | None],
    *,
    is_imported: bool,
) -> dict[str, Base]:
    """What both sides show of the attributes that were written."""
    # Who sees a record changes nothing in it.
    if intent.operation in MODERATES:
        return {}
    # Nobody sees what it changed: it is planned again, as if we had heard before.
    if (
        known is not None
        and known.state is not RecordState.PUBLISHED
        and _was_withdrawn(view, intent, known)
    ):
        return {}
    # Some may not be kept in step any more, since the write was announced.
    names = [name for name in intent.targets if name in view.bases]
    bases = dict[str, Base]()
    # A value from a file, or of a decision: the sides have not agreed on it yet.
    if is_imported:
        ours = {name for name in names if intent.sources.get(name) is None}
        bases = {name: view.bases[name] for name in ours}
        names = [name for name in names if name not in ours]
    else:
        bases = _of_words_left_out(view, intent)
    for name in names:
        shown, source = values.get(name), intent.sources.get(name)
        # Not taken as written, so not agreed on: its source is still a change to be carried over.
        if name in view.written.unmatched:
            source = view.bases[name].on(intent.slot.side.other)
            # Nor did our write make what it shows: not applied, or edited by somebody.
            if intent.slot in view.written.unseen:
                shown = view.bases[name].on(intent.slot.side)
        version = view.carried.version_of(name)
        if intent.slot.side is Side.WIX:
            bases[name] = Base(shown, source, version)
        else:
            bases[name] = Base(source, shown, version)
    return bases


def _was_withdrawn(view: View, intent: Intent, known: Known) -> bool:
    """Whether an update came to a visitor's record that had been taken out of sight meanwhile."""
    is_moderated = view.capabilities[intent.slot.side].can_moderate
    is_update = intent.operation is Operation.UPDATE
    return is_moderated and is_update and known.standing is Standing.THEIRS


def _of_words_left_out(view: View, intent: Intent) -> dict[str, Base]:
    """Of words that a new record was not given: of these nothing has crossed to it yet.

    A text too long for it, or a reply, which goes by a call of its own. That the record does not
    show them is nobody's edit.
    """
    bases = dict[str, Base]()
    if intent.operation is not Operation.CREATE:
        return bases
    slot = intent.slot
    for name in view.carried.words:
        is_its = name in view.carried.in_slot[slot] and name not in intent.targets
        if not is_its or view.bases[name].on(slot.side) is None:
            continue
        shown, version = view.record_views[slot].hidden.get(name), view.carried.version_of(name)
        if slot.side is Side.WIX:
            bases[name] = Base(wix=shown, version=version)
        else:
            bases[name] = Base(external=shown, version=version)
    return bases
