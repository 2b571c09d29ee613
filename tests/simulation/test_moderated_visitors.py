"""Wix Reviews: reviews of visitors that are taken out of sight, on Wix or outside."""

from __future__ import annotations

import pytest

from tests.simulation.both_ledgers import MAKERS
from tests.simulation.moderated import (
    PENDING,
    PUBLISHED,
    REJECTED,
    E,
    W,
    Way,
    assert_at_rest,
    by_either_way,
    either,
    on_wix,
    played,
    stands,
    swept,
    wix_id,
    writes,
)
from tests.simulation.scenarios import changes, deletes, moderates, rates
from tests.simulation.world import LedgerMaker, World

# -- a review of a visitor


@either
@by_either_way
def test_rejected_review_of_a_visitor_goes_outside(way: Way, wix: object) -> None:
    world = way(rates(W, overall=80), on_wix(PUBLISHED), on_wix(REJECTED), wix=wix)
    assert stands(world) == (("80", "rejected"), None)
    on_wix(PUBLISHED)(world)
    world.settle()
    assert stands(world) == (("80", "published"), ("4", "published"))


@pytest.mark.parametrize("make", MAKERS)
def test_sweeps_tell_each_state_of_one_revision(make: LedgerMaker) -> None:
    acts = [on_wix(PUBLISHED), on_wix(REJECTED)] * 2
    world = swept(rates(W, overall=80), *acts, on_wix(PUBLISHED), make_ledger=make)
    assert stands(world) == (("80", "published"), ("4", "published"))
    assert writes(world) == {"create on external": 3, "delete on external": 2}


@pytest.mark.parametrize("is_answered", [True, False], ids=["answered", "not answered"])
def test_edit_outside_that_meets_a_rejection_is_held(is_answered: bool) -> None:
    """Our update comes to a review that its owner has rejected just before."""
    world = played(rates(W, overall=80), on_wix(PUBLISHED))
    acts = [on_wix(REJECTED)]

    def reject(place: str) -> None:
        if place == "before wix.update" and acts:
            acts.pop()(world)

    def lose(operation: str) -> str | None:
        is_lost = operation == "update" and world.wix.calls["update"] == 0 and not is_answered
        return "response_lost" if is_lost else None

    changes(E, value=2)(world)
    world.on_step, world.wix.fault = reject, lose
    world.drain()
    assert stands(world) == (("40", "rejected"), ("2", "published"))
    assert set(world.ledger.held_reasons()) == {"moderated"}
    on_wix(PUBLISHED)(world)
    world.settle()
    assert stands(world) == (("40", "published"), ("2", "published"))
    assert_at_rest(world)


@by_either_way
def test_waiting_review_of_a_visitor_does_not_cross(way: Way) -> None:
    world = way(rates(W, overall=80))
    assert stands(world) == (("80", "pending"), None)
    on_wix(PUBLISHED)(world)
    world.settle()
    assert stands(world) == (("80", "published"), ("4", "published"))


def test_older_event_of_the_same_revision_changes_nothing() -> None:
    """Of events with one revision the sequence tells the order."""
    world = played(rates(W, overall=80), on_wix(PUBLISHED))
    for state in (REJECTED, PUBLISHED):
        on_wix(state)(world)
    webhooks, world.post.webhooks = world.post.webhooks, []
    for webhook in reversed(webhooks):
        world.post.webhooks = [webhook]
        world.drain()
    assert stands(world) == (("80", "published"), ("4", "published"))
    assert writes(world) == {"create on external": 1}


def test_one_act_with_several_events_is_one_write() -> None:
    world = played(rates(W, overall=80), new_on_wix=PUBLISHED)
    assert len([one for one in world.post.sent if one.side is W]) == 2
    assert writes(world) == {"create on external": 1}
    assert world.wix.calls == {}


def test_echoes_of_our_writes_cost_no_call() -> None:
    world = played(rates(E, value=4), new_on_wix=PUBLISHED)
    assert world.wix.calls == {"create": 1}
    assert world.external.calls == {}


@pytest.mark.parametrize("votes_count", [False, True])
def test_vote_causes_no_write(votes_count: bool) -> None:
    def votes(world: World) -> None:
        world.wix.visitor_votes(wix_id(world))

    world = played(rates(E, value=4), votes, on_wix(PUBLISHED), votes, votes_count=votes_count)
    world.settle()
    assert writes(world) == {"create on wix": 1}
    changes(E, value=2)(world)
    world.settle()
    assert stands(world) == (("40", "published"), ("2", "published"))


# -- hidden outside


@either
@by_either_way
def test_hidden_outside_is_rejected_on_wix_and_approved_again(way: Way, wix: object) -> None:
    world = way(rates(E, value=4), on_wix(PUBLISHED), moderates(PENDING), wix=wix)
    assert stands(world) == (("80", "rejected"), ("4", "pending"))
    moderates(PUBLISHED)(world)
    world.settle()
    assert stands(world) == (("80", "published"), ("4", "published"))
    ours = {"create on wix": 1, "withdraw on wix": 1, "approve on wix": 1}
    assert writes(world) == ours
    assert_at_rest(world)


def test_edit_while_hidden_arrives_before_the_approval() -> None:
    acts = (rates(E, value=4), on_wix(PUBLISHED), moderates(PENDING), changes(E, value=2))
    world = played(*acts)
    assert stands(world) == (("80", "rejected"), ("2", "pending"))
    moderates(PUBLISHED)(world)
    world.settle()
    assert stands(world) == (("40", "published"), ("2", "published"))
    operations = [entry.operation for entry in world.wix.journal if entry.by_us]
    assert operations == ["create", "withdraw", "update", "approve"]


def test_deleted_outside_after_it_was_hidden_is_deleted_on_wix() -> None:
    world = played(rates(E, value=4), on_wix(PUBLISHED), moderates(PENDING), deletes(E))
    world.settle()
    assert stands(world) == (None, None)
    assert writes(world) == {"create on wix": 1, "withdraw on wix": 1, "delete on wix": 1}


def test_copy_that_the_owner_rejected_is_not_approved_by_us() -> None:
    acts = (rates(E, value=4), on_wix(PUBLISHED), on_wix(REJECTED))
    world = played(*acts, moderates(PENDING), moderates(PUBLISHED))
    world.settle()
    assert stands(world) == (("80", "rejected"), ("4", "published"))
    assert writes(world) == {"create on wix": 1}


def test_owner_who_publishes_what_we_withdrew_is_not_fought() -> None:
    acts = (rates(E, value=4), on_wix(PUBLISHED), moderates(PENDING), on_wix(PUBLISHED))
    world = played(*acts)
    world.settle()
    assert stands(world) == (("80", "published"), ("4", "pending"))
    moderates(PUBLISHED)(world)
    world.settle()
    moderates(PENDING)(world)
    world.settle()
    assert stands(world) == (("80", "rejected"), ("4", "pending"))


def test_waiting_import_whose_source_is_hidden_is_withdrawn_once_approved() -> None:
    world = played(rates(E, value=4), moderates(PENDING))
    assert stands(world) == (("80", "pending"), ("4", "pending"))
    on_wix(PUBLISHED)(world)
    world.settle()
    assert stands(world) == (("80", "rejected"), ("4", "pending"))
