"""The port ``Links``: a link of what a record names, found and leased in one step."""

from __future__ import annotations

from typing import Any

import pytest

from sync_worker.core.ports.links import Shown
from sync_worker.core.values import PRODUCTS, Buried, EntityRef, InboxState, Side
from tests.factories import EXTERNAL_ENTITY, WIX_ENTITY
from tests.integration.ledger.ground import ADA, BOB, Ground

ON_WIX = Shown(Side.WIX, WIX_ENTITY, ADA.contact_id)
OUTSIDE = Shown(Side.EXTERNAL, EXTERNAL_ENTITY, str(ADA.email))
PRODUCT = Shown(Side.WIX, EntityRef(WIX_ENTITY.entity_id, namespace=PRODUCTS), ADA.contact_id)


def _attach(ground: Ground, inbox_id: int, shown: Shown) -> Any:
    return ground.ledger.links.attach_shown(inbox_id, ground.site_id, shown)


class TestShown:
    @pytest.mark.parametrize("shown", [ON_WIX, OUTSIDE, PRODUCT], ids=["wix", "outside", "product"])
    def test_what_a_record_names_is_leased_with_its_delivery(
        self, ground: Ground, shown: Shown
    ) -> None:
        inbox_id = ground.stored()
        run = _attach(ground, inbox_id, shown)
        assert (run.link.key, run.contact, run.entity.wix) == (ground.key, ADA, WIX_ENTITY)
        (delivery,) = run.deliveries
        assert (delivery.id, delivery.state) == (inbox_id, InboxState.TAKEN)
        assert run.unburied == {(delivery.new.side, delivery.new.remote_id)}
        ground.ledger.links.release(run.lease)
        again = ground.ledger.links.attach(ground.stored(2), ground.key).run
        assert (again.link.id, again.lease.fence) == (run.link.id, run.lease.fence + 1)

    @pytest.mark.parametrize(
        "shown",
        [
            Shown(Side.WIX, EntityRef("another", "stores", "reviews"), ADA.contact_id),
            Shown(Side.WIX, WIX_ENTITY, BOB.contact_id),
            Shown(Side.EXTERNAL, EntityRef("another"), str(ADA.email)),
            Shown(Side.EXTERNAL, EXTERNAL_ENTITY, str(BOB.email)),
        ],
        ids=["entity", "contact", "entity outside", "address"],
    )
    def test_what_is_not_mapped_is_left_alone(self, ground: Ground, shown: Shown) -> None:
        inbox_id = ground.stored()
        assert _attach(ground, inbox_id, shown) is None
        delivery, _ = ground.ledger.inbox.open_delivery(inbox_id)
        assert (delivery.state, delivery.link_id) == (InboxState.NEW, None)
        assert ground.ledger.links.link_id(ground.key) is None

    def test_who_was_merged_away_is_left_to_the_usual_way(self, ground: Ground) -> None:
        ground.ledger.directory.save_contact(ground.site_id, BOB)
        ground.merge(ADA, BOB)
        for number, shown in enumerate((ON_WIX, OUTSIDE)):
            assert _attach(ground, ground.stored(number), shown) is None
        assert ground.ledger.links.link_id(ground.key) is None

    def test_no_link_is_made_for_somebody_erased(self, ground: Ground) -> None:
        request = ground.stored(7, privacy=True)
        ground.ledger.merges.hint_erasure(ground.site_id, ADA.contact_id, request)
        for number, shown in enumerate((ON_WIX, OUTSIDE)):
            assert _attach(ground, ground.stored(number), shown) is None
        assert ground.ledger.links.link_id(ground.key) is None

    def test_link_in_the_hands_of_another_run_is_left_to_it(self, ground: Ground) -> None:
        run = ground.leased()
        assert _attach(ground, ground.stored(2), ON_WIX) is None
        ground.ledger.links.renew(run.lease)

    def test_deliveries_of_other_records_come_along(self, ground: Ground) -> None:
        """What was read tells of one record: of the others is asked, too."""
        links = ground.ledger.links
        links.release(links.attach(ground.stored(2, remote_id="rating-2"), ground.key).run.lease)
        ground.ledger.directory.bury(ground.site_id, Buried(Side.WIX, "rating-2"))
        run = _attach(ground, ground.stored(1), ON_WIX)
        assert sorted(one.new.remote_id for one in run.deliveries) == ["rating-1", "rating-2"]
        assert run.unburied == frozenset()
