"""Runs of sweeps in the SQL ledger: a cursor under a lease, what a listing showed, and what it did
not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
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
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from sync_worker.core.errors import LeaseLost
from sync_worker.core.hold_keys import address_grave, contact_grave
from sync_worker.core.record_codec import record_as_json, record_from_json
from sync_worker.core.sweep_values import (
    Absences,
    Listed,
    Mark,
    OnFile,
    Phase,
    RunKind,
    Sweep,
    delivery_source,
    next_since,
)
from sync_worker.core.values import (
    InboxState,
    RatingKey,
    RecordState,
    Side,
    Site,
)
from sync_worker.ledger.base import LedgerBase
from sync_worker.ledger.statements.inbox import UNENDED
from sync_worker.ledger.statements.links import max_deletes
from sync_worker.ledger.statements.tombstones import buried_among, is_tombstone
from sync_worker.ledger.tables import (
    inbox,
    link,
    link_value,
    listed,
    missing,
    run,
    site,
    tombstone,
)
from sync_worker.ledger.transactions import insert_into

SWEEP_KINDS = [str(kind) for kind in RunKind]
RUN_LEASE_SECONDS = 20.0
STALE_SECONDS = 24 * 3600.0
ALLOWED_SECONDS = 24 * 3600.0
NOBODY = (0, "")  # the key of a row whose key is not known (yet)


class SweepRuns(LedgerBase):
    """The run itself and its listings."""

    # -- the run

    def begin(self, site_id: int, kind: RunKind) -> Sweep | None:
        is_mine = (run.c.site_id == site_id) & run.c.kind.in_(SWEEP_KINDS)
        is_open = is_mine & (run.c.state == "running")
        is_poll = run.c.kind == str(RunKind.POLL)
        with self._transactions.write() as connection:
            is_over = (run.c.started_at < self._in(-STALE_SECONDS)) & (
                run.c.lease_until <= self._now
            )
            if kind is not RunKind.POLL:
                is_over |= is_poll
            for run_id in (
                connection.execute(select(run.c.id).where(is_open, is_over)).scalars().all()
            ):
                self._end(connection, run_id, "abandoned")
            lease = {"fence": run.c.fence + 1, "lease_until": self._in(RUN_LEASE_SECONDS)}
            is_free = (
                is_open
                & (run.c.lease_until <= self._now)
                & (is_poll if kind is RunKind.POLL else ~is_poll)
            )
            row = connection.execute(
                update(run).where(is_free).values(lease).returning(run)
            ).first()
            if row is not None:
                return _to_sweep(row, is_resumed=True)
            return self._begin_anew(connection, site_id, kind, is_mine)

    def _begin_anew(
        self, connection: Connection, site_id: int, kind: RunKind, is_mine: Any
    ) -> Sweep | None:
        is_done = is_mine & (run.c.state == "done")
        new = Sweep(0, site_id, kind, 1)
        if kind is RunKind.SWEEP:
            had_one = is_done & run.c.kind.in_([str(RunKind.BASELINE), str(RunKind.SWEEP)])
            if not self._is_any(connection, had_one):
                new = replace(new, kind=RunKind.BASELINE)
        elif kind is RunKind.POLL:
            polls = (
                select(run)
                .where(is_done, run.c.kind == str(kind))
                .order_by(run.c.id.desc())
                .limit(1)
            )
            last = connection.execute(polls).first()
            if last is not None:
                new = replace(
                    new,
                    since=next_since(_to_sweep(last), datetime.fromtimestamp(last.started_at, UTC)),
                )
        values = {"site_id": site_id, "kind": str(new.kind), "state": "running", "fence": new.fence}
        values |= {"cursor": _cursor_of(new), "counts": {}}
        times = {"started_at": self._now, "lease_until": self._in(RUN_LEASE_SECONDS)}
        insert = (
            insert_into(connection, run)
            .values(values | times)
            .on_conflict_do_nothing()
            .returning(run)
        )
        row = connection.execute(insert).first()
        return None if row is None else _to_sweep(row)

    def save(self, sweep: Sweep, listed_rows: Sequence[Listed] = ()) -> None:
        with self._transactions.write() as connection:
            values = {"cursor": _cursor_of(sweep), "counts": dict(sweep.counts)}
            self._hold_run(connection, sweep, values)
            rows = [
                _from_listed(sweep, row)
                for row in self._without_erased(connection, sweep.site_id, listed_rows)
            ]
            if rows:
                connection.execute(insert_into(connection, listed).on_conflict_do_nothing(), rows)

    def _without_erased(
        self, connection: Connection, site_id: int, rows: Sequence[Listed]
    ) -> list[Listed]:
        """A page that was in our hands while somebody was erased brings nothing of them back.

        An erased address may be a new contact's by now: what came under it is looked at again when
        its turn comes.
        """
        names: dict[Side, list[str]] = {side: [] for side in Side}
        for side, name in {
            grave for row in rows for grave in (*_graves_of(row), *_address_graves_of(row))
        }:
            names[side].append(name)
        erased = {
            (one.side, one.remote_id)
            for one in buried_among(connection, site_id, names)
            if one.privacy
        }
        if not erased:
            return list(rows)
        return [
            row
            if erased.isdisjoint(_address_graves_of(row))
            else replace(row, record=None, must_read=True)
            for row in rows
            if erased.isdisjoint(_graves_of(row))
        ]

    def renew_run(self, sweep: Sweep) -> None:
        with self._transactions.write() as connection:
            self._hold_run(connection, sweep)

    def _hold_run(
        self, connection: Connection, sweep: Sweep, values: Mapping[str, Any] | None = None
    ) -> None:
        """Renew the lease and change the run under its fence.

        Raises LeaseLost, and the transaction with it.
        """
        values = {"lease_until": self._in(RUN_LEASE_SECONDS), **(values or {})}
        is_ours = (run.c.id == sweep.id) & (run.c.fence == sweep.fence) & (run.c.state == "running")
        if connection.execute(update(run).where(is_ours).values(**values)).rowcount != 1:
            raise LeaseLost("another process goes on with this run")

    def restart_listing(self, sweep: Sweep, side: Side) -> None:
        with self._transactions.write() as connection:
            cursor = _cursor_of(replace(sweep, page=None))
            self._hold_run(connection, sweep, {"cursor": cursor, "counts": dict(sweep.counts)})
            connection.execute(
                listed.delete().where(listed.c.run_id == sweep.id, listed.c.side == str(side))
            )

    def release_run(self, sweep: Sweep) -> None:
        with self._transactions.write() as connection:
            is_ours = (run.c.id == sweep.id) & (run.c.fence == sweep.fence)
            connection.execute(update(run).where(is_ours).values(lease_until=0.0))

    def end(self, sweep: Sweep, state: str = "done") -> None:
        with self._transactions.write() as connection:
            self._hold_run(connection, sweep, {"counts": dict(sweep.counts)})
            self._end(connection, sweep.id, state)

    def _end(self, connection: Connection, run_id: int, state: str) -> None:
        ended = {"state": state, "ended_at": self._now, "lease_until": 0.0}
        connection.execute(update(run).where(run.c.id == run_id).values(**ended))
        connection.execute(listed.delete().where(listed.c.run_id == run_id))

    def is_due(self, site_id: int, kind: RunKind, every_seconds: float) -> bool:
        """Whether a sweep or poll of the site is open and free, or none has begun for so long.

        A sweep shows all that a poll would. Never before the first baseline: that is begun, and
        confirmed, by a person.
        """
        whole = (run.c.site_id == site_id) & run.c.kind.in_(
            [str(RunKind.BASELINE), str(RunKind.SWEEP)]
        )
        polls = (run.c.site_id == site_id) & (run.c.kind == str(RunKind.POLL))
        is_running = (whole if kind is RunKind.SWEEP else whole | polls) & (
            run.c.state == "running"
        )
        is_free = (run.c.kind == str(kind)) & (run.c.lease_until <= self._now)
        is_done = whole & (run.c.state == "done")
        is_recent = (is_done if kind is RunKind.SWEEP else is_done | polls) & (
            run.c.started_at > self._in(-every_seconds)
        )
        with self._transactions.read() as connection:
            if self._is_any(connection, is_running):
                return self._is_any(connection, is_running & is_free)
            return self._is_any(connection, is_done) and not self._is_any(connection, is_recent)

    def _is_any(self, connection: Connection, which: Any) -> bool:
        return connection.execute(select(run.c.id).where(which).limit(1)).first() is not None

    # -- a page against the ledger

    def on_file(self, site_: Site, side: Side, remote_ids: Sequence[str]) -> Mapping[str, OnFile]:
        found: dict[str, OnFile] = {}
        if not remote_ids:
            return found
        with self._transactions.read() as connection:
            rows = connection.execute(self._on_file_of(site_, side, remote_ids)).all()
        for row in sorted(rows, key=lambda row: int(row.kind), reverse=True):
            known = found.get(row.remote_id, OnFile())
            if row.kind == _HELD:
                known = replace(known, is_held=True)
            elif row.kind == _AWAITED:
                known = replace(known, is_awaited=True)
            elif row.kind == _SHADOWED:
                known = replace(known, is_shadowed=True)
            elif row.kind == _BURIED:
                known = replace(known, is_buried=True, revision=row.revision)
            else:
                values = {**known.values} | (
                    {row.attribute: Decimal(row.base)} if row.base is not None else {}
                )
                known = replace(
                    known,
                    is_linked=True,
                    is_buried=False,
                    revision=row.revision,
                    state=RecordState(row.state),
                    values=values,
                )
            found[row.remote_id] = known
        return found

    def _on_file_of(self, site_: Site, side: Side, remote_ids: Sequence[str]) -> Any:
        text = cast(null(), String)
        graves = select(
            literal(_BURIED).label("kind"),
            tombstone.c.remote_id,
            tombstone.c.revision,
            text,
            text,
            text,
        ).where(is_tombstone(site_.id, side, list(remote_ids)))
        kind = case((inbox.c.state == str(InboxState.HELD), _HELD), else_=_AWAITED)
        unended = select(kind, inbox.c.remote_id, cast(null(), BigInteger), text, text, text).where(
            inbox.c.side == str(side),
            inbox.c.source == delivery_source(site_, side),
            inbox.c.remote_id.in_(remote_ids),
            inbox.c.state.in_(UNENDED),
        )
        others = [graves, unended]
        if side is Side.WIX:
            columns = (link_value.c.wix_id, link_value.c.wix_revision, link_value.c.wix_state)
            base = select(
                literal(_LINKED).label("kind"),
                *columns,
                link_value.c.attribute,
                link_value.c.base_wix,
            )
            linked = base.where(
                link_value.c.site_id == site_.id, link_value.c.wix_id.in_(remote_ids)
            )
        else:
            columns = (link.c.external_id, link.c.external_revision, link.c.external_state)
            base = select(
                literal(_LINKED).label("kind"),
                *columns,
                link_value.c.attribute,
                link_value.c.base_external,
            )
            joined = base.outerjoin_from(link, link_value, link_value.c.link_id == link.c.id)
            linked = joined.where(link.c.site_id == site_.id, link.c.external_id.in_(remote_ids))
            others.append(self._shadowed_among(site_.id, remote_ids))
        # SQLite and PostgreSQL name the columns of a union after its first part.
        first = linked.subquery("on_file")
        names = ("kind", "remote_id", "revision", "state", "attribute", "base")
        renamed = select(*(column.label(name) for column, name in zip(first.c, names, strict=True)))
        return union_all(renamed, *others)

    def _shadowed_among(self, site_id: int, remote_ids: Sequence[str]) -> Any:
        shadowed, text = type_coerce(link.c.shadowed, Text), cast(null(), String)
        each = (
            func.json_each(shadowed)
            if self._is_sqlite
            else func.jsonb_array_elements_text(cast(shadowed, JSONB))
        )
        ids = each.table_valued("value")
        columns = (literal(_SHADOWED), ids.c.value, cast(null(), BigInteger), text, text, text)
        found = select(*columns).select_from(link).join(ids, true())
        return found.where(link.c.site_id == site_id, shadowed != "[]", ids.c.value.in_(remote_ids))

    # -- absence

    def note_absences(self, sweep: Sweep, side: Side) -> Absences:
        with self._transactions.write() as connection:
            self._hold_run(connection, sweep)
            ids = self._ids_on_file(sweep.site_id, side)
            shown = select(listed.c.remote_id).where(
                listed.c.run_id == sweep.id, listed.c.side == str(side)
            )
            known_count = self._count(connection, ids)
            shown_count = self._count(
                connection, select(ids.c.remote_id).where(ids.c.remote_id.in_(shown))
            )
            absent = Absences(known_count, shown_count, known_count - shown_count)
            if shown_count * 2 < known_count:
                return replace(absent, is_refused=True)
            unseen = select(ids.c.remote_id).where(ids.c.remote_id.not_in(shown))
            is_noted = (missing.c.site_id == sweep.site_id) & (missing.c.side == str(side))
            if not sweep.is_dry:
                self._note_missing(connection, sweep, side, unseen, is_noted)
            due = select(missing.c.remote_id).where(
                is_noted, missing.c.run_id < sweep.id, missing.c.remote_id.in_(unseen)
            )
            count = self._list_due(connection, sweep, side, due)
            return replace(absent, due=count)

    def _note_missing(
        self, connection: Connection, sweep: Sweep, side: Side, unseen: Any, is_noted: Any
    ) -> None:
        connection.execute(missing.delete().where(is_noted, missing.c.remote_id.not_in(unseen)))
        ids = unseen.subquery("unseen")
        row = select(
            literal(sweep.site_id), literal(str(side)), ids.c.remote_id, literal(sweep.id)
        ).where(ids.c.remote_id != "")
        names = ["site_id", "side", "remote_id", "run_id"]
        connection.execute(
            insert_into(connection, missing).from_select(names, row).on_conflict_do_nothing()
        )

    def _list_due(self, connection: Connection, sweep: Sweep, side: Side, due: Any) -> int:
        if side is Side.WIX:
            keys = select(
                link_value.c.wix_id.label("remote_id"), link.c.entity_id, link.c.contact_id
            ).join(link, link.c.id == link_value.c.link_id)
            keys = keys.where(link_value.c.site_id == sweep.site_id, link_value.c.wix_id.in_(due))
        else:
            keys = select(
                link.c.external_id.label("remote_id"), link.c.entity_id, link.c.contact_id
            )
            keys = keys.where(link.c.site_id == sweep.site_id, link.c.external_id.in_(due))
        rows = [
            {
                "run_id": sweep.id,
                "side": str(side),
                "remote_id": row.remote_id,
                "mark": str(Mark.MISSING),
                "change": "delete",
                "entity_id": row.entity_id,
                "contact_id": row.contact_id,
                "must_read": True,
                "hold": "",
            }
            for row in connection.execute(keys)
        ]
        if rows:
            connection.execute(insert_into(connection, listed).on_conflict_do_nothing(), rows)
        return len(rows)

    def _ids_on_file(self, site_id: int, side: Side) -> Any:
        column = link_value.c.wix_id if side is Side.WIX else link.c.external_id
        return (
            select(column.label("remote_id"))
            .where(column.table.c.site_id == site_id, column.is_not(None))
            .subquery()
        )

    def _count(self, connection: Connection, rows: Any) -> int:
        inner = rows if not hasattr(rows, "subquery") else rows.subquery()
        return int(connection.execute(select(func.count()).select_from(inner)).scalar_one())

    def next_missing(self, sweep: Sweep, limit: int) -> list[Listed]:
        which = (listed.c.run_id == sweep.id) & (listed.c.mark == str(Mark.MISSING))
        with self._transactions.read() as connection:
            rows = connection.execute(
                select(listed).where(which).order_by(listed.c.remote_id).limit(limit)
            ).all()
        return [to_listed(sweep.site_id, row) for row in rows]

    def settle_missing(self, sweep: Sweep, gone: Sequence[Listed], there: Sequence[Listed]) -> None:
        with self._transactions.write() as connection:
            self._hold_run(connection, sweep)
            for rows, mark in ((gone, Mark.OPEN), (there, Mark.IN_STEP)):
                self._mark(connection, sweep, rows, mark)

    def _mark(
        self, connection: Connection, sweep: Sweep, rows: Sequence[Listed], mark: Mark
    ) -> None:
        for side in Side:
            ids = [row.remote_id for row in rows if row.side is side]
            if ids:
                is_row = (
                    (listed.c.run_id == sweep.id)
                    & (listed.c.side == str(side))
                    & listed.c.remote_id.in_(ids)
                )
                forgotten = (
                    {"record": None} if mark is Mark.DONE else {}
                )  # from here on the inbox keeps it
                connection.execute(update(listed).where(is_row).values(mark=str(mark), **forgotten))

    def brake(self, sweep: Sweep, side: Side) -> int:
        is_delete = (
            (listed.c.run_id == sweep.id)
            & (listed.c.change == "delete")
            & (listed.c.mark == str(Mark.OPEN))
        )
        is_delete &= listed.c.side == str(side)
        with self._transactions.write() as connection:
            self._hold_run(connection, sweep)
            count = self._count(connection, select(listed.c.remote_id).where(is_delete))
            if count <= max_deletes(connection, sweep.site_id, count):
                return 0
            connection.execute(update(listed).where(is_delete).values(hold="delete_brake"))
        return count

    # -- a mass delete, confirmed

    def allow_deletes(self, site_id: int, count: int) -> None:
        allowed = {"deletes_allowed": count, "deletes_allowed_until": self._in(ALLOWED_SECONDS)}
        with self._transactions.write() as connection:
            connection.execute(update(site).where(site.c.id == site_id).values(**allowed))


_LINKED, _BURIED, _HELD, _SHADOWED, _AWAITED = range(5)


def _cursor_of(sweep: Sweep) -> dict[str, Any]:
    times = {"since": sweep.since, "newest": sweep.newest}
    texts = {name: time.isoformat() for name, time in times.items() if time is not None}
    return {"phase": str(sweep.phase), "page": sweep.page, **texts}


def _to_sweep(row: Any, *, is_resumed: bool = False) -> Sweep:
    cursor = row.cursor or {}
    times = {
        name: datetime.fromisoformat(cursor[name]) for name in ("since", "newest") if name in cursor
    }
    return Sweep(
        row.id,
        row.site_id,
        RunKind(row.kind),
        row.fence,
        Phase(cursor.get("phase", Phase.EXTERNAL)),
        cursor.get("page"),
        row.counts,
        is_resumed,
        **times,
    )


def _graves_of(row: Listed) -> list[tuple[Side, str]]:
    """Under which names it lies buried if it, or the person of its key, was erased."""
    contacts = {
        row.key.contact_id if row.key else None,
        row.record.person.contact_id if row.record else None,
    }
    return [(row.side, row.remote_id), *((Side.WIX, contact_grave(one)) for one in contacts if one)]


def _address_graves_of(row: Listed) -> list[tuple[Side, str]]:
    """The same of an address that no key stands for yet."""
    email = row.record.person.email if row.record is not None and row.key is None else None
    return [(Side.EXTERNAL, address_grave(email))] if email else []


def _from_listed(sweep: Sweep, row: Listed) -> dict[str, Any]:
    return {
        "run_id": sweep.id,
        "side": str(row.side),
        "remote_id": row.remote_id,
        "mark": str(row.mark),
        "change": row.change,
        "entity_id": row.key.entity_id if row.key else NOBODY[0],
        "contact_id": row.key.contact_id if row.key else NOBODY[1],
        "record": record_as_json(row.record) if row.record is not None else None,
        "must_read": row.must_read,
        "hold": row.hold,
    }


def to_listed(site_id: int, row: Any) -> Listed:
    return Listed(
        side=Side(row.side),
        remote_id=row.remote_id,
        mark=Mark(row.mark),
        key=RatingKey(site_id, row.entity_id, row.contact_id) if row.contact_id else None,
        change=row.change,
        record=record_from_json(row.record) if row.record is not None else None,
        must_read=row.must_read,
        hold=row.hold,
    )
