"""The records behind the reviews of the stand-in Wix: what they are made of, and where they are."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sync_sandbox.wix.events import is_client, now
from sync_sandbox.wix.refusal import Refusal
from sync_sandbox.wix.reviews.moderation import APPROVED, SUBMITTED
from sync_sandbox.wix.reviews.search import ReviewSearch

By = Mapping[str, str]
"""Who did it, as Wix names it."""


@dataclass
class ReviewRecords:
    """Reviews by id and by author, and in what searches see. Every write is in ``journal``."""

    search: ReviewSearch
    journal: list[dict[str, Any]]
    by_id: dict[str, dict[str, Any]] = field(default_factory=dict)
    _by_author: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._order = itertools.count(1)

    def get(self, review_id: str) -> dict[str, Any]:
        """Raises Refusal."""
        if review_id not in self.by_id:
            raise Refusal(404, "REVIEW_NOT_FOUND")
        return self.by_id[review_id]

    def id_of(self, contact_id: str, entity_id: str) -> str | None:
        """Of the review that a contact wrote of a product."""
        return self._by_author.get((contact_id, entity_id))

    def put(self, review: dict[str, Any]) -> None:
        self.by_id[review["id"]] = review
        self._by_author[_author_of(review)] = review["id"]
        self.search.put(review["id"], review)

    def remove(self, review: Mapping[str, Any]) -> None:
        del self.by_id[review["id"]]
        if self._by_author.get(_author_of(review)) == review["id"]:
            del self._by_author[_author_of(review)]
        self.search.put(review["id"], None)

    def note(
        self,
        operation: str,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
        by: By,
    ) -> None:
        """Add a line to the journal."""
        review = after or before or {}
        self.journal.append(
            {
                "number": next(self._order),
                "side": "wix",
                "operation": operation,
                "id": review["id"],
                "before": before and before["content"]["rating"],
                "after": after and after["content"]["rating"],
                "by": _actor(by),
                "entity": review["entityId"],
                "person": review["author"]["contactId"],
                "attribute": "overall",
            }
        )


def new_record(
    clean: Mapping[str, Any], by: By, content: dict[str, Any], name: str | None
) -> dict[str, Any]:
    """A review as it is before the moderation rules ran."""
    created = now()
    return {
        "id": str(uuid.uuid4()),
        "revision": "1",
        "namespace": clean["namespace"],
        "entityId": clean["entityId"],
        "content": content,
        "author": {"contactId": clean["author"]["contactId"], "authorName": name},
        "createdDate": created,
        "updatedDate": created,
        "reviewDate": clean.get("reviewDate", created),
        "foundHelpful": 0,
        "foundUnhelpful": 0,
        "helpfulness": 0,
        "moderation": {"moderationStatus": SUBMITTED, "manuallyChanged": False},
        "verified": False,
        "origin": _origin(by),
        "publishCount": 0,
    }


def status_of(review: Mapping[str, Any]) -> str:
    """The moderation status."""
    return str(review["moderation"]["moderationStatus"])


def with_status(review: Mapping[str, Any], status: str, *, is_manual: bool) -> dict[str, Any]:
    """The review after a decision; each publication is counted."""
    is_new_publication = status == APPROVED and status_of(review) != APPROVED
    return {
        **review,
        "moderation": {"moderationStatus": status, "manuallyChanged": is_manual},
        "publishCount": review["publishCount"] + int(is_new_publication),
    }


def bumped(review: Mapping[str, Any]) -> dict[str, Any]:
    """The review one revision later."""
    return {**review, "revision": str(int(review["revision"]) + 1), "updatedDate": now()}


def _author_of(review: Mapping[str, Any]) -> tuple[str, str]:
    return review["author"]["contactId"], review["entityId"]


def _origin(by: By) -> dict[str, str]:
    match by.get("identityType"):
        case "APP":
            return {"type": "APP", "appId": by["appId"]}
        case "MEMBER" | "ANONYMOUS_VISITOR":
            return {"type": "ORGANIC"}
        # Nobody has said what a call with an API key makes.
        case _:
            return {"type": "UNKNOWN"}


def _actor(by: By) -> str:
    """Who did it, in the journal's words."""
    if not by:
        return "rule"
    if is_client(by):
        return "app"
    return "owner" if by.get("identityType") == "WIX_USER" else "visitor"
