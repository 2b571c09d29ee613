"""A text over which the other side fails with a 5xx: the stars beside it cross, and it waits.

A 5xx is no refusal: it may be an outage, and the write may have landed all the same.
"""

from __future__ import annotations

from typing import Any

import pytest

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import Policy, Side
from sync_worker.core.values.texts import BODY, TITLE, TextRule
from tests.simulation.ablations import without
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenes import NO_REVISION
from tests.simulation.test_policies import held_reasons
from tests.simulation.test_words import a_told_world, a_world, both_show, rate, say
from tests.simulation.test_words_refused import GRINNING, ON_REVIEWS, both_sides, rate_again
from tests.simulation.world import World
from tests.twins.memory_remote import MemoryRemote

W, E = Side.WIX, Side.EXTERNAL
HOUR = 3600.0
BOTH = [
    pytest.param({}, Capabilities(many_fields=True), id="numbered"),
    pytest.param({}, NO_REVISION, id="unnumbered"),
    pytest.param(ON_REVIEWS, Capabilities(many_fields=True), id="reviews"),
]
apis = pytest.mark.parametrize(("of_wix", "external"), BOTH)
writes = pytest.mark.parametrize("operation", ["create", "update"])


def break_on_emoji(remote: MemoryRemote) -> None:
    remote.breaks = lambda text: GRINNING in text


def is_down_for(world: World, remote: MemoryRemote, seconds: float) -> None:
    """Every write meets a 500, whatever it carries."""
    until = world.now + seconds
    remote.fault = lambda operation: (
        "broken" if operation in ("create", "update") and world.now < until else None
    )


@both_sides
@apis
def test_stars_cross_without_the_text_that_breaks_the_system(
    side: Side, of_wix: Any, external: Capabilities
) -> None:
    world = a_told_world(external=external, **of_wix)
    there = world.remotes[side.other]
    break_on_emoji(there)
    began = world.now
    for stars in (2, 5):
        before = there.calls["update"]
        rate_again(world, side, stars, f"Broke {GRINNING}")
        world.drain()
        shown = both_show(world)[side.other is E]
        assert shown == [str(20 * stars if side is E else stars), "Good", "Sturdy mug."]
        assert held_reasons(world) == {"words_refused"}
        # Twice with all of it, the stars, the text, and that once more as our own news is seen.
        assert there.calls["update"] - before <= 5
    assert world.now - began < 600.0
    say(world, side, body="Broke.")
    world.drain()
    assert both_show(world) == (["100", "Good", "Broke."], ["5", "Good", "Broke."])
    assert held_reasons(world) == set()
    assert broken_invariants(world) == []


@both_sides
@apis
def test_new_rating_is_made_without_the_text_that_breaks_the_system(
    side: Side, of_wix: Any, external: Capabilities
) -> None:
    world = a_world(external=external, **of_wix)
    there = world.remotes[side.other]
    break_on_emoji(there)
    rate(world, side, 4 if side is E else 80, title="Good", body=f"Fine {GRINNING}")
    world.drain()
    shown = both_show(world)
    assert (shown[side is W][1:], shown[side is E][1:]) == (
        ["Good", ""],
        ["Good", f"Fine {GRINNING}"],
    )
    assert held_reasons(world) == {"words_refused"}
    # Our own news of the record has it looked at again, and the text is tried once more.
    assert (there.calls["create"], len(there.records)) == (3, 1)
    assert there.calls["update"] <= 4
    say(world, side, body="Fine.")
    world.settle()
    assert both_show(world) == (["80", "Good", "Fine."], ["4", "Good", "Fine."])
    assert held_reasons(world) == set()


@both_sides
@apis
@pytest.mark.parametrize("seconds", [1.0, 45.0, 100.0, 200.0, 6 * HOUR])
def test_outage_of_every_write_holds_nothing(
    side: Side, of_wix: Any, external: Capabilities, seconds: float
) -> None:
    """However long it lasts, and whatever was tried as it ended."""
    world = a_told_world(external=external, **of_wix)
    is_down_for(world, world.remotes[side.other], seconds)
    rate_again(world, side, 1, f"Broke {GRINNING}")
    say(world, side, title="Bad")
    world.drain()
    text = f"Broke {GRINNING}"
    assert both_show(world) == (["20", "Bad", text], ["1", "Bad", text])
    assert held_reasons(world) == set()
    assert broken_invariants(world) == []


@both_sides
@pytest.mark.parametrize("seconds", [1.0, 45.0, 100.0, 200.0])
def test_outage_as_a_rating_is_made_holds_and_doubles_nothing(side: Side, seconds: float) -> None:
    world = a_world()
    there = world.remotes[side.other]
    is_down_for(world, there, seconds)
    rate(world, side, 4 if side is E else 80, title="Good", body="Fine")
    world.settle()
    assert both_show(world) == (["80", "Good", "Fine"], ["4", "Good", "Fine"])
    assert held_reasons(world) == set()
    assert len(there.records) == 1


@both_sides
def test_outage_of_words_alone_holds_nothing(side: Side) -> None:
    """No stars cross that would tell an outage from words that break the system."""
    world = a_told_world()
    there = world.remotes[side.other]
    is_down_for(world, there, HOUR)
    say(world, side, title="Bad", body="Broke.")
    world.drain()
    assert both_show(world) == (["80", "Bad", "Broke."], ["4", "Bad", "Broke."])
    assert held_reasons(world) == set()


@both_sides
@apis
def test_write_that_landed_and_met_a_500_is_written_once(
    side: Side, of_wix: Any, external: Capabilities
) -> None:
    """Also the text that went after the stars: a look shows it before it counts as refused."""
    world = a_told_world(external=external, **of_wix)
    there = world.remotes[side.other]
    faults = ["broken", "broken", None, "broken_after"]
    there.fault = lambda operation: faults.pop(0) if operation == "update" and faults else None
    rate_again(world, side, 1, "Broke.")
    world.drain()
    assert both_show(world) == (["20", "Good", "Broke."], ["1", "Good", "Broke."])
    assert held_reasons(world) == set()
    assert (there.calls["update"], faults) == (4, [])
    assert broken_invariants(world) == []


def test_held_text_that_breaks_the_system_costs_one_write_a_look() -> None:
    world = a_told_world()
    break_on_emoji(world.external)
    rate_again(world, W, 2, f"Broke {GRINNING}")
    world.drain()
    before = world.external.calls["update"]
    for _ in range(2):
        world.now += 24 * HOUR
        world.sweep()
        world.drain()
    assert held_reasons(world) == {"words_refused"}
    assert world.external.calls["update"] - before <= 2


def test_outage_holds_no_new_text_where_another_one_was_refused() -> None:
    world = a_told_world()
    break_on_emoji(world.external)
    rate_again(world, W, 2, f"Broke {GRINNING}")
    world.drain()
    is_down_for(world, world.external, HOUR)
    say(world, W, body="Broke.")
    world.drain()
    assert both_show(world) == (["40", "Good", "Broke."], ["2", "Good", "Broke."])
    assert held_reasons(world) == set()


def test_rating_is_not_made_without_a_text_that_the_system_insists_on() -> None:
    insists = TextRule(required=True, placeholder="(no comment)")
    words = {W: dict.fromkeys((TITLE, BODY), TextRule()), E: {TITLE: TextRule(), BODY: insists}}
    world = a_world(words=words)
    break_on_emoji(world.external)
    rate(world, W, 80, body=f"Fine {GRINNING}")
    world.drain(rounds=8_000)
    assert world.external.records == {}
    assert held_reasons(world) == {"attempts_exhausted"}


def test_text_that_breaks_the_system_goes_whole_by_any_policy() -> None:
    world = a_told_world(policy=Policy.of({"too_long": "truncate"}))
    break_on_emoji(world.external)
    rate_again(world, W, 1, f"Broke {GRINNING}")
    world.drain()
    assert both_show(world)[1] == ["1", "Good", "Sturdy mug."]
    assert held_reasons(world) == {"words_refused"}


def test_breaking_words_keep_the_stars_when_the_mechanism_is_off() -> None:
    with without("stars before words that do not land"):
        world = a_told_world()
        break_on_emoji(world.external)
        rate_again(world, W, 1, f"Broke {GRINNING}")
        with pytest.raises(AssertionError, match="come to rest"):
            world.drain(rounds=200)
        assert both_show(world)[1][0] == "4"
