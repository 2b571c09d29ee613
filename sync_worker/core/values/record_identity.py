"""Whether a record rates what it rated, and is of whom it was, by what it tells now. Pure.

What a record does not tell is unknown, and unknown is not another. Nor is what a system shows
instead of the person that we named: the account of our token, an address that it writes its own
way. So a record on file has changed only against what it showed itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from sync_worker.core.email_identity import earlier_identities, identity_told
from sync_worker.core.values.records import EntityRef

HASH_LENGTH = 20  # of each part; an identity has three of them, parted by dots
ANSWERED = "~"  # before an identity that only the answer to a create of ours has told
CHANGED_SINCE = "~~"  # the same, and somebody has changed the record since


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
    if not email or not addresses:
        return False
    identity = identity_told(email)
    # Masked or anonymous; or written differently.
    if identity is None or identity in addresses:
        return False
    # On file in the form of an earlier version.
    return all(form not in addresses for form in earlier_identities(email))


@dataclass(frozen=True, slots=True)
class Changed:
    """Which parts of its identity a record shows otherwise than before."""

    person: bool
    thing: bool

    def __bool__(self) -> bool:
        return self.person or self.thing


UNCHANGED, UNCOMPARED = Changed(False, False), Changed(True, True)


def identity_shown(entity: EntityRef | None, email: str | None, noted: str | None) -> str | None:
    """Whose a record is, and of what, by what it shows; a hash for each part.

    ``noted``: what it showed before, of which stays what it does not tell now.
    """
    shown = _hashes(entity, email)
    if noted is not None:
        pairs = zip(shown, noted.split("."), strict=True)
        shown = tuple(now or before for now, before in pairs)
    return ".".join(shown) if any(shown) else None


# A run sees one record several times, and a worker often the same records.
@lru_cache(maxsize=1000)
def _hashes(entity: EntityRef | None, email: str | None) -> tuple[str, ...]:
    """Of the address, the id and the group of the thing; empty: not told."""
    parts: list[str | None] = [None, None, None]
    if email:
        parts[0] = identity_told(email)
    if entity is not None:
        parts[1:] = entity.entity_id, entity.group
    shown = [""] * len(parts)
    for place, part in enumerate(parts):
        if part:
            told = part.encode(errors="surrogatepass")
            shown[place] = hashlib.sha256(told).hexdigest()[:HASH_LENGTH]
    return tuple(shown)


def as_answered(identity: str | None) -> str | None:
    """The identity that a create of ours was answered with: it may only repeat whom we named."""
    # It names nobody.
    if identity is None or identity.startswith((".", ANSWERED)):
        return identity
    return ANSWERED + identity


def is_only_answered(identity: str | None) -> bool:
    """Whether nothing but the answer to a create of ours has shown whose a record is."""
    return identity is not None and identity.startswith(ANSWERED)


def as_changed_since(identity: str | None) -> str | None:
    """The identity of a record that somebody else has changed, in what no look has shown."""
    if identity is None or not is_only_answered(identity):
        return identity
    return CHANGED_SINCE + identity.lstrip(ANSWERED)


def may_be_as_made(identity: str | None) -> bool:
    """Whether nobody but us has changed a record since our create, as far as its numbers tell."""
    return is_only_answered(identity) and not str(identity).startswith(CHANGED_SINCE)


def changed(now: str | None, noted: str | None) -> Changed:
    """What differs of two identities; only what both tell can."""
    if now is None or noted is None or now == noted:
        return UNCHANGED
    pairs = zip(now.lstrip(ANSWERED).split("."), noted.lstrip(ANSWERED).split("."), strict=True)
    person, *thing = [bool(one and other) and one != other for one, other in pairs]
    return Changed(person, any(thing))
