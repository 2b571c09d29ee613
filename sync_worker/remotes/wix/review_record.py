"""A review of Wix as a record: one for each person and product, with stars and words. Pure.

Its form: https://dev.wix.com/docs/api-reference/crm/community/reviews/reviews/review-object
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sync_worker.core.errors import Permanent
from sync_worker.core.numbers import whole_number
from sync_worker.core.values import PRODUCTS, EntityRef, Person, Record, RecordState
from sync_worker.core.values.texts import BODY, REPLY, TITLE
from sync_worker.core.words import (
    MAX_ENTITY_ID,
    MAX_NAME,
    MAX_NAMESPACE,
    MAX_WIX_ID,
    bounded,
    is_usable_id,
)
from sync_worker.remotes.wix.answers import inside, moment_of
from sync_worker.remotes.wix.events import action_bodies, entity_in_event, object_in

# The one attribute of a review, as the default field map calls it.
OVERALL = "overall"
# Wix takes 3,000 characters of a title or a body; what is ten times that is no text of a review.
MAX_TEXT = 30_000
STATES = {"APPROVED": RecordState.PUBLISHED, "REJECTED": RecordState.REJECTED}


def review_of(review: Any, app_id: str, *, sequence: int | None = None) -> Record:
    """A review as a record; ``app_id``: of our app. Raises Permanent when it is none."""
    if not isinstance(review, Mapping):
        raise _malformed("Wix sent no review")
    remote_id, stars = review.get("id"), whole_number(inside(review, "content", "rating"))
    if not isinstance(remote_id, str) or not is_usable_id(remote_id, MAX_WIX_ID):
        raise _malformed("the review has no usable id")
    if stars is None:
        raise _malformed("the review has no whole number of stars")
    return Record(
        remote_id=remote_id,
        values={OVERALL: Decimal(stars)},
        revision=whole_number(review.get("revision")),
        sequence=sequence,
        state=_state_of(review),
        entity=_entity_of(review),
        person=_person_of(review),
        raw=review,
        words=words_of(review),
        written_at=moment_of(review.get("reviewDate")) or moment_of(review.get("createdDate")),
        is_ours=_is_ours(review, app_id),
    )


def review_of_event(event: Mapping[str, Any], app_id: str) -> Record | None:
    """The whole review that a domain event carries; ``None`` where it carries none."""
    review = review_in_event(event)
    if not review:
        return None
    return review_of(review, app_id, sequence=whole_number(event.get("entityEventSequence")))


def review_in_event(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The review of any of the five events, in its current or an older form."""
    entity = entity_in_event(event)
    if entity is not None:
        return entity
    for body in action_bodies(event):
        review = object_in(body.get("review"))
        if review is not None:
            return review
    # What was deleted; older senders tell nothing of it.
    for name in ("deletedEntity", "deletedEntityAsJson"):
        review = object_in(inside(event, "deletedEvent", name))
        if review is not None:
            return review
    return None


def words_of(review: Mapping[str, Any]) -> dict[str, str]:
    """Title, body and the owner's reply; a part that Wix leaves out is empty."""
    texts = {
        TITLE: inside(review, "content", "title"),
        BODY: inside(review, "content", "body"),
        REPLY: inside(review, "reply", "message"),
    }
    return {name: _text(text, name) for name, text in texts.items()}


def _text(text: Any, name: str) -> str:
    if text is None:
        return ""
    if not isinstance(text, str):
        raise _malformed(f"the review's {name} is no text")
    return bounded(text, MAX_TEXT, f"the review's {name}")


def _state_of(review: Mapping[str, Any]) -> RecordState:
    """Submitted, in moderation, or in a state that nobody knows yet: it waits."""
    status = inside(review, "moderation", "moderationStatus")
    known = STATES.get(status) if isinstance(status, str) else None
    return known or RecordState.PENDING


def _entity_of(review: Mapping[str, Any]) -> EntityRef | None:
    entity_id, namespace = review.get("entityId"), review.get("namespace")
    if not isinstance(entity_id, str):
        return None
    bounded(entity_id, MAX_ENTITY_ID, "the product's id")
    # Reviews of Wix are of products; any field may be missing that says nothing.
    return EntityRef(entity_id, namespace=_short(namespace, MAX_NAMESPACE) or PRODUCTS)


def _person_of(review: Mapping[str, Any]) -> Person:
    """Always a contact; the name is what the site shows, and need not be the contact's."""
    contact_id, name = (inside(review, "author", part) for part in ("contactId", "authorName"))
    return Person(contact_id=_short(contact_id, MAX_WIX_ID), name=_short(name, MAX_NAME))


def _short(text: Any, most: int) -> str | None:
    return text if isinstance(text, str) and 0 < len(text) <= most else None


def _is_ours(review: Mapping[str, Any], app_id: str) -> bool | None:
    """Whether our app made it, as far as Wix tells; of an app it need not tell which."""
    origin, by_app = inside(review, "origin", "type"), inside(review, "origin", "appId")
    if origin == "ORGANIC":
        return False
    if origin == "APP" and isinstance(by_app, str) and by_app and app_id:
        return by_app == app_id
    return None


def _malformed(message: str) -> Permanent:
    return Permanent(message, reason="malformed_record")
