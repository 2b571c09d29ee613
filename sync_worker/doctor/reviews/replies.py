"""Whether the owner's replies can travel as the site's policy asks. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sync_worker.core.values import ReplyWays, Site, WixKind
from sync_worker.core.values.texts import REPLY, TextRule

OUTWARDS = (ReplyWays.TO_EXTERNAL, ReplyWays.BOTH)


def replies_in_vain(site: Site, words: Mapping[str, TextRule]) -> str:
    """Why replies do not travel though the policy asks for it; empty: they do, or nobody asks.

    ``words``: those that the site's connector carries.
    """
    asked = site.policy.replies
    if asked is ReplyWays.OFF:
        return ""
    if site.wix_api is WixKind.RATINGS:
        return f"replies={asked}, and Wix Ratings carry no replies: none travels"
    if REPLY not in words:
        return f"replies={asked}, and connector {site.connector} carries no reply: none travels"
    if site.policy.of_replies() is None:
        return f"replies={asked}, and direction={site.policy.direction} lets none of them travel"
    if asked in OUTWARDS and not words[REPLY].can_update:
        return (
            f"replies={asked}, and connector {site.connector} cannot set a reply: they travel to"
            " Wix only, at most"
        )
    return ""
