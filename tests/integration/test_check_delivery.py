"""``connector check --delivery``: what a captured webhook comes to, and by which secrets."""

from __future__ import annotations

import base64
import hmac
import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sync_worker.cli.connector.group import connector
from tests.integration.connector_shell import WOO, nowhere, run
from tests.integration.remote_server import RemoteServer
from tests.integration.small_shop import SECRET, a_delivery, write_manifest
from tests.unit.signed import OWN_SERVICE

__all__ = ["nowhere"]  # a fixture that each test here uses by itself


@pytest.fixture(autouse=True)
def no_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("SHOP_URL", "SHOP_TOKEN", "SHOP_WEBHOOK_SECRET", "CONNECTORS"):
        monkeypatch.delenv(name, raising=False)


def checked(delivery: str, **environ: str) -> Result:
    Path("seen.json").write_text(delivery)
    words = ["check", "./shop.yaml", "--delivery", "seen.json"]
    return CliRunner().invoke(connector, words, env=environ)


def test_only_the_secrets_of_verification_are_needed() -> None:
    """Neither address nor token: whoever captured a webhook may have neither."""
    write_manifest(Path("shop.yaml"))
    good = checked(a_delivery(), SHOP_WEBHOOK_SECRET=SECRET)
    assert (good.exit_code, "verified, upsert 7" in good.output) == (0, True), good.output
    assert "not set yet (made up for this check): SHOP_URL, SHOP_TOKEN" in good.output
    refused = checked(a_delivery(), SHOP_TOKEN="a-token")
    assert (refused.exit_code, str(refused.exception)) == (
        1,
        "SHOP_WEBHOOK_SECRET is not set, and deliveries are verified with it; set"
        " SHOP_WEBHOOK_SECRET or SHOP_WEBHOOK_SECRET_FILE in the environment",
    )


def test_secret_before_a_rotation_is_never_asked_for() -> None:
    scheme = {
        "type": "hmac",
        "header": "X-Shop-Signature",
        "secret": {"env": "SHOP_WEBHOOK_SECRET"},
        "previous_secret": {"env": "SHOP_WEBHOOK_SECRET_OLD"},
    }
    write_manifest(Path("shop.yaml"), webhook__verify=[scheme])
    assert checked(a_delivery(), SHOP_WEBHOOK_SECRET=SECRET).exit_code == 0


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"when": {"header": "X-Kind", "equals": "rating"}}, "the header X-Kind is rating"),
        ({"when": {"path": "kind", "equals": True}}, "`kind` is True"),
        ({"when": "stars > `0`"}, "`stars > `0``"),
    ],
)
def test_condition_that_does_not_hold_is_named(rule: dict[str, object], words: str) -> None:
    """It said "verified, and ignored", and nobody knew for what."""
    events = [{"match": "review.changed", "change": "upsert"} | rule]
    write_manifest(Path("shop.yaml"), webhook__events=events)
    result = checked(a_delivery(), SHOP_WEBHOOK_SECRET=SECRET)
    assert result.exit_code == 0
    said = f"'review.changed' counts only when {words}, and here that is not so"
    assert f"! captured delivery seen.json: verified, and ignored: {said} (" in result.output


def test_event_that_is_to_be_ignored_says_by_what() -> None:
    write_manifest(
        Path("shop.yaml"), webhook__events=[{"match": "review.changed", "change": "ignore"}]
    )
    result = checked(a_delivery(), SHOP_WEBHOOK_SECRET=SECRET)
    assert "ignored: webhook.events says `change: ignore` of 'review.changed'" in result.output
    assert json.loads(a_delivery())["body"] not in result.output


def test_check_of_an_event_without_a_rule_ends_with_1_and_names_both() -> None:
    """Such a delivery was "verified, and ignored": the shop stayed deaf, and all was green."""
    body = '{"action":"order_created","arg":4711}'
    signature = hmac.new(WOO["WOO_WEBHOOK_SECRET"].encode(), body.encode(), "sha256").digest()
    headers = {
        "X-WC-Webhook-Topic": "order.created",
        "X-WC-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-WC-Webhook-Delivery-ID": "1",
    }
    Path("seen.json").write_text(json.dumps({"headers": headers, "body": body}))
    environ = WOO | {"WOO_BASE_URL": "https://shop.example.com"}
    checked = run("check", "woocommerce", "--delivery", "seen.json", **environ)
    assert checked.exit_code == 1
    assert (
        "✗ captured delivery seen.json: verified, but nothing would happen: no rule of"
        " webhook.events matches 'order.created'; known are"
        " action.woocommerce_rating_sync_created, " in checked.output
    )


def test_check_of_a_delivery_reads_the_record_that_it_carries(server: RemoteServer) -> None:
    """Where its payload is trusted a worker reads that, and nothing else."""
    record = {"id": "r1", "version": 1, "subject": {"id": "22"}, "score": 4, "visibility": "public"}
    environ = OWN_SERVICE | {"OWN_SERVICE_URL": server.url}
    for stars, code, words in (
        ({"score": 4}, 0, "✓ captured delivery seen.json: verified, upsert r1; id r1, product 22"),
        ({"score": "four"}, 1, "fields.value: 'four' is not a number, at `score`"),
    ):
        event = {"event_id": "e1", "type": "rating.created", "data": record | stars}
        body, now = json.dumps(event), str(int(time.time()))
        secret = environ["OWN_SERVICE_WEBHOOK_SECRET"].encode()
        digest = hmac.new(secret, f"{now}.{body}".encode(), "sha256").hexdigest()
        headers = {"X-Acme-Signature": f"t={now},v1={digest}"}
        Path("seen.json").write_text(json.dumps({"headers": headers, "body": body}))
        checked = run("check", "own-service", "--delivery", "seen.json", **environ)
        assert (checked.exit_code, words in checked.output) == (code, True), checked.output


def test_check_of_a_malformed_delivery_names_the_key_and_what_stood_there() -> None:
    body = '{"action":"woocommerce_rating_sync_updated","id":4711}'
    signature = hmac.new(WOO["WOO_WEBHOOK_SECRET"].encode(), body.encode(), "sha256").digest()
    headers = {
        "X-WC-Webhook-Topic": "action.woocommerce_rating_sync_updated",
        "X-WC-Webhook-Signature": base64.b64encode(signature).decode(),
    }
    Path("seen.json").write_text(json.dumps({"headers": headers, "body": body}))
    environ = WOO | {"WOO_BASE_URL": "https://shop.example.com"}
    checked = run("check", "woocommerce", "--delivery", "seen.json", **environ)
    assert checked.exit_code == 1
    assert (
        "verified, but not in the form of the manifest: webhook.key.id: nothing at `arg`, the event"
        " has: action, id" in checked.output
    )


def test_check_of_a_captured_delivery_tells_what_fits(tmp_path: Path) -> None:
    body = '{"action":"woocommerce_rating_sync_updated","arg":4711}'
    headers = {
        "X-WC-Webhook-Topic": "action.woocommerce_rating_sync_updated",
        "X-WC-Webhook-Signature": "5fLsDiDPZtbgCf7o4dMmUzsbn9DyrmSsxXO55fyjwDc=",
    }
    Path("seen.json").write_text(json.dumps({"headers": headers, "body": body}))
    environ = WOO | {"WOO_BASE_URL": "https://shop.example.com"}
    good = run("check", "woocommerce", "--delivery", "seen.json", **environ)
    assert (good.exit_code, "verified, upsert 4711" in good.output) == (0, True)
    swapped = environ | {
        "WOO_WEBHOOK_SECRET": "another",
        "WOO_CONSUMER_SECRET": WOO["WOO_WEBHOOK_SECRET"],
    }
    bad = run("check", "woocommerce", "--delivery", "seen.json", **swapped)
    assert bad.exit_code == 1
    assert "signed the raw body, with auth.password" in bad.output
    assert WOO["WOO_WEBHOOK_SECRET"] not in bad.output
