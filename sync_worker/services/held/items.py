"""A held delivery in the words of a person: who rated what, and how."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sync_worker.core.hold_reasons import hold_reason
from sync_worker.core.outside_words import for_people, shortened
from sync_worker.core.said import joined, said
from sync_worker.core.values import Change, Record, Site, Value
from sync_worker.ledger.console.held_pages import HeldRow
from sync_worker.services.access.masking import masked
from sync_worker.services.held.reading import both_values, missing_thing
from sync_worker.services.held.values import HeldItem

MAX_NAME = 120
MAX_TEXT = 60


def item_of(row: HeldRow, record: Record | None, *, sees_addresses: bool) -> HeldItem:
    """``record``: what the delivery carries, if it can be read."""
    new, known = row.delivery.new, hold_reason(row.delivery.reason)
    name, address = _person(row, record)
    if not sees_addresses:
        address = masked(address)
        # Some have given their address as their name.
        name = masked(name) if "@" in name else name
    title, thing_id = _thing(row, record)
    here, there = both_values(row, record)
    return HeldItem(
        row.delivery.id,
        row.delivery.reason,
        known.title,
        str(known.way),
        row.site.id if row.site else None,
        site_words(row.site),
        str(new.side),
        str(new.change),
        new.remote_id,
        name or address,
        address,
        title or thing_id,
        thing_id,
        said("deleted") if new.change is Change.DELETE else _value(here),
        _value(there),
        _received(row),
        row.delivery.link_id,
    )


def site_words(site: Site | None) -> str:
    """A site in a few words."""
    if site is None:
        return said("no site")
    return joined(" · ", [str(site.id), site.connector or said("no account yet")])


def _received(row: HeldRow) -> datetime:
    received = row.delivery.received_at
    assert received is not None  # noqa: S101 - every row has it
    return received


def _person(row: HeldRow, record: Record | None) -> tuple[str, str]:
    """A name and an address, as far as either is known."""
    name = address = ""
    if record is not None:
        name, address = record.person.name or "", record.person.email or ""
    if row.facts is not None:
        name = row.facts.contact.name or name
        address = row.facts.contact.email or address
    if not name and not address and record is not None:
        name = record.person.contact_id or ""
    return _shown(name), _shown(address)


def _thing(row: HeldRow, record: Record | None) -> tuple[str, str]:
    """What a catalogue calls it, and its id where the delivery came from."""
    thing = missing_thing(row, record)
    title = row.facts.title if row.facts is not None else None
    return _shown(title or ""), _shown(thing.entity_id) if thing is not None else ""


def _value(value: Value | None) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return f"“{shortened(for_people(value), MAX_TEXT)}”"


def _shown(words: str) -> str:
    return shortened(for_people(words), MAX_NAME)
