"""The two-way story with each shop and review platform: real processes, real HTTP, the platform's quirks."""

from __future__ import annotations

import pytest

from sandbox.platform_stage import PlatformStage
from sync_worker.model import NewDelivery, Side
from tests.end_to_end.conftest import StageMaker

PRODUCTS = {"beans": "22", "tea": "23", "cups": "24"}
NAMES = ("woocommerce", "fera", "bigcommerce")
ADA, BEN = "ada@example.com", "ben@example.com"
STEP_SECONDS = 20

pytestmark = [pytest.mark.alone, pytest.mark.timeout(240)]


@pytest.fixture(params=NAMES)
def stage(request: pytest.FixtureRequest, make_stage: StageMaker) -> PlatformStage:
    made: PlatformStage = make_stage(PRODUCTS, platform=request.param)
    return made


def settles(stage: PlatformStage, *expected: tuple[str, str, int | None, int | None]) -> None:
    """Everything comes to rest, with exactly this on both sides."""
    done = stage.wait_until(lambda: stage.is_quiet() and stage.shown() == set(expected), STEP_SECONDS)
    assert done, (stage.shown(), stage.status(), stage.platform.webhooks.sent[-3:])


def test_ratings_cross_both_ways_with_echo_duplicate_and_missed_webhook(stage: PlatformStage) -> None:
    ada = stage.add_person(ADA, "Ada")
    stage.add_person(BEN, "Ben")
    platform = stage.platform

    # Created on either side.
    stage.rate_on_wix(ada, "beans", 80)
    settles(stage, ("beans", ADA, 80, 4))
    stage.rate_on_platform(BEN, "tea", 5)
    settles(stage, ("beans", ADA, 80, 4), ("tea", BEN, 100, 5))
    assert stage.writes() == {"visitor": 2, "app": 2}, "an echo was written back"

    # Edited on Wix; then on the platform.
    stage.change_on_wix(stage.wix_id(ADA, "beans"), 20)
    settles(stage, ("beans", ADA, 20, 1), ("tea", BEN, 100, 5))
    platform.change(stage.review(BEN, "tea").id, by="visitor", stars=2)
    if platform.name == "bigcommerce":  # an edit changes no count and tells nothing: the scan's hint finds it
        hint(stage, "upsert", platform.remote_id(stage.review(BEN, "tea")))
    settles(stage, ("beans", ADA, 20, 1), ("tea", BEN, 40, 2))
    assert stage.writes() == {"visitor": 4, "app": 4}, "an echo was written back"

    # Everything that was ever sent comes again, late.
    for sending in list(platform.webhooks.sent):
        platform.webhooks.again(sending.event_id)
    settles(stage, ("beans", ADA, 20, 1), ("tea", BEN, 40, 2))
    assert stage.writes() == {"visitor": 4, "app": 4}, "a duplicate was applied"

    # A webhook that never comes, found by a scan; then deletes from either side.
    platform.faults.set("webhook_dropped", chance=1.0)
    missed = stage.rate_on_platform(BEN, "cups", 3)
    platform.faults.clear()
    hint(stage, "upsert", platform.remote_id(missed))
    settles(stage, ("beans", ADA, 20, 1), ("tea", BEN, 40, 2), ("cups", BEN, 60, 3))
    platform.remove(stage.review(BEN, "tea").id, by="visitor")
    settles(stage, ("beans", ADA, 20, 1), ("cups", BEN, 60, 3))
    stage.box.wix.delete_rating(stage.wix_id(ADA, "beans"), {"identityType": "MEMBER", "memberId": "visitor"})
    settles(stage, ("cups", BEN, 60, 3))
    assert stage.writes() == {"visitor": 7, "app": 7}
    assert not stage.status().held


def hint(stage: PlatformStage, change: str, remote_id: str) -> None:
    """What a scan of the platform says about a record: look at it."""
    delivery = NewDelivery(Side.EXTERNAL, stage.box.connector, None, change, remote_id, {})
    stage.wiring.ledger.store(delivery)
