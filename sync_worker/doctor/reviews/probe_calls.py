"""The reviews that a probe writes on one test product, and how all of them go again."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sync_worker.core.errors import SyncError
from sync_worker.remotes.http.calls import Answer
from sync_worker.remotes.wix.answers import inside, objects_in
from sync_worker.remotes.wix.api import OLDEST_FIRST, WixApi

TITLE, BODY = "Probe of ratings-sync", "Written by a program to learn how Wix answers. Ignore it."
# A create that is sent twice makes two.
NOT_TWICE = ("create_review", "create_reviews", "create_contact")


@dataclass
class ProbeReviews:
    """Calls of the probe, by a contact of its own; ``made``: the reviews that are there now."""

    api: WixApi
    product_id: str
    contact_id: str = ""
    made: list[str] = field(default_factory=list)

    def new_contact(self) -> None:
        """Make the contact that reviews by it are of."""
        email = f"ratings-sync-probe-{uuid.uuid4().hex[:12]}@example.com"
        items = [{"email": email, "tag": "MAIN"}]
        info = {"name": {"first": "Probe", "last": "Ratings-Sync"}, "emails": {"items": items}}
        body = self.api.call("create_contact", json={"info": info}, is_write=True).body
        self.contact_id = str(inside(body, "contact", "id"))

    def draft(self, media: Any = None, **changes: Any) -> dict[str, Any]:
        content: dict[str, Any] = {"rating": 4, "title": TITLE, "body": BODY}
        if media is not None:
            content["media"] = media
        return {
            "namespace": "stores",
            "entityId": self.product_id,
            "author": {"contactId": self.contact_id, "authorName": "Probe"},
            "content": content,
        } | changes

    def create(self, media: Any = None, **changes: Any) -> Answer:
        answer = self.call("create_review", "", {"review": self.draft(media, **changes)})
        if review := review_in(answer):
            self.made.append(str(review["id"]))
        return answer

    def update(
        self, review_id: str, revision: Any, content: Any, more: Mapping[str, Any] | None = None
    ) -> Answer:
        review = {"id": review_id, **(more or {})}
        if content is not None:
            review["content"] = content
        if revision is not None:
            review["revision"] = str(revision)
        return self.call("update_review", review_id, {"review": review})

    def get(self, review_id: str) -> dict[str, Any]:
        """The review now; empty if Wix does not show it."""
        answer = self.call("get_review", review_id, None, {"returnPrivateReviews": "true"})
        return review_in(answer) or {}

    def ids_listed(self) -> set[str]:
        where = {"namespace": "stores", "entityId": self.product_id}
        query = {"filter": where, "sort": OLDEST_FIRST, "cursorPaging": {"limit": 100}}
        answer = self.call("query_reviews", "", {"query": query, "returnPrivateReviews": True})
        rows = objects_in(answer.body, "reviews")
        return {str(inside(row, "id")) for row in rows if self.is_ours(row)}

    def is_ours(self, row: Any) -> bool:
        return bool(inside(row, "author", "contactId") == self.contact_id)

    def call(
        self, name: str, remote_id: str, body: Any, query: Mapping[str, str] | None = None
    ) -> Answer:
        """Whatever Wix answers below 500 is an answer: refusals are what we want to see."""
        options: dict[str, Any] = {} if body is None else {"json": body}
        return self.api.call(
            name,
            remote_id=remote_id,
            query=query,
            is_idempotent=name not in NOT_TWICE,
            outcomes=lambda answer: answer.status < 500 and answer.status != 429,
            **options,
        )

    # -- the end

    def delete(self, review_id: str) -> bool:
        self.made = [one for one in self.made if one != review_id]
        return self.call("delete_review", review_id, None).status in (200, 404)

    def delete_all(self) -> None:
        for review_id in list(self.made):
            self.delete(review_id)

    def clean_up(self) -> list[str]:
        """Delete all that we made; what could not be deleted."""
        left: list[str] = []
        try:
            ids = {*self.made, *self.ids_listed()}
            left += [f"review {one}" for one in ids if not self.delete(one)]
        except SyncError:
            left += [f"review {review_id}" for review_id in self.made]
        try:
            if self.call("delete_contact", self.contact_id, None).status not in (200, 404):
                left.append(f"contact {self.contact_id}")
        except SyncError:
            left.append(f"contact {self.contact_id}")
        return left


def review_in(answer: Answer) -> dict[str, Any] | None:
    review = inside(answer.body, "review") if answer.is_success else None
    return dict(review) if isinstance(review, Mapping) and review.get("id") else None
