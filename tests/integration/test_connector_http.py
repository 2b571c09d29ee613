"""The declared connector over real HTTP: its credentials, and what answers mean."""

from __future__ import annotations

import base64
import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Event
from typing import Any

import pytest

from sync_worker.core.errors import (
    Gone,
    Permanent,
    RateLimited,
    SyncError,
    Transient,
    Unconfirmed,
    UnknownOutcome,
)
from sync_worker.core.values import Draft, Person
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.calls import Call
from sync_worker.remotes.http.options import Observers
from sync_worker.remotes.http.tokens import OwnTokens
from tests.integration.remote_server import Asked, RemoteServer, Reply
from tests.integration.small_connector import (
    ADA,
    MUG,
    a_draft,
    a_manifest,
    a_remote,
    a_row,
    review_key,
    shipped,
)

# -- credentials


def test_query_credentials_are_added_to_every_call(server: RemoteServer) -> None:
    server.answer = lambda asked: Reply(body={"rows": []})
    manifest = a_manifest(
        server, {"T": "s3cret&x"}, auth={"type": "query", "params": {"api_token": {"env": "T"}}}
    )
    a_remote(manifest).find(MUG, ADA)
    assert server.asked[0].query == {"email": "ada@example.com", "api_token": "s3cret&x"}


def test_each_request_is_signed_over_its_parts(server: RemoteServer) -> None:
    auth = {
        "type": "hmac_request",
        "header": "X-Sign",
        "secret": {"env": "S"},
        "encoding": "base64",
        "prefix": "v1 ",
        "signed": ["method", "newline", "path", "newline", "timestamp", "body"],
        "timestamp_header": "X-Time",
        "key_id_header": "X-Key",
        "key_id": {"env": "K"},
    }
    server.answer = lambda asked: Reply(201, a_row())
    a_remote(a_manifest(server, {"S": "sign-me", "K": "key-1"}, auth=auth)).create(a_draft(), "k")
    asked = server.asked[0]
    text = f"POST\n/r\n{asked.headers['x-time']}".encode() + asked.body
    digest = hmac.new(b"sign-me", text, hashlib.sha256).digest()
    assert asked.headers["x-sign"] == "v1 " + base64.b64encode(digest).decode()
    assert asked.headers["x-key"] == "key-1"


@pytest.mark.parametrize("client_auth", ["body", "basic"])
def test_client_credentials_fetch_one_token_until_it_is_refused(
    server: RemoteServer, client_auth: str
) -> None:
    """Client credentials fetch one token and a new one when it is refused."""
    good = ["t-1"]

    def answer(asked: Asked) -> Reply:
        if asked.path == "/token":
            return Reply(body={"access_token": good[0], "expires_in": 3600})
        is_good = asked.headers["authorization"] == f"Bearer {good[0]}"
        return Reply(body=a_row()) if is_good else Reply(401)

    server.answer = answer
    auth = {
        "type": "oauth2_client_credentials",
        "token_url": f"{server.url}/token",
        "client_id": {"env": "I"},
        "client_secret": {"env": "S"},
        "scope": "reviews:write",
        "client_auth": client_auth,
    }
    remote = a_remote(a_manifest(server, {"I": "id", "S": "secret"}, auth=auth))
    assert remote.get("1")
    assert remote.get("1")
    good[0] = "t-2"
    assert remote.get("1")
    fetched = [asked for asked in server.asked if asked.path == "/token"]
    assert len(fetched) == 2
    assert fetched[0].headers["content-type"] == "application/x-www-form-urlencoded"
    assert b"grant_type=client_credentials&scope=reviews%3Awrite" in fetched[0].body
    assert (b"client_secret=secret" in fetched[0].body) == (client_auth == "body")


def test_who_has_no_address_is_not_searched(server: RemoteServer) -> None:
    """Else everybody who has none would be one person."""
    server.answer = lambda asked: Reply(body={"rows": [{**a_row(1), "email": None}]})
    assert a_remote(a_manifest(server)).find(MUG, Person(name="Ada")) == []
    assert server.asked == []


# -- what answers mean


ASPECTS: dict[str, Any] = {
    "attributes_list": {"items": "aspects", "name": "code", "value": "score"}
}
WRITTEN = {"aspects": {"from": "rating.attributes[].{code: name, score: value}"}}


@pytest.mark.parametrize("mode", ["full", "patch"])
def test_list_of_sub_ratings_goes_back_with_all_that_is_not_ours(
    server: RemoteServer, mode: str
) -> None:
    """Ours are new, changed or taken out; a mark that nobody gave yet and a word beside a mark
    stay.
    """
    aspects = [
        {"code": "fit", "score": None, "asked": True},
        {"code": "taste", "score": 2, "word": "salty"},
        {"code": "looks", "score": 5, "word": "shiny"},
        {"code": "smell", "score": 1},
    ]
    server.answer = lambda asked: Reply(body=a_row())
    manifest = a_manifest(
        server, **ASPECTS, operations__update_mode=mode, operations__update__body=WRITTEN
    )
    values = {"value": Decimal(4), "taste": Decimal(3), "price": Decimal(1)}
    mapped = frozenset({"value", "taste", "smell", "price"})
    a_remote(manifest).update(
        "1", Draft(values, MUG, ADA, last=a_row(aspects=aspects), mapped=mapped), None
    )
    assert server.asked[0].json["aspects"] == [
        {"code": "fit", "score": None, "asked": True},
        {"code": "taste", "score": 3, "word": "salty"},
        {"code": "looks", "score": 5, "word": "shiny"},
        {"code": "price", "score": 1},
    ]


def test_list_of_sub_ratings_in_another_form_goes_as_declared(
    server: RemoteServer,
) -> None:
    """A list of sub-ratings that is written in another form goes as declared."""
    server.answer = lambda asked: Reply(body=a_row())
    other = {"aspects": {"from": "rating.attributes[].{label: name, score: value}"}}
    manifest = a_manifest(server, **ASPECTS, operations__update__body=other)
    last = a_row(aspects=[{"code": "a", "score": 1}])
    draft = Draft(
        {"a": Decimal(3), "b": Decimal(1)}, MUG, ADA, last=last, mapped=frozenset({"a", "b"})
    )
    a_remote(manifest).update("1", draft, None)
    assert server.asked[0].json["aspects"] == [
        {"label": "a", "score": 3},
        {"label": "b", "score": 1},
    ]


def test_write_whose_answer_is_no_record_is_of_unknown_outcome(server: RemoteServer) -> None:
    server.answer = lambda asked: Reply(201, {"status": "queued"})
    with pytest.raises(UnknownOutcome):
        a_remote(a_manifest(server)).create(a_draft(), "k")
    assert len(server.asked) == 1


def test_success_that_the_manifest_does_not_name_is_of_unknown_outcome(
    server: RemoteServer,
) -> None:
    server.answer = lambda asked: Reply(202, a_row())
    with pytest.raises(UnknownOutcome):
        a_remote(a_manifest(server, operations__create__success=[201])).create(a_draft(), "k")


def test_update_that_is_answered_with_nothing_is_read_again(server: RemoteServer) -> None:
    server.answer = lambda asked: (
        Reply(204) if asked.method == "PUT" else Reply(body=a_row(stars=5))
    )
    record = a_remote(a_manifest(server)).update("1", a_draft(), None)
    assert record.values == {"value": Decimal(5)}


def test_error_inside_a_success_is_an_error(server: RemoteServer) -> None:
    server.answer = lambda asked: Reply(body={"error": "no_such_review"})
    rules = [{"status": [200], "path": "error", "equals": "no_such_review", "outcome": "gone"}]
    remote = a_remote(
        a_manifest(server, operations__get__errors=rules, operations__update__errors=rules)
    )
    assert remote.get("1") is None
    with pytest.raises(Gone):
        remote.update("1", a_draft(), None)


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ("retry", Transient),
        ("rate_limited", RateLimited),
        ("reject", Permanent),
        ("auth", Permanent),
        ("skip", Permanent),
    ],
)
def test_outcome_of_a_rule_says_what_to_do_next(
    server: RemoteServer, outcome: str, error: type[SyncError]
) -> None:
    server.answer = lambda asked: Reply(400, {"code": "x"}, {"Retry-After": "30"})
    rules = [{"status": [400], "path": "code", "equals": "x", "outcome": outcome}]
    with pytest.raises(error) as refusal:
        a_remote(a_manifest(server, operations__get__errors=rules)).get("1")
    if isinstance(refusal.value, Transient):
        assert refusal.value.retry_after == 30
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_wait_that_a_refusal_asks_for_is_told(server: RemoteServer, status: int) -> None:
    server.answer = lambda asked: Reply(status, None, {"Retry-After": "30"})
    told: list[tuple[str, float]] = []
    observers = Observers(wait=lambda *wait: told.append(wait))
    http = http_of(a_manifest(server), NoBudget(), OwnTokens(), observers)
    with pytest.raises(Transient):
        http.call(Call("GET", "/", "get"))
    http.close()
    assert told == [("small", 30.0)]


def test_wait_is_read_from_the_header_and_unit_of_the_manifest(
    server: RemoteServer,
) -> None:
    """The wait is read from the header and in the unit that the manifest names."""
    server.answer = lambda asked: Reply(429, None, {"X-Rate-Limit-Time-Reset-Ms": "15000"})
    remote = shipped(
        "bigcommerce", server, BC_STORE_HASH="h", BC_ACCESS_TOKEN="t", BC_CLIENT_SECRET="c"
    )
    with pytest.raises(RateLimited) as limited:
        remote.get(review_key(1, 1))
    assert limited.value.retry_after == 15


def test_update_without_a_precondition_is_never_repeated(server: RemoteServer) -> None:
    server.answer = lambda asked: Reply(503)
    with pytest.raises(UnknownOutcome):
        a_remote(a_manifest(server)).update("1", a_draft(), None)
    assert len(server.asked) == 1


def test_no_more_calls_are_under_way_than_the_budget_allows(server: RemoteServer) -> None:
    """As many as it allows, and a third one is given the time to come."""
    has_two, pause = Event(), Event()

    def answer(asked: Asked) -> Reply:
        if server.most_at_once == 2:
            has_two.set()
        assert has_two.wait(10)
        pause.wait(0.05)
        return Reply(body=a_row())

    server.answer = answer
    remote = a_remote(a_manifest(server, http__budget={"requests": 100, "concurrency": 2}))
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda _: remote.get("1"), range(12)))
    assert server.most_at_once == 2


def test_operation_that_is_not_declared_is_unsupported(server: RemoteServer) -> None:
    remote = shipped(
        "okendo", server, OKENDO_USER_ID="u", OKENDO_API_KEY="k", OKENDO_WEBHOOK_SECRET="c2VjcmV0"
    )
    for attempt in (
        lambda: remote.create(a_draft(), "k"),
        lambda: remote.update("1", a_draft(), None),
        lambda: remote.delete("1", None),
        lambda: remote.find(MUG, ADA),
    ):
        with pytest.raises(Permanent) as refusal:
            attempt()
        assert refusal.value.reason == "unsupported"
    assert server.asked == []


def test_asynchronous_create_is_unconfirmed_until_the_record_shows_itself(
    server: RemoteServer,
) -> None:
    server.answer = lambda asked: Reply(201, {"message": "Review is being created"})
    remote = shipped(
        "judgeme",
        server,
        JUDGEME_SHOP_DOMAIN="s",
        JUDGEME_PRIVATE_TOKEN="t",
        JUDGEME_WEBHOOK_SECRET="w",
    )
    with pytest.raises(Unconfirmed):
        remote.create(a_draft(), "k")
    assert server.asked[0].json["body"] == "(rated without a comment)"
    assert server.asked[0].json["shop_domain"] == "s"


def test_missing_text_is_the_placeholder_once_and_never_sent_again(server: RemoteServer) -> None:
    """A create brings the placeholder; an update names no text, whoever wrote it."""
    review = {
        "id": 7,
        "product_id": 22,
        "reviewer_email": "ada@example.com",
        "rating": 4,
        "status": "approved",
    }
    server.answer = lambda asked: Reply(200, review | {"review": "<p>Good &amp; solid</p>"})
    remote = shipped(
        "woocommerce",
        server,
        WOO_CONSUMER_KEY="k",
        WOO_CONSUMER_SECRET="s",
        WOO_WEBHOOK_SECRET="w",
        WOO_BASE_URL="x",
    )
    created = remote.create(a_draft(), "k")
    remote.update(created.remote_id, a_draft(last=created.raw), None)
    assert server.asked[0].json["review"] == "(rated without a comment)"
    assert "review" not in server.asked[1].json
