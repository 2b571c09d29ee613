"""A changed scale: its effect is shown, and afterwards each linked rating is planned by it, on both
sides.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.core.scale import FieldMap, Scale
from sync_worker.core.values import Change, EntityRef, NewDelivery, Side, Site
from sync_worker.ledger.administration.mappings import ImportRefused
from sync_worker.manifest.default_field import WIX_SCALE, default_field
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.wiring import Wiring

pytestmark = [pytest.mark.usefixtures("ledger_at_home"), pytest.mark.any_redis]

STARS = Scale(Decimal("0.5"), Decimal(5), Decimal("0.5"))
SPAN = FieldMap("overall", "value", WIX_SCALE, STARS, "span")
HALF = FieldMap("overall", "value", Scale(Decimal(0), Decimal(50), Decimal(1)), STARS)


class NoBell:
    def ring(self, inbox_ids: Any) -> None:
        return


@dataclass
class Shop:
    box: Sandbox
    wiring: Wiring

    @property
    def site(self) -> Site:
        return self.wiring.admin.sites.find(None)

    def rate(self, email: str, value: int) -> None:
        """On Wix, and brought across."""
        contact = self.box.wix.add_contact(email, "P")
        rating = {
            "namespace": "reviews",
            "group": "stores",
            "entityId": "beans",
            "attributeName": "overall",
        }
        owner = {"owner": {"contactId": contact["id"]}, "value": value}
        made = self.box.wix.create_rating(rating | owner, {"identityType": "MEMBER"})
        new = NewDelivery(
            Side.WIX, self.box.wix.instance_id, made["id"], Change.UPSERT, made["id"], {}
        )
        self.wiring.ledger.inbox.store(new)
        self.work()

    def work(self) -> None:
        """What is due, until nothing is."""
        self.wiring.ledger.site_cache.seconds = 0.0
        while self.wiring.ledger.inbox.count_open():
            for inbox_id in self._open():
                self.wiring.intake(NoBell()).process(inbox_id)
            time.sleep(0.01)

    def _open(self) -> list[int]:
        from sqlalchemy import select

        from sync_worker.ledger.tables import inbox

        with self.wiring.ledger.engine.connect() as connection:
            return list(
                connection.execute(
                    select(inbox.c.id).where(inbox.c.state.in_(("new", "taken")))
                ).scalars()
            )

    def stars(self) -> list[Decimal]:
        return sorted(Decimal(one["score"]) for one in self.box.reviews.ratings.values())

    def on_wix(self) -> list[int]:
        return sorted(int(one["value"]) for one in self.box.wix.ratings.values())


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(
    request: pytest.FixtureRequest, tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis
) -> Iterator[Shop]:
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        environ = box.settings() | {
            "RATINGS_SYNC_HOME": str(tmp_path),
            "REDIS_URL": redis_server.url,
            "WIX_BUDGET_PER_MINUTE": "60000",
        }
        if request.param == "postgresql":
            environ["DATABASE_URL"] = request.getfixturevalue("postgres_url")
        wiring = Wiring(load_settings(environ), environ)
        manifest = wiring.manifests["own-service"]
        site, _ = wiring.admin.sites.add(
            box.wix.instance_id, "own-service", [default_field(manifest)]
        )
        wiring.admin.mappings.import_entities(
            site, [(EntityRef("beans", "stores", "reviews"), EntityRef("SKU-1"))]
        )
        yield Shop(box, wiring)
        wiring.close()


def test_linked_ratings_that_change_class_are_shown_and_then_written(shop: Shop) -> None:
    """40 of 100 was 2 of 5 stars; from minimum to minimum it is 2.5. 100 stays 5."""
    shop.rate("a@example.com", 40)
    shop.rate("b@example.com", 100)
    assert shop.stars() == [Decimal(2), Decimal(5)]
    (effect,) = shop.wiring.admin.fields.effects(shop.site, [SPAN])
    assert (effect.linked, effect.changing) == (2, 1)
    assert effect.examples == ("wix 40, external 2: external becomes 2.5",)
    with pytest.raises(ImportRefused):
        shop.wiring.admin.fields.import_fields(shop.site, [SPAN])
    shop.work()
    assert shop.stars() == [Decimal(2), Decimal(5)], "nothing happens before somebody says yes"
    shop.wiring.admin.fields.import_fields(shop.site, [SPAN], may_rescale=True)
    assert shop.site.fields[0].version == 2
    shop.work()
    assert (shop.on_wix(), shop.stars()) == ([40, 100], [Decimal("2.5"), Decimal(5)])
    calls, writes = sum(shop.box.wix.calls.values()), len(shop.box.reviews.journal)
    shop.wiring.admin.fields.plan_anew(shop.site.id)
    shop.work()
    assert (sum(shop.box.wix.calls.values()), len(shop.box.reviews.journal)) == (calls, writes), (
        "once is enough"
    )


def test_policy_says_which_side_is_right_after_a_change_of_scales(shop: Shop) -> None:
    shop.rate("a@example.com", 40)
    shop.wiring.admin.sites.set_policy(shop.site.id, {"first_difference": "external"})
    shop.wiring.admin.fields.import_fields(shop.site, [SPAN], may_rescale=True)
    shop.work()
    assert shop.stars() == [Decimal(2)]
    assert shop.on_wix() != [40]
    assert SPAN.agree(Decimal(shop.on_wix()[0]), Decimal(2))


def test_change_of_scales_is_held_where_a_person_decides(shop: Shop) -> None:
    shop.rate("a@example.com", 40)
    shop.wiring.admin.sites.set_policy(shop.site.id, {"first_difference": "hold"})
    shop.wiring.admin.fields.import_fields(shop.site, [SPAN], may_rescale=True)
    shop.work()
    assert [one.reason for one in shop.wiring.admin.held.all()] == ["scale_changed"]
    assert (shop.on_wix(), shop.stars()) == ([40], [Decimal(2)])


def test_value_off_the_new_scale_is_counted_and_held(shop: Shop) -> None:
    shop.rate("a@example.com", 80)
    (effect,) = shop.wiring.admin.fields.effects(shop.site, [HALF])
    assert (effect.changing, effect.off_scale) == (0, 1)
    shop.wiring.admin.fields.import_fields(shop.site, [HALF], may_rescale=True)
    shop.work()
    assert [one.reason for one in shop.wiring.admin.held.all()] == ["off_scale"]
    assert shop.on_wix() == [80]


def test_another_pairing_of_a_linked_attribute_stays_refused(shop: Shop) -> None:
    shop.rate("a@example.com", 80)
    other = replace(SPAN, external_field="taste")
    with pytest.raises(ImportRefused):
        shop.wiring.admin.fields.import_fields(shop.site, [other], may_rescale=True)
