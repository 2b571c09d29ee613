"""Whose id stands for whom after merges, in memory."""

from __future__ import annotations

from dataclasses import replace

from sync_worker.core.values import Contact
from tests.twins.memory_state import MemoryState


def merge_path(state: MemoryState, site_id: int, contact_id: str) -> list[str]:
    """The contact, the one it was merged into, and so on, to the one that lives on."""
    path = [contact_id]
    target = state.redirects.get((site_id, contact_id))
    while target is not None and target not in path:
        path.append(target)
        target = state.redirects.get((site_id, target))
    return path


def surviving_id(state: MemoryState, site_id: int, contact_id: str) -> str:
    return merge_path(state, site_id, contact_id)[-1]


def ids_of_contact(state: MemoryState, site_id: int, contact_id: str) -> list[str]:
    """The contact first, then all that were merged into it."""
    ids = [contact_id]
    for member in ids:
        sources = sorted(
            source
            for (owner, source), target in state.redirects.items()
            if (owner, target) == (site_id, member)
        )
        ids += [source for source in sources if source not in ids]
    return ids


def all_ids_of(state: MemoryState, site_id: int, contact_id: str) -> list[str]:
    """All contacts that are the same person as this one by now."""
    return ids_of_contact(state, site_id, surviving_id(state, site_id, contact_id))


def links_of_contact(state: MemoryState, site_id: int, contact_id: str) -> list[int]:
    """The links of all contacts that are the same person."""
    ids = all_ids_of(state, site_id, contact_id)
    return [
        link_id
        for link_id, row in state.link_rows.items()
        if row.link.key.site_id == site_id and row.link.key.contact_id in ids
    ]


def known_contact(state: MemoryState, site_id: int, contact_id: str) -> Contact | None:
    """A contact with an address of its own, else with one of a contact merged into it."""
    for member in ids_of_contact(state, site_id, contact_id):
        for owner, contact in state.contacts:
            if owner == site_id and contact.contact_id == member:
                return replace(contact, contact_id=contact_id)
    return None
