"""Who decides whether a new review is published.

https://dev.wix.com/docs/api-reference/crm/community/feedback-moderation/reviews-moderation-business-flow
"""

from __future__ import annotations

from enum import StrEnum

SUBMITTED, IN_MODERATION = "SUBMITTED", "IN_MODERATION"
APPROVED, REJECTED = "APPROVED", "REJECTED"
MAX_LOW_STARS = 2


class Mode(StrEnum):
    """``off``: published at once · ``late``: the rules run after the answer · ``manual``: a person
    decides · ``low_stars``: a person decides about 1 or 2 stars · ``reject``: a rule rejects all.
    """

    OFF = "off"
    LATE = "late"
    MANUAL = "manual"
    LOW_STARS = "low_stars"
    REJECT = "reject"


def decision(mode: Mode, stars: int) -> str:
    """What the site's rules make of a new review; a changed one is not looked at again."""
    match mode:
        case Mode.MANUAL:
            return IN_MODERATION
        case Mode.LOW_STARS if stars <= MAX_LOW_STARS:
            return IN_MODERATION
        case Mode.REJECT:
            return REJECTED
        case _:
            return APPROVED
