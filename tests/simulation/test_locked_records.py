"""Records outside that say themselves that nobody may change them, or delete them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import Policy, Side
from tests.simulation.ablations import without
from tests.simulation.both_ledgers import BOTH_LEDGERS
from tests.simulation.chaos import LEDGERS
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes, deletes
from tests.simulation.scenes import NO_REVISION
from tests.simulation.test_policies import held_reasons
from tests.simulation.test_words import a_world, both_show, rate, say
from tests.simulation.world import ANSWERED, World

W, E = Side.WIX, Side.EXTERNAL
NUMBERED = Capabilities(many_fields=True, locks_records=True)
UNNUMBERED = replace(NO_REVISION, locks_records=True)
with_or_without_revisions = pytest.mark.parametrize(
    "external", [NUMBERED, UNNUMBERED], ids=["numbered", "unnumbered"]
)


def a_locked_world(external: Capabilities, *operations: str, **options: Any) -> World:
    """Somebody rated outside, it crossed, and the system locks it."""
    world = a_world(external=external, **options)
    rate(world, E, 4)
    world.drain()
    lock(world, *operations)
    return world


def lock(world: World, *operations: str) -> None:
    (remote_id,) = world.external.records
    world.external.keeper_locks(remote_id, *operations)
    world.drain()


def writes(world: World) -> int:
    return world.external.calls["update"] + world.external.calls["delete"]


@with_or_without_revisions
@pytest.mark.parametrize("ledger", BOTH_LEDGERS)
def test_edits_of_a_locked_record_are_held_unsent(external: Capabilities, ledger: str) -> None:
    """However many: each costs one look at most, and the newest crosses as the lock goes."""
    world = a_locked_world(external, "update", make_ledger=LEDGERS[ledger])
    before = world.external.calls.total()
    for value in (60, 20, 40):
        changes(W, overall=value)(world)
        world.drain()
        assert held_reasons(world) == {"record_locked"}
    assert writes(world) == 0
    assert world.external.calls.total() - before <= 3
    lock(world)
    assert held_reasons(world) == set()
    assert both_show(world) == (["40", "", ""], ["2", "", ""])
    assert broken_invariants(world) == []


@with_or_without_revisions
def test_what_a_locked_record_says_goes_on_crossing(external: Capabilities) -> None:
    world = a_locked_world(external, "update", "delete")
    changes(E, value=2)(world)
    world.drain()
    assert both_show(world)[0][0] == "40"
    deletes(E)(world)
    world.drain()
    assert world.wix.records == {}


@with_or_without_revisions
def test_lock_that_no_event_tells_is_seen_before_a_write(external: Capabilities) -> None:
    world = a_world(external=external, sweeps=True)
    rate(world, E, 4)
    world.drain()
    (record,) = world.external.records.values()
    world.external.records[record.remote_id] = replace(record, locked=frozenset({"update"}))
    changes(W, overall=20)(world)
    world.drain()
    assert held_reasons(world) == {"record_locked"}
    world.external.records[record.remote_id] = record
    world.settle()
    assert writes(world) == 1
    assert both_show(world)[1][0] == "1"


@with_or_without_revisions
def test_record_that_cannot_be_deleted_is_held_and_updated(external: Capabilities) -> None:
    world = a_locked_world(external, "delete")
    changes(W, overall=20)(world)
    world.drain()
    assert both_show(world)[1][0] == "1"
    deletes(W)(world)
    world.drain()
    assert held_reasons(world) == {"record_locked"}
    assert world.external.calls["delete"] == 0


@with_or_without_revisions
def test_privacy_request_waits_for_a_locked_record(external: Capabilities) -> None:
    world = a_locked_world(external, "delete")
    (record,) = world.wix.records.values()
    world.wix.visitor_deletes(record.remote_id, privacy=True)
    world.drain()
    assert held_reasons(world) == {"record_locked"}
    assert world.external.calls["delete"] == 0
    lock(world)
    world.settle()
    assert (world.wix.records, world.external.records) == ({}, {})


def test_locked_record_of_no_interest_to_a_person_is_left_alone() -> None:
    external = replace(UNNUMBERED, ignored_operations=frozenset({"update"}))
    world = a_locked_world(external, "update")
    changes(W, overall=20)(world)
    world.drain()
    assert (held_reasons(world), writes(world)) == (set(), 0)


@with_or_without_revisions
def test_locked_record_is_answered_beside_an_edit_that_waits(external: Capabilities) -> None:
    policy = Policy.of({"replies": "to_external"})
    world = a_locked_world(external, "update", words=ANSWERED, policy=policy)
    say(world, W, body="Broke.")
    world.drain()
    (remote_id,) = world.wix.records
    world.wix.owner_replies(remote_id, "Sorry.")
    world.drain()
    assert both_show(world)[1][-1] == "Sorry."
    assert held_reasons(world) == {"record_locked"}
    assert writes(world) == 0


@with_or_without_revisions
@pytest.mark.parametrize("mechanism", ["locks of records", "look at what may be locked"])
def test_lock_is_missed_when_its_mechanism_is_off(external: Capabilities, mechanism: str) -> None:
    is_needless = external is UNNUMBERED and mechanism == "look at what may be locked"
    with without(mechanism):
        world = a_world(external=external)
        rate(world, E, 4)
        world.drain()
        (record,) = world.external.records.values()
        world.external.records[record.remote_id] = replace(record, locked=frozenset({"update"}))
        changes(W, overall=20)(world)
        world.drain()
        # Without revisions each record is read before it is written.
        assert (writes(world) == 0) is is_needless
