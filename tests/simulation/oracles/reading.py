"""What a world shows at rest, as the oracles ask for it."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from sync_worker.core.scale import FieldMap, OffScale
from sync_worker.core.values import EntityRef, HistoryKind, Person, Record, Side, Value
from sync_worker.core.values.texts import WordsField, storable
from sync_worker.engine.moves.moves import MOVED_ONTO_RATING
from tests.simulation.world import Shop
from tests.twins.remote_values import JournalEntry

AnyField = FieldMap | WordsField


def shown(
    shop: Shop,
    side: Side,
    entity: EntityRef,
    person: Person,
    name: str,
    without: Set[str] = frozenset(),
) -> Value | None:
    visible = [
        one
        for one in shop.crowd.ratings_of(side, entity, person)
        if counts(shop, side, one) and one.remote_id not in without
    ]
    values = (says(record, name) for record in visible)
    return next((value for value in values if value is not None), None)


def counts(shop: Shop, side: Side, record: Record) -> bool:
    """Whether a record counts as there: where Wix moderates, ours does so out of sight, too."""
    if record.is_visible or side is Side.EXTERNAL:
        return record.is_visible
    return shop.wix.capabilities.can_moderate and is_made_by_us(shop, record.remote_id)


def is_made_by_us(shop: Shop, remote_id: str) -> bool:
    """Whether a record on Wix is one that we brought there, or that nobody can tell from one.

    A person may have made the very record that a lost create of ours wanted to make.
    """
    made = (one for one in shop.wix.journal if one.remote_id == remote_id)
    taken = (one for one in shop.ledger.history_entries() if one.remote_id == remote_id)
    return any(one.by_us and one.operation == "create" for one in made) or any(
        one.what == HistoryKind.CREATE and one.side is Side.WIX for one in taken
    )


def says(record: Record, name: str) -> Value | None:
    """A number, or words; those of a record without stars are none."""
    if name in record.values or not record.values:
        return record.values.get(name)
    return record.words.get(name)


def fields_of(shop: Shop) -> tuple[AnyField, ...]:
    """All that both sides keep in step."""
    return (*shop.options.fields, *shop.options.words_fields)


def name_on(field: AnyField, side: Side) -> str:
    if isinstance(field, WordsField):
        return field.name
    return field.attribute if side is Side.WIX else field.external_field


def value_in(values: object, field: AnyField, side: Side) -> Any:
    return values.get(name_on(field, side)) if isinstance(values, dict) else None


def agree(field: AnyField, wix: Any, external: Any) -> bool:
    if isinstance(field, WordsField):
        return field.agree(wix or "", external or "")
    if wix is None or external is None:
        return wix is external
    try:
        return field.agree(wix, external)
    except OffScale:
        return False


def shadowed(shop: Shop, external_ref: EntityRef) -> Set[str]:
    """Records that stand behind a newer one of the same person, where a system allows several;
    and those that a person has to place, since they were given to somebody who has one.
    """
    if shop.external.capabilities.is_unique:
        return moved_onto_another(shop)
    family = shop.ledger.directory.records_of_entity(shop.site.id, external_ref)
    return frozenset(family.shadowed - family.on_file.keys()) | moved_onto_another(shop)


def replaced(shop: Shop, external_ref: EntityRef) -> Set[str]:
    """The same, and those on file for which a newer one stands that is held."""
    if shop.external.capabilities.is_unique:
        return shadowed(shop, external_ref)
    family = shop.ledger.directory.records_of_entity(shop.site.id, external_ref)
    return frozenset(family.shadowed) | moved_onto_another(shop)


def has_moves(shop: Shop) -> bool:
    """Whether somebody gave a record to another person or thing."""
    return any(entry.operation == "move" for entry in shop.external.journal)


def moved_onto_another(shop: Shop) -> Set[str]:
    """Records that are held, since whom they name now has a rating already."""
    held = {name for name, _ in shop.ledger.closed_with(MOVED_ONTO_RATING)}
    return frozenset(name for name in held if is_on_file_elsewhere(shop, name))


def keeps_anothers(shop: Shop, wix_ref: EntityRef, person: Person) -> bool:
    """Whether a person's rating has a record on file that was given to somebody with a rating."""
    entity = shop.ledger.directory.entity(shop.site.id, Side.WIX, wix_ref)
    own = {(entity.id, str(one.contact_id)) for one in shop.crowd.aliases(person)}
    keys = (
        shop.ledger.directory.locate(shop.site.id, Side.EXTERNAL, name).key
        for name in moved_onto_another(shop)
    )
    return any((key.entity_id, key.contact_id) in own for key in keys)


def is_on_file_elsewhere(shop: Shop, remote_id: str) -> bool:
    """Whether an external record is on file for somebody whom it does not name."""
    record = shop.external.records.get(remote_id)
    key = shop.ledger.directory.locate(shop.site.id, Side.EXTERNAL, remote_id).key
    if record is None or key is None or record.entity is None:
        return False
    entity = shop.ledger.directory.entity(shop.site.id, Side.EXTERNAL, record.entity)
    contact = shop.ledger.directory.contact(shop.site.id, email=str(record.person.email))
    return (key.entity_id, key.contact_id) != (entity.id, contact.contact_id)


def is_held(shop: Shop, entity: EntityRef, person: Person) -> bool:
    return any(shop.is_held(entity, one) for one in shop.crowd.aliases(person))


def key_of(shop: Shop, side: Side, entry: JournalEntry) -> tuple[str, str]:
    assert entry.entity is not None
    number = next(i for i, pair in enumerate(shop.entities) if entry.entity in pair)
    person = next(
        one
        for one in shop.persons
        if (
            one.contact_id == entry.person.contact_id
            if side is Side.WIX
            else one.email == entry.person.email
        )
    )
    return str(number), str(shop.crowd.lives_as(person).contact_id)


def our_writes(shop: Shop) -> list[tuple[Side, JournalEntry]]:
    return [
        (side, entry)
        for side, remote in shop.remotes.items()
        for entry in remote.journal
        if entry.by_us
    ]


def untold_creates(shop: Shop) -> Set[str]:
    """Records of ours whose answer was lost, and that no look could find again."""
    told = {line.remote_id for line in shop.ledger.history_entries() if line.what == "create"}
    made = {write.remote_id for _, write in our_writes(shop) if write.operation == "create"}
    return made - told


def erased_keys(shop: Shop) -> set[tuple[str, str]]:
    """Ratings that a privacy request has removed."""
    entries = (
        (side, entry)
        for side, remote in shop.remotes.items()
        for entry in remote.journal
        if entry.privacy
    )
    by_person = {
        (str(number), str(shop.crowd.lives_as(one).contact_id))
        for number in range(len(shop.entities))
        for one in shop.crowd.erased
    }
    return by_person | {key_of(shop, side, entry) for side, entry in entries}


def moderated(shop: Shop, side: Side) -> Set[str]:
    journal = shop.remotes[side].journal
    hiding = ("moderate", "withdraw", "approve")
    hidden = {one.remote_id for one in shop.remotes[side].records.values() if not one.is_visible}
    return hidden | {entry.remote_id for entry in journal if entry.operation in hiding}


def on_record(value: Any) -> Any:
    """As the history keeps it: words without what no database holds."""
    return storable(value) if isinstance(value, str) else value


def live_records(shop: Shop, key: tuple[int, str]) -> list[Record]:
    wix_ref, external_ref = shop.entities[key[0]]
    person = next(one for one in shop.persons if one.contact_id == key[1])
    return shop.wix.of(wix_ref, person) + shop.external.of(external_ref, person)


def diverges_by_policy(shop: Shop) -> bool:
    """The owner asked that some changes do not cross."""
    policy = shop.options.policy
    return policy.deletes == "ignore" or policy.direction != "both"
