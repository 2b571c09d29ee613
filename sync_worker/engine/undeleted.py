"""Whether a record lives on where it was deleted: one that a sweep shows is not brought back."""

from __future__ import annotations

from sync_worker.core.record_codec import record_listed
from sync_worker.core.values import Buried, Delivery, Record
from sync_worker.engine.news import is_as_buried
from sync_worker.engine.reading import Reading
from sync_worker.engine.view import View


def is_undeleted(
    view: View, reading: Reading, delivery: Delivery, record: Record, tombstone: Buried
) -> bool:
    """Whether a sweep shows a record that lives on where we, or somebody, deleted it.

    An event of its own may tell of a restore that counts no revision.
    """
    if record_listed(delivery.new.payload) is None or not record.is_visible:
        return False
    # the side numbers the states of its records
    if record.revision is not None and tombstone.revision is not None:
        return is_as_buried(record, tombstone)
    # without numbers: one that we deleted, and that shows what it showed then
    return _is_as_we_deleted(view, reading, record, tombstone)


def _is_as_we_deleted(view: View, reading: Reading, record: Record, tombstone: Buried) -> bool:
    side, remote_id = tombstone.side, tombstone.remote_id
    deleted = reading.directory.values_deleted(view.run.site.id, side, remote_id)
    slot = view.slot_for(side, record)
    if deleted is None or slot is None:
        return False
    shown = view.seen_as(slot, record).values
    return all(
        value is None or view.carried.says_same(name, side, value, shown.get(name))
        for name, value in deleted.items()
    )
