"""One review of Wix and its rating outside, both ways over real HTTP: what each change costs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from sync_sandbox.door import serve_door
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_sandbox.wix.events import OWNER
from sync_sandbox.wix.reviews.moderation import Mode
from sync_worker.config import load_settings
from sync_worker.core.errors import Permanent, Transient
from sync_worker.core.values import Contact, Draft, EntityRef, WixKind
from sync_worker.manifest.default_field import default_field
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.wiring import Wiring
from tests.integration.own_worker import OwnWorker

pytestmark = [pytest.mark.usefixtures("ledger_at_home"), pytest.mark.any_redis]

VISITOR = {"identityType": "MEMBER", "memberId": "visitor"}
CREATE, PATCH = "POST /reviews/v1/reviews", "PATCH /reviews/v1/reviews/{id}"
GET, DELETE = "GET /reviews/v1/reviews/{id}", "DELETE /reviews/v1/reviews/{id}"
MODERATE = "PATCH /reviews/v1/reviews/{id}/moderate"
OUT_POST, OUT_PUT = "POST /v1/ratings", "PUT /v1/ratings/{id}"
OUT_GET, OUT_DELETE = "GET /v1/ratings/{id}", "DELETE /v1/ratings/{id}"


@dataclass
class Shop(OwnWorker):
    """Both stand-ins, the gateway and the intake in this process."""

    ada: str

    def costs(self, act: Callable[[], Any]) -> dict[str, int]:
        """The calls of everything that follows of an act."""
        before = self._calls()
        act()
        self.work_off()
        return dict(self._calls() - before)

    def _calls(self) -> Counter[str]:
        both = Counter(self.box.wix.calls) + Counter(self.box.reviews.calls)
        del both["POST /oauth2/token"]
        return both

    # -- Wix

    @property
    def review(self) -> dict[str, Any]:
        (review,) = self.box.wix.reviews.by_id.values()
        return review

    def writes_on_wix(self, stars: int, **content: Any) -> dict[str, int]:
        draft = {
            "namespace": "stores",
            "entityId": "mug",
            "author": {"contactId": self.ada},
            "content": {"rating": stars, "title": "Good", "body": "Sturdy mug.", **content},
        }
        return self.costs(lambda: self.box.wix.reviews.create(draft, VISITOR))

    def edits_on_wix(self, stars: int, **words: str) -> dict[str, int]:
        changes = {"content": {"rating": stars, **words}}
        reviews, review_id = self.box.wix.reviews, self.review["id"]
        return self.costs(lambda: reviews.update(review_id, changes, VISITOR, is_client=False))

    # -- outside

    def outside(self) -> list[int]:
        living = self.box.reviews.ratings.values()
        return [int(one["score"]) for one in living if one["visibility"] != "removed"]

    def rates_outside(self, stars: int) -> dict[str, int]:
        draft = {
            "subject": {"id": "MUG"},
            "author": {"email": "ada@example.com", "display_name": "Ada"},
            "score": Decimal(stars),
        }
        return self.costs(lambda: self.box.reviews.create(draft, by="visitor"))

    def edits_outside(self, stars: int, **words: Any) -> dict[str, int]:
        (rating_id,) = self.box.reviews.ratings
        changes = {"score": Decimal(stars), **words}
        return self.costs(lambda: self.box.reviews.change(rating_id, changes, by="visitor"))

    def shows_outside(self, visibility: str) -> dict[str, int]:
        """A moderator there decides who sees it."""
        (rating_id,) = self.box.reviews.ratings
        changes = {"visibility": visibility}
        return self.costs(lambda: self.box.reviews.change(rating_id, changes, by="owner"))

    def deletes_outside(self) -> dict[str, int]:
        (rating_id,) = self.box.reviews.ratings
        return self.costs(lambda: self.box.reviews.remove(rating_id, by="visitor"))


@pytest.fixture
def shop(tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis) -> Iterator[Shop]:
    with Sandbox(SandboxOptions(rate_per_minute=None, sender_threads=1)) as box:
        settings = box.settings() | {
            "RATINGS_SYNC_HOME": str(tmp_path),
            "REDIS_URL": redis_server.url,
            "WIX_BUDGET_PER_MINUTE": "60000",
            "WIX_BUDGET_CAPACITY": "1000",
        }
        wiring = Wiring(load_settings(settings), settings)
        manifest = wiring.manifests["own-service"]
        fields = [default_field(manifest, WixKind.REVIEWS)]
        site, _ = wiring.admin.sites.add(
            box.wix.instance_id, manifest.id, fields, wix_api=WixKind.REVIEWS
        )
        # Mapped as Ratings names it: both APIs are served by one map.
        pair = (EntityRef("mug", "stores", "reviews"), EntityRef("MUG"))
        wiring.admin.mappings.import_entities(site, [pair])
        ada = str(box.wix.add_contact("ada@example.com", "Ada")["id"])
        wiring.admin.mappings.import_contacts(site, [Contact(ada, "ada@example.com")])
        made = Shop(box, wiring, site, ada)
        served = serve_door(wiring, made, box)
        box.send_webhooks_to(served.url)
        time.sleep(0.1)  # the budget starts empty
        yield made
        served.stop()
        wiring.close()


def test_each_change_of_a_review_crosses_with_one_call(shop: Shop) -> None:
    """Several events of one act, echoes and moderation events cost nothing."""
    assert shop.writes_on_wix(4) == {OUT_POST: 1}
    assert shop.edits_on_wix(2) == {OUT_PUT: 1}
    assert shop.outside() == [2]
    # Sent back as Wix returned it, at the revision at which it did.
    assert shop.edits_outside(5) == {PATCH: 1}
    content = shop.review["content"]
    assert (content["rating"], content["title"], content["body"]) == (5, "Good", "Sturdy mug.")
    assert shop.edits_outside(1) == {PATCH: 1}
    assert shop.edits_on_wix(3) == {OUT_PUT: 1}
    assert (shop.outside(), shop.review["revision"]) == ([3], "5")
    review_id = shop.review["id"]
    gone = shop.costs(lambda: shop.box.wix.reviews.delete(review_id, VISITOR))
    assert gone == {OUT_GET: 1, OUT_DELETE: 1}
    assert shop.outside() == []


def test_words_cross_with_the_stars_in_one_call(shop: Shop) -> None:
    shop.writes_on_wix(4)
    (rating,) = shop.box.reviews.ratings.values()
    assert (rating["headline"], rating["text"]) == ("Good", "Sturdy mug.")
    assert shop.edits_outside(2, text="Broke after a week.") == {PATCH: 1}
    content = shop.review["content"]
    assert (content["rating"], content["body"]) == (2, "Broke after a week.")
    assert content["title"] == "Good"
    # Words alone are a change, too; what is the same is left alone.
    assert shop.edits_on_wix(2, title="Bad") == {OUT_PUT: 1}
    (rating,) = shop.box.reviews.ratings.values()
    assert (rating["headline"], rating["text"]) == ("Bad", "Broke after a week.")
    assert shop.outside() == [2]


def test_rating_of_a_shopper_outside_becomes_a_review(shop: Shop) -> None:
    assert shop.rates_outside(4) == {CREATE: 1}
    assert shop.review["content"]["rating"] == 4
    assert shop.review["origin"] == {"type": "APP", "appId": shop.box.wix.app_id}
    assert shop.edits_outside(2) == {PATCH: 1}
    assert shop.deletes_outside() == {OUT_GET: 1, GET: 1, DELETE: 1}
    assert shop.box.wix.reviews.by_id == {}


def test_review_that_waits_for_its_owner_is_ours_all_the_same(shop: Shop) -> None:
    shop.box.wix.reviews.mode = Mode.MANUAL
    assert shop.rates_outside(4) == {CREATE: 1}
    assert shop.edits_outside(2) == {PATCH: 1}
    review_id = shop.review["id"]
    moderated = shop.costs(lambda: shop.box.wix.reviews.moderate(review_id, "APPROVED", OWNER))
    assert moderated == {}
    assert (shop.review["content"]["rating"], shop.outside()) == (2, [2])
    # An owner's rejection stays on Wix.
    shop.costs(lambda: shop.box.wix.reviews.moderate(review_id, "REJECTED", OWNER))
    assert shop.outside() == [2]


def test_review_hidden_outside_is_rejected_and_approved_again(shop: Shop) -> None:
    """Kept on Wix, and shown again by us only; an owner's rejection is left alone."""
    shop.rates_outside(4)
    assert shop.shows_outside("queue") == {GET: 1, MODERATE: 1}
    assert shop.review["moderation"]["moderationStatus"] == "REJECTED"
    assert shop.shows_outside("public") == {GET: 1, MODERATE: 1}
    assert shop.review["moderation"]["moderationStatus"] == "APPROVED"
    review_id = shop.review["id"]
    shop.costs(lambda: shop.box.wix.reviews.moderate(review_id, "REJECTED", OWNER))
    assert shop.shows_outside("queue") == shop.shows_outside("public") == {}
    assert shop.edits_outside(2) == {PATCH: 1}
    assert shop.review["moderation"]["moderationStatus"] == "REJECTED"
    assert (shop.review["content"]["rating"], shop.outside()) == (2, [2])
    assert list(shop.wiring.admin.held.all()) == []


def test_review_of_ours_is_approved_once_by_policy(shop: Shop) -> None:
    shop.box.wix.reviews.mode = Mode.MANUAL
    shop.wiring.admin.sites.set_policy(shop.site.id, {"wix_approve_ours": "approve"})
    assert shop.rates_outside(1) == {CREATE: 1, MODERATE: 1}
    assert shop.review["moderation"]["moderationStatus"] == "APPROVED"
    review_id = shop.review["id"]
    rejected = shop.costs(lambda: shop.box.wix.reviews.moderate(review_id, "REJECTED", OWNER))
    # The answer to our call had no sequence: only a look tells which of the two came later.
    assert rejected == {GET: 1}
    assert shop.edits_outside(2) == {PATCH: 1}
    assert shop.review["moderation"]["moderationStatus"] == "REJECTED"


def test_pictures_that_wix_takes_with_an_update_stop_the_review(shop: Shop) -> None:
    """Noticed with the first one; it stands still, and a person is told."""
    shop.writes_on_wix(4, media=[{"image": {"id": "8bb438_ab12.jpg"}}])
    shop.box.wix.faults.set("patch_replaces_content", chance=1.0)
    assert shop.edits_outside(5)[PATCH] == 1
    held = {one.reason for one in shop.wiring.admin.held.all()}
    assert "content_replaced" in held
    assert PATCH not in shop.edits_outside(1)
    assert shop.review["content"]["rating"] == 5


def test_that_wix_takes_pictures_is_known_to_every_worker(shop: Shop) -> None:
    """Else each new process would find it out by the pictures of one more review."""
    shop.writes_on_wix(4, media=[{"image": {"id": "8bb438_ab12.jpg"}}])
    shop.box.wix.faults.set("patch_replaces_content", chance=1.0)
    shop.edits_outside(5)
    environ = shop.wiring.environ
    another = Wiring(load_settings(environ), environ)
    wix = another.remotes.wix_records(another.admin.sites.find(str(shop.site.id)))
    shop.box.wix.faults.clear()
    put_back = {"content": {"media": [{"image": {"id": "8bb438_ab12.jpg"}}]}}
    shop.box.wix.reviews.update(shop.review["id"], put_back, VISITOR, is_client=False)
    review, calls = wix.get(shop.review["id"]), Counter(shop.box.wix.calls)
    assert review is not None
    assert review.entity is not None
    draft = Draft({"overall": Decimal(2)}, review.entity, review.person, review.raw)
    with pytest.raises(Permanent, match="has taken the pictures"):
        wix.update(review.remote_id, draft, review.revision)
    assert Counter(shop.box.wix.calls) == calls
    another.close()


def test_review_that_lost_its_pictures_is_held_also_if_nothing_keeps_that(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The update has come to Wix: a ledger that is away just then makes no second one of it."""
    shop.writes_on_wix(4, media=[{"image": {"id": "8bb438_ab12.jpg"}}])
    shop.box.wix.faults.set("patch_replaces_content", chance=1.0)
    asked: list[int] = []

    def is_away(site_id: int, learned: Mapping[str, str]) -> None:
        asked.append(site_id)
        raise Transient("the ledger did not answer")

    monkeypatch.setattr(shop.wiring.admin.sites, "note_learned", is_away)
    assert shop.edits_outside(5)[PATCH] == 1
    assert asked == [shop.site.id]
    assert "content_replaced" in {one.reason for one in shop.wiring.admin.held.all()}


@pytest.mark.parametrize("switch", ["organic_read_only", "organic_is_conflict"])
def test_review_of_a_visitor_that_is_read_only_is_held_by_name(shop: Shop, switch: str) -> None:
    shop.writes_on_wix(4)
    shop.box.wix.faults.set(switch, chance=1.0)
    calls = shop.edits_outside(1)
    assert sum(count for name, count in calls.items() if "/reviews/" in name) <= 3
    assert {one.reason for one in shop.wiring.admin.held.all()} == {"organic_review"}
    # What the visitor writes goes on crossing.
    shop.box.wix.faults.clear()
    shop.edits_on_wix(2)
    assert shop.outside() == [2]
