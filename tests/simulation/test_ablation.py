"""The tests are tested: each mechanism, switched off, is missed.

``ALONE``: a directed story breaks without the mechanism, undisturbed or with one crash.
``BY_CHANCE``: it takes the right schedule, which the seeds of a scene find. ``COVERED``: another
mechanism covers it; both off are missed. ``GUARDED``: a story of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from sync_worker.core.scale import FieldMap, Scale
from sync_worker.core.values import Side
from tests.simulation.ablations import MECHANISMS, without
from tests.simulation.chaos import run_seed
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import SCENARIOS, changes, deletes, ending_of, rates
from tests.simulation.swept import OF_SWEEPS
from tests.simulation.test_moderation import OF_MODERATION
from tests.simulation.test_neighbours import OF_NEIGHBOURS
from tests.simulation.test_replies import OF_REPLIES
from tests.simulation.test_sites import OF_SITES
from tests.simulation.test_words import OF_WORDS
from tests.simulation.test_words_held import OF_WAITING_WORDS
from tests.simulation.world import CALM, PERCENT, Options, World
from tests.twins.memory_ledger import memory_ledger
from tests.twins.remote_values import RemoteEvent

W, E = Side.WIX, Side.EXTERNAL
# Mechanism: the story that misses it.
ALONE = {
    "lease": "both change at once, wix wins",
    "intent": "wix change crosses",
    "settling by looking": "wix change crosses",
    "seen revision": "both rate differently at once, wix wins",
    "tombstones": "privacy delete wins over edit",
    "base for each side": "fine edit survives an edit back",
    "sweeper": "wix rating is created outside",
    "precondition": "both change at once, wix wins",
    "look before a write without precondition": "edit wins over delete",
}
# Mechanism: the scene whose seeds miss it, and which to look through.
BY_CHANCE = {
    "fence": ("pauses beyond the lease only", range(200)),
    "adopting a duplicate": ("storm", range(50)),
    "shadowing": ("woocommerce", range(50)),
    "look for what a twin absorbed": (
        "all workers at one delivery, calm, nothing dropped, no sweep",
        range(60),
    ),
    "look at what was buried meanwhile": ("calm, nothing dropped, no sweep", range(300)),
}
# Mechanism: (what covers it, the scene, the seeds to look through with both off).
COVERED = {
    "loop guard": ("seen revision", "calm", range(20)),
    "dedupe at the door": ("seen revision", "calm", range(20)),
    "reading what was released": ("seen revision", "calm", range(20)),
    "look after the release": ("sweeper", "storm", range(50)),
    "pause check": ("fence", "storm", range(400)),
    "echo as acknowledgement": (
        "gap record",
        "storm, no preconditions outside, nothing dropped, no sweep",
        range(700, 1100),
    ),
}
OF_DECISIONS = {  # tests/simulation/test_decisions_kept.py
    "what whoever decided has seen",
    "newer edit than what was begun",
    "decision in hand as a write is settled",
    "first write agrees to nothing",
    "standing still where a person stopped it",
    "decision passes the loop breaker",
}
GUARDED = {
    *OF_DECISIONS,
    *OF_MODERATION,
    *OF_WORDS,
    *OF_WAITING_WORDS,
    *OF_REPLIES,
    "look at what counted as gone",  # tests/simulation/test_waiting_copies.py
    # tests/simulation/test_deleted_at_once.py
    "what was deleted at once",
    "deletion heard before its creation",
    # tests/simulation/test_pictures.py
    "pictures go along",
    "pictures by policy",
    "copies that wait",  # tests/simulation/test_waiting_copies.py
    "hidden from us",  # tests/simulation/test_unseen.py
    *OF_SITES,
    *OF_NEIGHBOURS,
    "loop breaker",
    "check of what was returned",
    "source records on file",
    "bound of processor time",  # tests/simulation/test_costly_deliveries.py
    "one held word of a record",  # tests/simulation/test_policies.py
    "gathering of a crowd",  # tests/simulation/test_crowds.py
    # tests/simulation/test_clock.py
    "clock that never goes back",
    "bound of a jump ahead",
    "gap record",  # tests/simulation/test_settlement.py
    "own write of unknown outcome",  # tests/simulation/test_words.py
    # tests/simulation/test_tries.py
    "tries taken together",
    "waiting for the echo",
    "edit since our look",
    "nothing agreed",
    # tests/simulation/test_moves.py and test_moves_that_wait.py
    "whose a record is",
    "whose a listed record is",
    "what a record showed itself",
    "delivery of a moved record",
    "one rating for whom it names",
    # tests/simulation/test_guests.py
    "guests wait at the door",
    "guests change nothing",
    # tests/simulation/test_false_answers.py
    "standing still after a loss",
    "loss that only a person ends",
    "look after a delete",
    "gone in the system's words",
    # tests/simulation/test_accepted_creates.py
    "waiting for an accepted create",
    "hearing of a failed create",
    "text of an accepted create",
    "hints for children",  # tests/simulation/test_product_events.py
    "refusing what is not offered",  # tests/simulation/test_platforms.py
    # tests/simulation/test_locked_records.py
    "locks of records",
    "look at what may be locked",
    "stars without refused words",  # tests/simulation/test_words_refused.py
    "each of the refused words alone",  # tests/simulation/test_words_refused.py
    "stars before words that do not land",  # tests/simulation/test_words_that_break.py
    "look at what is held",  # tests/simulation/test_held_again.py
    "rated before unrated",  # tests/simulation/test_product_events.py
    # tests/simulation/test_refusals.py
    "probe of a failing account",
    "cheap read after a refusal",
}


def test_every_mechanism_is_accounted_for() -> None:
    assert set(MECHANISMS) == {*ALONE, *BY_CHANCE, *COVERED, *GUARDED, *OF_SWEEPS}


def breaks(name: str, crash: int = 0) -> bool:
    scenario = SCENARIOS[name]
    world = scenario.world()
    world.crash_steps = {crash}
    try:
        scenario.play(world)
    except AssertionError:
        return True
    return ending_of(world) != scenario.ending or bool(broken_invariants(world))


@pytest.mark.parametrize("mechanism", sorted(ALONE))
def test_story_misses_the_mechanism(mechanism: str) -> None:
    scenario = SCENARIOS[ALONE[mechanism]]
    whole = scenario.world()
    scenario.play(whole)
    with without(mechanism):
        assert any(breaks(ALONE[mechanism], step) for step in range(whole.steps + 1))


def some_seed_breaks(scene: str, seeds: range) -> bool:
    return any(run_seed(scene, seed) for seed in seeds)


@pytest.mark.parametrize("mechanism", sorted(BY_CHANCE))
def test_seeds_miss_the_mechanism(mechanism: str) -> None:
    with without(mechanism):
        assert some_seed_breaks(*BY_CHANCE[mechanism])


@pytest.mark.full
@pytest.mark.parametrize("mechanism", sorted(COVERED))
def test_covered_mechanism_and_its_cover_are_missed_together(mechanism: str) -> None:
    cover, scene, seeds = COVERED[mechanism]
    with without(mechanism):
        assert not any(breaks(name) for name in SCENARIOS), "it is not covered: list it under ALONE"
    with without(mechanism, cover):
        assert some_seed_breaks(scene, seeds)


# -- mechanisms with a story of their own


def a_fight() -> World:
    """Somebody's robot on each side puts its own value back whenever ours arrives."""
    world = World(0, Options(CALM, people=1), memory_ledger)
    stubborn = {W: {"overall": Decimal(100)}, E: {"value": Decimal(1)}}
    told = world.tell

    def tell(event: RemoteEvent) -> None:
        told(event)
        remote = world.remotes[event.side]
        if event.by_us and event.change == "upsert" and event.record.remote_id in remote.records:
            remote.visitor_changes(event.record.remote_id, stubborn[event.side])

    for remote in world.remotes.values():
        remote.on_event = tell
    rates(W, overall=100)(world)
    return world


def test_fight_between_two_robots_is_stopped_after_twelve_writes_and_held() -> None:
    world = a_fight()
    world.drain()
    ours = [entry for remote in world.remotes.values() for entry in remote.journal if entry.by_us]
    assert len(ours) == 12
    assert world.is_held(world.entities[0][0], world.persons[0])
    fights = [entry for entry in world.ledger.history_entries() if entry.reason == "fight"]
    assert [(entry.before, entry.after) for entry in fights][-1][0] is not None


def test_fight_goes_on_for_ever_without_the_loop_breaker() -> None:
    with without("loop breaker"):
        world = a_fight()
        with pytest.raises(AssertionError, match="did not come to rest"):
            world.drain(rounds=200)


HALVES = Scale(Decimal("0.5"), Decimal(5), Decimal("0.5"))


def a_rounding_remote() -> World:
    """The external side turns 4.5 stars into 4."""
    world = World(
        0,
        Options(CALM, people=1, fields=(FieldMap("overall", "value", PERCENT, HALVES),)),
        memory_ledger,
    )
    world.external.normalise = lambda name, value: Decimal(int(value))
    rates(W, overall=90)(world)
    world.settle()
    return world


def test_remote_that_rounds_into_another_class_is_held() -> None:
    """A remote that rounds into another class is held; one sweep tries again, and no further."""
    world = a_rounding_remote()
    assert broken_invariants(world) == []
    assert world.is_held(world.entities[0][0], world.persons[0])
    ours = [entry for entry in world.external.journal if entry.by_us]
    assert len(ours) <= 2
    assert [entry.after for entry in ours] == [{"value": Decimal(4)}] * len(ours)


def test_rounding_remote_diverges_without_the_check_of_what_returned() -> None:
    """A rounding remote diverges silently without the check of what was returned."""
    with without("check of what was returned"):
        assert any(broken.startswith("I1") for broken in broken_invariants(a_rounding_remote()))


def created_then_crashed_then_deleted() -> World:
    """The worker that makes the copy dies, so does the one that settles it, and the original is
    deleted by a hint.
    """
    world = World(0, Options(CALM, people=1), memory_ledger)
    rates(W, overall=80)(world)
    work_until(world, lambda: bool(world.external.records))
    work_until(world, lambda: bool(world.ledger.records_on_file()))
    deletes(W)(world)
    return world


def work_until(world: World, is_done: Callable[[], bool]) -> None:
    """Then the workers die."""
    while not is_done():
        if not world.step_in_order():
            world.now += 30.0
            world.queue += world.ledger.inbox.due(10)
    world.workers.clear()


def test_carried_over_record_is_on_file_with_the_write_that_carried_it() -> None:
    world = created_then_crashed_then_deleted()
    assert ("wix", "w1") in {
        (str(side), remote_id) for side, remote_id in world.ledger.records_on_file()
    }
    world.settle()
    assert ending_of(world) == (None, None)


def test_carried_over_record_is_missed_without_it() -> None:
    with without("source records on file"):
        world = created_then_crashed_then_deleted()
        assert "w1" not in {remote_id for _, remote_id in world.ledger.records_on_file()}


def test_change_after_a_fight_is_released_by_replay() -> None:
    world = a_fight()
    world.drain()
    for remote in world.remotes.values():
        remote.on_event = world.tell
    held = [
        inbox_id for inbox_id, row in world.ledger.rows.items() if str(row.delivery.state) == "held"
    ]
    world.queue += world.ledger.inbox.release_held(world.site.id, inbox_ids=held)
    world.settle()
    assert (
        broken_invariants(world)[1:] == []
    )  # but for the count of writes, which the fight has used up
    changes(W, overall=20)(world)
    world.settle()
    assert ending_of(world) == ("20", "1")
