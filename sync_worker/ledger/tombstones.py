"""The tombstones of the SQL ledger: remote ids that are gone for good, in clear or, after a privacy
request, hashed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Text, bindparam, case, func, select, text

from sync_worker.core.hold_keys import erased_id
from sync_worker.core.values import Buried, Side
from sync_worker.ledger.base import fixed
from sync_worker.ledger.inbox import InboxLedger
from sync_worker.ledger.prepared import Prepared
from sync_worker.ledger.rows import to_buried
from sync_worker.ledger.tables import tombstone

# In one order everywhere, or two would wait for each other for ever.
TURNS = text(
    "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(CAST(:names AS text[])) AS"
    " name"
)


class GraveLedger(InboxLedger):
    """Implements the part of ports.Ledger about what is gone."""

    def _bury(
        self, connection: Connection, site_id: int, buried: Buried, link_id: int | None
    ) -> None:
        known = connection.execute(
            select(tombstone).where(self._is_grave(site_id, buried.side, [buried.remote_id]))
        )
        for row in known.all():
            buried = _deeper(buried, to_buried(buried.side, buried.remote_id, row))
            link_id = link_id or row.link_id
            if buried.privacy and not row.privacy:  # from now on it is known by its hash only
                connection.execute(
                    tombstone.delete().where(self._is_named(site_id, buried.side, [row.remote_id]))
                )
        name = (
            erased_id(site_id, buried.side, buried.remote_id)
            if buried.privacy
            else buried.remote_id
        )
        insert = self._insert(tombstone).values(
            site_id=site_id,
            side=str(buried.side),
            remote_id=name,
            link_id=link_id,
            revision=buried.revision,
            sequence=buried.sequence,
            privacy=buried.privacy,
            created_at=self._now,
        )
        new = insert.excluded
        highest = {
            column: case(
                (new[column] > func.coalesce(tombstone.c[column], -1), new[column]),
                else_=tombstone.c[column],
            )
            for column in ("revision", "sequence")
        }
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=["site_id", "side", "remote_id"],
                set_={**highest, "link_id": func.coalesce(new.link_id, tombstone.c.link_id)},
            )
        )

    def _is_grave(self, site_id: int, side: Side, remote_ids: Sequence[str]) -> Any:
        """In clear or hashed."""
        return self._is_named(
            site_id, side, [*remote_ids, *(erased_id(site_id, side, one) for one in remote_ids)]
        )

    def _is_named(self, site_id: int, side: Side, names: Sequence[str]) -> Any:
        is_there = (tombstone.c.site_id == site_id) & (tombstone.c.side == str(side))
        return is_there & tombstone.c.remote_id.in_(names)

    def _graves(
        self, connection: Connection, site_id: int, ids: Mapping[Side, Sequence[str]]
    ) -> list[Buried]:
        """What is buried of these ids."""
        return self._ask_graves(connection, site_id, ids)()

    def _ask_graves(
        self, connection: Connection, site_id: int, ids: Mapping[Side, Sequence[str]]
    ) -> Callable[[], list[Buried]]:
        """As ``_graves``, told after the batch it is asked in."""
        named = {(side, one): one for side, some in ids.items() for one in some}
        named |= {(side, erased_id(site_id, side, one)): one for side, one in named}
        names = sorted({name for _, name in named})
        answer = self._named.ask(connection, {"the_site": site_id, "the_names": names})

        def told() -> list[Buried]:
            # A name may be an id of both sides: the other side's grave is nothing to this one.
            found = ((Side(row.side), row) for row in answer.all())
            return [
                to_buried(side, named[side, row.remote_id], row)
                for side, row in found
                if (side, row.remote_id) in named
            ]

        return told

    @cached_property
    def _named(self) -> Prepared:
        is_there = (tombstone.c.site_id == bindparam("the_site")) & tombstone.c.side.in_(
            fixed(Side)
        )
        return self._prepared(
            select(tombstone).where(is_there & self._among(tombstone.c.remote_id, "the_names"))
        )

    def _lock_ids(
        self, connection: Connection, site_id: int, ids: Mapping[Side, Sequence[str]]
    ) -> None:
        """Who buries an id and who puts it on file take turns, so that one of them sees the other's
        work.

        SQLite has one writer at a time in any case.
        """
        names = [f"{site_id}:{side}:{one}" for side, some in ids.items() for one in some]
        if names and not self._is_sqlite:
            self._turns.ask(connection, {"names": names})

    @cached_property
    def _turns(self) -> Prepared:
        return self._prepared(TURNS.columns(turn=Text))


def _deeper(new: Buried, known: Buried) -> Buried:
    """Both graves in one: the highest numbers, and privacy for ever."""
    return replace(
        new,
        revision=max(
            (one for one in (new.revision, known.revision) if one is not None), default=None
        ),
        sequence=max(
            (one for one in (new.sequence, known.sequence) if one is not None), default=None
        ),
        privacy=new.privacy or known.privacy,
    )
