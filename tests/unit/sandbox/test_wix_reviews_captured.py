"""Requests as the public `@wix/sdk` with `@wix/reviews` sends them, byte for byte: captured with a
throw-away server; only the ids are put in here.
"""

from __future__ import annotations

from typing import Any

import pytest

from sync_sandbox.wix.state import WixState
from tests.unit.sandbox.client import WixClient

CREATE = (
    '{"review":{"namespace":"stores","entityId":"%(mug)s","author":{"contactId":"%(ana)s",'
    '"authorName":"Ana M."},"content":{"rating":4,"title":"Good","body":"Sturdy mug.","media":['
    '{"image":{"id":"8bb438_ab12.jpg","height":1976,"width":1572,"altText":"mug.jpg",'
    '"filename":"mug.jpg","url":"wix:image://v1/8bb438_ab12.jpg/mug.jpg'
    '#originWidth=1572&originHeight=1976"}},'
    '{"image":{"url":"https://static.wixstatic.com/media/8bb438_cd34.jpg"}},'
    '{"video":{"id":"8bb438_ef56","filename":"clip.mp4","posters":[{"id":"8bb438_ef56f000.jpg",'
    '"height":360,"width":640}]}}]},"reviewDate":"2025-11-20T09:15:00.000Z"}}'
)
BULK = (
    '{"reviews":[{"namespace":"stores","entityId":"%(mug)s","author":{"contactId":"%(bo)s",'
    '"authorName":"Bo"},"content":{"rating":5,"body":"x"},"reviewDate":"2020-02-03T04:05:06.000Z"},'
    '{"namespace":"stores","entityId":"%(mug)s","author":{"contactId":"%(bo)s","authorName":"Bo"},'
    '"content":{"rating":1,"body":"y"},"reviewDate":"2020-02-03T04:05:06.000Z"}],'
    '"returnEntity":true}'
)
QUERY = (
    '{"returnPrivateReviews":true,"query":{"filter":{"$and":[{"namespace":"stores"},'
    '{"entityId":"%(mug)s"},{"author.contactId":{"$in":["%(ana)s","%(bo)s"]}}]},'
    '"cursorPaging":{"limit":1},"sort":[{"fieldName":"createdDate","order":"ASC"}]}}'
)
STARS = (
    '{"review":{"revision":"1","content":{"rating":2,"body":"Broke after a week."},"id":"%(id)s"}}'
)
DELETE = '{"filter":{"id":{"$in":["%(id)s"]}}}'
NO_TITLE = '{"review":{"revision":"2","content":{"title":null},"id":"%(id)s"}}'
TYPED_QUERY = (
    '{"query":{"filter":{"content.media":{"$isEmpty":false},"origin.type":"APP",'
    '"createdDate":{"$gt":"2024-01-01T00:00:00.000Z"}},"sort":[{"fieldName":"createdDate",'
    '"order":"DESC"}],"cursorPaging":{"limit":100}},"returnPrivateReviews":true}'
)


@pytest.fixture
def ids(wix: WixState, ana: str, mug: str) -> dict[str, str]:
    return {"ana": ana, "mug": mug, "bo": str(wix.add_contact(None, "Bo")["id"])}


@pytest.fixture
def review(client: WixClient, ids: dict[str, str]) -> dict[str, Any]:
    made = client.good("POST", "/reviews/v1/reviews", CREATE % ids)["review"]
    assert isinstance(made, dict)
    return made


def test_token_is_given_to_the_app_of_the_instance(client: WixClient, wix: WixState) -> None:
    body = (
        f'{{"instance_id":"{wix.instance_id}","client_id":"{wix.app_id}",'
        f'"client_secret":"{wix.app_secret}","grant_type":"client_credentials"}}'
    )
    answer = client.good("POST", "/oauth2/token", body)
    assert answer["expires_in"] == 14_400
    token = {"Authorization": answer["access_token"]}
    status, _ = client.call("POST", "/reviews/v1/reviews/count", "{}", **token)
    assert status == 200


def test_created_review_has_all_that_was_sent(
    client: WixClient, wix: WixState, ids: dict[str, str], review: dict[str, Any]
) -> None:
    assert review["revision"] == "1"
    assert (review["namespace"], review["entityId"]) == ("stores", ids["mug"])
    assert review["author"] == {"contactId": ids["ana"], "authorName": "Ana M."}
    content = review["content"]
    assert (content["rating"], content["title"], content["body"]) == (4, "Good", "Sturdy mug.")
    assert [sorted(item) for item in content["media"]] == [["image"], ["image"], ["video"]]
    assert review["reviewDate"] == "2025-11-20T09:15:00.000Z"
    assert review["origin"] == {"type": "APP", "appId": wix.app_id}
    assert review["moderation"] == {"moderationStatus": "APPROVED", "manuallyChanged": False}
    path = f"/reviews/v1/reviews/{review['id']}"
    asked = f"{path}?reviewId={review['id']}&returnPrivateReviews=true"
    assert client.good("GET", asked)["review"] == review


def test_updates_change_what_they_name(client: WixClient, review: dict[str, Any]) -> None:
    path = f"/reviews/v1/reviews/{review['id']}"
    changed = client.good("PATCH", path, STARS % review)["review"]
    words = {"rating": 2, "body": "Broke after a week."}
    assert (changed["revision"], changed["content"]) == ("2", review["content"] | words)
    cleared = client.good("PATCH", path, NO_TITLE % review)["review"]
    assert cleared["content"].get("title") is None
    assert cleared["content"]["body"] == "Broke after a week."


def test_bulk_create_answers_for_each(client: WixClient, ids: dict[str, str]) -> None:
    answer = client.good("POST", "/reviews/v1/bulk/reviews/create", BULK % ids)
    first, second = answer["results"]
    assert first["itemMetadata"] == {
        "id": first["review"]["id"],
        "originalIndex": 0,
        "success": True,
    }
    assert first["review"]["reviewDate"] == "2020-02-03T04:05:06.000Z"
    assert "review" not in second
    refused = second["itemMetadata"]
    assert (refused["originalIndex"], refused["success"]) == (1, False)
    assert refused["error"]["code"] == "REVIEW_ALREADY_EXISTS"
    counts = {"totalSuccesses": 1, "totalFailures": 1, "undetailedFailures": 0}
    assert answer["bulkActionMetadata"] == counts


def test_both_forms_of_a_query_find_and_page(
    client: WixClient, ids: dict[str, str], review: dict[str, Any]
) -> None:
    client.good("POST", "/reviews/v1/bulk/reviews/create", BULK % ids)
    path = "/reviews/v1/reviews/query"
    first = client.good("POST", path, QUERY % ids)
    assert [one["id"] for one in first["reviews"]] == [review["id"]]
    assert first["metadata"]["count"] == 1
    cursor = first["metadata"]["cursors"]["next"]
    later = '{"returnPrivateReviews":true,"query":{"cursorPaging":{"cursor":%s,"limit":1}}}'
    quoted = '"' + cursor.replace("\\", "\\\\").replace('"', '\\"') + '"'
    second = client.good("POST", path, later % quoted)
    assert [one["author"]["authorName"] for one in second["reviews"]] == ["Bo"]
    assert "next" not in second["metadata"]["cursors"]
    plain = client.good("POST", path, '{"query":{"filter":{},"cursorPaging":{"limit":50}}}')
    assert review["id"] in [one["id"] for one in plain["reviews"]]
    typed = client.good("POST", path, TYPED_QUERY)
    assert typed["reviews"][0]["id"] == review["id"]
    assert all(one["content"]["media"] for one in typed["reviews"])


def test_counts_moderation_replies_and_the_end(client: WixClient, review: dict[str, Any]) -> None:
    counted = '{"filter":{"namespace":"stores"},"includePrivateReviews":true}'
    before = client.good("POST", "/reviews/v1/reviews/count", counted)["count"]
    path = f"/reviews/v1/reviews/{review['id']}"
    rejected = client.good(
        "PATCH", f"{path}/moderate", f'{{"reviewId":"{review["id"]}","status":"REJECTED"}}'
    )["review"]
    assert rejected["moderation"] == {"moderationStatus": "REJECTED", "manuallyChanged": True}
    assert client.good("POST", "/reviews/v1/reviews/count", counted)["count"] == before
    assert client.good("POST", "/reviews/v1/reviews/count", "{}")["count"] == before - 1
    replied = client.good(
        "PATCH", f"{path}/reply", f'{{"reviewId":"{review["id"]}","message":"Thank you!"}}'
    )["review"]
    assert replied["reply"]["message"] == "Thank you!"
    bare = client.good("DELETE", f"{path}/reply?reviewId={review['id']}")["review"]
    assert "reply" not in bare
    gone = client.good("DELETE", f"{path}?reviewId={review['id']}")["review"]
    assert gone == bare
    assert client.refused("DELETE", path) == (404, "REVIEW_NOT_FOUND")


def test_calls_by_filter_are_not_done(client: WixClient, review: dict[str, Any]) -> None:
    """Each would do everything if its filter came out empty: nobody should build on them."""
    for call, body in (
        ("moderate", '{"filter":{"namespace":"stores"},"status":"REJECTED"}'),
        ("delete", DELETE % review),
    ):
        status, _ = client.refused("POST", f"/reviews/v1/bulk/reviews/{call}", body)
        assert status == 501
    assert client.get(review["id"]) == review


def test_site_owner_calls_with_a_key_and_the_site(
    client: WixClient, wix: WixState, draft: dict[str, Any]
) -> None:
    path, key = "/reviews/v1/reviews", {"Authorization": wix.api_key, "wix-site-id": wix.site_id}
    status, answer = client.call("POST", path, {"review": draft}, **key)
    assert status == 200
    assert answer["review"]["origin"] == {"type": "UNKNOWN"}
    for wrong in ({"Authorization": wix.api_key}, key | {"wix-site-id": "another"}):
        status, _ = client.call("POST", f"{path}/count", {}, **wrong)
        assert status == 401


def test_both_families_of_paths_lead_to_the_same_reviews(
    client: WixClient, draft: dict[str, Any]
) -> None:
    made = client.good("POST", "/reviews/api/v1/reviews", {"review": draft})["review"]
    assert client.get(made["id"]) == made
    path = "/reviews/api/v1/bulk/reviews/create"
    answer = client.good("POST", path, {"reviews": [draft]})
    assert answer["bulkActionMetadata"]["totalFailures"] == 1
