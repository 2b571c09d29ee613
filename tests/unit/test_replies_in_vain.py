"""Replies that the policy asks for and that nothing carries are named."""

from __future__ import annotations

import pytest

from sync_worker.core.values import Policy, Site, WixKind
from sync_worker.core.values.texts import REPLY, TextRule
from sync_worker.doctor.reviews.replies import replies_in_vain

SETS = {REPLY: TextRule()}
SHOWS = {REPLY: TextRule(can_update=False)}
CASES = [
    ({}, WixKind.REVIEWS, {}, ""),
    ({"replies": "both"}, WixKind.REVIEWS, SETS, ""),
    ({"replies": "to_wix"}, WixKind.REVIEWS, SHOWS, ""),
    ({"replies": "both"}, WixKind.REVIEWS, SHOWS, "cannot set a reply"),
    ({"replies": "to_external"}, WixKind.REVIEWS, SHOWS, "cannot set a reply"),
    ({"replies": "to_wix"}, WixKind.REVIEWS, {}, "connector shop carries no reply"),
    ({"replies": "to_wix"}, WixKind.RATINGS, SETS, "Wix Ratings carry no replies"),
    ({"replies": "to_wix", "direction": "to_external"}, WixKind.REVIEWS, SETS, "direction="),
]


@pytest.mark.parametrize(("policy", "kind", "words", "said"), CASES)
def test_reply_that_cannot_travel_is_told(
    policy: dict[str, str], kind: WixKind, words: dict[str, TextRule], said: str
) -> None:
    site = Site(1, "i", "shop", Policy.of(policy), (), wix_api=kind)
    why = replies_in_vain(site, words)
    assert bool(why) is bool(said)
    assert said in why
