"""What merges of its contact change about a link that is leased."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from sync_worker.core.ports.links import LeasedLink
from sync_worker.core.values import Contact
from sync_worker.ledger.statements import contacts, links


def with_merges(connection: Connection, leased: LeasedLink, contact: Contact | None) -> LeasedLink:
    """What merges of the link's contact change; ``contact``: with an address of its own, if any."""
    key = leased.link.key
    # Without an address of its own the contact takes that of a contact merged into it.
    contact = contact or contacts.known_contact(connection, key.site_id, key.contact_id)
    survivor = contacts.surviving_id(connection, key.site_id, key.contact_id)
    merged_into = None if survivor == key.contact_id else survivor
    return replace(
        leased,
        contact=contact or leased.contact,
        merged_into=merged_into,
        links_to_join=links.links_to_join(connection, key),
    )
