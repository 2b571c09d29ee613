"""What support people decided: it stands unless somebody edited the rating, and is on record."""

from __future__ import annotations

from collections.abc import Iterator, Set

from sync_worker.core.plan import Field
from sync_worker.core.values import EntityRef, HistoryEntry, HistoryKind, InboxState, Person, Side
from sync_worker.core.values.decisions import Asked
from tests.simulation.oracles.explained import lines_decided
from tests.simulation.oracles.reading import (
    AnyField,
    agree,
    erased_keys,
    fields_of,
    is_held,
    name_on,
    shadowed,
    shown,
    value_in,
)
from tests.simulation.world import Shop
from tests.simulation.world.decider import DecidedAct

APPLIED = ("synced", "in_step")
WRITES = (HistoryKind.CREATE, HistoryKind.UPDATE, HistoryKind.DELETE)


def decisions_lost(shop: Shop) -> Iterator[str]:
    """D1: every decision that asks for writes is on record under the name of whoever decided."""
    told = {(line.actor, line.inbox_id) for line in shop.ledger.history_entries() if line.actor}
    for act in shop.decider.decided:
        if not act.decision.asked.writes or is_erased(shop, act):
            continue
        state, reason = shop.ledger.ended(act.number)
        # As its person asked: nothing of it is on record.
        if reason == "erased":
            continue
        # Held: a person sees it there.
        if state is not InboxState.HELD and (act.decision.actor, act.number) not in told:
            yield f"D1 #{act.number} ended as {state} ({reason}), and the history does not know it"


def decided_values_lost(shop: Shop) -> Iterator[str]:
    """D2: what was decided last, and carried out, stands unless a person edited it since."""
    if shop.crowd.merged or shop.options.normalises or shop.options.moves:
        return
    for number, (wix_ref, external_ref) in enumerate(shop.entities):
        behind = shadowed(shop, external_ref)
        for person in shop.crowd.living():
            acts = [
                one
                for one in shop.decider.decided
                if one.key == (number, str(person.contact_id)) and one.decision.asked.writes
            ]
            # One that was stopped half-way has written, too.
            applied = [one for one in acts if is_done(shop, one) or written_for(shop, one)]
            if not applied or is_held(shop, wix_ref, person) or is_erased(shop, applied[-1]):
                continue
            yield from lost_of(shop, applied[-1], person, (wix_ref, external_ref, behind))


def is_done(shop: Shop, act: DecidedAct) -> bool:
    """Whether a decision was carried out in all that it asks for."""
    return shop.ledger.ended(act.number)[1] in APPLIED


def written_for(shop: Shop, act: DecidedAct) -> Set[str]:
    """The attributes that were written for a decision, however it ended."""
    return {line.attribute for line, by in lines_decided(shop) if by is act}


def lost_of(
    shop: Shop, act: DecidedAct, person: Person, where: tuple[EntityRef, EntityRef, Set[str]]
) -> Iterator[str]:
    wix_ref, external_ref, behind = where
    decision = act.decision
    if gave_several(shop, person, (wix_ref, external_ref)):
        return
    # A person stopped it half-way, or edited another attribute: of the rest nothing was written.
    names = decision.values.keys() if is_done(shop, act) else written_for(shop, act)
    for field in fields_of(shop):
        name = field.attribute if hasattr(field, "attribute") else field.name
        if name not in decision.values.keys() & names:
            continue
        if was_edited_since(shop, act, person, (wix_ref, external_ref), field):
            continue
        wix = shown(shop, Side.WIX, wix_ref, person, name_on(field, Side.WIX))
        outside = name_on(field, Side.EXTERNAL)
        external = shown(shop, Side.EXTERNAL, external_ref, person, outside, behind)
        now = wix if decision.side is Side.WIX else external
        wanted = decision.values[name]
        if now is None or not is_alike(field, decision.side, wanted, now):
            yield f"D2 #{act.number} made {name} {wanted} on {decision.side}, and {now} stands"
        elif not agree(field, wix, external):
            yield f"D2 #{act.number} made {name} {wanted}, and the sides differ"


def gave_several(shop: Shop, person: Person, pair: tuple[EntityRef, EntityRef]) -> bool:
    """Whether several records of the person were made outside, where that may be."""
    made = [
        entry
        for entry in shop.external.journal
        if entry.operation == "create"
        and entry.entity in pair
        and entry.person.email == person.email
    ]
    return len(made) > 1 and not shop.external.capabilities.is_unique


def was_edited_since(
    shop: Shop,
    act: DecidedAct,
    person: Person,
    pair: tuple[EntityRef, EntityRef],
    field: AnyField,
) -> bool:
    """Whether anybody gave or took away this attribute of the rating after the decision."""
    return any(
        entry.entity in pair
        and (entry.person.contact_id == person.contact_id or entry.person.email == person.email)
        and value_in(entry.before, field, side) != value_in(entry.after, field, side)
        for side, entry in shop.act_log.acts[act.acts_before :]
    )


def covered_unseen_by_decision(shop: Shop) -> Iterator[str]:
    """D3: a decision covers nothing but what whoever decided has seen."""
    by_number = {act.number: act for act in shop.decider.decided}
    for line in shop.ledger.history_entries():
        act = by_number.get(line.inbox_id or 0)
        if act is None or line.actor != act.decision.actor or line.what not in WRITES:
            continue
        if not is_known_to(shop, act, line):
            yield (
                f"D3 #{act.number} covered {line.attribute}={line.before} on {line.side}, which"
                f" {act.decision.actor} had not seen"
            )


def is_known_to(shop: Shop, act: DecidedAct, line: HistoryEntry) -> bool:
    """Whether a line covers what was seen, or what an earlier try had written."""
    decision, side = act.decision, line.side
    seen = decision.seen.get(line.attribute)
    if act.number in shop.decider.forced or seen is None or side is None:
        return True
    if line.before is None or line.before == seen.on(side):
        return True
    field = field_of(shop, line.attribute)
    if field is None or decision.asked is Asked.CHOOSE:
        return field is None or is_same(field, side, seen.on(side), line.before)
    wanted = decision.values.get(line.attribute)
    if is_same(field, side, seen.on(side), line.before) or wanted is None:
        return True
    return side is decision.side and is_alike(field, side, wanted, line.before)


def is_same(field: Field, side: Side, seen: object, now: object) -> bool:
    """To the digit; words in normal form."""
    return field.is_unchanged(side, seen, now)


def is_alike(field: Field, side: Side, wanted: object, now: object) -> bool:
    """In one class; words in normal form."""
    return field.is_alike(side, wanted, now)


def field_of(shop: Shop, attribute: str) -> AnyField | None:
    for field in fields_of(shop):
        if attribute == getattr(field, "attribute", None) or attribute == getattr(
            field, "name", None
        ):
            return field
    return None


def is_erased(shop: Shop, act: DecidedAct) -> bool:
    """Whether its person asked to be forgotten."""
    number, contact = act.key
    return (str(number), contact) in erased_keys(shop) or any(
        str(one.contact_id) == contact for one in shop.crowd.erased
    )
