"""Search keys go with the content of their delivery, and with the person whom they name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, or_, select

from sync_worker.core.hold_keys import email_hold_keys
from sync_worker.ledger.console.tables import unlinked


def forget_keys(connection: Connection, inbox_ids: Sequence[int] | Select[Any]) -> None:
    """What these deliveries showed, as their content goes."""
    connection.execute(delete(unlinked).where(unlinked.c.inbox_id.in_(inbox_ids)))


def forget_keys_of(connection: Connection, site_id: int, emails: Sequence[str]) -> None:
    """What any delivery of the site showed of somebody with one of these addresses."""
    connection.execute(delete(unlinked).where(unlinked.c.site_id == site_id, _names((), emails)))


def deliveries_showing(
    site_id: int, ids: Sequence[str], emails: Sequence[str]
) -> Select[tuple[int]]:
    """Deliveries of the site whose record showed one of these contacts or addresses."""
    its = select(unlinked.c.inbox_id).where(unlinked.c.site_id == site_id)
    return its.where(_names(ids, emails))


def _names(ids: Sequence[str], emails: Sequence[str]) -> ColumnElement[bool]:
    keys = [key for email in emails for key in email_hold_keys(email)]
    return or_(unlinked.c.person_id.in_(ids), unlinked.c.email_key.in_(keys))
