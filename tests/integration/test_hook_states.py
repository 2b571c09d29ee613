"""Webhooks that a system disabled: brought back, watched, followed by a whole scan, and shown.

Over real HTTP, with a stand-in that keeps its count of failures as WooCommerce does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from click.testing import CliRunner, Result

from sync_sandbox.control.platform import platform_app
from sync_sandbox.platforms.woocommerce import Hook, WooCommerce
from sync_sandbox.served import Served
from sync_worker.cli.connector.group import connector
from sync_worker.config import load_settings
from sync_worker.doctor.hooks import check_hooks
from sync_worker.ledger.administration.hook_states import HookState, SqlHookStates, hook_words
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.transactions import Transactions
from sync_worker.manifest.loader import parse_manifest, shipped_manifest
from sync_worker.remotes.external.hooks import ExternalHooks
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.tokens import OwnTokens
from sync_worker.wiring import Wiring
from sync_worker.wiring.sweeps import NoBell
from tests.documents import document_of
from tests.integration.listener import Listener
from webhook_gateway.app import create_app
from webhook_gateway.settings import GatewayConfig

pytestmark = pytest.mark.full

HOOKS = "/wp-json/wc/v3/webhooks"
REVIEWS = "/wp-json/wc/v3/products/reviews"


@pytest.fixture
def shop() -> Iterator[tuple[WooCommerce, str]]:
    shop = WooCommerce()
    served = Served(platform_app(shop), 0)
    yield shop, served.url
    shop.webhooks.stop()
    served.stop()


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def states(request: pytest.FixtureRequest) -> Iterator[SqlHookStates]:
    engine = open_engine(request.getfixturevalue(request.param))
    upgrade(engine)
    yield SqlHookStates(Transactions(engine))
    engine.dispose()


def fail(shop: WooCommerce, url: str, listener: Listener, times: int) -> None:
    """So many deliveries that the listener refuses."""
    listener.status = 500
    for number in range(times):
        body = {
            "product_id": 22,
            "reviewer": "Ana",
            "reviewer_email": "ana@example.com",
            "review": f"Text {time.monotonic_ns()} {number}",
            "rating": 4,
        }
        made = requests.post(url + REVIEWS, json=body, auth=(shop.key, shop.key_secret), timeout=5)
        assert made.status_code == 201
        assert shop.webhooks.flush(5)


def enable(store: WooCommerce, url: str, hook: Hook) -> None:
    login = (store.key, store.key_secret)
    requests.put(f"{url}{HOOKS}/{hook.id}", json={"status": "active"}, auth=login, timeout=5)
    assert hook.status == "active"


def test_one_more_failure_disables_a_hook_that_was_enabled_again(
    shop: tuple[WooCommerce, str],
    listener: Listener,
) -> None:
    """As the real one counts: only a delivery that arrives makes it forget."""
    store, url = shop
    hook = store.add_hook("action.woocommerce_rating_sync_created", listener.url, "s3cret")
    assert store.webhooks.flush(5)
    fail(store, url, listener, 6)
    assert hook.status == "active"
    fail(store, url, listener, 1)
    assert hook.status == "disabled"
    enable(store, url, hook)
    fail(store, url, listener, 1)
    assert hook.status == "disabled"
    enable(store, url, hook)
    listener.status = 200
    store.create("22", "ben@example.com", "Ben", 5, by="visitor")
    assert store.webhooks.flush(5)
    fail(store, url, listener, 1)
    assert hook.status == "active"


def hooks_at(store: WooCommerce, url: str) -> ExternalHooks:
    document = document_of(shipped_manifest("woocommerce").read_text())
    document |= {"base_url": url, "allow_private_hosts": True}
    manifest = parse_manifest(document, store.settings(), Path("woocommerce.yaml"))
    return ExternalHooks(manifest, http_of(manifest, NoBudget(), OwnTokens()))


def test_check_tells_what_it_brought_back_and_what_is_missing(
    shop: tuple[WooCommerce, str],
) -> None:
    store, url = shop
    address = "http://gw.example.com/webhooks/external/woocommerce"
    store.add_hook("action.woocommerce_rating_sync_created", address, "s")
    store.add_hook("action.woocommerce_rating_sync_updated", address, "s").status = "disabled"
    check = hooks_at(store, url).check()
    assert [hook.topic.rpartition("_")[2] for hook in check.brought_back] == ["updated"]
    assert [topic.rpartition("_")[2] for topic in check.missing] == ["deleted"]
    assert store.has_all_hooks()


@pytest.mark.parametrize(
    ("address", "count"),
    [
        ("https://gw.example.com/webhooks/external/woocommerce", 0),
        ("http://gw.example.com:8080/webhooks/external/woocommerce", 0),
        ("https://gw.example.com:8443/webhooks/external/woocommerce", 1),
        ("http://10.0.0.7/webhooks/external/woocommerce", 1),
        ("http://localhost:5000/webhooks/external/woocommerce", 2),
        ("http://[::1]:5000/webhooks/external/woocommerce", 2),
    ],
)
def test_address_that_wordpress_never_calls_is_doubted(
    shop: tuple[WooCommerce, str], address: str, count: int
) -> None:
    assert len(hooks_at(*shop).doubts(address)) == count


# -- what is known of them


def test_enabled_again_is_watched_with_growing_pauses(states: SqlHookStates) -> None:
    states.note_check("shop", working=3, missing=0, brought_back=0)
    known = states.of("shop")
    assert known is not None
    assert (known.working, known.is_watched, known.enabled_again) == (3, False, 0)
    for times in (1, 2):
        states.note_check("shop", working=3, missing=1, brought_back=2)
        known = states.of("shop")
        assert known is not None
        assert (known.is_watched, known.enabled_again, known.missing) == (True, times, 1)
    assert "enabled again" in hook_words(known)
    # A look that finds all well goes on watching for an hour.
    states.note_check("shop", working=3, missing=0, brought_back=0)
    known = states.of("shop")
    assert known is not None
    assert (known.is_watched, known.enabled_again) == (True, 2)
    assert states.of("other") is None


@pytest.mark.parametrize(
    ("times", "checked_ago", "enabled_ago", "is_due"),
    [
        (1, 59.0, 59.0, False),
        (1, 60.0, 60.0, True),
        (2, 60.0, 60.0, False),
        (2, 120.0, 120.0, True),
        (9, 959.0, 959.0, False),
        (9, 960.0, 960.0, True),
        (1, 3601.0, 3601.0, False),
    ],
)
def test_look_at_what_was_enabled_again_comes_sooner(
    times: int, checked_ago: float, enabled_ago: float, is_due: bool
) -> None:
    state = HookState("shop", None, checked_ago, 3, 0, times, enabled_ago)
    assert state.is_due is is_due


def test_what_is_heard_is_noted_beside_what_is_checked(states: SqlHookStates) -> None:
    states.note_heard("shop")
    states.note_check("shop", working=1, missing=0, brought_back=0)
    states.note_heard("wix")
    shop, wix = states.all()
    assert (shop.source, wix.source) == ("shop", "wix")
    assert shop.heard_ago is not None
    assert shop.heard_ago < 5
    assert (wix.checked_ago, "heard of" in hook_words(wix)) == (None, True)


def test_greeting_at_the_gateway_is_noted(states: SqlHookStates) -> None:
    document = document_of(shipped_manifest("woocommerce").read_text())
    environ = WooCommerce().settings() | {"WOO_BASE_URL": "https://shop.example.com"}
    config = GatewayConfig(
        wix_keys=[],
        wix_app_id="app",
        manifests={"woocommerce": parse_manifest(document, environ, Path("woocommerce.yaml"))},
        store=lambda new: [],
        bell=NoBell(),
        is_ledger_up=lambda: True,
        note_heard=states.note_heard,
    )
    client, form = create_app(config).test_client(), "application/x-www-form-urlencoded"
    for body, is_heard in (("webhook_id=x", False), ("webhook_id=3", True)):
        client.post("/webhooks/external/woocommerce", data=body, content_type=form)
        until = time.monotonic() + (5 if is_heard else 0.3)
        while states.of("woocommerce") is None and time.monotonic() < until:
            time.sleep(0.02)
        assert (states.of("woocommerce") is not None) is is_heard


# -- the command


def run(*words: str, **environ: str) -> Result:
    return CliRunner().invoke(connector, ["webhooks", *words], env=environ)


def test_register_says_works_only_after_the_greeting(
    shop: tuple[WooCommerce, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store, url = shop
    document = document_of(shipped_manifest("woocommerce").read_text())
    document |= {"base_url": url, "allow_private_hosts": True}
    (tmp_path / "woocommerce.yaml").write_text(yaml.safe_dump(document))
    home = tmp_path / "home"
    environ: dict[str, Any] = store.settings() | {
        "WOO_BASE_URL": url,
        "RATINGS_SYNC_HOME": str(home),
    }
    address = "http://127.0.0.1:9/webhooks/external/woocommerce"
    unheard = run("register", "./woocommerce.yaml", "--url", address, "--wait", "0.1", **environ)
    assert unheard.exit_code == 0
    assert (unheard.output.count("enabled, not heard of yet"), unheard.output.count("works")) == (
        3,
        0,
    )
    assert "port 9" in unheard.output
    assert "private addresses" in unheard.output
    assert "nothing has reached the gateway yet" in unheard.output
    assert not home.exists()
    home.mkdir()
    engine = open_engine(f"sqlite:///{home / 'ledger.db'}")
    upgrade(engine)
    SqlHookStates(Transactions(engine)).note_heard("woocommerce")
    engine.dispose()
    assert run("list", "./woocommerce.yaml", **environ).output.count("works") == 3


# -- what doctor says of them


def test_doctor_says_whether_webhooks_are_there_enabled_and_heard_of(
    shop: tuple[WooCommerce, str], tmp_path: Path
) -> None:
    store, url = shop
    document = document_of(shipped_manifest("woocommerce").read_text())
    document |= {"base_url": url, "allow_private_hosts": True}
    document["http"]["budget"]["requests"] = 1000
    manifest = tmp_path / "woocommerce.yaml"
    manifest.write_text(yaml.safe_dump(document))
    environ = store.settings() | {
        "WOO_BASE_URL": url,
        "RATINGS_SYNC_HOME": str(tmp_path),
        "CONNECTORS": str(manifest),
    }
    wiring = Wiring(load_settings(environ), environ)

    def said() -> tuple[str, str]:
        (check,) = check_hooks(wiring)
        return check.verdict, check.what

    assert list(check_hooks(wiring)) == []
    wiring.admin.sites.add("instance-1", "woocommerce", [])
    assert said()[0] == "note"
    store.connect("https://gw.example.com/webhooks/external/woocommerce")
    assert said() == ("note", "3 enabled, and nothing has reached the gateway yet")
    wiring.admin.hook_states.note_heard("woocommerce")
    assert said()[0] == "ok"
    store.hooks[1].status = "disabled"
    assert said()[0] == "bad"
    wiring.remotes.hooks("woocommerce").enable()
    wiring.admin.hook_states.note_check("woocommerce", working=3, missing=0, brought_back=1)
    verdict, what = said()
    assert (verdict, "enabled again" in what) == ("note", True)
    wiring.close()
