"""Links whose site changed to another API of Wix: set aside with their ids, brought back with them.

A link keeps its row, its key and its history. What it had on file on both sides goes to table
``set_aside``, so that the link is as one that was never compared: what the other API does not show
is missing nowhere, and nothing is deleted for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Table,
    Text,
    delete,
    exists,
    insert,
    or_,
    select,
    type_coerce,
    update,
)

from sync_worker.core import exact_json
from sync_worker.core.ports.inbox import OTHER_API
from sync_worker.core.values import Change, IntentState, LinkState, Side, Site, WixKind
from sync_worker.ledger.process_tables import missing, set_aside
from sync_worker.ledger.statements.inbox import UNENDED, is_from
from sync_worker.ledger.statements.tombstones import buried_among
from sync_worker.ledger.tables import inbox, intent, link, link_value
from sync_worker.ledger.transactions import ledger_now

AT_ONCE = 500  # links in one statement
OF_RATINGS = (str(Change.UPSERT), str(Change.DELETE))
_KEY = {"id", "site_id", "entity_id", "contact_id", "generation", "fence", "lease_until"}
LINK_COLUMNS = tuple(column.name for column in link.c if column.name not in _KEY)
VALUE_COLUMNS = tuple(column.name for column in link_value.c if column.name != "link_id")
AS_NEW: dict[str, Any] = {
    **dict.fromkeys(LINK_COLUMNS),
    "state": str(LinkState.LIVE),
    "writes": [],
    "shadowed": [],
}


def is_linked(site_id: int) -> Any:
    """Links that have anything on file; buried ones are gone on both sides, and stay so."""
    has_values = exists().where(link_value.c.link_id == link.c.id)
    lives = link.c.state != str(LinkState.BURIED)
    return (link.c.site_id == site_id) & lives & or_(link.c.external_id.is_not(None), has_values)


def is_kept(site_id: int, kind: WixKind) -> Any:
    """What was set aside of a site when it left this API."""
    return (set_aside.c.site_id == site_id) & (set_aside.c.wix_api == str(kind))


def link_of_record(connection: Connection, site_id: int, side: Side, remote_id: str) -> Any:
    """The row of the link that had a record on file under another API; ``None`` if there is none.

    No index knows these ids: only for what is rare, as a request to forget is.
    """
    told = {Side.WIX: set_aside.c.record_values, Side.EXTERNAL: set_aside.c.record}[side]
    names_it = type_coerce(told, Text).contains(exact_json.dumps(remote_id), autoescape=True)
    found = select(set_aside, link.c.entity_id, link.c.contact_id).join(link)
    named = connection.execute(found.where(set_aside.c.site_id == site_id, names_it)).all()
    return next((row for row in named if (side, remote_id) in ids_of(row)), None)


def return_external(connection: Connection, kept: Any) -> None:
    """What the link had on file outside is on file again, unless another record or link is."""
    record = {name: one for name, one in _known(link, kept.record) if name.startswith("external_")}
    other = link.alias()
    is_its = (other.c.site_id == kept.site_id) & (other.c.external_id == record["external_id"])
    is_free = link.c.external_id.is_(None) & ~exists().where(is_its)
    connection.execute(update(link).where(link.c.id == kept.link_id, is_free).values(record))


def return_externals(connection: Connection, link_ids: Sequence[int]) -> None:
    """Links that are about to be erased reach the external records that were theirs."""
    found = select(set_aside).where(set_aside.c.link_id.in_(link_ids))
    for kept in connection.execute(found).all():
        return_external(connection, kept)


def ids_of(kept: Any) -> list[tuple[Side, str]]:
    """The records that a link had on file when it was set aside."""
    of_wix = [(Side.WIX, value["wix_id"]) for value in kept.record_values]
    every = [*of_wix, (Side.EXTERNAL, kept.record["external_id"])]
    return [(side, remote_id) for side, remote_id in every if remote_id is not None]


def end_leases(connection: Connection, site_id: int) -> None:
    """Whoever holds a link of the site has lost it."""
    fenced = {"fence": link.c.fence + 1, "lease_until": 0.0}
    connection.execute(update(link).where(link.c.site_id == site_id).values(fenced))


def open_intents(site_id: int, side: Side) -> Any:
    """Writes of the site to a side whose outcome is not known."""
    is_open = (intent.c.site_id == site_id) & (intent.c.state == str(IntentState.OPEN))
    return is_open & (intent.c.side == str(side))


def abandon_intents(connection: Connection, site_id: int) -> int:
    """Nobody will look what became of writes to the API that the site leaves."""
    ended = {"state": str(IntentState.ABANDONED), "closed_at": ledger_now()}
    which = open_intents(site_id, Side.WIX)
    return int(connection.execute(update(intent).where(which).values(ended)).rowcount)


def of_ratings(site: Site) -> Any:
    """What Wix told of ratings and is not at its end; a request to forget goes on."""
    is_its = is_from(site, Side.WIX) & inbox.c.state.in_(UNENDED)
    return is_its & inbox.c.change.in_(OF_RATINGS) & ~inbox.c.privacy


def deletes_of_ratings(site: Site) -> Any:
    """What was deleted on Wix and has not crossed: the rating still stands outside."""
    return of_ratings(site) & (inbox.c.change == str(Change.DELETE))


def end_deliveries(connection: Connection, site: Site) -> int:
    """What the API that the site leaves has told ends, for all to see."""
    ended = {
        "state": str(OTHER_API.state),
        "reason": OTHER_API.reason,
        "hold_key": None,
        "closed_at": ledger_now(),
    }
    return int(connection.execute(update(inbox).where(of_ratings(site)).values(ended)).rowcount)


def set_links_aside(connection: Connection, site_id: int, kind: WixKind) -> int:
    """All links of the site, under the API that it leaves."""
    count = 0
    while rows := connection.execute(select(link).where(is_linked(site_id)).limit(AT_ONCE)).all():
        ids = [row.id for row in rows]
        values = _values_of(connection, ids)
        its = {"site_id": site_id, "wix_api": str(kind)}
        kept = [its | _kept_of(row, values.get(row.id, [])) for row in rows]
        connection.execute(insert(set_aside), kept)
        _forget(connection, ids)
        count += len(ids)
    return count


def bring_links_back(connection: Connection, site_id: int, kind: WixKind) -> int:
    """What was set aside when the site left this API, for links that are still somebody's."""
    count = 0
    while rows := connection.execute(
        select(set_aside).where(is_kept(site_id, kind)).limit(AT_ONCE)
    ).all():
        kept = {row.link_id: row for row in _unerased(connection, site_id, rows)}
        mine = (link.c.site_id == site_id) & link.c.id.in_(kept)
        ids = connection.execute(select(link.c.id).where(mine)).scalars().all()
        # One that was buried meanwhile was not set aside, and has values of its own.
        connection.execute(delete(link_value).where(link_value.c.link_id.in_(ids)))
        for link_id in ids:
            _bring_back(connection, kept[link_id])
        count += len(ids)
        gone = is_kept(site_id, kind) & set_aside.c.link_id.in_([row.link_id for row in rows])
        connection.execute(delete(set_aside).where(gone))
    return count


def forget_missing(connection: Connection, site_id: int) -> None:
    """What listings did not show was missed in the other API."""
    connection.execute(delete(missing).where(missing.c.site_id == site_id))


def _values_of(connection: Connection, ids: Sequence[int]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for row in connection.execute(select(link_value).where(link_value.c.link_id.in_(ids))):
        found.setdefault(row.link_id, []).append(row)
    return found


def _forget(connection: Connection, ids: Sequence[int]) -> None:
    connection.execute(delete(link_value).where(link_value.c.link_id.in_(ids)))
    connection.execute(update(link).where(link.c.id.in_(ids)).values(AS_NEW))


def _unerased(connection: Connection, site_id: int, rows: Sequence[Any]) -> list[Any]:
    """Those of whose records none was erased at its person's request since."""
    ids: dict[Side, list[str]] = {side: [] for side in Side}
    for row in rows:
        for side, remote_id in ids_of(row):
            ids[side].append(remote_id)
    buried = buried_among(connection, site_id, ids)
    erased = {(one.side, one.remote_id) for one in buried if one.privacy}
    return [row for row in rows if erased.isdisjoint(ids_of(row))]


def _bring_back(connection: Connection, kept: Any) -> None:
    record = dict(_known(link, kept.record))
    connection.execute(update(link).where(link.c.id == kept.link_id).values(record))
    values = [dict(_known(link_value, value)) for value in kept.record_values]
    if values:
        rows = [{**value, "link_id": kept.link_id} for value in values]
        connection.execute(insert(link_value), rows)


def _kept_of(row: Any, values: Sequence[Any]) -> dict[str, Any]:
    return {
        "link_id": row.id,
        "record": _picked(row, LINK_COLUMNS),
        "record_values": [_picked(value, VALUE_COLUMNS) for value in values],
    }


def _picked(row: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _known(table: Table, values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Those that the table still has: a newer version may have dropped a column."""
    return ((name, value) for name, value in values.items() if name in table.c)
