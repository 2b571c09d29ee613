"""Joins the links of a merged contact with those of the contact that lives on (invariant I21).

Under the leases of both links, taken in the order of their ids. What stays and what goes is not
decided here: the run that follows sees both records alive and plans. It stands in the engine and
not in the intake, since every run may find that its link has to join another one.
"""

from __future__ import annotations

from sync_worker.core.errors import Transient
from sync_worker.core.ports.links import LeasedLink, Links
from sync_worker.core.ports.merges import Merges
from sync_worker.core.values import LinkState, RatingKey

BUSY_SECONDS = 1.0


def join_links(links: Links, merges: Merges, link_id: int, key: RatingKey) -> int:
    """Bring a link to ``key``; returns the link that has it now.

    Raises Transient: somebody is at one of the links, a write of the other one has to be settled
    first, or the link is not one of this person's any more.
    """
    target_id = links.link_id(key)
    # Another worker has brought it there.
    if target_id == link_id:
        return link_id
    link_ids = {link_id} if target_id is None else {link_id, target_id}
    runs: dict[int, LeasedLink] = {}
    try:
        # In the order of their ids, so that two joins of the same links do not block each other.
        for leased_id in sorted(link_ids):
            runs[leased_id] = _leased(links, leased_id)
        source = runs[link_id]
        target = None if target_id is None else runs[target_id]
        _refuse_if_changed(source, target, key)
        # No link there yet: this link moves to the key as it is.
        into = None if target is None else target.lease
        merges.join(source.lease, into, key.contact_id)
    finally:
        for run in runs.values():
            links.release(run.lease)
    return link_id if target_id is None else target_id


def _leased(links: Links, link_id: int) -> LeasedLink:
    run = links.lease(link_id)
    if run is None:
        raise Transient("another worker is at a link of this contact", retry_after=BUSY_SECONDS)
    return run


def _refuse_if_changed(source: LeasedLink, target: LeasedLink | None, key: RatingKey) -> None:
    """Both links as they are now that we have them. Raises Transient."""
    is_still_merged = source.merged_into == key.contact_id
    is_still_target = target is None or target.link.key == key
    if not (is_still_merged and is_still_target):
        raise Transient(
            "a link was erased, or its contact merged again, just now", retry_after=BUSY_SECONDS
        )
    # Its records would move away from under a write whose outcome is still to be seen.
    if source.intent is not None or (target is not None and target.intent is not None):
        raise Transient("a write of unknown outcome comes first", retry_after=BUSY_SECONDS)


def has_joined(run: LeasedLink, merges: Merges) -> bool:
    """Whether its contact was merged away, and nothing of it is left to bring along.

    Joined once more with each look, the links of several contacts that were merged at once kept one
    another waiting for ever.
    """
    link = run.link
    is_empty = link.state is LinkState.BURIED and not link.records and not link.shadowed
    if run.merged_into is None or not is_empty or run.deliveries or run.intent is not None:
        return False
    return not merges.buried_with(link.id)
