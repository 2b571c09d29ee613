"""Creates that are carried out later or never: Judge.me's connector against a stand-in, over real
HTTP both ways.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from redis import Redis

from sync_sandbox.door import serve_door
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.core.values import EntityRef
from sync_worker.ledger.console.held_filter import HeldFilter
from sync_worker.manifest.default_field import default_field
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.wiring import Wiring
from tests.integration.remote_server import Asked, RemoteServer, Reply, remote_server

pytestmark = [pytest.mark.usefixtures("ledger_at_home"), pytest.mark.any_redis]

SECRET = "judgeme-secret-0123456789"  # a stand-in's own
ADA = "ada@example.com"
MANIFEST = """
version: 1
extends: judgeme
id: reviews
base_url: {url}
allow_private_hosts: true
outbound: on
http: {{budget: {{requests: 200, per_s: 1}}}}
"""


@dataclass
class JudgeMe:
    """Accepts creates as jobs; ``work_off`` carries them out, or says that they failed.

    Sources as in the manifest.
    """

    webhook_url: str = ""
    jobs: list[dict[str, Any]] = field(default_factory=list)
    reviews: dict[int, dict[str, Any]] = field(default_factory=dict)
    created: int = 0

    def answer(self, asked: Asked) -> Reply:
        match asked.method, asked.path.removeprefix("/api/v1/reviews").strip("/"):
            case "POST", "":
                self.created += 1
                self.jobs.append(asked.json)
                return Reply(201, {"message": "This review is being processed"})
            case "GET", "":
                wanted = asked.query.get("reviewer_email")
                rows = [one for one in self.reviews.values() if one["reviewer"]["email"] == wanted]
                return Reply(200, {"reviews": rows if asked.query.get("page", "1") == "1" else []})
            case "GET", number if number.isdigit() and int(number) in self.reviews:
                return Reply(200, {"review": self.reviews[int(number)]})
        return Reply(404, {})

    def work_off(self, *, fails: bool = False) -> None:
        for job in self.jobs:
            review = {
                "rating": job["rating"],
                "body": job["body"],
                "product_external_id": int(job["id"]),
                "reviewer": {"email": job["email"], "name": job["name"]},
            }
            if not fails:
                number = 900 + len(self.reviews)
                review |= {"id": number, "published": True, "hidden": False, "curated": "ok"}
                self.reviews[number] = review
            self.tell("review/created_fail" if fails else "review/created", review)
        self.jobs.clear()

    def tell(self, event: str, review: dict[str, Any]) -> None:
        body = json.dumps({"review": review}).encode()
        mark = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"JUDGEME-HMAC-SHA256": mark, "Content-Type": "application/json"}
        answer = requests.post(
            self.webhook_url, data=body, params={"event": event}, headers=headers, timeout=5
        )
        assert answer.status_code == 200, answer.text


@dataclass
class Bench:
    """The stand-in Wix, Judge.me, a gateway on its port, and the intake, which works when asked."""

    box: Sandbox
    judgeme: JudgeMe
    wiring: Wiring
    rung: list[int] = field(default_factory=list)

    def ring(self, inbox_ids: Any) -> None:
        self.rung += inbox_ids

    def work(self) -> None:
        """All that can be done before time has passed."""
        assert self.box.wix.webhooks.flush(10)
        while self.rung:
            self.wiring.intake(self).process(self.rung.pop(0))

    def held(self) -> list[str]:
        return [one.reason for one in self.wiring.admin.held.all(HeldFilter())]

    def release(self) -> None:
        self.ring(self.wiring.admin.held.release(HeldFilter(), by="the test"))

    def wix_values(self) -> list[int]:
        return [one["value"] for one in self.box.wix.ratings.values()]

    def stars(self) -> list[int]:
        return [one["rating"] for one in self.judgeme.reviews.values()]


@pytest.fixture
def system() -> Iterator[RemoteServer]:
    with remote_server() as system:
        yield system


@pytest.fixture
def bench(
    tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis, system: RemoteServer
) -> Iterator[Bench]:
    (tmp_path / "reviews.yaml").write_text(MANIFEST.format(url=system.url))
    with Sandbox(SandboxOptions(rate_per_minute=None, retry_scale=0.01)) as box:
        settings = box.settings() | {
            "RATINGS_SYNC_HOME": str(tmp_path),
            "REDIS_URL": redis_server.url,
            "WIX_BUDGET_PER_MINUTE": "60000",
            "WIX_BUDGET_CAPACITY": "1000",
            "CONNECTORS": str(tmp_path / "reviews.yaml"),
            "JUDGEME_SHOP_DOMAIN": "shop.example",
            "JUDGEME_PRIVATE_TOKEN": "token",
            "JUDGEME_WEBHOOK_SECRET": SECRET,
        }
        wiring = Wiring(load_settings(settings), settings)
        bench = Bench(box, JudgeMe(), wiring)
        system.answer = bench.judgeme.answer
        served = serve_door(wiring, bench, box)
        box.wix.webhooks.url = f"{served.url}/webhooks/wix"
        bench.judgeme.webhook_url = f"{served.url}/webhooks/external/reviews"
        manifest = wiring.manifests["reviews"]
        site, _ = wiring.admin.sites.add(
            box.wix.instance_id, manifest.id, [default_field(manifest)]
        )
        wiring.admin.mappings.import_entities(
            site, [(EntityRef("beans", "stores", "reviews"), EntityRef("22"))]
        )
        yield bench
        served.stop()
        wiring.close()


def rate_and_accept(bench: Bench) -> None:
    """Ada rates on Wix, and Judge.me accepts the copy; the empty budget may make the first call
    wait.
    """
    ada = str(bench.box.wix.add_contact(ADA, "Ada")["id"])
    rating = {
        "namespace": "reviews",
        "group": "stores",
        "entityId": "beans",
        "attributeName": "overall",
        "value": 80,
    }
    bench.box.wix.create_rating(
        {**rating, "owner": {"contactId": ada}}, {"identityType": "MEMBER", "memberId": "v"}
    )
    for _ in range(200):
        bench.work()
        if bench.judgeme.created:
            return
        bench.ring(bench.wiring.ledger.inbox.due(10))
    raise AssertionError("nothing was created")


def test_accepted_create_is_recognised_by_its_event_and_sent_once(
    bench: Bench,
) -> None:
    """An accepted create is recognised when its event tells of it and is sent once."""
    rate_and_accept(bench)
    assert (bench.stars(), bench.wiring.ledger.inbox.count_open()) == ([], 1), (
        "it waits to be confirmed"
    )
    bench.judgeme.work_off()
    bench.work()
    assert (bench.stars(), bench.wix_values(), bench.judgeme.created) == ([4], [80], 1)
    assert (bench.held(), bench.wiring.ledger.inbox.count_open()) == ([], 0)


def test_create_whose_event_says_failed_is_held_until_released(
    bench: Bench,
) -> None:
    """A create that failed is held as soon as the event says so and sent again on release."""
    rate_and_accept(bench)
    bench.judgeme.work_off(fails=True)
    bench.work()
    assert (bench.held(), bench.judgeme.created, bench.stars()) == (["create_failed"], 1, [])
    bench.release()
    bench.work()
    assert bench.judgeme.created == 2
    bench.judgeme.work_off()
    bench.work()
    assert (bench.stars(), bench.wix_values(), bench.held()) == ([4], [80], [])


def test_event_of_somebody_else_s_failed_create_changes_nothing(bench: Bench) -> None:
    rate_and_accept(bench)
    review = {"rating": 4, "product_external_id": 22, "reviewer": {"email": "somebody@example.com"}}
    bench.judgeme.tell("review/created_fail", review)
    bench.judgeme.tell("review/created_fail", {"rating": 4})
    bench.work()
    assert (bench.held(), bench.wiring.ledger.inbox.count_open()) == ([], 1), (
        "Ada's still waits to be confirmed"
    )
