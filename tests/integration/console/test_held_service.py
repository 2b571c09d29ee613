"""The service of held ones: who sees what, what is expected of a release, mending in place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Change, Contact, EntityRef, SiteState
from sync_worker.core.values.catalogue import ProposedPair
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.ledger.administration.admin import ledger_admin
from sync_worker.ledger.console.held_filter import HeldFilter
from sync_worker.ledger.database import open_engine
from sync_worker.services.access.forms import ChangedMeanwhile
from sync_worker.services.access.who import Forbidden, Role, Who
from sync_worker.services.held.held import HeldService
from sync_worker.services.held.mending import Mending, MissingContact, MissingProduct
from sync_worker.services.held.reading import Readings
from sync_worker.services.held.values import Expected
from sync_worker.services.held.waiting import WaitingService
from tests.integration.console.held_shop import HeldShop

SUPPORT = Who("grace", Role.SUPPORT)
VIEWER = Who("victor", Role.VIEWER)
OWNER = Who("olga", Role.OWNER, 1)
STRANGER = Who("oscar", Role.OWNER, 2)
WIX_BEANS = EntityRef("beans", "stores", "reviews")


@pytest.fixture
def shop(sqlite_url: str) -> Iterator[HeldShop]:
    engine = open_engine(sqlite_url)
    yield HeldShop(ledger_admin(engine))
    engine.dispose()


def service(shop: HeldShop) -> HeldService:
    return HeldService(shop.admin, readings())


def mending(shop: HeldShop) -> Mending:
    return Mending(shop.admin, readings())


def readings() -> Readings:
    return Readings(lambda name: None, "app-1")


def numbers(shop: HeldShop, who: Who, which: HeldFilter | None = None) -> list[int]:
    return [item.number for item in service(shop).page(who, which or HeldFilter()).items]


# -- who sees what


def test_group_says_what_the_manual_says(shop: HeldShop) -> None:
    shop.hold("unknown_entity")
    (group,) = service(shop).groups(VIEWER, HeldFilter())
    assert (group.title, group.count_words, group.way) == (
        "The product is not mapped yet",
        "1",
        "map_product",
    )
    assert "map entities import" in group.advice


def test_row_says_who_rated_what_and_how(shop: HeldShop) -> None:
    number = shop.hold("unknown_entity")
    (item,) = service(shop).page(SUPPORT, HeldFilter()).items
    assert (item.number, item.person, item.address) == (number, "Ada Lovelace", "ada@example.com")
    assert (item.product, item.here, item.there, item.side) == ("SKU-1", "4", "", "external")


@pytest.mark.parametrize("is_verified", [True, False, None])
def test_detail_says_whether_the_person_is_verified(
    shop: HeldShop, is_verified: bool | None
) -> None:
    number = shop.hold("unknown_contact", is_verified=is_verified)
    detail = service(shop).detail(SUPPORT, number)
    assert detail is not None
    assert detail.is_verified is is_verified


def test_viewer_sees_addresses_in_part_only(shop: HeldShop) -> None:
    shop.hold("unknown_contact", name=None)
    shop.hold("unknown_contact", name="ada@example.com")
    for item in service(shop).page(VIEWER, HeldFilter()).items:
        assert (item.person, item.address) == ("a…@example.com", "a…@example.com")


def test_owner_sees_and_does_nothing_of_others(shop: HeldShop) -> None:
    mine, theirs = shop.hold("refused"), shop.hold("refused", source="other-service")
    nobodys = shop.hold("unknown_site", source="nowhere")
    assert numbers(shop, OWNER) == [mine]
    assert numbers(shop, OWNER, HeldFilter(inbox_ids=[theirs, nobodys])) == []
    assert service(shop).detail(OWNER, theirs) is None
    site_2 = shop.admin.sites.find("2")
    with pytest.raises(Forbidden):
        service(shop).groups(OWNER, HeldFilter(site=site_2))
    released = service(shop).release(OWNER, HeldFilter(inbox_ids=[mine, theirs, nobodys]))
    assert released.numbers == [mine]
    # Whether there is such a one of somebody else, they are not told.
    for number in (theirs, nobodys, 999_999):
        with pytest.raises(ChangedMeanwhile, match=f"#{number} is not held any more"):
            mending(shop).map_product(OWNER, number, EntityRef("beans"))
    assert service(shop).what_became(OWNER, theirs) is None


def test_viewer_may_not_release_drop_map_or_hurry(shop: HeldShop) -> None:
    number, which = shop.hold("unknown_entity"), HeldFilter("unknown_entity")
    for act in (
        lambda: service(shop).release(VIEWER, which),
        lambda: service(shop).drop(VIEWER, which, "no"),
        lambda: mending(shop).map_product(VIEWER, number, EntityRef("beans")),
        lambda: WaitingService(shop.admin).try_now(VIEWER, "0" * 16),
    ):
        with pytest.raises(Forbidden):
            act()
    assert shop.state(number) == "held"


# -- acting


def test_drop_needs_a_reason_and_tells_the_next_one_who_did_it(shop: HeldShop) -> None:
    number = shop.hold("refused")
    with pytest.raises(Misconfigured, match="say why"):
        service(shop).drop(SUPPORT, HeldFilter(inbox_ids=[number]), "  ")
    service(shop).drop(SUPPORT, HeldFilter(inbox_ids=[number]), "a test")
    told = service(shop).what_became(SUPPORT, number)
    assert told is not None
    assert "it has ended (dropped). grace dropped it at " in told


def test_group_is_released_in_batches_up_to_the_limit(
    shop: HeldShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_worker.services.held.held.BATCH", 2)
    held = [shop.hold("refused") for _ in range(5)]
    done = service(shop).release(SUPPORT, HeldFilter("refused"), limit=4)
    assert (done.numbers, done.is_more) == (held[:4], True)
    done = service(shop).release(SUPPORT, HeldFilter("refused"), limit=4)
    assert (done.numbers, done.is_more) == (held[4:], False)


# -- what is expected


def expected(shop: HeldShop, which: HeldFilter | None = None) -> dict[str, int]:
    told = service(shop).preview(SUPPORT, which or HeldFilter()).expectations
    return {f"{one.expected}: {one.why}": one.count for one in told}


def test_unmapped_product_stays_and_a_mapped_one_crosses(shop: HeldShop) -> None:
    shop.hold("unknown_entity", "SKU-9")
    site = shop.admin.sites.find("1")
    shop.admin.mappings.import_contacts(site, [Contact("ada", "ada@example.com")])
    assert expected(shop) == {"stays: the product is not mapped yet": 1}
    # Mapped a moment ago, and its release is under way.
    shop.admin.mappings.import_entities(site, [(WIX_BEANS, EntityRef("SKU-1"))])
    shop.hold("unknown_entity", "SKU-1")
    shop.hold("unknown_entity", "SKU-1", "bob@example.com")
    preview = service(shop).preview(SUPPORT, HeldFilter())
    assert preview.words == "Expected: 1 will be written, 1 will be tried, 1 will stay."


def test_nothing_of_a_paused_site_moves(shop: HeldShop) -> None:
    shop.hold("refused")
    shop.admin.sites.set_state(1, SiteState.PAUSED)
    assert expected(shop) == {"stays: the site is paused": 1}


def test_policies_count_for_what_is_expected(shop: HeldShop) -> None:
    shop.hold("unknown_contact", address="new@example.com")
    assert expected(shop) == {"tried: Wix is asked once more whose the address is": 1}
    shop.admin.sites.set_policy(1, {"unknown_contact": "create"})
    (told,) = expected(shop)
    assert told.startswith("written: by its policy the person becomes a contact")
    shop.admin.sites.set_policy(1, {"direction": "to_external"})
    (told,) = expected(shop)
    assert told == "ended: by its policy nothing is written to Wix"


def test_difference_stays_until_somebody_says_which_is_right(shop: HeldShop) -> None:
    shop.hold("first_difference")
    shop.admin.sites.set_policy(1, {"first_difference": "hold"})
    (told,) = expected(shop)
    assert told.startswith("stays: both sides differ")
    shop.admin.sites.set_policy(1, {"first_difference": "wix"})
    assert expected(shop) == {"written: by its policy Wix is right": 1}


def test_no_more_deletes_are_expected_than_the_brake_lets_through(shop: HeldShop) -> None:
    for _ in range(22):
        shop.hold("delete_brake", change=Change.DELETE)
    assert expected(shop) == {
        "written: the record on the other side is deleted": 20,
        "stays: no more deletes may go to that side within the hour": 2,
    }


def test_what_was_refused_is_only_tried(shop: HeldShop) -> None:
    shop.hold("refused")
    assert [*expected(shop)] == ["tried: it is sent again, and the other side may refuse it again"]
    assert service(shop).preview(SUPPORT, HeldFilter("fight")).words == (
        "Nothing is held here any more."
    )


def test_look_ahead_at_many_says_that_it_saw_the_first(
    shop: HeldShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_worker.services.held.held.LOOKED_AT", 2)
    for _ in range(3):
        shop.hold("refused")
    preview = service(shop).preview(SUPPORT, HeldFilter())
    assert preview.words == "Expected: of the first 2: 2 will be tried."
    assert preview.count(Expected.TRIED) == 2


# -- mending in place


def test_product_mapped_in_place_lets_all_go_that_waited_for_it(shop: HeldShop) -> None:
    first, second = shop.hold("unknown_entity"), shop.hold("unknown_entity")
    other = shop.hold("unknown_entity", "SKU-2")
    missing = mending(shop).missing(SUPPORT, first)
    assert isinstance(missing, MissingProduct)
    assert (missing.entity_id, missing.asked_on, missing.waiting) == ("SKU-1", "wix", 2)
    given = mending(shop).map_product(SUPPORT, first, EntityRef("beans"), "seen in the shop")
    assert given.words == "beans on Wix is SKU-1 outside now; 2 held ones go on now."
    assert [shop.state(number) for number in (first, second, other)] == ["new", "new", "held"]
    (thing,) = shop.admin.mappings.entities(1)
    assert (thing.wix, thing.external) == (WIX_BEANS, EntityRef("SKU-1"))
    entry = SqlAudit(shop.admin.transactions).of_site(1)[0]
    assert (entry.actor, entry.what, entry.why) == (
        "grace",
        "map.import_entities",
        "seen in the shop",
    )


def test_product_of_another_is_not_taken_from_it(shop: HeldShop) -> None:
    number = shop.hold("unknown_entity")
    with pytest.raises(Misconfigured, match="give the id"):
        mending(shop).map_product(SUPPORT, number, EntityRef(""))
    shop.admin.held.drop(HeldFilter(inbox_ids=[number]), "x", "linus")
    with pytest.raises(ChangedMeanwhile):
        mending(shop).map_product(SUPPORT, number, EntityRef("beans"))


def test_catalogues_suggest_what_the_product_may_be(shop: HeldShop) -> None:
    number = shop.hold("unknown_entity")
    pair = ProposedPair(WIX_BEANS, EntityRef("SKU-1"), "sku", "Fine beans", "Beans 1 kg")
    shop.admin.proposals.replace(1, [pair])
    missing = mending(shop).missing(SUPPORT, number)
    assert isinstance(missing, MissingProduct)
    (one,) = missing.suggestions
    assert (one.entity_id, one.title, one.way) == ("beans", "Fine beans", "sku")


def test_contact_added_in_place_lets_their_rating_go(shop: HeldShop) -> None:
    number = shop.hold("unknown_contact")
    missing = mending(shop).missing(SUPPORT, number)
    assert isinstance(missing, MissingContact)
    assert missing.address == "ada@example.com"
    given = mending(shop).add_contact(SUPPORT, number, "contact-1")
    assert (given.released, shop.state(number)) == (1, "new")


def test_typed_address_has_to_be_the_one_that_is_waited_for(shop: HeldShop) -> None:
    """A delivery need not tell the address; what it waits for tells whether it is right."""
    number = shop.hold("unknown_contact")
    with shop.admin.transactions.write() as connection:
        connection.exec_driver_sql("UPDATE inbox SET payload = '{}'")
    with pytest.raises(Misconfigured, match="another address"):
        mending(shop).add_contact(SUPPORT, number, "contact-1", "bob@example.com")
    given = mending(shop).add_contact(SUPPORT, number, "contact-1", "ADA@example.com")
    assert given.released == 1


# -- on its way


def test_what_waits_is_told_by_remote_and_hurried(shop: HeldShop) -> None:
    first = shop.wait("reviews 503: the remote is not well")
    second = shop.wait("reviews 503: the remote is not well", 40.0)
    shop.wait("rate_limited", source="other-service")
    waiting = WaitingService(shop.admin)
    told = waiting.on_its_way(SUPPORT)
    group = told.groups[0]
    assert (group.remote, group.said, group.count) == (
        "reviews",
        "answers 503: the remote is not well",
        2,
    )
    assert 0 < group.next_try_seconds <= 40
    assert [one.count for one in waiting.on_its_way(STRANGER).groups] == [1]
    assert waiting.try_now(STRANGER, group.key) == []
    assert waiting.try_now(SUPPORT, group.key) == [first, second]
    again = waiting.on_its_way(SUPPORT).groups[0]
    assert again.next_try_seconds == 0
    (entry,) = SqlAudit(shop.admin.transactions).of_site(1)
    assert (entry.what, dict(entry.after)) == ("waiting.try_now", {"deliveries": 2})
