"""Many reviews created in one call of Wix Reviews, answered one by one."""

from __future__ import annotations

from typing import Any

import pytest

from sync_worker.core.errors import (
    Duplicate,
    Permanent,
    SyncError,
    UnknownOutcome,
)
from sync_worker.core.values import Record, RecordState
from sync_worker.remotes.wix.reviews import WixReviews
from tests.integration.remote_server import RemoteServer, Reply, always
from tests.integration.reviews_client import a_draft, reviews, sent
from tests.unit.signed import a_review

__all__ = ["reviews"]  # fixtures


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
