"""A review given to another person or product, on the stand-ins of real platforms, over HTTP."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sync_worker.core.sweep_values import RunKind
from tests.integration.shipped_pace import Shop, a_shop

pytestmark = pytest.mark.full

ADA, BOB = "person0@example.com", "person1@example.com"


def on_wix(shop: Shop) -> list[tuple[str, str, int]]:
    """What Wix shows: which thing, whose address, which value."""
    addresses = {
        shop.box.wix.find_contacts({"info.emails.email": {"$in": [address]}})[0]["id"]: address
        for address in (ADA, BOB)
    }
    return sorted(
        (one["entityId"], addresses[one["owner"]["contactId"]], int(one["value"]))
        for one in shop.box.wix.ratings.values()
    )


@pytest.mark.parametrize("platform", ["woocommerce", "fera", "bigcommerce"])
def test_reconcile_plans_and_moves_what_moved_outside(tmp_path: Path, platform: str) -> None:
    """No webhook told of it: the dry run says both writes, and the run does them."""
    with a_shop(tmp_path, platform) as shop:
        shop.add_people(2)
        # Two more, so that the listing is believed.
        for number in (0, 12, 13):
            shop.rate_outside(number)
        shop.run()
        others = [
            ("product-2", BOB, 80),
            ("product-3", BOB, 80),
        ]
        assert on_wix(shop) == [("product-0", ADA, 80), *others]
        reviews = shop.box.platform.reviews if shop.box.platform is not None else {}
        [review_id] = [number for number, one in reviews.items() if one.product == "101"]
        owner = replace(reviews[review_id], email=BOB)
        moves = [(owner, ("product-0", BOB, 80))]
        # There a review is named by its product, too: under another one it is another record.
        if platform != "bigcommerce":
            moves.append((replace(owner, product="102"), ("product-1", BOB, 80)))
        for moved, now in moves:
            reviews[review_id] = moved
            [forecast] = shop.run(RunKind.DRY_RUN)
            assert forecast.outcome == "create on wix and delete on wix"
            shop.run()
            assert on_wix(shop) == [now, *others]
