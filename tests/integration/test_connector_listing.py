"""Pages, rows and products of the declared connector over real HTTP."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.errors import (
    Permanent,
)
from sync_worker.core.values import Draft, EntityRef
from sync_worker.remotes.external.remote import ExternalRemote
from tests.integration.remote_server import Asked, RemoteServer, Reply
from tests.integration.small_connector import (
    ADA,
    MUG,
    a_manifest,
    a_remote,
    a_row,
    review_key,
    shipped,
)


def listed(remote: ExternalRemote) -> list[str]:
    ids, cursor = [], None
    while True:
        page = remote.list_page(cursor)
        ids += [record.remote_id for record in page.records]
        cursor = page.cursor
        if cursor is None:
            return ids


def test_listing_follows_next_links_of_its_own_host(server: RemoteServer) -> None:
    def answer(asked: Asked) -> Reply:
        number = int(asked.query.get("page", "1"))
        link = {"Link": f'</r?page={number + 1}&api_token=T>; rel="next"'} if number < 3 else {}
        return Reply(body={"rows": [a_row(number)]}, headers=link)

    server.answer = answer
    auth = {"type": "query", "params": {"api_token": {"env": "T"}}}
    remote = a_remote(
        a_manifest(
            server, {"T": "T"}, auth=auth, operations__list__pagination={"kind": "next_link"}
        )
    )
    assert listed(remote) == ["1", "2", "3"]
    assert "api_token" not in str(remote.list_page().cursor)
    assert all(asked.query["api_token"] == "T" for asked in server.asked)


def test_row_that_cannot_be_read_is_counted_and_does_not_stop_the_listing(
    server: RemoteServer,
) -> None:
    server.answer = lambda asked: Reply(body={"rows": [a_row(1), a_row(2, stars="x"), a_row(3)]})
    page = a_remote(a_manifest(server)).list_page()
    assert ([record.remote_id for record in page.records], page.unreadable) == (["1", "3"], 1)


def test_row_of_somebody_else_that_cannot_be_read_does_not_stop_the_search(
    server: RemoteServer,
) -> None:
    bad = a_row(1, email="bob@example.com", stars="many")
    server.answer = lambda asked: Reply(body={"rows": [bad, a_row(2)]})
    assert [record.remote_id for record in a_remote(a_manifest(server)).find(MUG, ADA)] == ["2"]


def test_row_that_may_be_theirs_and_cannot_be_read_stops_the_search(server: RemoteServer) -> None:
    """A create after it could be their second record."""
    server.answer = lambda asked: Reply(body={"rows": [a_row(1, stars="many")]})
    with pytest.raises(Permanent) as refusal:
        a_remote(a_manifest(server)).find(MUG, ADA)
    assert refusal.value.reason == "malformed_record"


def test_record_is_found_in_a_listing_behind_one_that_cannot_be_read(server: RemoteServer) -> None:
    server.answer = lambda asked: Reply(body={"rows": [a_row(1, stars="many"), a_row(2)]})
    remote = a_remote(a_manifest(server, operations__get=None))
    found = remote.get("2")
    assert found is not None
    assert found.remote_id == "2"
    with pytest.raises(Permanent) as refusal:  # it is there: nobody may take it for deleted
        remote.get("1")
    assert refusal.value.reason == "malformed_record"


@pytest.mark.parametrize("body", [{"rows": {}}, {"message": "maintenance"}, "maintenance", None])
def test_answer_without_the_list_is_an_error_not_an_empty_listing(
    server: RemoteServer, body: Any
) -> None:
    server.answer = lambda asked: Reply(body=body)
    with pytest.raises(Permanent, match="holds no list"):
        a_remote(a_manifest(server)).list_page()


def test_found_records_are_compared_again_and_come_oldest_first(server: RemoteServer) -> None:
    rows = [
        a_row(1, made="2026-02-01T00:00:00Z"),
        a_row(2, made="2026-01-01T00:00:00Z"),
        a_row(3, product="23"),
        a_row(4, email="eve@example.com"),
    ]
    server.answer = lambda asked: Reply(body={"rows": rows})
    assert [one.remote_id for one in a_remote(a_manifest(server)).find(MUG, ADA)] == ["2", "1"]


# -- products with reviews under them


PAGES = {"pagination": {"total_pages": 1}}
NOT_FOUND = Reply(404, {"status": 404, "title": "The review was not found", "errors": {}})


def bigcommerce(server: RemoteServer) -> ExternalRemote:
    products = [
        {"id": 1, "reviews_count": 2},
        {"id": 2, "reviews_count": 0},
        {"id": 3, "reviews_count": 1},
    ]
    reviews = {"1": [a_review(11), a_review(12)], "3": [a_review(31)]}

    def answer(asked: Asked) -> Reply:
        parts = asked.path.split("/")
        if asked.path.endswith("/products"):
            return Reply(body={"data": products, "meta": PAGES})
        if asked.method == "PUT":
            return Reply(body={"data": a_review(int(parts[-1]), **asked.json)})
        if asked.path.endswith("/reviews"):
            rows = reviews.get(parts[-2])
            return Reply(204) if rows is None else Reply(body={"data": rows, "meta": PAGES})
        found = [one for one in reviews.get(parts[-3], []) if str(one["id"]) == parts[-1]]
        return Reply(body={"data": found[0]}) if found else NOT_FOUND

    server.answer = answer
    return shipped(
        "bigcommerce", server, BC_STORE_HASH="h", BC_ACCESS_TOKEN="t", BC_CLIENT_SECRET="c"
    )


def a_review(number: int, **changes: Any) -> dict[str, Any]:
    review = {
        "id": number,
        "title": "Rating",
        "text": "",
        "status": "approved",
        "rating": 4,
        "email": "ada@example.com",
        "name": "Ada",
        "date_reviewed": "2026-11-20T09:15:00+00:00",
        "date_created": "2026-11-20T09:15:00+00:00",
    }
    return review | changes


def test_listing_goes_product_by_product_with_one_call_for_each_page(server: RemoteServer) -> None:
    remote = bigcommerce(server)
    assert listed(remote) == [review_key(1, 11), review_key(1, 12), review_key(3, 31)]
    assert [asked.path.rpartition("catalog")[2] for asked in server.asked] == [
        "/products",
        "/products/1/reviews",
        "/products/3/reviews",
    ]


def test_children_of_one_product_carry_its_id_in_their_key(server: RemoteServer) -> None:
    remote = bigcommerce(server)
    assert [record.remote_id for record in remote.children("3")] == [review_key(3, 31)]
    assert list(remote.children("2")) == []
    record = remote.get(review_key(1, 12))
    assert record is not None
    assert (record.remote_id, record.entity) == (review_key(1, 12), EntityRef("1"))
    assert remote.get(review_key(1, 99)) is None


def test_full_update_sends_title_and_date_and_nothing_that_is_read_only(
    server: RemoteServer,
) -> None:
    remote = bigcommerce(server)
    record = remote.get(review_key(1, 11))
    assert record is not None
    draft = Draft(
        {"value": Decimal(2)}, EntityRef("1"), ADA, last=record.raw, mapped=frozenset({"value"})
    )
    changed = remote.update(record.remote_id, draft, None)
    assert (changed.remote_id, changed.values) == (record.remote_id, {"value": Decimal(2)})
    body = server.asked[-1].json
    assert (body["rating"], body["title"], body["date_reviewed"]) == (
        2,
        "Rating",
        "2026-11-20T09:15:00+00:00",
    )
    assert not set(body) & {"id", "date_created"}
