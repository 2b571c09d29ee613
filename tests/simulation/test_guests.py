"""Anybody may know an address: a guest's review and the rating of the member who has it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.values import (
    FirstDifference,
    GuestMayChange,
    HistoryEntry,
    HistoryKind,
    Policy,
    RecordState,
    Side,
)
from sync_worker.ledger.administration.admin import ledger_admin
from sync_worker.ledger.console.held_filter import HeldFilter
from tests.simulation.ablations import without
from tests.simulation.chaos import sql_ledger
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes, deletes, rates
from tests.simulation.scenes import NO_REVISION
from tests.simulation.test_policies import held_reasons
from tests.simulation.world import CALM, LedgerMaker, Options, World
from tests.twins.memory_ledger import memory_ledger

W, E = Side.WIX, Side.EXTERNAL
SHOP = replace(NO_REVISION, says_verified=True)
GUEST = "guest_change"


def a_world(make_ledger: LedgerMaker = memory_ledger, **options: Any) -> World:
    options = {"external": SHOP} | options
    return World(0, Options(CALM, people=1, sweeps=False, **options), make_ledger)


def a_rated_world(make_ledger: LedgerMaker = memory_ledger, **options: Any) -> World:
    """A member has rated 80 on Wix; the shop has it as 4 stars, made by us."""
    world = a_world(make_ledger, **options)
    rates(W, overall=80)(world)
    world.drain()
    assert (on_wix(world), in_shop(world)) == ("80", {"e1": "4"})
    return world


def guest_rates(world: World, stars: int, *, is_verified: bool | None = False) -> str:
    entity, person = world.entities[0][1], world.persons[0]
    values = {"value": Decimal(stars)}
    record = world.external.visitor_rates(entity, person, values, is_verified=is_verified)
    return record.remote_id


def on_wix(world: World) -> str:
    return " ".join(str(record.values["overall"]) for record in world.wix.records.values())


def in_shop(world: World) -> dict[str, str]:
    return {name: str(one.values["value"]) for name, one in world.external.records.items()}


def test_guest_does_not_change_the_rating_of_a_member(make_ledger: LedgerMaker) -> None:
    world = a_rated_world(make_ledger)
    guest_rates(world, 1)
    world.drain()
    assert (on_wix(world), in_shop(world)) == ("80", {"e1": "4", "e2": "1"})
    assert held_reasons(world) == {GUEST}
    # What the member says goes on crossing.
    changes(W, overall=60)(world)
    world.drain()
    assert (on_wix(world), in_shop(world)) == ("60", {"e1": "3", "e2": "1"})


@pytest.mark.parametrize("stars", [1, 4])
def test_sweep_says_the_same_as_the_event(make_ledger: LedgerMaker, stars: int) -> None:
    for tells in (True, False):
        world = a_rated_world(make_ledger)
        if not tells:
            world.external.on_event = lambda event: None
        guest_rates(world, stars)
        world.drain()
        world.sweep()
        world.drain()
        assert on_wix(world) == "80"
        assert held_reasons(world) == ({GUEST} if stars == 1 else set())


def test_verified_person_and_a_system_that_does_not_say_change_it() -> None:
    for is_verified in (True, None):
        world = a_rated_world()
        guest_rates(world, 1, is_verified=is_verified)
        world.drain()
        assert (on_wix(world), held_reasons(world)) == ("20", set())


def test_owner_may_allow_what_guests_change() -> None:
    world = a_rated_world(policy=Policy(guest_may_change=GuestMayChange.ALLOW))
    guest_rates(world, 1)
    world.drain()
    assert (on_wix(world), held_reasons(world)) == ("20", set())


def test_first_rating_of_a_guest_changes_nobodys_and_crosses() -> None:
    world = a_world()
    guest_rates(world, 2)
    world.drain()
    assert (on_wix(world), held_reasons(world)) == ("40", set())
    # It is on file: what the shop does with it crosses, too.
    changes(E, value=5)(world)
    world.drain()
    assert on_wix(world) == "100"


def test_guest_who_says_the_same_takes_no_place(make_ledger: LedgerMaker) -> None:
    """Else the owner who deletes the guest's review would delete the member's rating."""
    world = a_rated_world(make_ledger)
    guest = guest_rates(world, 4)
    world.drain()
    world.external.visitor_deletes(guest)
    world.drain()
    assert (on_wix(world), in_shop(world), held_reasons(world)) == ("80", {"e1": "4"}, set())


def test_guest_changes_no_rating_that_the_shop_does_not_have(make_ledger: LedgerMaker) -> None:
    """Wix had it before the shop was asked, and the owner prefers what the shop says."""
    policy = Policy(first_difference=FirstDifference.EXTERNAL)
    world = a_world(make_ledger, policy=policy)
    world.wix.on_event = lambda event: None
    rates(W, overall=80)(world)
    guest_rates(world, 1)
    world.drain()
    assert (on_wix(world), held_reasons(world)) == ("80", {GUEST})


def test_member_who_rates_anew_meanwhile_is_not_held_up(make_ledger: LedgerMaker) -> None:
    world = a_rated_world(make_ledger)
    guest_rates(world, 1)
    world.post.deliver(0)
    changes(W, overall=60)(world)
    world.post.deliver(0)
    world.drain()
    assert (on_wix(world), in_shop(world)) == ("60", {"e1": "3", "e2": "1"})
    assert broken_invariants(world) == []


@pytest.mark.parametrize("end", ["deleted", "withdrawn", "agrees", "member agrees", "member anew"])
def test_hold_ends_by_itself_when_its_cause_is_gone(make_ledger: LedgerMaker, end: str) -> None:
    world = a_rated_world(make_ledger)
    guest = guest_rates(world, 1)
    world.drain()
    assert held_reasons(world) == {GUEST}
    match end:
        case "deleted":
            world.external.visitor_deletes(guest)
        case "withdrawn":
            world.external.moderator_sets(guest, RecordState.REJECTED)
        case "agrees":
            world.external.visitor_changes(guest, {"value": Decimal(4)})
        case "member agrees":
            changes(W, overall=20)(world)
        case _:
            changes(W, overall=40)(world)
    world.drain()
    assert held_reasons(world) == set()
    assert on_wix(world) == {"member agrees": "20", "member anew": "40"}.get(end, "80")


def test_member_who_takes_the_rating_back_ends_the_hold() -> None:
    world = a_rated_world()
    guest_rates(world, 1)
    world.drain()
    deletes(W)(world)
    world.drain()
    assert held_reasons(world) == set()


def test_release_by_a_person_lets_it_in() -> None:
    world = a_rated_world(sql_ledger)
    guest_rates(world, 1)
    world.drain()
    admin = ledger_admin(world.ledger.engine)
    # Another kind of release decides nothing.
    held = [row.inbox_id for row in admin.held.all()]
    world.queue += world.ledger.inbox.release_held(world.site.id, inbox_ids=held)
    world.drain()
    assert (on_wix(world), held_reasons(world)) == ("80", {GUEST})
    world.queue += admin.held.release(HeldFilter(GUEST), by="olga")
    world.drain()
    assert (on_wix(world), held_reasons(world)) == ("20", set())
    assert broken_invariants(world) == []


def test_both_ledgers_know_who_was_let_in(make_ledger: LedgerMaker) -> None:
    world = a_rated_world(make_ledger)
    guest_rates(world, 1)
    world.drain()
    inbox = world.ledger.inbox
    if make_ledger is sql_ledger:
        (held,) = ledger_admin(world.ledger.engine).held.all()
        story = ledger_admin(world.ledger.engine).held.story(held.inbox_id)
        assert story is not None
        delivery = story.delivery
        assert not inbox.was_released(delivery, GUEST)
        ledger_admin(world.ledger.engine).held.release(HeldFilter(GUEST), by="olga")
    else:
        delivery = next(
            row.delivery for row in world.ledger.rows.values() if str(row.delivery.state) == "held"
        )
        assert not inbox.was_released(delivery, GUEST)
        line = HistoryEntry(
            HistoryKind.REPLAY, E, "", reason=f"{GUEST}, by olga", inbox_id=delivery.id
        )
        world.ledger.state.history.append((delivery.link_id or 0, 0.0, line))
    assert inbox.was_released(delivery, GUEST)
    assert not inbox.was_released(delivery, "fight")


# -- that these stories miss what they tell of


def test_without_the_door_a_guest_takes_the_place_of_the_member() -> None:
    world = a_rated_world()
    with without("guests wait at the door"):
        guest_rates(world, 1)
        world.drain()
        changes(W, overall=60)(world)
        world.drain()
    # What the member says went to the review of the guest.
    assert in_shop(world) == {"e1": "4", "e2": "3"}


def test_without_the_guard_a_guest_changes_what_wix_shows() -> None:
    world = a_world(policy=Policy(first_difference=FirstDifference.EXTERNAL))
    world.wix.on_event = lambda event: None
    with without("guests change nothing"):
        rates(W, overall=80)(world)
        guest_rates(world, 1)
        world.drain()
    assert on_wix(world) == "20"
