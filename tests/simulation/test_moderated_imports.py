"""Wix Reviews: what becomes of an import of ours that the owner, or a rule, takes out of sight."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import NewDelivery, Policy
from tests.simulation.both_ledgers import MAKERS
from tests.simulation.chaos import sql_ledger
from tests.simulation.moderated import (
    BUMPS,
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
    rate_beside,
    reviews,
    stands,
    writes,
)
from tests.simulation.scenarios import Story, changes, deletes, moderates, rates
from tests.simulation.world import LedgerMaker, World
from tests.simulation.world.stepping import Crash
from tests.twins.memory_ledger import memory_ledger

both_ledgers = pytest.mark.parametrize("make", MAKERS)

# -- an import of ours


@either
@by_either_way
def test_owners_rejection_of_an_import_keeps_its_source(way: Way, wix: object) -> None:
    """It stays rejected, its source stays, and the history says so."""
    world = way(rates(E, value=1), on_wix(PUBLISHED), on_wix(REJECTED), wix=wix)
    assert stands(world) == (("20", "rejected"), ("1", "published"))
    lines = [line for line in world.ledger.history_entries() if line.reason == "rejected_import"]
    assert [(line.what, line.side, line.before) for line in lines] == [("ignore", W, Decimal(20))]
    world.settle()
    assert stands(world) == (("20", "rejected"), ("1", "published"))
    assert writes(world) == {"create on wix": 1}
    assert_at_rest(world)


@by_either_way
def test_edit_outside_reaches_the_rejected_copy(way: Way) -> None:
    world = way(rates(E, value=1), on_wix(PUBLISHED), on_wix(REJECTED), changes(E, value=2))
    assert stands(world) == (("40", "rejected"), ("2", "published"))
    assert_at_rest(world)


@by_either_way
def test_deleted_source_takes_the_rejected_copy_along(way: Way) -> None:
    world = way(rates(E, value=1), on_wix(PUBLISHED), on_wix(REJECTED), deletes(E))
    assert stands(world) == (None, None)


@either
@by_either_way
def test_rejected_import_takes_its_source_along_by_policy(way: Way, wix: object) -> None:
    policy = Policy.of({"rejected_import": "delete"})
    acts = (rates(E, value=1), on_wix(PUBLISHED), on_wix(REJECTED))
    world = way(*acts, wix=wix, policy=policy)
    assert stands(world) == (("20", "rejected"), None)
    world.settle()
    assert stands(world) == (("20", "rejected"), None)


@either
@by_either_way
def test_deleted_source_takes_the_waiting_import_along(way: Way, wix: object) -> None:
    world = way(rates(E, value=4), deletes(E), wix=wix)
    assert stands(world) == (None, None)
    assert_at_rest(world)


@either
@by_either_way
def test_edit_outside_reaches_the_waiting_import(way: Way, wix: object) -> None:
    """Written and waiting counts as there; its approval leaves nothing held."""
    world = way(rates(E, value=4), changes(E, value=2), wix=wix)
    assert stands(world) == (("40", "pending"), ("2", "published"))
    on_wix(PUBLISHED)(world)
    world.settle()
    assert stands(world) == (("40", "published"), ("2", "published"))
    assert writes(world) == {"create on wix": 1, "update on wix": 1}
    assert_at_rest(world)


@either
@by_either_way
def test_import_that_rules_reject_at_once_deletes_nothing(way: Way, wix: object) -> None:
    world = way(rates(E, value=1), on_wix(REJECTED), wix=wix)
    assert stands(world) == (("20", "rejected"), ("1", "published"))
    assert writes(world) == {"create on wix": 1}


WAITS, REJECTS = (), (on_wix(PUBLISHED), on_wix(REJECTED))
either_hidden = pytest.mark.parametrize("acts", [WAITS, REJECTS], ids=["waiting", "rejected"])


@either
@either_hidden
@by_either_way
def test_import_deleted_out_of_sight_keeps_its_source(
    way: Way, acts: tuple[Story, ...], wix: object
) -> None:
    """Nobody had seen it on Wix; it comes anew only with an edit outside, once for each."""
    world = way(rates(E, value=1), *acts, deletes(W), wix=wix)
    for _ in range(3):
        world.now += 3600.0
        world.sweep()
        world.drain()
    assert stands(world) == (None, ("1", "published"))
    assert writes(world) == {"create on wix": 1}
    lines = [line for line in world.ledger.history_entries() if line.reason == "rejected_import"]
    assert lines[-1].what == "ignore"
    changes(E, value=2)(world)
    world.settle()
    assert stands(world) == (("40", "pending"), ("2", "published"))
    deletes(W)(world)
    world.settle()
    assert stands(world) == (None, ("2", "published"))
    assert writes(world) == {"create on wix": 2}
    deletes(E)(world)
    world.settle()
    assert stands(world) == (None, None)
    assert_at_rest(world)


def deliver(world: World) -> int:
    """The next webhook, as its place in the inbox."""
    world.post.deliver(0)
    return world.queue.pop(0)


def silently(world: World, act: Story) -> list[NewDelivery]:
    """Wix tells of an act later, if at all: here is what it will tell."""
    before = len(world.post.webhooks)
    act(world)
    told = world.post.webhooks[before:]
    del world.post.webhooks[before:]
    return told


@both_ledgers
def test_import_published_and_deleted_in_one_run_was_seen(make: LedgerMaker) -> None:
    """Both were told before anybody had put either on file: its source goes, too."""
    world = played(rates(E, value=1), make_ledger=make)
    on_wix(PUBLISHED)(world)
    deletes(W)(world)

    def die(place: str) -> None:
        if place == "before ledger.commit":
            world.on_step = lambda place: None
            raise Crash(place)

    world.on_step = die
    for _ in range(2):
        world.work(deliver(world))
    world.settle()
    assert stands(world) == (None, None)
    assert_at_rest(world)


@both_ledgers
def test_import_whose_publication_only_our_update_saw_was_seen(make: LedgerMaker) -> None:
    """Its worker died before it could say so, and it was gone when the next one looked."""
    world = played(rates(E, value=1), on_wix(PUBLISHED), on_wix(REJECTED), make_ledger=make)
    silently(world, on_wix(PUBLISHED))
    changes(E, value=2)(world)

    def die(place: str) -> None:
        if place == "after wix.update":
            world.on_step = lambda place: None
            raise Crash(place)

    world.on_step = die
    world.work(deliver(world))
    deletes(W)(world)
    world.settle()
    assert stands(world) == (None, None)
    assert_at_rest(world)


def test_publication_is_the_newer_word_about_what_a_look_saw_wait() -> None:
    """Nothing is put back to waiting: then no look is needed, and none finds it gone."""
    world = World(0, reviews(people=4), memory_ledger)
    rate_beside(world)
    world.drain()
    rates(E, value=1)(world)
    silently(world, lambda world: world.work(deliver(world)))
    published = silently(world, on_wix(PUBLISHED))
    silently(world, deletes(W))
    world.post.webhooks += published
    world.settle()
    assert stands(world) == (None, None)
    assert_at_rest(world)


@either_hidden
def test_own_review_in_place_of_a_deleted_import_takes_nothing_along(
    acts: tuple[Story, ...],
) -> None:
    """The person's own waits on Wix where ours was deleted; when it is published, it counts."""
    world = played(rates(E, value=1), *acts)
    deletes(W)(world)
    rates(W, overall=80)(world)
    world.drain()
    assert stands(world) == (("80", "pending"), ("1", "published"))
    on_wix(PUBLISHED)(world)
    world.settle()
    assert stands(world) == (("80", "published"), ("4", "published"))
    assert_at_rest(world)


@either_hidden
@by_either_way
def test_import_deleted_out_of_sight_takes_its_source_by_policy(
    way: Way, acts: tuple[Story, ...]
) -> None:
    policy = Policy.of({"rejected_import": "delete"})
    world = way(rates(E, value=1), *acts, deletes(W), policy=policy)
    assert stands(world)[1] is None


@by_either_way
def test_published_import_that_is_deleted_on_wix_is_deleted_outside(way: Way) -> None:
    world = way(rates(E, value=1), on_wix(PUBLISHED), deletes(W))
    assert stands(world) == (None, None)


def test_import_that_names_no_origin_is_ours_by_its_write() -> None:
    acts = (rates(E, value=1), on_wix(PUBLISHED), on_wix(REJECTED))
    world = played(*acts, names_origin=False)
    assert stands(world) == (("20", "rejected"), ("1", "published"))


@pytest.mark.parametrize("policy", [{}, {"rejected_import": "delete"}], ids=["keep", "delete"])
def test_sql_ledger_remembers_who_made_and_hides_a_review(policy: dict[str, str]) -> None:
    """As the ledger in memory does, over the end of each run."""
    acts = (rates(E, value=4), on_wix(PUBLISHED), moderates(PENDING), moderates(PUBLISHED))
    for more in ((), (on_wix(REJECTED), changes(E, value=2))):
        worlds = [
            World(0, reviews(policy=Policy.of(policy), names_origin=False), make)
            for make in (memory_ledger, sql_ledger)
        ]
        for world in worlds:
            for act in (*acts, *more):
                if world.external.records or act is acts[0]:
                    act(world)
                    world.drain()
        assert stands(worlds[0]) == stands(worlds[1])
        assert writes(worlds[0]) == writes(worlds[1])


def lost_create(world: World, lags: int = 0) -> None:
    """The answer to our create is lost, and its owner approves what it made before we look.

    ``lags``: so many searches do not show it yet.
    """
    left, decided = [None] * lags, list[str]()

    def lose(operation: str) -> str | None:
        is_first = operation == "create" and not world.wix.records
        return "response_lost" if is_first else None

    def decide(place: str) -> None:
        if place == "before wix.find" and world.wix.records and not decided:
            decided.append("approved")
            on_wix(PUBLISHED)(world)

    def is_behind() -> bool:
        return bool(left) and left.pop() is None

    world.wix.fault, world.on_step, world.wix.find_lags = lose, decide, is_behind


def rejected_after_a_lost_create(wix: Capabilities = BUMPS, lags: int = 0) -> World:
    world = World(0, reviews(wix=wix, names_origin=False), memory_ledger)
    # Nothing tells of it but our looks.
    world.wix.on_event = lambda event: None
    lost_create(world, lags)
    rates(E, value=4)(world)
    world.settle()
    world.wix.on_event = world.tell
    on_wix(REJECTED)(world)
    world.settle()
    return world


@either
@pytest.mark.parametrize("lags", [0, 1, 2, 3, 5])
def test_lost_create_is_ours_however_late_it_shows(lags: int, wix: Capabilities) -> None:
    """Its owner's rejection leaves its source alone, as that of any import."""
    world = rejected_after_a_lost_create(wix, lags)
    assert stands(world) == (("80", "rejected"), ("4", "published"))
    assert writes(world)["create on wix"] == 1
    assert_at_rest(world)
