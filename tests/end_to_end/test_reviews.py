"""The two-way story of Wix Reviews with each shop and review platform: real processes, real HTTP,
words beside the stars, and an owner who decides what is published.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sync_sandbox.platforms.stage import PlatformStage
from sync_sandbox.wix.events import OWNER
from sync_sandbox.wix.reviews.moderation import APPROVED, REJECTED, Mode
from sync_sandbox.wix.reviews.records import status_of
from sync_sandbox.wix_side import MEMBER, Words
from sync_worker.core.values import WixKind
from tests.commands import run_command
from tests.end_to_end.conftest import StageMaker

PRODUCTS = {"beans": "22", "tea": "23", "cups": "24", "pots": "25"}
ADA, BEN = "ada@example.com", "ben@example.com"
STEP_SECONDS = 60

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

    def review(self, email: str, product: str) -> dict[str, Any]:
        """As Wix has it."""
        return self.reviews.by_id[self.id_of(email, product)]

    def hears_of_edits(self, count: int = 0) -> None:
        """BigCommerce tells nothing of an edit: only a scan finds it."""
        if self.platform.name == "bigcommerce":
            written = self.sweep()
            assert not count or sum(written.values()) == count

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


def test_reviews_cross_with_their_words_both_ways(story: Story) -> None:
    """Created, edited, both at once, told twice, not told at all, deleted; and no echo."""
    write_on_either_side(story)
    edit_stars_and_words(story)
    miss_webhooks(story)
    delete_on_either_side(story)
    owner_decides(story)
    assert not story.stage.status().held


def write_on_either_side(story: Story) -> None:
    stage, platform = story.stage, story.platform
    stage.rate_on_wix(story.ada, "beans", 4, Words("Good", "Sturdy beans"))
    story.settles(("beans", ADA, 4, 4))
    story.says(ADA, "beans", "Good", "Sturdy beans")
    title = "Fine" if story.has_titles else ""
    platform.create(PRODUCTS["tea"], BEN, "Ben", 5, by="visitor", title=title, text="Nice tea")
    story.settles(("beans", ADA, 4, 4), ("tea", BEN, 5, 5))
    story.says(BEN, "tea", title, "Nice tea")
    assert story.review(BEN, "tea")["author"]["authorName"] == "Ben"
    story.wrote(2)


def edit_stars_and_words(story: Story) -> None:
    stage, platform = story.stage, story.platform
    title = "Fine" if story.has_titles else ""
    beans, tea = story.id_of(ADA, "beans"), story.id_of(BEN, "tea")

    # Stars alone leave the words alone, to the byte; words alone leave the stars.
    before = stage.review(ADA, "beans")
    stage.change_on_wix(beans, 1)
    story.settles(("beans", ADA, 1, 1), ("tea", BEN, 5, 5))
    after = stage.review(ADA, "beans")
    assert (after.title, after.text) == (before.title, before.text)
    stage.change_on_wix(beans, words=Words("Bad", "Stale beans"))
    story.says(ADA, "beans", "Bad", "Stale beans")
    platform.change(stage.review(BEN, "tea").id, by="visitor", text="Weak tea")
    story.hears_of_edits(1)
    story.says(BEN, "tea", title, "Weak tea")
    story.settles(("beans", ADA, 1, 1), ("tea", BEN, 5, 5))
    story.wrote(5)

    # Stars here and words there are no conflict: one write to each side.
    platform.change(stage.review(BEN, "tea").id, by="visitor", stars=2, text="Bitter tea")
    story.hears_of_edits(1)
    story.says(BEN, "tea", title, "Bitter tea")
    stage.change_on_wix(tea, 3)
    platform.change(stage.review(BEN, "tea").id, by="visitor", text="Better tea")
    story.hears_of_edits()
    story.says(BEN, "tea", title, "Better tea")
    story.settles(("beans", ADA, 1, 1), ("tea", BEN, 3, 3))

    # The same on both sides at once, differently: one of the two stands on both.
    stage.change_on_wix(tea, 5)
    platform.change(stage.review(BEN, "tea").id, by="visitor", stars=1)
    story.hears_of_edits()
    agreed = {("tea", BEN, 5, 5), ("tea", BEN, 1, 1)}
    story.waits_for(lambda: len(stage.shown() & agreed) == 1)
    stage.change_on_wix(tea, 3)
    story.settles(("beans", ADA, 1, 1), ("tea", BEN, 3, 3))

    # Everything that was ever sent comes again, late.
    writes = stage.writes()
    for sender in (stage.box.wix.webhooks, platform.webhooks):
        for sending in list(sender.sent):
            sender.again(sending.event_id)
    story.says(ADA, "beans", "Bad", "Stale beans")
    story.says(BEN, "tea", title, "Better tea")
    story.settles(("beans", ADA, 1, 1), ("tea", BEN, 3, 3))
    assert stage.writes() == writes, "a duplicate was applied"


def miss_webhooks(story: Story) -> None:
    """Nobody tells of a new review, of other words, and of a vote that is nobody's opinion."""
    stage = story.stage
    stage.box.wix.faults.set("webhook_dropped", chance=1.0)
    stage.rate_on_wix(story.ben, "cups", 3, Words("Cups", "Small cups"))
    stage.change_on_wix(story.id_of(ADA, "beans"), words=Words("Bad", "Old beans"))
    story.reviews.vote(story.id_of(BEN, "tea"), MEMBER, is_helpful=True)
    stage.box.wix.faults.clear()
    assert story.sweep() == {"create on external": 1, "update on external": 1}
    story.says(ADA, "beans", "Bad", "Old beans")
    story.says(BEN, "cups", "Cups", "Small cups")
    assert story.sweep() == {}, "a scan of two equal sides writes nothing"


def delete_on_either_side(story: Story) -> None:
    stage, platform = story.stage, story.platform
    platform.remove(stage.review(BEN, "tea").id, by="visitor")
    story.settles(("beans", ADA, 1, 1), ("cups", BEN, 3, 3))
    stage.on_wix.delete(story.id_of(ADA, "beans"))
    story.settles(("cups", BEN, 3, 3))


def owner_decides(story: Story) -> None:
    """What waits crosses when it is approved; a rejected import stays where it was written."""
    stage, platform = story.stage, story.platform
    cups = ("cups", BEN, 3, 3)
    story.reviews.mode = Mode.MANUAL

    # Of a shopper of the site: waits, is published, is withdrawn.
    pots = stage.rate_on_wix(story.ada, "pots", 5, Words("New", "Shiny pots"))
    story.settles(cups)
    story.reviews.moderate(pots, APPROVED, OWNER)
    story.settles(cups, ("pots", ADA, 5, 5))
    story.says(ADA, "pots", "New", "Shiny pots")
    story.reviews.moderate(pots, REJECTED, OWNER)
    story.settles(cups)

    # Of a customer of the shop: waits, is published, is rejected, and comes back.
    title = "Old" if story.has_titles else ""
    platform.create(PRODUCTS["tea"], BEN, "Ben", 2, by="visitor", title=title, text="Old tea")
    story.settles(cups, ("tea", BEN, None, 2))
    tea = story.id_of(BEN, "tea")
    story.reviews.moderate(tea, APPROVED, OWNER)
    story.settles(cups, ("tea", BEN, 2, 2))
    story.reviews.moderate(tea, REJECTED, OWNER)
    story.settles(cups, ("tea", BEN, None, 2))
    story.reviews.moderate(tea, APPROVED, OWNER)
    story.settles(cups, ("tea", BEN, 2, 2))

    # The shop hides it, and shows it again: on Wix it is kept, out of sight.
    outside = stage.review(BEN, "tea").id
    platform.change(outside, by="moderator", state=platform.pending)
    story.hears_of_edits()
    story.settles(cups)
    assert status_of(story.reviews.by_id[tea]) == REJECTED
    platform.change(outside, by="moderator", state=platform.published)
    story.hears_of_edits()
    story.settles(cups, ("tea", BEN, 2, 2))

    # A reply of the owner is nobody's opinion.
    writes = stage.writes()
    story.reviews.reply(tea, "Thank you, Ben", OWNER)
    story.settles(cups, ("tea", BEN, 2, 2))
    assert stage.writes()["app"] == writes["app"]

    # What still waits goes with its source.
    platform.create(PRODUCTS["beans"], BEN, "Ben", 1, by="visitor", title="Bad", text="Bad beans")
    story.waits_for(lambda: story.reviews.id_of(story.ben, "beans") is not None)
    platform.remove(stage.review(BEN, "beans").id, by="visitor")
    story.waits_for(lambda: story.reviews.id_of(story.ben, "beans") is None)
    story.settles(cups, ("tea", BEN, 2, 2))
