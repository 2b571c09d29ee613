"""Whether what a write of ours covered is in the history."""

from __future__ import annotations

from collections.abc import Iterator

from sync_worker.core.hold_keys import erased_id
from sync_worker.core.values import HistoryEntry, Side
from sync_worker.core.values.texts import REPLY, normal_form
from tests.simulation.oracles.reading import (
    erased_keys,
    fields_of,
    key_of,
    name_on,
    on_record,
    our_writes,
)
from tests.simulation.world import Shop
from tests.twins.remote_values import JournalEntry


def lost_silently(shop: Shop) -> Iterator[str]:
    """I2: every value that one of our writes covered is in the history (or a gap is).

    What a delete of ours covered may be what a write of ours, for a link that a merge was about to
    join, had just put there: that is in the history as its outcome.
    """
    history: list[HistoryEntry] = shop.ledger.history_entries()
    gaps = {entry.remote_id for entry in history if entry.what == "gap"}
    told = {(entry.remote_id, on_record(entry.before)) for entry in history}
    written = {(entry.remote_id, on_record(entry.after)) for entry in history}
    unseen = set(shop.ledger.closed_with("buried_with_unseen_edit"))
    # Their ids are hashed: what its person asked to be forgotten leaves no other trace.
    forgotten = set(shop.ledger.closed_with("erased"))
    erased = erased_keys(shop)
    for side, write in our_writes(shop):
        if key_of(shop, side, write) in erased or told_of_erased(shop, side, write) in erased:
            continue  # a privacy request leaves no trace: I20
        for name, value in (write.before or {}).items():
            after = (write.after or {}).get(name)
            if value == after or name not in mapped_names(shop) or write.remote_id in gaps:
                continue
            if isinstance(value, str) and says_nothing(shop, side, name, value):
                continue
            hashed = erased_id(shop.site.id, side, write.remote_id)
            if write.operation == "delete" and (
                (write.remote_id, write.revision) in shop.post.dropped | unseen
                or (hashed, write.revision) in forgotten | unseen
            ):
                # Deletes know no precondition: an edit in that window shows only by its webhook
                continue
            if write.revision is None:
                # Without revisions there is a window between look and write: named in
                # docs/promises.md
                continue
            if name == REPLY and write.operation == "reply" and not shop.options.replies_count:
                # Nor does a reply raise one there: the same window
                continue
            is_ours = write.operation == "delete" and covers_our_own(shop, side, write)
            covered = write.remote_id, on_record(value)
            if covered not in told and not (is_ours and covered in written):
                yield (
                    f"I2 {write.operation} of {write.remote_id} covered {name}={value} without a"
                    " trace"
                )


def told_of_erased(shop: Shop, side: Side, write: JournalEntry) -> tuple[str, str]:
    """Of whose rating a delete of ours is on file: a record may be given away before it lands."""
    earlier = [
        one
        for one in shop.remotes[side].journal[: write.at]
        if one.remote_id == write.remote_id and one.operation != "move"
    ]
    return key_of(shop, side, earlier[-1] if write.operation == "delete" else write)


def covers_our_own(shop: Shop, side: Side, write: JournalEntry) -> bool:
    """Whether what a write covered was a write of ours, and no word of a person."""
    earlier = (
        one for one in shop.remotes[side].journal[: write.at] if one.remote_id == write.remote_id
    )
    return max(earlier, key=lambda one: one.at).by_us


def mapped_names(shop: Shop) -> set[str]:
    return {name_on(field, side) for field in fields_of(shop) for side in Side}


def says_nothing(shop: Shop, side: Side, name: str, text: str) -> bool:
    """An empty text, or what a system shows in its place: no word is lost with it."""
    return not normal_form(text, shop.remotes[side].capabilities.words[name])
