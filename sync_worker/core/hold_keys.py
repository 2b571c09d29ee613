"""Names of what a held delivery waits for, and of what a privacy request has erased.

The arrival of what is waited for releases the delivery. Addresses appear hashed only.
"""

from __future__ import annotations

import hashlib

from sync_worker.core.email_identity import earlier_identities, normalise_email
from sync_worker.core.values import PRODUCTS, EntityRef, Side


def source_hold_key(side: Side, source: str) -> str:
    """Waits until a site is added for this source."""
    return f"source:{side}:{source}"


def entity_hold_key(side: Side, ref: EntityRef) -> str:
    """Waits until this entity is mapped."""
    parts: tuple[str, ...] = (ref.group, ref.entity_id)
    if side is Side.WIX:
        parts = (ref.namespace, *parts)
    return ":".join(("entity", str(side), *parts))


def entity_of_hold_key(hold_key: str) -> tuple[Side, EntityRef] | None:
    """The entity that it waits for; ``None``: it waits for something else.

    A group with a colon in it is taken to end there.
    """
    word, _, rest = hold_key.partition(":")
    side, _, rest = rest.partition(":")
    if word != "entity" or side not in tuple(Side):
        return None
    namespace = ""
    if side == Side.WIX:
        namespace, _, rest = rest.partition(":")
    group, _, entity_id = rest.partition(":")
    return Side(side), EntityRef(entity_id, group, namespace)


def entity_hold_keys(side: Side, ref: EntityRef) -> list[str]:
    """All keys under which something may wait for an entity that is mapped by this name.

    Wix Reviews tells no more of a product than its id.
    """
    names = {ref, EntityRef(ref.entity_id, namespace=PRODUCTS)} if side is Side.WIX else {ref}
    return [entity_hold_key(side, name) for name in names]


def email_hold_key(email: str) -> str:
    """Waits until a contact with this address is known."""
    return _email_key(normalise_email(email))


def email_hold_keys(email: str) -> list[str]:
    """All keys under which something may wait for an address, those of earlier versions too."""
    return [_email_key(form) for form in (normalise_email(email), *earlier_identities(email))]


def _email_key(form: str) -> str:
    # Bytes of any kind may stand in an address that a system tells.
    return f"contact:email:{hashlib.sha256(form.encode(errors='surrogatepass')).hexdigest()}"


def contact_hold_key(contact_id: str) -> str:
    """Waits until this contact has an address."""
    return f"contact:wix:{contact_id}"


def account_hold_key(side: Side) -> str:
    """Waits until the site's account on this side is accepted again."""
    return f"account:{side}"


def erased_id(site_id: int, side: Side, remote_id: str) -> str:
    """The hash that remains of an erased id: enough to know it again, not to tell what it was."""
    return hashlib.sha256(f"{site_id}:{side}:{remote_id}".encode()).hexdigest()


def contact_tombstone(contact_id: str) -> str:
    """Under this name an erased contact lies among the buried ids of the Wix side."""
    return f"contact:{contact_id}"


def address_tombstone(email: str) -> str:
    """Under this name an erased address lies among the buried ids of the external side."""
    return f"address:{normalise_email(email)}"


def address_tombstones(email: str) -> list[str]:
    """All names under which it may lie there, those of earlier versions too."""
    return [f"address:{form}" for form in (normalise_email(email), *earlier_identities(email))]
