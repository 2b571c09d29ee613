"""The two-way story of Wix Reviews with each shop and review platform: real processes, real HTTP,
words beside the stars, and the owner who decides what is published.
"""

from __future__ import annotations

import pytest

from sync_sandbox.platforms.stage import PlatformStage
from sync_sandbox.wix_side import Words
from sync_worker.core.values import WixKind
from tests.end_to_end.conftest import StageMaker

PRODUCTS = {"beans": "22", "tea": "23", "cups": "24"}
ADA, BEN = "ada@example.com", "ben@example.com"
STEP_SECONDS = 20

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]


@pytest.fixture(params=("woocommerce", "fera", "bigcommerce"))
def stage(request: pytest.FixtureRequest, make_stage: StageMaker) -> PlatformStage:
    made: PlatformStage = make_stage(PRODUCTS, platform=request.param, wix_api=WixKind.REVIEWS)
    return made


def settles(stage: PlatformStage, *expected: tuple[str, str, int | None, int | None]) -> None:
    """Everything comes to rest, with exactly these stars on both sides."""
    done = stage.wait_until(
        lambda: stage.is_quiet() and stage.shown() == set(expected), STEP_SECONDS
    )
    assert done, (stage.shown(), stage.status(), stage.platform.webhooks.sent[-3:])


def test_reviews_cross(stage: PlatformStage) -> None:
    ada = stage.add_person(ADA, "Ada")
    stage.add_person(BEN, "Ben")
    stage.rate_on_wix(ada, "beans", 4, Words("Good", "Sturdy beans"))
    settles(stage, ("beans", ADA, 4, 4))
    stage.rate_on_platform(BEN, "tea", 5)
    settles(stage, ("beans", ADA, 4, 4), ("tea", BEN, 5, 5))
    assert stage.writes() == {"visitor": 2, "app": 2}, "an echo was written back"
