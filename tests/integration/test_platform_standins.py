"""The stand-ins have the quirks of the real platforms, over real HTTP: what the stories rest on."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
import requests

from sync_sandbox.control.platform import platform_app
from sync_sandbox.platforms.bigcommerce import BigCommerce
from sync_sandbox.platforms.fera import Fera
from sync_sandbox.platforms.platform import Platform
from sync_sandbox.platforms.woocommerce import WooCommerce
from sync_sandbox.served import Served
from tests.integration.listener import Listener

ANA = "ana@example.com"


class Api:
    """One stand-in, served, and calls to it with its credentials."""

    def __init__(self, platform: Platform, **credentials: Any) -> None:
        self.platform, self._credentials = platform, credentials
        self.served = Served(platform_app(platform), 0)

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        return requests.request(
            method, self.served.url + path, timeout=5, **self._credentials, **more
        )

    def stop(self) -> None:
        self.platform.webhooks.stop()
        self.served.stop()


@pytest.fixture
def woo() -> Iterator[Api]:
    api = Api(WooCommerce(), auth=(WooCommerce.key, WooCommerce.key_secret))
    yield api
    api.stop()


@pytest.fixture
def fera() -> Iterator[Api]:
    api = Api(Fera(retry_scale=0.0001), headers={"SECRET-KEY": Fera.secret_key})
    yield api
    api.stop()


@pytest.fixture
def bigcommerce() -> Iterator[Api]:
    api = Api(
        BigCommerce(requests_per_window=20), headers={"X-Auth-Token": BigCommerce.access_token}
    )
    yield api
    api.stop()


# -- WooCommerce

REVIEWS = "/wp-json/wc/v3/products/reviews"


def a_review(**more: Any) -> dict[str, Any]:
    return {
        "product_id": 22,
        "reviewer": "Ana M.",
        "reviewer_email": ANA,
        "review": "Nice",
        "rating": 4,
        **more,
    }


def test_equal_text_of_one_person_is_a_duplicate_and_another_text_is_not(woo: Api) -> None:
    assert woo.call("POST", REVIEWS, json=a_review()).status_code == 201
    again = woo.call("POST", REVIEWS, json=a_review(rating=2))
    assert (again.status_code, again.json()["code"]) == (409, "woocommerce_rest_comment_duplicate")
    assert woo.call("POST", REVIEWS, json=a_review(review="Nicer")).status_code == 201


def test_texts_are_altered_and_wrapped_unless_the_context_is_edit(woo: Api) -> None:
    made = woo.call(
        "POST", REVIEWS, json=a_review(review=" Good & <script>bad()</script>solid ")
    ).json()
    path = f"{REVIEWS}/{made['id']}"
    assert woo.call("GET", path, params={"context": "edit"}).json()["review"] == "Good &amp; solid"
    assert woo.call("GET", path).json()["review"] == "<p>Good &amp; solid</p>\n"


def test_trash_is_still_shown_and_force_is_not(woo: Api) -> None:
    path = f"{REVIEWS}/{woo.call('POST', REVIEWS, json=a_review()).json()['id']}"
    assert woo.call("DELETE", path).json()["status"] == "trash"
    assert woo.call("DELETE", path).status_code == 410
    assert woo.call("GET", path).json()["status"] == "trash"
    assert woo.call("DELETE", path, params={"force": "true"}).status_code == 200
    assert woo.call("GET", path).status_code == 404


def test_rating_cannot_be_cleared_and_has_no_bounds_and_times_are_naive(woo: Api) -> None:
    made = woo.call("POST", REVIEWS, json=a_review(rating=7)).json()
    assert made["rating"] == 7
    assert woo.call("PUT", f"{REVIEWS}/{made['id']}", json={"rating": 0}).json()["rating"] == 7
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", made["date_created_gmt"])
    assert made["date_created"] != made["date_created_gmt"]


def test_pages_are_counted_in_headers(woo: Api) -> None:
    for number in range(3):
        woo.call("POST", REVIEWS, json=a_review(review=f"Text {number}"))
    page = woo.call("GET", REVIEWS, params={"per_page": 2, "status": "all"})
    assert (page.headers["X-WP-Total"], page.headers["X-WP-TotalPages"], len(page.json())) == (
        "3",
        "2",
        2,
    )
    assert 'rel="next"' in page.headers["Link"]


def test_new_hook_is_pinged_without_a_signature(woo: Api, listener: Listener) -> None:
    """A new hook is pinged without a signature and deliveries of one second share their id."""
    hook = {
        "topic": "action.woocommerce_rating_sync_created",
        "delivery_url": listener.url,
        "secret": "s3cret",
    }
    made = woo.call("POST", "/wp-json/wc/v3/webhooks", json=hook).json()
    headers, _, body = listener.wait(1)[0]
    assert (body, "X-Wc-Webhook-Signature" in headers) == (
        f"webhook_id={made['id']}".encode(),
        False,
    )
    time.sleep(1.02 - time.time() % 1)
    for number in range(2):
        woo.call("POST", REVIEWS, json=a_review(review=f"Text {number}"))
    first, second = listener.wait(3)[1:3]
    assert first[2] != second[2]
    assert first[0]["X-Wc-Webhook-Delivery-Id"] == second[0]["X-Wc-Webhook-Delivery-Id"]


def test_seventh_failure_in_a_row_disables_a_hook_for_good(woo: Api, listener: Listener) -> None:
    shop = woo.platform
    assert isinstance(shop, WooCommerce)
    hook = shop.add_hook("action.woocommerce_rating_sync_created", listener.url, "s3cret")
    listener.wait(1)
    listener.status = 500
    for number in range(7):
        assert hook.status == "active"
        woo.call("POST", REVIEWS, json=a_review(review=f"Text {number}"))
        listener.wait(2 + number)
        assert shop.webhooks.flush(5)
    assert hook.status == "disabled"
    woo.call("POST", REVIEWS, json=a_review(review="After"))
    assert (shop.webhooks.flush(5), len(listener.got)) == (True, 8)
    woo.call("PUT", f"/wp-json/wc/v3/webhooks/{hook.id}", json={"status": "active"})
    assert hook.status == "active"


# -- Fera


def test_token_is_in_the_address_and_the_body_is_not_in_the_token(
    fera: Api, listener: Listener
) -> None:
    account = fera.platform
    account.connect(listener.url)
    assert {body for *_, body in listener.wait(5)} == {b""}, (
        "saving the integration sends empty tests"
    )
    account.create("22", ANA, "Ana", 4, by="visitor")
    _, query, body = listener.wait(6)[5]
    claims = jwt.decode(query["jwt"], Fera.secret_key, algorithms=["HS256"])
    assert claims["event_name"] == "review_create"
    assert not set(claims) & {"rating", "body", "sha256"}
    assert b'"rating":4' in body.replace(b" ", b"")


def test_update_is_202_and_two_reviews_of_one_person_are_allowed(fera: Api) -> None:
    draft = {
        "data": {
            "rating": 4,
            "external_product_id": "22",
            "customer": {"email": ANA, "name": "Ana"},
        }
    }
    first, second = (fera.call("POST", "/v3/private/reviews", json=draft) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["state"] == "pending", "without a state a review waits"
    changed = fera.call(
        "PUT", f"/v3/private/reviews/{first.json()['id']}", json={"data": {"rating": 5}}
    )
    assert (changed.status_code, changed.json()["rating"]) == (202, 5)


def test_failing_hook_is_disabled_after_eleven_tries(fera: Api, listener: Listener) -> None:
    account = fera.platform
    assert isinstance(account, Fera)
    hook = account.add_hook("review_create", listener.url)
    account.webhooks.flush(5)
    listener.got.clear()
    listener.status = 500
    account.create("22", ANA, "Ana", 4, by="visitor")
    assert account.webhooks.flush(10)
    assert (len(listener.got), hook["is_enabled"]) == (11, False)


# -- BigCommerce

PRODUCT = f"/stores/{BigCommerce.store_hash}/v3/catalog/products/205/reviews"


def a_bc_review(**more: Any) -> dict[str, Any]:
    dated = {"date_reviewed": "2026-11-20T09:15:00Z", "title": "Rating"}
    return {
        **dated,
        "text": "",
        "status": "approved",
        "rating": 4,
        "email": ANA,
        "name": "Ana",
        **more,
    }


def test_product_without_reviews_is_204(
    bigcommerce: Api,
) -> None:
    """A product without reviews is 204 and title and date are wanted again."""
    assert bigcommerce.call("GET", PRODUCT).status_code == 204
    made = bigcommerce.call("POST", PRODUCT, json=a_bc_review()).json()["data"]
    assert "product_id" not in made
    assert bigcommerce.call("PUT", f"{PRODUCT}/{made['id']}", json={"rating": 2}).status_code == 422
    assert (
        bigcommerce.call("PUT", f"{PRODUCT}/{made['id']}", json=a_bc_review(rating=2)).status_code
        == 200
    )
    other = PRODUCT.replace("/205/", "/206/")
    assert bigcommerce.call("GET", f"{other}/{made['id']}").status_code == 404


def test_only_a_change_of_the_count_is_told_and_only_of_the_product(
    bigcommerce: Api, listener: Listener
) -> None:
    store = bigcommerce.platform
    store.connect(listener.url)
    review = store.create("205", ANA, "Ana", 4, by="visitor")
    store.change(review.id, by="visitor", stars=1)
    store.remove(review.id, by="visitor")
    assert store.webhooks.flush(5)
    assert len(listener.got) == 2
    assert all(
        b'"id":205' in body.replace(b" ", b"") and ANA.encode() not in body
        for *_, body in listener.got
    )


def test_store_s_budget_is_told_in_milliseconds_and_holds(bigcommerce: Api) -> None:
    answers = [bigcommerce.call("GET", PRODUCT) for _ in range(21)]
    assert answers[0].headers["X-Rate-Limit-Requests-Left"] == "19"
    refused = answers[-1]
    assert (refused.status_code, "Retry-After" in refused.headers) == (429, False)
    assert 20_000 < int(refused.headers["X-Rate-Limit-Time-Reset-Ms"]) <= 30_000


@pytest.mark.parametrize("api", ["woo", "fera", "bigcommerce"])
def test_visitor_acts_on_the_page_and_every_change_is_in_the_journal(
    api: str, request: pytest.FixtureRequest
) -> None:
    stand_in: Api = request.getfixturevalue(api)
    made = stand_in.call(
        "POST", "/sandbox/ratings", json={"entity": "205", "person": ANA, "value": 4}
    ).json()
    stand_in.call("PATCH", f"/sandbox/ratings/{made['id']}", json={"value": 2})
    assert ANA in stand_in.call("GET", "/").text
    stand_in.call("DELETE", f"/sandbox/ratings/{made['id']}")
    journal = stand_in.call("GET", "/sandbox/journal").json()
    assert [(one["operation"], one["before"], one["after"]) for one in journal] == [
        ("create", None, 4),
        ("update", 4, 2),
        ("delete", 2, None),
    ]


def test_wrong_credentials_are_401(woo: Api, fera: Api, bigcommerce: Api) -> None:
    for api, path in ((woo, REVIEWS), (fera, "/v3/private/reviews"), (bigcommerce, PRODUCT)):
        assert requests.get(api.served.url + path, timeout=5).status_code == 401


# -- texts, on all of them


def _made(api: Api, text: str) -> tuple[int, str]:
    """The status of a create with this text, and what is kept of it."""
    match api.platform:
        case WooCommerce():
            answer = api.call("POST", REVIEWS, json=a_review(review=text))
        case Fera():
            sent = {"external_product_id": "p", "customer": {"email": ANA}, "rating": 4}
            answer = api.call("POST", "/v3/private/reviews", json={"data": {**sent, "body": text}})
        case _:
            sent = {"title": "T", "text": text, "date_reviewed": "2026-11-20T09:15:00+00:00"}
            path = f"/stores/{BigCommerce.store_hash}/v3/catalog/products/22/reviews"
            answer = api.call("POST", path, json={**sent, "rating": 4, "email": ANA})
    reviews = list(api.platform.reviews.values())
    return answer.status_code, reviews[-1].text if reviews else ""


@pytest.mark.parametrize("name", ["woo", "fera", "bigcommerce"])
def test_texts_are_refused_or_altered_as_old_and_strict_systems_do(
    name: str, request: pytest.FixtureRequest
) -> None:
    api: Api = request.getfixturevalue(name)
    assert _made(api, "Fine \U0001f600 casino")[1] == "Fine \U0001f600 casino"
    kept = len(api.platform.reviews)
    for fault in ("emoji_refused", "blocked_words"):
        api.platform.faults.set(fault, next=1)
        assert _made(api, "Good \U0001f600 Casino")[0] in (400, 422)
    assert len(api.platform.reviews) == kept
    for fault, sent, stands in (
        ("emoji_lost", "Nice \U0001f600!", "Nice ?!"),
        ("texts_trimmed", "a \n b", "a b"),
        ("texts_cut", "x" * 70, "x" * 60),
    ):
        api.platform.faults.set(fault, chance=1)
        status, text = _made(api, sent)
        api.platform.faults.set(fault, chance=0)
        assert (status < 300, text) == (True, stands)


def test_update_of_a_text_loses_its_backslashes_and_gets_some(woo: Api) -> None:
    """`wp_filter_post_kses`: slashes are taken away, and added before each quote."""
    made = woo.call("POST", REVIEWS, json=a_review(review="don't \\ say")).json()
    assert made["review"] == "don't \\ say"
    path = f"{REVIEWS}/{made['id']}"
    again = woo.call("PUT", path, json={"review": 'don\'t "say" C:\\new'}).json()
    assert again["review"] == 'don\\\'t \\"say\\" C:new'
    safe = woo.call("PUT", path, json={"review": "don&#039;t C:&#092;new"}).json()
    assert safe["review"] == "don&#039;t C:&#092;new"


def test_owner_s_reply_and_words_can_be_edited_by_the_controls(fera: Api) -> None:
    made = fera.platform.create("p", ANA, "Ana", 4, by="visitor", text="Nice")
    changes = {"title": "T", "text": "Good", "reply": "Thank you"}
    row = fera.call("PATCH", f"/sandbox/ratings/{made.id}", json=changes).json()
    assert {name: row[name] for name in changes} == changes
    shown = fera.call("GET", f"/v3/private/reviews/frev_{made.id}").json()
    assert shown["store_reply"] == {"body": "Thank you"}
