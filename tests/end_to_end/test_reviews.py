"""The two-way story of Wix Reviews with each shop and review platform: real processes, real HTTP,
words beside the stars, and an owner who decides what is published.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from sync_sandbox.platforms.stage import PlatformStage
from sync_sandbox.wix_side import Words
from sync_worker.core.values import WixKind
from tests.commands import run_command
from tests.end_to_end.conftest import StageMaker

PRODUCTS = {"beans": "22", "tea": "23", "cups": "24", "pots": "25"}
ADA, BEN = "ada@example.com", "ben@example.com"
STEP_SECONDS = 20

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]

Seen = tuple[str, str, int | None, int | None]


class Story:
    """A stage, and what both sides show now; each act is one change by a person."""

    def __init__(self, stage: PlatformStage) -> None:
        self.stage, self.platform = stage, stage.platform
        self.reviews = stage.box.wix.reviews
        self.ada = stage.add_person(ADA, "Ada")
        self.ben = stage.add_person(BEN, "Ben")
        self.has_titles = self.platform.name != "woocommerce"

    def settles(self, *expected: Seen) -> None:
        """Everything comes to rest, with exactly these stars on both sides."""
        self.waits_for(lambda: self.stage.shown() == set(expected))

    def waits_for(self, condition: Callable[[], bool]) -> None:
        stage = self.stage
        done = stage.wait_until(lambda: stage.is_quiet() and condition(), STEP_SECONDS)
        assert done, (stage.shown(), stage.status(), list(self.reviews.by_id.values()))

    def wrote(self, changes: int, writes: int | None = None) -> None:
        """So many writes of ours for so many changes of visitors."""
        told = self.stage.writes()
        assert (told["visitor"], told["app"]) == (changes, writes or changes), "an echo?"

    def says(self, email: str, product: str, title: str, body: str) -> None:
        """Both sides show these words, but for a title where a shop has none."""
        outside = Words(title if self.has_titles else "", body)
        self.waits_for(
            lambda: (
                self.stage.words_on_wix(email, product) == Words(title, body)
                and self.stage.words_outside(email, product) == outside
            )
        )

    def id_of(self, email: str, product: str) -> str:
        return self.stage.wix_id(email, product)

    def sweep(self) -> dict[str, int]:
        """Reconcile as a person runs it; the remote writes that it made, by kind."""
        environ = self.stage.everything | {"REDIS_URL": self.stage.redis_url}
        done = run_command(["reconcile", "--yes", "--json"], self.stage.folder, environ)
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        assert document["is_finished"]
        return dict(document["written"])


@pytest.fixture(params=("woocommerce", "fera", "bigcommerce"))
def story(request: pytest.FixtureRequest, make_stage: StageMaker) -> Story:
    often = {"HOOK_CHECK_SECONDS": "1", "SWEEP_SECONDS": "1"}
    return Story(
        make_stage(PRODUCTS, platform=request.param, wix_api=WixKind.REVIEWS, settings=often)
    )


def test_reviews_cross(story: Story) -> None:
    stage, platform = story.stage, story.platform

    # Written on either side.
    stage.rate_on_wix(story.ada, "beans", 4, Words("Good", "Sturdy beans"))
    story.settles(("beans", ADA, 4, 4))
    platform.create(PRODUCTS["tea"], BEN, "Ben", 5, by="visitor", title="Fine", text="Fragrant tea")
    story.settles(("beans", ADA, 4, 4), ("tea", BEN, 5, 5))
    story.wrote(2)

    # Stars edited on Wix, then on the platform.
    stage.change_on_wix(story.id_of(ADA, "beans"), 1)
    story.settles(("beans", ADA, 1, 1), ("tea", BEN, 5, 5))
    platform.change(stage.review(BEN, "tea").id, by="visitor", stars=2)
    if platform.name == "bigcommerce":
        assert story.sweep() == {"update on wix": 1}
    story.settles(("beans", ADA, 1, 1), ("tea", BEN, 2, 2))
    story.wrote(4)

    # Everything that was ever sent comes again, late.
    for sender in (stage.box.wix.webhooks, platform.webhooks):
        for sending in list(sender.sent):
            sender.again(sending.event_id)
    story.settles(("beans", ADA, 1, 1), ("tea", BEN, 2, 2))
    story.wrote(4)
