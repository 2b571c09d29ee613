"""The reviews of the stand-in Wix: what clients, visitors and the owner do with them."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync_sandbox.faults import Faults
from sync_sandbox.wix.events import now
from sync_sandbox.wix.refusal import Refusal
from sync_sandbox.wix.reviews.form import (
    TEXTS,
    changes_of,
    new_review,
    reply_text,
    taken,
    without_tags,
)
from sync_sandbox.wix.reviews.moderation import APPROVED, REJECTED, SUBMITTED, Mode, decision
from sync_sandbox.wix.reviews.news import ReviewNews
from sync_sandbox.wix.reviews.records import (
    By,
    ReviewRecords,
    bumped,
    new_record,
    status_of,
    with_status,
)
from sync_sandbox.wix.reviews.search import ReviewSearch

MAX_BULK = 100


@dataclass
class WixReviews:
    """Reviews by id. Every write is in ``journal``; ``contacts``: who may review.

    ``mode``: how new reviews are moderated; ``late_seconds``: how long the rules take if ``late``.
    """

    lock: threading.RLock
    faults: Faults
    news: ReviewNews
    contacts: Mapping[str, Mapping[str, Any]]
    members: Mapping[str, str]
    journal: list[dict[str, Any]]
    mode: Mode = Mode.OFF
    late_seconds: float = 1.0

    def __post_init__(self) -> None:
        self.search = ReviewSearch(self.lock, self.faults)
        self.records = ReviewRecords(self.search, self.journal)

    @property
    def by_id(self) -> dict[str, dict[str, Any]]:
        """All reviews as they are now."""
        return self.records.by_id

    def id_of(self, contact_id: str, entity_id: str) -> str | None:
        """Of the review that a contact wrote of a product."""
        return self.records.id_of(contact_id, entity_id)

    # -- what clients call and visitors do

    def create(self, review: Mapping[str, Any], by: By) -> dict[str, Any]:
        """Raises Refusal: a bad field, an unknown contact, or a second review of one author."""
        clean = new_review(review)
        with self.lock:
            contact_id = clean["author"]["contactId"]
            if contact_id not in self.contacts:
                raise Refusal(404, "CONTACT_NOT_FOUND")
            if self.faults.strikes("unknown_product"):
                raise Refusal(404, "PRODUCT_NOT_FOUND")
            self._refuse_second(contact_id, clean["entityId"])
            record = self._new_record(clean, by)
            decided = decision(self.mode, record["content"]["rating"])
            is_answered_first = self.faults.strikes("created_as_submitted")
            if self.mode is not Mode.LATE and not is_answered_first:
                record = with_status(record, decided, is_manual=False)
            status = status_of(record)
            self.records.put(record)
            self.records.note("create", None, record, by)
            self.news.created(record, by)
            self.news.moderated(record, None if status == SUBMITTED else SUBMITTED, None)
            if status == APPROVED:
                self.news.published(record, None)
            if is_answered_first and self.mode is not Mode.LATE:
                self._decide(record["id"], decided)
        if self.mode is Mode.LATE:
            self._decide_later(record["id"], decided)
        return record

    def create_many(self, reviews: Sequence[Any], by: By, *, whole: bool) -> dict[str, Any]:
        """Each for itself; ``whole``: with the reviews that were made."""
        if not 1 <= len(reviews) <= MAX_BULK:
            raise Refusal(400, "reviews", f"must have 1 to {MAX_BULK} reviews")
        results = [self._result(index, one, by, whole) for index, one in enumerate(reviews)]
        good = sum(one["itemMetadata"]["success"] for one in results)
        counts = {
            "totalSuccesses": good,
            "totalFailures": len(results) - good,
            "undetailedFailures": 0,
        }
        return {"results": results, "bulkActionMetadata": counts}

    def _result(self, index: int, review: Any, by: By, whole: bool) -> dict[str, Any]:
        try:
            if not isinstance(review, Mapping):
                raise Refusal(400, "review", "must be an object")
            made = self.create(review, by)
        except Refusal as refusal:
            meta = {"originalIndex": index, "success": False, "error": refusal.as_item()}
            return {"itemMetadata": meta}
        meta = {"id": made["id"], "originalIndex": index, "success": True}
        return {"itemMetadata": meta} | ({"review": made} if whole else {})

    def get(self, review_id: str, *, private: bool) -> dict[str, Any]:
        """Raises Refusal, also for an unpublished one unless ``private``."""
        review = self.records.get(review_id)
        if not self.search.sees(review, private=private):
            raise Refusal(404, "REVIEW_NOT_FOUND")
        return review

    def update(
        self, review_id: str, review: Mapping[str, Any], by: By, *, is_client: bool = True
    ) -> dict[str, Any]:
        """A client names the revision; a visitor edits what is on the screen. Raises Refusal."""
        with self.lock:
            old = self.records.get(review_id)
            if is_client:
                self._check_precondition(old, review.get("revision"))
            changes = changes_of(review, old)
            changed = old | {
                "content": self._content(old["content"], changes.get("content") or {}),
                "author": old["author"] | (changes.get("author") or {}),
                "reviewDate": changes.get("reviewDate") or old["reviewDate"],
            }
            changed = bumped(changed)
            self.records.put(changed)
            self.records.note("update", old, changed, by)
            self.news.updated(changed, by)
            return changed

    def delete(self, review_id: str, by: By, *, privacy: bool = False) -> dict[str, Any]:
        """Returns what was deleted. Raises Refusal."""
        with self.lock:
            old = self.records.get(review_id)
            self.records.remove(old)
            self.records.note("delete", old, None, by)
            self.news.deleted(old, by, privacy=privacy)
            return old

    # -- what the owner decides

    def moderate(self, review_id: str, status: Any, by: By | None) -> dict[str, Any]:
        """``by`` is ``None`` where a rule decides. Raises Refusal."""
        if status not in (APPROVED, REJECTED):
            raise Refusal(400, "status", "must be APPROVED or REJECTED")
        with self.lock:
            return self._moderated(review_id, status, by)

    def reply(self, review_id: str, message: str | None, by: By) -> dict[str, Any]:
        """Set the owner's reply, ``None``: remove it. Raises Refusal."""
        with self.lock:
            old = self.records.get(review_id)
            changed = dict(old)
            former = changed.pop("reply", None)
            if message is not None:
                created = former["createdDate"] if former else now()
                changed["reply"] = {
                    "message": reply_text(message),
                    "createdDate": created,
                    "updatedDate": now(),
                }
            if self.faults.strikes("reply_bumps_revision"):
                changed = bumped(changed)
            self.records.put(changed)
            self.records.note("reply", old, changed, by)
            self.news.updated(changed, by)
            return changed

    def vote(self, review_id: str, by: By, *, is_helpful: bool) -> dict[str, Any]:
        """A visitor found a review helpful, or did not. Raises Refusal."""
        with self.lock:
            changed = dict(self.records.get(review_id))
            changed["foundHelpful" if is_helpful else "foundUnhelpful"] += 1
            changed["helpfulness"] = changed["foundHelpful"] - changed["foundUnhelpful"]
            is_told = self.faults.strikes("votes_emit_updated")
            if is_told:
                changed = bumped(changed)
            self.records.put(changed)
            if is_told:
                self.news.updated(changed, by)
            return changed

    # -- how

    def _refuse_second(self, *author: str) -> None:
        twin = self.records.id_of(*author)
        if twin is None:
            return
        is_rejected = status_of(self.records.get(twin)) == REJECTED
        if is_rejected and self.faults.strikes("rejected_does_not_block"):
            return
        if self.faults.strikes("duplicate_is_400"):
            raise Refusal(400, "review.author.contactId", "has reviewed this entity already")
        raise Refusal(409, "REVIEW_ALREADY_EXISTS", data={"reviewId": twin})

    def _new_record(self, clean: Mapping[str, Any], by: By) -> dict[str, Any]:
        author = clean["author"]
        name = author.get("authorName") or self._name_of_member(author["contactId"])
        if self.faults.strikes("author_name_is_null"):
            name = None
        content = self._merged({"media": []}, clean["content"])
        return new_record(clean, by, content, name)

    def _name_of_member(self, contact_id: str) -> str | None:
        """Wix fills in a member's name; who is none stays without."""
        if contact_id not in self.members.values():
            return None
        return str(self.contacts[contact_id]["info"]["name"]["first"])

    def _check_precondition(self, old: Mapping[str, Any], revision: Any) -> None:
        if old["origin"]["type"] == "ORGANIC":
            if self.faults.strikes("organic_read_only"):
                raise Refusal(403, "PERMISSION_DENIED", "organic reviews are read-only for apps")
            if self.faults.strikes("organic_is_conflict"):
                raise Refusal(409, "REVIEW_ALREADY_CHANGED")
        if not isinstance(revision, str):
            raise Refusal(400, "review.revision", "must be the revision as a text")
        if revision != old["revision"]:
            raise Refusal(
                409,
                "REVIEW_ALREADY_CHANGED",
                "entity has already changed since the requested revision",
            )

    def _content(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
        """After an update: merged, or replaced with the quirk."""
        if not self.faults.strikes("patch_replaces_content"):
            return self._merged(old, new)
        if "rating" not in new:
            raise Refusal(400, "review.content.rating", "must not be empty")
        return self._merged({"media": []}, new)

    def _merged(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
        """The content with what is new in it; ``null`` takes a text away."""
        content = dict(old)
        for name, value in new.items():
            if name not in TEXTS:
                content[name] = value
            elif value is not None:
                is_kept = self.faults.strikes("html_in_text_kept")
                content[name] = taken(name, value if is_kept else without_tags(value), self.faults)
            elif not self.faults.strikes("null_keeps_text"):
                content.pop(name, None)
        return content

    def _moderated(self, review_id: str, status: str, by: By | None) -> dict[str, Any]:
        old = self.records.get(review_id)
        before = status_of(old)
        changed = with_status(old, status, is_manual=by is not None)
        is_change = status != before
        if is_change and self._moderation_bumps():
            changed = bumped(changed)
        self.records.put(changed)
        if not is_change:
            return changed
        self.records.note("moderate", old, changed, by or {})
        self.news.moderated(changed, before, by)
        if status == APPROVED:
            self.news.published(changed, by)
        return changed

    def _moderation_bumps(self) -> bool:
        keeps = self.faults.strikes("moderation_keeps_revision")
        return self.faults.strikes("moderation_bumps_revision") or not keeps

    def _decide_later(self, review_id: str, status: str) -> None:
        timer = threading.Timer(self.late_seconds, self._decide, [review_id, status])
        timer.daemon = True
        timer.start()

    def _decide(self, review_id: str, status: str) -> None:
        """The rules have run; an owner, or the author, may have been quicker."""
        with self.lock:
            review = self.by_id.get(review_id)
            if review is None or status_of(review) != SUBMITTED:
                return
            self._moderated(review_id, status, None)
