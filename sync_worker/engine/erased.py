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

MAX_ADDRESSES = 50  # that are looked for, of one delivery; a real one names a few people


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
