"""A listing of what changed since a time. Pure.

What it asks for, and the newest time that its records show.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from sync_worker.core.errors import Permanent
from sync_worker.core.values import Record
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_reader import created_at, updated_at
from sync_worker.manifest.schema.polling import Incremental

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)  # a system's clock may be ahead of ours


def since_query(incremental: Incremental, since: datetime) -> dict[str, str]:
    """The query parameters, their overlap earlier."""
    start = since.astimezone(UTC) - timedelta(seconds=incremental.overlap_s)
    match incremental.format:
        case "iso8601":
            text = start.strftime("%Y-%m-%dT%H:%M:%SZ")
        case "epoch_s":
            text = str(int(start.timestamp()))
        case "epoch_ms":
            text = str(int(start.timestamp() * 1000))
    return dict.fromkeys(incremental.names, text)


def newest_of(
    manifest: Manifest, incremental: Incremental, records: Sequence[Record], now: datetime
) -> datetime | None:
    """The latest time on a page. A record without a readable one is none the worse for it.

    One from far ahead of ``now`` counts as none: asked from then on, nothing would ever be new.
    """
    times = _times(manifest, incremental, records)
    return max((time for time in times if EARLIEST <= time <= now + AHEAD), default=None)


def _times(
    manifest: Manifest, incremental: Incremental, records: Sequence[Record]
) -> Iterator[datetime]:
    kinds = [updated_at if incremental.semantics == "updated" else created_at]
    if incremental.params:
        kinds.append(created_at)
    for record in records:
        with suppress(Permanent):
            times = (time_of(manifest, record.raw) for time_of in kinds)
            if (time := next(filter(None, times), None)) is not None:
                yield time
