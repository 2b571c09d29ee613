"""Files of ratings as people see them: sent, asked for, stopped, removed. Each raises Transient."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from sync_worker.ledger.accounts.reading import refuse_newer
from sync_worker.ledger.imports.statements import EMPTIED, erased_rows, to_file
from sync_worker.ledger.imports.tables import import_file, import_row
from sync_worker.ledger.imports.values import (
    ImportFile,
    ImportPhase,
    ImportPlan,
    ImportState,
    NewRow,
    RowEnd,
    StoredRow,
)
from sync_worker.ledger.rows import fitting
from sync_worker.ledger.transactions import Transactions, ledger_now

PAGE = 50
Standing = tuple[ImportPhase, ImportState]


@dataclass(frozen=True, slots=True)
class FilesPage:
    """``before``: where the next page begins; ``None``: there is no further one."""

    files: Sequence[ImportFile]
    before: int | None


class SqlImportFiles:
    """Tables ``import_file`` and ``import_row``, for whoever sends a file and looks at it."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def begin(self, site_id: int, name: str, actor: str, plan: ImportPlan) -> int:
        """A file whose rows come in; nobody is shown it before ``is_there``."""
        values = {
            "site_id": site_id,
            "name": fitting(name, import_file.c.name),
            "actor": fitting(actor, import_file.c.actor),
            "phase": str(ImportPhase.LOAD),
            "state": str(ImportState.READY),
            "form": dict(plan.form),
            "shape": dict(plan.shape),
            "sent_at": ledger_now(),
            "changed_at": ledger_now(),
        }
        new = insert(import_file).values(values).returning(import_file.c.id)
        with self._transactions.write() as connection:
            return int(connection.execute(new).scalar_one())

    def add_rows(self, import_id: int, site_id: int, rows: Sequence[NewRow]) -> None:
        """Rows of a file, in order. Of one that names an erased address only the line is kept."""
        with self._transactions.write() as connection:
            self._hold(connection, import_id)
            erased = erased_rows(connection, site_id, rows)
            stored = [_row(import_id, site_id, row, is_erased=row.line in erased) for row in rows]
            connection.execute(insert(import_row), stored)

    def is_there(self, import_id: int) -> ImportFile:
        """All its rows have come in."""
        with self._transactions.write() as connection:
            self._hold(connection, import_id)
            counts = _counts(connection, import_id)
            values: dict[str, Any] = {
                "phase": str(ImportPhase.CHECK),
                "row_count": sum(counts.values()),
                "counts": {what: many for what, many in counts.items() if what},
                "changed_at": ledger_now(),
            }
            changed = update(import_file).where(import_file.c.id == import_id).values(values)
            return to_file(connection.execute(changed.returning(import_file)).one())

    def remove(self, import_id: int) -> bool:
        """Forget a file and its rows, unless a worker has it in hand.

        Raises Misconfigured where only a newer version knows what is done with it.
        """
        is_it = import_file.c.id == import_id
        with self._transactions.write() as connection:
            self._hold(connection, import_id)
            found = select(import_file.c.phase, import_file.c.state).where(is_it)
            row = connection.execute(found).first()
            if row is None or row.state == ImportState.WORKING:
                return False
            for word in (ImportPhase.kept(row.phase), ImportState.kept(row.state)):
                refuse_newer(f"import {import_id}", word)
            connection.execute(delete(import_row).where(import_row.c.import_id == import_id))
            connection.execute(delete(import_file).where(is_it))
        self._transactions.forget_log()
        return True

    def one(self, import_id: int) -> ImportFile | None:
        found = select(import_file).where(import_file.c.id == import_id, _is_shown())
        with self._transactions.read() as connection:
            row = connection.execute(found).first()
        return None if row is None else to_file(row)

    def plan(self, import_id: int) -> ImportPlan | None:
        found = select(import_file.c.form, import_file.c.shape)
        with self._transactions.read() as connection:
            row = connection.execute(found.where(import_file.c.id == import_id)).first()
        return None if row is None else ImportPlan(row.form, row.shape)

    def of_site(self, site_id: int, before: int | None) -> FilesPage:
        """Newest first."""
        which = (import_file.c.site_id == site_id) & _is_shown()
        if before is not None:
            which &= import_file.c.id < before
        found = select(import_file).where(which).order_by(import_file.c.id.desc())
        with self._transactions.read() as connection:
            files = [to_file(row) for row in connection.execute(found.limit(PAGE + 1))]
        following = files[PAGE - 1].id if len(files) > PAGE else None
        return FilesPage(files[:PAGE], following)

    def rows(
        self, import_id: int, what: str | None, after: int, limit: int = PAGE
    ) -> list[StoredRow]:
        """Rows behind a line; ``what``: those alone. Erased ones show nothing."""
        which = (import_row.c.import_id == import_id) & (import_row.c.line > after)
        if what is not None:
            which &= import_row.c.what == what
        found = select(import_row).where(which).order_by(import_row.c.line).limit(limit)
        with self._transactions.read() as connection:
            return [_stored(row) for row in connection.execute(found)]

    def left(self, import_id: int) -> int:
        """How many rows are still to do."""
        counted = select(func.count()).select_from(import_row)
        is_left = (import_row.c.import_id == import_id) & import_row.c.what.is_(None)
        with self._transactions.read() as connection:
            return int(connection.execute(counted.where(is_left)).scalar_one())

    def ask(
        self,
        import_id: int,
        phase: ImportPhase,
        actor: str,
        standing: Collection[Standing],
        *,
        is_anew: bool,
    ) -> bool:
        """Hand a file to the workers if it stands so; ``is_anew``: all rows are to do again."""
        with self._transactions.write() as connection:
            self._hold(connection, import_id)
            file = connection.execute(
                select(import_file).where(import_file.c.id == import_id)
            ).first()
            if file is None or file.is_wiped:
                return False
            if (ImportPhase.kept(file.phase), ImportState.kept(file.state)) not in standing:
                return False
            values = {"phase": str(phase), "state": str(ImportState.WORKING), "reason": ""}
            values |= {"actor": fitting(actor, import_file.c.actor)}
            times = {"changed_at": ledger_now(), "due_at": ledger_now()}
            changed = update(import_file).where(import_file.c.id == import_id)
            if is_anew:
                begin_anew(connection, import_id)
                counts = _counts(connection, import_id)
                of_ended = {what: many for what, many in counts.items() if what}
                changed = changed.values(counts=of_ended, writes={})
            connection.execute(changed.values(**values, **times))
            return True

    def stop(self, import_id: int) -> bool:
        """No further rows are begun; those in hand come to their end."""
        is_at_work = (import_file.c.id == import_id) & (
            import_file.c.state == str(ImportState.WORKING)
        )
        values = {"state": str(ImportState.STOPPED), "changed_at": ledger_now()}
        with self._transactions.write() as connection:
            changed = connection.execute(update(import_file).where(is_at_work).values(values))
            return changed.rowcount == 1

    def _hold(self, connection: Connection, import_id: int) -> None:
        """Until the end of the transaction nobody else changes the file, or erases in it."""
        file = select(import_file.c.id).where(import_file.c.id == import_id)
        connection.execute(file.with_for_update()).all()


def begin_anew(connection: Connection, import_id: int) -> None:
    """All rows are to do again, but for what was erased."""
    has_content = (import_row.c.import_id == import_id) & (import_row.c.content != "")
    to_do = {"what": None, "place": "", "reason": "", "differs": False}
    to_do |= {"entity_id": None, "contact_id": None, "attributes": None}
    connection.execute(update(import_row).where(has_content).values(to_do))


def _counts(connection: Connection, import_id: int) -> dict[str | None, int]:
    """Rows by what became of them; under ``None`` those still to do."""
    found = select(import_row.c.what, func.count()).where(import_row.c.import_id == import_id)
    rows = connection.execute(found.group_by(import_row.c.what))
    return {row[0]: int(row[1]) for row in rows}


def _is_shown() -> Any:
    return import_file.c.phase != str(ImportPhase.LOAD)


def _row(import_id: int, site_id: int, row: NewRow, *, is_erased: bool) -> dict[str, Any]:
    its = {"import_id": import_id, "site_id": site_id, "line": row.line}
    if is_erased:
        return {**its, **EMPTIED}
    problem = fitting(row.problem, import_row.c.problem)
    content = {"content": row.content, "problem": problem, "email": row.email}
    end = row.end or RowEnd(row.line, "")
    return {**its, **EMPTIED, **content, **end_values(end), "what": end.what or None}


def end_values(end: RowEnd) -> dict[str, Any]:
    """The columns of what became of a row."""
    values: dict[str, Any] = {
        "what": end.what,
        "place": fitting(end.place, import_row.c.place),
        "reason": fitting(end.reason, import_row.c.reason),
        "differs": end.differs,
    }
    if end.key is not None:
        values["entity_id"] = end.key.entity_id
        values["contact_id"] = fitting(end.key.contact_id, import_row.c.contact_id)
        values["attributes"] = list(end.key.attributes)
    return values


def _stored(row: Any) -> StoredRow:
    return StoredRow(
        row.line, row.content, row.problem, row.what, row.place, row.reason, row.differs
    )
