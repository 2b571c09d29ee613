"""An update of the stars leaves all else as its owner wrote it, over real HTTP, byte for byte.

Each shipped connector that updates, against its stand-in; and manifests as people have them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask, request

from sync_sandbox.control.platform import platform_app
from sync_sandbox.platforms.bigcommerce import BigCommerce
from sync_sandbox.platforms.bigcommerce_app import as_json as bigcommerce_json
from sync_sandbox.platforms.fera import Fera
from sync_sandbox.platforms.fera import as_json as fera_json
from sync_sandbox.platforms.platform import Platform, Review
from sync_sandbox.platforms.woocommerce import WooCommerce
from sync_sandbox.platforms.woocommerce_app import as_json as woocommerce_json
from sync_sandbox.reviews import ReviewsState, create_reviews_app
from sync_sandbox.served import Served
from sync_worker.core import exact_json
from sync_worker.core.errors import Permanent
from sync_worker.core.values import Draft, Person
from sync_worker.manifest.loader import parse_manifest, shipped_manifest
from sync_worker.manifest.manifest import Manifest
from sync_worker.remotes.external.remote import ExternalRemote
from tests.integration.remote_server import Asked, RemoteServer, Reply
from tests.integration.small_connector import ADA, MUG, a_draft, a_manifest, a_remote, a_row

ROOT = Path(__file__).parents[2]
OWNERS_WORDS = (
    'I don\'t "like" it \\ at all',
    "<b>Good</b> &amp; solid",
    "  spaces, and a snowman ☃ ",
    "(rated without a comment)",
)


class Sent:
    """What was asked of a served stand-in, as it arrived."""

    def __init__(self, app: Flask) -> None:
        self.updates = list[Any]()

        @app.before_request
        def note() -> None:
            if request.method == "PUT":
                self.updates.append(exact_json.loads(request.get_data(cache=True)))


@contextmanager
def served(app: Flask) -> Iterator[tuple[str, Sent]]:
    sent = Sent(app)
    server = Served(app, 0)
    yield server.url, sent
    server.stop()


def remote_at(url: str, path: Path, environ: Mapping[str, str]) -> ExternalRemote:
    return a_remote(manifest_at(url, path, environ))


def manifest_at(url: str, path: Path, environ: Mapping[str, str]) -> Manifest:
    document = yaml.safe_load(path.read_text())
    document |= {"base_url": url, "allow_private_hosts": True}
    return parse_manifest(document, environ, path)


def change_stars(remote: ExternalRemote, remote_id: str, stars: str) -> Any:
    """As the engine does it: the record as last returned, and ours over it."""
    record = remote.get(remote_id)
    assert record is not None
    # The people of the ledger have addresses in our form, and a name of their own.
    assert record.entity is not None
    draft = Draft(
        {**record.values, "value": Decimal(stars)},
        record.entity,
        Person(contact_id="c-1", email=(record.person.email or "").lower(), name="Ana from Wix"),
        last=record.raw,
        mapped=frozenset({"value"}),
        source_id="wix-1",
    )
    return remote.update(remote_id, draft, record.revision)


PLATFORMS: dict[str, tuple[type[Platform], Callable[[Review], Any]]] = {
    "woocommerce": (WooCommerce, lambda review: woocommerce_json(review, "edit")),
    "fera": (Fera, fera_json),
    "bigcommerce": (BigCommerce, bigcommerce_json),
}
# What a change of the stars may change besides them.
CLOCKS = {"rating", "updated_at", "date_modified"}


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize("words", OWNERS_WORDS)
def test_new_stars_leave_a_review_as_it_was_written(name: str, words: str) -> None:
    kind, as_json = PLATFORMS[name]
    platform = kind()
    review = platform.create(
        "22", "Ana.M@Example.com", "ana m.", 4, by="visitor", title=words, text=words
    )
    before = as_json(review)
    with served(platform_app(platform)) as (url, sent):
        environ = {**platform.settings(), "WOO_BASE_URL": url}
        remote = remote_at(url, shipped_manifest(name), environ)
        returned = change_stars(remote, platform.remote_id(review), "2")
    platform.webhooks.stop()
    after = as_json(platform.reviews[review.id])
    changed = {key for key in before if before[key] != after[key]}
    assert (returned.values["value"], changed - CLOCKS) == (2, set())
    assert len(sent.updates) == 1


@pytest.mark.parametrize("name", ["woocommerce", "bigcommerce", "fera"])
def test_empty_text_of_a_review_stays_empty(name: str) -> None:
    platform = PLATFORMS[name][0]()
    review = platform.create("22", "ana@example.com", "Ana", 4, by="visitor", title="T", text="")
    with served(platform_app(platform)) as (url, _):
        environ = {**platform.settings(), "WOO_BASE_URL": url}
        remote = remote_at(url, shipped_manifest(name), environ)
        change_stars(remote, platform.remote_id(review), "2")
    platform.webhooks.stop()
    changed = platform.reviews[review.id]
    assert (changed.stars, changed.text, changed.title) == (2, "", "T")


def test_woocommerce_and_fera_are_sent_the_stars_alone() -> None:
    for name, body in (("woocommerce", {"rating": 2}), ("fera", {"data": {"rating": 2}})):
        platform = PLATFORMS[name][0]()
        review = platform.create("22", "ana@example.com", "Ana", 4, by="visitor", text="Nice")
        with served(platform_app(platform)) as (url, sent):
            environ = {**platform.settings(), "WOO_BASE_URL": url}
            remote = remote_at(url, shipped_manifest(name), environ)
            change_stars(remote, platform.remote_id(review), "2")
        platform.webhooks.stop()
        assert sent.updates == [body]


@pytest.mark.parametrize("words", OWNERS_WORDS)
def test_manifest_that_names_the_text_sends_it_no_more(words: str) -> None:
    """A manifest as people have it: its update names text and state, its system merges."""
    shop = WooCommerce()
    review = shop.create("22", "Ana@Example.com", "Ana", 4, by="visitor", text=words)
    with served(platform_app(shop)) as (url, sent):
        environ = {**shop.settings(), "WOO_BASE_URL": url}
        remote = remote_at(url, ROOT / "tests/manifests/woocommerce.yaml", environ)
        change_stars(remote, str(review.id), "2")
    shop.webhooks.stop()
    assert (shop.reviews[review.id].text, sent.updates) == (words, [{"rating": 2}])


def test_bigcommerce_gets_its_own_dates_back() -> None:
    store = BigCommerce()
    made = datetime(2026, 11, 20, 9, 15, tzinfo=UTC)
    review = store.create("205", "", "Ana", 4, by="visitor", title="Rating", created=made)
    before = bigcommerce_json(review)
    with served(platform_app(store)) as (url, sent):
        remote = remote_at(url, shipped_manifest("bigcommerce"), store.settings())
        change_stars(remote, store.remote_id(review), "2")
    store.webhooks.stop()
    kept = {key: before[key] for key in before if key not in {"id", "date_created"} | CLOCKS}
    assert sent.updates == [kept | {"rating": 2}]


# -- the reference contract: whole records go back


OWNERS_RECORD: dict[str, Any] = {
    "subject": {"id": "22"},
    "author": {"email": "Ana.M@Example.com", "display_name": "ana m."},
    "score": Decimal("4.0"),
    "headline": None,
    "text": OWNERS_WORDS[0],
    "visibility": "public",
    "aspects": [{"code": "fit", "score": 7}, {"code": "looks", "score": 3}],
    "origin": {"system": "shop", "id": "s-7"},
}


@pytest.mark.parametrize("origin", [{"system": "shop", "id": "s-7"}, {"system": "wix"}, None])
def test_full_update_sends_the_systems_own_record_back(origin: Any) -> None:
    reviews = ReviewsState()
    made = reviews.create(OWNERS_RECORD | {"origin": origin}, by="visitor")
    with served(create_reviews_app(reviews)) as (url, sent):
        environ = {
            "OWN_SERVICE_URL": url,
            "OWN_SERVICE_TOKEN": reviews.token,
            "OWN_SERVICE_WEBHOOK_SECRET": reviews.webhook_secret,
        }
        change_stars(remote_at(url, shipped_manifest("own-service"), environ), made["id"], "2.5")
    reviews.webhooks.stop()
    after = reviews.ratings[made["id"]]
    expected = OWNERS_RECORD | {"origin": origin, "score": Decimal("2.5")}
    assert {name: after[name] for name in OWNERS_RECORD} == expected
    assert {name: sent.updates[0][name] for name in OWNERS_RECORD} == expected


# -- what stands for the whole kind: a system that keeps whatever it is sent

WHOLE = {
    "id": 1,
    "product": "22",
    "email": "Ada@Example.COM",
    "stars": 4,
    "made": "2026-01-02T03:04:05.678+02:00",
    "weight": Decimal("1.50"),
    "note": None,
    "source": "shop",
}
DRAFTED: dict[str, Any] = {
    "stars": {"from": "rating.value", "as": "int", "required": True},
    "email": {"from": "contact.email", "required": True},
    "made": {"from": "rating.created_at", "as": "iso8601"},
    "product": {"from": "entity.external_id", "as": "int"},
    "note": {"from": "contact.name", "default": "Customer"},
    "source": "wix",
    "origin": {"system": "wix", "id": {"from": "sync.wix_id"}},
    "notify": False,
}


def asked_to_update(server: RemoteServer, draft: Draft, **changes: Any) -> Any:
    """The body of the update that the small connector sends."""
    server.answer = lambda asked: Reply(body=a_row())
    a_remote(a_manifest(server, **changes)).update("1", draft, None)
    return exact_json.loads(server.asked[-1].body)


def test_full_update_keeps_address_times_numbers_origin_and_nulls(server: RemoteServer) -> None:
    sent = asked_to_update(
        server,
        replace(a_draft(last=WHOLE), values={"value": Decimal(2)}, source_id="wix-1"),
        operations__update_mode="full",
        operations__update__body=DRAFTED,
    )
    assert sent == WHOLE | {"stars": 2, "notify": False}
    assert b'"weight":1.50' in server.asked[-1].body


def test_patch_names_the_stars_and_what_the_system_insists_on(server: RemoteServer) -> None:
    """What is `required` goes as the system itself holds it."""
    sent = asked_to_update(
        server,
        replace(a_draft(last=WHOLE), values={"value": Decimal(2)}, source_id="wix-1"),
        operations__update__body=DRAFTED,
    )
    assert sent == {"stars": 2, "email": "Ada@Example.COM", "notify": False}


def test_patch_names_only_the_sub_rating_that_changed(server: RemoteServer) -> None:
    last = a_row(stars="4.0", taste=2, looks="5.0")
    draft = Draft(
        {"value": Decimal(4), "taste": Decimal(3), "looks": Decimal(5)},
        MUG,
        ADA,
        last=last,
        mapped=frozenset({"value", "taste", "looks"}),
    )
    sent = asked_to_update(
        server,
        draft,
        attributes={"taste": "taste", "looks": "looks", "smell": "smell"},
        operations__update__body={
            "stars": {"from": "rating.value", "as": "int"},
            "taste": {"from": "rating.by_name.taste"},
            "looks": {"from": "rating.by_name.looks"},
            "smell": {"from": "rating.by_name.smell"},
        },
    )
    assert sent == {"taste": 3}


def test_state_word_of_the_owner_is_not_replaced(server: RemoteServer) -> None:
    """Two words of the system mean published; the one that the owner chose stays."""
    for mode, expected in (("full", a_row(status="featured", stars=2)), ("patch", {"stars": 2})):
        sent = asked_to_update(
            server,
            replace(a_draft(last=a_row(status="featured")), values={"value": Decimal(2)}),
            fields__state={"path": "status"},
            states={
                "read": {"approved": "published", "featured": "published"},
                "write": {"published": "approved"},
            },
            operations__update_mode=mode,
            operations__update__body={
                "stars": {"from": "rating.value", "as": "int"},
                "status": {"from": "rating.state"},
            },
        )
        assert sent == expected


def test_what_says_which_record_is_meant_is_always_sent(server: RemoteServer) -> None:
    sent = asked_to_update(
        server,
        replace(a_draft(last=a_row()), values={"value": Decimal(2)}),
        conn={"shop": "s-1"},
        operations__update__body={
            "data": {
                "type": "reviews",
                "id": {"from": "key.id"},
                "shop": {"from": "conn.shop"},
                "attributes": {"stars": {"from": "rating.value", "as": "int"}},
            }
        },
    )
    assert sent == {
        "data": {"type": "reviews", "id": "1", "shop": "s-1", "attributes": {"stars": 2}}
    }


def test_full_update_without_a_record_on_file_reads_it_first(server: RemoteServer) -> None:
    own = a_row(email="Ada@Example.COM", source="shop")

    def answer(asked: Asked) -> Reply:
        return Reply(body=own if asked.method == "GET" else a_row())

    server.answer = answer
    manifest = a_manifest(server, operations__update_mode="full", operations__update__body=DRAFTED)
    a_remote(manifest).update("1", replace(a_draft(), values={"value": Decimal(2)}), None)
    assert [asked.method for asked in server.asked] == ["GET", "PUT"]
    assert server.asked[1].json == own | {"stars": 2, "notify": False}


# -- a last record that shows less than the update's tree names


def updated_in_full(
    server: RemoteServer, last: dict[str, Any], fresh: dict[str, Any], **changes: Any
) -> tuple[list[str], Any]:
    """The calls of a full update, and what it sent. ``fresh``: what a read shows."""
    shown = exact_json.dumps(fresh).encode()
    server.answer = lambda asked: Reply(raw=shown) if asked.method == "GET" else Reply(body=a_row())
    manifest = a_manifest(
        server, operations__update_mode="full", **{"operations__update__body": DRAFTED, **changes}
    )
    draft = replace(a_draft(last=last), values={"value": Decimal(2)}, source_id="wix-1")
    a_remote(manifest).update("1", draft, None)
    return [asked.method for asked in server.asked], exact_json.loads(server.asked[-1].body)


def test_full_update_reads_what_the_last_record_left_out(server: RemoteServer) -> None:
    """An answer of an update, a webhook, or a row of a listing may show less than a read."""
    partial = {"id": 1, "stars": 4, "product": "22"}
    calls, sent = updated_in_full(server, partial, WHOLE)
    assert calls == ["GET", "PUT"]
    assert sent == {**WHOLE, "weight": Decimal("1.50"), "stars": 2, "notify": False}


def test_full_update_sends_whose_it_is_where_no_record_shows_it(server: RemoteServer) -> None:
    """The address is known; time, name and where it was born would be invented."""
    hidden = {"id": 1, "stars": 4, "product": "22", "source": "shop"}
    _, sent = updated_in_full(server, hidden, hidden)
    assert sent == hidden | {"stars": 2, "email": "ada@example.com", "notify": False}


@pytest.mark.parametrize("taste", [3, 0])
def test_full_update_sends_our_values_that_are_shown_elsewhere(
    server: RemoteServer, taste: int
) -> None:
    """The sub-rating is read at one place and written at another; it did not change."""
    shown = a_row(details={"taste": taste})
    body = {
        "stars": {"from": "rating.value", "as": "int"},
        "taste": {"from": "rating.by_name.taste", "as": "int"},
        "smell": {"from": "rating.by_name.smell", "default": 0},
    }
    _, sent = updated_in_full(
        server,
        shown,
        shown,
        attributes={"taste": "details.taste", "smell": "details.smell"},
        operations__update__body=body,
    )
    assert sent == {**shown, "stars": 2, "taste": taste}


@pytest.mark.parametrize(
    ("source", "kind"), [("title", "str"), ("body", "str"), ("created_at", "iso8601")]
)
def test_full_update_that_would_invent_a_demanded_leaf_is_refused(
    server: RemoteServer, source: str, kind: str
) -> None:
    body = {
        "stars": {"from": "rating.value", "as": "int"},
        "words": {"from": f"rating.{source}", "required": True, "as": kind},
    }
    text = {"required_title": True, "placeholder_title": "Rating", "placeholder_body": "-"}
    changes = {"text": text, "operations__update__body": body, "fields__created_at": None}
    with pytest.raises(Permanent, match=r"update\.body\.words") as refused:
        updated_in_full(server, a_row(), a_row(), **changes)
    assert refused.value.reason == "cannot_write"
    assert [asked.method for asked in server.asked] == ["GET"]
