"""Who asks to be forgotten takes all of theirs along outside, and nothing of anybody else's."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sync_worker.core.values import Change, Person
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes
from tests.simulation.test_moves import (
    ACCURATE,
    SHOP,
    WAYS,
    W,
    a_world,
    look,
    make_ledger,
    on_wix,
)
from tests.simulation.world import LedgerMaker, World

__all__ = ["make_ledger"]
STRANGER = Person(email=None, name="Stranger")


def rates_again(world: World) -> None:
    """The first person gives the first product another record: the older one steps behind it."""
    world.external.visitor_rates(world.entities[0][1], world.persons[0], {"value": Decimal(2)})
    world.drain()


def loses_contact(world: World) -> None:
    """The owner deletes the first person's contact: nobody knows their address any more."""
    person = world.persons[0]
    world.people.contacts.pop(str(person.contact_id))
    world.post.tell_of_contact(Change.CONTACT_DELETED, person, {})
    world.drain()


def asks_on_wix(world: World) -> None:
    """Wix deletes the ratings there for a privacy request."""
    for remote_id in list(world.wix.records):
        world.wix.visitor_deletes(remote_id, privacy=True)
    world.settle()


# -- of somebody else by now


@pytest.mark.parametrize("way", [*WAYS, "unheard"])
def test_record_behind_another_that_moved_survives(way: str, make_ledger: LedgerMaker) -> None:
    """It is another person's since, whether that is on file yet or not."""
    world = a_world(make_ledger)
    rates_again(world)
    world.external.owner_moves("e1", person=world.persons[1])
    if way == "unheard":
        world.post.webhooks.clear()
    else:
        look(world, way)
    world.crowd.erase(world.persons[0])
    world.settle()
    assert list(world.external.records) == ["e1"]
    assert on_wix(world) == {"product-0 contact-1": "80"}
    assert broken_invariants(world) == []


def test_record_on_file_elsewhere_survives_without_an_address(make_ledger: LedgerMaker) -> None:
    """Nothing is left to compare its address with, but the ledger knows whose it is."""
    world = a_world(make_ledger)
    rates_again(world)
    world.external.owner_moves("e1", person=world.persons[1])
    look(world, "event")
    loses_contact(world)
    asks_on_first_person = [
        one.remote_id
        for one in world.wix.records.values()
        if one.person.contact_id == world.persons[0].contact_id
    ]
    for remote_id in asks_on_first_person:
        world.wix.visitor_deletes(remote_id, privacy=True)
    world.settle()
    assert list(world.external.records) == ["e1"]


# -- nobody's address is no address


def test_erasure_without_an_address_spares_strangers(make_ledger: LedgerMaker) -> None:
    """Who has no address is not everybody else who has none."""
    world = a_world(make_ledger)
    world.external.visitor_rates(world.entities[0][1], STRANGER, {}, words=True)
    world.drain()
    loses_contact(world)
    asks_on_wix(world)
    assert list(world.external.records) == ["e2"]


@pytest.mark.parametrize("external", [ACCURATE, SHOP], ids=["unique", "several"])
def test_person_without_an_address_takes_no_strangers_rating(
    external: object, make_ledger: LedgerMaker
) -> None:
    """The rating of a person without an address was deleted; a stranger's is not it."""
    world = a_world(make_ledger, external=external)
    words = {"value": Decimal(5)}
    world.external.visitor_rates(world.entities[0][1], STRANGER, words, words=True)
    world.drain()
    loses_contact(world)
    changes(W, overall=20)(world)
    world.external.visitor_deletes("e1")
    world.settle()
    assert world.external.records["e2"].values == words
