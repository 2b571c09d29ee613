"""Contacts, and who was merged into whom: tables ``contact_map`` and ``contact_redirect``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from sqlalchemy import Connection

from sync_worker.core.email_identity import earlier_identities, normalise_email
from sync_worker.core.hold_keys import address_tombstones, contact_tombstone, erased_id
from sync_worker.core.values import Buried, Contact, Side
from sync_worker.ledger.rows import to_contact
from sync_worker.ledger.sql_text import SqlText, batch, columns_of
from sync_worker.ledger.statements.tombstones import ask_buried_among, erased_among, lock_ids
from sync_worker.ledger.tables import contact_map

NAMES_AT_ONCE = 400

MERGE_TARGET = SqlText("""
-- contact.merge_target: one step; a chain of merges is followed step by step
SELECT target_id FROM contact_redirect WHERE site_id = :site_id AND contact_id = :contact_id
""")

MERGE_SOURCES = SqlText("""
-- contact.merge_sources: those merged straight into one contact
SELECT contact_id FROM contact_redirect WHERE site_id = :site_id AND target_id = :contact_id
ORDER BY contact_id
""")

UNMERGED = SqlText(f"""
-- contact.unmerged: a contact that was not merged into another: all that most contacts need
SELECT {columns_of(contact_map)} FROM contact_map
WHERE site_id = :site_id AND wix_contact_id = :contact_id AND NOT EXISTS (
  SELECT 1 FROM contact_redirect WHERE site_id = :site_id AND contact_id = :contact_id)
ORDER BY id LIMIT 1
""")

OF_ADDRESS = SqlText(f"""
-- contact.of_address: an address belongs to one contact of a site
SELECT {columns_of(contact_map)} FROM contact_map
WHERE site_id = :site_id AND email = :email ORDER BY id LIMIT 1
""")

OF_EARLIER_FORM = SqlText(f"""
-- contact.of_earlier_form: on file since before an address had one identity
SELECT {columns_of(contact_map)} FROM contact_map
WHERE site_id = :site_id AND email = ANY(:forms::varchar[]) AND rule = 0 ORDER BY id LIMIT 1
""")

OLDEST_OF = SqlText(f"""
-- contact.oldest_of: of several addresses the one that was known first
SELECT {columns_of(contact_map)} FROM contact_map
WHERE site_id = :site_id AND wix_contact_id = ANY(:contact_ids::varchar[]) ORDER BY id LIMIT 1
""")


def merge_path(connection: Connection, site_id: int, contact_id: str) -> list[str]:
    """The contact, the one it was merged into, and so on, to the one that lives on."""
    path = [contact_id]
    while True:
        target = MERGE_TARGET.scalar(connection, site_id=site_id, contact_id=path[-1])
        # The end of the chain; a circle, which no merge should make, ends it too.
        if target is None or target in path:
            return path
        path.append(target)


def surviving_id(connection: Connection, site_id: int, contact_id: str) -> str:
    """The contact that lives on after all merges; mostly the contact itself."""
    return merge_path(connection, site_id, contact_id)[-1]


def ids_of_contact(connection: Connection, site_id: int, contact_id: str) -> list[str]:
    """The contact first, then all that were merged into it."""
    ids, place = [contact_id], 0
    while place < len(ids):
        found = MERGE_SOURCES.all(connection, site_id=site_id, contact_id=ids[place])
        ids += [row.contact_id for row in found if row.contact_id not in ids]
        place += 1
    return ids


def all_ids_of(connection: Connection, site_id: int, contact_id: str) -> list[str]:
    """The contact that lives on, and all that were merged into it."""
    return ids_of_contact(connection, site_id, surviving_id(connection, site_id, contact_id))


def contact_of(connection: Connection, site_id: int, contact_id: str) -> Contact | None:
    """The contact, or the one it was merged into, with an address."""
    row = UNMERGED.first(connection, site_id=site_id, contact_id=contact_id)
    if row is not None:
        return to_contact(row)
    return known_contact(connection, site_id, surviving_id(connection, site_id, contact_id))


def known_contact(connection: Connection, site_id: int, contact_id: str) -> Contact | None:
    """With an address of its own, else with one of a contact that was merged into it."""
    row = OLDEST_OF.first(connection, site_id=site_id, contact_ids=[contact_id])
    if row is not None:
        return to_contact(row)
    # Its address may be known under an id that was merged into it.
    ids = ids_of_contact(connection, site_id, contact_id)
    # Nobody was merged into it.
    if len(ids) == 1:
        return None
    row = OLDEST_OF.first(connection, site_id=site_id, contact_ids=ids)
    if row is None:
        return None
    # The address was a merged contact's. Now it belongs to the contact that lives on.
    return Contact(contact_id, row.email, row.name, row.external_author_id)


def contact_of_address(connection: Connection, site_id: int, email: str) -> Any:
    """The row of an address, ``None`` if nobody has it."""
    return OF_ADDRESS.first(connection, site_id=site_id, email=email)


def contact_of_any_form(connection: Connection, site_id: int, email: str) -> Any:
    """The row of an address, also as an earlier version wrote it."""
    row = contact_of_address(connection, site_id, normalise_email(email))
    return row or row_of_earlier_form(connection, site_id, email)


def row_of_earlier_form(connection: Connection, site_id: int, email: str) -> Any:
    """The row of an address as an earlier version wrote it, ``None`` if there is none."""
    forms = list(earlier_identities(email))
    # As of nearly all addresses.
    if not forms:
        return None
    return OF_EARLIER_FORM.first(connection, site_id=site_id, forms=forms)


def erased_addresses(
    connection: Connection, site_id: int, addresses: Iterable[str], ids: Collection[str] = ()
) -> set[str]:
    """Those whose owners asked to be forgotten, and that no contact has again but one of these."""
    # Several ways of writing an address have one name.
    named: dict[str, set[str]] = {}
    for address in addresses:
        for name in address_tombstones(address):
            named.setdefault(erased_id(site_id, Side.EXTERNAL, name), set()).add(address)
    erased, names = set[str](), list(named)
    for start in range(0, len(names), NAMES_AT_ONCE):
        some = erased_among(site_id, names[start : start + NAMES_AT_ONCE])
        erased.update(*(named[name] for name in connection.execute(some).scalars()))
    for address in [*erased]:
        row = contact_of_address(connection, site_id, normalise_email(address))
        if row is not None and row.wix_contact_id not in ids:
            erased.remove(address)
    return erased


def is_erased(connection: Connection, site_id: int, contact_id: str) -> bool:
    """Asked before anything is made for a contact: who erases it and who asks take turns."""
    with batch(connection):
        tombstones = ask_erased(connection, site_id, contact_id)
    return bool(tombstones())


def ask_erased(connection: Connection, site_id: int, contact_id: str) -> Callable[[], list[Buried]]:
    """The tombstone of an erased contact, to be called after the batch it is asked in."""
    names = {Side.WIX: [contact_tombstone(contact_id)]}
    lock_ids(connection, site_id, names)
    return ask_buried_among(connection, site_id, names)
