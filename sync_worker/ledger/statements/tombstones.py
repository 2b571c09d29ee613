"""Remote ids that are gone for good, in clear or, after a privacy request, hashed.

Table ``tombstone``. The names of its columns' values are in core's hold_keys.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, case, delete, func, select, update

from sync_worker.core.hold_keys import erased_id
from sync_worker.core.values import Buried, Lease, Side
from sync_worker.ledger.rows import to_buried
from sync_worker.ledger.sql_text import SqlText, columns_of
from sync_worker.ledger.tables import tombstone
from sync_worker.ledger.transactions import insert_into, is_sqlite, ledger_now

LOCK_IDS = SqlText("""
-- tombstone.lock_ids: for this transaction, in one order everywhere, so that nobody waits forever
SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(:names::text[]) AS name
""")

NAMED = SqlText(f"""
-- tombstone.named: tombstones of both sides, by their ids in clear or hashed
SELECT {columns_of(tombstone)} FROM tombstone
WHERE site_id = :site_id AND side IN ('wix', 'external') AND remote_id = ANY(:names::varchar[])
""")


def bury_for(
    connection: Connection, lease: Lease, gone: Sequence[Buried], leaving: Collection[str]
) -> None:
    """What a link buries; ``leaving``: ids of records that live, under another key."""
    for buried in gone:
        bury(connection, lease.site_id, buried, lease.link_id)
        # An erasure of this link must not take those for gone, whenever they came under it.
        if buried.remote_id in leaving:
            lives = is_tombstone(lease.site_id, buried.side, [buried.remote_id])
            its_link = tombstone.c.link_id == lease.link_id
            connection.execute(update(tombstone).where(lives, its_link).values(link_id=None))


def bury(connection: Connection, site_id: int, buried: Buried, link_id: int | None) -> None:
    """Note that a remote id is gone for good; the highest numbers stay, and privacy for ever."""
    known = connection.execute(
        select(tombstone).where(is_tombstone(site_id, buried.side, [buried.remote_id]))
    )
    for row in known.all():
        # The id is buried already, in clear or hashed: both tombstones become one.
        buried = _combined(buried, to_buried(buried.side, buried.remote_id, row))
        link_id = link_id or row.link_id
        if buried.privacy and not row.privacy:
            # From now on it is known by its hash only.
            in_clear = _is_named(site_id, buried.side, [row.remote_id])
            connection.execute(delete(tombstone).where(in_clear))
    name = buried.remote_id
    if buried.privacy:
        name = erased_id(site_id, buried.side, buried.remote_id)
    insert = insert_into(connection, tombstone).values(
        site_id=site_id,
        side=str(buried.side),
        remote_id=name,
        link_id=link_id,
        revision=buried.revision,
        sequence=buried.sequence,
        privacy=buried.privacy,
        created_at=ledger_now(),
    )
    # Another transaction may bury the same id now. NULL counts as below every number.
    highest = {
        column: case(
            (
                insert.excluded[column] > func.coalesce(tombstone.c[column], -1),
                insert.excluded[column],
            ),
            else_=tombstone.c[column],
        )
        for column in ("revision", "sequence")
    }
    its_link = func.coalesce(insert.excluded.link_id, tombstone.c.link_id)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["site_id", "side", "remote_id"], set_={**highest, "link_id": its_link}
        )
    )


def erased_among(site_id: int, hashed_names: Sequence[str]) -> Any:
    """Those of the external side's hashed names that a privacy request has buried."""
    return select(tombstone.c.remote_id).where(
        _is_named(site_id, Side.EXTERNAL, hashed_names), tombstone.c.privacy
    )


def _combined(new: Buried, known: Buried) -> Buried:
    """Both tombstones in one: the highest numbers, and privacy for ever."""
    return replace(
        new,
        revision=_highest(new.revision, known.revision),
        sequence=_highest(new.sequence, known.sequence),
        privacy=new.privacy or known.privacy,
    )


def _highest(*numbers: int | None) -> int | None:
    return max((number for number in numbers if number is not None), default=None)


def revive(connection: Connection, site_id: int, refuted: Buried) -> None:
    """Forget a tombstone that a look has refuted; a newer one stays."""
    is_same = is_tombstone(site_id, refuted.side, [refuted.remote_id])
    # A delete that was told since the look has other numbers.
    for name in ("revision", "sequence", "privacy"):
        is_same &= tombstone.c[name].is_not_distinct_from(getattr(refuted, name))
    connection.execute(delete(tombstone).where(is_same))


def is_tombstone(site_id: int, side: Side, remote_ids: Sequence[str]) -> Any:
    """The tombstones of these ids, in clear or hashed."""
    hashed = [erased_id(site_id, side, remote_id) for remote_id in remote_ids]
    return _is_named(site_id, side, [*remote_ids, *hashed])


def _is_named(site_id: int, side: Side, names: Sequence[str]) -> Any:
    is_there = (tombstone.c.site_id == site_id) & (tombstone.c.side == str(side))
    return is_there & tombstone.c.remote_id.in_(names)


def buried_among(
    connection: Connection, site_id: int, ids: Mapping[Side, Sequence[str]]
) -> list[Buried]:
    """What is buried of these ids."""
    return ask_buried_among(connection, site_id, ids)()


def ask_buried_among(
    connection: Connection, site_id: int, ids: Mapping[Side, Sequence[str]]
) -> Callable[[], list[Buried]]:
    """As ``buried_among``, to be called after the batch it is asked in."""
    clear = {(side, name): name for side, names in ids.items() for name in names}
    hashed = {(side, erased_id(site_id, side, name)): name for side, name in clear}
    named = clear | hashed
    names = sorted({name for _, name in named})
    answer = NAMED.ask(connection, site_id=site_id, names=names)

    def found() -> list[Buried]:
        # A name may be an id of both sides: the other side's tombstone says nothing of this one.
        rows = [(Side(row.side), row) for row in answer.all()]
        return [
            to_buried(side, named[side, row.remote_id], row)
            for side, row in rows
            if (side, row.remote_id) in named
        ]

    return found


def lock_ids(connection: Connection, site_id: int, ids: Mapping[Side, Sequence[str]]) -> None:
    """Who buries an id and who puts it on file take turns, so that one sees the other's work.

    SQLite has one writer at a time in any case.
    """
    names = [f"{site_id}:{side}:{name}" for side, some in ids.items() for name in some]
    if names and not is_sqlite(connection):
        LOCK_IDS.ask(connection, names=names)
