"""Looks at a record after a write of ours that has landed, or may have.

Whatever goes wrong with such a look, the write is not undone by it: its outcome is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from sync_worker.core.errors import Conflict, SyncError, Transient, UnknownOutcome
from sync_worker.core.values import Record

Look = Callable[[], Record | None]


def look_after_write(look: Look) -> Record | None:
    """The record now. Raises UnknownOutcome, and nothing else, where the look fails."""
    try:
        return look()
    except SyncError as error:
        wait = error.retry_after if isinstance(error, Transient) else None
        raise UnknownOutcome(
            "the write may have landed, and the look at it failed",
            retry_after=wait,
            facts=error.facts,
        ) from error


def update_met_by_itself(
    unknown: UnknownOutcome, look: Look, values: Mapping[str, Decimal], revision: int | None
) -> Record:
    """The record, if our second try met our own first one: one change on, to our values.

    Raises ``unknown`` if nothing tells that.
    """
    if not isinstance(unknown.later, Conflict):
        raise unknown
    record = look_after_write(look)
    # Gone, or another revision: somebody else has written since.
    if record is None or revision is None or record.revision != revision + 1:
        raise unknown
    if any(record.values.get(name) != value for name, value in values.items()):
        raise unknown
    return record


def refuse_living(look: Look) -> None:
    """Look whether a delete was carried out that was answered with success.

    Raises UnknownOutcome if nothing tells that it was. Where deletes hide, the record may be there
    for those who look by its id.
    """
    record = look_after_write(look)
    if record is not None and record.is_visible:
        raise UnknownOutcome("the delete was answered with success, the record is still there")
