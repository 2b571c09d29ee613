"""Looks at a record after a write of ours that has landed, or may have.

Whatever goes wrong with such a look, the write is not undone by it: its outcome is unknown.
"""

from __future__ import annotations

from collections.abc import Callable

from sync_worker.core.errors import Conflict, SyncError, Transient, UnknownOutcome
from sync_worker.core.values import Draft, Record

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
    unknown: UnknownOutcome, look: Look, draft: Draft, revision: int | None
) -> Record:
    """The record, if our second try met our own first one: one change on, to what we sent.

    Raises ``unknown`` if nothing tells that.
    """
    if not isinstance(unknown.later, Conflict):
        raise unknown
    record = look_after_write(look)
    # Gone, or another revision: somebody else has written since.
    if record is None or revision is None or record.revision != revision + 1:
        raise unknown
    if not _shows(record, draft):
        raise unknown
    return record


def _shows(record: Record, draft: Draft) -> bool:
    """Whether a record shows the values of a draft, and the words that it changes."""
    return all(record.values.get(name) == value for name, value in draft.values.items()) and all(
        record.words.get(name) == text for name, text in draft.words_to_write.items()
    )


def refuse_living(look: Look, *, may_hide: bool = True) -> None:
    """Look whether a delete was carried out that was answered with success.

    Raises UnknownOutcome if nothing tells that it was. ``may_hide``: deletes may hide, and the
    record is there for those who look by its id.
    """
    record = look_after_write(look)
    if record is not None and (record.is_visible or not may_hide):
        raise UnknownOutcome("the delete was answered with success, the record is still there")
