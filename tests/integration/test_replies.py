"""The owner's reply between Wix Reviews and Fera, over real HTTP: by webhooks and by sweeps."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from sync_sandbox.door import serve_door
from sync_sandbox.platforms.platform import Platform, Review
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_sandbox.wix.events import OWNER
from sync_worker.config import load_settings
from sync_worker.core.values import Contact, EntityRef, WixKind
from sync_worker.ledger.administration.export import LedgerExport
from sync_worker.manifest.default_field import default_field
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.wiring import Wiring
from tests.integration.own_worker import OwnWorker, writes_of_sweep

pytestmark = [pytest.mark.usefixtures("ledger_at_home"), pytest.mark.any_redis]

WIX_REPLY = "PATCH /reviews/v1/reviews/{id}/reply"
WIX_CLEAR = "DELETE /reviews/v1/reviews/{id}/reply"
ADA = "ada@example.com"


@dataclass
class Shop(OwnWorker):
    """Both stand-ins, the gateway and the intake in this process."""

    @property
    def platform(self) -> Platform:
        assert self.box.platform is not None
        return self.box.platform

    @property
    def review(self) -> dict[str, Any]:
        (review,) = self.box.wix.reviews.by_id.values()
        return review

    @property
    def outside(self) -> Review:
        (review,) = self.platform.reviews.values()
        return review

    def replies(self) -> tuple[str, str]:
        return self.review.get("reply", {}).get("message", ""), self.outside.reply

    def answers_on_wix(self, text: str | None) -> Counter[str]:
        reviews, review_id = self.box.wix.reviews, self.review["id"]
        return self.writes(lambda: reviews.reply(review_id, text, OWNER))

    def answers_outside(self, text: str) -> Counter[str]:
        review_id = self.outside.id
        return self.writes(lambda: self.platform.change(review_id, by="owner", reply=text))

    def writes(self, act: Callable[[], Any]) -> Counter[str]:
        """The calls that change something, of all that follows of an act."""
        before = self._calls()
        act()
        self.work_off()
        made = self._calls() - before
        return Counter({name: made[name] for name in made if not name.startswith("GET ")})

    def sweeps(self) -> int:
        """How many writes a sweep makes."""
        return len(writes_of_sweep(self.wiring, self.site))

    def _calls(self) -> Counter[str]:
        both = Counter(self.box.wix.calls) + Counter(self.platform.calls)
        # A listing, and not a change.
        for name in ("POST /oauth2/token", "POST /reviews/v1/reviews/query"):
            del both[name]
        return both


@pytest.fixture(params=[False, True], ids=["same revision", "next revision"])
def shop(
    request: pytest.FixtureRequest, tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis
) -> Iterator[Shop]:
    with Sandbox(SandboxOptions(rate_per_minute=None, sender_threads=1, platform="fera")) as box:
        # Whether a reply counts as a change of its review is not documented.
        if request.param:
            box.wix.faults.set("reply_bumps_revision", chance=1.0)
        (tmp_path / f"{box.connector}.yaml").write_text(box.manifest())
        settings = box.settings(tmp_path) | {
            "RATINGS_SYNC_HOME": str(tmp_path),
            "REDIS_URL": redis_server.url,
            "REDIS_KEY_PREFIX": str(tmp_path),
            "WIX_BUDGET_PER_MINUTE": "60000",
            "WIX_BUDGET_CAPACITY": "1000",
        }
        wiring = Wiring(load_settings(settings), settings)
        fields = [default_field(wiring.manifests[box.connector], WixKind.REVIEWS)]
        site, _ = wiring.admin.sites.add(
            box.wix.instance_id, box.connector, fields, wix_api=WixKind.REVIEWS
        )
        pair = (EntityRef("mug", "stores", "reviews"), EntityRef("22"))
        wiring.admin.mappings.import_entities(site, [pair])
        ada = str(box.wix.add_contact(ADA, "Ada")["id"])
        wiring.admin.mappings.import_contacts(site, [Contact(ada, ADA)])
        made = Shop(box, wiring, site)
        served = serve_door(wiring, made, box)
        box.send_webhooks_to(served.url)
        time.sleep(0.1)  # the budget starts empty
        yield made
        served.stop()
        wiring.close()


def write_where_replies_travel(shop: Shop, way: str) -> None:
    """Ada writes a review outside, which comes to Wix."""
    shop.site = shop.wiring.admin.sites.set_policy(shop.site.id, {"replies": way})
    shop.writes(lambda: shop.platform.create("22", ADA, "Ada", 4, by="visitor", text="Sturdy mug."))


def test_reply_crosses_both_ways_with_one_call_each(shop: Shop) -> None:
    write_where_replies_travel(shop, "both")
    assert shop.answers_outside("Thank you, Ada!") == {WIX_REPLY: 1}
    assert shop.replies() == ("Thank you, Ada!", "Thank you, Ada!")
    # `export ledger` and `status` tell of them.
    ledger = LedgerExport(shop.wiring.admin.engine)
    (line,), _ = ledger.links_page(shop.site.id, 0, namespace=None, group=None, entity=None)
    assert (line["wix_body"], line["external_body"]) == ("Sturdy mug.", "Sturdy mug.")
    assert (line["wix_reply"], line["external_reply"]) == ("Thank you, Ada!", "Thank you, Ada!")
    assert shop.wiring.admin.questions.status().words == {"with words": 1, "with a reply": 1}
    assert sum(shop.answers_on_wix("Thanks \U0001f44d <3").values()) == 1
    assert shop.replies() == ("Thanks \U0001f44d <3", "Thanks \U0001f44d <3")
    # Stars and words are as they were, and nothing is found that has to be written.
    assert (shop.outside.stars, shop.outside.text) == (4, "Sturdy mug.")
    assert (shop.review["content"]["rating"], shop.review["content"]["body"]) == (4, "Sturdy mug.")
    assert shop.sweeps() == 0
    assert shop.answers_outside("") == {WIX_CLEAR: 1}
    assert list(shop.wiring.admin.held.all()) == []


@pytest.mark.full
def test_reply_that_no_webhook_told_is_found_by_a_sweep(shop: Shop) -> None:
    write_where_replies_travel(shop, "both")
    shop.box.wix.webhooks.url = None
    shop.answers_on_wix("Thank you, Ada!")
    assert shop.replies() == ("Thank you, Ada!", "")
    assert (shop.sweeps(), shop.sweeps()) == (1, 0)
    assert shop.replies() == ("Thank you, Ada!", "Thank you, Ada!")


@pytest.mark.full
def test_reply_stays_where_it_was_given_unless_policy_says_otherwise(shop: Shop) -> None:
    write_where_replies_travel(shop, "off")
    assert not shop.answers_outside("Thank you, Ada!")
    assert not shop.answers_on_wix("Thanks!")
    assert shop.sweeps() == 0
    assert shop.replies() == ("Thanks!", "Thank you, Ada!")


@pytest.mark.full
def test_reply_comes_to_wix_only_where_policy_says_so(shop: Shop) -> None:
    write_where_replies_travel(shop, "to_wix")
    assert not shop.answers_on_wix("Thanks a lot!")
    assert shop.answers_outside("You are welcome!") == {WIX_REPLY: 1}
    assert shop.replies() == ("You are welcome!", "You are welcome!")
