"""Why a row of a file is not imported, or no row at all."""

from __future__ import annotations

from sync_worker.core.errors import Held, Permanent, SyncError

CONCERNS_ALL = (
    "unauthorized",
    "redirected",
    "host_not_allowed",
    "site_paused",
    "site_removed",
    "paging_repeats",
    "paging_too_long",
)


class Refused(Exception):
    """The row cannot be imported; ``column`` is the part of it that is to blame."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


def as_refused(error: SyncError) -> Exception:
    """An error of one row as its reason; an error that concerns every row as it is."""
    if not isinstance(error, Held | Permanent) or error.reason in CONCERNS_ALL:
        return error
    return Refused("", f"{error.reason}: {error.message}")
