"""The five webhooks of Wix Reviews, in the forms in which Wix has sent or documented them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.values import Change, NewDelivery, RecordState
from sync_worker.remotes.wix.events import record_of_event
from sync_worker.remotes.wix.public_keys import load_public_keys
from sync_worker.remotes.wix.review_record import review_of, review_of_event
from tests.unit.signed import APP_ID, a_review, a_review_event, a_wix_webhook, pem
from webhook_gateway.wix import Ignored, read_delivery

KEYS = load_public_keys(pem())
REVIEW = a_review(revision="3")
SLUGS = {
    "created": Change.UPSERT,
    "updated": Change.UPSERT,
    "moderation_status_changed": Change.UPSERT,
    "review_published": Change.UPSERT,
    "deleted": Change.DELETE,
}


def read(event: dict[str, Any], **envelope: Any) -> NewDelivery:
    body = a_wix_webhook(
        event, **{"eventType": f"wix.reviews.v1.review_{event['slug']}", **envelope}
    )
    delivery = read_delivery(body, KEYS, APP_ID)
    assert isinstance(delivery, NewDelivery), delivery
    return delivery


@pytest.mark.parametrize("slug", sorted(SLUGS))
def test_event_of_a_review_is_a_delivery_with_the_whole_review(slug: str) -> None:
    delivery = read(a_review_event(slug))
    # The event's entity is the review; the product stands in it.
    assert (delivery.change, delivery.remote_id) == (SLUGS[slug], "review-1")
    assert (delivery.revision, delivery.sequence) == (3, 8)
    assert delivery.is_restore is (slug == "created")
    record = review_of_event(delivery.payload, APP_ID)
    assert record is not None
    assert (record.remote_id, record.sequence) == ("review-1", 8)


@pytest.mark.parametrize("slug", sorted(SLUGS))
def test_type_alone_tells_what_happened(slug: str) -> None:
    """Slugs and names of entities have underscores of their own."""
    bare = {
        name: part
        for name, part in a_review_event(slug).items()
        if name not in ("slug", "entityFqdn")
    }
    body = a_wix_webhook(bare, eventType=f"wix.reviews.v1.review_{slug}")
    delivery = read_delivery(body, KEYS, APP_ID)
    assert isinstance(delivery, NewDelivery)
    assert delivery.change == SLUGS[slug]
    assert delivery.payload["entityFqdn"] == "wix.reviews.v1.review"


FORMS: dict[str, dict[str, Any]] = {
    "a text": {"updatedEvent": {"currentEntityAsJson": json.dumps(REVIEW)}},
    "an object under a text's name": {"updatedEvent": {"currentEntityAsJson": REVIEW}},
    "the body as a text": {"actionEvent": {"bodyAsJson": json.dumps({"review": REVIEW})}},
    "the review as a text": {"actionEvent": {"body": {"review": json.dumps(REVIEW)}}},
    "a time that is none": {"eventTime": "985f3c2e-1111-2222-3333-444455556666"},
    "a revision that is a number": {"updatedEvent": {"currentEntity": REVIEW | {"revision": 3}}},
    "an actor nobody names": {"updatedEvent": {"currentEntity": REVIEW, "modifiedFields": {}}},
}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_older_form_is_read_the_same(form: str) -> None:
    event = {k: v for k, v in a_review_event().items() if k != "updatedEvent"} | FORMS[form]
    if form == "a time that is none":
        event["updatedEvent"] = {"currentEntity": REVIEW}
    delivery = read(event)
    assert (delivery.change, delivery.revision) == (Change.UPSERT, 3)
    record = review_of_event(delivery.payload, APP_ID)
    assert record is not None
    assert record.values == {"overall": Decimal(4)}


@pytest.mark.parametrize(
    "part",
    [{}, {"deletedEvent": {}}, {"deletedEvent": None}, {"deletedEvent": {"deletedEntity": "?"}}],
)
def test_delete_need_not_carry_its_review(part: dict[str, Any]) -> None:
    event = {k: v for k, v in a_review_event("deleted").items() if k != "deletedEvent"} | part
    delivery = read(event)
    assert (delivery.change, delivery.remote_id) == (Change.DELETE, "review-1")
    assert delivery.revision is None
    assert review_of_event(delivery.payload, APP_ID) is None


@pytest.mark.parametrize(
    ("fqdn", "slug"),
    [
        ("wix.reviews.v1.review", "featured"),
        ("wix.reviews.v1.review", "reply_set"),
        ("wix.reviews.v2.review_request", "created"),
        ("wix.reviews.v2.review_request", "review_published"),
    ],
)
@pytest.mark.parametrize("is_named", [True, False])
def test_events_that_nobody_knows_are_answered_and_dropped(
    fqdn: str, slug: str, is_named: bool
) -> None:
    event = a_review_event() | {"entityFqdn": fqdn, "slug": slug}
    if not is_named:
        event = {k: v for k, v in event.items() if k not in ("slug", "entityFqdn")}
    body = a_wix_webhook(event, eventType=f"{fqdn}_{slug}")
    assert isinstance(read_delivery(body, KEYS, APP_ID), Ignored)


@pytest.mark.parametrize("body", ["?", "[]", 7, None])
def test_action_of_a_contact_is_accepted_whatever_its_body(body: Any) -> None:
    """Only what a review says is looked at; a person looks at what is malformed."""
    event = a_review_event("merged", actionEvent={"bodyAsJson": body})
    event |= {"entityFqdn": "wix.contacts.v4.contact", "entityId": "contact-1"}
    assert read(event).change is Change.CONTACT_MERGED


# -- a review as a record


def test_review_is_a_record_with_stars_words_and_what_it_is_of() -> None:
    record = review_of(a_review(reply={"message": "Thanks"}), APP_ID)
    assert record.values == {"overall": Decimal(4)}
    assert record.words == {"title": "Good", "body": "Sturdy mug.", "reply": "Thanks"}
    assert (record.revision, record.state) == (1, RecordState.PUBLISHED)
    assert record.entity is not None
    assert (record.entity.entity_id, record.entity.group) == ("product-1", "")
    assert record.entity.namespace == "stores"
    assert (record.person.contact_id, record.person.email) == ("contact-1", None)
    assert record.written_at == datetime(2025, 11, 20, 9, 15, tzinfo=UTC)
    assert record.raw["publishCount"] == 1


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("APPROVED", RecordState.PUBLISHED),
        ("REJECTED", RecordState.REJECTED),
        ("SUBMITTED", RecordState.PENDING),
        ("IN_MODERATION", RecordState.PENDING),
        ("UNKNOWN", RecordState.PENDING),
        ("SOMETHING_NEW", RecordState.PENDING),
        (7, RecordState.PENDING),
        (["APPROVED"], RecordState.PENDING),
        (None, RecordState.PENDING),
    ],
)
def test_status_is_the_state(status: Any, state: RecordState) -> None:
    assert review_of(a_review(moderation={"moderationStatus": status}), APP_ID).state is state


@pytest.mark.parametrize(
    ("origin", "is_ours"),
    [
        ({"type": "APP", "appId": APP_ID}, True),
        ({"type": "APP", "appId": "another"}, False),
        ({"type": "APP"}, None),
        ({"type": "ORGANIC"}, False),
        ({"type": "UNKNOWN"}, None),
        ("?", None),
        (None, None),
    ],
)
def test_origin_tells_whose_it_is_as_far_as_it_goes(origin: Any, is_ours: bool | None) -> None:
    assert review_of(a_review(origin=origin), APP_ID).is_ours is is_ours


def test_without_an_app_no_review_is_known_as_ours() -> None:
    assert review_of(a_review(origin={"type": "APP", "appId": "x"}), "").is_ours is None


@pytest.mark.parametrize("part", ["title", "body"])
def test_empty_and_absent_words_of_a_whole_review_are_empty(part: str) -> None:
    bare = a_review()
    del bare["content"][part]
    for review in (bare, a_review(**{part: None}), a_review(**{part: ""})):
        assert review_of(review, APP_ID).words[part] == ""


MALFORMED: dict[str, Any] = {
    "no review": None,
    "a list": [],
    "no id": a_review(id=None),
    "a long id": a_review(id="i" * 70),
    "no stars": a_review(rating=None),
    "half a star": a_review(rating=Decimal("4.5")),
    "true": a_review(rating=True),
    "an absurd number": a_review(rating=Decimal("1e2000")),
    "a title that is no text": a_review(title=["x"]),
    "a body without end": a_review(body="x" * 40_000),
    "a product's id without end": a_review(entityId="p" * 300),
}


@pytest.mark.parametrize("case", sorted(MALFORMED))
def test_what_is_no_review_is_refused(case: str) -> None:
    with pytest.raises(Exception, match=r"review|product") as refusal:
        review_of(MALFORMED[case], APP_ID)
    assert getattr(refusal.value, "reason", "") == "malformed_record"


def test_review_is_no_rating() -> None:
    """A site that keeps ratings cannot read the event of a review, and must not try to."""
    with pytest.raises(Exception, match="no id, attribute or value"):
        record_of_event(a_review_event())
