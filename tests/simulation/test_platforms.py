"""Platforms that lack operations, and that let a person have several records."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from tests.simulation.ablations import without
from tests.simulation.platform_worlds import E, W, a_world, creates
from tests.simulation.scenarios import changes, deletes, ending_of, rates
from tests.simulation.scenes import NO_REVISION
from tests.simulation.test_policies import held_reasons
from tests.simulation.world import LedgerMaker
from tests.simulation.world.stepping import Crash

# -- operations that are not there


def test_change_that_the_platform_cannot_take_is_held(
    make_ledger: LedgerMaker,
) -> None:
    """A change that the platform cannot take is held and the other way goes on."""
    world = a_world(make_ledger, external=replace(NO_REVISION, can_update=False))
    rates(W, overall=80)(world)
    world.drain()
    changes(W, overall=20)(world)
    world.drain()
    assert (ending_of(world), held_reasons(world)) == (("20", "4"), {"unsupported"})
    assert world.external.calls["update"] == 0


def test_change_that_the_platform_cannot_take_may_be_noted_only() -> None:
    cannot = replace(
        NO_REVISION,
        can_update=False,
        can_delete=False,
        ignored_operations=frozenset({"update", "delete"}),
    )
    world = a_world(external=cannot)
    rates(W, overall=80)(world)
    world.drain()
    changes(W, overall=20)(world)
    world.drain()
    assert (ending_of(world), held_reasons(world)) == (("20", "4"), set())
    assert [entry.reason for entry in world.ledger.history_entries() if entry.what == "ignore"] == [
        "unsupported"
    ]
    changes(E, value=5)(world)
    world.drain()
    assert ending_of(world) == ("100", "5")


def test_missing_operation_is_found_out_by_failing_without_the_refusal() -> None:
    with without("refusing what is not offered"):
        world = a_world(external=replace(NO_REVISION, can_update=False))
        rates(W, overall=80)(world)
        world.drain()
        changes(W, overall=20)(world)
        world.drain()
    assert held_reasons(world) == {"refused"}


def test_privacy_delete_that_the_platform_cannot_do_is_held() -> None:
    """A privacy delete that the platform cannot do is held even where deletes are only noted."""
    cannot = replace(NO_REVISION, can_delete=False, ignored_operations=frozenset({"delete"}))
    world = a_world(external=cannot)
    rates(W, overall=80)(world)
    world.drain()
    deletes(W, privacy=True)(world)
    world.drain()
    assert held_reasons(world) == {"unsupported"}


def test_create_on_a_read_only_platform_is_held() -> None:
    world = a_world(external=replace(NO_REVISION, can_create=False))
    rates(W, overall=80)(world)
    world.drain()
    assert (ending_of(world), held_reasons(world), creates(world)) == (
        ("80", None),
        {"unsupported"},
        0,
    )


# -- several records of one person


def test_newest_of_several_records_is_synced_and_the_older_shadowed(
    make_ledger: LedgerMaker,
) -> None:
    """The newest of several records is synced and the older is shadowed, not deleted."""
    world = a_world(make_ledger, external=NO_REVISION)
    rates(E, value=2)(world)
    world.drain()
    rates(E, value=5)(world)
    world.drain()
    assert [str(one.values["overall"]) for one in world.wix.records.values()] == ["100"]
    assert set(world.external.records) == {"e1", "e2"}
    assert world.ledger.directory.records_of_entity(
        world.site.id, world.entities[0][1]
    ).shadowed == {"e1"}
    assert [
        entry.remote_id for entry in world.ledger.history_entries() if entry.what == "shadow"
    ] == ["e1"]


def test_older_record_is_shadowed_by_whoever_settles_the_write(make_ledger: LedgerMaker) -> None:
    """The worker that met both dies at its write: the next one sees only what it wrote."""
    world = a_world(make_ledger, external=NO_REVISION)
    rates(E, value=2)(world)
    world.drain()

    def die(place: str) -> None:
        if place == "after wix.update":
            world.on_step = lambda place: None
            raise Crash(place)

    rates(E, value=5)(world)
    world.on_step = die
    world.post.deliver(0)
    world.work(world.queue.pop(0))
    changes(W, overall=60)(world)
    world.drain()
    there = world.ledger.directory.records_of_entity(world.site.id, world.entities[0][1])
    assert there.shadowed == {"e1"}


def test_edit_of_a_shadowed_record_changes_nothing() -> None:
    world = a_world(external=NO_REVISION)
    rates(E, value=2)(world)
    rates(E, value=5)(world)
    world.drain()
    world.external.visitor_changes("e1", {"value": Decimal(1)})
    world.drain()
    assert [str(one.values["overall"]) for one in world.wix.records.values()] == ["100"]


def test_shadowed_record_stays_away_when_the_rating_is_deleted_on_wix() -> None:
    """A shadowed record does not come to Wix when the rating is deleted there."""
    world = a_world(external=NO_REVISION)
    rates(E, value=2)(world)
    rates(E, value=5)(world)
    world.drain()
    deletes(W)(world)
    world.drain()
    world.sweep()
    world.drain()
    assert (world.wix.records, set(world.external.records)) == ({}, {"e1"})
    rates(W, overall=60)(world)
    world.drain()
    assert sorted(str(one.values["value"]) for one in world.external.records.values()) == ["2", "3"]


def test_several_records_are_held_where_they_should_not_exist() -> None:
    world = a_world(external=replace(NO_REVISION, is_unique=True))
    world.external.capabilities = NO_REVISION
    rates(E, value=2)(world)
    world.drain()
    rates(E, value=5)(world)
    world.external.capabilities = replace(NO_REVISION, is_unique=True)
    world.drain()
    assert held_reasons(world) == {"several_records"}
