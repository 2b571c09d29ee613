"""What the ledger knows of the ratings of a page: their thing, person, and both sides' values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import Connection, func, select

from sync_worker.core.values import Contact, Entity, HistoryKind, Value
from sync_worker.ledger.rows import to_contact, to_entity, to_history
from sync_worker.ledger.tables import contact_map, entity_map, history, link, link_value

Pair = tuple[Value | None, Value | None]  # of Wix, and of the external side


@dataclass(frozen=True, slots=True)
class RatingFacts:
    """One rating. ``bases``: what both sides last agreed on, by attribute.

    ``differs``: what both sides showed, Wix first, as it was held; by attribute.
    """

    link_id: int
    entity: Entity
    title: str | None
    contact: Contact
    bases: Mapping[str, Pair] = field(default_factory=dict)
    differs: Mapping[str, Pair] = field(default_factory=dict)


def facts_of(connection: Connection, link_ids: Sequence[int]) -> dict[int, RatingFacts]:
    """Of these links, in four questions however many they are."""
    ids = sorted(set(link_ids))
    if not ids:
        return {}
    contacts, bases = _contacts(connection, ids), _bases(connection, ids)
    differs = _differs(connection, ids)
    rows = select(link.c.id, link.c.contact_id, *entity_map.c[1:])
    rows = rows.join(entity_map, entity_map.c.id == link.c.entity_id).where(link.c.id.in_(ids))
    found = {}
    for row in connection.execute(rows):
        contact = contacts.get(row.id) or Contact(row.contact_id)
        its_bases, its_differs = bases.get(row.id, {}), differs.get(row.id, {})
        found[row.id] = RatingFacts(
            row.id, to_entity(row), row.title, contact, its_bases, its_differs
        )
    return found


def _contacts(connection: Connection, ids: Sequence[int]) -> dict[int, Contact]:
    """The oldest address of each, as the engine takes it."""
    is_theirs = contact_map.c.site_id == link.c.site_id
    is_theirs &= contact_map.c.wix_contact_id == link.c.contact_id
    rows = select(link.c.id.label("link_id"), *contact_map.c[1:]).join(contact_map, is_theirs)
    rows = rows.where(link.c.id.in_(ids)).order_by(contact_map.c.id.desc())
    return {row.link_id: to_contact(row) for row in connection.execute(rows)}


def _bases(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, Pair]]:
    columns = (link_value.c.attribute, link_value.c.base_wix, link_value.c.base_external)
    rows = select(link_value.c.link_id, *columns).where(link_value.c.link_id.in_(ids))
    bases: dict[int, dict[str, Pair]] = {}
    for row in connection.execute(rows):
        pair = (_number(row.base_wix), _number(row.base_external))
        bases.setdefault(row.link_id, {})[row.attribute] = pair
    return bases


def _differs(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, Pair]]:
    """The newest line of each link and attribute that says why it is held."""
    is_hold = history.c.link_id.in_(ids) & (history.c.what == str(HistoryKind.HOLD))
    newest = select(func.max(history.c.id)).where(is_hold)
    newest = newest.group_by(history.c.link_id, history.c.attribute)
    differs: dict[int, dict[str, Pair]] = {}
    for row in connection.execute(select(history).where(history.c.id.in_(newest))):
        entry = to_history(row)
        if entry.attribute:
            pair = (entry.before, entry.after)
            differs.setdefault(row.link_id, {})[entry.attribute] = pair
    return differs


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
