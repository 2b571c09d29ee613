"""Whether a record rates what it rated, and is of whom it was, by what it tells now. Pure.

What a record does not tell is unknown, and unknown is not another.
"""

from __future__ import annotations

from collections.abc import Collection

from sync_worker.core.email_identity import earlier_identities, normalise_email
from sync_worker.core.values.records import EntityRef

# Nobody has an address there; WordPress puts one in place of an erased person's.
# https://www.rfc-editor.org/rfc/rfc6761#section-6.4
# https://developer.wordpress.org/reference/functions/wp_privacy_anonymize_data/
NOBODY = ".invalid"


def rates_another(ref: EntityRef | None, known: EntityRef) -> bool:
    """Whether a record names another thing than it rated before."""
    if ref is None or not ref.entity_id:
        return False
    if ref.entity_id != known.entity_id:
        return True
    # Only what both tell can differ: a row need not tell the group.
    return bool(ref.group and known.group) and ref.group != known.group


def is_of_another(email: str | None, addresses: Collection[str]) -> bool:
    """Whether a record names an address beside those of its person, as the ledger has them."""
    # Not told; or its person has left no address to compare with.
    if not email or not email.strip() or not addresses:
        return False
    identity = normalise_email(email)
    # Written differently, or made anonymous.
    if identity in addresses or identity.endswith(NOBODY):
        return False
    # On file in the form of an earlier version.
    return all(form not in addresses for form in earlier_identities(email))
