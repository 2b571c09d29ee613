"""What is said of a reason for which a delivery is held."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ON_LOOK = (
    "the next look at the rating (an event, a poll, a sweep) finds both sides in step, or can bring"
    " them in step"
)
IN_STEP_ONLY = (
    "the next look at the rating finds both sides in step; nothing is written for it before a"
    " person releases it"
)
ON_PERSON = "the contact or its address becomes known: by its event, by another rating, by a sweep"


class Way(StrEnum):
    """What a person can do about it first. ``WAIT``: nothing here; it goes on by itself."""

    MAP_PRODUCT = "map_product"
    ADD_CONTACT = "add_contact"
    CHOOSE_SIDE = "choose_side"
    CONFIRM = "confirm"  # what a release does then cannot be undone
    RELEASE = "release"
    DROP = "drop"
    ADD_SITE = "add_site"
    RESUME_SITE = "resume_site"
    ACCOUNT = "account"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class HoldReason:
    """One reason, in the words that commands, the manual and the console share.

    ``title``: in a few words, without a full stop. ``sentence``: what happened; ``advice``: what a
    person does about it; ``frees_itself``: when it goes on without one. A command, a policy or a
    setting stands between back quotes.
    """

    name: str
    title: str
    sentence: str
    advice: str
    way: Way
    frees_itself: str
