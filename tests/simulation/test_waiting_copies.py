"""What we create outside waits for a moderator there, and its source changes or goes meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import Policy, RecordState
from tests.simulation.ablations import without
from tests.simulation.both_ledgers import MAKERS
from tests.simulation.moderated import (
    KEEPS,
    PENDING,
    PUBLISHED,
    REJECTED,
    E,
    W,
    assert_at_rest,
    on_wix,
    stands,
    writes,
)
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import Story, changes, deletes, moderates, rates
from tests.simulation.scenes import NO_REVISION
from tests.simulation.test_words import a_world, both_show, rate, say
from tests.simulation.world import CALM, Options, World
from tests.twins.memory_ledger import memory_ledger

NUMBERED = Capabilities(many_fields=True)
RATED = rates(W, overall=80)
APPROVED = moderates(PUBLISHED)
both_ledgers = pytest.mark.parametrize("make", MAKERS)
any_system = pytest.mark.parametrize(
    "external", [NUMBERED, NO_REVISION], ids=["numbered", "unnumbered"]
)
either_api = pytest.mark.parametrize("of_wix", [{}, {"wix": KEEPS}], ids=["ratings", "reviews"])


def waited(*acts: Story, make: Any = memory_ledger, **more: Any) -> World:
    world = World(0, Options(CALM, **{"people": 1, "new_outside": PENDING, **more}), make)
    for act in acts:
        act(world)
        world.drain()
    return world


@any_system
@either_api
@both_ledgers
def test_approval_leaves_an_edit_of_the_stars_alone(
    make: Any, of_wix: Any, external: Capabilities
) -> None:
    """It shows what we wrote, so nobody has edited it."""
    world = waited(RATED, changes(W, overall=20), make=make, external=external, **of_wix)
    assert set(world.ledger.held_reasons()) == {"moderated"}
    APPROVED(world)
    world.settle()
    assert stands(world) == (("20", "published"), ("1", "published"))
    assert writes(world) == {"create on external": 1, "update on external": 1}
    assert_at_rest(world)


def test_sweeps_alone_bring_the_edit_outside_after_the_approval() -> None:
    world = waited(RATED, changes(W, overall=20))
    world.external.on_event = lambda event: None
    APPROVED(world)
    world.settle()
    assert stands(world) == (("20", "published"), ("1", "published"))
    assert_at_rest(world)


@any_system
def test_edit_by_a_moderator_is_an_edit(external: Capabilities) -> None:
    """It shows something else than we wrote; the later word counts, and the other is on record."""
    acts = (RATED, changes(W, overall=20), changes(E, value=2), APPROVED)
    world = waited(*acts, external=external)
    world.settle()
    assert stands(world) == (("40", "published"), ("2", "published"))
    losers = {line.loser for line in world.ledger.history_entries() if line.loser is not None}
    assert losers == {20}


@any_system
@both_ledgers
def test_deleted_review_does_not_come_back_with_the_approval(
    make: Any, external: Capabilities
) -> None:
    world = waited(RATED, deletes(W), make=make, external=external)
    assert stands(world) == (None, ("4", "pending"))
    APPROVED(world)
    world.settle()
    assert stands(world) == (None, None)
    assert writes(world) == {"create on external": 1, "delete on external": 1}
    assert_at_rest(world)


def test_copy_that_the_moderator_throws_away_is_gone() -> None:
    world = waited(RATED, deletes(W), deletes(E))
    world.settle()
    assert stands(world) == (None, None)
    assert_at_rest(world)


def test_deletes_that_do_not_cross_leave_the_copy_as_it_is() -> None:
    world = waited(RATED, deletes(W), APPROVED, policy=Policy.of({"deletes": "ignore"}))
    world.settle()
    assert stands(world) == (None, ("4", "published"))
    assert_at_rest(world)


def test_rejected_review_takes_its_copy_along_when_that_is_shown() -> None:
    acts = (rates(W, overall=80), on_wix(PUBLISHED), on_wix(REJECTED))
    world = waited(*acts, wix=KEEPS)
    assert stands(world) == (("80", "rejected"), ("4", "pending"))
    APPROVED(world)
    world.settle()
    assert stands(world) == (("80", "rejected"), None)
    assert_at_rest(world)


def test_rejected_and_deleted_review_takes_its_copy_along_when_shown() -> None:
    acts = (rates(W, overall=80), on_wix(PUBLISHED), on_wix(REJECTED), deletes(W))
    world = waited(*acts, wix=KEEPS)
    world.settle()
    assert stands(world) == (None, ("4", "pending"))
    assert broken_invariants(world) == []
    APPROVED(world)
    world.settle()
    assert stands(world) == (None, None)
    assert_at_rest(world)


@any_system
def test_approval_leaves_edits_of_stars_and_words_alone(external: Capabilities) -> None:
    world = a_world(external=external)
    world.external.new_state = PENDING
    rate(world, W, 80, title="Good", body="First")
    world.drain()
    say(world, W, body="Second")
    changes(W, overall=20)(world)
    world.drain()
    APPROVED(world)
    world.settle()
    assert both_show(world) == (["20", "Good", "Second"], ["1", "Good", "Second"])
    assert_at_rest(world)


# -- and the answer to the create is lost


def lose_the_answer(world: World) -> None:
    def fault(operation: str) -> str | None:
        is_first = operation == "create" and not world.external.records
        return "response_lost" if is_first else None

    world.external.fault = fault


def shown_outside(world: World) -> list[tuple[str, str]]:
    records = world.external.records.values()
    return [(str(one.values["value"]), str(one.state)) for one in records]


@any_system
@both_ledgers
def test_lost_create_that_waits_is_found_and_not_made_again(
    make: Any, external: Capabilities
) -> None:
    """It shows nothing yet, but it holds what we wrote."""
    world = waited(lose_the_answer, RATED, make=make, external=external)
    world.settle()
    assert shown_outside(world) == [("4", "pending")]
    assert_at_rest(world)
    changes(W, overall=20)(world)
    world.drain()
    assert shown_outside(world) == [("4", "pending")]
    APPROVED(world)
    world.settle()
    assert shown_outside(world) == [("1", "published")]
    assert writes(world) == {"create on external": 1, "update on external": 1}
    assert_at_rest(world)


@any_system
def test_lost_create_whose_event_came_first_is_found_too(external: Capabilities) -> None:
    """The event told of a record that nobody shows, and of no link: it counted as gone."""
    world = World(0, Options(CALM, people=1, new_outside=PENDING, external=external), memory_ledger)
    lose_the_answer(world)
    heard = list[str]()

    def hear_first(place: str) -> None:
        if place == "before external.find" and not heard:
            heard.append(place)
            for webhook in range(len(world.post.webhooks)):
                world.post.deliver(webhook)
            while world.queue:
                world.work(world.queue.pop(0))

    RATED(world)
    world.on_step = hear_first
    world.settle()
    assert shown_outside(world) == [("4", "pending")]
    assert_at_rest(world)


def hide_before_a_look(world: World) -> None:
    """A moderator is faster than the look that is to tell whether the create landed."""

    def hide(place: str) -> None:
        copy = world.external.records.get("e1")
        if place == "before external.find" and copy is not None and copy.is_visible:
            world.external.moderator_sets("e1", PENDING)

    world.on_step = hide


def hidden_before_a_look(external: Capabilities, make: Any, state: RecordState) -> World:
    acts = (lose_the_answer, hide_before_a_look, RATED)
    world = waited(*acts, make=make, external=external, new_outside=state)
    world.on_step = lambda place: None
    world.settle()
    return world


@both_ledgers
def test_lost_create_that_was_hidden_before_a_look_is_as_one_that_waits(make: Any) -> None:
    """Nothing tells them apart where states have no numbers: the rating of its person stays."""
    for state in (PENDING, PUBLISHED):
        world = hidden_before_a_look(NO_REVISION, make, state)
        assert stands(world) == (("80", "published"), ("4", "pending"))
        assert_at_rest(world)
        assert broken_invariants(world) == []
        APPROVED(world)
        world.settle()
        assert stands(world) == (("80", "published"), ("4", "published"))
        assert broken_invariants(world) == []


@any_system
def test_record_hidden_before_the_look_at_a_lost_update_is_hidden(external: Capabilities) -> None:
    """It showed what that was to change: it does not wait for its first moderator."""
    world = waited(RATED, external=external, new_outside=PUBLISHED)

    def hide(place: str) -> None:
        if place == "before external.get" and world.external.records["e1"].values["value"] == 1:
            world.on_step, world.external.fault = lambda place: None, lambda operation: None
            world.external.moderator_sets("e1", PENDING)

    world.external.fault = lambda operation: "response_lost" if operation == "update" else None
    world.on_step = hide
    changes(W, overall=20)(world)
    world.settle()
    assert stands(world) == (None, ("1", "pending"))
    assert_at_rest(world)
    assert broken_invariants(world) == []


def test_copy_that_was_shown_and_deleted_between_looks_was_not_seen() -> None:
    """It is as one that its moderator throws away, as is one that was edited and hidden again."""
    world = waited(RATED, external=NO_REVISION)
    for act in (APPROVED, changes(E, value=2), deletes(E)):
        act(world)
    world.settle()
    assert stands(world) == (("80", "published"), None)
    assert_at_rest(world)
    assert broken_invariants(world) == []
    world = waited(RATED, external=NO_REVISION)
    for act in (changes(E, value=2), APPROVED, moderates(PENDING)):
        act(world)
    world.settle()
    assert stands(world) == (("80", "published"), ("2", "pending"))
    assert broken_invariants(world) == []


def test_copy_that_was_seen_published_takes_its_rating_along() -> None:
    world = waited(RATED, APPROVED, deletes(E), external=NO_REVISION)
    world.settle()
    assert stands(world) == (None, None)


def test_echo_tells_that_a_hidden_lost_create_had_been_published() -> None:
    world = hidden_before_a_look(NUMBERED, memory_ledger, PUBLISHED)
    assert stands(world) == (None, ("4", "pending"))
    assert_at_rest(world)


def lost_create_is_on_file() -> bool:
    acts = (lose_the_answer, RATED, changes(W, overall=20), APPROVED)
    return shown_outside(waited(*acts, external=NO_REVISION)) == [("1", "published")]


def edit_is_kept() -> bool:
    world = waited(RATED, changes(W, overall=20), APPROVED)
    return stands(world) == (("20", "published"), ("1", "published"))


MISSED: dict[str, Callable[[], bool]] = {
    "copies that wait": edit_is_kept,
    "look at what counted as gone": lost_create_is_on_file,
}


@pytest.mark.parametrize("mechanism", sorted(MISSED))
def test_story_misses_the_mechanism(mechanism: str) -> None:
    assert MISSED[mechanism]()
    with without(mechanism):
        assert not MISSED[mechanism]()


@any_system
@pytest.mark.parametrize(
    "thrown_away",
    [[deletes(E)], [moderates(REJECTED)], [moderates(REJECTED), deletes(E)]],
    ids=["deleted", "rejected", "both"],
)
def test_copy_that_a_moderator_throws_away_takes_nothing_from_wix(
    thrown_away: list[Story], external: Capabilities
) -> None:
    """Nobody has seen it outside. Shown there once, it is another matter."""
    world = waited(RATED, *thrown_away, external=external)
    world.settle()
    assert stands(world)[0] == ("80", "published")
    assert broken_invariants(world) == []
    world = waited(RATED, APPROVED, *thrown_away, external=external)
    world.settle()
    assert stands(world)[0] is None
    assert broken_invariants(world) == []
