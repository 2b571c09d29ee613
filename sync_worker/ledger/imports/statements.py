"""Statements that both sides of the import files use, and the search of an erasure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, or_, select, update

from sync_worker.core.email_identity import ADDRESS, is_usable, normalise_email
from sync_worker.core.ports.inbox import ERASED
from sync_worker.ledger.imports.tables import import_file, import_row
from sync_worker.ledger.imports.values import ImportFile, ImportPhase, ImportState, NewRow
from sync_worker.ledger.statements.clock import is_older
from sync_worker.ledger.statements.contacts import erased_addresses

SKIPPED = "skipped"
# What stays of a row whose person is erased: that it was there.
EMPTIED: dict[str, Any] = {
    "content": "",
    "problem": "",
    "email": None,
    "what": SKIPPED,
    "place": "",
    "reason": ERASED.reason,
    "differs": False,
    "entity_id": None,
    "contact_id": None,
    "attributes": None,
}


def to_file(row: Any) -> ImportFile:
    return ImportFile(
        row.id,
        row.site_id,
        row.name,
        row.actor,
        ImportPhase.kept(row.phase),
        ImportState.kept(row.state),
        row.reason,
        row.row_count,
        row.counts,
        row.writes,
        row.run_id,
        row.is_wiped,
        row.sent_at,
        row.changed_at,
    )


def erased_rows(connection: Connection, site_id: int, rows: Sequence[NewRow]) -> set[int]:
    """Lines of rows that name an address which a privacy request erased, and nobody has again."""
    lines: dict[str, set[int]] = {}
    for row in rows:
        for address in _addresses(row):
            lines.setdefault(address, set()).add(row.line)
    erased = erased_addresses(connection, site_id, lines)
    return set[int]().union(*(lines[address] for address in erased))


def _addresses(row: NewRow) -> Iterable[str]:
    """All that a row shows, whichever column they stand in."""
    told = {one for one in ADDRESS.findall(row.content) if is_usable(one)}
    return told if row.email is None else told | {row.email}


def hold_files(connection: Connection, site_id: int) -> None:
    """Who erases and who adds rows take turns: what comes later finds the tombstones."""
    files = select(import_file.c.id).where(import_file.c.site_id == site_id)
    connection.execute(files.order_by(import_file.c.id).with_for_update()).all()


def rows_naming(site_id: int, ids: Sequence[str], emails: Sequence[str]) -> ColumnElement[bool]:
    """Rows of the site that show one of these contacts or addresses anywhere, in any case."""
    content = func.lower(import_row.c.content)
    told = [content.contains(name.lower(), autoescape=True) for name in emails]
    return (import_row.c.site_id == site_id) & or_(_are_of(ids, emails), *told)


def forget_rows_of(
    connection: Connection, site_id: int, ids: Sequence[str], emails: Sequence[str]
) -> None:
    """Rows that are a rating of one of these people, found by an index."""
    hold_files(connection, site_id)
    theirs = (import_row.c.site_id == site_id) & _are_of(ids, emails)
    connection.execute(update(import_row).where(theirs).values(EMPTIED))


def _are_of(ids: Sequence[str], emails: Sequence[str]) -> ColumnElement[bool]:
    normal = [normalise_email(email) for email in emails]
    return import_row.c.email.in_(normal) | import_row.c.contact_id.in_(ids)


def wipe_rows(connection: Connection, seconds: float, batch: int) -> int:
    """Forget a batch of the rows of files at rest; how many."""
    is_old = is_older(import_file.c.changed_at, seconds) & _is_at_rest()
    old = select(import_file.c.id).where(is_old, ~import_file.c.is_wiped)
    file_id = connection.execute(old.order_by(import_file.c.id).limit(1)).scalar()
    if file_id is None:
        return 0
    # Somebody may have begun with it since: the update takes its row.
    is_it = import_file.c.id == file_id
    taken = update(import_file).where(is_it, is_old).values(fence=import_file.c.fence + 1)
    if connection.execute(taken).rowcount != 1:
        return 0
    rows = select(import_row.c.line).where(import_row.c.import_id == file_id).limit(batch)
    is_one = (import_row.c.import_id == file_id) & import_row.c.line.in_(rows)
    count = connection.execute(delete(import_row).where(is_one)).rowcount
    if count < batch:
        connection.execute(update(import_file).where(is_it).values(is_wiped=True))
    return max(count, 1)


def count_old_rows(connection: Connection, seconds: float) -> int:
    """How many rows the next pruning would forget."""
    is_old = is_older(import_file.c.changed_at, seconds) & _is_at_rest() & ~import_file.c.is_wiped
    counted = select(func.count()).select_from(import_row).join(import_file).where(is_old)
    return int(connection.execute(counted).scalar_one())


def is_old_file(seconds: float) -> ColumnElement[bool]:
    """Files without rows whose end was so long ago."""
    return import_file.c.is_wiped & is_older(import_file.c.changed_at, seconds)


def _is_at_rest() -> ColumnElement[bool]:
    return import_file.c.state != str(ImportState.WORKING)
