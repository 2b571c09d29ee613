"""Rows of a file that are created on Wix together, a hundred in one call, before each goes on.

Each has its own lease, intent and commit all the same; what does not come of it is met again by the
import of its row, which tells of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from sync_worker.core.ports.remote import Connection
from sync_worker.core.values import EntityRef, RatingKey, Side
from sync_worker.import_export.importing import HeadStart, Importer, ImportRun, RatingRow
from sync_worker.remotes.gathering import together

Rows = Sequence[tuple[RatingKey, RatingRow]]


def begin_together(importer: Importer, rows: Rows) -> None:
    """Create on Wix what nobody knows, where Wix takes many in one call."""
    most = importer.connection.remotes[Side.WIX].capabilities.bulk_create
    if most < 2:
        return
    for start in range(0, len(rows), most):
        _begin_some(importer, rows[start : start + most])


def _begin_some(importer: Importer, rows: Rows) -> None:
    jobs = [partial(_begin, importer, key, rating) for key, rating in rows]
    gathered = together(importer.connection, jobs)
    now = importer.engine.clock.monotonic()
    for (key, _), whose in zip(rows, gathered.results, strict=True):
        if whose is not None and whose in gathered.made:
            importer.starts[key] = HeadStart(gathered.made[whose], now)


def _begin(
    importer: Importer, key: RatingKey, rating: RatingRow, connection: Connection
) -> tuple[EntityRef, str | None] | None:
    """What and whom it is of on Wix, if it was created there."""
    engine = replace(importer.engine, connect=lambda site: connection)
    leased = engine.ledger.links.lease(engine.ledger.links.link_of(key))
    # Another worker has this rating in hand.
    if leased is None:
        return None
    work = ImportRun(engine.run_of(leased), rating)
    # Whatever goes wrong here, its own import meets it again.
    with suppress(Exception):
        work.work.begin()
        work.create_unknown()
    importer.give_back(leased)
    return (leased.entity.wix, leased.contact.contact_id) if work.created else None
