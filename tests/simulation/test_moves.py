"""Records that somebody outside gave to another person or another thing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import (
    Change,
    EntityRef,
    HistoryEntry,
    HistoryKind,
    Person,
    Policy,
    Record,
    RecordState,
    Side,
)
from tests.simulation.ablations import without
from tests.simulation.chaos import NO_REVISION, sql_ledger
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes
from tests.simulation.world import CALM, LedgerMaker, Options, World
from tests.twins.memory_ledger import memory_ledger
from tests.twins.memory_remote import MemoryRemote

W, E = Side.WIX, Side.EXTERNAL
ACCURATE, SHOP = Options().external, NO_REVISION
ONTO_RATING = "moved_onto_rating"
WAYS = ("event", "poll", "sweep")


@pytest.fixture(params=[memory_ledger, sql_ledger], ids=["memory", "sql"])
def make_ledger(request: pytest.FixtureRequest) -> LedgerMaker:
    made: LedgerMaker = request.param
    return made


def a_world(make_ledger: LedgerMaker = memory_ledger, **options: Any) -> World:
    """Two people, two products; the first person has rated the first product outside."""
    options = {"external": SHOP} | options
    world = World(0, Options(CALM, people=2, entities=2, **options), make_ledger)
    world.external.visitor_rates(world.entities[0][1], world.persons[0], {"value": Decimal(4)})
    world.drain()
    assert on_wix(world) == {"product-0 contact-0": "80"}
    return world


def on_wix(world: World) -> dict[str, str]:
    """What Wix shows of which thing by whom."""
    return {
        f"{one.entity.entity_id} {one.person.contact_id}": str(one.values["overall"])
        for one in world.wix.records.values()
        if one.entity is not None
    }


def gives_to(world: World, number: int) -> None:
    """The shop's owner gives the record to another person."""
    world.external.owner_moves("e1", person=world.persons[number])


def puts_under(world: World, number: int) -> None:
    """The shop's owner puts the record under another product."""
    world.external.owner_moves("e1", entity=world.entities[number][1])


def gives_address(world: World, email: str | None) -> None:
    world.external.owner_moves("e1", person=Person(email=email))


def look(world: World, way: str) -> None:
    """What changed outside comes to us one way."""
    if way != "event":
        world.post.webhooks.clear()
        world.now += 3600.0
    if way == "poll":
        world.poll()
    if way == "sweep":
        world.sweep()
    world.drain()


# -- where it goes


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("external", [ACCURATE, SHOP], ids=["revisions", "no revisions"])
def test_record_given_to_another_person_moves_on_wix(
    way: str, external: Any, make_ledger: LedgerMaker
) -> None:
    """The rating of the one goes, the other has it: once, by every way."""
    world = a_world(make_ledger, external=external)
    gives_to(world, 1)
    look(world, way)
    assert on_wix(world) == {"product-0 contact-1": "80"}
    assert world.ledger.held_reasons() == []
    assert broken_invariants(world) == []


@pytest.mark.parametrize("way", WAYS)
def test_record_put_under_another_product_moves_on_wix(way: str, make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger)
    puts_under(world, 1)
    look(world, way)
    assert on_wix(world) == {"product-1 contact-0": "80"}
    assert broken_invariants(world) == []


def test_move_is_in_the_history_without_a_name() -> None:
    world = a_world()
    gives_to(world, 1)
    world.drain()
    lines = [(line.what, line.side, line.reason) for line in world.ledger.history_entries()]
    assert lines == [
        (HistoryKind.CREATE, W, "changed"),
        (HistoryKind.DELETE, W, "moved"),
        (HistoryKind.MOVE, E, "it names another person or thing now"),
        (HistoryKind.CREATE, W, "changed"),
    ]


def test_record_moves_and_changes_in_one_go() -> None:
    world = a_world()
    record = world.external.records["e1"]
    world.external.records["e1"] = replace(record, values={"value": Decimal(1)})
    gives_to(world, 1)
    world.drain()
    assert on_wix(world) == {"product-0 contact-1": "20"}


def test_record_that_comes_back_is_on_wix_again(make_ledger: LedgerMaker) -> None:
    """There and back, each time once."""
    world = a_world(make_ledger)
    for number in (1, 0, 1, 0):
        gives_to(world, number)
        world.drain()
        assert on_wix(world) == {f"product-0 contact-{number}": "80"}
    assert broken_invariants(world) == []


def test_moved_record_is_synced_both_ways_afterwards() -> None:
    world = a_world()
    gives_to(world, 1)
    world.drain()
    world.external.visitor_changes("e1", {"value": Decimal(2)})
    world.drain()
    assert on_wix(world) == {"product-0 contact-1": "40"}
    [remote_id] = world.wix.records
    world.wix.visitor_changes(remote_id, {"overall": Decimal(100)})
    world.drain()
    assert world.external.records["e1"].values == {"value": Decimal(5)}
    assert world.external.records["e1"].person.email == "person1@example.com"


def test_dry_run_says_the_move_and_the_run_does_it(make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger)
    gives_to(world, 1)
    world.post.webhooks.clear()
    dry = world.sweeper.runs.begin(world.site.id, RunKind.DRY_RUN)
    run = world.sweeper.reconcile(dry, world.sweeper.runs)
    assert run.list_both()
    assert run.confirm_absences()
    [forecast] = [forecast for _, forecast in run.forecasts()]
    world.sweeper.runs.end(run.sweep)
    assert forecast.outcome == "create on wix and delete on wix"
    assert on_wix(world) == {"product-0 contact-0": "80"}
    world.sweep()
    assert sorted(map(str, world.sweeper.planned_writes)) == sorted(
        map(str, forecast.planned_writes)
    )
    assert on_wix(world) == {"product-0 contact-1": "80"}


def test_second_sweep_after_a_move_writes_nothing(make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger)
    gives_to(world, 1)
    look(world, "sweep")
    writes, deliveries = len(world.wix.journal), world.ledger.everything().count("listed:")
    look(world, "sweep")
    assert len(world.wix.journal) == writes
    assert world.ledger.everything().count("listed:") == deliveries


@pytest.mark.parametrize("external", [ACCURATE, SHOP], ids=["revisions", "no revisions"])
def test_crash_at_any_step_neither_loses_nor_doubles_it(external: Any) -> None:
    """A worker dies once, at each step of a move in turn."""
    whole = a_world(external=external)
    before = whole.steps
    gives_to(whole, 1)
    whole.drain()
    for step in range(before, whole.steps + 1):
        world = a_world(external=external)
        gives_to(world, 1)
        world.crash_steps = {step}
        world.settle()
        assert on_wix(world) == {"product-0 contact-1": "80"}, world.crashes
        assert broken_invariants(world) == [], world.crashes


def test_two_records_leave_one_after_the_other_in_one_run(
    make_ledger: LedgerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that lags shows the second one only when the first has gone."""
    world = a_world(make_ledger)
    world.external.visitor_rates(world.entities[0][1], world.persons[0], {})
    world.drain()
    stale = world.external.records["e2"]
    changes(W, overall=20)(world)
    world.external.owner_moves("e2", person=world.persons[1])
    world.post.webhooks[:] = [one for one in world.post.webhooks if "e2" not in repr(one)]
    gives_to(world, 1)
    real = MemoryRemote.find

    def find(self: MemoryRemote, entity: EntityRef, person: Person) -> list[Record]:
        found = list(real(self, entity, person))
        is_theirs = (person.email, entity) == (stale.person.email, stale.entity)
        return [*found, stale] if self.side is E and is_theirs else found

    monkeypatch.setattr(MemoryRemote, "find", find)
    world.drain()
    assert on_wix(world).keys() == {"product-0 contact-0", "product-0 contact-1"}
    assert world.ledger.held_reasons() == []
    told = [line.remote_id for line in world.ledger.history_entries() if line.what == "move"]
    assert told == ["e1"]


# -- what is no move


@pytest.mark.parametrize(
    "email",
    ["PERSON0@EXAMPLE.COM", " person0@example.com ", None, "", "deleted@site.invalid"],
    ids=["case", "blanks", "not told", "empty", "made anonymous"],
)
@pytest.mark.parametrize("way", WAYS)
def test_address_that_names_nobody_else_is_no_move(email: str | None, way: str) -> None:
    """Written differently, not told, or anonymous: whose it is has not changed."""
    world = a_world()
    gives_address(world, email)
    look(world, way)
    assert on_wix(world) == {"product-0 contact-0": "80"}
    assert [entry.operation for entry in world.wix.journal] == ["create"]
    assert world.ledger.held_reasons() == []


@pytest.mark.parametrize("way", WAYS)
def test_another_address_of_the_same_contact_is_no_move(way: str, make_ledger: LedgerMaker) -> None:
    """The contact has a new address on Wix, and the record has it, too."""
    world = a_world(make_ledger)
    world.people.aliases["contact-0"] = ["new@example.com"]
    gives_address(world, "new@example.com")
    look(world, way)
    assert [entry.operation for entry in world.wix.journal] == ["create"]
    assert world.ledger.held_reasons() == []
    calls = world.external.calls["get"]
    look(world, "sweep")
    assert world.external.calls["get"] == calls


def test_listing_that_leaves_out_whose_it_is_moves_nothing() -> None:
    """Unknown is not another."""
    world = a_world()
    record = world.external.records["e1"]
    bare = replace(record, person=Person(), entity=None)
    world.external.records["e1"] = replace(bare, values={"value": Decimal(2)})
    look(world, "sweep")
    assert list(on_wix(world)) == ["product-0 contact-0"]


def test_row_that_leaves_out_the_group_moves_nothing() -> None:
    world = World(0, Options(CALM, people=1, entities=0, external=SHOP), memory_ledger)
    wix, external = EntityRef("p", "stores", "reviews"), EntityRef("sku", "books")
    world.ledger.directory.add_entity(world.site.id, wix, external)
    world.entities.append((wix, external))
    world.external.visitor_rates(external, world.persons[0], {"value": Decimal(4)})
    world.drain()
    world.external.owner_moves("e1", entity=EntityRef("sku"))
    world.drain()
    assert [entry.operation for entry in world.wix.journal] == ["create"]
    assert world.ledger.held_reasons() == []


def test_ratings_of_a_merged_contact_do_not_move() -> None:
    """The record keeps the address of the contact that was merged away."""
    world = a_world()
    world.crowd.merge(world.persons[0], world.persons[1])
    world.drain()
    for way in WAYS:
        world.external.visitor_changes("e1", {"value": Decimal(2)})
        look(world, way)
    assert list(on_wix(world).values()) == ["40"]
    assert world.ledger.held_reasons() == []


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
