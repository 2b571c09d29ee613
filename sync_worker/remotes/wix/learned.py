"""What was found out of Wix Reviews on a site, as far as it changes what we do there. Pure.

By a probe, or by the answer to an update. Everything else that a probe learns is for people: calls
are made so that either answer is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# As the probe names them, and what it says then.
SEES_REJECTED, KEEPS_CONTENT = "U10", "U19"
SHOWN = "a rejected review is shown to us"
REPLACES = "an update replaces the content"
PICTURES = "media"


def shows_hidden(learned: Mapping[str, str]) -> bool:
    """Whether a review that moderation keeps out of sight has been shown to us.

    Else one that no look finds may be there all the same.
    """
    return learned.get(SEES_REJECTED, "").startswith(SHOWN)


def takes_pictures(learned: Mapping[str, str]) -> bool:
    """Whether an update that sends no pictures has taken them; stars and words are always sent."""
    said = learned.get(KEEPS_CONTENT, "")
    return said.startswith(REPLACES) and PICTURES in said


def has_replaced(lost: Iterable[str]) -> dict[str, str]:
    """What an update of ours has shown, as a probe would say it. ``lost``: words and pictures.

    Where Wix has taken words that the update did not touch it is not tried whether pictures stay.
    """
    taken = ", ".join(sorted(lost))
    return {
        KEEPS_CONTENT: f"{REPLACES}: {taken} went, so no update goes to a review with {PICTURES}"
    }
