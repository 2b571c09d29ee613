"""Rows of a file that are created on Wix together, a hundred in one call, before each goes on.

Each has its own lease, intent and commit all the same; what does not come of it is met again by the
import of its row, which tells of it. A row that comes too late for the call is left for the rows
that follow, with no intent open.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from sync_worker.core.errors import LeaseLost
from sync_worker.core.ports.remote import Connection
from sync_worker.core.values import EntityRef, RatingKey, Side
from sync_worker.import_export.importing import HeadStart, Importer, ImportRun, RatingRow
from sync_worker.remotes.gathering import Keep, LeftForNextCall, together

Rows = Sequence[tuple[RatingKey, RatingRow]]


def begin_together(importer: Importer, rows: Rows) -> list[RatingKey]:
    """Create on Wix what nobody knows, where Wix takes many in one call.

    Returns the keys of rows that came too late for the call: nothing of them was sent.
    """
    most = importer.connection.remotes[Side.WIX].capabilities.bulk_create
    if most < 2:
        return []
    left = []
    for start in range(0, len(rows), most):
        left += _begin_some(importer, rows[start : start + most])
    return left


def _begin_some(importer: Importer, rows: Rows) -> list[RatingKey]:
    jobs = [partial(_begin, importer, key, rating) for key, rating in rows]
    gathered = together(importer.connection, jobs, keep=Keep(is_one_call=True))
    now = importer.engine.clock.monotonic()
    left = []
    for (key, _), begun in zip(rows, gathered.results, strict=True):
        if begun.is_left:
            left.append(key)
        elif begun.whose is not None and begun.whose in gathered.made:
            importer.starts[key] = HeadStart(gathered.made[begun.whose], now)
    return left


@dataclass(frozen=True, slots=True)
class _Begun:
    """``whose``: what and whom it is of on Wix, if it was created there."""

    whose: tuple[EntityRef, str | None] | None = None
    is_left: bool = False


def _begin(importer: Importer, key: RatingKey, rating: RatingRow, connection: Connection) -> _Begun:
    engine = replace(importer.engine, connect=lambda site: connection)
    leased = engine.ledger.links.lease(engine.ledger.links.link_of(key))
    # Another worker has this rating in hand.
    if leased is None:
        return _Begun()
    work, is_left = ImportRun(engine.run_of(leased, importer.actor), rating), False
    # Whatever else goes wrong here, its own import meets it again.
    with suppress(Exception):
        try:
            work.work.begin()
            work.create_unknown()
        except (LeftForNextCall, LeaseLost):
            # It waited for the others for too long, or they for it.
            is_left = True
    importer.give_back(leased)
    if not work.created:
        return _Begun(is_left=is_left)
    return _Begun((leased.entity.wix, leased.contact.contact_id))
