"""Files of ratings as workers take them: one process at a time has a file, under a fence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, distinct, func, select, update

from sync_worker.core.errors import LeaseLost
from sync_worker.ledger.administration.imports import IMPORT, LEASE_SECONDS
from sync_worker.ledger.imports.files import end_values
from sync_worker.ledger.imports.statements import to_file
from sync_worker.ledger.imports.tables import import_file, import_row
from sync_worker.ledger.imports.values import (
    ImportClaim,
    ImportPhase,
    ImportPlan,
    ImportState,
    RowEnd,
    StoredRow,
)
from sync_worker.ledger.rows import fitting
from sync_worker.ledger.statements.runs import ABANDONED, DONE, LOCK_COUNT, RUNNING
from sync_worker.ledger.tables import run
from sync_worker.ledger.transactions import Transactions, ledger_now

CLAIM_SECONDS = 40.0  # above the longest call, after which the lease is renewed
MAX_AT_ONCE = 2  # of the fleet: webhooks keep their slots
ROWS_AT_ONCE = 200
GIVE_UP_SECONDS = 48 * 3600.0  # without any progress
WORKING = str(ImportState.WORKING)
FOR_WORKERS = (str(ImportPhase.LOOK), str(ImportPhase.RUN))
# How ids begin of what a dry run would make: see reconcile's planned entities and contacts.
NEW_CONTACTS, NEW_ENTITIES = "(new contact", 1 << 62


class SqlImportWork:
    """Tables ``import_file``, ``import_row`` and ``run``, for workers. Each raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def are_due(self) -> bool:
        """Whether a file waits for a worker."""
        due = select(import_file.c.id).where(_is_due()).limit(1)
        with self._transactions.read() as connection:
            return connection.execute(due).first() is not None

    def claim(self) -> ImportClaim | None:
        """The file that has waited longest; ``None``: none waits, or the fleet has enough."""
        with self._transactions.write() as connection:
            LOCK_COUNT.run(connection)
            if _under_way(connection) >= MAX_AT_ONCE:
                return None
            due = select(import_file.c.id).where(_is_due()).order_by(import_file.c.due_at)
            file_id = connection.execute(due.limit(1)).scalar()
            if file_id is None:
                return None
            lease = {"fence": import_file.c.fence + 1, "lease_until": _lease_end()}
            taken = update(import_file).where(import_file.c.id == file_id).values(lease)
            row = connection.execute(taken.returning(import_file)).one()
            if row.phase == ImportPhase.RUN and row.run_id is None:
                its = update(import_file).where(import_file.c.id == file_id)
                its = its.values(run_id=_begin_run(connection, row.site_id))
                row = connection.execute(its.returning(import_file)).one()
            return ImportClaim(to_file(row), ImportPlan(row.form, row.shape), row.fence)

    def rows_to_do(self, claim: ImportClaim) -> Iterator[StoredRow]:
        """In order, a few hundred at a time."""
        after = 0
        while rows := self._some_rows(claim, after):
            yield from rows
            after = rows[-1].line

    def _some_rows(self, claim: ImportClaim, after: int) -> list[StoredRow]:
        is_left = (import_row.c.import_id == claim.file.id) & import_row.c.what.is_(None)
        found = select(import_row).where(is_left, import_row.c.line > after)
        with self._transactions.read() as connection:
            rows = connection.execute(found.order_by(import_row.c.line).limit(ROWS_AT_ONCE)).all()
        return [StoredRow(row.line, row.content, row.problem, None, "", "", False) for row in rows]

    def first_lines(self, claim: ImportClaim) -> dict[tuple[int, str, str], int]:
        """On which line each rating stood, of the rows that have come to their end."""
        columns = [import_row.c[name] for name in ("line", "entity_id", "contact_id", "attributes")]
        known = (import_row.c.import_id == claim.file.id) & import_row.c.entity_id.is_not(None)
        found: dict[tuple[int, str, str], int] = {}
        with self._transactions.read() as connection:
            for row in connection.execute(select(*columns).where(known).order_by(columns[0])):
                for attribute in row.attributes:
                    found.setdefault((row.entity_id, row.contact_id, attribute), row.line)
        return found

    def keep(self, claim: ImportClaim) -> bool:
        """Renew the lease; whether the file is still to be worked on. Raises LeaseLost."""
        with self._transactions.write() as connection:
            return bool(_held(connection, claim).state == WORKING)

    def save(self, claim: ImportClaim, ends: Sequence[RowEnd], writes: Mapping[str, int]) -> bool:
        """Note what became of rows, and renew the lease; whether the file is still to be worked on.

        Raises LeaseLost, and notes nothing.
        """
        with self._transactions.write() as connection:
            file = _held(connection, claim)
            counts, written = Counter(file.counts), Counter(file.writes)
            for end in ends:
                if _note_end(connection, claim, end):
                    counts[end.what] += 1
                    counts["differs"] += int(end.differs)
            written.update(writes)
            told = {name: many for name, many in counts.items() if many}
            values: dict[str, Any] = {"counts": told, "writes": dict(written), "reason": ""}
            values |= {"changed_at": ledger_now()}
            its = update(import_file).where(import_file.c.id == claim.file.id)
            connection.execute(its.values(values))
            _save_run(connection, file.run_id, told)
            return bool(file.state == WORKING)

    def rest(self, claim: ImportClaim) -> bool:
        """Give a file back; whether rows are left for the next slice. Raises LeaseLost."""
        is_left = (import_row.c.import_id == claim.file.id) & import_row.c.what.is_(None)
        with self._transactions.write() as connection:
            file = _held(connection, claim)
            left = connection.execute(select(import_row.c.line).where(is_left).limit(1)).first()
            values: dict[str, Any] = {"lease_until": 0.0, "due_at": ledger_now()}
            if left is None:
                values |= {"state": str(ImportState.READY), "changed_at": ledger_now()}
                values["counts"] = {**file.counts, **_planned(connection, claim)}
                _end_run(connection, file.run_id, DONE)
            elif file.state != WORKING:
                _end_run(connection, file.run_id, ABANDONED)
            its = update(import_file).where(import_file.c.id == claim.file.id)
            connection.execute(its.values(values))
            return left is not None and file.state == WORKING

    def postpone(self, claim: ImportClaim, seconds: float, reason: str) -> None:
        """What is in the way may pass; without any progress for two days it is given up."""
        with self._transactions.write() as connection:
            file = _held(connection, claim)
            now = float(connection.execute(select(ledger_now())).scalar_one())
            if file.changed_at < now - GIVE_UP_SECONDS:
                _fail(connection, file, reason)
                return
            values: dict[str, Any] = {"lease_until": 0.0, "due_at": ledger_now() + seconds}
            values["reason"] = fitting(reason, import_file.c.reason)
            its = update(import_file).where(import_file.c.id == claim.file.id)
            connection.execute(its.values(values))

    def fail(self, claim: ImportClaim, reason: str) -> None:
        """It cannot go on before a person has done something."""
        with self._transactions.write() as connection:
            _fail(connection, _held(connection, claim), reason)


def _is_due() -> Any:
    is_free = (import_file.c.state == WORKING) & (import_file.c.lease_until <= ledger_now())
    is_ours = import_file.c.phase.in_(FOR_WORKERS)
    return is_free & is_ours & (import_file.c.due_at <= ledger_now())


def _under_way(connection: Connection) -> int:
    held = import_file.c.lease_until > ledger_now()
    counted = select(func.count()).select_from(import_file).where(held)
    return int(connection.execute(counted).scalar_one())


def _lease_end() -> Any:
    return ledger_now() + CLAIM_SECONDS


def _held(connection: Connection, claim: ImportClaim) -> Any:
    """The file as it is now, its lease renewed. Raises LeaseLost, and the transaction with it."""
    is_ours = (import_file.c.id == claim.file.id) & (import_file.c.fence == claim.fence)
    renewed = update(import_file).where(is_ours).values(lease_until=_lease_end())
    row = connection.execute(renewed.returning(import_file)).first()
    if row is None:
        raise LeaseLost("another process goes on with this file")
    return row


def _note_end(connection: Connection, claim: ImportClaim, end: RowEnd) -> bool:
    """False: the row was erased meanwhile, or has come to its end already."""
    is_it = (import_row.c.import_id == claim.file.id) & (import_row.c.line == end.line)
    is_to_do = is_it & import_row.c.what.is_(None)
    noted = update(import_row).where(is_to_do).values(end_values(end))
    return connection.execute(noted).rowcount == 1


def _planned(connection: Connection, claim: ImportClaim) -> dict[str, int]:
    """Of a dry run: how many people would become contacts, and how many things would be mapped."""
    if claim.file.phase is not ImportPhase.LOOK:
        return {}
    its = import_row.c.import_id == claim.file.id
    people = select(func.count(distinct(import_row.c.contact_id)))
    people = people.where(its, import_row.c.contact_id.startswith(NEW_CONTACTS))
    things = select(func.count(distinct(import_row.c.entity_id)))
    things = things.where(its, import_row.c.entity_id >= NEW_ENTITIES)
    found = {
        "new_contacts": int(connection.execute(people).scalar_one()),
        "new_entities": int(connection.execute(things).scalar_one()),
    }
    return {name: many for name, many in found.items() if many}


def _fail(connection: Connection, file: Any, reason: str) -> None:
    values: dict[str, Any] = {"state": str(ImportState.FAILED), "lease_until": 0.0}
    values |= {"reason": fitting(reason, import_file.c.reason), "changed_at": ledger_now()}
    connection.execute(update(import_file).where(import_file.c.id == file.id).values(values))
    _end_run(connection, file.run_id, ABANDONED, reason)


def _begin_run(connection: Connection, site_id: int) -> int:
    """Its line among the comparisons and imports of the site."""
    row = {"site_id": site_id, "kind": IMPORT, "state": RUNNING, "counts": {}, "fence": 1}
    times = {"started_at": ledger_now(), "lease_until": ledger_now() + LEASE_SECONDS}
    new = run.insert().values(row | times).returning(run.c.id)
    return int(connection.execute(new).scalar_one())


def _save_run(connection: Connection, run_id: int | None, counts: Mapping[str, int]) -> None:
    values = {"counts": dict(counts), "state": RUNNING, "reason": "", "ended_at": None}
    lease = {"lease_until": ledger_now() + LEASE_SECONDS}
    connection.execute(update(run).where(run.c.id == run_id).values(**values, **lease))


def _end_run(connection: Connection, run_id: int | None, state: str, reason: str = "") -> None:
    values = {"state": state, "ended_at": ledger_now(), "lease_until": 0.0}
    values["reason"] = fitting(reason, run.c.reason)
    connection.execute(update(run).where(run.c.id == run_id).values(**values))
