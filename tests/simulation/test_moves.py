"""A record that is given to another person, or put under another product, moves on Wix."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import (
    EntityRef,
    HistoryKind,
    Person,
    Record,
)
from tests.simulation.moved import (
    ACCURATE,
    SHOP,
    WAYS,
    E,
    W,
    a_world,
    gives_address,
    gives_to,
    look,
    on_wix,
    puts_under,
)
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes
from tests.simulation.world import CALM, LedgerMaker, Options, World
from tests.twins.memory_ledger import memory_ledger
from tests.twins.memory_remote import MemoryRemote

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


def test_move_brought_across_with_its_create_leaves_no_rating_behind(
    make_ledger: LedgerMaker,
) -> None:
    """Two workers bring one record across, each to where it was told to be: one comes too late."""
    world = World(0, Options(CALM, people=2, entities=2), make_ledger)
    world.external.visitor_rates(world.entities[0][1], world.persons[0], {"value": Decimal(4)})
    puts_under(world, 1)
    while world.post.webhooks:
        world.post.deliver(0)
    first, second = world.queue
    world.queue.clear()

    def brings_across(place: str) -> None:
        if place == "before wix.create":
            world.on_step = lambda place: None
            world.intake.process(second)

    world.on_step = brings_across
    world.start_worker(first)
    world.drain()
    world.settle()
    assert on_wix(world) == {"product-1 contact-0": "80"}
    assert world.ledger.held_reasons() == []
    assert broken_invariants(world) == []
