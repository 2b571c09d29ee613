"""Query Reviews and Count Reviews of the stand-in Wix, and who sees what is not published."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sync_sandbox.faults import Faults
from sync_sandbox.wix.reviews.index import ReviewIndex
from sync_sandbox.wix.reviews.moderation import APPROVED
from sync_sandbox.wix.reviews.query import check_query, conditions, entities_of, in_order, matches
from sync_worker.core import exact_json


@dataclass
class ReviewSearch:
    """What is found, by an index that may be behind."""

    lock: threading.RLock
    faults: Faults
    index: ReviewIndex = field(default_factory=ReviewIndex)

    def __post_init__(self) -> None:
        self._cursors = itertools.count(1)

    def put(self, review_id: str, review: dict[str, Any] | None) -> None:
        """A review is so from now on, or ``None``: it is gone."""
        self.index.put(review_id, review)

    def sees(self, review: Mapping[str, Any], *, private: bool) -> bool:
        """Whether a read shows the review; ``private``: unpublished ones were asked for."""
        if review["moderation"]["moderationStatus"] == APPROVED:
            return True
        return private and not self.faults.strikes("private_needs_permission")

    def query(self, query: Mapping[str, Any], *, private: bool) -> dict[str, Any]:
        """Raises Refusal for what the service does not document."""
        limit = check_query(query)
        where, sort, place, last = query.get("filter") or {}, query.get("sort") or [], 0, None
        cursor = (query.get("cursorPaging") or {}).get("cursor")
        if cursor is not None:
            where, sort, place, last, *_ = exact_json.loads(cursor)
            # A cursor of its own again, but for the same page.
            if self.faults.strikes("paging_ignored"):
                place, last = 0, None
        found = in_order(self._found(where, private), sort)
        ids = [review["id"] for review in found]
        start = ids.index(last) + 1 if last in ids else place
        page = found[start : start + limit]
        cursors: dict[str, str] = {}
        if start + limit < len(found):
            state = [where, sort, start + limit, page[-1]["id"], next(self._cursors)]
            cursors["next"] = exact_json.dumps(state)
        return {"reviews": page, "metadata": {"count": len(page), "cursors": cursors}}

    def count(self, where: Any, *, private: bool) -> int:
        """Raises Refusal for a filter that the service does not document."""
        return len(self._found(where, private))

    def _found(self, where: Any, private: bool) -> list[dict[str, Any]]:
        can_ask = not self.faults.strikes("no_contact_filter")
        tests = conditions(where, can_ask_for_contacts=can_ask)
        with self.lock:
            lags = self.faults.strikes("find_lags")
            reviews = self.index.reviews(entities_of(tests), lags=lags)
        return [one for one in reviews if self.sees(one, private=private) and matches(one, tests)]
