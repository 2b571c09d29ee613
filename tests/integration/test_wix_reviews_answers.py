"""What the answers of Wix Reviews mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sync_worker.core.errors import (
    Duplicate,
    Permanent,
    Transient,
    UnknownOutcome,
)
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
