"""What the listings of a sweep showed, and what was missing: tables ``listed`` and ``missing``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from sqlalchemy import (
    Connection,
    delete,
    exists,
    func,
    literal,
    select,
    tuple_,
    update,
)

from sync_worker.core.hold_keys import address_tombstone, contact_tombstone
from sync_worker.core.hold_reasons import STANDS_BY
from sync_worker.core.record_codec import record_as_json, record_from_json
from sync_worker.core.sweep_values import Absences, Finding, Listed, Mark, Sweep
from sync_worker.core.values import Change, InboxState, RatingKey, Side
from sync_worker.core.values.decisions import DECISION
from sync_worker.ledger.process_tables import listed, missing
from sync_worker.ledger.statements.links import max_deletes
from sync_worker.ledger.statements.runs import gap_before
from sync_worker.ledger.statements.tombstones import buried_among
from sync_worker.ledger.tables import history, inbox, link, link_value
from sync_worker.ledger.transactions import insert_into

NOBODY = (0, "")  # the key of a row whose key is not known (yet)
KEY = (listed.c.entity_id, listed.c.contact_id)
_OF_LINK = (link.c.entity_id, link.c.contact_id)
PLACE = (listed.c.side, listed.c.remote_id)

# -- a page


def store_listed(connection: Connection, sweep: Sweep, rows: Sequence[Listed]) -> None:
    """Keep what a page showed; what is on file of the run already stays as it is."""
    kept = [_from_listed(sweep, row) for row in _without_erased(connection, sweep.site_id, rows)]
    # A page that is read again after a crash changes nothing.
    if kept:
        connection.execute(insert_into(connection, listed).on_conflict_do_nothing(), kept)


def _without_erased(
    connection: Connection, site_id: int, rows: Sequence[Listed]
) -> Iterable[Listed]:
    """A page that was in our hands while somebody was erased brings nothing of them back."""
    names: dict[Side, set[str]] = {side: set() for side in Side}
    for row in rows:
        for side, name in (*_tombstones_of(row), *_address_tombstones_of(row)):
            names[side].add(name)
    buried = buried_among(connection, site_id, {side: list(some) for side, some in names.items()})
    erased = {(tombstone.side, tombstone.remote_id) for tombstone in buried if tombstone.privacy}
    for row in rows:
        if not erased.isdisjoint(_tombstones_of(row)):
            # The rating or its person was erased.
            continue
        if not erased.isdisjoint(_address_tombstones_of(row)):
            # The address may be a new contact's by now: the record is read when its turn comes.
            yield replace(row, record=None, must_read=True)
        else:
            yield row


def _tombstones_of(row: Listed) -> list[tuple[Side, str]]:
    """The names under which a row lies buried if it, or the person of its key, was erased."""
    contacts = {row.key.contact_id} if row.key is not None else set()
    if row.record is not None and row.record.person.contact_id:
        contacts.add(row.record.person.contact_id)
    names = [(Side.WIX, contact_tombstone(contact_id)) for contact_id in contacts]
    return [(row.side, row.remote_id), *names]


def _address_tombstones_of(row: Listed) -> list[tuple[Side, str]]:
    """The same of an address that no key stands for yet."""
    if row.record is None or row.key is not None or not row.record.person.email:
        return []
    return [(Side.EXTERNAL, address_tombstone(row.record.person.email))]


def forget_listed(connection: Connection, sweep: Sweep, side: Side) -> None:
    """What a listing showed of a side."""
    connection.execute(delete(listed).where(_is_of(sweep, side)))


def list_held(connection: Connection, sweep: Sweep) -> None:
    """Rows for what a link holds of records that no listing has shown."""
    held = select(inbox.c.side, inbox.c.remote_id, *_OF_LINK).join(link).distinct()
    is_its = (link.c.site_id == sweep.site_id) & (inbox.c.state == str(InboxState.HELD))
    # A person's decision about what has no record on Wix names none.
    is_its &= (inbox.c.change != str(Change.DECIDE)) | ~inbox.c.remote_id.startswith(DECISION)
    rows = [
        _unlisted(sweep, row, Mark.OPEN, Change.UPSERT)
        for row in connection.execute(held.where(is_its, inbox.c.reason.not_in(STANDS_BY)))
    ]
    if rows:
        connection.execute(insert_into(connection, listed).on_conflict_do_nothing(), rows)


# -- absence


def note_absences(connection: Connection, sweep: Sweep, side: Side) -> Absences:
    """What a complete listing did not show is missing; what was missing before is due."""
    on_file = _ids_on_file(sweep.site_id, side)
    shown = select(listed.c.remote_id).where(_is_of(sweep, side))
    shown_ids = select(on_file.c.remote_id).where(on_file.c.remote_id.in_(shown)).subquery()
    known_count, shown_count = _count(connection, on_file), _count(connection, shown_ids)
    absences = Absences(known_count, shown_count, known_count - shown_count)
    if shown_count * 2 < known_count:
        # Too little to believe: the listing is at fault.
        return replace(absences, is_refused=True)
    unseen = select(on_file.c.remote_id).where(on_file.c.remote_id.not_in(shown))
    is_noted = (missing.c.site_id == sweep.site_id) & (missing.c.side == str(side))
    # A dry run leaves no note that a later sweep would act on.
    if not sweep.is_dry:
        connection.execute(delete(missing).where(is_noted, missing.c.remote_id.not_in(unseen)))
        _note_missing(connection, sweep, side, unseen.subquery("unseen"))
    # An earlier run has missed it, too: only now a look by id may lead to a delete.
    was_missing = is_noted & (missing.c.run_id < sweep.id) & missing.c.remote_id.in_(unseen)
    twice_unseen = select(missing.c.remote_id).where(was_missing)
    due = _list_due(connection, sweep, side, twice_unseen, Mark.MISSING)
    # Nobody would have told of their deletion: one listing is enough to ask their system.
    if (gap_end := gap_before(connection, sweep)) is not None:
        unseen = unseen.where(on_file.c.remote_id.not_in(twice_unseen))
        due += _list_due(connection, sweep, side, unseen, Mark.UNTOLD, _is_still_since(gap_end))
    return replace(absences, due=due)


def _is_still_since(moment: float) -> Any:
    """Links at which nothing has happened since: what is on file is from before."""
    of_link = (history.c.link_id == link.c.id) & (history.c.at >= moment)
    return ~exists().where(of_link)


def _note_missing(connection: Connection, sweep: Sweep, side: Side, unseen: Any) -> None:
    """The first run that did not show a record stays on file until one shows it again."""
    names = ["site_id", "side", "remote_id", "run_id"]
    values = (literal(sweep.site_id), literal(str(side)), unseen.c.remote_id, literal(sweep.id))
    # INSERT … SELECT with ON CONFLICT needs a WHERE on SQLite, which reads a join's ON otherwise.
    # https://www.sqlite.org/lang_upsert.html, "Parsing Ambiguity"
    rows = select(*values).where(unseen.c.remote_id != "")
    insert = insert_into(connection, missing).from_select(names, rows)
    connection.execute(insert.on_conflict_do_nothing())


def _list_due(
    connection: Connection, sweep: Sweep, side: Side, due: Any, mark: Mark, *of_links: Any
) -> int:
    """Rows for what is due, to be looked for by id; how many. ``of_links``: of these alone."""
    name = literal(str(side)).label("side")
    if side is Side.WIX:
        keys = select(name, link_value.c.wix_id.label("remote_id"), *_OF_LINK)
        keys = keys.join(link, link.c.id == link_value.c.link_id)
        keys = keys.where(link_value.c.site_id == sweep.site_id, link_value.c.wix_id.in_(due))
    else:
        keys = select(name, link.c.external_id.label("remote_id"), *_OF_LINK)
        keys = keys.where(link.c.site_id == sweep.site_id, link.c.external_id.in_(due))
    found = connection.execute(keys.where(*of_links))
    rows = [_unlisted(sweep, row, mark, Change.DELETE) for row in found]
    if rows:
        connection.execute(insert_into(connection, listed).on_conflict_do_nothing(), rows)
    return len(rows)


def _unlisted(sweep: Sweep, row: Any, mark: Mark, change: Change) -> dict[str, Any]:
    """A row of a record that no listing has shown: only a look by id tells of it."""
    return {
        "run_id": sweep.id,
        "side": row.side,
        "remote_id": row.remote_id,
        "mark": str(mark),
        "change": str(change),
        "entity_id": row.entity_id,
        "contact_id": row.contact_id,
        "must_read": True,
        "hold": "",
    }


def _ids_on_file(site_id: int, side: Side) -> Any:
    column = link_value.c.wix_id if side is Side.WIX else link.c.external_id
    is_on_file = (column.table.c.site_id == site_id) & column.is_not(None)
    return select(column.label("remote_id")).where(is_on_file).subquery()


def missing_rows(connection: Connection, sweep: Sweep, limit: int) -> list[Listed]:
    """Some that are still to be looked for."""
    is_missing = (listed.c.run_id == sweep.id) & listed.c.mark.in_([Mark.MISSING, Mark.UNTOLD])
    rows = select(listed).where(is_missing).order_by(listed.c.remote_id).limit(limit)
    return [to_listed(sweep.site_id, row) for row in connection.execute(rows).all()]


def brake_deletes(connection: Connection, sweep: Sweep, side: Side) -> int:
    """Hold the open deletes found on a side if they are too many; how many."""
    is_open_delete = (listed.c.change == str(Change.DELETE)) & (listed.c.mark == str(Mark.OPEN))
    which = _is_of(sweep, side) & is_open_delete
    count = _count(connection, select(listed.c.remote_id).where(which).subquery())
    if count <= max_deletes(connection, sweep.site_id, count):
        return 0
    # Too many: all of them are held, since nobody knows which are right.
    connection.execute(update(listed).where(which).values(hold="delete_brake"))
    return count


# -- marks


def mark_rows(connection: Connection, sweep: Sweep, rows: Sequence[Listed], mark: Mark) -> None:
    """What became of these rows."""
    values: dict[str, Any] = {"mark": str(mark)}
    if mark is Mark.DONE:
        # From here on the inbox keeps the record.
        values["record"] = None
    for side in Side:
        ids = [row.remote_id for row in rows if row.side is side]
        if ids:
            which = _is_of(sweep, side) & listed.c.remote_id.in_(ids)
            connection.execute(update(listed).where(which).values(**values))


def count_marks(connection: Connection, sweep: Sweep) -> dict[Mark, int]:
    """How many rows carry each mark."""
    counted = select(listed.c.mark, func.count()).where(listed.c.run_id == sweep.id)
    rows = connection.execute(counted.group_by(listed.c.mark))
    return {Mark(mark): int(count) for mark, count in rows}


def is_shown(connection: Connection, sweep: Sweep, side: Side, remote_id: str) -> bool:
    """Whether the listing of a side showed this record."""
    is_row = _is_of(sweep, side) & (listed.c.remote_id == remote_id)
    shown = select(listed.c.remote_id).where(is_row, listed.c.change != str(Change.DELETE))
    return connection.execute(shown).first() is not None


def has_shown_all(
    connection: Connection, sweep: Sweep, side: Side, remote_ids: Sequence[str]
) -> bool:
    """Whether the listing of a side showed every one of these records."""
    wanted = set(remote_ids)
    shown = select(func.count()).where(_is_of(sweep, side), listed.c.remote_id.in_(wanted))
    return int(connection.execute(shown).scalar_one()) == len(wanted)


# -- findings, in the order of ``place_of``


def findings(
    connection: Connection, sweep: Sweep, limit: int, after: tuple[int, str, str] | None
) -> list[Finding]:
    """Open rows by key: first those without one, each for itself."""
    is_open = (listed.c.run_id == sweep.id) & (listed.c.mark == str(Mark.OPEN))
    found: list[Finding] = []
    # Rows without a key have entity 0, so a cursor with 0 is still among them.
    if after is None or after[0] == 0:
        found = _without_key(connection, sweep, is_open, limit, after)
    # No row without a key is left: on with the keys.
    if len(found) < limit:
        after_key = after[:2] if after is not None and after[0] != 0 else None
        keys = select(*KEY).where(is_open, listed.c.contact_id != "")
        if after_key is not None:
            keys = keys.where(tuple_(*KEY) > tuple_(*map(literal, after_key)))
        some = keys.group_by(*KEY).order_by(*KEY).limit(limit - len(found))
        wanted = [tuple(row) for row in connection.execute(some)]
        found += _of_keys(connection, sweep, wanted)
    return found


def _without_key(
    connection: Connection,
    sweep: Sweep,
    is_open: Any,
    limit: int,
    after: tuple[int, str, str] | None,
) -> list[Finding]:
    rows = select(listed).where(is_open, listed.c.contact_id == "")
    if after is not None:
        rows = rows.where(tuple_(*PLACE) > tuple_(*map(literal, after[1:])))
    some = connection.execute(rows.order_by(*PLACE).limit(limit)).all()
    return [Finding(None, (to_listed(sweep.site_id, row),)) for row in some]


def _of_keys(connection: Connection, sweep: Sweep, keys: Sequence[Any]) -> list[Finding]:
    """With the hidden rows beside the open ones."""
    if not keys:
        return []
    marks = [str(Mark.OPEN), str(Mark.HIDDEN)]
    is_wanted = (listed.c.run_id == sweep.id) & listed.c.mark.in_(marks) & tuple_(*KEY).in_(keys)
    rows = connection.execute(select(listed).where(is_wanted).order_by(*KEY, *PLACE)).all()
    found = []
    for _, group in groupby(rows, key=lambda row: (row.entity_id, row.contact_id)):
        mine = tuple(to_listed(sweep.site_id, row) for row in group)
        found.append(Finding(mine[0].key, mine))
    return found


def _from_listed(sweep: Sweep, row: Listed) -> dict[str, Any]:
    entity_id, contact_id = NOBODY
    if row.key is not None:
        entity_id, contact_id = row.key.entity_id, row.key.contact_id
    return {
        "run_id": sweep.id,
        "side": str(row.side),
        "remote_id": row.remote_id,
        "mark": str(row.mark),
        "change": str(row.change),
        "entity_id": entity_id,
        "contact_id": contact_id,
        "record": record_as_json(row.record) if row.record is not None else None,
        "must_read": row.must_read,
        "hold": row.hold,
    }


def to_listed(site_id: int, row: Any) -> Listed:
    """A row of the table."""
    key = record = None
    if row.contact_id:
        key = RatingKey(site_id, row.entity_id, row.contact_id)
    if row.record is not None:
        record = record_from_json(row.record)
    return Listed(
        side=Side(row.side),
        remote_id=row.remote_id,
        mark=Mark(row.mark),
        key=key,
        change=Change(row.change),
        record=record,
        must_read=row.must_read,
        hold=row.hold,
    )


def _is_of(sweep: Sweep, side: Side) -> Any:
    return (listed.c.run_id == sweep.id) & (listed.c.side == str(side))


def _count(connection: Connection, rows: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(rows)).scalar_one())
