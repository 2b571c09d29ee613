"""Files of ratings into Wix: each once, and nothing written the second time."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.cli.options import actor
from tests.integration.console.table_of_keys import ALONE
from tests.integration.import_shop import MEMBER, Shop, home_of_shop, row, shop

pytestmark = [pytest.mark.any_redis, pytest.mark.full]

__all__ = ["home_of_shop", "shop"]  # fixtures


def test_judgeme_file_goes_into_wix_and_on_to_the_external_system(shop: Shop) -> None:
    shop.add_people(3)
    report = shop.import_file(
        shop.judgeme("r.csv", [row(0), row(1, rating=2), row(2, curated="spam")]),
        "--preset",
        "judgeme",
    )
    assert (report["created"], report["skipped"], report["rejected"]) == (2, 1, 0)
    assert set(report) == ALONE["import", ""], "as docs/api.md says"
    assert shop.values_on_wix() == [40, 80]
    assert sorted(Decimal(one["score"]) for one in shop.box.reviews.ratings.values()) == [2, 4]
    # Who brought them stands with what the file wrote; what crossed from there, nobody's hand did.
    lines = json.loads(shop.shell.good("history", "--json"))
    assert {line["actor"] for line in lines if line["reason"] == "import"} == {actor()}
    assert {line["actor"] for line in lines if line["reason"] != "import"} == {""}


def test_import_is_a_run_that_status_shows_with_its_counts(shop: Shop) -> None:
    shop.add_people(2)
    name = shop.judgeme("r.csv", [row(0), row(1, rating="bad"), row(2, curated="spam")])
    shop.import_file(name, "--preset", "judgeme", status=1)
    (run,) = shop.shell.how()["figures"]["runs"]
    assert (run["kind"], run["state"], run["counts"]) == (
        "import",
        "done",
        {"created": 1, "skipped": 1, "rejected": 1},
    )


def test_second_import_writes_nothing_and_asks_wix_nothing(shop: Shop) -> None:
    shop.add_people(2)
    name = shop.judgeme("r.csv", [row(0), row(1)])
    shop.import_file(name, "--preset", "judgeme")
    before, calls = (shop.wix_writes(), shop.external_writes()), sum(shop.box.wix.calls.values())
    report = shop.import_file(name, "--preset", "judgeme")
    assert (report["created"], report["there"], report["differs"]) == (0, 2, 0)
    assert (shop.wix_writes(), shop.external_writes()) == before
    assert sum(shop.box.wix.calls.values()) == calls


def test_a_rating_of_wix_or_of_the_external_system_is_newer_than_the_file(shop: Shop) -> None:
    shop.add_people(2)
    contacts = {one["primaryInfo"]["email"]: one["id"] for one in shop.box.wix.contacts.values()}
    rating = {
        "namespace": "reviews",
        "group": "stores",
        "entityId": "wix-1",
        "attributeName": "overall",
        "value": 20,
    }
    shop.box.wix.create_rating(
        rating | {"owner": {"contactId": contacts["person0@example.com"]}}, MEMBER
    )
    draft = {
        "subject": {"id": "P1"},
        "author": {"email": "person1@example.com", "display_name": "P"},
    }
    shop.box.reviews.create(draft | {"score": Decimal(3)}, by="visitor")
    report = shop.import_file(
        shop.judgeme("r.csv", [row(0, rating=5), row(1, rating=5)]), "--preset", "judgeme"
    )
    assert (report["created"], report["there"], report["differs"]) == (0, 2, 2)
    assert shop.values_on_wix() == [20, 60]
    assert sorted(Decimal(one["score"]) for one in shop.box.reviews.ratings.values()) == [1, 3]


def test_import_never_brings_back_what_was_deleted_since(shop: Shop) -> None:
    shop.add_people(1)
    name = shop.judgeme("r.csv", [row(0)])
    shop.shell.good("site", "policy", "direction=to_wix")
    shop.import_file(name, "--preset", "judgeme")
    (rating_id,) = shop.box.wix.ratings
    shop.box.wix.delete_rating(rating_id, MEMBER)
    from sync_worker.config import load_settings
    from sync_worker.core.values import Change, NewDelivery, Side
    from sync_worker.wiring import Wiring

    wiring = Wiring(load_settings(shop.shell.environ), shop.shell.environ)
    new = NewDelivery(Side.WIX, shop.box.wix.instance_id, "event", Change.DELETE, rating_id, {})
    outcome = wiring.intake(_NoBell()).process(wiring.ledger.inbox.store(new).inbox_id)
    assert str(outcome) == "in_step"
    wiring.close()
    assert shop.import_file(name, "--preset", "judgeme")["deleted_since"] == 1
    assert shop.values_on_wix() == []


class _NoBell:
    def ring(self, inbox_ids: Any) -> None:
        return
