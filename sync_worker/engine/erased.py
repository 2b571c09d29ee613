"""Whether what came in names somebody who has asked to be forgotten.

A record outside may be somebody else's by the time late news of it has its turn. That news is no
reason to forget the record, but nothing of whom it names may stay.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

from sync_worker.core.email_identity import addresses_told, normalise_email
from sync_worker.core.ports.directory import Directory
from sync_worker.core.ports.inbox import Inbox
from sync_worker.core.values import Change, Delivery

MAX_ADDRESSES = 50  # that are looked for, of one delivery; a real one names a few people


# A look at the record tells all that these do; of anything else only its own words do.
OF_A_RECORD = (Change.UPSERT, Change.DELETE)


def forgets_erased(
    directory: Directory, inbox: Inbox, site_id: int, delivery: Delivery, own: Collection[str] = ()
) -> bool:
    """Whether a delivery names an erased address; then nothing of what it told stays on file.

    Nor while it waits, or is held for another reason. ``own``: as in ``names_erased``.
    """
    if not names_erased(directory, site_id, delivery.new.payload, own):
        return False
    if delivery.new.change in OF_A_RECORD:
        inbox.forget_content(delivery.id)
    return True


def names_erased(
    directory: Directory, site_id: int, payload: Mapping[str, Any], own: Collection[str] = ()
) -> bool:
    """Whether a payload names an erased address that nobody has by now.

    ``own``: addresses that are known to be in use, and need no question.
    """
    told = (one for one in addresses_told(payload) if normalise_email(one) not in own)
    addresses = list(islice(dict.fromkeys(told), MAX_ADDRESSES))
    # as of nearly all deliveries
    if not addresses:
        return False
    return bool(directory.erased_addresses(site_id, addresses))
