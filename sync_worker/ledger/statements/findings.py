"""Findings of a sweep on their way into the inbox, and what a lease of their link would give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, func, select, update

from sync_worker.core.hold_reasons import STANDS_BY
from sync_worker.core.record_codec import LISTED
from sync_worker.core.sweep_values import Finding, Listed, Queued
from sync_worker.core.values import (
    Contact,
    Delivery,
    InboxState,
    Intent,
    IntentState,
    Link,
    LinkState,
    NewDelivery,
    RatingKey,
)
from sync_worker.ledger.rows import from_delivery, to_contact, to_delivery, to_intent, to_link
from sync_worker.ledger.statements.contacts import is_erased
from sync_worker.ledger.statements.inbox import OPEN, UNENDED, released_values, twin_of
from sync_worker.ledger.statements.links import link_of_key
from sync_worker.ledger.tables import contact_map, inbox, intent, link, link_value
from sync_worker.ledger.transactions import insert_into, ledger_now

# A finding handed over is its run's; after that the sweeper takes a dead run's.
QUEUED_SECONDS = 30.0


def queue_finding(
    connection: Connection, site_id: int, finding: Finding, deliveries: Sequence[NewDelivery]
) -> Queued:
    """A finding as deliveries, with the link of its key."""
    link_id = None
    # Erased since the listing: the deliveries find that out as any others do.
    if finding.key is not None and not is_erased(connection, site_id, finding.key.contact_id):
        link_id = link_of_key(connection, finding.key)
    ids: list[int] = []
    held = ""
    for row, new in zip(finding.rows, deliveries, strict=True):
        inbox_id, reason = _put(connection, site_id, link_id, row, new)
        held = held or reason
        if not reason:
            ids.append(inbox_id)
    # Part of the finding is on its way, so it does not count as held.
    if ids:
        held = ""
    return Queued(tuple(ids), link_id, held)


def _put(
    connection: Connection, site_id: int, link_id: int | None, row: Listed, new: NewDelivery
) -> tuple[int, str]:
    """One delivery into the inbox; its id, and why it is held if it is."""
    values = from_delivery(new) | {
        "received_at": ledger_now(),
        "next_attempt_at": ledger_now() + QUEUED_SECONDS,
        "site_id": site_id,
        "link_id": link_id,
        "must_read": row.must_read,
    }
    # The brake has stopped it: it enters the inbox for a person to release.
    if row.hold:
        held = {"state": str(InboxState.HELD), "reason": row.hold, "closed_at": ledger_now()}
        values |= held
    insert = insert_into(connection, inbox).values(values).on_conflict_do_nothing()
    inbox_id = connection.execute(insert.returning(inbox.c.id)).scalar()
    if link_id is not None:
        _give_key(connection, site_id, link_id, new)
    # The inbox did not know it.
    if inbox_id is not None:
        return int(inbox_id), row.hold
    return _open_again(connection, link_id, new)


def _open_again(connection: Connection, link_id: int | None, new: NewDelivery) -> tuple[int, str]:
    """The delivery that the inbox knows already."""
    columns = (inbox.c.state, inbox.c.reason, inbox.c.link_id, inbox.c.payload)
    found = twin_of(new).add_columns(*columns, inbox.c.received_at)
    # Locked: a worker may be about to end it.
    twin = connection.execute(found.with_for_update()).one()
    # A person has to release it, or its key is still to be found; else the run looks at it again.
    if twin.state == str(InboxState.HELD) and (link_id is None or twin.reason in STANDS_BY):
        return int(twin.id), str(twin.reason)
    if twin.state == str(InboxState.HELD):
        return int(twin.id), ""
    if twin.state not in OPEN and (reason := _why_it_rests(connection, link_id, twin, new)):
        return int(twin.id), reason
    # Its last look is over, and the sweep still finds a difference.
    if twin.state not in OPEN:
        again = released_values() | {
            "next_attempt_at": ledger_now() + QUEUED_SECONDS,
            "link_id": link_id,
            # The same values, but perhaps of another thing or person by now.
            "payload": dict(new.payload),
            # An erasure may have hashed it: by its hash nobody would find out whose it is.
            "remote_id": new.remote_id,
        }
        connection.execute(update(inbox).where(inbox.c.id == twin.id).values(**again))
    return int(twin.id), ""


def _why_it_rests(connection: Connection, link_id: int | None, twin: Any, new: NewDelivery) -> str:
    """Why its rating waits for a person, where a look can find nothing else than the last one did.

    The record is listed as that look was told of it, and nothing was told of its rating since.
    """
    is_same = twin.link_id == link_id is not None and twin.payload == dict(new.payload) != {}
    if not is_same:
        return ""
    is_held = (inbox.c.link_id == link_id) & (inbox.c.state == str(InboxState.HELD))
    reasons = connection.execute(select(inbox.c.reason).where(is_held)).scalars().all()
    if not reasons or not STANDS_BY.issuperset(reasons):
        return ""
    # A sweep lists both sides: what it queued for the other one had a look of its own.
    is_listed = func.coalesce(inbox.c.dedupe_id, "").startswith(LISTED)
    of_record = (inbox.c.side == str(new.side)) & (inbox.c.remote_id == new.remote_id)
    is_later = (inbox.c.link_id == link_id) & (inbox.c.received_at > twin.received_at)
    is_later &= (inbox.c.id != twin.id) & (~is_listed | of_record)
    has_news = connection.execute(select(inbox.c.id).where(is_later).limit(1)).first() is not None
    return "" if has_news else str(reasons[0])


def _give_key(connection: Connection, site_id: int, link_id: int, new: NewDelivery) -> None:
    """What was held as nobody knew its key: now it is known."""
    is_same = (inbox.c.side == str(new.side)) & (inbox.c.source == new.source)
    is_same &= inbox.c.remote_id == new.remote_id
    waits = (inbox.c.state == str(InboxState.HELD)) & inbox.c.link_id.is_(None)
    waits &= inbox.c.reason.not_in(STANDS_BY)
    keyed = released_values() | {"link_id": link_id, "site_id": site_id}
    connection.execute(update(inbox).where(is_same, waits).values(**keyed))


# -- looking ahead


def link_at(connection: Connection, key: RatingKey) -> Link:
    """The link of a key as it is; number 0 if there is none."""
    is_it = (link.c.site_id == key.site_id) & (link.c.entity_id == key.entity_id)
    is_it &= link.c.contact_id == key.contact_id
    row = connection.execute(select(link).where(is_it)).first()
    if row is None:
        return Link(0, key, 0, LinkState.LIVE, {}, {})
    values = connection.execute(select(link_value).where(link_value.c.link_id == row.id)).all()
    return to_link(row, values)


def own_contact(connection: Connection, key: RatingKey) -> Contact:
    """The contact of a key, with its address if one is on file."""
    is_theirs = (contact_map.c.site_id == key.site_id) & (
        contact_map.c.wix_contact_id == key.contact_id
    )
    oldest = select(contact_map).where(is_theirs).order_by(contact_map.c.id).limit(1)
    row = connection.execute(oldest).first()
    return Contact(key.contact_id) if row is None else to_contact(row)


def open_intent_of(connection: Connection, link_id: int) -> Intent | None:
    """The open intent of a link; link 0 has none."""
    if not link_id:
        return None
    is_open = (intent.c.link_id == link_id) & (intent.c.state == str(IntentState.OPEN))
    row = connection.execute(select(intent).where(is_open)).first()
    return None if row is None else to_intent(row)


def ready_deliveries(connection: Connection, link_id: int) -> tuple[Delivery, ...]:
    """The deliveries that a lease of the link would take; for link 0 there are none."""
    if not link_id:
        return ()
    is_ready = inbox.c.state.in_(UNENDED)
    rows = select(inbox).where(inbox.c.link_id == link_id, is_ready).order_by(inbox.c.id)
    return tuple(as_taken(to_delivery(row)) for row in connection.execute(rows))


def as_taken(delivery: Delivery) -> Delivery:
    """A delivery as a lease would take it."""
    if delivery.reason in STANDS_BY and delivery.state is InboxState.HELD:
        return delivery
    must_read = delivery.must_read or delivery.state is InboxState.HELD
    return replace(delivery, state=InboxState.TAKEN, must_read=must_read)
