"""What the client of Wix Reviews sends: the same as Wix's own SDK."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.errors import (
    Conflict,
    Gone,
    Permanent,
)
from sync_worker.core.values import Draft, Person
from sync_worker.remotes.wix.reviews import WixReviews
from tests.integration.remote_server import Asked, RemoteServer, Reply, always
from tests.integration.reviews_client import (
    ANA,
    BASE,
    MUG,
    a_draft,
    answering,
    refused,
    reviews,
    sent,
)
from tests.unit.signed import a_review

__all__ = ["reviews"]  # fixtures
EVERY = {"namespace": "stores"}
SORT = [{"fieldName": "createdDate", "order": "ASC"}]
PUBLISHED_AND_NOT = {"returnPrivateReviews": True}


# -- what is sent, as Wix's own SDK sends it


def test_create_sends_what_the_sdk_sends(server: RemoteServer, reviews: WixReviews) -> None:
    draft = a_draft(
        words={"title": "Good", "body": "Sturdy mug."},
        written_at=datetime(2025, 11, 20, 9, 15, tzinfo=UTC),
    )
    reviews.create(draft, "intent-1")
    review = {
        "namespace": "stores",
        "entityId": "product-1",
        "author": {"contactId": "contact-1", "authorName": "Ana M."},
        "content": {"rating": 4, "title": "Good", "body": "Sturdy mug."},
        "reviewDate": "2025-11-20T09:15:00.000Z",
    }
    assert sent(server) == ("POST", BASE, {"review": review})


@pytest.mark.parametrize(
    ("name", "shown"),
    [("ana@example.com", None), ("Ana <ana@x.io>", None), ("N" * 300, "N" * 100), (" ", None)],
)
def test_name_of_the_author_is_short_and_no_address(
    server: RemoteServer, reviews: WixReviews, name: str, shown: str | None
) -> None:
    draft = Draft({"overall": Decimal(4)}, MUG, Person(contact_id="contact-1", name=name))
    reviews.create(draft, "intent-1")
    assert sent(server)[2]["review"]["author"].get("authorName") == shown


def test_time_of_writing_is_never_in_the_future(server: RemoteServer, reviews: WixReviews) -> None:
    reviews.create(a_draft(written_at=datetime(2030, 1, 1, tzinfo=UTC)), "intent-1")
    assert sent(server)[2]["review"]["reviewDate"] == "2026-01-02T00:00:00.000Z"


@pytest.mark.parametrize("stars", ["0", "6", "4.5", "-1"])
def test_stars_that_wix_does_not_have_are_not_sent(
    server: RemoteServer, reviews: WixReviews, stars: str
) -> None:
    with pytest.raises(Permanent) as refusal:
        reviews.create(a_draft(stars), "intent-1")
    assert refusal.value.reason == "off_scale"
    with pytest.raises(Permanent):
        reviews.update("review-1", a_draft(stars, last=a_review()), 1)
    assert server.asked == []


def test_update_sends_the_words_as_last_returned(server: RemoteServer, reviews: WixReviews) -> None:
    """Stars, title and body go out together, at the revision at which they were returned."""
    server.answer = always(Reply(body={"review": a_review(revision="2", rating=2)}))
    reviews.update("review-1", a_draft("2", last=a_review()), 1)
    content = {"rating": 2, "title": "Good", "body": "Sturdy mug."}
    review = {"id": "review-1", "revision": "1", "content": content}
    assert sent(server) == ("PATCH", f"{BASE}/review-1", {"review": review})


@pytest.mark.parametrize(
    ("words", "changed", "content"),
    [
        ({"body": "Broke."}, {"body"}, {"rating": 4, "title": "Good", "body": "Broke."}),
        ({"title": ""}, {"title"}, {"rating": 4, "title": None, "body": "Sturdy mug."}),
        ({"title": "Old", "body": "x"}, {"body"}, {"rating": 4, "title": "Good", "body": "x"}),
        ({"title": "Old"}, {"overall"}, {"rating": 2, "title": "Good", "body": "Sturdy mug."}),
    ],
)
def test_update_changes_only_what_the_draft_changes(
    server: RemoteServer,
    reviews: WixReviews,
    words: dict[str, str],
    changed: set[str],
    content: dict[str, Any],
) -> None:
    draft = a_draft("2", last=a_review(), words=words, changed=frozenset(changed))
    server.answer = always(Reply(body={"review": a_review(revision="2")}))
    reviews.update("review-1", draft, 1)
    assert sent(server)[2]["review"]["content"] == content


def test_words_of_another_revision_are_read_before_they_are_sent(
    server: RemoteServer, reviews: WixReviews
) -> None:
    server.answer = answering(
        GET=Reply(body={"review": a_review(revision="3", title="Newest")}),
        PATCH=Reply(body={"review": a_review(revision="4", title="Newest")}),
    )
    reviews.update("review-1", a_draft(last=a_review(revision="2")), 3)
    assert sent(server)[2]["review"]["content"]["title"] == "Newest"
    with pytest.raises(Conflict):
        reviews.update("review-1", a_draft(), 2)
    server.answer = always(refused(404, "REVIEW_NOT_FOUND"))
    with pytest.raises(Gone):
        reviews.update("review-1", a_draft(), 2)


def test_find_asks_for_unpublished_reviews_on_every_page(
    server: RemoteServer, reviews: WixReviews
) -> None:
    other = a_review(id="review-2", author={"contactId": "contact-2"})
    pages = iter(
        [
            {"reviews": [other], "metadata": {"count": 1, "cursors": {"next": "c-2"}}},
            {"reviews": [a_review()], "metadata": {"count": 1, "cursors": {}}},
        ]
    )
    server.answer = lambda asked: Reply(body=next(pages))
    (found,) = reviews.find(MUG, ANA)
    assert found.remote_id == "review-1"
    where = {**EVERY, "entityId": "product-1", "author.contactId": {"$in": ["contact-1"]}}
    assert [asked.json for asked in server.asked] == [
        {
            "query": {"filter": where, "sort": SORT, "cursorPaging": {"limit": 100}},
            **PUBLISHED_AND_NOT,
        },
        {"query": {"cursorPaging": {"limit": 100, "cursor": "c-2"}}, **PUBLISHED_AND_NOT},
    ]


def test_contacts_are_compared_here_where_wix_does_not_filter_by_them(
    server: RemoteServer, reviews: WixReviews
) -> None:
    """The table of filters of 2023 has none for contacts; what is refused is not asked again."""
    other = a_review(id="review-2", author={"contactId": "contact-2"})
    rows = {"reviews": [other, a_review()], "metadata": {"count": 2}}

    def answer(asked: Asked) -> Reply:
        is_known = "author.contactId" not in asked.json["query"]["filter"]
        return Reply(body=rows) if is_known else refused(400)

    server.answer = answer
    for _ in range(2):
        assert [record.remote_id for record in reviews.find(MUG, ANA)] == ["review-1"]
    assert len(server.asked) == 3


def test_get_list_count_and_probe_ask_for_unpublished_reviews(
    server: RemoteServer, reviews: WixReviews
) -> None:
    assert reviews.get("review-1") is not None
    assert server.asked[-1].query == {"returnPrivateReviews": "true"}
    server.answer = always(Reply(body={"reviews": [], "metadata": {"count": 0}}))
    reviews.list_page()
    query = {"filter": EVERY, "sort": SORT, "cursorPaging": {"limit": 100}}
    assert sent(server)[2] == {"query": query, **PUBLISHED_AND_NOT}
    reviews.probe()
    assert sent(server)[2]["returnPrivateReviews"] is True
    server.answer = always(Reply(body={"count": 7}))
    assert reviews.count() == 7
    counted = {"filter": EVERY, "includePrivateReviews": True}
    assert sent(server) == ("POST", f"{BASE}/count", counted)


def test_moderation_and_replies_send_what_the_sdk_sends(
    server: RemoteServer, reviews: WixReviews
) -> None:
    one = f"{BASE}/review-1"
    reviews.withdraw("review-1")
    rejected = {"reviewId": "review-1", "status": "REJECTED"}
    assert sent(server) == ("PATCH", f"{one}/moderate", rejected)
    reviews.approve("review-1")
    assert sent(server)[2]["status"] == "APPROVED"
    reviews.reply("review-1", "Thank you!")
    reply = {"reviewId": "review-1", "message": "Thank you!"}
    assert sent(server) == ("PATCH", f"{one}/reply", reply)
    reviews.reply("review-1", "")
    assert sent(server) == ("DELETE", f"{one}/reply", None)
    with pytest.raises(Permanent):
        reviews.reply("review-1", "x" * 1001)
    server.answer = always(refused(404, "REVIEW_NOT_FOUND"))
    with pytest.raises(Gone):
        reviews.approve("review-1")
