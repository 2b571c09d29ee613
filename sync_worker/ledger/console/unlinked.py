"""Search keys of deliveries without a link, in SQL."""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, false, literal, or_, select

from sync_worker.core.hold_keys import (
    address_tombstones,
    contact_tombstone,
    email_hold_key,
)
from sync_worker.core.values import SearchKeys, Side
from sync_worker.ledger.console.tables import unlinked
from sync_worker.ledger.rows import fitting
from sync_worker.ledger.statements.inbox import OPEN
from sync_worker.ledger.statements.tombstones import is_tombstone
from sync_worker.ledger.tables import inbox, tombstone
from sync_worker.ledger.transactions import Transactions, insert_into, is_sqlite


class SqlUnlinked:
    """Implements ports.Unlinked."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def note(self, site_id: int, inbox_id: int, shown: SearchKeys) -> None:
        keys = _columns(shown)
        if all(value is None for value in keys.values()):
            return
        columns = {"site_id": site_id, **keys}
        is_its = (inbox.c.id == inbox_id) & inbox.c.state.in_(OPEN) & inbox.c.link_id.is_(None)
        values = [literal(value, unlinked.c[name].type) for name, value in columns.items()]
        row = select(inbox.c.id, *values).where(is_its, ~_is_erased(site_id, shown))
        with self._transactions.write() as connection:
            # Who erases the delivery meanwhile has the turn before or after this.
            if not is_sqlite(connection):
                row = row.with_for_update(of=inbox)
            insert = insert_into(connection, unlinked).from_select(["inbox_id", *columns], row)
            renewed = {name: insert.excluded[name] for name in columns}
            connection.execute(
                insert.on_conflict_do_update(index_elements=["inbox_id"], set_=renewed)
            )


def folded(text: str) -> str:
    """Names as they are compared, without regard to case."""
    return " ".join(text.split()).casefold()


def _columns(shown: SearchKeys) -> dict[str, str | None]:
    name, email_key = None, None
    if shown.name:
        name = fitting(shown.name, unlinked.c.name)
    if shown.email:
        email_key = email_hold_key(shown.email)
    return {
        "email_key": email_key,
        "person_id": _short(shown.person_id, "person_id"),
        "name": name,
        "name_key": None if name is None else fitting(folded(name), unlinked.c.name_key),
        "entity_id": _short(shown.entity_id, "entity_id"),
    }


def _short(text: str | None, column: str) -> str | None:
    return fitting(text, unlinked.c[column]) if text else None


def _is_erased(site_id: int, shown: SearchKeys) -> ColumnElement[bool]:
    """Whether a privacy request has erased the person."""
    named = [false()]
    if shown.email:
        named.append(is_tombstone(site_id, Side.EXTERNAL, address_tombstones(shown.email)))
    if shown.person_id:
        named.append(is_tombstone(site_id, Side.WIX, [contact_tombstone(shown.person_id)]))
    return exists(select(tombstone.c.remote_id).where(or_(*named)))
