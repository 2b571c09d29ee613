"""Whether both sides show the same, once, and nothing that was deleted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Set

from sync_worker.core.values import EntityRef, Person, Record, RecordState, Side, Value
from tests.simulation.oracles.explained import was_given_anew
from tests.simulation.oracles.moderation import last_decision, was_unwanted
from tests.simulation.oracles.reading import (
    agree,
    fields_of,
    is_held,
    live_records,
    name_on,
    shadowed,
    shown,
)
from tests.simulation.world import Shop


def not_converged(shop: Shop) -> Iterator[str]:
    """I1: each attribute exists on both sides in one class, or on neither, unless something of its
    key is held.
    """
    # Who may see a record has a table of its own: oracles/moderation.py.
    if shop.wix.capabilities.can_moderate:
        return
    for wix_ref, external_ref in shop.entities:
        behind = shadowed(shop, external_ref)
        for person in shop.crowd.living():
            if is_held(shop, wix_ref, person):
                continue
            for field in fields_of(shop):
                name = name_on(field, Side.EXTERNAL)
                wix = shown(shop, Side.WIX, wix_ref, person, name_on(field, Side.WIX))
                external = shown(shop, Side.EXTERNAL, external_ref, person, name, behind)
                if is_absence_disbelieved(shop, wix, external):
                    continue
                if external is None and was_never_seen_published(shop, external_ref, person):
                    continue
                if wix is None and is_of_forgotten(shop, external_ref, person):
                    continue
                if not agree(field, wix, external):
                    yield (
                        f"I1 {wix_ref.entity_id} {person.contact_id} {name}: {wix}"
                        f" against {external}"
                    )


def is_absence_disbelieved(shop: Shop, wix: Value | None, external: Value | None) -> bool:
    """I18: nothing counts as deleted on a side whose listing shows under half of what is on
    file.
    """
    absent = {side for side, value in ((Side.WIX, wix), (Side.EXTERNAL, external)) if value is None}
    return bool(absent & shop.sweeper.disbelieved)


def was_never_seen_published(shop: Shop, external_ref: EntityRef, person: Person) -> bool:
    """Whether all that a person has outside, or had last, is a create of ours that a moderator
    threw away; or that was shown between two looks at most, and then hidden or deleted, where
    nothing has a number (docs/promises.md).
    """
    emails = {one.email for one in shop.crowd.aliases(person)}
    journal = [one for one in shop.external.journal if one.entity == external_ref]
    last = next((one for one in reversed(journal) if one.person.email in emails), None)
    there = shop.crowd.ratings_of(Side.EXTERNAL, external_ref, person)
    if last is None or any(one.is_visible or one.remote_id != last.remote_id for one in there):
        return False
    if last.by_us and last.operation == "delete":
        return False
    if was_thrown_away(shop, last.remote_id):
        return True
    first = next(one for one in journal if one.remote_id == last.remote_id)
    is_ours = first.by_us and first.operation == "create"
    is_numbered = shop.external.capabilities.has_revision
    return is_ours and not is_numbered and last.remote_id not in shop.once_published


def was_thrown_away(shop: Shop, remote_id: str) -> bool:
    """Whether a record outside is a create of ours that was never published there: a moderator who
    refuses or deletes it takes nothing from Wix (docs/promises.md).
    """
    acts = [one for one in shop.external.journal if one.remote_id == remote_id]
    is_ours = bool(acts) and acts[0].by_us and acts[0].operation == "create"
    return is_ours and all(one.state is not RecordState.PUBLISHED for one in acts)


def is_of_forgotten(shop: Shop, external_ref: EntityRef, person: Person) -> bool:
    """Whether all that a person has outside was given to them after who had rated there asked to
    be forgotten: that stays forgotten, whomever it names (docs/promises.md).
    """
    there = shop.crowd.ratings_of(Side.EXTERNAL, external_ref, person)
    given_away = {
        one.remote_id
        for one in shop.external.journal
        if one.operation == "move" and one.at >= shop.crowd.asked_at.get(one.person.email, math.inf)
    }
    visible = {one.remote_id for one in there if one.is_visible}
    return bool(visible) and visible <= given_away


def is_unseen_copy(shop: Shop, record: Record) -> bool:
    """Whether a record outside is a create of ours that nobody has seen there: a moderator's
    approval, and nothing else, shows it.
    """
    acts = [one for one in shop.external.journal if one.remote_id == record.remote_id]
    if record.is_visible or not acts or not acts[0].by_us:
        return False
    is_only_hidden = all(one.operation == "moderate" for one in acts[1:])
    return is_only_hidden and record.remote_id not in shop.once_published


def twins(shop: Shop) -> Iterator[str]:
    """I14, I21: at most one live record for each key (and, on Wix, attribute) on each side, also
    after merges.
    """
    for wix_ref, external_ref in shop.entities:
        for person in shop.crowd.living():
            if is_held(shop, wix_ref, person):
                continue
            for field in shop.options.fields:
                mine = [
                    one
                    for one in shop.crowd.ratings_of(Side.WIX, wix_ref, person)
                    if field.attribute in one.values
                ]
                if len(mine) > 1:
                    yield f"I14 {[one.remote_id for one in mine]} on wix"
            behind = shadowed(shop, external_ref)
            theirs = [
                one
                for one in shop.crowd.ratings_of(Side.EXTERNAL, external_ref, person)
                if one.remote_id not in behind
            ]
            if (
                not shop.external.capabilities.is_unique
            ):  # there, a withdrawn one does not keep others away
                theirs = [one for one in theirs if one.is_visible and is_rated(shop, one)]
            if len(theirs) > 1:
                yield f"I14 {[one.remote_id for one in theirs]} on the external side"


def is_rated(shop: Shop, record: Record) -> bool:
    """Whether an external record says anything that is mapped."""
    return any(field.external_field in record.values for field in shop.options.fields)


def is_hidden_by_its_owner(shop: Shop, record: Record) -> bool:
    """Whether a site's owner took a review out of sight on Wix: nobody sees it, and a deletion
    outside would do no more to it.
    """
    decision = last_decision(shop, record.remote_id)
    return not record.is_visible and decision is not None and not decision.by_us


def resurrected(shop: Shop) -> Iterator[str]:
    """I9: what a person deleted while both sides were in step stays deleted until somebody rates
    anew.
    """
    for side, remote_ids in shop.act_log.deleted_in_step.items():
        for remote_id, deletion in remote_ids.items():
            key, act, attributes, lines_before = deletion
            entity, person = (
                shop.entities[key[0]][0],
                next(one for one in shop.persons if one.contact_id == key[1]),
            )
            # After a merge somebody else's rating may have taken the place; an erased person's may
            # be left outside.
            if (
                shop.is_held(entity, person)
                or len(shop.crowd.aliases(person)) > 1
                or person in shop.crowd.erased
                or was_given_anew(shop, key, attributes, lines_before)
                or (side is Side.EXTERNAL and was_thrown_away(shop, remote_id))
            ):
                continue
            left = left_by_policy(shop, side, key[0], person)
            lives = any(
                attributes & shop.act_log.attributes_of(record)
                for record in live_records(shop, key)
                if record.remote_id not in left
                and not is_hidden_by_its_owner(shop, record)
                and not is_unseen_copy(shop, record)
            )
            if (
                lives
                and shop.act_log.last_act.get(key) == act
                and side not in shop.sweeper.disbelieved
            ):
                yield (
                    f"I9 {key} lives although {remote_id} was deleted on {side} while both sides"
                    " were in step"
                )


def left_by_policy(shop: Shop, deleted_on: Side, number: int, person: Person) -> Set[str]:
    """The source outside of a copy that was deleted on Wix before anybody had seen it there."""
    if deleted_on is Side.EXTERNAL or not was_unwanted(shop, number, person):
        return frozenset()
    source = shop.external.of(shop.entities[number][1], person)
    return {record.remote_id for record in source}
