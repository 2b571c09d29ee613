"""What the owner decides, and what keeps a mistake from becoming a disaster."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.values import (
    Change,
    EntityRef,
    NewDelivery,
    Person,
    Policy,
    Side,
    SiteState,
    UnknownContact,
)
from tests.simulation.ablations import without
from tests.simulation.scenarios import ending_of, rates
from tests.simulation.world import CALM, LedgerMaker, Options, World
from tests.twins.memory_ledger import memory_ledger

W, E = Side.WIX, Side.EXTERNAL


def a_world(make_ledger: LedgerMaker = memory_ledger, **options: Any) -> World:
    return World(0, Options(CALM, people=1, sweeps=False, **options), make_ledger)


def held_reasons(world: World) -> set[str]:
    if hasattr(world.ledger, "engine"):
        from sync_worker.ledger.administration.admin import ledger_admin

        return {one.reason for one in ledger_admin(world.ledger.engine).held.all()}
    return {
        row.delivery.reason
        for row in world.ledger.rows.values()
        if str(row.delivery.state) == "held"
    }


# -- the delete brake


def many_ratings(world: World) -> list[str]:
    for wix, _ in world.entities:
        world.wix.visitor_rates(wix, world.persons[0], {"overall": Decimal(80)})
    world.drain()
    assert len(world.external.records) == len(world.entities)
    return list(world.wix.records)


def test_delete_brake_holds_what_follows_twenty_deletes_in_an_hour(
    make_ledger: LedgerMaker,
) -> None:
    """The delete brake stops after twenty deletes in an hour and holds the rest."""
    world = a_world(make_ledger, entities=30)
    for remote_id in many_ratings(world):
        world.wix.visitor_deletes(remote_id)
    world.drain()
    assert len(world.external.records) == 10
    assert held_reasons(world) == {"delete_brake"}


def test_privacy_deletes_are_exempt_from_the_brake(make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger, entities=30)
    for remote_id in many_ratings(world):
        world.wix.visitor_deletes(remote_id, privacy=True)
    world.drain()
    assert world.external.records == {}


# -- recovery (rule R11)


def test_in_recovery_changes_cross_and_deletes_are_held_but_for_privacy(
    make_ledger: LedgerMaker,
) -> None:
    world = a_world(make_ledger, entities=3)
    changed, deleted, erased = many_ratings(world)
    world.ledger.sites.note_lifecycle(world.site.id, SiteState.RECOVERY, None)
    world.wix.visitor_changes(changed, {"overall": Decimal(40)})
    world.wix.visitor_deletes(deleted)
    world.wix.visitor_deletes(erased, privacy=True)
    world.drain()
    assert len(world.external.records) == 2
    assert held_reasons(world) == {"site_recovery"}
    assert Decimal(2) in [record.values["value"] for record in world.external.records.values()]


# -- people and things that are unknown


def stranger(world: World) -> None:
    person = Person(contact_id=None, email="dora@example.com", name="Dora")
    world.external.on_event = lambda event: None
    record = world.external.visitor_rates(world.entities[0][1], person, {"value": Decimal(4)})
    assert record is not None
    world.post.hint(E, Change.UPSERT, record.remote_id)
    world.drain()


def test_stranger_is_held_and_released_by_the_contact_that_appears() -> None:
    world = a_world()
    stranger(world)
    assert held_reasons(world) == {"unknown_contact"}
    world.people.add("contact-dora", "dora@example.com")
    event = NewDelivery(
        W,
        "instance-1",
        "contact-event",
        Change.CONTACT_CHANGED,
        "contact-dora",
        {"email": "Dora@example.com"},
    )
    world.queue.append(world.ledger.inbox.store(event).inbox_id)
    world.drain()
    assert held_reasons(world) == set()
    assert [str(one.values["overall"]) for one in world.wix.records.values()] == ["80"]


@pytest.mark.parametrize("is_private", [False, True])
def test_event_of_the_other_api_of_wix_asks_nobody(
    make_ledger: LedgerMaker, is_private: bool
) -> None:
    """The site keeps ratings; whoever asks to be forgotten is looked for all the same."""
    world = a_world(make_ledger)
    payload = {"entityFqdn": "wix.reviews.v1.review", "record": "none that can be read"}
    change = Change.DELETE if is_private else Change.UPSERT
    event = NewDelivery(W, "instance-1", "e", change, "review-1", payload, privacy=is_private)
    inbox_id = world.ledger.inbox.store(event).inbox_id
    outcome = str(world.intake.process(inbox_id))
    assert outcome == ("done erased" if is_private else "done other_wix_api")
    assert (world.ledger.open_count(), sum(world.wix.calls.values())) == (0, 0)


def test_stranger_is_created_where_the_owner_wants_that() -> None:
    world = a_world(policy=Policy(unknown_contact=UnknownContact.CREATE))
    stranger(world)
    assert len(world.wix.records) == 1


def test_stranger_is_skipped_where_the_owner_wants_that() -> None:
    world = a_world(policy=Policy(unknown_contact=UnknownContact.SKIP))
    stranger(world)
    assert (len(world.wix.records), held_reasons(world)) == (0, set())


def told_again(world: World) -> None:
    stranger(world)
    for remote_id in world.external.records:
        world.post.hint(E, Change.UPSERT, remote_id)
    world.drain()


def test_rating_that_nobody_can_resolve_is_held_once(make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger)
    told_again(world)
    assert world.ledger.held_reasons() == ["unknown_contact"]
    with without("one held word of a record"):
        other = a_world()
        told_again(other)
    assert len(other.ledger.held_reasons()) > 1


def test_unknown_entity_is_held_and_released_when_it_is_mapped() -> None:
    world = a_world()
    new = EntityRef("product-new", "stores", "reviews")
    world.wix.on_event = lambda event: None
    record = world.wix.visitor_rates(new, world.persons[0], {"overall": Decimal(80)})
    world.post.hint(W, Change.UPSERT, record.remote_id)
    world.drain()
    assert held_reasons(world) == {"unknown_entity"}
    world.ledger.directory.add_entity(world.site.id, new, EntityRef("sku-new"))
    world.queue += world.ledger.inbox.release_held(
        world.site.id, hold_key="entity:wix:reviews:stores:product-new"
    )
    world.drain()
    assert [one.entity for one in world.external.records.values()] == [EntityRef("sku-new")]


def test_entity_that_is_mapped_while_it_is_being_held_is_not_forgotten() -> None:
    """The mapping is committed and released just before the hold: the worker looks once more."""
    world = a_world()
    new = EntityRef("product-new", "stores", "reviews")
    world.wix.on_event = lambda event: None
    record = world.wix.visitor_rates(new, world.persons[0], {"overall": Decimal(80)})

    def map_it(place: str) -> None:
        if place == "before ledger.hold":
            world.on_step = lambda place: None
            world.ledger.directory.add_entity(world.site.id, new, EntityRef("sku-new"))
            assert (
                world.ledger.inbox.release_held(
                    world.site.id, hold_key="entity:wix:reviews:stores:product-new"
                )
                == []
            )

    world.on_step = map_it
    world.post.hint(W, Change.UPSERT, record.remote_id)
    world.drain()
    assert held_reasons(world) == set()
    assert len(world.external.records) == 1


# -- where ratings may go


@pytest.mark.parametrize(
    ("direction", "side", "ending"),
    [
        ("to_external", W, ("80", "4")),
        ("to_external", E, (None, "4")),
        ("to_wix", E, ("80", "4")),
        ("to_wix", W, ("80", None)),
    ],
)
def test_direction_is_kept(
    direction: str, side: Side, ending: tuple[str | None, str | None]
) -> None:
    world = a_world(policy=Policy.of({"direction": direction}))
    rates(side, **({"overall": 80} if side is W else {"value": 4}))(world)
    world.drain()
    assert ending_of(world) == ending


def test_two_sites_never_mix(make_ledger: LedgerMaker) -> None:
    """The same contact, entity and record ids on two sites are two ratings (I23)."""
    world = a_world(make_ledger)
    other = world.ledger.add_site("instance-2", "other-service", Policy(), world.options.fields)
    rates(W, overall=80)(world)
    world.drain()
    assert world.ledger.directory.locate(world.site.id, W, "w1").is_on_file
    assert not world.ledger.directory.locate(other.id, W, "w1").is_on_file
    assert world.ledger.directory.entity(other.id, W, world.entities[0][0]) is None
    assert world.ledger.directory.contact(other.id, contact_id="contact-0") is None


# -- a remote that is left alone


def test_waiting_for_a_remote_that_is_left_alone_is_no_failed_attempt(
    make_ledger: LedgerMaker,
) -> None:
    """Or one failure after a minute of waiting would put the delivery off for an hour."""
    world = a_world(make_ledger, entities=1)
    faults = {"reserve_request": ["away"] * 12, "create": ["refused_connection"]}
    world.external.fault = lambda operation: (
        faults[operation].pop() if faults.get(operation) else None
    )
    world.wix.visitor_rates(world.entities[0][0], world.persons[0], {"overall": Decimal(80)})
    started = world.now
    world.drain()
    assert len(world.external.records) == 1
    assert faults == {"reserve_request": [], "create": []}
    assert world.now - started <= 20 * 30.0
