"""What a privacy request erases of one rating, and of deliveries; hashes stay, to know it again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, delete, false, or_, select, update

from sync_worker.core.hold_keys import address_tombstone, erased_id
from sync_worker.core.outside_words import code_of_refusal
from sync_worker.core.ports.inbox import ERASED, GATHERED, SITE_REMOVED
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import (
    Buried,
    Change,
    HistoryKind,
    InboxState,
    IntentState,
    LinkState,
    Side,
    Site,
)
from sync_worker.ledger.accounts.tables import audit
from sync_worker.ledger.console.forgetting import forget_keys, forget_keys_of
from sync_worker.ledger.imports.statements import forget_rows_of
from sync_worker.ledger.process_tables import listed, missing, set_aside
from sync_worker.ledger.statements.contacts import ids_of_contact, is_erased, surviving_id
from sync_worker.ledger.statements.held_words import forget_content
from sync_worker.ledger.statements.inbox import (
    ENDED,
    OPEN,
    UNENDED,
    is_about,
    release_deliveries,
)
from sync_worker.ledger.statements.links import links_of_contact
from sync_worker.ledger.statements.set_aside import ids_of
from sync_worker.ledger.statements.tombstones import bury
from sync_worker.ledger.statements.words import WORDS_COLUMNS
from sync_worker.ledger.tables import (
    contact_map,
    history,
    inbox,
    intent,
    link,
    link_value,
    run,
    tombstone,
)
from sync_worker.ledger.transactions import ledger_now

RUNNING = "running"
OF_A_RATING = [str(Change.UPSERT), str(Change.DELETE)]
VALUES_OF_HISTORY = ("before", "after", "loser", "words_before", "words_after", "words_loser")


def erase_rows(connection: Connection, site_id: int, which: Any) -> None:
    """Deliveries without content; those that were not at their end are now.

    What was gathered into one of them goes with it.
    """
    columns = (inbox.c.id, inbox.c.side, inbox.c.source, inbox.c.remote_id, inbox.c.state)
    found = select(*columns, inbox.c.reason).where(which).order_by(inbox.c.id)
    # Locked: another worker may be about to end one of them.
    for row in connection.execute(found.with_for_update()).all():
        emptied: dict[str, Any] = {
            "payload": {},
            "remote_id": erased_id(site_id, Side(row.side), row.remote_id),
            "hold_key": None,
        }
        is_same = (inbox.c.side == row.side) & (inbox.c.source == row.source)
        is_same &= inbox.c.remote_id == row.remote_id
        is_gathered = is_same & (inbox.c.reason == f"{GATHERED}{row.id}")
        connection.execute(update(inbox).where(is_gathered).values(emptied))
        forget_keys(connection, [row.id])
        # What ended with its site must not begin anew with it.
        if row.state in UNENDED or row.reason == SITE_REMOVED.reason:
            emptied |= {
                "state": str(ERASED.state),
                "reason": ERASED.reason,
                "closed_at": ledger_now(),
            }
        connection.execute(update(inbox).where(inbox.c.id == row.id).values(emptied))


def forget_hashed(connection: Connection, site_id: int, inbox_ids: Sequence[int]) -> None:
    """What deliveries tell under an address that is on file only as a hash.

    The hash does not say whose it was, and its owner may have come back. So a record of which one
    still waits is not given up: it is read when its turn comes, and its owner is looked for.
    """
    which = inbox.c.id.in_(inbox_ids)
    erase_rows(connection, site_id, which & inbox.c.state.in_(ENDED) & (inbox.c.payload != {}))
    waiting = which & inbox.c.state.in_(UNENDED) & inbox.c.change.in_(OF_A_RATING)
    found = connection.execute(select(inbox.c.id).where(waiting)).scalars().all()
    forget_content(connection, found)
    release_deliveries(connection, waiting & (inbox.c.state == str(InboxState.HELD)))


def erase_link(connection: Connection, site: Site, link_id: int, change: Commit) -> None:
    """Forget all that is personal of a link that is gone on both sides."""
    is_in_clear = (tombstone.c.link_id == link_id) & ~tombstone.c.privacy
    buried = connection.execute(select(tombstone).where(is_in_clear)).all()
    before = {(Side(row.side), row.remote_id) for row in buried}
    before |= _ids_set_aside(connection, link_id)
    ids = sorted(before | {(one.side, one.remote_id) for one in change.buried})
    # A late delivery is known by the hash.
    for side, remote_id in ids:
        bury(connection, site.id, Buried(side, remote_id, privacy=True), link_id)
    # What people decided about it names no record, and may quote whoever gave it.
    is_decision = (inbox.c.link_id == link_id) & (inbox.c.change == str(Change.DECIDE))
    of_these = or_(is_decision, *(is_about(site, side, remote_id) for side, remote_id in ids))
    # What came in meanwhile, or is held, and tells of another record finds its way anew.
    is_held = (inbox.c.link_id == link_id) & (inbox.c.state == str(InboxState.HELD))
    release_deliveries(connection, is_held & ~of_these)
    # What has come to its end, or tells of this rating, loses its content.
    is_over = (inbox.c.link_id == link_id) & inbox.c.state.not_in(OPEN)
    of_moved = _ended_of_moved(connection, site, link_id)
    erase_rows(connection, site.id, or_(is_over, of_these, of_moved))
    _erase_listing(connection, site.id, link_id, ids)
    # What is still on its way may be for a new rating of the same person.
    is_new = (inbox.c.link_id == link_id) & inbox.c.state.in_(OPEN)
    anew: dict[str, Any] = {"link_id": None, "next_attempt_at": ledger_now()}
    connection.execute(update(inbox).where(is_new).values(anew))
    # The history keeps its lines, without values and ids; an intent that is over goes.
    emptied = {**dict.fromkeys(VALUES_OF_HISTORY), "remote_id": ""}
    connection.execute(update(history).where(history.c.link_id == link_id).values(emptied))
    shorten_refusals(connection, is_refusal() & (history.c.link_id == link_id))
    forget_why(connection, site.id, link_id)
    is_closed = (intent.c.link_id == link_id) & (intent.c.state != str(IntentState.OPEN))
    connection.execute(delete(intent).where(is_closed))
    connection.execute(delete(link_value).where(link_value.c.link_id == link_id))
    connection.execute(delete(set_aside).where(set_aside.c.link_id == link_id))
    _forget_rater(connection, site.id, link_id)


def _ids_set_aside(connection: Connection, link_id: int) -> set[tuple[Side, str]]:
    kept = connection.execute(select(set_aside).where(set_aside.c.link_id == link_id))
    return {one for row in kept for one in ids_of(row)}


def is_refusal() -> Any:
    """Lines with a remote's own words, which may quote a person's."""
    return (history.c.what == str(HistoryKind.REFUSED)) & ~history.c.words_hashed


def shorten_refusals(connection: Connection, which: Any, limit: int | None = None) -> int:
    """Status and code stay of what a remote said of writes that it refused; of how many lines."""
    found = select(history.c.id, history.c.reason).where(which).limit(limit)
    rows = connection.execute(found).all()
    for row in rows:
        short = {"reason": code_of_refusal(row.reason), "words_hashed": True}
        connection.execute(update(history).where(history.c.id == row.id).values(short))
    return len(rows)


def forget_why(connection: Connection, site_id: int, link_id: int) -> None:
    """Why people decided about a rating: that they did stays on record."""
    of_people = (history.c.link_id == link_id) & (history.c.actor != "")
    for row in connection.execute(select(history.c.id, history.c.reason).where(of_people)).all():
        short = {"reason": row.reason.partition(":")[0]}
        connection.execute(update(history).where(history.c.id == row.id).values(short))
    decided = (
        (audit.c.site_id == site_id) & audit.c.what.startswith("rating.") & (audit.c.why != "")
    )
    for row in connection.execute(select(audit.c.id, audit.c.values_after).where(decided)).all():
        if row.values_after.get("rating") == link_id:
            connection.execute(update(audit).where(audit.c.id == row.id).values(why=""))


def _ended_of_moved(connection: Connection, site: Site, link_id: int) -> Any:
    """What was told of records that have left the link; alive, they are somebody else's now."""
    is_move = (history.c.link_id == link_id) & (history.c.what == str(HistoryKind.MOVE))
    names = connection.execute(select(history.c.remote_id).where(is_move).distinct()).scalars()
    of_them = [is_about(site, Side.EXTERNAL, name) for name in names if name]
    return or_(false(), *of_them) & inbox.c.state.in_(ENDED)


def is_anothers(
    connection: Connection, site: Site, side: Side, remote_id: str, theirs: Any
) -> bool:
    """Whether a record outside was given to somebody else, or what waits may say so.

    ``theirs``: the deliveries of whoever is erased, whose links are gone already.
    """
    if side is Side.WIX:
        return False
    is_on_file = (link.c.site_id == site.id) & (link.c.external_id == remote_id)
    waits = is_about(site, side, remote_id) & inbox.c.state.in_(UNENDED) & ~theirs
    found = (select(link.c.id).where(is_on_file), select(inbox.c.id).where(waits))
    return any(connection.execute(one.limit(1)).first() is not None for one in found)


def _erase_listing(
    connection: Connection, site_id: int, link_id: int, ids: Sequence[tuple[Side, str]]
) -> None:
    """What a sweep under way has listed of the rating, and what it has missed."""
    key = connection.execute(
        select(link.c.entity_id, link.c.contact_id).where(link.c.id == link_id)
    ).one()
    is_key = (listed.c.entity_id == key.entity_id) & (listed.c.contact_id == key.contact_id)
    records = [
        (listed.c.side == str(side)) & (listed.c.remote_id == remote_id) for side, remote_id in ids
    ]
    runs = select(run.c.id).where(run.c.site_id == site_id)
    connection.execute(delete(listed).where(listed.c.run_id.in_(runs), or_(is_key, *records)))
    for side, remote_id in ids:
        is_it = (missing.c.side == str(side)) & (missing.c.remote_id == remote_id)
        connection.execute(delete(missing).where(missing.c.site_id == site_id, is_it))


def hold_listings(connection: Connection, site_id: int) -> None:
    """Who erases and who saves a page take turns.

    What is saved later finds the tombstones of what was erased.
    """
    is_open = (run.c.site_id == site_id) & (run.c.state == RUNNING)
    connection.execute(select(run.c.id).where(is_open).order_by(run.c.id).with_for_update()).all()


def _forget_rater(connection: Connection, site_id: int, link_id: int) -> None:
    """The link is nobody's now; with the last rating of a person the addresses go too.

    Not while the whole person is erased: by the addresses that search finds the deliveries that
    name them.
    """
    contact_id = connection.execute(
        select(link.c.contact_id).where(link.c.id == link_id)
    ).scalar_one()
    ids = ids_of_contact(connection, site_id, surviving_id(connection, site_id, contact_id))
    theirs = links_of_contact(connection, site_id, ids)
    nobody: dict[str, Any] = {
        "contact_id": f"erased-{link_id}",
        "state": str(LinkState.BURIED),
        "external_record": None,
        "external_identity": None,
        **dict.fromkeys(WORDS_COLUMNS),
        "writes": [],
        "shadowed": [],
    }
    connection.execute(update(link).where(link.c.id == link_id).values(nobody))
    # The whole person goes: that search still needs the addresses.
    if is_erased(connection, site_id, contact_id):
        return
    others = [other for other in theirs if other != link_id]
    lives = (link.c.id.in_(others)) & (link.c.state != str(LinkState.BURIED))
    if connection.execute(select(link.c.id).where(lives).limit(1)).first() is None:
        forget_addresses(connection, site_id, ids)


def forget_addresses(connection: Connection, site_id: int, ids: Sequence[str]) -> None:
    """Only their hashes stay, so that what still comes under one of them is not kept."""
    emails = addresses_of(connection, site_id, ids)
    bury_addresses(connection, site_id, emails)
    forget_keys_of(connection, site_id, emails)
    forget_rows_of(connection, site_id, ids, emails)
    connection.execute(delete(contact_map).where(_is_address_of(site_id, ids)))


def addresses_of(connection: Connection, site_id: int, ids: Sequence[str]) -> list[str]:
    """The e-mail addresses of these contacts."""
    found = select(contact_map.c.email).where(_is_address_of(site_id, ids))
    return list(connection.execute(found).scalars())


def _is_address_of(site_id: int, ids: Sequence[str]) -> Any:
    return (contact_map.c.site_id == site_id) & contact_map.c.wix_contact_id.in_(ids)


def bury_addresses(connection: Connection, site_id: int, emails: Iterable[str]) -> None:
    """Hashed tombstones of addresses."""
    for email in emails:
        hashed = Buried(Side.EXTERNAL, address_tombstone(email), privacy=True)
        bury(connection, site_id, hashed, None)
