"""What must hold when the world has come to rest.

Each check names the invariant that it stands for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Set
from decimal import Decimal

from sync_worker.core.ports.accounts import ACCOUNT_FAILING
from sync_worker.core.scale import FieldMap, OffScale
from sync_worker.core.values import EntityRef, HistoryEntry, Person, Record, Side
from tests.simulation.newest_edit import (
    edits_of,
    is_kept,
    is_true_winner,
    lines_about,
    value_in,
)
from tests.simulation.world import World
from tests.twins.memory_remote import JournalEntry


def broken_invariants(world: World) -> list[str]:
    """Every broken invariant, in words; empty when all hold."""
    checks = [
        lost_silently,
        too_many_writes,
        idle_rewrites,
        twins,
        left_open,
        waits_for_nothing,
        held_in_step,
        remembered_after_erasure,
    ]
    if not diverges_by_policy(world):
        checks += [not_converged, resurrected, newest_edit_lost]
    return [broken for check in checks for broken in check(world)]


def diverges_by_policy(world: World) -> bool:
    """The owner asked that some changes do not cross."""
    policy = world.options.policy
    return policy.deletes == "ignore" or policy.direction != "both"


def not_converged(world: World) -> Iterator[str]:
    """I1: each attribute exists on both sides in one class, or on neither, unless something of its
    key is held.
    """
    for wix_ref, external_ref in world.entities:
        behind = shadowed(world, external_ref)
        for person in living(world):
            if is_held(world, wix_ref, person):
                continue
            for field in world.options.fields:
                wix = shown(world, Side.WIX, wix_ref, person, field.attribute)
                external = shown(
                    world, Side.EXTERNAL, external_ref, person, field.external_field, behind
                )
                if is_absence_disbelieved(world, wix, external):
                    continue
                if not agree(field, wix, external):
                    yield (
                        f"I1 {wix_ref.entity_id} {person.contact_id} {field.attribute}: {wix}"
                        f" against {external}"
                    )


def shadowed(world: World, external_ref: EntityRef) -> Set[str]:
    """Records that stand behind a newer one of the same person: only where a system allows
    several.
    """
    if world.external.capabilities.is_unique:
        return frozenset()
    family = world.ledger.directory.records_of_entity(world.site.id, external_ref)
    return frozenset(family.shadowed - family.on_file.keys())


def living(world: World) -> list[Person]:
    """Each person once, however many contacts were merged into one; without those who asked to be
    forgotten.
    """
    return [one for one in world.persons if world.lives_as(one) == one and one not in world.erased]


def is_held(world: World, entity: EntityRef, person: Person) -> bool:
    return any(world.is_held(entity, one) for one in world.aliases(person))


def is_absence_disbelieved(world: World, wix: Decimal | None, external: Decimal | None) -> bool:
    """I18: nothing counts as deleted on a side whose listing shows under half of what is on
    file.
    """
    absent = {side for side, value in ((Side.WIX, wix), (Side.EXTERNAL, external)) if value is None}
    return bool(absent & world.disbelieved)


def shown(
    world: World,
    side: Side,
    entity: EntityRef,
    person: Person,
    name: str,
    without: Set[str] = frozenset(),
) -> Decimal | None:
    visible = [
        one
        for one in world.ratings_of(side, entity, person)
        if one.is_visible and one.remote_id not in without
    ]
    values = (record.values.get(name) for record in visible)
    return next((value for value in values if value is not None), None)


def agree(field: FieldMap, wix: Decimal | None, external: Decimal | None) -> bool:
    if wix is None or external is None:
        return wix is external
    try:
        return field.agree(wix, external)
    except OffScale:
        return False


def lost_silently(world: World) -> Iterator[str]:
    """I2: every value that one of our writes covered is in the history (or a gap is).

    What a delete of ours covered may be what a write of ours, for a link that a merge was about to
    join, had just put there: that is in the history as its outcome.
    """
    history: list[HistoryEntry] = world.ledger.history_entries()
    gaps = {entry.remote_id for entry in history if entry.what == "gap"}
    told = {(entry.remote_id, entry.before) for entry in history}
    written = {(entry.remote_id, entry.after) for entry in history}
    unseen = set(world.ledger.closed_with("buried_with_unseen_edit"))
    erased = erased_keys(world)
    for side, write in our_writes(world):
        if key_of(world, side, write) in erased:
            continue  # a privacy request leaves no trace: I20
        for name, value in (write.before or {}).items():
            after = (write.after or {}).get(name)
            if value == after or name not in mapped_names(world) or write.remote_id in gaps:
                continue
            if (
                write.operation == "delete"
                and (write.remote_id, write.revision) in world.dropped | unseen
            ):
                # Deletes know no precondition: an edit in that window shows only by its webhook
                continue
            if write.revision is None:
                # Without revisions there is a window between look and write: named in
                # docs/promises.md
                continue
            is_ours = write.operation == "delete" and covers_our_own(world, side, write)
            if (write.remote_id, value) not in told and not (
                is_ours and (write.remote_id, value) in written
            ):
                yield (
                    f"I2 {write.operation} of {write.remote_id} covered {name}={value} without a"
                    " trace"
                )


def covers_our_own(world: World, side: Side, write: JournalEntry) -> bool:
    """Whether what a write covered was a write of ours, and no word of a person."""
    earlier = (
        one for one in world.remotes[side].journal[: write.at] if one.remote_id == write.remote_id
    )
    return max(earlier, key=lambda one: one.at).by_us


def mapped_names(world: World) -> set[str]:
    return {
        name for field in world.options.fields for name in (field.attribute, field.external_field)
    }


def our_writes(world: World) -> list[tuple[Side, JournalEntry]]:
    return [
        (side, entry)
        for side, remote in world.remotes.items()
        for entry in remote.journal
        if entry.by_us
    ]


def erased_keys(world: World) -> set[tuple[str, str]]:
    """Ratings that a privacy request has removed."""
    entries = (
        (side, entry)
        for side, remote in world.remotes.items()
        for entry in remote.journal
        if entry.privacy
    )
    by_person = {
        (str(number), str(world.lives_as(one).contact_id))
        for number in range(len(world.entities))
        for one in world.erased
    }
    return by_person | {key_of(world, side, entry) for side, entry in entries}


def too_many_writes(world: World) -> Iterator[str]:
    """I3, I4: no more effective writes of ours than changes that people made, key by key.

    A create whose answer was lost and that no look could find again counts as a person's: nobody
    can tell it apart.
    """
    people: Counter[tuple[str, str]] = Counter()
    created = {
        entry.remote_id for entry in world.ledger.history_entries() if entry.what == "create"
    }
    ours: Counter[tuple[str, str]] = Counter()
    for side, remote in world.remotes.items():
        for entry in remote.journal:
            (ours if entry.by_us else people)[key_of(world, side, entry)] += (
                changes(entry) if entry.by_us else weight(entry)
            )
            if entry.by_us and entry.operation == "create" and entry.remote_id not in created:
                people[key_of(world, side, entry)] += 1
    for source, _ in world.merged:  # the loser goes on both sides, and may have crossed before
        for number in range(len(world.entities)):
            people[str(number), str(world.lives_as(source).contact_id)] += 4 * len(
                world.options.fields
            )
    for key, count in ours.items():
        if count > people[key]:
            yield f"I3 {key}: {count} writes of ours for {people[key]} changes by people"


def weight(entry: JournalEntry) -> int:
    """How many writes of ours a person's act may cause: one for each attribute that it may change.

    A privacy delete may have to undo, besides, what an edit had brought back before we heard of the
    request.
    """
    return 2 * entry.privacy + max(len(entry.before or {}), len(entry.after or {}), 1)


def changes(entry: JournalEntry) -> int:
    return 0 if entry.before == entry.after else 1


def key_of(world: World, side: Side, entry: JournalEntry) -> tuple[str, str]:
    assert entry.entity is not None
    number = next(i for i, pair in enumerate(world.entities) if entry.entity in pair)
    person = next(
        one
        for one in world.persons
        if (
            one.contact_id == entry.person.contact_id
            if side is Side.WIX
            else one.email == entry.person.email
        )
    )
    return str(number), str(world.lives_as(person).contact_id)


def idle_rewrites(world: World) -> Iterator[str]:
    """I16: an existing value is never rewritten inside its class, unless a lost answer made us
    repeat ourselves.
    """
    for side, remote in world.remotes.items():
        for entry in remote.journal:
            if not entry.by_us or entry.operation != "update":
                continue
            assert entry.before is not None
            assert entry.after is not None
            for field in world.options.fields:
                name = field.attribute if side is Side.WIX else field.external_field
                before, after = entry.before.get(name), entry.after.get(name)
                if before is None or after is None or before == after:
                    continue
                if class_of(field, side, before) == class_of(field, side, after):
                    yield (
                        f"I16 {entry.remote_id}: {name} rewritten from {before} to {after} in one"
                        " class"
                    )


def class_of(field: FieldMap, side: Side, value: Decimal) -> int:
    return field.wix_class(value) if side is Side.WIX else field.external_class(value)


def twins(world: World) -> Iterator[str]:
    """I14, I21: at most one live record for each key (and, on Wix, attribute) on each side, also
    after merges.
    """
    for wix_ref, external_ref in world.entities:
        for person in living(world):
            if is_held(world, wix_ref, person):
                continue
            for field in world.options.fields:
                mine = [
                    one
                    for one in world.ratings_of(Side.WIX, wix_ref, person)
                    if field.attribute in one.values
                ]
                if len(mine) > 1:
                    yield f"I14 {[one.remote_id for one in mine]} on wix"
            behind = shadowed(world, external_ref)
            theirs = [
                one
                for one in world.ratings_of(Side.EXTERNAL, external_ref, person)
                if one.remote_id not in behind
            ]
            if (
                not world.external.capabilities.is_unique
            ):  # there, a withdrawn one does not keep others away
                theirs = [one for one in theirs if one.is_visible]
            if len(theirs) > 1:
                yield f"I14 {[one.remote_id for one in theirs]} on the external side"


def left_open(world: World) -> Iterator[str]:
    """I7: every accepted delivery has come to an end, and no write is of unknown outcome."""
    if count := world.ledger.open_count():
        yield f"I7 {count} deliveries are open"
    awaiting = sum(
        entry.reason == "awaiting_confirmation" for entry in world.ledger.history_entries()
    )
    if (
        count := world.ledger.open_intents()
    ) > awaiting:  # held, and shown as such: nobody can tell the outcome
        yield f"I12 {count} intents are open"


def waits_for_nothing(world: World) -> Iterator[str]:
    """I31: nothing waits for an account that works again."""
    waiting = world.ledger.held_reasons().count(ACCOUNT_FAILING)
    if waiting:
        yield f"I31 {waiting} deliveries wait for an account that works"


def held_in_step(world: World) -> Iterator[str]:
    """I31: no delivery is held for a rating that sweeps have found in step."""
    if not world.options.sweeps or diverges_by_policy(world):
        return
    for wix_ref, external_ref in world.entities:
        behind = shadowed(world, external_ref)
        for person in living(world):
            if world.is_held(wix_ref, person) and is_in_step(
                world, (wix_ref, external_ref), person, behind
            ):
                yield f"I31 {wix_ref.entity_id} {person.contact_id} is held, and in step"


def is_in_step(
    world: World, entity: tuple[EntityRef, EntityRef], person: Person, behind: Set[str]
) -> bool:
    """Whether both sides show the same of every attribute."""
    return all(
        agree(
            field,
            shown(world, Side.WIX, entity[0], person, field.attribute),
            shown(world, Side.EXTERNAL, entity[1], person, field.external_field, behind),
        )
        for field in world.options.fields
    )


def remembered_after_erasure(world: World) -> Iterator[str]:
    """I20: no address, contact id or erased rating of a person who asked for it is on file
    anywhere.

    The bare id of a rating that they had removed before, and that no link ever knew, tells of
    nobody.
    """
    if not world.erased:
        return
    ledger, guarded = world.ledger.everything(), str(world.guard.kept)
    for person in world.erased:
        for name in (f"{person.contact_id}'", str(person.email)):
            if name in ledger:
                yield f"I20 {name} is still on file"
        for entry in world.wix.journal:
            if entry.person.contact_id == person.contact_id and entry.privacy:
                if f"'{entry.remote_id}'" in ledger or f"'{entry.remote_id}'" in guarded:
                    yield f"I20 rating {entry.remote_id} of {person.contact_id} is still on file"
                if entry.remote_id in world.wix.records:
                    yield f"I20 rating {entry.remote_id} of {person.contact_id} lives on Wix"
        for _, external_ref in world.entities:
            for record in world.external.of(external_ref, person):
                if record.remote_id in world.shadowed:
                    yield (
                        f"I20 {record.remote_id} of {person.contact_id}, shadowed before, lives"
                        " outside"
                    )


def newest_edit_lost(world: World) -> Iterator[str]:
    """I26: the newest edit of a person stands on both sides, or is in the history as the loser,
    and then what won is a person's, too.
    """
    if world.merged or world.erased or world.options.moderation or world.options.normalises:
        return
    for number, (wix_ref, external_ref) in enumerate(world.entities):
        behind = shadowed(world, external_ref)
        for person in world.persons:
            if is_held(world, wix_ref, person):
                continue
            for field in world.options.fields:
                edits = edits_of(world, number, person, field)
                # A privacy request beats every edit, and takes what it named out of the history.
                if (str(number), str(person.contact_id)) in erased_keys(world):
                    continue
                if not edits or edits[-1][1].remote_id in behind:
                    continue
                side, newest = edits[-1]
                value = value_in(newest.after, field, side)
                ref = wix_ref if side is Side.WIX else external_ref
                name = field.attribute if side is Side.WIX else field.external_field
                now = shown(world, side, ref, person, name, behind)
                if value is None or is_kept(field, side, value, now):
                    continue
                if newest.remote_id in covered_unseen(world, side, name, value):
                    continue
                # Withdrawn by a moderator: policy says that nobody sees it.
                if newest.remote_id in moderated(world, side):
                    continue
                if not any(
                    is_true_winner(field, line, edits) for line in lines_about(world, newest, value)
                ):
                    yield (
                        f"I26 {wix_ref.entity_id} {person.contact_id} {field.attribute}: {value}"
                        f" on {side} was the newest edit, {now} stands, the history names no winner"
                    )


def moderated(world: World, side: Side) -> Set[str]:
    journal = world.remotes[side].journal
    return {entry.remote_id for entry in journal if entry.operation == "moderate"}


def covered_unseen(world: World, side: Side, name: str, value: Decimal) -> Set[str]:
    """Records whose value a write of ours covered in one of the windows that docs/promises.md
    names: without revisions, and before a delete.
    """
    unseen = world.dropped | set(world.ledger.closed_with("buried_with_unseen_edit"))
    return {
        write.remote_id
        for on, write in our_writes(world)
        if on is side
        and (write.before or {}).get(name) == value
        and (
            write.revision is None
            or (write.operation == "delete" and (write.remote_id, write.revision) in unseen)
        )
    }


def resurrected(world: World) -> Iterator[str]:
    """I9: what a person deleted while both sides were in step stays deleted until somebody rates
    anew.
    """
    for side, remote_ids in world.deleted_in_step.items():
        for remote_id, (key, act, attributes) in remote_ids.items():
            entity, person = (
                world.entities[key[0]][0],
                next(one for one in world.persons if one.contact_id == key[1]),
            )
            # After a merge somebody else's rating may have taken the place; an erased person's may
            # be left outside.
            if (
                world.is_held(entity, person)
                or len(world.aliases(person)) > 1
                or person in world.erased
            ):
                continue
            lives = any(
                attributes & world.attributes_of(record) for record in live_records(world, key)
            )
            if lives and world.last_act.get(key) == act and side not in world.disbelieved:
                yield (
                    f"I9 {key} lives although {remote_id} was deleted on {side} while both sides"
                    " were in step"
                )


def live_records(world: World, key: tuple[int, str]) -> list[Record]:
    wix_ref, external_ref = world.entities[key[0]]
    person = next(one for one in world.persons if one.contact_id == key[1])
    return world.wix.of(wix_ref, person) + world.external.of(external_ref, person)
