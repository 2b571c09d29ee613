"""Links that come to the contact that lives on: all tables that know a link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, select, update

from sync_worker.core.errors import LeaseLost
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import (
    Buried,
    Change,
    InboxState,
    Lease,
    Link,
    LinkState,
    NewDelivery,
    Side,
    Site,
)
from sync_worker.ledger.rows import from_delivery, from_external
from sync_worker.ledger.statements.inbox import DOORBELL_SECONDS, ENDED, OPEN
from sync_worker.ledger.statements.tombstones import lock_ids
from sync_worker.ledger.statements.words import WORDS_COLUMNS
from sync_worker.ledger.tables import contact_redirect, inbox, link, link_value, site, tombstone
from sync_worker.ledger.transactions import insert_into, ledger_now


def store_redirect(
    connection: Connection, site_id: int, source: str, target: str, *, is_told: bool
) -> None:
    """One merge; one that an event told of replaces one that was only found."""
    row = {"site_id": site_id, "contact_id": source, "target_id": target}
    insert = insert_into(connection, contact_redirect).values(row)
    # An event has the last word about a merge.
    if is_told:
        names = ["site_id", "contact_id"]
        stored = insert.on_conflict_do_update(index_elements=names, set_={"target_id": target})
    else:
        # Found by a look at the contact: it never replaces what is known.
        stored = insert.on_conflict_do_nothing()
    connection.execute(stored)


def hold_link(connection: Connection, lease: Lease) -> None:
    """Lock a link under its fence for this transaction. Raises LeaseLost."""
    is_ours = (
        (link.c.id == lease.link_id)
        & (link.c.fence == lease.fence)
        & (link.c.lease_until > ledger_now())
    )
    # The value stays. The statement is for the lock on the row.
    held = connection.execute(update(link).where(is_ours).values(fence=link.c.fence))
    if held.rowcount != 1:
        raise LeaseLost


def rekey_link(connection: Connection, link_id: int, contact_id: str) -> None:
    """Raises IntegrityError if the contact has a link for this entity."""
    connection.execute(update(link).where(link.c.id == link_id).values(contact_id=contact_id))


def move_link(connection: Connection, of: Site, source: Link, target: Link, fence: int) -> None:
    """All of ``source`` to ``target``: records, deliveries and tombstones.

    Where both have records, deliveries tell of those of ``source``, one each.
    """
    # Both have records: deliveries let the run of the target compare them.
    if target.records:
        _tell_of_records(connection, of, source, target, fence)
        connection.execute(delete(link_value).where(link_value.c.link_id == source.id))
    else:
        # The target has none: its empty values make room for those of the source.
        connection.execute(delete(link_value).where(link_value.c.link_id == target.id))
        moved = update(link_value).where(link_value.c.link_id == source.id)
        connection.execute(moved.values(link_id=target.id))
    _move_external(connection, source, target)
    for table in (inbox, tombstone):
        theirs = update(table).where(table.c.link_id == source.id)
        connection.execute(theirs.values(link_id=target.id))


def _tell_of_records(
    connection: Connection, of: Site, source: Link, target: Link, fence: int
) -> None:
    payload = {"merged_from": source.key.contact_id}
    for slot, known in source.records.items():
        sender = of.instance_id if slot.side is Side.WIX else of.external_source
        # The fence is in the name, so the hint of an earlier join does not absorb this one.
        name = f"join:{source.id}:{fence}:{slot}"
        hint = NewDelivery(slot.side, sender, name, Change.UPSERT, known.remote_id, payload)
        hint_link(connection, hint, of.id, target.id)


def _move_external(connection: Connection, source: Link, target: Link) -> None:
    """Let go of the external record; where ``target`` has nothing, hand it and the state on."""
    names = [*from_external(None), *WORDS_COLUMNS, "state", "writes"]
    columns = [link.c[name] for name in names]
    row = connection.execute(select(*columns).where(link.c.id == source.id)).one()
    emptied: dict[str, Any] = {
        **dict.fromkeys([*from_external(None), *WORDS_COLUMNS]),
        "state": str(LinkState.BURIED),
        "writes": [],
        "shadowed": [],
    }
    # The source lets go first: a unique index lets one link have the record on file.
    connection.execute(update(link).where(link.c.id == source.id).values(emptied))
    moved: dict[str, Any] = {"shadowed": sorted(target.shadowed | source.shadowed)}
    if not target.records:
        moved |= dict(row._mapping)
    connection.execute(update(link).where(link.c.id == target.id).values(moved))


def hint_link(
    connection: Connection, hint: NewDelivery, site_id: int, link_id: int | None
) -> int | None:
    """A delivery of our own for a link; one that has come to an end begins anew.

    Without a link its key is still to be found. Returns its id, unless it was on its way already.
    """
    row = {
        **from_delivery(hint),
        "state": str(InboxState.NEW),
        "site_id": site_id,
        "link_id": link_id,
        "must_read": True,
        "received_at": ledger_now(),
        "next_attempt_at": ledger_now() + DOORBELL_SECONDS,
    }
    again = {name: row[name] for name in ("state", "link_id", "next_attempt_at")}
    again |= {"reason": "", "unended": 0, "closed_at": None}
    names = ["side", "source", "dedupe_id"]
    insert = insert_into(connection, inbox).values(row)
    # A hint that is on its way serves as it is.
    is_over = inbox.c.state.not_in(OPEN)
    stored = insert.on_conflict_do_update(index_elements=names, set_=again, where=is_over)
    row_id: int | None = connection.execute(stored.returning(inbox.c.id)).scalar()
    return row_id


def pass_on(connection: Connection, lease: Lease, change: Commit) -> Sequence[int]:
    """Store what tells of records that are another rating's now; their ids.

    What was told of them so far stays with the link that they leave.
    """
    for remote_id in change.leaving:
        is_theirs = (inbox.c.side == str(Side.EXTERNAL)) & (inbox.c.remote_id == remote_id)
        is_loose = inbox.c.link_id.is_(None) & inbox.c.state.in_(ENDED)
        is_of_site = inbox.c.source == _source_of(lease.site_id)
        stays = update(inbox).where(is_theirs, is_loose, is_of_site)
        connection.execute(stays.values(link_id=lease.link_id))
    told = [hint_link(connection, hint, lease.site_id, None) for hint in change.passed_on]
    return [inbox_id for inbox_id in told if inbox_id is not None]


def buried_by(connection: Connection, lease: Lease, change: Commit) -> list[Buried]:
    """What a step buries, without records that have left and are on file elsewhere by now."""
    lock_ids(connection, lease.site_id, {Side.EXTERNAL: sorted(change.leaving)})
    is_one = (link.c.site_id == lease.site_id) & link.c.external_id.in_(change.leaving)
    there = set(connection.execute(select(link.c.external_id).where(is_one)).scalars())
    return [one for one in change.buried if one.remote_id not in there]


def _source_of(site_id: int) -> Any:
    return select(site.c.external_source).where(site.c.id == site_id).scalar_subquery()
