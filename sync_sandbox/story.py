"""The story of the demo: customers act on both sides, things go wrong, and both sides end equal."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from redis import Redis

from sync_sandbox.stage import Stage
from sync_sandbox.wix.events import OWNER
from sync_sandbox.wix.reviews.moderation import APPROVED, REJECTED
from sync_sandbox.wix_side import Words
from sync_worker.core.values import WixKind

PRODUCTS = {"espresso-beans": "SKU-1001", "green-tea": "SKU-1002"}
STEP_SECONDS = 30.0  # after so long a step has not been followed
# Wix's first repeat of an unanswered webhook comes after a minute, too late for a step. The story's
# senders are quicker: on a busy machine the gateway may miss the 1,250 ms of an answer once.
STORY_RETRY_SCALE = 0.05


@dataclass(frozen=True, slots=True)
class Step:
    """What happened, and whether the other side followed; ``seconds``: how long that took."""

    what: str
    outcome: str
    is_good: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the verdict."""

    what: str
    is_good: bool


@dataclass
class Story:
    """Plays on a stage; ``scenes()`` yields after each step."""

    stage: Stage
    steps: list[Step] = field(default_factory=list)
    expect_held: int = 0
    expect_apart: int = 0  # reviews that only one side shows, as the owner wants it
    compared: int = 0  # writes of a new baseline: nobody's change
    also: Callable[[], bool] = lambda: True  # what a step brings about besides

    def scenes(self) -> Iterator[tuple[str, str]]:
        """(what happens, what should follow), each before it is waited for.

        The stage must be up.
        """
        stage = self.stage
        ada = stage.add_person("ada@example.com", "Ada")
        stage.add_person("ben@example.com", "Ben")
        cleo = stage.add_person("cleo@example.com", "Cleo")

        first, bens = yield from self._both_ways(ada)
        yield from self._troubles(first, bens, cleo)
        yield from self._stranger()

        stage.box.reviews.remove(bens, by="visitor")
        yield "Ben deletes his rating on the review service", "it disappears from the site too"

        yield from self._moving(ada)
        yield from self._words(ada)
        yield from self._owner()

    def _moving(self, ada: str) -> Iterator[tuple[str, str]]:
        """From Wix Ratings to Wix Reviews."""
        before = self.stage.writes()["app"]
        self.stage.move_to(WixKind.REVIEWS)
        self.compared = self.stage.writes()["app"] - before
        yield (
            "The shop moves to Wix Reviews: `site set --wix-api reviews`, `reconcile`",
            "all maps stay, nothing is deleted, all ratings are reviews there",
        )

    def _words(self, ada: str) -> Iterator[tuple[str, str]]:
        stage = self.stage
        hers = stage.rate_on_wix(ada, "green-tea", 4, Words("Fresh", "Like hay"))
        self.also = self._say("ada@example.com", Words("Fresh", "Like hay"))
        yield (
            "Ada reviews the green tea on the site: 4 stars, “Fresh: Like hay”",
            "stars and words appear on the review service",
        )

        outside = stage.external_id("ada@example.com", "green-tea")
        stage.box.reviews.change(outside, {"text": "Too weak"}, by="visitor")
        stage.change_on_wix(hers, 2)
        self.also = self._say("ada@example.com", Words("Fresh", "Too weak"))
        yield (
            "She changes her words on the review service, and her stars on the site",
            "both cross: one review, with the new stars and words",
        )

    def _owner(self) -> Iterator[tuple[str, str]]:
        stage = self.stage
        reviews = stage.box.wix.reviews
        doras = stage.wix_id("dora@example.com", "espresso-beans")
        reviews.moderate(doras, REJECTED, OWNER)
        self.expect_apart = 1
        yield (
            "The owner rejects Dora's review on the site",
            "it is gone there, and stays where she wrote it",
        )

        reviews.moderate(doras, APPROVED, OWNER)
        reviews.reply(stage.wix_id("ada@example.com", "green-tea"), "Try it cooler!", OWNER)
        self.expect_apart = 0
        yield (
            "The owner approves it after all, and replies to Ada",
            "Dora's review is back; the shop's reply stays on the site",
        )

    def _say(self, email: str, words: Words) -> Callable[[], bool]:
        """Whether both sides show these words of a person's review of the tea."""
        stage = self.stage

        def both_say() -> bool:
            shown = (
                stage.words_on_wix(email, "green-tea"),
                stage.words_outside(email, "green-tea"),
            )
            return shown == (words, words)

        return both_say

    def _both_ways(self, ada: str) -> Generator[tuple[str, str], None, tuple[str, str]]:
        """Returns Ada's rating on Wix, and Ben's outside."""
        stage = self.stage
        first = stage.rate_on_wix(ada, "espresso-beans", 80)
        yield (
            "Ada rates the espresso beans on the Wix site: 80 of 100",
            "4 stars appear on the review service",
        )

        bens = stage.rate_on_external("ben@example.com", "Ben", "green-tea", Decimal("4.5"))
        yield (
            "Ben rates the green tea on the review service: 4½ stars",
            "90 of 100 appears on the site",
        )

        stage.change_on_external(
            stage.external_id("ada@example.com", "espresso-beans"), Decimal("2.5")
        )
        stage.change_on_wix(stage.wix_id("ben@example.com", "green-tea"), 100)
        yield (
            "Both change their minds, each on the other side",
            "both changes cross, and no echo comes back",
        )
        return first, bens

    def _troubles(self, first: str, bens: str, cleo: str) -> Iterator[tuple[str, str]]:
        stage, box = self.stage, self.stage.box
        box.wix.webhooks.again(first)
        box.reviews.webhooks.again(bens)
        yield (
            "Every webhook of the first two ratings comes a second time, late",
            "nothing is written again",
        )

        Redis.from_url(stage.redis_url).flushall()
        stage.rate_on_wix(cleo, "green-tea", 60)
        Redis.from_url(stage.redis_url).flushall()
        yield (
            "Cleo rates, and Redis is wiped before and after: queue, loop guard, tokens",
            "the rating crosses all the same",
        )

    def _stranger(self) -> Iterator[tuple[str, str]]:
        stage = self.stage
        stage.rate_on_external("dora@example.com", "Dora", "espresso-beans", Decimal(5))
        self.expect_held = 1
        yield (
            "Dora rates on the review service; the Wix site does not know her",
            "the rating is held, with its reason",
        )

        stage.add_person("dora@example.com", "Dora")
        self.expect_held = 0
        yield (
            "Dora becomes a contact of the site",
            "her rating is released by itself and appears there",
        )

    def has_followed(self) -> bool:
        """Nothing is on its way, and both sides agree but for what is held."""
        held = sum(self.stage.status().held.values())
        return (
            self.stage.is_quiet()
            and held == self.expect_held
            and len(self.stage.differences()) == held + self.expect_apart
            and self.also()
        )

    def verdict(self) -> list[Check]:
        """Each step followed in time, both sides equal, writes = changes, nothing lost."""
        writes, status = self.stage.writes(), self.stage.status()
        changes, ours = writes["visitor"], writes["app"] - self.compared
        return [
            Check(
                f"each step was followed within {STEP_SECONDS:.0f} s",
                all(step.is_good for step in self.steps),
            ),
            Check(
                f"both sides are equal ({len(self.stage.rated())} ratings)",
                not self.stage.differences(),
            ),
            Check(
                f"writes = changes: {ours} writes for {changes} changes, no echo was written back",
                ours == changes,
            ),
            Check(
                "nothing is lost: no delivery open, none held",
                self.stage.is_quiet() and not status.held,
            ),
        ]
