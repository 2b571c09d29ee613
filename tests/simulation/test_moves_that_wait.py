"""Records that move to nobody known, or onto a rating, wait; and moves beside other things."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import (
    Change,
    EntityRef,
    HistoryEntry,
    HistoryKind,
    Person,
    Policy,
    RecordState,
)
from tests.simulation.ablations import without
from tests.simulation.moved import WAYS, W, a_world, gives_address, gives_to, look, on_wix
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes
from tests.simulation.world import LedgerMaker, World
from tests.twins.memory_ledger import memory_ledger

ONTO_RATING = "moved_onto_rating"


# -- what waits


@pytest.mark.parametrize("way", WAYS)
def test_record_of_somebody_unknown_waits_and_nothing_is_deleted(
    way: str, make_ledger: LedgerMaker
) -> None:
    """Until Wix knows the address; then the rating is theirs."""
    world = a_world(make_ledger)
    gives_address(world, "new@example.com")
    look(world, way)
    assert on_wix(world) == {"product-0 contact-0": "80"}
    assert set(world.ledger.held_reasons()) == {"unknown_contact"}
    world.people.add("contact-9", "new@example.com")
    world.persons.append(Person(contact_id="contact-9", email="new@example.com"))
    told = {"email": "new@example.com"}
    world.post.tell_of_contact(Change.CONTACT_CHANGED, world.persons[-1], told)
    world.drain()
    assert on_wix(world) == {"product-0 contact-9": "80"}
    assert world.ledger.held_reasons() == []


def test_address_that_is_corrected_back_frees_what_waits() -> None:
    world = a_world()
    gives_address(world, "tpyo@example.com")
    world.drain()
    gives_to(world, 0)
    world.drain()
    assert [entry.operation for entry in world.wix.journal] == ["create"]
    assert world.ledger.held_reasons() == []


def test_edit_on_wix_never_lands_on_a_strangers_record() -> None:
    """While nobody knows whose the record is, it is not written to."""
    world = a_world()
    gives_address(world, "new@example.com")
    world.drain()
    changes(W, overall=20)(world)
    world.drain()
    assert world.external.records["e1"].values == {"value": Decimal(4)}
    assert set(world.ledger.held_reasons()) == {"unknown_contact"}


@pytest.mark.parametrize(
    ("policy", "ending"),
    [
        ({"unknown_contact": "create"}, {"product-0 contact-3": "80"}),
        ({"unknown_contact": "skip"}, {"product-0 contact-0": "80"}),
    ],
    ids=["create", "skip"],
)
def test_unknown_person_follows_the_policy(policy: dict[str, str], ending: dict[str, str]) -> None:
    """But who has a rating, and has edited an address outside, does not lose it by ``skip``."""
    world = a_world(policy=Policy.of(policy))
    gives_address(world, "new@example.com")
    world.drain()
    assert on_wix(world) == ending
    held = ["unknown_contact"] if policy["unknown_contact"] == "skip" else []
    assert world.ledger.held_reasons() == held


def test_skip_does_not_keep_a_record_from_somebody_known() -> None:
    world = a_world(policy=Policy.of({"unknown_contact": "skip"}))
    gives_to(world, 1)
    world.drain()
    assert on_wix(world) == {"product-0 contact-1": "80"}


def test_address_that_was_edited_and_becomes_known_ends_the_hold() -> None:
    world = a_world(policy=Policy.of({"unknown_contact": "skip"}))
    gives_address(world, "new@example.com")
    world.drain()
    world.people.aliases["contact-0"] = ["new@example.com"]
    world.post.tell_of_contact(
        Change.CONTACT_CHANGED, world.persons[0], {"email": "new@example.com"}
    )
    look(world, "sweep")
    assert on_wix(world) == {"product-0 contact-0": "80"}
    assert world.ledger.held_reasons() == []


def test_record_under_an_unmapped_product_waits() -> None:
    world = a_world()
    world.external.owner_moves("e1", entity=EntityRef("sku-9"))
    world.drain()
    assert on_wix(world) == {"product-0 contact-0": "80"}
    assert set(world.ledger.held_reasons()) == {"unknown_entity"}


def a_collision(make_ledger: LedgerMaker = memory_ledger) -> World:
    """The record was given to somebody who has rated the same thing."""
    world = a_world(make_ledger)
    world.external.visitor_rates(world.entities[0][1], world.persons[1], {"value": Decimal(1)})
    world.drain()
    gives_to(world, 1)
    world.drain()
    return world


def test_record_given_to_somebody_with_a_rating_is_held(make_ledger: LedgerMaker) -> None:
    """Nothing is deleted, nothing doubled: a person has to say which one counts."""
    world = a_collision(make_ledger)
    both = {"product-0 contact-0": "80", "product-0 contact-1": "20"}
    for way in WAYS:
        look(world, way)
        assert on_wix(world) == both
        assert set(world.ledger.held_reasons()) == {ONTO_RATING}


def test_hold_ends_as_the_other_rating_goes() -> None:
    world = a_collision()
    world.external.visitor_deletes("e2")
    world.drain()
    world.sweep()
    world.drain()
    assert on_wix(world) == {"product-0 contact-1": "80"}
    assert world.ledger.held_reasons() == []


def test_hold_ends_as_the_record_is_given_back() -> None:
    world = a_collision()
    gives_to(world, 0)
    world.drain()
    assert on_wix(world) == {"product-0 contact-0": "80", "product-0 contact-1": "20"}
    assert world.ledger.held_reasons() == []


# -- beside other things


def test_edit_on_wix_beside_a_move_makes_a_record_of_its_own() -> None:
    """Edit wins over a delete, and so over a record that goes: both people keep their word."""
    world = a_world()
    changes(W, overall=20)(world)
    gives_to(world, 1)
    world.drain()
    assert on_wix(world) == {"product-0 contact-0": "20", "product-0 contact-1": "80"}
    shown = {one.person.email: str(one.values["value"]) for one in world.external.records.values()}
    assert shown == {"person0@example.com": "1", "person1@example.com": "4"}


def test_deletes_that_are_ignored_leave_the_old_rating() -> None:
    world = a_world(policy=Policy.of({"deletes": "ignore"}))
    gives_to(world, 1)
    world.drain()
    assert on_wix(world) == {"product-0 contact-0": "80", "product-0 contact-1": "80"}


def test_delete_brake_holds_a_move_whole() -> None:
    """Not withdrawn, so not made anew either."""
    world = a_world()
    for number in range(20):
        line = HistoryEntry(HistoryKind.DELETE, W, "overall", remote_id=f"w{number}")
        world.ledger.state.history.append((1, world.now, line))
    gives_to(world, 1)
    world.drain()
    assert on_wix(world) == {"product-0 contact-0": "80"}
    assert set(world.ledger.held_reasons()) == {"delete_brake"}


def test_moved_record_that_waits_for_a_moderator_is_on_wix_once_published() -> None:
    world = a_world()
    world.external.moderator_sets("e1", RecordState.PENDING)
    gives_to(world, 1)
    world.drain()
    assert on_wix(world) == {}
    world.external.moderator_sets("e1", RecordState.PUBLISHED)
    world.drain()
    assert on_wix(world) == {"product-0 contact-1": "80"}


def test_erasure_leaves_a_record_that_is_somebody_elses_now(make_ledger: LedgerMaker) -> None:
    """Who asks to be forgotten takes nothing of others along, and nothing of theirs stays."""
    world = a_world(make_ledger)
    gives_to(world, 1)
    world.crowd.erase(world.persons[0])
    world.settle()
    assert on_wix(world) == {"product-0 contact-1": "80"}
    assert list(world.external.records) == ["e1"]
    assert broken_invariants(world) == []


def test_record_that_left_before_an_erasure_is_brought_to_wix(make_ledger: LedgerMaker) -> None:
    """Wherever the worker died in between: its tombstone was taken for one of the erased person."""
    # The steps between the commit that lets it go and the one that puts it on file elsewhere.
    for step in (40, 42, 44):
        world = a_world(make_ledger, external=Capabilities(many_fields=True))
        world.crash_steps = {world.steps + step}
        gives_to(world, 1)
        for _ in range(step + 6):
            world.step_in_order()
        world.crowd.erase(world.persons[0])
        world.settle()
        assert on_wix(world) == {"product-0 contact-1": "80"}, step
        assert broken_invariants(world) == []


def test_erasure_does_not_wait_for_an_unknown_address(make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger)
    gives_address(world, "new@example.com")
    world.drain()
    world.crowd.erase(world.persons[0])
    world.drain()
    assert (world.wix.records, world.external.records) == ({}, {})
    assert world.ledger.held_reasons() == []


# -- the tests are tested


@pytest.mark.parametrize("way", WAYS)
def test_moves_are_missed_without_a_look_at_whose_it_is(way: str) -> None:
    world = a_world()
    with without("whose a record is"):
        gives_to(world, 1)
        look(world, way)
        assert on_wix(world) == {"product-0 contact-0": "80"}
        assert any(line.startswith("I1 ") for line in broken_invariants(world))


def test_sweep_misses_a_move_without_whose_a_row_is() -> None:
    world = a_world()
    with without("whose a listed record is"):
        gives_to(world, 1)
        look(world, "sweep")
        assert any(line.startswith("I1 ") for line in broken_invariants(world))


def test_crash_loses_a_record_that_is_not_told_of_with_the_move() -> None:
    world = a_world()
    with without("delivery of a moved record"):
        gives_to(world, 1)
        world.drain()
        assert any(line.startswith("I1 ") for line in broken_invariants(world))


def test_move_onto_a_rating_deletes_without_the_hold() -> None:
    with without("one rating for whom it names"):
        assert on_wix(a_collision()) == {"product-0 contact-1": "20"}
