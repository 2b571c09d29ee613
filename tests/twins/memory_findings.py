"""Findings of a sweep in memory: against what is on file, and on their way into the inbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from sync_worker.core.hold_reasons import STANDS_BY
from sync_worker.core.record_codec import LISTED
from sync_worker.core.sweep_values import Listed, OnFile, Whose
from sync_worker.core.values import InboxState, Link, NewDelivery, RatingKey, Side, Site
from tests.twins.memory_links import entity_of, give_key
from tests.twins.memory_state import OPEN, InboxRow, MemoryState

QUEUED_SECONDS = 60.0


def on_file_of(state: MemoryState, site: Site, side: Side, remote_id: str) -> OnFile:
    """What the ledger knows of a remote id."""
    name = (side, state.source(site.id, side), remote_id)
    news = ((row.delivery.new, row.delivery.state) for row in state.rows.values())
    states = {
        inbox_state for new, inbox_state in news if (new.side, new.source, new.remote_id) == name
    }
    known = OnFile(
        is_held=InboxState.HELD in states,
        is_awaited=not states.isdisjoint(OPEN),
        is_shadowed=side is Side.EXTERNAL and _is_shadowed(state, site.id, remote_id),
    )
    if known.is_shadowed:
        behind = next(one for one in _links_of(state, site.id) if remote_id in one.shadowed)
        known = replace(known, whose=_whose(state, behind))
    link_id = state.by_remote.get((site.id, side, remote_id))
    grave = state.graves.get((site.id, side, remote_id))
    if link_id is not None:
        return _as_linked(known, state, link_id, side, remote_id)
    if grave is not None:
        return replace(known, is_buried=True, revision=grave.revision)
    return known


def _is_shadowed(state: MemoryState, site_id: int, remote_id: str) -> bool:
    return any(remote_id in link.shadowed for link in _links_of(state, site_id))


def _links_of(state: MemoryState, site_id: int) -> Iterator[Link]:
    links = (row.link for row in state.link_rows.values())
    return (link for link in links if link.key.site_id == site_id)


def _whose(state: MemoryState, link: Link) -> Whose:
    addresses = frozenset(
        contact.email
        for owner, contact in state.contacts
        if (owner, contact.contact_id) == (link.key.site_id, link.key.contact_id) and contact.email
    )
    return Whose(entity_of(state, link.key).external, addresses)


def _as_linked(
    known: OnFile, state: MemoryState, link_id: int, side: Side, remote_id: str
) -> OnFile:
    link = state.link_rows[link_id].link
    slot = next(slot for slot, record in link.records.items() if record.remote_id == remote_id)
    shown = {
        name: base.on(side) for name, base in link.bases.items() if slot.attribute in ("", name)
    }
    return replace(
        known,
        is_linked=True,
        is_held=known.is_held or any(row.is_held for row in state.of_link(link_id)),
        revision=link.records[slot].revision,
        state=link.records[slot].state,
        values={name: value for name, value in shown.items() if isinstance(value, Decimal)},
        words={name: value for name, value in shown.items() if isinstance(value, str)},
        whose=_whose(state, link) if side is Side.EXTERNAL else None,
        identity=link.records[slot].identity,
    )


def put_finding(
    state: MemoryState, key: RatingKey | None, row: Listed, new: NewDelivery
) -> tuple[int, str]:
    """One delivery into the inbox; its id, and why it is held if it is."""
    stored = state.store(new)
    kept = state.rows[stored.inbox_id]
    has_link = key is not None and not state.is_erased(key.site_id, key.contact_id)
    if key is not None and has_link:
        _give_keys(state, key, new)
        # One that is on its way already finds its key itself.
        if not (stored.is_duplicate and kept.is_open):
            give_key(state, stored.inbox_id, key)
    if not stored.is_duplicate:
        kept.delivery = replace(kept.delivery, must_read=row.must_read)
        kept.next_attempt_at = state.now() + QUEUED_SECONDS
        if row.hold:
            kept.delivery = replace(kept.delivery, state=InboxState.HELD, reason=row.hold)
        return stored.inbox_id, row.hold
    if kept.is_held and (key is None or kept.delivery.reason in STANDS_BY):
        # A person has to release it, or its key is still to be found.
        return stored.inbox_id, kept.delivery.reason
    if kept.is_held:
        return stored.inbox_id, ""
    if not kept.is_open and (reason := _why_it_rests(state, key, kept, new)):
        return stored.inbox_id, reason
    if not kept.is_open:
        state.release_delivery(stored.inbox_id)
        # An erasure may have hashed its id.
        told = replace(kept.delivery.new, payload=new.payload, remote_id=new.remote_id)
        link_id = kept.delivery.link_id if has_link else None
        kept.delivery = replace(kept.delivery, new=told, link_id=link_id)
        kept.next_attempt_at = state.now() + QUEUED_SECONDS
    return stored.inbox_id, ""


def _why_it_rests(
    state: MemoryState, key: RatingKey | None, kept: InboxRow, new: NewDelivery
) -> str:
    """Listed as the last look was told, and nothing was told of its rating since."""
    link_id = kept.delivery.link_id
    its_link = None if key is None else state.by_key.get(key)
    is_same = link_id is not None and link_id == its_link
    if not is_same or not new.payload or kept.delivery.new.payload != new.payload:
        return ""
    rows = state.of_link(link_id)
    reasons = [row.delivery.reason for row in rows if row.is_held]
    later = [row for row in rows if row is not kept and row.received_at > kept.received_at]
    if any(_is_news_beside(row.delivery.new, new) for row in later):
        return ""
    if not STANDS_BY.issuperset(reasons):
        return ""
    return next(iter(reasons), "")


def _is_news_beside(other: NewDelivery, new: NewDelivery) -> bool:
    """What a sweep lists of the other side has a look of its own."""
    is_listed = (other.dedupe_id or "").startswith(LISTED)
    return not is_listed or (other.side, other.remote_id) == (new.side, new.remote_id)


def _give_keys(state: MemoryState, key: RatingKey, new: NewDelivery) -> None:
    """To those of the same record that were held without a key."""
    name = (new.side, new.source, new.remote_id)
    for other, row in list(state.rows.items()):
        told = row.delivery.new
        is_same = (told.side, told.source, told.remote_id) == name
        if row.delivery.reason in STANDS_BY:
            continue
        if is_same and row.is_held and row.delivery.link_id is None:
            state.release_delivery(other)
            give_key(state, other, key)
