"""The owner's reply travels where policy lets it: what both sides show after a few acts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sync_worker.core.values import Policy, Side
from sync_worker.core.values.links import COVERED_UNSEEN
from sync_worker.core.values.texts import REPLY, TextRule
from tests.simulation.ablations import without
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes, deletes
from tests.simulation.scenes import NO_REVISION
from tests.simulation.test_policies import held_reasons
from tests.simulation.test_words import lost, rate, say
from tests.simulation.world import CALM, SAID, Faults, LedgerMaker, Options, World
from tests.twins.memory_ledger import memory_ledger
from tests.twins.memory_system import REVIEWS_CAPABILITIES

W, E = Side.WIX, Side.EXTERNAL
ON_WIX = TextRule(max_length=40, can_create=False)
OUTSIDE = TextRule(can_create=False, can_clear=False)
ANSWERED = {W: {**SAID[W], REPLY: ON_WIX}, E: {**SAID[E], REPLY: OUTSIDE}}


def a_world(
    make_ledger: LedgerMaker = memory_ledger, replies: str = "both", **options: Any
) -> World:
    """Somebody rated 80 on Wix, with words, and both sides agree."""
    policy = Policy.of({"replies": replies, **options.pop("policy", {})})
    options.setdefault("words", ANSWERED)
    world = World(0, Options(CALM, people=1, sweeps=False, policy=policy, **options), make_ledger)
    rate(world, W, 80, title="Good", body="Sturdy mug.")
    world.drain()
    return world


def a_quiet_world(make_ledger: LedgerMaker = memory_ledger) -> World:
    """As Wix Reviews may be: a reply raises no revision."""
    world = a_world(make_ledger, wix=REVIEWS_CAPABILITIES)
    world.wix.replies_count = False
    return world


def answer(world: World, side: Side, text: str) -> None:
    remote = world.remotes[side]
    remote.owner_replies(next(iter(remote.records)), text)


def answers(world: World, side: Side, text: str) -> None:
    answer(world, side, text)
    world.drain()


def replies(world: World) -> tuple[str, str]:
    (wix,), (external,) = world.wix.records.values(), world.external.records.values()
    return wix.words[REPLY], external.words[REPLY]


def calls(world: World) -> tuple[int, int]:
    return world.wix.calls["reply"], world.external.calls["reply"]


@pytest.mark.parametrize("side", Side)
def test_reply_crosses_once_by_a_call_of_its_own(make_ledger: LedgerMaker, side: Side) -> None:
    world = a_world(make_ledger)
    answers(world, side, "Thank you!")
    assert replies(world) == ("Thank you!", "Thank you!")
    assert calls(world) == (int(side is E), int(side is W))
    assert world.wix.calls["update"] == world.external.calls["update"] == 0
    answers(world, side, "Thanks a lot!")
    assert replies(world) == ("Thanks a lot!", "Thanks a lot!")
    line = [one for one in world.ledger.history_entries() if one.what == "reply"][-1]
    assert (line.before, line.after, line.side) == ("Thank you!", "Thanks a lot!", side.other)
    assert broken_invariants(world) == []


@pytest.mark.parametrize(
    ("way", "ends"),
    [
        ("off", [("Hi", ""), ("", "Hi")]),
        ("to_wix", [("Hi", ""), ("Hi", "Hi")]),
        ("to_external", [("Hi", "Hi"), ("", "Hi")]),
        ("both", [("Hi", "Hi"), ("Hi", "Hi")]),
    ],
)
def test_policy_names_the_ways_of_replies(
    make_ledger: LedgerMaker, way: str, ends: list[tuple[str, str]]
) -> None:
    for side, end in zip(Side, ends, strict=True):
        world = a_world(make_ledger, way)
        answers(world, side, "Hi")
        assert replies(world) == end
        assert sum(calls(world)) == (end == ("Hi", "Hi"))


@pytest.mark.parametrize(
    ("direction", "way", "may_be_written"),
    [
        ("both", "to_wix", [W]),
        ("to_wix", "both", [W]),
        ("to_external", "to_external", [E]),
        ("to_external", "to_wix", []),
        ("both", "off", []),
        ("both", "both", [W, E]),
    ],
)
def test_direction_of_the_site_counts_for_replies_too(
    direction: str, way: str, may_be_written: list[Side]
) -> None:
    policy = Policy.of({"replies": way, "direction": direction}).of_replies()
    assert [side for side in Side if policy and policy.may_write(side)] == may_be_written


def test_switched_off_a_reply_costs_no_call(make_ledger: LedgerMaker) -> None:
    """Neither in events nor in a sweep; and stars go on alone."""
    counted = []
    for way in ("off", "both"):
        world = a_world(make_ledger, way, external=NO_REVISION)
        before = world.wix.calls + world.external.calls
        answers(world, W, "Hi")
        counted.append(world.wix.calls + world.external.calls - before)
    assert not counted[0]
    assert counted[1]["reply"] == 1


def test_reply_of_a_new_review_follows_its_creation(make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger)
    deletes(W)(world)
    world.drain()
    rate(world, E, 4, body="Again.")
    answer(world, E, "Welcome back!")
    world.drain()
    assert replies(world) == ("Welcome back!", "Welcome back!")
    assert calls(world) == (1, 0)


def test_stars_words_and_reply_end_in_one_write_and_one_reply(make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger)
    changes(W, overall=20)(world)
    answer(world, W, "Sorry.")
    say(world, W, body="It broke.")
    # The newest comes first, and its record shows all three.
    world.post.deliver(2)
    world.drain()
    (record,) = world.external.records.values()
    assert [*record.words.values()] == ["Good", "It broke.", "Sorry."]
    assert world.external.calls["update"] == 1
    assert world.external.calls["reply"] == 1


def test_conflict_of_replies_is_settled_by_policy(make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger, policy={"conflict": "external"})
    answers(world, W, "First")
    answer(world, W, "Ours")
    answer(world, E, "Theirs")
    world.drain()
    assert replies(world) == ("Theirs", "Theirs")
    (line,) = lost(world, REPLY)
    assert (line.loser, line.loser_side, line.reason) == ("Ours", W, "conflict_external")


def test_reply_taken_away_goes_only_where_it_can(make_ledger: LedgerMaker) -> None:
    """Wix has a call for that; outside nothing is known to take a reply away."""
    world = a_world(make_ledger)
    answers(world, E, "Hi")
    answers(world, E, "")
    assert (replies(world), calls(world)) == (("", ""), (2, 0))
    answers(world, W, "Hello")
    answers(world, W, "")
    assert (replies(world), calls(world)) == (("", "Hello"), (2, 1))
    line = world.ledger.history_entries()[-1]
    assert (line.what, line.attribute, line.reason) == ("ignore", REPLY, "unsupported")
    # What the shop says there next comes to Wix again.
    answers(world, E, "Hello again")
    assert replies(world) == ("Hello again", "Hello again")


@pytest.mark.parametrize("fault", ["response_lost", "request_lost"])
@pytest.mark.parametrize("counts", [True, False])
def test_lost_answer_to_a_reply_is_settled_by_looking(
    make_ledger: LedgerMaker, fault: str, counts: bool
) -> None:
    world = a_world(make_ledger, wix=REVIEWS_CAPABILITIES)
    world.wix.replies_count = counts
    faults = [fault]
    world.wix.fault = lambda operation: faults.pop() if faults and operation == "reply" else None
    answers(world, E, "Thank you!")
    assert replies(world) == ("Thank you!", "Thank you!")
    assert world.wix.calls["reply"] == (1 if fault == "response_lost" else 2)
    assert broken_invariants(world) == []


def test_reply_that_raises_no_revision_is_heard(make_ledger: LedgerMaker) -> None:
    """The answer to our own call had no place in the order of events."""
    world = a_quiet_world(make_ledger)
    answers(world, E, "Thank you!")
    answers(world, W, "Thanks a lot!")
    assert replies(world) == ("Thanks a lot!", "Thanks a lot!")


def test_sweep_finds_a_reply_that_raises_no_revision(make_ledger: LedgerMaker) -> None:
    world = a_quiet_world(make_ledger)
    world.chance.faults = Faults(drop=1.0)
    answer(world, W, "Unheard")
    world.sweep()
    world.drain()
    assert replies(world) == ("Unheard", "Unheard")
    before = sum(world.external.calls.values()), world.wix.calls["get"]
    world.drain()
    assert (sum(world.external.calls.values()), world.wix.calls["get"]) == before


def test_long_reply_waits_and_the_stars_go_on(make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger)
    answers(world, E, "x" * 41)
    assert (held_reasons(world), calls(world)) == ({"too_long"}, (0, 0))
    changes(E, value=2)(world)
    world.drain()
    (wix,) = world.wix.records.values()
    assert (str(wix.values["overall"]), wix.words[REPLY]) == ("40", "")


def test_reply_keeps_no_review_alive_and_goes_with_it(make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger)
    answers(world, E, "Thank you!")
    answer(world, E, "Thanks a lot!")
    deletes(W)(world)
    world.drain()
    assert world.external.records == {}
    gone = [one for one in world.ledger.history_entries() if one.what == "delete"]
    assert "Thanks a lot!" in {one.before for one in gone}


def test_erasure_leaves_no_reply(make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger)
    answers(world, E, "Thank you, Ada!")
    answers(world, E, "Thanks again, Ada!")
    deletes(W, privacy=True)(world)
    world.drain()
    for text in ("Thank you, Ada!", "Thanks again, Ada!"):
        assert text not in world.ledger.everything()


def test_review_that_may_not_be_changed_is_answered(make_ledger: LedgerMaker) -> None:
    """A visitor's own on Wix Reviews: no app may change it, and its owner may answer."""
    world = a_world(make_ledger, wix=REVIEWS_CAPABILITIES)
    world.wix.read_only = "conflict"
    answers(world, E, "Thank you!")
    assert (replies(world), held_reasons(world)) == (("Thank you!", "Thank you!"), set())


def test_replies_that_a_system_only_shows_come_to_wix(make_ledger: LedgerMaker) -> None:
    shows_only = replace(OUTSIDE, can_update=False)
    world = a_world(make_ledger, words={**ANSWERED, E: {**SAID[E], REPLY: shows_only}})
    answers(world, W, "Hi")
    assert (replies(world), calls(world)) == (("Hi", ""), (0, 0))
    answers(world, E, "Hello")
    assert replies(world) == ("Hello", "Hello")


def test_reply_covered_by_one_of_unknown_outcome_is_in_the_history(
    make_ledger: LedgerMaker,
) -> None:
    """The owner answers outside just before we do, and what became of ours has to be looked for."""
    world = a_world(make_ledger)
    (record,) = world.external.records.values()

    def answers_first(place: str) -> None:
        if place == "before external.reply":
            world.on_step = lambda place: None
            answer(world, E, "theirs")

    lost = iter(["response_lost"])
    world.on_step = answers_first
    world.external.fault = lambda operation: next(lost, None) if operation == "reply" else None
    answer(world, W, "ours")
    world.settle()
    assert replies(world) == ("ours", "ours")
    covered = [one for one in world.ledger.history_entries() if one.what == "gap"]
    assert [(one.loser, one.loser_side) for one in covered if one.loser] == [("theirs", E)]
    assert covered[0].remote_id == record.remote_id
    assert broken_invariants(world) == []


@pytest.mark.parametrize("fault", ["response_lost", None])
def test_reply_that_raises_no_revision_is_not_covered_without_a_line(
    make_ledger: LedgerMaker, fault: str | None
) -> None:
    """The owner answers just before we do, and only a late delivery tells it."""
    world = a_quiet_world(make_ledger)

    def answers_first(place: str) -> None:
        if place == "before wix.reply":
            world.on_step = lambda place: None
            answer(world, W, "theirs")

    faults = [fault]
    world.on_step = answers_first
    world.wix.fault = lambda operation: faults.pop() if faults and operation == "reply" else None
    answer(world, E, "ours")
    world.settle()
    assert replies(world) == ("ours", "ours")
    (line,) = lost(world, REPLY)
    assert (line.what, line.loser, line.loser_side) == ("gap", "theirs", W)
    assert (line.reason, line.remote_id) == (COVERED_UNSEEN, *world.wix.records)
    assert broken_invariants(world) == []


def test_reply_just_before_our_delete_is_not_lost_without_a_line(make_ledger: LedgerMaker) -> None:
    """What was said of the record before is told already, and gets no line."""
    world = a_quiet_world(make_ledger)
    answers(world, W, "First")

    def answers_first(place: str) -> None:
        if place == "before wix.delete":
            world.on_step = lambda place: None
            answer(world, W, "theirs")

    world.on_step = answers_first
    deletes(E)(world)
    world.settle()
    assert [dict(side.records) for side in (world.wix, world.external)] == [{}, {}]
    world.replay([*world.post.sent])
    world.settle()
    (line,) = [one for one in lost(world, REPLY) if one.reason == COVERED_UNSEEN]
    assert (line.what, line.loser, line.loser_side) == ("gap", "theirs", W)
    assert broken_invariants(world) == []


def test_late_news_of_replies_that_are_told_adds_no_line(make_ledger: LedgerMaker) -> None:
    """One that crossed, one that the owner changed before it did, and an echo of ours."""
    world = a_quiet_world(make_ledger)
    answers(world, W, "First")
    answer(world, E, "Second")
    answer(world, E, "Third")
    world.drain()
    answers(world, W, "Fourth")
    answer(world, W, "Fifth")
    answer(world, W, "Sixth")
    world.drain()
    before = world.ledger.history_entries()
    world.replay([*world.post.sent])
    world.settle()
    assert replies(world) == ("Sixth", "Sixth")
    assert world.ledger.history_entries() == before


# Mechanism: the story that misses it.
OF_REPLIES: dict[str, Callable[[], None]] = {
    "reply by a call of its own": lambda: test_reply_crosses_once_by_a_call_of_its_own(
        memory_ledger, E
    ),
    "reply at the revision on file": lambda: test_reply_that_raises_no_revision_is_heard(
        memory_ledger
    ),
    "reply that ours covered": lambda: (
        test_reply_that_raises_no_revision_is_not_covered_without_a_line(memory_ledger, None)
    ),
    "reply that our delete took": lambda: (
        test_reply_just_before_our_delete_is_not_lost_without_a_line(memory_ledger)
    ),
    "reply listed at the revision on file": lambda: (
        test_sweep_finds_a_reply_that_raises_no_revision(memory_ledger)
    ),
    "ways of replies": lambda: test_policy_names_the_ways_of_replies(
        memory_ledger, "to_wix", [("Hi", ""), ("Hi", "Hi")]
    ),
    "a reply is not the person's": lambda: test_reply_keeps_no_review_alive_and_goes_with_it(
        memory_ledger
    ),
}


@pytest.mark.parametrize("mechanism", OF_REPLIES)
def test_mechanism_of_replies_is_missed_when_it_is_off(mechanism: str) -> None:
    with without(mechanism), pytest.raises((AssertionError, ValueError)):
        OF_REPLIES[mechanism]()
