"""Wix Reviews: approving what we bring, and updates and creates that Wix refuses for its state."""

from __future__ import annotations

import pytest

from sync_worker.core.values import Policy, RecordState
from tests.simulation.moderated import (
    PENDING,
    PUBLISHED,
    REJECTED,
    E,
    W,
    assert_at_rest,
    on_wix,
    played,
    reviews,
    stands,
    wix_id,
)
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes, rates
from tests.simulation.scenes import NO_REVISION
from tests.simulation.world import World
from tests.twins.memory_ledger import memory_ledger

# -- approving what we bring


@pytest.mark.parametrize("state", [PENDING, REJECTED])
def test_import_is_approved_once_by_policy(state: RecordState) -> None:
    policy = Policy.of({"wix_approve_ours": "approve"})
    world = played(rates(E, value=4), policy=policy, new_on_wix=state)
    assert stands(world) == (("80", "published"), ("4", "published"))
    assert world.wix.calls["create"] == world.wix.calls["approve"] == 1
    on_wix(REJECTED)(world)
    changes(E, value=2)(world)
    world.settle()
    assert stands(world) == (("40", "rejected"), ("2", "published"))
    assert world.wix.calls["approve"] == 1


def test_import_is_approved_after_a_crash_at_any_step() -> None:
    policy = Policy.of({"wix_approve_ours": "approve"})
    whole = played(rates(E, value=4), policy=policy)
    for step in range(1, whole.steps + 1):
        world = World(0, reviews(policy=policy), memory_ledger)
        world.crash_steps = {step}
        rates(E, value=4)(world)
        world.settle()
        assert stands(world) == (("80", "published"), ("4", "published")), step
        assert broken_invariants(world) == []


# -- refused at the right revision


def sent(world: World) -> int:
    return sum(world.wix.calls.values()) + sum(world.external.calls.values())


@pytest.mark.parametrize("read_only", ["conflict", "forbidden"])
def test_update_refused_at_the_right_revision_is_held(read_only: str) -> None:
    """At most three calls, a hold by its name, and no storm."""
    acts = (rates(W, overall=80), on_wix(PUBLISHED))
    world = played(*acts, read_only=read_only)
    before = sent(world)
    changes(E, value=2)(world)
    world.drain()
    assert sent(world) - before <= 3
    assert world.ledger.held_reasons() == ["organic_review"]
    world.now += 24 * 3600.0
    world.drain()
    assert sent(world) - before <= 3
    world.wix.read_only = ""
    world.settle()
    assert stands(world) == (("40", "published"), ("2", "published"))
    assert_at_rest(world)


def test_update_of_our_own_refused_at_the_right_revision_is_held() -> None:
    world = played(rates(E, value=4), on_wix(PUBLISHED), read_only="conflict")
    world.wix.read_only_ids = {wix_id(world)}
    before = sent(world)
    changes(E, value=2)(world)
    world.drain()
    assert sent(world) - before <= 3
    assert world.ledger.held_reasons() == ["conflict_unexplained"]
    world.wix.read_only_ids = set()
    world.settle()
    assert_at_rest(world)


def test_conflict_outside_without_revisions_is_held_after_the_second() -> None:
    """Nothing tells there whether the record has changed: one more try is made, and no storm."""
    world = played(rates(E, value=4), external=NO_REVISION, new_on_wix=PUBLISHED)
    world.external.read_only = "conflict"
    changes(W, overall=20)(world)
    world.drain()
    assert world.external.calls["update"] == 2
    assert world.ledger.held_reasons() == ["conflict_unexplained"]
    world.external.read_only = ""
    world.settle()
    assert stands(world) == (("20", "published"), ("1", "published"))
    assert_at_rest(world)


def test_held_edit_of_an_organic_review_ends_when_undone() -> None:
    acts = (rates(W, overall=80), on_wix(PUBLISHED), changes(E, value=2))
    world = played(*acts, changes(E, value=4), read_only="conflict")
    assert_at_rest(world)


# -- a twin that waits or was rejected stands in the way


@pytest.mark.parametrize("state", [PENDING, REJECTED])
def test_twin_out_of_sight_is_held_until_it_is_published(state: RecordState) -> None:
    world = played(rates(W, overall=80), on_wix(state), rates(E, value=4))
    assert stands(world) == (("80", str(state)), ("4", "published"))
    assert world.ledger.held_reasons() == ["moderated"]
    on_wix(PUBLISHED)(world)
    world.settle()
    assert stands(world) == (("80", "published"), ("4", "published"))
    assert_at_rest(world)
