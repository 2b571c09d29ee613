"""Joins the links of a contact that was merged away with those of the contact that lives on
(invariant I21).

Under the leases of both links, taken in the order of their ids. What stays and what goes is not
decided here: the run that follows sees both records alive and plans.
"""

from __future__ import annotations

from sync_worker.core.errors import Transient
from sync_worker.core.ports.ledger import Ledger
from sync_worker.core.ports.links import LeasedLink
from sync_worker.core.values import RatingKey

BUSY_SECONDS = 1.0


def join_links(ledger: Ledger, link_id: int, key: RatingKey) -> int:
    """Bring a link to ``key``; returns the link that has it now.

    Raises Transient: somebody is at one of the links, a write of the other one has to be settled
    first, or the link is not one of this person's any more.
    """
    target_id = ledger.links.link_id(key)
    if target_id == link_id:
        return link_id  # another worker has brought it there
    runs: dict[int, LeasedLink] = {}
    try:
        for one in sorted({link_id} if target_id is None else {link_id, target_id}):
            runs[one] = _leased(ledger, one)
        target = runs[target_id].link.key if target_id is not None else key
        if runs[link_id].merged_into != key.contact_id or target != key:
            raise Transient(
                "a link was erased, or its contact merged again, just now", retry_after=BUSY_SECONDS
            )
        if any(run.intent is not None for run in runs.values()):
            raise Transient("a write of unknown outcome comes first", retry_after=BUSY_SECONDS)
        ledger.merges.join(
            runs[link_id].lease,
            None if target_id is None else runs[target_id].lease,
            key.contact_id,
        )
    finally:
        for run in runs.values():
            ledger.links.release(run.lease)
    return link_id if target_id is None else target_id


def _leased(ledger: Ledger, link_id: int) -> LeasedLink:
    run = ledger.links.lease(link_id)
    if run is None:
        raise Transient("another worker is at a link of this contact", retry_after=BUSY_SECONDS)
    return run
