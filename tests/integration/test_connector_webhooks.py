"""``connector webhooks``: made once, listed, and brought back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sync_worker.core.errors import (
    Misconfigured,
)
from tests.integration.connector_shell import WOO, a_shop, nowhere, run
from tests.integration.remote_server import Asked, RemoteServer, Reply

pytestmark = pytest.mark.full

__all__ = ["nowhere"]  # a fixture that each test here uses by itself


def hooks_of(server: RemoteServer) -> list[dict[str, Any]]:
    """A shop that keeps hooks; one of another app is there already."""
    hooks = [
        {
            "id": 1,
            "topic": "order.created",
            "delivery_url": "https://other.example/x",
            "status": "active",
        }
    ]

    def answer(asked: Asked) -> Reply:
        if asked.method == "POST":
            hook = {"id": len(hooks) + 1, "status": "active", **asked.json}
            hooks.append(hook)
            return Reply(201, hook)
        if asked.method == "PUT":
            hook = next(one for one in hooks if str(one["id"]) == asked.path.rpartition("/")[2])
            hook.update(asked.json)
            return Reply(body=hook)
        return Reply(body=hooks, headers={"X-WP-TotalPages": "1"})

    server.answer = answer
    return hooks


def test_webhooks_are_made_once_listed_and_brought_back(server: RemoteServer) -> None:
    hooks, shop = hooks_of(server), a_shop(server)
    url = "https://gw.example.com/webhooks/external/shop"
    assert run("webhooks", "list", shop, **WOO).exit_code == 1
    for _ in range(2):
        assert run("webhooks", "register", shop, "--url", url, **WOO).exit_code == 0
    ours = [hook for hook in hooks if hook.get("secret")]
    assert [hook["topic"].rpartition("_")[2] for hook in ours] == ["created", "updated", "deleted"]
    assert {hook["secret"] for hook in ours} == {WOO["WOO_WEBHOOK_SECRET"]}
    ours[1]["status"] = "disabled"
    listed = run("webhooks", "list", shop, **WOO)
    assert (listed.exit_code, listed.output.count("DISABLED")) == (1, 1)
    assert WOO["WOO_WEBHOOK_SECRET"] not in listed.output
    assert run("webhooks", "enable", shop, **WOO).exit_code == 0
    assert [hook["status"] for hook in hooks] == ["active"] * 4


def test_name_of_the_connector_may_come_before_the_subcommand(
    server: RemoteServer,
) -> None:
    """The name of the connector may come before what is done with its webhooks."""
    hooks, shop = hooks_of(server), a_shop(server)
    url = "https://gw.example.com/webhooks/external/shop"
    assert run("webhooks", shop, "register", "--url", url, **WOO).exit_code == 0
    assert len(hooks) == 4
    assert (
        run("webhooks", shop, "list", **WOO).output == run("webhooks", "list", shop, **WOO).output
    )
    assert "No such command" in run("webhooks", shop, "lst", **WOO).output


def test_secret_that_signs_is_never_the_token_in_an_address(server: RemoteServer) -> None:
    """The token has a secret of its own; the other one would be read in access logs."""
    hooks, shop = hooks_of(server), a_shop(server)
    document = yaml.safe_load(Path(shop).read_text())
    signed = {
        "type": "hmac",
        "header": "X-WC-Webhook-Signature",
        "secret": {"env": "WOO_WEBHOOK_SECRET"},
    }
    token = {"type": "url_token", "secret": {"env": "URL_TOKEN"}}
    document["webhook"] = {"verify": [signed, token]}
    Path(shop).write_text(yaml.safe_dump(document))
    url = "https://gw.example.com/webhooks/external/shop"
    assert (
        run(
            "webhooks", "register", shop, "--url", url, **WOO, URL_TOKEN="for-the-address"
        ).exit_code
        == 0
    )
    assert {hook["delivery_url"] for hook in hooks[1:]} == {f"{url}?token=for-the-address"}
    assert {hook["secret"] for hook in hooks[1:]} == {WOO["WOO_WEBHOOK_SECRET"]}


def test_webhook_at_a_wrong_address_is_refused(server: RemoteServer) -> None:
    hooks_of(server)
    wrong = run("webhooks", "register", a_shop(server), "--url", "https://gw.example.com/", **WOO)
    assert isinstance(wrong.exception, Misconfigured)
    assert isinstance(run("webhooks", "list", "okendo").exception, Misconfigured)
