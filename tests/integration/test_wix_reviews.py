"""Wix Reviews over real HTTP: the requests of Wix's own SDK, and what hostile answers mean."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.errors import (
    Conflict,
    Duplicate,
    Gone,
    Permanent,
    SyncError,
    Transient,
    UnknownOutcome,
)
from sync_worker.core.values import Draft, EntityRef, Person, Record, RecordState
from sync_worker.remotes.http.authorization import FixedHeaders
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.remotes.http.options import HttpOptions
from sync_worker.remotes.wix.answers import error_code
from sync_worker.remotes.wix.api import WixApi
from sync_worker.remotes.wix.reviews import WixReviews
from tests.integration.remote_server import Asked, RemoteServer, Reply, always
from tests.unit.signed import APP_ID, a_review

MUG, ANA = EntityRef("product-1", namespace="stores"), Person(contact_id="contact-1", name="Ana M.")
NOW = datetime(2026, 1, 2, tzinfo=UTC)
BASE = "/reviews/v1/reviews"
EVERY = {"namespace": "stores"}
SORT = [{"fieldName": "createdDate", "order": "ASC"}]
PUBLISHED_AND_NOT = {"returnPrivateReviews": True}


def a_draft(stars: str = "4", **changes: Any) -> Draft:
    return Draft({"overall": Decimal(stars)}, MUG, ANA, **changes)


def refused(status: int, code: str = "") -> Reply:
    error = {"applicationError": {"code": code, "description": "", "data": {}}}
    return Reply(status, {"message": "no", "details": error if code else {}})


def answering(**by_method: Reply) -> Callable[[Asked], Reply]:
    return lambda asked: by_method[asked.method]


@pytest.fixture
def reviews(server: RemoteServer) -> WixReviews:
    http = RemoteHttp(
        server.url,
        remote="wix",
        authorization=FixedHeaders({}),
        budget=NoBudget(),
        options=HttpOptions(allow_private_hosts=True, code_of=error_code),
    )
    server.answer = always(Reply(body={"review": a_review()}))
    return WixReviews(WixApi(http), APP_ID, lambda: NOW)


def sent(server: RemoteServer) -> tuple[str, str, Any]:
    """The last request."""
    asked = server.asked[-1]
    return asked.method, asked.path, asked.json if asked.body else None


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


# -- what answers mean


def test_delete_is_answered_with_the_review(server: RemoteServer, reviews: WixReviews) -> None:
    reviews.delete("review-1", 1)
    assert [asked.method for asked in server.asked] == ["DELETE"]
    server.answer = always(refused(404, "REVIEW_NOT_FOUND"))
    reviews.delete("review-1", 1)


@pytest.mark.parametrize("status", ["APPROVED", "REJECTED", "IN_MODERATION"])
@pytest.mark.parametrize(
    "answer",
    [Reply(body={}), Reply(body=[]), Reply(raw=b"null"), Reply(raw=b"<html>Hello</html>")],
)
def test_delete_in_another_form_is_not_believed(
    server: RemoteServer, reviews: WixReviews, answer: Reply, status: str
) -> None:
    """A review that is still there was not deleted, whatever its state."""
    living = a_review(moderation={"moderationStatus": status})
    server.answer = answering(DELETE=answer, GET=Reply(body={"review": living}))
    with pytest.raises(UnknownOutcome):
        reviews.delete("review-1", 1)


NOT_SAID = {
    "a page": Reply(404, raw=b"<html>404</html>"),
    "no route": Reply(404, {"error": "Not Found"}),
    "another thing": refused(404, "META_SITE_NOT_FOUND"),
    "HTML for an answer": Reply(200, raw=b"<html>Welcome</html>"),
    "null": Reply(200, raw=b"null"),
    "a list": Reply(200, []),
    "no review": Reply(200, {"review": None}),
}


@pytest.mark.parametrize("answer", sorted(NOT_SAID))
def test_other_answers_say_nothing_of_a_review(
    server: RemoteServer, reviews: WixReviews, answer: str
) -> None:
    server.answer = always(NOT_SAID[answer])
    calls: list[Callable[[], Any]] = [
        lambda: reviews.get("review-1"),
        lambda: reviews.find(MUG, ANA),
        lambda: reviews.update("review-1", a_draft(last=a_review()), 1),
        lambda: reviews.delete("review-1", 1),
        lambda: reviews.withdraw("review-1"),
        lambda: reviews.reply("review-1", "Thanks"),
        lambda: reviews.count(),
    ]
    for call in calls:
        with pytest.raises(Transient):
            call()


def test_number_for_a_revision_is_read_and_a_text_is_sent(
    server: RemoteServer, reviews: WixReviews
) -> None:
    server.answer = always(Reply(body={"review": a_review(revision=8)}))
    record = reviews.update("review-1", a_draft(last=a_review(revision=7)), 7)
    assert record.revision == 8
    assert sent(server)[2]["review"]["revision"] == "7"


def test_update_that_met_itself_counts(server: RemoteServer, reviews: WixReviews) -> None:
    """Our second try is refused because our first one has landed: words are compared, too."""
    answers = [Reply(503), refused(409)]
    shown = a_review(revision="2", rating=2, body="Broke.")

    def answer(asked: Asked) -> Reply:
        return Reply(body={"review": shown}) if asked.method == "GET" else answers.pop(0)

    server.answer = answer
    draft = a_draft("2", last=a_review(), words={"body": "Broke."})
    assert reviews.update("review-1", draft, 1).revision == 2
    answers += [Reply(503), refused(409)]
    with pytest.raises(UnknownOutcome):
        reviews.update("review-1", a_draft("2", last=a_review(), words={"body": "Mine"}), 1)


@pytest.mark.parametrize(
    ("gone", "lost"),
    [({"title": None}, {"title"}), ({"body": ""}, {"body"}), ({"media": []}, {"pictures"})],
)
def test_answer_tells_what_an_update_took_unasked(
    server: RemoteServer, reviews: WixReviews, gone: dict[str, Any], lost: set[str]
) -> None:
    picture = {"image": {"id": "8bb438_ab12.jpg"}}
    last = a_review(media=[picture])
    shown = a_review(revision="2", **{"media": [picture], **gone})
    server.answer = always(Reply(body={"review": shown}))
    record = reviews.update("review-1", a_draft("2", last=last), 1)
    assert record.lost == lost
    assert "media" not in sent(server)[2]["review"]["content"]
    # No further review with pictures is put at risk.
    asked = len(server.asked)
    with pytest.raises(Permanent) as refusal:
        reviews.update("review-1", a_draft("3", last=a_review(media=[picture])), 1)
    assert (refusal.value.reason, len(server.asked)) == ("content_replaced", asked)


def test_answer_in_which_nothing_is_missing_tells_no_loss(
    server: RemoteServer, reviews: WixReviews
) -> None:
    server.answer = always(Reply(body={"review": a_review(revision="2", title="")}))
    draft = a_draft("2", last=a_review(), words={"title": ""})
    assert reviews.update("review-1", draft, 1).lost == frozenset()


def test_duplicate_is_decided_by_state(server: RemoteServer, reviews: WixReviews) -> None:
    for answer in (refused(409), refused(400, "REVIEW_ALREADY_EXISTS")):
        server.answer = always(answer)
        with pytest.raises(Duplicate):
            reviews.create(a_draft(), "intent-1")


@pytest.mark.parametrize(
    ("refusal", "contact", "reason"),
    [
        (refused(404, "CONTACT_NOT_FOUND"), refused(404, "CONTACT_NOT_FOUND"), "contact_unknown"),
        (refused(400, "INVALID_AUTHOR"), refused(404, "CONTACT_NOT_FOUND"), "contact_unknown"),
        (refused(428, "FAILED"), Reply(body={"contact": {"id": "lives-on"}}), "contact_unknown"),
        (
            refused(404, "ENTITY_MISSING"),
            Reply(body={"contact": {"id": "contact-1"}}),
            "unknown_entity",
        ),
        (
            refused(400, "PRODUCT_UNKNOWN"),
            Reply(body={"contact": {"id": "contact-1"}}),
            "unknown_entity",
        ),
        (refused(400, "OTHER"), Reply(body={"contact": {"id": "contact-1"}}), "refused"),
        (refused(400), Reply(500), "refused"),
    ],
)
def test_refused_create_is_explained_by_looking(
    server: RemoteServer, reviews: WixReviews, refusal: Reply, contact: Reply, reason: str
) -> None:
    nothing = Reply(body={"reviews": [], "metadata": {"count": 0}})
    server.answer = lambda asked: {
        f"POST {BASE}": refusal,
        f"POST {BASE}/query": nothing,
    }.get(f"{asked.method} {asked.path}", contact)
    with pytest.raises(Permanent) as raised:
        reviews.create(a_draft(), "intent-1")
    assert raised.value.reason == reason


def test_refusal_without_a_code_may_be_a_duplicate(
    server: RemoteServer, reviews: WixReviews
) -> None:
    rows = Reply(body={"reviews": [a_review()], "metadata": {"count": 1}})
    server.answer = lambda asked: rows if asked.path.endswith("/query") else refused(400)
    with pytest.raises(Duplicate) as duplicate:
        reviews.create(a_draft(), "intent-1")
    assert duplicate.value.remote_id == "review-1"


@pytest.mark.parametrize(
    ("origin", "answer", "reason"),
    [
        ("ORGANIC", refused(403), "organic_review"),
        ("ORGANIC", refused(400, "ORGANIC_REVIEW"), "organic_review"),
        ("ORGANIC", refused(400), "refused"),
        ("APP", refused(403), "unauthorized"),
        ("APP", refused(400, "X"), "refused"),
    ],
)
def test_refused_update_of_a_visitors_review_has_a_name(
    server: RemoteServer, reviews: WixReviews, origin: str, answer: Reply, reason: str
) -> None:
    server.answer = always(answer)
    draft = a_draft("2", last=a_review(origin={"type": origin}))
    with pytest.raises(Permanent) as raised:
        reviews.update("review-1", draft, 1)
    assert raised.value.reason == reason


# -- many at once


def result(place: int, **parts: Any) -> dict[str, Any]:
    review = parts.pop("review", None)
    outcome: dict[str, Any] = {"itemMetadata": {"originalIndex": place, "success": True, **parts}}
    return outcome | ({"review": review} if review else {})


def test_many_are_created_in_one_call_and_answered_one_by_one(
    server: RemoteServer, reviews: WixReviews
) -> None:
    """Results come in any order, and need not be complete."""
    no = {"success": False, "error": {"code": "ALREADY_EXISTS", "description": "there"}}
    bad = {"success": False, "error": {"code": "INVALID", "description": "Ana M. is not allowed"}}
    results = [
        result(3, **bad),
        result(0, review=a_review(id="review-9")),
        result(1, **no),
        result(4),
        result(77, review=a_review()),
        "nonsense",
    ]
    server.answer = always(Reply(body={"results": results, "bulkActionMetadata": {}}))
    outcomes = reviews.create_many([a_draft(str(1 + place % 5)) for place in range(5)])
    kinds = [Record, Duplicate, UnknownOutcome, Permanent, UnknownOutcome]
    assert [type(outcome) for outcome in outcomes] == kinds
    assert isinstance(outcomes[3], SyncError)
    # What Wix says of a refusal is told, without whom it speaks of.
    assert outcomes[3].facts.code == "INVALID"
    assert "Ana" not in outcomes[3].facts.said
    method, path, body = sent(server)
    assert (method, path) == ("POST", "/reviews/v1/bulk/reviews/create")
    assert body["returnEntity"] is True
    assert [review["content"]["rating"] for review in body["reviews"]] == [1, 2, 3, 4, 5]
    assert len(server.asked) == 1


@pytest.mark.parametrize("answer", [Reply(503), Reply(200, raw=b"<html>"), Reply(hangs_up=True)])
def test_lost_answer_to_many_is_an_unknown_outcome_of_all(
    server: RemoteServer, reviews: WixReviews, answer: Reply
) -> None:
    server.answer = always(answer)
    with pytest.raises(UnknownOutcome):
        reviews.create_many([a_draft(), a_draft()])
    assert len(server.asked) == 1


def test_answer_without_results_is_an_unknown_outcome_of_each(
    server: RemoteServer, reviews: WixReviews
) -> None:
    server.answer = always(Reply(200, {}))
    assert [type(one) for one in reviews.create_many([a_draft(), a_draft()])] == [
        UnknownOutcome
    ] * 2
    assert reviews.create_many([]) == []


def test_page_with_a_row_that_is_no_review_tells_how_many(
    server: RemoteServer, reviews: WixReviews
) -> None:
    rows = [a_review(), {"id": "review-2", "content": {}}, a_review(moderation={})]
    server.answer = always(Reply(body={"reviews": rows, "metadata": {"cursors": {"next": "c"}}}))
    page = reviews.list_page()
    assert (len(page.records), page.unreadable, page.cursor) == (2, 1, "c")
    assert [one.state for one in page.records] == [RecordState.PUBLISHED, RecordState.PENDING]
    with pytest.raises(Permanent):
        reviews.list_page("c")
