"""Every reason for which a delivery is held: what happened, what to do, when it frees itself.

docs/held.md says the same; a test holds both equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sync_worker.core.hold_reasons import deciding, refused, waiting
from sync_worker.core.hold_reasons.reason import IN_STEP_ONLY, ON_LOOK, HoldReason, Way

__all__ = [
    "ACCOUNT_LOCKED",
    "ACCOUNT_PAUSED",
    "ACCOUNT_REVOKED",
    "CONTENT_REPLACED",
    "DECISION_OUTDATED",
    "FOR_AN_ACCOUNT",
    "FOR_A_CONTACT",
    "FREES_ITSELF",
    "HOLD_REASONS",
    "IN_STEP_ONLY",
    "KEYLESS",
    "LINK_HELD",
    "NO_ACCOUNT",
    "ON_LOOK",
    "STANDS_BY",
    "STOPPED",
    "UNCONFIRMED_DELETES",
    "UNTIL_DELETED",
    "HoldReason",
    "Way",
    "hold_reason",
]

ACCOUNT_PAUSED = "account_paused"
ACCOUNT_LOCKED = "account_locked"
ACCOUNT_REVOKED = "account_revoked"
NO_ACCOUNT = "no_account"
# A site is given an account: what had none goes on.
FOR_AN_ACCOUNT = (ACCOUNT_REVOKED, NO_ACCOUNT)
CONTENT_REPLACED = "content_replaced"
STOPPED = "stopped"
LINK_HELD = "link_held"  # beside a link that is held
DECISION_OUTDATED = "decision_outdated"

_ALL = (*waiting.REASONS, *deciding.REASONS, *refused.REASONS)
HOLD_REASONS: Mapping[str, HoldReason] = MappingProxyType({one.name: one for one in _ALL})
FREES_ITSELF: Mapping[str, str] = MappingProxyType(
    {one.name: one.frees_itself for one in HOLD_REASONS.values()}
)
# Such wait for a contact or its address, under a hold key.
FOR_A_CONTACT = (
    "address_unusable",
    "contact_unknown",
    "no_email",
    "people_joined",
    "unknown_contact",
)
# A run of their link sees these, but applies them only once a person has released them.
STANDS_BY = frozenset(
    {
        CONTENT_REPLACED,
        DECISION_OUTDATED,
        STOPPED,
        "create_failed",
        "delete_brake",
        "fight",
        "link_held",
        "normalised_by_remote",
        "site_recovery",
        "too_costly",
        "worker_died",
    }
)
# Of these a look is enough once the record itself is deleted: their link stands still meanwhile.
UNTIL_DELETED = frozenset({"create_failed", "link_held"})
# Whose rating it is, or of what, is not known: further words of its record wait for the same.
KEYLESS = frozenset(
    {
        "address_unusable",
        "anonymous_visitor",
        "contact_unknown",
        "no_email",
        "no_entity",
        "unknown_contact",
        "unknown_entity",
    }
)
# Deletes that a person has to confirm: no run sends one for such a rating.
UNCONFIRMED_DELETES = ("delete_brake", "site_recovery")


def hold_reason(name: str) -> HoldReason:
    """What is said of a reason; of one that only another version knows, no more than its name."""
    known = HOLD_REASONS.get(name)
    if known is not None:
        return known
    words = name.replace("_", " ").capitalize() or "No reason is written down"
    unknown = "Another version of the program holds it for this reason."
    advice = "Look at it with `held show`, then release or drop it."
    return HoldReason(name, words, unknown, advice, Way.RELEASE, "never that this version knows of")
