"""Pictures go along when a review is made on Wix, by policy, and never with an update."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sync_worker.core.record_codec import listed_payload, record_listed
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import Side
from sync_worker.reconcile.pace import Pace
from sync_worker.remotes.gathering import results_together
from tests.integration.own_worker import writes_of_sweep
from tests.integration.test_bulk_create import BULK, Bench, bench
from tests.integration.test_reviews_both_ways import Shop, shop
from tests.twins.observed_ledger import ObservedLedger

__all__ = ["bench", "shop"]

pytestmark = [pytest.mark.usefixtures("ledger_at_home"), pytest.mark.any_redis]

MUG, CUP = "https://shop.example/mug.jpg", "https://shop.example/cup.jpg"
BY_POLICY = {"pictures": "to_wix"}


def as_on_wix(*addresses: str) -> list[Any]:
    return [{"image": {"url": address}} for address in addresses]


def rate(made: Shop | Bench, email: str, **more: Any) -> None:
    draft = {
        "subject": {"id": "MUG"},
        "author": {"email": email, "display_name": "Ada"},
        "score": Decimal(4),
        **more,
    }
    made.box.reviews.create(draft, by="visitor")


def test_pictures_go_along_with_a_new_review_and_never_later(shop: Shop) -> None:
    shop.site = shop.wiring.admin.sites.set_policy(shop.site.id, BY_POLICY)
    photos = [MUG, "http://shop.example/plain.jpg", {"src": CUP}, CUP]
    shop.costs(lambda: rate(shop, "ada@example.com", photos=photos))
    assert shop.review["content"]["media"] == as_on_wix(MUG, CUP)
    # What Wix makes of them is its own, byte for byte, whatever changes outside.
    own = [{"image": {"id": f"8bb438_{name}.jpg", "height": 9}} for name in ("mug", "cup")]
    shop.review["content"]["media"] = list(own)
    shop.edits_outside(2, photos=[CUP])
    assert shop.review["content"]["rating"] == 2
    assert shop.review["content"]["media"] == own
    # Nor do ours take those outside away.
    shop.edits_on_wix(5)
    (outside,) = shop.box.reviews.ratings.values()
    assert (outside["score"], outside["photos"]) == (5, [CUP])


@pytest.mark.full
def test_addresses_of_pictures_are_erased_with_their_person(shop: Shop) -> None:
    shop.site = shop.wiring.admin.sites.set_policy(shop.site.id, BY_POLICY)
    shop.costs(lambda: rate(shop, "ada@example.com", photos=[MUG]))
    # A sweep keeps its whole rows, too, and what it finds.
    both = shop.wiring.remotes.connect_patiently(shop.site, time.sleep)
    (listed,) = both.remotes[Side.EXTERNAL].list_page().records
    assert listed.media == (MUG,)
    assert record_listed(listed_payload(listed)) == listed
    writes_of_sweep(shop.wiring, shop.site)
    on_file = ObservedLedger(shop.wiring.ledger.engine)
    assert MUG in on_file.everything()
    shop.costs(lambda: shop.box.wix.delete_contact(shop.ada, privacy=True))
    assert MUG not in on_file.everything()
    assert "mug.jpg" not in on_file.everything()


def test_pictures_stay_where_they_are_unless_policy_asks(shop: Shop) -> None:
    shop.costs(lambda: rate(shop, "ada@example.com", photos=[MUG]))
    assert shop.review["content"]["rating"] == 4
    assert shop.review["content"]["media"] == []


@pytest.mark.full
@pytest.mark.parametrize("photos", [None, 7, "mug.jpg", {"a": MUG}, [[MUG]], [None, "ftp://a.b"]])
def test_strange_pictures_keep_no_review_from_being_made(shop: Shop, photos: Any) -> None:
    shop.site = shop.wiring.admin.sites.set_policy(shop.site.id, BY_POLICY)
    shop.costs(lambda: rate(shop, "ada@example.com", photos=photos))
    assert shop.review["content"]["rating"] == 4
    assert shop.review["content"]["media"] == []


@pytest.mark.full
@pytest.mark.parametrize("by_policy", [True, False])
def test_pictures_of_a_file_go_along_many_in_a_call(
    bench: Bench, tmp_path: Path, by_policy: bool
) -> None:
    if by_policy:
        bench.site = bench.wiring.admin.sites.set_policy(bench.site.id, BY_POLICY)
    bench.add_people(3)
    path = tmp_path / "reviews.csv"
    rows = [f'mug,person{number}@example.com,4,Good,Fine,"{MUG},{CUP} x"' for number in range(3)]
    path.write_text("\n".join(["product,who,stars,headline,text,photos", *rows]))
    assert bench.import_file(path, pictures="photos") == {"created": 3}
    expected = as_on_wix(MUG) if by_policy else []
    assert bench.calls() == {BULK: 1}
    found = [one["content"]["media"] for one in bench.box.wix.reviews.by_id.values()]
    assert found == [expected] * 3


@pytest.mark.full
def test_pictures_go_along_with_a_baseline(bench: Bench) -> None:
    bench.site = bench.wiring.admin.sites.set_policy(bench.site.id, BY_POLICY)
    bench.add_people(3)
    for number in range(3):
        rate(bench, f"person{number}@example.com", photos=[MUG])
    sweep = bench.wiring.sweeps.runs.begin(bench.site.id, RunKind.BASELINE)
    assert sweep is not None
    with ThreadPoolExecutor(4) as pool:
        pace = Pace(
            lambda seconds: None,
            lambda jobs: list(pool.map(lambda job: job(), jobs)),
            in_bulk=results_together,
        )
        assert bench.wiring.sweeps.reconcile(bench.site, sweep, pace, lambda planned: None).work()
    found = [one["content"]["media"] for one in bench.box.wix.reviews.by_id.values()]
    assert found == [as_on_wix(MUG)] * 3
