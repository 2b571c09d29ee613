"""Where Wix moderates: who may see a record, and what may go for it. Each is named I32."""

from __future__ import annotations

from collections.abc import Iterator

from sync_worker.core.values import Person, Record, RecordState, Side
from sync_worker.core.values.sites import RejectedImport, WixApproveOurs
from sync_worker.engine.moderation.visibility import REJECTED_IMPORT
from tests.simulation.oracles.reading import agree, is_held, is_made_by_us, key_of, shadowed
from tests.simulation.world import Shop
from tests.twins.remote_values import JournalEntry

DECISIONS = ("moderate", "withdraw", "approve")


def shown_and_hidden(shop: Shop) -> Iterator[str]:
    """Both sides hold the same, and nobody sees on one what was taken out of sight on the other."""
    if not shop.wix.capabilities.can_moderate or shop.sweeper.disbelieved:
        return
    for number, (wix_ref, external_ref) in enumerate(shop.entities):
        behind = shadowed(shop, external_ref)
        for person in shop.crowd.living():
            if is_held(shop, wix_ref, person):
                continue
            wix = next(iter(shop.wix.of(wix_ref, person)), None)
            theirs = [
                one for one in shop.external.of(external_ref, person) if one.remote_id not in behind
            ]
            external = next(iter(sorted(theirs, key=lambda one: not one.is_visible)), None)
            waits = (
                wix is not None and not wix.is_visible and not is_made_by_us(shop, wix.remote_id)
            )
            if (wix is None or waits) and was_unwanted(shop, number, person):
                continue
            if wrong := what_is_wrong(shop, wix, external):
                yield f"I32 {number} {person.contact_id}: {wrong}"


def what_is_wrong(shop: Shop, wix: Record | None, external: Record | None) -> str:
    """With the two records of one person for one thing; empty: nothing."""
    # nothing on Wix: what is shown outside was not brought there
    if wix is None:
        return "shown outside, not on Wix" if external and external.is_visible else ""
    ours, last = is_made_by_us(shop, wix.remote_id), last_decision(shop, wix.remote_id)
    is_ours_hidden = last is not None and last.by_us and not wix.is_visible
    # nothing outside: it was deleted there, or not brought there
    if external is None:
        keeps = shop.options.policy.rejected_import is RejectedImport.KEEP
        if wix.is_visible:
            return "shown on Wix, not outside"
        return "our copy was left on Wix" if ours and keeps else ""
    if not external.is_visible:
        owner_shows = last is not None and not last.by_us and last.state is RecordState.PUBLISHED
        return "hidden outside, shown on Wix" if wix.is_visible and not owner_shows else ""
    if is_ours_hidden:
        return "withdrawn by us, and shown outside"
    if not wix.is_visible and not ours:
        return "hidden on Wix by its owner, shown outside"
    for field in shop.options.fields:
        here, there = wix.values.get(field.attribute), external.values.get(field.external_field)
        if not agree(field, here, there):
            return f"{field.attribute}: {here} against {there}"
    return ""


def was_unwanted(shop: Shop, number: int, person: Person) -> bool:
    """Whether our last copy was deleted on Wix while nobody saw it there: its source stays.

    So it does where it was published, and its deletion was known first: the history names it.
    """
    keeps = shop.options.policy.rejected_import is RejectedImport.KEEP
    key = str(number), str(person.contact_id)
    ours = [
        entry
        for entry in shop.wix.journal
        if key_of(shop, Side.WIX, entry) == key and is_made_by_us(shop, entry.remote_id)
    ]
    if not keeps or not ours or ours[-1].by_us or ours[-1].operation != "delete":
        return False
    remote_id = ours[-1].remote_id
    if states_of(shop, remote_id)[-1] is not RecordState.PUBLISHED:
        return True
    is_named = any(line.reason == REJECTED_IMPORT for line in shop.ledger.history_entries())
    return is_named and shop.states_on_file[remote_id] is not RecordState.PUBLISHED


def states_of(shop: Shop, remote_id: str) -> list[RecordState]:
    """That a record on Wix has had, in order."""
    return [
        entry.state
        for entry in shop.wix.journal
        if entry.remote_id == remote_id and entry.state is not None
    ]


def last_decision(shop: Shop, remote_id: str) -> JournalEntry | None:
    """Who last showed or hid a record on Wix."""
    journal = reversed(shop.wix.journal)
    return next(
        (one for one in journal if one.remote_id == remote_id and one.operation in DECISIONS), None
    )


def deleted_outside_for_nothing(shop: Shop) -> Iterator[str]:
    """Nothing is deleted outside without a deletion, or a withdrawal of what was published, on Wix:
    by somebody else, and by policy only of what was theirs.
    """
    if not shop.wix.capabilities.can_moderate:
        return
    reasons = {
        key_of(shop, Side.WIX, entry)
        for entry in shop.wix.journal
        if not entry.by_us and takes_away(shop, entry)
    }
    for entry in shop.external.journal:
        if entry.by_us and entry.operation == "delete":
            key = key_of(shop, Side.EXTERNAL, entry)
            if key not in reasons:
                yield f"I32 {entry.remote_id} of {key} was deleted outside for nothing"


def takes_away(shop: Shop, entry: JournalEntry) -> bool:
    is_kept = shop.options.policy.rejected_import is RejectedImport.KEEP
    is_kept = is_kept and is_made_by_us(shop, entry.remote_id)
    if entry.operation == "delete":
        # Ours may go before anybody has seen it.
        return (
            entry.privacy
            or not is_kept
            or RecordState.PUBLISHED in states_of(shop, entry.remote_id)
        )
    hides = entry.operation == "moderate" and entry.was_visible
    return hides and entry.state is not RecordState.PUBLISHED and not is_kept


def moderated_too_often(shop: Shop) -> Iterator[str]:
    """We show and hide no more often than somebody acted outside, and approve ours once."""
    outside, ours = 0, 0
    approves = shop.options.policy.wix_approve_ours is WixApproveOurs.APPROVE
    for entry in shop.external.journal:
        outside += not entry.by_us
    for entry in shop.wix.journal:
        outside += approves and entry.by_us and entry.operation == "create"
        ours += entry.by_us and entry.operation in DECISIONS
    if ours > outside:
        yield f"I32 {ours} decisions of ours for {outside} outside"
