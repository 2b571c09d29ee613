"""What a review may look like: its fields, their limits, and what a client may write of them.

https://dev.wix.com/docs/api-reference/crm/community/feedback-moderation/reviews/reviews
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sync_sandbox.faults import Faults
from sync_sandbox.texts import TextRefused, kept
from sync_sandbox.wix.refusal import Refusal

MAX_TEXT, MAX_NAME, MAX_MEDIA, MAX_ENTITY_ID, MAX_REPLY = 3000, 100, 10, 36, 1000
TEXTS = ("title", "body")
FIELDS: dict[str, frozenset[str]] = {
    "content": frozenset({"title", "body", "media", "rating"}),
    "author": frozenset({"contactId", "authorName"}),
    "reply": frozenset({"message", "createdDate", "updatedDate"}),
    "moderation": frozenset({"moderationStatus", "manuallyChanged"}),
    "origin": frozenset({"type", "appId"}),
}
READ_ONLY = {
    "id",
    "revision",
    "reply",
    "moderation",
    "verified",
    "origin",
    "createdDate",
    "updatedDate",
    "foundHelpful",
    "foundUnhelpful",
    "helpfulness",
    "relevanceScore",
    "publishCount",
}
WRITABLE = {"namespace", "entityId", "content", "author", "reviewDate"}
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")


def new_review(review: Mapping[str, Any]) -> dict[str, Any]:
    """What a client may write of a new review; fields that are only read are left out.

    Raises Refusal.
    """
    _check_names(review)
    if review.get("namespace") != "stores":
        raise Refusal(400, "review.namespace", "only stores is supported")
    entity_id = review.get("entityId")
    if not isinstance(entity_id, str) or not 1 <= len(entity_id) <= MAX_ENTITY_ID:
        raise Refusal(400, "review.entityId", f"must have 1 to {MAX_ENTITY_ID} characters")
    content = _part(review, "content")
    if "rating" not in content:
        raise Refusal(400, "review.content.rating", "must not be empty")
    _check_content(content)
    author = _part(review, "author")
    if not isinstance(author.get("contactId"), str):
        raise Refusal(400, "review.author.contactId", "must not be empty")
    _check_text(author.get("authorName"), "review.author.authorName", MAX_NAME)
    _check_date(review.get("reviewDate"))
    return {name: review[name] for name in WRITABLE if review.get(name) is not None}


def changes_of(review: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """What an update changes. Raises Refusal for what cannot be changed, or is no review."""
    _check_names(review)
    for name in ("namespace", "entityId"):
        if review.get(name) not in (None, old[name]):
            raise Refusal(400, f"review.{name}", "cannot be changed")
    content, author = _part(review, "content"), _part(review, "author")
    if author.get("contactId") not in (None, old["author"]["contactId"]):
        raise Refusal(400, "review.author.contactId", "cannot be changed")
    _check_content(content)
    _check_text(author.get("authorName"), "review.author.authorName", MAX_NAME)
    _check_date(review.get("reviewDate"))
    return {name: review[name] for name in ("content", "author", "reviewDate") if name in review}


def reply_text(message: Any) -> str:
    """Raises Refusal."""
    if not isinstance(message, str) or not 1 <= len(message) <= MAX_REPLY:
        raise Refusal(400, "message", f"must have 1 to {MAX_REPLY} characters")
    return message


def taken(name: str, text: str, faults: Faults) -> str:
    """What is kept of a text of a review. Raises Refusal."""
    try:
        return kept(text, faults)
    except TextRefused as refused:
        raise Refusal(400, f"review.content.{name}", str(refused)) from None


def without_tags(text: str) -> str:
    """A text as a field for plain text keeps it."""
    return _TAG.sub("", text)


def _check_names(review: Mapping[str, Any]) -> None:
    for name, value in review.items():
        if name not in WRITABLE | READ_ONLY:
            raise Refusal(400, f"review.{name}", "unknown field")
        known = FIELDS.get(name)
        if known is None or value is None:
            continue
        if not isinstance(value, Mapping):
            raise Refusal(400, f"review.{name}", "must be an object")
        for unknown in sorted(set(value) - known):
            raise Refusal(400, f"review.{name}.{unknown}", "unknown field")


def _check_content(content: Mapping[str, Any]) -> None:
    stars = content.get("rating")
    if "rating" in content and (isinstance(stars, bool) or stars not in (1, 2, 3, 4, 5)):
        raise Refusal(400, "review.content.rating", "must be a whole number between 1 and 5")
    if "rating" in content and not isinstance(stars, int):
        raise Refusal(400, "review.content.rating", "must be a whole number between 1 and 5")
    for name in TEXTS:
        _check_text(content.get(name), f"review.content.{name}", MAX_TEXT)
    media = content.get("media")
    if media is None:
        return
    if not isinstance(media, list) or len(media) > MAX_MEDIA:
        raise Refusal(400, "review.content.media", f"must be a list of at most {MAX_MEDIA}")
    for item in media:
        if not isinstance(item, Mapping) or len(set(item) & {"image", "video"}) != 1:
            raise Refusal(400, "review.content.media", "must have either an image or a video")


def _check_text(text: Any, field: str, most: int) -> None:
    if text is None:
        return
    if not isinstance(text, str) or len(text) > most:
        raise Refusal(400, field, f"must be a text of at most {most} characters")


def _check_date(text: Any) -> None:
    if text is None:
        return
    try:
        datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise Refusal(400, "review.reviewDate", "must be a time") from None


def _part(review: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return review.get(name) or {}
