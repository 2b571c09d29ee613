"""What the ledger knows of the ids of a page: one SELECT over links, tombstones and the inbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from enum import IntEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    String,
    Text,
    case,
    cast,
    func,
    literal,
    null,
    select,
    true,
    type_coerce,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from sync_worker.core.sweep_values import OnFile, Whose
from sync_worker.core.values import EntityRef, InboxState, RecordState, ReplyWays, Side, Site
from sync_worker.core.values.texts import BODY, REPLY, TITLE
from sync_worker.ledger.statements.inbox import UNENDED, is_from
from sync_worker.ledger.statements.tombstones import is_tombstone
from sync_worker.ledger.tables import (
    contact_map,
    entity_map,
    inbox,
    link,
    link_value,
    tombstone,
)
from sync_worker.ledger.transactions import is_sqlite


class _Kind(IntEnum):
    """Of what a row tells; what a link says has the last word, so it comes first here."""

    WHOSE = 0
    LINKED = 1
    BURIED = 2
    HELD = 3
    SHADOWED = 4
    AWAITED = 5


WORDS = (TITLE, BODY, REPLY)
NAMES = ("kind", "remote_id", "revision", "state", "attribute", "base", "identity", *WORDS)


def on_file(
    connection: Connection, site: Site, side: Side, remote_ids: Sequence[str]
) -> Mapping[str, OnFile]:
    """By id; one that the ledger does not know is missing."""
    parts = [_linked(site, side, remote_ids), _buried(site.id, side, remote_ids)]
    parts += [_unended(site, side, remote_ids), _held_link(site.id, side, remote_ids)]
    if side is Side.EXTERNAL:
        parts.append(_shadowed(connection, site.id, remote_ids))
        parts.append(_whose(site.id, remote_ids))
    rows = connection.execute(union_all(*parts)).all()
    found: dict[str, OnFile] = {}
    # In reverse, so that what a link says is applied last.
    for row in sorted(rows, key=lambda row: int(row.kind), reverse=True):
        found[row.remote_id] = _with(found.get(row.remote_id, OnFile()), row)
    return found


def _with(known: OnFile, row: Any) -> OnFile:
    match _Kind(row.kind):
        case _Kind.HELD:
            return replace(known, is_held=True)
        case _Kind.AWAITED:
            return replace(known, is_awaited=True)
        case _Kind.SHADOWED:
            return replace(known, is_shadowed=True, whose=_with_address(known.whose, row))
        case _Kind.WHOSE:
            return replace(known, whose=_with_address(known.whose, row))
        case _Kind.BURIED:
            return replace(known, is_buried=True, revision=row.revision)
        case _Kind.LINKED:
            return _with_link(known, row)


def _with_link(known: OnFile, row: Any) -> OnFile:
    values = dict(known.values)
    if row.base is not None:
        values[row.attribute] = Decimal(row.base)
    words = {name: getattr(row, name) for name in WORDS if getattr(row, name) is not None}
    return replace(
        known,
        is_linked=True,
        # On file again: its tombstone is from an earlier delete.
        is_buried=False,
        revision=row.revision,
        state=RecordState(row.state),
        values=values,
        words=words,
        identity=row.identity,
        # Its own link says whose it is, not one behind whose record it stood.
        whose=None,
    )


def _with_address(known: Whose | None, row: Any) -> Whose:
    """A row for each address: the thing stands where the state and the attribute of others do."""
    whose = known or Whose(EntityRef(row.state, row.attribute))
    if row.base is None:
        return whose
    return replace(whose, addresses=whose.addresses | {row.base})


def _linked(site: Site, side: Side, remote_ids: Sequence[str]) -> Any:
    """A row for each value of a link that has one of the ids on file."""
    site_id, has_replies = site.id, site.policy.replies is not ReplyWays.OFF
    kind = literal(int(_Kind.LINKED)).label("kind")
    if side is Side.WIX:
        columns = (link_value.c.wix_id, link_value.c.wix_revision, link_value.c.wix_state)
        base = (link_value.c.attribute, link_value.c.base_wix, *_no_texts(3))
        # A reply need not raise the revision by which all other words are compared.
        reply = link.c.reply_wix if has_replies else _no_texts(1)[0]
        found = select(kind, *columns, *base, reply)
        if has_replies:
            found = found.join(link, link.c.id == link_value.c.link_id)
        found = found.where(link_value.c.site_id == site_id, link_value.c.wix_id.in_(remote_ids))
    else:
        columns = (link.c.external_id, link.c.external_revision, link.c.external_state)
        base = (link_value.c.attribute, link_value.c.base_external, link.c.external_identity)
        words = (link.c.title_external, link.c.body_external, link.c.reply_external)
        bases = select(kind, *columns, *base, *words)
        # Outer: a link may have an external record before it has any value.
        joined = bases.outerjoin_from(link, link_value, link_value.c.link_id == link.c.id)
        found = joined.where(link.c.site_id == site_id, link.c.external_id.in_(remote_ids))
    # SQLite and PostgreSQL name the columns of a union after its first part.
    first = found.subquery("on_file")
    return select(*(column.label(name) for column, name in zip(first.c, NAMES, strict=True)))


def _buried(site_id: int, side: Side, remote_ids: Sequence[str]) -> Any:
    kind = literal(int(_Kind.BURIED)).label("kind")
    columns = (kind, tombstone.c.remote_id, tombstone.c.revision, *_no_texts(7))
    return select(*columns).where(is_tombstone(site_id, side, list(remote_ids)))


def _unended(site: Site, side: Side, remote_ids: Sequence[str]) -> Any:
    is_held = inbox.c.state == str(InboxState.HELD)
    kind = case((is_held, int(_Kind.HELD)), else_=int(_Kind.AWAITED))
    columns = (kind, inbox.c.remote_id, _no_number(), *_no_texts(7))
    is_theirs = is_from(site, side) & inbox.c.remote_id.in_(remote_ids)
    return select(*columns).where(is_theirs, inbox.c.state.in_(UNENDED))


def _held_link(site_id: int, side: Side, remote_ids: Sequence[str]) -> Any:
    """Records whose link has a held delivery, of whichever side it speaks."""
    kind = literal(int(_Kind.HELD)).label("kind")
    is_held = inbox.c.state == str(InboxState.HELD)
    if side is Side.WIX:
        columns = (kind, link_value.c.wix_id, _no_number(), *_no_texts(7))
        held = select(*columns).join(inbox, inbox.c.link_id == link_value.c.link_id)
        is_its = (link_value.c.site_id == site_id) & link_value.c.wix_id.in_(remote_ids)
    else:
        columns = (kind, link.c.external_id, _no_number(), *_no_texts(7))
        held = select(*columns).join(inbox, inbox.c.link_id == link.c.id)
        is_its = (link.c.site_id == site_id) & link.c.external_id.in_(remote_ids)
    return held.where(is_its, is_held)


def _shadowed(connection: Connection, site_id: int, remote_ids: Sequence[str]) -> Any:
    shadowed = type_coerce(link.c.shadowed, Text)
    if is_sqlite(connection):
        each = func.json_each(shadowed)
    else:
        each = func.jsonb_array_elements_text(cast(shadowed, JSONB))
    ids = each.table_valued("value")
    columns = (literal(int(_Kind.SHADOWED)), ids.c.value, _no_number(), *_OF_WHOM, *_no_texts(4))
    found = _with_addresses(select(*columns).select_from(link).join(ids, true()))
    # Most links shadow nothing: their lists are not opened.
    return found.where(link.c.site_id == site_id, shadowed != "[]", ids.c.value.in_(remote_ids))


def _whose(site_id: int, remote_ids: Sequence[str]) -> Any:
    """What records on file rate, and the addresses of their people."""
    columns = (
        literal(int(_Kind.WHOSE)),
        link.c.external_id,
        _no_number(),
        *_OF_WHOM,
        *_no_texts(4),
    )
    found = _with_addresses(select(*columns).select_from(link))
    return found.where(link.c.site_id == site_id, link.c.external_id.in_(remote_ids))


_OF_WHOM = (entity_map.c.external_entity_id, entity_map.c.external_group, contact_map.c.email)


def _with_addresses(found: Any) -> Any:
    is_theirs = (contact_map.c.site_id == link.c.site_id) & (
        contact_map.c.wix_contact_id == link.c.contact_id
    )
    of_thing = found.join(entity_map, entity_map.c.id == link.c.entity_id)
    return of_thing.outerjoin(contact_map, is_theirs)


def _no_texts(count: int) -> list[Any]:
    return [cast(null(), String)] * count


def _no_number() -> Any:
    return cast(null(), BigInteger)
