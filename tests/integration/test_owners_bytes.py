"""An update of the stars leaves all else as its owner wrote it, over real HTTP, byte for byte.

Each shipped connector that updates, against its stand-in; and manifests as people have them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
from sync_worker.core.values import Draft, Person
from sync_worker.manifest.loader import parse_manifest, shipped_manifest
from sync_worker.manifest.manifest import Manifest
from sync_worker.remotes.external.remote import ExternalRemote
from tests.integration.small_connector import a_remote

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
