"""``connector check --delivery``: what a captured webhook comes to, and by which secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sync_worker.cli.connector.group import connector
from tests.integration.small_shop import SECRET, a_delivery, write_manifest


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
