"""Whether something is left: open work, holds without a cause, memories of erased people."""

from __future__ import annotations

from collections.abc import Iterator, Set

from sync_worker.core.hold_reasons import ACCOUNT_PAUSED, FOR_AN_ACCOUNT
from sync_worker.core.ports.site_sides import ACCOUNT_FAILING
from sync_worker.core.values import EntityRef, Person, Side
from tests.simulation.oracles.reading import (
    agree,
    diverges_by_policy,
    fields_of,
    keeps_anothers,
    name_on,
    replaced,
    shown,
)
from tests.simulation.world import Shop


def left_open(shop: Shop) -> Iterator[str]:
    """I7: every accepted delivery has come to an end, and no write is of unknown outcome."""
    if count := shop.ledger.open_count():
        yield f"I7 {count} deliveries are open"
    awaiting = sum(
        entry.reason == "awaiting_confirmation" for entry in shop.ledger.history_entries()
    )
    if (
        count := shop.ledger.open_intents()
    ) > awaiting:  # held, and shown as such: nobody can tell the outcome
        yield f"I12 {count} intents are open"


def waits_for_nothing(shop: Shop) -> Iterator[str]:
    """I31: nothing waits for an account that works again, or is there again."""
    reasons = (ACCOUNT_FAILING, ACCOUNT_PAUSED, *FOR_AN_ACCOUNT)
    waiting = sum(reason in reasons for reason in shop.ledger.held_reasons())
    if waiting:
        yield f"I31 {waiting} deliveries wait for an account that works"
    for side, source in shop.post.earlier:
        if waiting := shop.ledger.held_of_source(side, source):
            yield f"I31 {waiting} deliveries wait for an account that was followed by another"


def held_in_step(shop: Shop) -> Iterator[str]:
    """I31: no delivery is held for a rating that sweeps have found in step."""
    if not shop.options.sweeps or diverges_by_policy(shop):
        return
    # A write of unknown outcome may show yet: its rating is not in step before that is known.
    if shop.ledger.open_intents():
        return
    for wix_ref, external_ref in shop.entities:
        behind = replaced(shop, external_ref)
        for person in shop.crowd.living():
            # What it has on file names somebody who has a rating: that is no agreement.
            if keeps_anothers(shop, wix_ref, person):
                continue
            # Nor does it agree with two records, of which a person has to say which one counts.
            if gave_several(shop, external_ref, person, behind):
                continue
            if shop.is_held(wix_ref, person) and is_in_step(
                shop, (wix_ref, external_ref), person, behind
            ):
                yield f"I31 {wix_ref.entity_id} {person.contact_id} is held, and in step"


def gave_several(shop: Shop, entity: EntityRef, person: Person, behind: Set[str]) -> bool:
    """Whether several records of a person, or of contacts merged into one, show outside."""
    there = shop.crowd.ratings_of(Side.EXTERNAL, entity, person)
    return len([one for one in there if one.is_visible and one.remote_id not in behind]) > 1


def is_in_step(
    shop: Shop, entity: tuple[EntityRef, EntityRef], person: Person, behind: Set[str]
) -> bool:
    """Whether both sides show the same of every attribute."""
    return all(
        agree(
            field,
            shown(shop, Side.WIX, entity[0], person, name_on(field, Side.WIX)),
            shown(shop, Side.EXTERNAL, entity[1], person, name_on(field, Side.EXTERNAL), behind),
        )
        for field in fields_of(shop)
    )


def remembered_after_erasure(shop: Shop) -> Iterator[str]:
    """I20: no address, contact id or erased rating of a person who asked for it is on file
    anywhere.

    The bare id of a rating that they had removed before, and that no link ever knew, tells of
    nobody.
    """
    if not shop.crowd.erased:
        return
    ledger, guarded = shop.ledger.everything(), str(shop.guarded())
    for person in shop.crowd.erased:
        for name in (f"{person.contact_id}'", str(person.email)):
            if name in ledger:
                yield f"I20 {name} is still on file"
        for entry in shop.wix.journal:
            if entry.person.contact_id == person.contact_id and entry.privacy:
                if f"'{entry.remote_id}'" in ledger or f"'{entry.remote_id}'" in guarded:
                    yield f"I20 rating {entry.remote_id} of {person.contact_id} is still on file"
                if entry.remote_id in shop.wix.records:
                    yield f"I20 rating {entry.remote_id} of {person.contact_id} lives on Wix"
        for _, external_ref in shop.entities:
            for record in shop.external.of(external_ref, person):
                if record.remote_id in shop.shadowed:
                    yield (
                        f"I20 {record.remote_id} of {person.contact_id}, shadowed before, lives"
                        " outside"
                    )
