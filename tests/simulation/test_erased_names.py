"""What comes in late, and names somebody who was erased, leaves nothing of them on file."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import (
    Change,
    EntityRef,
    NewDelivery,
    Person,
    Policy,
    RatingKey,
    Side,
    SiteState,
)
from tests.simulation.moved import SHOP, E, gives_to, on_wix
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import rates
from tests.simulation.test_decisions import ANNA, decisions
from tests.simulation.test_erasures import NUMBERED
from tests.simulation.world import CALM, LedgerMaker, Options, World

ELSEWHERE = EntityRef("sku-unknown")


def erased(world: World) -> Person:
    """The first person has asked to be forgotten, and is."""
    person = world.persons[0]
    world.crowd.erase(person)
    world.drain()
    return person


def key_of(world: World, person: Person) -> RatingKey:
    entity = world.ledger.directory.entity(world.site.id, Side.WIX, world.entities[0][0])
    return RatingKey(world.site.id, entity.id, str(person.contact_id))


def assert_forgotten(world: World, person: Person) -> None:
    left = world.ledger.everything()
    assert str(person.email) not in left
    assert f"'{person.contact_id}'" not in left


def test_news_of_when_a_record_was_theirs_is_emptied(make_ledger: LedgerMaker) -> None:
    """It is another person's by now, whose rating stays; the event ends as no news."""
    world = World(0, Options(CALM, people=2, external=NUMBERED), make_ledger)
    rates(E, value=4)(world)
    late = world.post.webhooks.pop()
    gives_to(world, 1)
    world.drain()
    person = erased(world)
    world.post.webhooks.append(late)
    world.settle()
    assert on_wix(world) == {"product-0 contact-1": "80"}
    assert_forgotten(world, person)
    assert broken_invariants(world) == []


def test_record_given_away_after_the_request_stays_forgotten(make_ledger: LedgerMaker) -> None:
    """It had only just been told of: nothing but the hash of its id is left."""
    world = World(0, Options(CALM, people=2, external=NUMBERED), make_ledger)
    rates(E, value=4)(world)
    world.post.deliver(0)
    world.queue.clear()
    person = world.persons[0]
    world.crowd.erase(person)
    world.post.deliver(0)
    world.work(world.queue.pop())
    gives_to(world, 1)
    world.settle()
    assert on_wix(world) == {}
    assert_forgotten(world, person)
    assert broken_invariants(world) == []


def test_news_of_a_record_that_is_gone_is_emptied(make_ledger: LedgerMaker) -> None:
    """It was another person's when it was deleted: no tombstone says whose it was before."""
    world = World(0, Options(CALM, people=2, external=NUMBERED), make_ledger)
    rates(E, value=4)(world)
    late = world.post.webhooks.pop()
    gives_to(world, 1)
    world.drain()
    world.external.visitor_deletes("e1")
    world.drain()
    person = erased(world)
    world.post.webhooks.append(late)
    world.settle()
    assert on_wix(world) == {}
    assert_forgotten(world, person)


@pytest.mark.parametrize("external", [NUMBERED, SHOP], ids=["told", "hinted"])
def test_rating_of_an_unknown_thing_is_not_held_for_them(
    external: Capabilities, make_ledger: LedgerMaker
) -> None:
    """The thing is looked for before the person; but nothing of them waits for it."""
    world = World(0, Options(CALM, people=2, external=external), make_ledger)
    person = erased(world)
    world.external.visitor_rates(ELSEWHERE, person, {"value": Decimal(4)})
    world.drain()
    assert world.ledger.held_reasons() == []
    assert_forgotten(world, person)


def test_rating_on_wix_of_an_unknown_thing_is_not_held_for_them(make_ledger: LedgerMaker) -> None:
    world = World(0, Options(CALM, people=2), make_ledger)
    world.wix.visitor_rates(EntityRef("unknown"), world.persons[0], {"overall": Decimal(80)})
    late = world.post.webhooks.pop()
    person = erased(world)
    world.post.webhooks.append(late)
    world.drain()
    assert world.ledger.held_reasons() == []
    assert_forgotten(world, person)


def test_who_came_back_is_held_for_an_unknown_thing(make_ledger: LedgerMaker) -> None:
    """Wix knows the address again: its owner rates as anybody does."""
    world = World(0, Options(CALM, people=2), make_ledger)
    person = erased(world)
    world.people.add("contact-new", person.email)
    world.external.visitor_rates(ELSEWHERE, person, {"value": Decimal(4)})
    world.drain()
    assert world.ledger.held_reasons() == ["unknown_entity"]


def test_rating_made_anew_outlives_the_request_of_another(make_ledger: LedgerMaker) -> None:
    """A rating deleted for privacy leaves a hash of the address, which does not say whose it is."""
    world = World(0, Options(CALM, people=2), make_ledger)
    rates(E, value=4)(world)
    world.drain()
    world.wix.visitor_deletes("w1", privacy=True)
    world.drain()
    rates(E, value=2)(world)
    world.post.deliver_some(world.chance.random)
    # It waits for the sweeper to ring again.
    world.queue.clear()
    world.crowd.erase(world.persons[1])
    world.drain()
    assert on_wix(world) == {"product-0 contact-0": "40"}
    assert broken_invariants(world) == []


# -- what is held for another reason


def late_news_of_another(make_ledger: LedgerMaker) -> tuple[World, Person, NewDelivery]:
    """Of a record that was theirs once, and is the rating of somebody else."""
    world = World(0, Options(CALM, people=2, external=NUMBERED), make_ledger)
    rates(E, value=4)(world)
    late = world.post.webhooks.pop()
    gives_to(world, 1)
    world.drain()
    return world, erased(world), late


def test_news_that_a_stopped_rating_holds_keeps_nothing_of_them(make_ledger: LedgerMaker) -> None:
    world, person, late = late_news_of_another(make_ledger)
    (entity, _), other = world.entities[0], world.persons[1]
    link_id = world.ledger.links.link_id(key_of(world, other))
    decisions(world).stop(ANNA, link_id, "why")
    world.drain()
    world.post.webhooks.append(late)
    world.drain()
    assert "link_held" in world.ledger.held_reasons()
    assert_forgotten(world, person)
    decisions(world).go_on(ANNA, link_id, "why")
    world.settle()
    assert (world.ledger.held_reasons(), on_wix(world)) == ([], {"product-0 contact-1": "80"})
    assert not world.is_held(entity, other)
    assert broken_invariants(world) == []


def test_news_that_a_paused_site_holds_keeps_nothing_of_them(make_ledger: LedgerMaker) -> None:
    """Nobody asks whose record it is before the site goes on."""
    world, person, late = late_news_of_another(make_ledger)
    world.ledger.sites.note_lifecycle(world.site.id, SiteState.PAUSED, None)
    world.post.webhooks.append(late)
    world.drain()
    assert world.ledger.held_reasons() == ["site_paused"]
    assert_forgotten(world, person)


# -- addresses that only an event of the contact has told


def tells_address(world: World, email: str) -> None:
    world.post.tell_of_contact(Change.CONTACT_CHANGED, world.persons[0], {"email": email})


@pytest.mark.parametrize("policy", ["hold", "create"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_address_that_was_only_told_brings_nobody_back(
    when: str, policy: str, make_ledger: LedgerMaker
) -> None:
    """Nobody has rated under it, so no mapping has it; told before or after the request."""
    options = Options(CALM, people=2, policy=Policy.of({"unknown_contact": policy}))
    world = World(0, options, make_ledger)
    second = "second@example.com"
    if when == "before":
        tells_address(world, second)
        world.drain()
    person = erased(world)
    if when == "after":
        tells_address(world, second)
        world.drain()
    entity = world.entities[0][1]
    world.external.visitor_rates(entity, Person(email=second), {"value": Decimal(4)})
    world.drain()
    assert (world.ledger.held_reasons(), world.people.calls["create"]) == ([], 0)
    assert world.wix.records == {}
    assert second not in world.ledger.everything()
    assert_forgotten(world, person)


def test_address_that_is_somebody_elses_stays_theirs(make_ledger: LedgerMaker) -> None:
    """An event of the one who goes named it, and it is on file for another."""
    world = World(0, Options(CALM, people=2), make_ledger)
    other = world.persons[1]
    tells_address(world, str(other.email))
    world.drain()
    erased(world)
    world.external.visitor_rates(world.entities[0][1], other, {"value": Decimal(4)})
    world.drain()
    assert on_wix(world) == {"product-0 contact-1": "80"}
