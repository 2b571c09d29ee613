"""Events of the rated thing, records of nobody, and follow-ups without stars."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from sync_worker.core.values import (
    Change,
    EntityRef,
    NewDelivery,
    Policy,
    UnknownEntity,
)
from tests.simulation.ablations import without
from tests.simulation.oracles import broken_invariants
from tests.simulation.platform_worlds import E, a_world
from tests.simulation.scenarios import deletes, ending_of, rates
from tests.simulation.scenes import NO_REVISION
from tests.simulation.test_policies import held_reasons
from tests.simulation.world import CALM, LedgerMaker, Options, World
from tests.twins.memory_ledger import memory_ledger

# -- events of the rated thing


def test_event_of_the_product_brings_new_changed_and_vanished_records(
    make_ledger: LedgerMaker,
) -> None:
    world = a_world(make_ledger, external=NO_REVISION, parent_events=True)
    rates(E, value=2)(world)
    world.drain()
    assert ending_of(world) == ("40", "2")
    world.external.visitor_changes("e1", {"value": Decimal(4)})  # tells nothing
    world.drain()
    assert ending_of(world) == ("40", "4")
    tell_of_the_product(world)
    assert ending_of(world) == ("80", "4")
    deletes(E)(world)
    world.drain()
    assert ending_of(world) == (None, None)


def test_event_of_the_product_brings_nothing_without_the_hints() -> None:
    with without("hints for children"):
        world = a_world(external=NO_REVISION, parent_events=True)
        rates(E, value=2)(world)
        world.drain()
    assert ending_of(world) == (None, "2")


def tell_of_the_product(world: World, remote_id: str = "sku-0") -> None:
    event = NewDelivery(E, "own-service", world.post.new_id(), Change.PARENT_CHANGED, remote_id, {})
    world.queue.append(world.ledger.inbox.store(event).inbox_id)
    world.drain()


def test_product_event_without_a_difference_looks_at_no_record() -> None:
    world = a_world(external=NO_REVISION, parent_events=True)
    rates(E, value=2)(world)
    world.drain()
    before = dict(world.external.calls)
    tell_of_the_product(world)
    assert {
        name: count - before[name]
        for name, count in world.external.calls.items()
        if count != before[name]
    } == {"children": 1}


def test_product_that_is_not_mapped_is_held_once_and_followed_when_it_is(
    make_ledger: LedgerMaker,
) -> None:
    world = a_world(make_ledger, external=NO_REVISION)
    world.external.on_event = lambda event: None
    for number in range(3):
        person = replace(world.persons[0], email=f"somebody{number}@example.com")
        world.external.visitor_rates(EntityRef("sku-new"), person, {"value": Decimal(4)})
    tell_of_the_product(world, "sku-new")
    assert world.external.calls["get"] == 0
    assert held_reasons(world) == {"unknown_entity"}
    world.ledger.directory.add_entity(
        world.site.id, EntityRef("product-new", "stores", "reviews"), EntityRef("sku-new")
    )
    world.queue += world.ledger.inbox.release_held(
        world.site.id, hold_key="entity:external::sku-new"
    )
    world.drain()
    assert held_reasons(world) == {"unknown_contact"}
    tell_of_the_product(world, "sku-new")
    assert world.external.calls["get"] == 3, "records that are held already were looked at again"


def test_product_that_is_not_mapped_is_skipped_where_the_owner_wants_that() -> None:
    world = a_world(external=NO_REVISION, policy=Policy(unknown_entity=UnknownEntity.SKIP))
    world.external.on_event = lambda event: None
    world.external.visitor_rates(EntityRef("sku-new"), world.persons[0], {"value": Decimal(4)})
    tell_of_the_product(world, "sku-new")
    assert (held_reasons(world), world.external.calls["get"]) == (set(), 0)


def test_listing_that_fails_half_way_deletes_nothing() -> None:
    world = a_world(external=NO_REVISION, parent_events=True)
    rates(E, value=2)(world)
    world.drain()
    world.external.fault = lambda operation: "unavailable" if operation == "children" else None
    event = NewDelivery(E, "own-service", world.post.new_id(), Change.PARENT_CHANGED, "sku-0", {})
    stored = world.ledger.inbox.store(event).inbox_id
    world.queue.append(stored)
    while world.workers or world.queue:
        if world.queue:
            world.start_worker(world.queue.pop(0))
        world.step_worker(0)
    assert ending_of(world) == ("40", "2")
    assert [
        row.delivery.id for row in world.ledger.rows.values() if str(row.delivery.state) == "new"
    ] == [stored]


# -- records of nobody


def rated_without_an_address(world: World) -> None:
    world.external.on_event = lambda event: None
    nobody = replace(world.persons[0], email=None)
    record = world.external.visitor_rates(world.entities[0][1], nobody, {"value": Decimal(4)})
    world.post.hint(E, Change.UPSERT, record.remote_id)
    world.drain()


def test_record_without_an_address_is_held() -> None:
    world = a_world(external=NO_REVISION)
    rated_without_an_address(world)
    assert (held_reasons(world), world.wix.records) == ({"no_email"}, {})


def test_record_without_an_address_ends_where_the_manifest_says_skip(
    make_ledger: LedgerMaker,
) -> None:
    world = a_world(make_ledger, external=replace(NO_REVISION, skips_without_email=True))
    rated_without_an_address(world)
    assert (held_reasons(world), world.wix.records) == (set(), {})
    assert [remote_id for remote_id, _ in world.ledger.closed_with("no_email_skipped")] == ["e1"]


# -- a follow-up without stars


@pytest.mark.parametrize("way", ["event", "sweep", "poll"])
def test_follow_up_without_stars_leaves_the_rating_where_it_is(way: str) -> None:
    """The newest record of a person stands for all, but one without a rating says nothing."""
    world = World(0, Options(CALM, people=1, external=NO_REVISION), memory_ledger)
    entity, person = world.entities[0][1], world.persons[0]
    rated = world.external.visitor_rates(entity, person, {"value": Decimal(4)})
    world.drain()
    world.external.visitor_rates(entity, person, {})
    if way != "event":
        world.post.webhooks.clear()
        {"sweep": World.sweep, "poll": World.poll}[way](world)
    world.settle()
    assert [one.values["overall"] for one in world.wix.records.values()] == [Decimal(80)]
    world.external.visitor_changes(rated.remote_id, {"value": Decimal(1)})
    world.settle()
    assert [one.values["overall"] for one in world.wix.records.values()] == [Decimal(20)]


@pytest.mark.parametrize("way", ["event", "sweep"])
def test_erasure_takes_along_a_follow_up_without_stars(way: str) -> None:
    """It has no rating to keep in step, and its words are the person's all the same."""
    world = World(0, Options(CALM, people=2, external=NO_REVISION), memory_ledger)
    entity, person = world.entities[0][1], world.persons[0]
    world.external.visitor_rates(entity, person, {"value": Decimal(4)})
    world.drain()
    world.external.visitor_rates(entity, person, {})
    if way == "sweep":
        world.post.webhooks.clear()
        world.sweep()
    world.drain()
    world.crowd.erase(person)
    world.settle()
    assert (world.wix.records, world.external.records) == ({}, {})
    assert broken_invariants(world) == []


def test_follow_up_without_stars_displaces_the_rating_without_that_rule() -> None:
    with without("rated before unrated"):
        world = World(0, Options(CALM, people=1, external=NO_REVISION), memory_ledger)
        entity, person = world.entities[0][1], world.persons[0]
        world.external.visitor_rates(entity, person, {"value": Decimal(4)})
        world.drain()
        world.external.visitor_rates(entity, person, {})
        world.settle()
        assert not world.wix.records
