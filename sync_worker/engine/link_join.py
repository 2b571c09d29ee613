"""Joins the links of a contact that was merged away with those of the contact that lives on
(invariant I21).

Under the leases of both links, taken in the order of their ids. What stays and what goes is not
decided here: the run that follows sees both records alive and plans.
"""

from __future__ import annotations

from sync_worker.core.errors import Transient
from sync_worker.core.ports.links import LeasedLink, Links
from sync_worker.core.ports.merges import Merges
from sync_worker.core.values import RatingKey

BUSY_SECONDS = 1.0


def join_links(links: Links, merges: Merges, link_id: int, key: RatingKey) -> int:
    """Bring a link to ``key``; returns the link that has it now.

    Raises Transient: somebody is at one of the links, a write of the other one has to be settled
    first, or the link is not one of this person's any more.
    """
    target_id = links.link_id(key)
    # another worker has brought it there
    if target_id == link_id:
        return link_id
    runs: dict[int, LeasedLink] = {}
    try:
        link_ids = [link_id] if target_id is None else sorted([link_id, target_id])
        for next_id in link_ids:
            runs[next_id] = _leased(links, next_id)
        target = None if target_id is None else runs[target_id]
        is_elsewhere = target is not None and target.link.key != key
        if is_elsewhere or runs[link_id].merged_into != key.contact_id:
            raise Transient(
                "a link was erased, or its contact merged again, just now", retry_after=BUSY_SECONDS
            )
        if any(run.intent is not None for run in runs.values()):
            raise Transient("a write of unknown outcome comes first", retry_after=BUSY_SECONDS)
        into = None if target is None else target.lease
        merges.join(runs[link_id].lease, into, key.contact_id)
    finally:
        for run in runs.values():
            links.release(run.lease)
    return link_id if target_id is None else target_id


def _leased(links: Links, link_id: int) -> LeasedLink:
    run = links.lease(link_id)
    if run is None:
        raise Transient("another worker is at a link of this contact", retry_after=BUSY_SECONDS)
    return run
