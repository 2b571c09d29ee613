"""Which reviews the stand-in Wix takes, who sees them, and what a query may ask."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sync_sandbox.wix.reviews.moderation import Mode
from sync_sandbox.wix.state import WixState
from tests.unit.sandbox.client import REVIEWS, WixClient

IMAGE = {"image": {"id": "8bb438_ab12.jpg"}}


def changed(draft: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The draft with another value at a place; ``...`` takes it away."""
    made = copy.deepcopy(draft)
    *above, name = path.split(".")
    part = made
    for step in above:
        part = part[step]
    if value is ...:
        del part[name]
    else:
        part[name] = value
    return made


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("content.rating", 0),
        ("content.rating", 6),
        ("content.rating", 4.5),
        ("content.rating", True),
        ("content.rating", "4"),
        ("content.rating", ...),
        ("content.title", "t" * 3001),
        ("content.body", "b" * 3001),
        ("content.body", 7),
        ("content.media", [IMAGE] * 11),
        ("content.media", [{}]),
        ("content.media", [IMAGE | {"video": {"id": "1"}}]),
        ("content.stars", 4),
        ("author.contactId", ...),
        ("author.email", "ana@example.com"),
        ("author.authorName", "n" * 101),
        ("namespace", "comments"),
        ("entityId", "e" * 37),
        ("entityId", ""),
        ("reviewDate", "yesterday"),
        ("externalId", "1"),
    ],
)
def test_review_that_is_none_is_refused_by_the_name_of_its_field(
    client: WixClient, draft: dict[str, Any], path: str, value: Any
) -> None:
    asked = {"review": changed(draft, path, value)}
    field = f"review.{path}"
    assert client.refused("POST", REVIEWS, asked) == (400, field)
    assert client.found({"entityId": draft["entityId"]}) == []


def test_everything_up_to_its_limit_is_taken_and_comes_back(
    client: WixClient, draft: dict[str, Any]
) -> None:
    odd = 'zażółć 👍🏽 \u200f\u202eRTL\u202c "quotes" \\ &amp; \u200b \ud83d'
    draft["content"] |= {"title": odd, "body": "b" * 3000, "media": [IMAGE] * 10, "rating": 1}
    draft["author"]["authorName"] = "n" * 100
    made = client.create(draft)
    assert made["content"] == draft["content"]
    assert client.get(made["id"]) == made


def test_words_and_name_that_are_not_there_stay_so(
    client: WixClient, draft: dict[str, Any]
) -> None:
    del draft["author"]["authorName"]
    draft["content"] = {"rating": 3}
    made = client.create(draft)
    assert made["content"] == {"rating": 3, "media": []}
    assert made["author"]["authorName"] is None
    assert made["reviewDate"] == made["createdDate"]


def test_name_of_a_member_is_filled_in(
    client: WixClient, wix: WixState, draft: dict[str, Any], ana: str
) -> None:
    wix.add_member(ana)
    del draft["author"]["authorName"]
    assert client.create(draft)["author"]["authorName"] == "Ana"


def test_one_author_has_one_review_of_a_product(
    client: WixClient, wix: WixState, draft: dict[str, Any], mug: str
) -> None:
    made = client.create(draft)
    again = {"review": draft}
    assert client.refused("POST", REVIEWS, again) == (409, "REVIEW_ALREADY_EXISTS")
    client.good("PATCH", f"{REVIEWS}/{made['id']}/moderate", {"status": "REJECTED"})
    assert client.refused("POST", REVIEWS, again) == (409, "REVIEW_ALREADY_EXISTS")
    other = copy.deepcopy(draft)
    other["entityId"] = "another"
    other["author"]["contactId"] = wix.add_contact(None, "Bo")["id"]
    client.create(other)
    client.good("DELETE", f"{REVIEWS}/{made['id']}")
    assert client.create(draft)["id"] != made["id"]
    assert len(client.found({"entityId": mug})) == 1


def test_author_has_to_be_a_contact(client: WixClient, draft: dict[str, Any], ana: str) -> None:
    draft["author"]["contactId"] = f"{ana[:-1]}x"
    assert client.refused("POST", REVIEWS, {"review": draft}) == (404, "CONTACT_NOT_FOUND")


def test_update_needs_the_revision_of_now_as_a_text(
    client: WixClient, draft: dict[str, Any], ana: str
) -> None:
    made = client.create(draft)
    path = f"{REVIEWS}/{made['id']}"
    for revision, refusal in (
        (None, (400, "review.revision")),
        (1, (400, "review.revision")),
        ("0", (409, "REVIEW_ALREADY_CHANGED")),
    ):
        review = {"id": made["id"], "revision": revision, "content": {"rating": 1}}
        assert client.refused("PATCH", path, {"review": review}) == refusal
    for field, changes in (
        ("review.author.contactId", {"author": {"contactId": ana[::-1]}}),
        ("review.entityId", {"entityId": "another"}),
        ("review.content.rating", {"content": {"rating": 0}}),
        ("review.content.stars", {"content": {"stars": 1}}),
    ):
        asked = {"review": {"revision": "1", **changes}}
        assert client.refused("PATCH", path, asked) == (400, field)
    assert client.get(made["id"]) == made


def test_what_is_not_published_shows_only_to_who_asks_for_it(
    client: WixClient, wix: WixState, draft: dict[str, Any], mug: str
) -> None:
    wix.reviews.mode = Mode.MANUAL
    made = client.create(draft)
    assert made["moderation"]["moderationStatus"] == "IN_MODERATION"
    assert client.refused("GET", f"{REVIEWS}/{made['id']}") == (404, "REVIEW_NOT_FOUND")
    where = {"entityId": mug}
    assert client.found(where, private=False) == []
    assert client.found(where) == [made]
    # Each call has a name of its own for the flag, and knows that of the other as little as Wix.
    count = f"{REVIEWS}/count"
    assert client.good("POST", count, {"filter": where})["count"] == 0
    mixed_up = {"filter": where, "returnPrivateReviews": True}
    assert client.good("POST", count, mixed_up)["count"] == 0
    right = {"filter": where, "includePrivateReviews": True}
    assert client.good("POST", count, right)["count"] == 1


@pytest.mark.parametrize(
    "query",
    [
        {"filter": {"updatedDate": "2026-01-01T00:00:00Z"}},
        {"filter": {"revision": "1"}},
        {"filter": {"entityId": {"$gt": "a"}}},
        {"filter": {"verified": {"$in": [True]}}},
        {"filter": {"content.media": {"$eq": []}}},
        {"filter": {"content.rating": {"$lt": "five"}}},
        {"filter": {"$or": [{"namespace": "stores"}]}},
        {"filter": {"author.contactId": {"$in": "one"}}},
        {"sort": [{"fieldName": "reviewDate"}]},
        {"sort": [{"fieldName": "createdDate", "order": "UP"}]},
        {"cursorPaging": {"limit": 101}},
        {"paging": {"limit": 10, "offset": 0}},
    ],
)
def test_query_for_what_is_not_documented_is_refused(
    client: WixClient, draft: dict[str, Any], query: dict[str, Any]
) -> None:
    client.create(draft)
    status, field = client.refused("POST", f"{REVIEWS}/query", {"query": query})
    assert (status, field.startswith("query.")) == (400, True)


def test_filters_and_sorts_find_what_they_say(
    client: WixClient, wix: WixState, draft: dict[str, Any], mug: str
) -> None:
    ids = []
    for stars in (3, 5, 1):
        draft["author"]["contactId"] = wix.add_contact(None, "Bo")["id"]
        draft["content"]["rating"] = stars
        ids.append(client.create(draft)["id"])

    def found(where: dict[str, Any], *sort: dict[str, str]) -> list[int]:
        query = {"filter": {"entityId": mug} | where, "sort": list(sort)}
        listed = client.good("POST", f"{REVIEWS}/query", {"query": query})["reviews"]
        return [one["content"]["rating"] for one in listed]

    assert found({}) == [3, 5, 1]
    assert found({}, {"fieldName": "content.rating", "order": "DESC"}) == [5, 3, 1]
    assert found({"content.rating": {"$gte": 3, "$lt": 5}}) == [3]
    assert found({"id": {"$in": ids[1:]}}) == [5, 1]
    assert found({"id": {"$ne": ids[0]}, "origin.type": "APP"}) == [5, 1]
    assert found({"content.media": {"$isEmpty": True}, "verified": False}) == [3, 5, 1]
    assert found({"moderation.moderationStatus": "REJECTED"}) == []
    assert found({"createdDate": {"$lt": "2020-01-01T00:00:00Z"}}) == []


def test_page_goes_on_after_a_review_that_has_gone(
    client: WixClient, wix: WixState, draft: dict[str, Any], mug: str
) -> None:
    for _ in range(3):
        draft["author"]["contactId"] = wix.add_contact(None, "Bo")["id"]
        client.create(draft)
    everything = client.found({"entityId": mug})
    asked = {"filter": {"entityId": mug}, "cursorPaging": {"limit": 2}}
    first = client.good("POST", f"{REVIEWS}/query", {"query": asked})
    client.good("DELETE", f"{REVIEWS}/{everything[0]['id']}")
    cursor = first["metadata"]["cursors"]["next"]
    both = {"filter": {"entityId": mug}, "cursorPaging": {"cursor": cursor}}
    refusal = client.refused("POST", f"{REVIEWS}/query", {"query": both})
    assert refusal == (400, "query.cursorPaging.cursor")
    alone = {"cursorPaging": {"cursor": cursor, "limit": 2}}
    second = client.good("POST", f"{REVIEWS}/query", {"query": alone})
    assert second["reviews"] == everything[2:]


@pytest.mark.parametrize("count", [0, 101])
def test_bulk_create_takes_1_to_100(client: WixClient, draft: dict[str, Any], count: int) -> None:
    path = "/reviews/v1/bulk/reviews/create"
    assert client.refused("POST", path, {"reviews": [draft] * count}) == (400, "reviews")


def test_bulk_create_goes_on_after_a_bad_one(
    client: WixClient, draft: dict[str, Any], mug: str
) -> None:
    bad = changed(draft, "content.rating", 7)
    path = "/reviews/v1/bulk/reviews/create"
    answer = client.good("POST", path, {"reviews": [bad, "none", draft]})
    done = [one["itemMetadata"]["success"] for one in answer["results"]]
    assert done == [False, False, True]
    assert all("review" not in one for one in answer["results"])
    assert [one["id"] for one in client.found({"entityId": mug})] == [
        answer["results"][2]["itemMetadata"]["id"]
    ]


@pytest.mark.parametrize("message", ["", "m" * 1001, 7])
def test_reply_has_1_to_1000_characters(
    client: WixClient, draft: dict[str, Any], message: Any
) -> None:
    made = client.create(draft)
    path = f"{REVIEWS}/{made['id']}/reply"
    assert client.refused("PATCH", path, {"message": message}) == (400, "message")


def test_only_approved_and_rejected_can_be_set(client: WixClient, draft: dict[str, Any]) -> None:
    made = client.create(draft)
    path = f"{REVIEWS}/{made['id']}/moderate"
    for status in ("IN_MODERATION", "SUBMITTED", "approved", None):
        assert client.refused("PATCH", path, {"status": status}) == (400, "status")
    other = {"reviewId": "another", "status": "REJECTED"}
    assert client.refused("PATCH", path, other) == (400, "reviewId")


def test_privacy_request_takes_the_reviews_of_its_person(
    client: WixClient, wix: WixState, draft: dict[str, Any], ana: str, mug: str
) -> None:
    client.create(draft)
    wix.delete_contact(ana, privacy=True)
    assert client.found({"entityId": mug}) == []


def test_faults_and_limits_of_the_api_strike_reviews_too(
    client: WixClient, wix: WixState, draft: dict[str, Any], mug: str
) -> None:
    asked = {"review": draft}
    for fault, status in (("unavailable", 503), ("limited", 429), ("no_route", 404)):
        wix.faults.set(fault, next=1)
        assert client.call("POST", REVIEWS, asked)[0] == status
    assert client.found({"entityId": mug}) == []
    wix.faults.set("gateway_timeout", next=1)
    assert client.call("POST", REVIEWS, asked)[0] == 504
    assert len(client.found({"entityId": mug})) == 1, "the answer was lost, not the review"
    wix.rate_per_minute = 1
    try:
        statuses = [client.call("POST", f"{REVIEWS}/count", {})[0] for _ in range(2)]
    finally:
        wix.rate_per_minute = None
    assert statuses[-1] == 429


def test_listing_that_stands_still_has_cursors_of_its_own(
    client: WixClient, wix: WixState, draft: dict[str, Any], mug: str
) -> None:
    for _ in range(3):
        draft["author"]["contactId"] = wix.add_contact(None, "Bo")["id"]
        client.create(draft)
    wix.faults.set("paging_ignored", chance=1.0)
    asked: dict[str, Any] = {"filter": {"entityId": mug}, "cursorPaging": {"limit": 1}}
    seen = []
    for _ in range(3):
        page = client.good("POST", f"{REVIEWS}/query", {"query": asked})
        cursor = page["metadata"]["cursors"]["next"]
        seen.append((page["reviews"][0]["id"], cursor))
        asked = {"cursorPaging": {"cursor": cursor, "limit": 1}}
    assert len({review_id for review_id, _ in seen}) == 1
    assert len({cursor for _, cursor in seen}) == 3
