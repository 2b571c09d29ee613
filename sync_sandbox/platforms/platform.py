"""What the stand-ins of real review platforms share: reviews, a journal of every change, faults and
webhooks.
"""

from __future__ import annotations

import itertools
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from sync_sandbox.faults import HTTP_FAULTS, WEBHOOK_FAULTS, Faults
from sync_sandbox.products import Product
from sync_sandbox.texts import TEXT_FAULTS, kept
from sync_sandbox.webhooks import WebhookSender

LAG_SECONDS = 2.0
PLATFORM_FAULTS = {
    "find_lags": "filtered lists do not show what was created in the last two seconds",
    "moderates": "new reviews wait for a moderator",
}


class Refusal(Exception):
    """An error answer in the platform's own form."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(str(body))
        self.status, self.body = status, body


@dataclass(frozen=True, slots=True)
class Review:
    """One review, in words that all platforms share; ``state``: the platform's own word.

    ``is_guest``: nobody was logged in, so the address may be anybody's.
    """

    id: int
    product: str
    email: str
    author: str
    stars: int
    title: str = ""
    text: str = ""
    state: str = ""
    reply: str = ""
    is_guest: bool = False
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a review: ``created``, ``updated`` or ``deleted``; ``before`` is absent for
    a new one.
    """

    what: str
    review: Review
    before: Review | None = None


class Platform(ABC):
    """All that a stand-in knows. ``by`` is ``app`` for calls of the API, else who acted."""

    name: ClassVar[str]
    api: ClassVar[tuple[str, ...]]
    published: ClassVar[str]
    pending: ClassVar[str]
    quirks: ClassVar[dict[str, str]] = {}
    retry_seconds: ClassVar[Sequence[float]] = ()
    accepts: ClassVar[range] = range(200, 300)
    most_stars: ClassVar[int] = 5

    def __init__(
        self,
        *,
        seed: int = 0,
        webhook_url: str | None = None,
        retry_scale: float = 1.0,
        sender_threads: int = 4,
        webhooks: WebhookSender | None = None,
    ) -> None:
        """``webhooks``: a sender that several systems share."""
        self.lock = threading.RLock()
        names = HTTP_FAULTS | WEBHOOK_FAULTS | PLATFORM_FAULTS | TEXT_FAULTS | self.quirks
        self.faults = Faults(names, seed)
        self.reviews: dict[int, Review] = {}
        self.catalogue: list[Product] = []
        self.journal: list[dict[str, Any]] = []
        self.calls: Counter[str] = Counter()
        self._ids, self._order = itertools.count(4711), itertools.count(1)
        self.webhooks = webhooks or WebhookSender(
            webhook_url,
            self.faults,
            accepts=lambda status: status in self.accepts,
            retry_seconds=[seconds * retry_scale for seconds in self.retry_seconds],
            seed=seed,
            threads=sender_threads,
        )

    @abstractmethod
    def settings(self) -> dict[str, str]:
        """The secrets that the shipped manifest asks for."""

    @abstractmethod
    def stand_apart(self, number: int) -> None:
        """Credentials of its own, where many of a kind are served."""

    @abstractmethod
    def connect(self, url: str) -> None:
        """Register the platform's webhooks there."""

    @abstractmethod
    def forget_hooks(self) -> None:
        """Its owner deletes every registered webhook."""

    @abstractmethod
    def disable_hooks(self) -> None:
        """What the platform does by itself after too many failed deliveries."""

    @abstractmethod
    def has_all_hooks(self) -> bool:
        """Whether every registered webhook is enabled."""

    @abstractmethod
    def tell(self, change: Change) -> None:
        """Send the webhooks that the platform sends for this."""

    def remote_id(self, review: Review) -> str:
        """The id by which ratings-sync keeps the review."""
        return str(review.id)

    # -- what visitors, moderators and the API do

    def create(
        self,
        product: str,
        email: str,
        author: str,
        stars: int,
        *,
        by: str,
        title: str = "",
        text: str = "",
        **more: Any,
    ) -> Review:
        with self.lock:
            state = more.pop("state", "") or self.published
            if self.faults.strikes("moderates"):
                state = self.pending
            # For the platform a call of the API is nobody's visit.
            is_guest = more.pop("is_guest", by == "app")
            review = Review(
                next(self._ids),
                product,
                email,
                author,
                stars,
                title,
                text,
                state,
                is_guest=is_guest,
                **more,
            )
            self.reviews[review.id] = review
            self._note("create", None, review, by)
            self.tell(Change("created", review))
            return review

    def change(self, review_id: int, *, by: str, **changes: Any) -> Review:
        """Raises KeyError."""
        with self.lock:
            before = self.reviews[review_id]
            review = replace(before, **changes, modified=datetime.now(UTC))
            self.reviews[review_id] = review
            self._note("update", before, review, by)
            self.tell(Change("updated", review, before))
            return review

    def remove(self, review_id: int, *, by: str) -> None:
        """Raises KeyError."""
        with self.lock:
            before = self.reviews.pop(review_id)
            self._note("delete", before, None, by)
            self.tell(Change("deleted", before, before))

    def kept(self, text: Any) -> str:
        """What the platform keeps of a text that its API is sent. Raises TextRefused."""
        return kept(str(text or ""), self.faults)

    # -- asking

    def live(self) -> list[Review]:
        """Reviews that a visitor of the shop sees."""
        with self.lock:
            return [
                one
                for one in self.reviews.values()
                if one.state == self.published and one.stars > 0
            ]

    def of(self, product: str, email: str) -> list[Review]:
        with self.lock:
            return [
                one for one in self.reviews.values() if (one.product, one.email) == (product, email)
            ]

    def searched(self, reviews: Iterable[Review]) -> list[Review]:
        """What a search shows: with the fault, its index is behind."""
        if not self.faults.strikes("find_lags"):
            return list(reviews)
        until = time.time() - LAG_SECONDS
        return [one for one in reviews if one.created.timestamp() < until]

    def _note(self, operation: str, before: Review | None, after: Review | None, by: str) -> None:
        review = after or before
        assert review is not None  # noqa: S101 - one of the two is there
        self.journal.append(
            {
                "number": next(self._order),
                "side": "external",
                "operation": operation,
                "id": str(review.id),
                "before": before and before.stars,
                "after": after and after.stars,
                "by": by,
                "entity": review.product,
                "person": review.email,
            }
        )


def whole(value: Any) -> int | None:
    """A whole number out of JSON or a query; ``None`` if it is none."""
    try:
        return None if isinstance(value, bool) else int(value)
    except (TypeError, ValueError):
        return None
