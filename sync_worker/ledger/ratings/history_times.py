"""Lines of the history by time: they are numbered as they are written, so no index is needed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from sync_worker.ledger.tables import history


def first_line_since(connection: Connection, since: datetime | None) -> int:
    """The number of the first line at that time or later; behind all lines: there is none."""
    if since is None:
        return 0
    at = since.timestamp()
    bounds = connection.execute(select(func.min(history.c.id), func.max(history.c.id))).one()
    if bounds[0] is None:
        return 0
    low, high = int(bounds[0]), int(bounds[1]) + 1
    while low < high:
        middle = (low + high) // 2
        # Numbers may be missing: the next line that is there tells.
        asked = select(history.c.id, history.c.at).where(history.c.id >= middle)
        row = connection.execute(asked.order_by(history.c.id).limit(1)).one_or_none()
        if row is None or row.at >= at:
            high = middle
        else:
            low = row.id + 1
    return low
