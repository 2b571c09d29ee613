"""Replays real ratings through both webhooks: half come in on the site, half on the review
service.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from sync_sandbox.stage import Stage
from sync_sandbox.story import Check
from sync_worker.core.errors import Misconfigured
from sync_worker.files.cells import BadCell, number_of
from sync_worker.files.csv_rows import CsvFile
from sync_worker.files.rows import BadFile, Row

COLUMNS = ["userId", "movieId", "rating", "timestamp"]
MAX_ON_THEIR_WAY = 400  # ratings not yet on both sides; more would only wait in the queue


@dataclass(frozen=True, slots=True)
class RealRating:
    """One person's stars (0.5 to 5 in half steps) for one item."""

    person: str
    item: str
    stars: Decimal

    @property
    def email(self) -> str:
        return f"person{self.person}@example.com"


def read_ratings(file: Path, limit: int) -> list[RealRating]:
    """The last ``limit`` rows, in the order of the file.

    Raises Misconfigured with file, line and why.
    """
    rows: deque[RealRating] = deque(maxlen=limit)
    try:
        with CsvFile(file) as ratings:
            places = [ratings.needed_place_of(name) for name in COLUMNS]
            for row in ratings.rows():
                rows.append(_rating(file, row, places))
    except BadFile as bad:
        raise Misconfigured(str(bad)) from None
    return list(rows)


def _rating(file: Path, row: Row, places: Sequence[int]) -> RealRating:
    if row.problem:
        raise Misconfigured(f"{file}:{row.line}: {row.problem}")
    person, item, text = (row.cells[place] for place in places[:3])
    try:
        stars = number_of(text)
    except BadCell as bad:
        raise Misconfigured(f"{file}:{row.line}: rating: {bad}") from None
    if not Decimal("0.5") <= stars <= 5 or stars % Decimal("0.5"):
        raise Misconfigured(f"{file}:{row.line}: rating: {stars} is not 0.5 to 5 in half steps")
    return RealRating(person, item, stars)


def generated_ratings(count: int, seed: int) -> list[RealRating]:
    """Ratings as real as chance makes them: few people rate much, and few items are rated much."""
    chance = random.Random(seed)
    keys: dict[tuple[str, str], None] = {}
    while len(keys) < count:
        keys[
            str(int(chance.paretovariate(0.6)) % 500), str(int(chance.paretovariate(0.4)) % 2000)
        ] = None
    return [RealRating(person, item, Decimal(chance.randint(1, 10)) / 2) for person, item in keys]


def products_of(ratings: Sequence[RealRating]) -> Mapping[str, str]:
    return {f"movie-{one.item}": f"SKU-{one.item}" for one in ratings}


@dataclass
class Replay:
    """Plays ratings on a stage. ``duplicates``, ``delays``: shares of webhooks; ``changes``:
    changes of mind.

    ``progress(done)`` is called as ratings are on both sides.
    """

    stage: Stage
    ratings: Sequence[RealRating]
    seed: int = 0
    duplicates: float = 0.1
    delays: float = 0.1
    changes: int = 0
    progress: Callable[[int], None] = lambda done: None
    seconds: float = 0.0
    _contacts: dict[str, str] = field(default_factory=dict)

    def play(self) -> None:
        """Act, and wait until everything is on both sides or nothing moves any more."""
        self._add_people()
        for side in (self.stage.box.wix, self.stage.box.reviews):
            side.faults.set("webhook_duplicated", chance=self.duplicates)
            side.faults.set("webhook_delayed", chance=self.delays)
        started = time.monotonic()
        chance = random.Random(self.seed)
        finished = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(finished,), daemon=True)
        watcher.start()
        for number, rating in enumerate(self.ratings):
            while number - self._done() > MAX_ON_THEIR_WAY:
                time.sleep(0.05)
            self._rate(rating, chance)
        for rating in chance.sample(list(self.ratings), min(self.changes, len(self.ratings))):
            self._change_mind(rating, chance)
        self._wait()
        self.seconds = time.monotonic() - started
        finished.set()
        watcher.join()

    def _add_people(self) -> None:
        """Before the clock starts, and before webhooks go anywhere: people are known to the
        site.
        """
        sender = self.stage.box.wix.webhooks
        url, sender.url = sender.url, None
        for email in dict.fromkeys(one.email for one in self.ratings):
            self._contacts[email] = self.stage.add_person(email, email.partition("@")[0])
        sender.url = url

    def _rate(self, rating: RealRating, chance: random.Random) -> None:
        product = f"movie-{rating.item}"
        if chance.random() < 0.5:
            self.stage.rate_on_wix(self._contacts[rating.email], product, int(rating.stars * 20))
        else:
            self.stage.rate_on_external(
                rating.email, f"Person {rating.person}", product, rating.stars
            )

    def _change_mind(self, rating: RealRating, chance: random.Random) -> None:
        """On either side, once the first opinion is there."""
        product, stars = f"movie-{rating.item}", Decimal(chance.randint(1, 10)) / 2
        box = self.stage.box
        is_there = lambda: self._ids(rating, product) is not None  # noqa: E731 - asked again and again
        self.stage.wait_until(is_there, 60)
        ids = self._ids(rating, product)
        if ids is None:
            return
        if chance.random() < 0.5:
            box.wix.update_rating(
                ids[0], int(stars * 20), {"identityType": "MEMBER", "memberId": "visitor"}
            )
        else:
            self.stage.change_on_external(ids[1], stars)

    def _ids(self, rating: RealRating, product: str) -> tuple[str, str] | None:
        wix = self.stage.box.wix.rating_id(self._contacts[rating.email], product)
        external = self.stage.box.reviews.find(self.stage.products[product], rating.email)
        return (wix, external[0]["id"]) if wix is not None and external else None

    def _done(self) -> int:
        """Ratings that are on both sides."""
        box = self.stage.box
        return min(len(box.wix.ratings), len(box.reviews.ratings))

    def _watch(self, finished: threading.Event) -> None:
        while not finished.wait(0.2):
            self.progress(self._done())
        self.progress(self._done())

    def _wait(self) -> None:
        moved_at, last = time.monotonic(), (-1, -1)
        while time.monotonic() - moved_at < 60:
            now = (self._done(), self.stage.writes()["app"])
            if now != last:
                moved_at, last = time.monotonic(), now
            elif self._done() == len(self.ratings) and self.stage.is_quiet():
                return
            time.sleep(0.1)

    def verdict(self) -> list[Check]:
        """Both sides equal, one write at most for each change, nothing lost."""
        stage = self.stage
        writes, status, total = stage.writes(), stage.status(), len(self.ratings)
        changes, ours = writes["visitor"], writes["app"]
        open_now = status.deliveries.get("new", 0) + status.deliveries.get("taken", 0)
        on_wix, on_external = len(stage.box.wix.ratings), len(stage.box.reviews.ratings)
        creates = sum(
            entry["operation"] == "create" and entry["by"] == "app"
            for journal in (stage.box.wix.journal, stage.box.reviews.journal)
            for entry in journal
        )
        return [
            Check(
                f"both sides are equal ({on_wix} and {on_external} of {total})",
                not stage.differences(),
            ),
            Check(f"every rating was created once on the other side: {creates}", creates == total),
            Check(
                f"no write without a change: {ours} writes for {changes} changes", ours <= changes
            ),
            Check(
                f"nothing is lost: {open_now} open, {sum(status.held.values())} held",
                stage.is_quiet() and not status.held and on_wix == on_external == total,
            ),
        ]
