"""Every reason for which a delivery is held, and when it frees itself.

docs/held.md says the same; a test holds both equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ON_LOOK = (
    "the next look at the rating (an event, a poll, a sweep) finds both sides in step, or can bring"
    " them in step"
)
IN_STEP_ONLY = (
    "the next look at the rating finds both sides in step; nothing is written for it before a"
    " person releases it"
)
ACCOUNT_PAUSED = "account_paused"
ACCOUNT_LOCKED = "account_locked"
ACCOUNT_REVOKED = "account_revoked"
NO_ACCOUNT = "no_account"
# A site is given an account: what had none goes on.
FOR_AN_ACCOUNT = (ACCOUNT_REVOKED, NO_ACCOUNT)
CONTENT_REPLACED = "content_replaced"
ON_PERSON = "the contact or its address becomes known: by its event, by another rating, by a sweep"

FREES_ITSELF: Mapping[str, str] = MappingProxyType(
    {
        "unknown_entity": "the entity is mapped",
        "unknown_contact": ON_PERSON,
        "no_email": ON_PERSON,
        "contact_unknown": ON_PERSON,
        "anonymous_visitor": "the next look at its record finds who rated",
        "no_entity": "the next look at its record finds what it rates",
        "unknown_site": "its site is added",
        "site_paused": "the site is resumed",
        "site_recovery": "the site is resumed",
        "site_removed": "the app is installed again",
        NO_ACCOUNT: "the site is given an account",
        ACCOUNT_PAUSED: "the account is resumed, or the site is given another one",
        ACCOUNT_REVOKED: "the site is given an account again",
        ACCOUNT_LOCKED: (
            "its secrets open: with the right SECRETS_KEY, which a worker looks for once a minute,"
            " or when they are given anew"
        ),
        "account_failing": "the account is accepted again: a probe asks each minute",
        "guest_change": (
            "the next look at the rating finds both sides in step, the guest's record gone, or the"
            " member's newer word"
        ),
        "address_unusable": "the contact or its record shows another address",
        "not_deleted": "the next look finds the record gone, or changed since",
        "maybe_unpublished": (
            "Wix shows the review again, or tells that it was deleted; or its record outside goes"
        ),
        "people_joined": ON_LOOK,
        CONTENT_REPLACED: "never: a person puts back what was lost, and releases it",
        "unusable_id": "never: its id names no record",
        "malformed_event": "never: it speaks of no rating",
        **dict.fromkeys(
            (
                "attempts_exhausted",
                "awaiting_confirmation",
                "bad_cursor",
                "cannot_write",
                "conflict_unexplained",
                "duplicate_unseen",
                "entity_mapped_elsewhere",
                "first_difference",
                "host_not_allowed",
                "id_linked_elsewhere",
                "listing_cut",
                "main_value_missing",
                "malformed_listing",
                "malformed_record",
                "misconfigured",
                "moderated",
                "moved_onto_rating",
                "not_listed",
                "off_scale",
                "organic_review",
                "paging_repeats",
                "paging_too_long",
                "redirected",
                "refused",
                "scale_changed",
                "several_records",
                "skipped",
                "too_long",
                "unauthorized",
                "unstorable",
                "unsupported",
            ),
            ON_LOOK,
        ),
        **dict.fromkeys(
            (
                "create_failed",
                "delete_brake",
                "fight",
                "link_held",
                "normalised_by_remote",
                "too_costly",
                "worker_died",
            ),
            IN_STEP_ONLY,
        ),
    }
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
