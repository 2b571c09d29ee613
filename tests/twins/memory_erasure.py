"""What the ledger in memory forgets on a privacy request."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence, Set
from dataclasses import replace

from sync_worker.core.email_identity import addresses_told, is_usable, normalise_email
from sync_worker.core.hold_keys import (
    address_tombstone,
    address_tombstones,
    contact_hold_key,
    email_hold_key,
    erased_id,
)
from sync_worker.core.outside_words import code_of_refusal
from sync_worker.core.ports.inbox import ERASED
from sync_worker.core.ports.links import Commit
from sync_worker.core.sweep_values import Listed
from sync_worker.core.values import (
    Buried,
    Change,
    Delivery,
    HistoryKind,
    Intent,
    IntentState,
    Link,
    LinkState,
    NewDelivery,
    Operation,
    Side,
    Slot,
)
from sync_worker.ledger.erasure import NAME
from tests.twins.memory_contacts import all_ids_of, links_of_contact
from tests.twins.memory_state import InboxRow, LinkRow, MemoryState

# -- one rating


def erase_link(state: MemoryState, row: LinkRow, change: Commit) -> None:
    """Forget all that is personal of a link that is gone on both sides."""
    link, site_id = row.link, row.link.key.site_id
    ids = set(buried_in_clear(state, link.id))
    ids |= {(buried.side, buried.remote_id) for buried in change.buried}
    for side, remote_id in sorted(ids):
        state.bury(site_id, Buried(side, remote_id, privacy=True))
        state.link_grave(site_id, Buried(side, remote_id), link.id)
    _erase_told_of_moved(state, link)
    _erase_deliveries(state, link, ids)
    _erase_story(state, link.id)
    forget_listed(
        state, site_id, lambda shown: shown.key == link.key or (shown.side, shown.remote_id) in ids
    )
    _forget_rater(state, row)


def buried_in_clear(state: MemoryState, link_id: int) -> list[tuple[Side, str]]:
    """Ids that were on file with a link and are gone, but for those of a privacy request."""
    return [
        (key[1], key[2])
        for key, owner in state.grave_links.items()
        if owner == link_id and key in state.graves and not state.graves[key].privacy
    ]


def _erase_told_of_moved(state: MemoryState, link: Link) -> None:
    """What was told of records that have left the link; alive, they are somebody else's now."""
    moved = {
        entry.remote_id for of, _, entry in state.history if of == link.id and entry.what == "move"
    }
    source = state.source(link.key.site_id, Side.EXTERNAL)
    for row in state.rows.values():
        is_theirs = row.delivery.new.source == source and row.delivery.new.remote_id in moved
        if is_theirs and not row.is_open and not row.is_held:
            state.erase_row(row)


def _erase_deliveries(state: MemoryState, link: Link, ids: Set[tuple[Side, str]]) -> None:
    """What came in meanwhile, or is held, and tells of another record finds its way anew."""
    for row in state.rows.values():
        new = row.delivery.new
        is_ours = new.source == state.source(link.key.site_id, new.side)
        is_about = is_ours and (new.side, new.remote_id) in ids
        is_of_link = row.delivery.link_id == link.id
        is_about |= is_of_link and new.change is Change.DECIDE
        if is_of_link and row.is_held and not is_about:
            state.release_delivery(row.delivery.id)
        if is_about or (is_of_link and not row.is_open):
            state.erase_row(row)
        elif is_of_link:
            row.delivery = replace(row.delivery, link_id=None)
            row.next_attempt_at = state.now()


def _erase_story(state: MemoryState, link_id: int) -> None:
    """The lines of the history stay without their values; closed intents go."""
    for place, (owner, at, entry) in enumerate(state.history):
        if owner == link_id:
            emptied = replace(entry, before=None, after=None, loser=None, remote_id="")
            if entry.what is HistoryKind.REFUSED:
                emptied = replace(emptied, reason=code_of_refusal(entry.reason))
            if entry.actor:
                emptied = replace(emptied, reason=entry.reason.partition(":")[0])
            state.history[place] = (owner, at, emptied)
    for intent_id, owner in state.intent_links.items():
        if owner == link_id and state.intents[intent_id].state is not IntentState.OPEN:
            state.intents[intent_id] = Intent(
                intent_id, Slot(Side.WIX), Operation.DELETE, {}, {}, state=IntentState.CONFIRMED
            )


def _forget_rater(state: MemoryState, row: LinkRow) -> None:
    """The link is nobody's now; with the last rating of a person the addresses go too.

    Not while the whole person is erased: by the addresses ``erase_person`` finds what names them.
    """
    key = row.link.key
    ids = all_ids_of(state, key.site_id, key.contact_id)
    others = [
        state.link_rows[link_id].link
        for link_id in links_of_contact(state, key.site_id, key.contact_id)
        if link_id != row.link.id
    ]
    state.rekey(row, replace(key, contact_id=f"erased-{row.link.id}"))
    row.link = replace(
        row.link, records={}, bases={}, state=LinkState.BURIED, writes=(), shadowed=frozenset()
    )
    is_last = all(other.state is LinkState.BURIED for other in others)
    if is_last and not state.is_erased(key.site_id, key.contact_id):
        _forget_addresses(state, key.site_id, ids)


def _forget_addresses(state: MemoryState, site_id: int, ids: Collection[str]) -> None:
    """Only their hashes stay."""
    theirs = [
        (owner, contact)
        for owner, contact in state.contacts
        if owner == site_id and contact.contact_id in ids
    ]
    for pair in theirs:
        state.contacts.remove(pair)
        grave = address_tombstone(str(pair[1].email))
        state.bury(site_id, Buried(Side.EXTERNAL, grave, privacy=True))


def forget_listed(state: MemoryState, site_id: int, which: Callable[[Listed], bool]) -> None:
    """What sweeps under way have listed, and what they have missed."""
    for run in state.runs:
        if run.sweep.site_id != site_id:
            continue
        for place in [place for place, shown in run.listed.items() if which(shown)]:
            del run.listed[place]
            state.missing.pop((site_id, *place), None)


# -- a whole person


def erase_person(state: MemoryState, site_id: int, contact_id: str, inbox_id: int) -> None:
    """Forget a person in mappings, inbox and listings, and close the request itself."""
    ids = all_ids_of(state, site_id, contact_id)
    emails = [
        contact.email
        for owner, contact in state.contacts
        if owner == site_id and contact.contact_id in ids and contact.email
    ]
    emails += _only_told(state, site_id, ids)
    for email in emails:
        state.bury(site_id, Buried(Side.EXTERNAL, address_tombstone(email), privacy=True))
    names = [name.lower() for name in (*ids, *emails)]
    asked, hashed = _mentions(state, site_id, inbox_id, ids, emails)
    loose = {
        _of_record(row.delivery.new)
        for row in asked
        if row.delivery.link_id is None and row.delivery.new.change in ("upsert", "delete")
    }
    for row in asked:
        state.erase_row(row)
    _forget_hashed(state, hashed)
    for side, source, remote_id in sorted(loose):
        place = (side, source, remote_id)
        rows = [one for one in state.rows.values() if _of_record(one.delivery.new) == place]
        if _is_anothers(state, site_id, side, remote_id, rows):
            rows = [one for one in rows if one.delivery.link_id is None and not _is_unended(one)]
        else:
            # What never came to a link is buried: told again, it is known as erased.
            state.bury(site_id, Buried(side, remote_id, privacy=True))
        for row in rows:
            state.erase_row(row)
    _forget_addresses(state, site_id, ids)
    forget_listed(state, site_id, lambda shown: _is_listed_of(shown, ids, names))
    for member in ids:
        state.redirects.pop((site_id, member), None)
    for row in state.rows.values():
        is_its = row.delivery.new.source == state.source(site_id, row.delivery.new.side)
        if is_its and row.is_held and _waits(row) and _names(names, row.delivery.new.payload):
            state.release_delivery(row.delivery.id)


def _mentions(
    state: MemoryState,
    site_id: int,
    inbox_id: int,
    ids: Sequence[str],
    emails: Sequence[str],
) -> tuple[list[InboxRow], list[InboxRow]]:
    """What names the person, and the request itself; apart, what an address names of which only
    the hash is left.
    """
    names = [name.lower() for name in (*ids, *emails)]
    keys = {*map(contact_hold_key, ids), *map(email_hold_key, emails)}
    asked: list[InboxRow] = []
    hashed: list[InboxRow] = []
    for row in state.rows.values():
        new = row.delivery.new
        is_asked = row.delivery.id == inbox_id
        if new.source != state.source(site_id, new.side) or (_waits(row) and not is_asked):
            continue
        is_theirs = new.remote_id in ids or row.hold_key in keys or _names(names, new.payload)
        if is_theirs or is_asked:
            asked.append(row)
        # Where the person's last rating was erased before, only the hash of the address is left.
        elif (_is_unended(row) or not emails) and _names_erased_address(
            state, site_id, ids, new.payload
        ):
            hashed.append(row)
    return asked, hashed


def _forget_hashed(state: MemoryState, rows: Sequence[InboxRow]) -> None:
    """What is told under an address that is on file only as a hash: it may be another person's."""
    for row in rows:
        if not _is_unended(row):
            state.erase_row(row)
        elif row.delivery.new.change in ("upsert", "delete"):
            is_held = row.is_held
            state.forget_content(row)
            if is_held:
                state.release_delivery(row.delivery.id)


def _names_erased_address(
    state: MemoryState, site_id: int, ids: Collection[str], content: object
) -> bool:
    of_others = {
        one.email for of, one in state.contacts if of == site_id and one.contact_id not in ids
    }
    told = [one for one in addresses_told(content) if normalise_email(one) not in of_others]
    hashed = [name for one in told for name in address_tombstones(one)]
    return any(state.grave(site_id, Side.EXTERNAL, name) is not None for name in hashed)


def _only_told(state: MemoryState, site_id: int, ids: Collection[str]) -> list[str]:
    """Addresses that events of these contacts told, and that are no other's."""
    told = [
        row.delivery.new.payload
        for row in state.rows_of(site_id)
        if row.delivery.new.remote_id in ids and row.delivery.new.change.startswith("contact_")
    ]
    on_file = {contact.email for owner, contact in state.contacts if owner == site_id}
    addresses = {normalise_email(one) for one in addresses_told(told) if is_usable(one)}
    return sorted(addresses - on_file)


def _is_anothers(
    state: MemoryState, site_id: int, side: Side, remote_id: str, rows: Sequence[InboxRow]
) -> bool:
    """Whether a record outside was given to somebody else, or what waits may say so."""
    if side is Side.WIX:
        return False
    return (site_id, side, remote_id) in state.by_remote or any(map(_is_unended, rows))


def _is_unended(row: InboxRow) -> bool:
    return row.is_open or row.is_held


def _of_record(new: NewDelivery) -> tuple[Side, str, str]:
    return new.side, new.source, new.remote_id


def erase_without_site(state: MemoryState, request: Delivery) -> None:
    """What a source without a site has told of a person or record; the request, too."""
    source, names = (request.new.side, request.new.source), [request.new.remote_id]
    theirs = [row for row in state.rows.values() if _source(row.delivery.new) == source]
    for name in names:
        for row in theirs:
            new = row.delivery.new
            if new.change.startswith("contact_") and new.remote_id == name:
                told = set(NAME.findall(str(new.payload))) - set(names)
                known = {one.delivery.new.remote_id for one in theirs}
                is_merge = new.change == "contact_merged"
                names += [one for one in told if "@" in one or (is_merge and one in known)]
    lowered = [name.lower() for name in names]
    for row in theirs:
        new = row.delivery.new
        if new.remote_id in names or _names(lowered, new.payload):
            state.erase_row(row)


def names_erased_without_site(state: MemoryState, new: NewDelivery) -> bool:
    """Whether a delivery names a person or record that such a request has erased."""
    names = {new.remote_id, *NAME.findall(str(new.payload))}
    hashed = {erased_id(0, new.side, name) for name in names}
    return any(
        _source(row.delivery.new) == _source(new)
        and row.delivery.reason == ERASED.reason
        and row.delivery.new.remote_id in hashed
        for row in state.rows.values()
    )


def _source(new: NewDelivery) -> tuple[Side, str]:
    return new.side, new.source


def _waits(row: InboxRow) -> bool:
    """A merge that waits tells of more people who have to go: it goes when its turn has come."""
    return row.delivery.new.change == "contact_merged" and (row.is_open or row.is_held)


def _is_listed_of(shown: Listed, ids: Sequence[str], names: Sequence[str]) -> bool:
    by_key = shown.key is not None and shown.key.contact_id in ids
    return by_key or _names(names, shown.record)


def _names(names: Sequence[str], content: object) -> bool:
    text = str(content).lower()
    return any(name in text for name in names)
