"""Remote ids that are gone for good, in clear or, after a privacy request, hashed.

Table ``tombstone``. The names of its columns' values are in core's hold_keys.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete, select, update

from sync_worker.core.hold_keys import erased_id
from sync_worker.core.values import Buried, Lease, Located, RatingKey, Side
from sync_worker.ledger.rows import to_buried
from sync_worker.ledger.sql_text import SqlText, columns_of
from sync_worker.ledger.tables import tombstone
from sync_worker.ledger.transactions import is_sqlite


def hashed_id(site_id: str, side: str, remote_id: str) -> str:
    """``erased_id`` of these SQL expressions (PostgreSQL only)."""
    plain = f"{site_id}::text || ':' || {side}::text || ':' || {remote_id}::text"
    return f"encode(sha256(convert_to({plain}, 'UTF8')), 'hex')"


LOCK_IDS = SqlText("""
-- tombstone.lock_ids: for this transaction, in one order everywhere, so that nobody waits forever
SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(:names::text[]) AS name
""")

NAMED = SqlText(f"""
-- tombstone.named: tombstones of both sides, by their ids in clear or hashed
SELECT {columns_of(tombstone)} FROM tombstone
WHERE site_id = :site_id AND side IN ('wix', 'external') AND remote_id = ANY(:names::varchar[])
""")

BURY = SqlText("""
-- tombstone.bury: another transaction may bury the same id now; the highest numbers stay
INSERT INTO tombstone (site_id, side, remote_id, link_id, revision, sequence, privacy, created_at)
VALUES (:site_id, :side, :remote_id, :link_id, :revision, :sequence, :privacy, ledger_now())
ON CONFLICT (site_id, side, remote_id) DO UPDATE SET
  revision = CASE WHEN excluded.revision > coalesce(tombstone.revision, -1)
    THEN excluded.revision ELSE tombstone.revision END,
  sequence = CASE WHEN excluded.sequence > coalesce(tombstone.sequence, -1)
    THEN excluded.sequence ELSE tombstone.sequence END,
  link_id = coalesce(excluded.link_id, tombstone.link_id)
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
    note_buried(connection, site_id, buried, link_id)


def note_buried(connection: Connection, site_id: int, buried: Buried, link_id: int | None) -> None:
    """As ``bury``, where nothing is buried under the other form of the id; may stand in a batch."""
    name = buried.remote_id
    if buried.privacy:
        name = erased_id(site_id, buried.side, buried.remote_id)
    BURY.ask(
        connection,
        site_id=site_id,
        side=str(buried.side),
        remote_id=name,
        link_id=link_id,
        revision=buried.revision,
        sequence=buried.sequence,
        privacy=buried.privacy,
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


def to_located(row: Any, site_id: int, side: Side, remote_id: str) -> Located:
    """``row``: of ``directory.located``, if there is one."""
    # No link and no tombstone knows this id.
    if row is None:
        return Located()
    # A rating that was never linked has a tombstone without a key.
    key = None
    if row.entity_id is not None:
        key = RatingKey(site_id, row.entity_id, row.contact_id)
    if row.is_on_file:
        return Located(key, is_on_file=True)
    return Located(key, to_buried(side, remote_id, row))
