"""Wix Reviews: whether a record is published is part of its state.

What the owner of the site, its rules and the moderators outside decide, and what we make of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import Policy, RecordState, Side
from tests.simulation.ablations import without
from tests.simulation.chaos import NO_REVISION, run_seed, sql_ledger
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import Story, changes, deletes, moderates, rates
from tests.simulation.world import CALM, LedgerMaker, Options, World
from tests.twins.memory_ledger import memory_ledger
from tests.twins.memory_system import REVIEWS_CAPABILITIES

W, E = Side.WIX, Side.EXTERNAL
PENDING, REJECTED = RecordState.PENDING, RecordState.REJECTED
PUBLISHED = RecordState.PUBLISHED
KEEPS = REVIEWS_CAPABILITIES
BUMPS = replace(REVIEWS_CAPABILITIES, revision_covers_state=True)
either = pytest.mark.parametrize("wix", [KEEPS, BUMPS], ids=["keeps", "bumps"])


def reviews(**more: object) -> Options:
    options = Options(CALM, people=1, wix=KEEPS, new_on_wix=PENDING)
    return replace(options, **more)  # type: ignore[arg-type]  # of many types


def on_wix(state: RecordState) -> Story:
    """The owner decides."""

    def act(world: World) -> None:
        world.wix.moderator_sets(wix_id(world), state)

    return act


def wix_id(world: World) -> str:
    (record,) = world.wix.of(world.entities[0][0], world.persons[0])
    return record.remote_id


def played(*acts: Story, **more: object) -> World:
    """Each act is told before the next one."""
    world = World(0, reviews(**more), memory_ledger)
    for act in acts:
        act(world)
        world.drain()
    return world


def swept(*acts: Story, make_ledger: LedgerMaker = memory_ledger, **more: object) -> World:
    """No event arrives: two sweeps after each act tell."""
    world = World(0, reviews(people=4, **more), make_ledger)
    world.chance.faults = replace(CALM, drop=1.0)
    # A listing that shows under half of what is on file is not believed.
    for number in range(2, 4):
        for side, name in ((W, "overall"), (E, "value")):
            entity, value = world.entities[0][side is E], {W: 80, E: 4}[side]
            made = world.remotes[side].visitor_rates(
                entity, world.persons[number], {name: Decimal(value)}
            )
            world.remotes[side].moderator_sets(made.remote_id, PUBLISHED)
    for act in acts:
        act(world)
        for _ in range(2):
            world.now += 3600.0
            world.sweep()
            world.drain()
    return world


by_either_way = pytest.mark.parametrize("way", [played, swept], ids=["events", "sweeps"])
Way = Callable[..., World]


def stands(world: World) -> tuple[tuple[str, str] | None, tuple[str, str] | None]:
    """What each side holds, whoever sees it, and in which state."""
    shown = []
    for side, name in ((W, "overall"), (E, "value")):
        entity = world.entities[0][side is E]
        records = world.remotes[side].of(entity, world.persons[0])
        assert len(records) < 2
        shown.append(next(((str(one.values[name]), str(one.state)) for one in records), None))
    return shown[0], shown[1]


def assert_at_rest(world: World) -> None:
    assert world.ledger.held_reasons() == []
    assert world.ledger.open_intents() == 0


def writes(world: World) -> Counter[str]:
    return Counter(
        f"{entry.operation} on {side}"
        for side, remote in world.remotes.items()
        for entry in remote.journal
        if entry.by_us
    )


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


# -- a review of a visitor


@either
@by_either_way
def test_rejected_review_of_a_visitor_goes_outside(way: Way, wix: object) -> None:
    world = way(rates(W, overall=80), on_wix(PUBLISHED), on_wix(REJECTED), wix=wix)
    assert stands(world) == (("80", "rejected"), None)
    on_wix(PUBLISHED)(world)
    world.settle()
    assert stands(world) == (("80", "published"), ("4", "published"))


@pytest.mark.parametrize("make", [memory_ledger, sql_ledger], ids=["memory", "sql"])
def test_sweeps_tell_each_state_of_one_revision(make: LedgerMaker) -> None:
    acts = [on_wix(PUBLISHED), on_wix(REJECTED)] * 2
    world = swept(rates(W, overall=80), *acts, on_wix(PUBLISHED), make_ledger=make)
    assert stands(world) == (("80", "published"), ("4", "published"))
    assert writes(world) == {"create on external": 3, "delete on external": 2}


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


# -- the tests are tested: each mechanism, switched off, is missed

PUBLISHED_ON_WIX, REJECTED_ON_WIX = on_wix(PUBLISHED), on_wix(REJECTED)
HIDDEN, SHOWN = moderates(PENDING), moderates(PUBLISHED)


def rejected_is_gone_outside(way: Way = played) -> bool:
    world = way(rates(W, overall=80), PUBLISHED_ON_WIX, REJECTED_ON_WIX)
    return stands(world) == (("80", "rejected"), None)


def rejected_is_gone_outside_by_sweeps() -> bool:
    return rejected_is_gone_outside(swept)


def old_state_told_again_changes_nothing() -> bool:
    """We withdrew it, and an answer has no sequence: only a look tells what is newer."""
    world = played(rates(E, value=4), PUBLISHED_ON_WIX)
    told = [one for one in world.post.sent if one.side is W][-1:]
    # The event of our own call is lost.
    world.wix.on_event = lambda event: None
    HIDDEN(world)
    world.drain()
    world.wix.on_event = world.tell
    world.replay(told)
    SHOWN(world)
    world.drain()
    return stands(world) == (("80", "published"), ("4", "published"))


def rejected_import_keeps_its_source() -> bool:
    acts = (rates(E, value=1), PUBLISHED_ON_WIX, REJECTED_ON_WIX)
    world = played(*acts, names_origin=False)
    return stands(world) == (("20", "rejected"), ("1", "published"))


def rejected_import_is_on_record() -> bool:
    world = played(rates(E, value=1), PUBLISHED_ON_WIX, REJECTED_ON_WIX)
    return "rejected_import" in {line.reason for line in world.ledger.history_entries()}


def hidden_outside_is_kept_on_wix() -> bool:
    world = played(rates(E, value=4), PUBLISHED_ON_WIX, HIDDEN, SHOWN)
    world.settle()
    return "delete on wix" not in writes(world)


def hidden_on_both_sides_is_left_alone() -> bool:
    world = played(rates(E, value=4), PUBLISHED_ON_WIX, REJECTED_ON_WIX, HIDDEN, SHOWN)
    world.settle()
    return writes(world) == {"create on wix": 1}


def unwanted_import_keeps_its_source() -> bool:
    world = played(rates(E, value=1), deletes(W))
    return stands(world) == (None, ("1", "published"))


def rejection_reaches_us_after_our_write() -> bool:
    policy = Policy.of({"rejected_import": "delete"})
    acts = (rates(E, value=4), REJECTED_ON_WIX)
    world = played(*acts, policy=policy, new_on_wix=PUBLISHED)
    return stands(world) == (("80", "rejected"), None)


def refused_edit_is_one_update() -> bool:
    world = played(rates(W, overall=80), PUBLISHED_ON_WIX, read_only="conflict")
    changes(E, value=2)(world)
    world.drain(rounds=20)
    return world.wix.calls["update"] == 1


def no_seed_breaks_reviews() -> bool:
    return not any(run_seed("reviews, calm", seed) for seed in range(1, 30))


OF_MODERATION: dict[str, Callable[[], bool]] = {
    "state beside the revision": rejected_is_gone_outside,
    "listed state beside the revision": rejected_is_gone_outside_by_sweeps,
    "order of states by their sequence": old_state_told_again_changes_nothing,
    "who made a record": rejected_import_keeps_its_source,
    "rejection on record": rejected_import_is_on_record,
    "hidden on one side": hidden_on_both_sides_is_left_alone,
    "withdrawing what is only hidden": hidden_outside_is_kept_on_wix,
    "approving only what we withdrew": hidden_on_both_sides_is_left_alone,
    "imports that nobody wanted": unwanted_import_keeps_its_source,
    "refusal at the right revision": refused_edit_is_one_update,
    "guard leaves states alone": rejection_reaches_us_after_our_write,
    "hidden reviews before they are known": no_seed_breaks_reviews,
}


def holds(story: Callable[[], bool]) -> bool:
    try:
        return story()
    except AssertionError:
        return False


@pytest.mark.parametrize("mechanism", sorted(OF_MODERATION))
def test_story_misses_the_mechanism(mechanism: str) -> None:
    story = OF_MODERATION[mechanism]
    assert holds(story)
    with without(mechanism):
        assert not holds(story)
