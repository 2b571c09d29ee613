"""Why a write was refused, or is tried again, stands where people look: history, held, log."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.core.outcome import OutcomeKind
from sync_worker.core.values import EntityRef
from sync_worker.manifest.default_field import default_field
from sync_worker.wiring import Wiring
from sync_worker.wiring.sweeps import NoBell
from tests.commands import run_command
from tests.factories import a_delivery
from tests.integration.remote_server import Asked, RemoteServer, Reply

MANIFEST = """
version: 1
extends: own-service
id: shop
base_url: {url}
allow_private_hosts: true
"""
EMAIL = "müller@example.com"
INVALID = Reply(400, {"code": "rest_invalid_param", "message": f"Invalid reviewer_email: {EMAIL}"})
DOWN = Reply(503, {"code": "maintenance", "message": "Back at 5"})


@dataclass
class Shop:
    wiring: Wiring
    delivery: int
    folder: Path
    environ: dict[str, str]

    def process(self) -> str:
        """How it ended, once the budget, which begins empty, has let it through."""
        intake = self.wiring.intake(NoBell())
        for _ in range(200):
            outcome = intake.process(self.delivery)
            if outcome.kind is not OutcomeKind.RATE_LIMITED:
                return str(outcome)
            time.sleep(0.05)
        raise TimeoutError("the budget has let nothing through")

    def run(self, *words: str) -> str:
        done = run_command(words, self.folder, self.environ)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def shop(tmp_path: Path, server: RemoteServer) -> Iterator[Shop]:
    """A site whose contact rated a product on Wix; nothing is on the other side yet."""
    (tmp_path / "shop.yaml").write_text(MANIFEST.format(url=server.url))
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        environ = box.settings() | {
            "RATINGS_SYNC_HOME": str(tmp_path),
            "WIX_BUDGET_PER_MINUTE": "60000",
            "WIX_BUDGET_CAPACITY": "1000",
            "CONNECTORS": str(tmp_path / "shop.yaml"),
            "PATH": os.environ["PATH"],
            "COLUMNS": "300",
        }
        wiring = Wiring(load_settings(environ), environ)
        site, _ = wiring.admin.sites.add(
            box.wix.instance_id, "shop", [default_field(wiring.manifests["shop"])]
        )
        pair = (EntityRef("beans", "stores", "reviews"), EntityRef("SKU-1"))
        wiring.admin.mappings.import_entities(site, [pair])
        contact = str(box.wix.add_contact(EMAIL, "Müller")["id"])
        rating = {
            "namespace": "reviews",
            "group": "stores",
            "entityId": "beans",
            "attributeName": "overall",
            "value": 80,
            "owner": {"contactId": contact},
        }
        made = box.wix.create_rating(rating, {"identityType": "MEMBER", "memberId": "v"})
        new = a_delivery(source=box.wix.instance_id, remote_id=made["id"], payload={})
        delivery = wiring.ledger.inbox.store(new).inbox_id
        yield Shop(wiring, delivery, tmp_path, environ)
        wiring.close()


@contextmanager
def all_logs() -> Iterator[list[MutableMapping[str, Any]]]:
    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.BoundLogger)
    try:
        with capture_logs() as logs:
            yield logs
    finally:
        structlog.configure(wrapper_class=before)


def refusing(reply: Reply) -> Callable[[Asked], Reply]:
    """A system that finds nothing, and refuses every create."""

    def answer(asked: Asked) -> Reply:
        return reply if asked.method == "POST" else Reply(200, {"data": []})

    return answer


def test_refusal_is_in_history_held_and_log_without_the_person(
    shop: Shop, server: RemoteServer
) -> None:
    """Status, code and sentence of the remote; the address that it repeats is left out."""
    server.answer = refusing(INVALID)
    with all_logs() as logs:
        assert shop.process() == "held refused"
    said = "400 rest_invalid_param: Invalid reviewer_email: …"
    (line,) = json.loads(shop.run("history", "--json"))
    assert (line["what"], line["side"], line["reason"]) == (
        "refused",
        "external",
        f"create: {said}",
    )
    assert line["inbox_id"] == shop.delivery
    assert f"external, create: {said}" in shop.run("held", "show", str(shop.delivery), "--offline")
    assert said in shop.run("history")
    (logged,) = [one for one in logs if one["event"] == "write_refused"]
    assert logged["log_level"] == "info"
    assert (logged["remote"], logged["operation"], logged["status"], logged["code"]) == (
        "shop",
        "create",
        400,
        "rest_invalid_param",
    )
    assert logged["said"] == "Invalid reviewer_email: …"
    assert EMAIL not in json.dumps(logs, default=str, ensure_ascii=False)
    assert shop.wiring.admin.questions.status().writes_last_hour == 0, "it wrote nothing"


def test_retry_is_listed_and_logged_with_its_reason_and_next_try(
    shop: Shop, server: RemoteServer
) -> None:
    server.answer = lambda asked: DOWN
    with all_logs() as logs:
        shop.process()
    reason = "shop 503 maintenance: Back at 5: the write may have landed"
    (logged,) = [one for one in logs if one["event"] == "delivery_waits"]
    assert (logged["inbox_id"], logged["reason"], logged["attempts"]) == (shop.delivery, reason, 1)
    assert logged["next_try_s"] > 0
    (row,) = json.loads(shop.run("held", "--waiting", "--json"))
    assert (row["inbox_id"], row["reason"], row["attempts"]) == (shop.delivery, reason, 1)
    assert row["next_try_seconds"] > 0
    shown = shop.run("held", "--waiting")
    assert reason in shown
    assert re.search(r"in \d+ s", shown)


def test_nothing_that_waits_is_said(shop: Shop) -> None:
    assert "nothing waits for another try" in shop.run("held", "--waiting")


@pytest.mark.parametrize(
    "words",
    [
        ("held", "--waiting", "--reason", "refused"),
        ("held", "--reason", "refused", "show", "1"),
        ("held", "--json", "release", "1"),
    ],
)
def test_option_without_effect_is_refused(words: tuple[str, ...], shop: Shop) -> None:
    done = run_command(words, shop.folder, shop.environ)
    assert done.returncode == 2
    assert "Error: " in done.stderr
