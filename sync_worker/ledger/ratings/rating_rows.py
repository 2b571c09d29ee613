"""One line for each rating, and for each delivery that belongs to none yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, tuple_

from sync_worker.core.values import (
    Base,
    Contact,
    Entity,
    InboxState,
    Link,
    Side,
    Site,
)
from sync_worker.ledger.administration.history_lines import to_time
from sync_worker.ledger.console.tables import unlinked
from sync_worker.ledger.rows import to_contact, to_entity, to_link
from sync_worker.ledger.statements.inbox import OPEN
from sync_worker.ledger.statements.sites import read_sites, sites_by_source
from sync_worker.ledger.tables import (
    contact_map,
    entity_map,
    history,
    inbox,
    link,
    link_value,
    site,
)


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A rating as the ledger has it. ``held``: reasons, ``open``: how many deliveries wait."""

    link: Link
    site: Site
    entity: Entity
    title: str | None
    contact: Contact
    held: tuple[str, ...]
    open: int
    changed_at: datetime | None
    version: int  # the number of the newest line of its history

    @property
    def main(self) -> Base:
        """The stars that both sides agreed on last; of Wix's first attribute."""
        for field in self.site.fields:
            if field.external_field == "value":
                return self.link.bases.get(field.attribute, Base())
        return Base()


@dataclass(frozen=True, slots=True)
class UnlinkedRow:
    """A delivery without a rating, as far as its record was seen."""

    inbox_id: int
    site: Site | None
    source: str
    side: Side
    remote_id: str
    change: str
    name: str | None
    entity_id: str | None
    title: str | None  # of the thing, where it is mapped
    state: InboxState
    reason: str
    attempts: int
    received_at: datetime


def link_rows(connection: Connection, ids: Sequence[int]) -> list[LinkRow]:
    """Those that there are, in the order asked for. A few statements, however many they are."""
    rows = connection.execute(select(link).where(link.c.id.in_(ids))).all()
    entities = _by_id(connection, entity_map, [row.entity_id for row in rows])
    sites = sites_by_id(connection, [row.site_id for row in rows])
    contacts = _contacts(connection, [(row.site_id, row.contact_id) for row in rows])
    values = _values(connection, [row.id for row in rows])
    held, waiting = _deliveries(connection, [row.id for row in rows])
    newest = _newest(connection, [row.id for row in rows])
    found = {}
    for row in rows:
        changed_at, version = newest.get(row.id, (None, 0))
        found[row.id] = LinkRow(
            to_link(row, values.get(row.id, [])),
            sites[row.site_id],
            to_entity(entities[row.entity_id]),
            entities[row.entity_id].title,
            contacts.get((row.site_id, row.contact_id), Contact(row.contact_id)),
            tuple(held.get(row.id, ())),
            waiting.get(row.id, 0),
            changed_at,
            version,
        )
    return [found[one] for one in ids if one in found]


def unlinked_rows(connection: Connection, ids: Sequence[int]) -> list[UnlinkedRow]:
    """Those of the deliveries that are there, in the order asked for."""
    asked = select(inbox, unlinked.c.name, unlinked.c.entity_id)
    asked = asked.outerjoin(unlinked, unlinked.c.inbox_id == inbox.c.id)
    rows = connection.execute(asked.where(inbox.c.id.in_(ids))).all()
    sites = sites_by_source(connection, [row.source for row in rows])
    titles = _titles(connection, rows, sites)
    found = {}
    for row in rows:
        side = Side(row.side)
        its = sites.get((side, row.source))
        title = None
        if its is not None:
            title = titles.get((side, its.id, row.entity_id))
        found[row.id] = UnlinkedRow(
            row.id,
            its,
            row.source,
            side,
            row.remote_id,
            row.change,
            row.name,
            row.entity_id,
            title,
            InboxState(row.state),
            row.reason,
            row.attempts,
            to_time(row.received_at),
        )
    return [found[one] for one in ids if one in found]


def sites_by_id(connection: Connection, ids: Sequence[int]) -> dict[int, Site]:
    found = read_sites(connection, site.c.id.in_(sorted(set(ids))))
    return {one.id: one for one in found}


def _titles(
    connection: Connection, rows: Sequence[Any], sites: Mapping[tuple[Side, str], Site]
) -> dict[tuple[Side, int, str], str | None]:
    """Of the things that these deliveries name, by side, site and id: a statement a side."""
    columns = {
        Side.WIX: entity_map.c.wix_entity_id,
        Side.EXTERNAL: entity_map.c.external_entity_id,
    }
    found: dict[tuple[Side, int, str], str | None] = {}
    for side, column in columns.items():
        keys = {
            (sites[side, row.source].id, row.entity_id)
            for row in rows
            if row.entity_id and row.side == side and (side, row.source) in sites
        }
        if keys:
            is_one = tuple_(entity_map.c.site_id, column).in_(sorted(keys))
            asked = select(entity_map.c.site_id, column.label("name"), entity_map.c.title)
            for row in connection.execute(asked.where(is_one).order_by(entity_map.c.id.desc())):
                found[side, row.site_id, row.name] = row.title
    return found


def _by_id(connection: Connection, table: Any, ids: Sequence[int]) -> dict[int, Any]:
    rows = connection.execute(select(table).where(table.c.id.in_(sorted(set(ids)))))
    return {row.id: row for row in rows}


def _contacts(
    connection: Connection, keys: Sequence[tuple[int, str]]
) -> dict[tuple[int, str], Contact]:
    """Of each the oldest address on file, as a run takes it."""
    if not keys:
        return {}
    key = tuple_(contact_map.c.site_id, contact_map.c.wix_contact_id)
    asked = select(contact_map).where(key.in_(sorted(set(keys))))
    rows = connection.execute(asked.order_by(contact_map.c.id.desc()))
    return {(row.site_id, row.wix_contact_id): to_contact(row) for row in rows}


def _values(connection: Connection, ids: Sequence[int]) -> dict[int, list[Any]]:
    values: dict[int, list[Any]] = {}
    for row in connection.execute(select(link_value).where(link_value.c.link_id.in_(ids))):
        values.setdefault(row.link_id, []).append(row)
    return values


def _deliveries(
    connection: Connection, ids: Sequence[int]
) -> tuple[dict[int, list[str]], dict[int, int]]:
    """Why something of each is held, and how many deliveries of each are on their way."""
    held: dict[int, list[str]] = {}
    waiting: dict[int, int] = {}
    is_held = inbox.c.link_id.in_(ids) & (inbox.c.state == str(InboxState.HELD))
    asked = select(inbox.c.link_id, inbox.c.reason).where(is_held).distinct()
    for row in connection.execute(asked.order_by(inbox.c.reason)):
        held.setdefault(row.link_id, []).append(row.reason)
    is_open = inbox.c.link_id.in_(ids) & inbox.c.state.in_(OPEN)
    counted = select(inbox.c.link_id, func.count().label("number")).where(is_open)
    for row in connection.execute(counted.group_by(inbox.c.link_id)):
        waiting[row.link_id] = row.number
    return held, waiting


def _newest(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[datetime, int]]:
    """Time and number of the newest line of the history of each."""
    newest = select(func.max(history.c.id)).where(history.c.link_id == link.c.id).scalar_subquery()
    asked = select(link.c.id.label("link_id"), newest.label("line")).where(link.c.id.in_(ids))
    lines = {row.line: row.link_id for row in connection.execute(asked) if row.line is not None}
    rows = connection.execute(select(history.c.id, history.c.at).where(history.c.id.in_(lines)))
    return {lines[row.id]: (to_time(row.at), row.id) for row in rows}
