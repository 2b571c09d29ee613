"""What a search for reviews sees: the reviews of now, or those of a moment ago."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

LAG_SECONDS = 1.0

Version = tuple[float, dict[str, Any] | None]
"""Since when, and the review from then on; ``None``: it is gone."""


class ReviewIndex:
    """Each review in the versions of the last ``lag_seconds``. ``clock``: monotonic seconds."""

    def __init__(
        self, lag_seconds: float = LAG_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.lag_seconds, self.clock = lag_seconds, clock
        self._versions: dict[str, list[Version]] = {}
        self._by_entity: dict[str, set[str]] = {}

    def put(self, review_id: str, review: dict[str, Any] | None) -> None:
        """A review is so from now on, or ``None``: it is gone."""
        now = self.clock()
        versions = self._versions.setdefault(review_id, [])
        recent = [one for one in versions if one[0] > now - self.lag_seconds]
        older = versions[: len(versions) - len(recent)][-1:]
        self._versions[review_id] = [*older, *recent, (now, review)]
        if review is not None:
            self._by_entity.setdefault(review["entityId"], set()).add(review_id)

    def reviews(self, entities: set[str] | None, *, lags: bool) -> list[dict[str, Any]]:
        """Of the entities, ``None``: all. With ``lags`` as they were a moment ago."""
        ids: Iterable[str] = self._versions
        if entities is not None:
            ids = [found for name in entities for found in self._by_entity.get(name, ())]
        until = self.clock() - (self.lag_seconds if lags else 0.0)
        versions = (self._as_of(review_id, until) for review_id in ids)
        return [review for review in versions if review is not None]

    def _as_of(self, review_id: str, until: float) -> dict[str, Any] | None:
        for since, review in reversed(self._versions[review_id]):
            if since <= until:
                return review
        return None
