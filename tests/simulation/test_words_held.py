"""Words that wait, or never crossed: no delete is undone for them, and no edit is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import Policy, RecordState, Side
from sync_worker.core.values.texts import BODY, REPLY, TITLE, TextRule
from tests.simulation.ablations import without
from tests.simulation.chaos import sql_ledger
from tests.simulation.scenarios import changes, deletes
from tests.simulation.scenes import NO_REVISION
from tests.simulation.test_policies import held_reasons
from tests.simulation.test_words import (
    LONG,
    a_told_world,
    a_world,
    both_show,
    carry_words,
    rate,
    say,
)
from tests.simulation.world import ANSWERED, SAID, Faults, World
from tests.twins.memory_system import REVIEWS_CAPABILITIES

W, E = Side.WIX, Side.EXTERNAL
GRINNING = "\U0001f600"
NUMBERED = Capabilities(many_fields=True)
ON_REVIEWS: dict[str, Any] = {"wix": REVIEWS_CAPABILITIES, "sweeps": True}

both_apis = pytest.mark.parametrize("of_wix", [{}, ON_REVIEWS], ids=["ratings", "reviews"])
with_or_without_revisions = pytest.mark.parametrize(
    "external", [NUMBERED, NO_REVISION], ids=["numbered", "unnumbered"]
)


def moderate(world: World, state: RecordState) -> None:
    """A moderator outside decides."""
    (record,) = world.external.records.values()
    world.external._moderate(record, state, by_us=False)


def leaves_out_emoji(instead: str = "?") -> Callable[[str, str], str]:
    return lambda name, text: text.replace(GRINNING, instead)


def assert_gone(world: World) -> None:
    assert (world.wix.records, world.external.records) == ({}, {})


# -- what never crossed keeps no record alive


@both_apis
@pytest.mark.parametrize("side", [W, E])
def test_delete_counts_beside_a_title_too_long_to_cross(side: Side, of_wix: Any) -> None:
    holds_all = dict.fromkeys((TITLE, BODY), TextRule())
    world = a_world(words={side: SAID[W], side.other: holds_all}, **of_wix)
    rate(world, side.other, 80 if side is E else 4, title=LONG, body="ok")
    world.drain()
    assert held_reasons(world) == {"too_long"}
    deletes(side)(world)
    world.settle()
    assert_gone(world)


@pytest.mark.parametrize("side", [W, E])
@with_or_without_revisions
def test_delete_counts_beside_words_from_before(external: Capabilities, side: Side) -> None:
    world = a_told_world(words={}, external=external)
    carry_words(world)
    for remote in world.remotes.values():
        (record,) = remote.records.values()
        remote.records[record.remote_id] = replace(record, words={TITLE: "", BODY: "Old."})
    deletes(side)(world)
    world.drain()
    assert_gone(world)


def test_delete_counts_beside_a_text_that_was_made_another_of() -> None:
    world = a_world()
    world.external.makes_words = leaves_out_emoji()
    rate(world, W, 80, title="Good", body=f"Fine {GRINNING}")
    world.drain()
    deletes(E)(world)
    world.drain()
    assert_gone(world)


def test_first_word_still_keeps_its_record_alive() -> None:
    """Nothing was said, and both sides agreed on that."""
    world = a_world()
    rate(world, W, 80)
    world.drain()
    say(world, E, body="Still fine.")
    deletes(W)(world)
    world.drain()
    assert both_show(world) == (["80", "", "Still fine."], ["4", "", "Still fine."])


# -- an edit waits for the other side's moderator


@both_apis
@with_or_without_revisions
def test_edit_waits_with_its_copy(external: Capabilities, of_wix: Any) -> None:
    world = a_world(external=external, **of_wix)
    world.external.new_state = RecordState.PENDING
    rate(world, W, 80, title="Good", body="First")
    world.drain()
    say(world, W, body="Second")
    world.drain()
    assert held_reasons(world) == {"moderated"}
    moderate(world, RecordState.PUBLISHED)
    world.settle()
    assert both_show(world) == (["80", "Good", "Second"], ["4", "Good", "Second"])
    assert held_reasons(world) == set()


def test_approval_of_a_copy_made_another_of_is_no_edit() -> None:
    world = a_world()
    world.external.new_state = RecordState.PENDING
    world.external.makes_words = leaves_out_emoji()
    rate(world, W, 80, title="Good", body=f"Fine {GRINNING}")
    world.drain()
    moderate(world, RecordState.PUBLISHED)
    world.drain()
    assert both_show(world) == (["80", "Good", f"Fine {GRINNING}"], ["4", "Good", "Fine ?"])
    assert world.external.calls["update"] <= 2
    assert held_reasons(world) == {"normalised_by_remote"}


@pytest.mark.parametrize("side", [W, E])
@pytest.mark.parametrize("origin", [W, E])
def test_edit_waits_until_it_is_shown_again(origin: Side, side: Side) -> None:
    world = a_world(moderation=True, **ON_REVIEWS)
    rate(world, origin, 80 if origin is W else 4, title="Good", body="First")
    world.drain()
    moderate(world, RecordState.REJECTED)
    world.drain()
    say(world, side, body="Second")
    world.drain()
    moderate(world, RecordState.PUBLISHED)
    world.settle()
    assert [texts[-1] for texts in both_show(world)] == ["Second", "Second"]
    assert held_reasons(world) == set()


def test_edit_that_the_other_side_never_takes_is_not_held() -> None:
    fixed = {name: replace(rule, can_update=False) for name, rule in SAID[E].items()}
    world = a_world(words={W: SAID[W], E: fixed})
    world.external.new_state = RecordState.PENDING
    rate(world, W, 80, title="Good", body="First")
    world.drain()
    say(world, W, body="Second")
    world.drain()
    assert held_reasons(world) == set()


# -- writes that end


@with_or_without_revisions
def test_stars_beside_a_text_made_another_of(external: Capabilities) -> None:
    world = a_world(external=external)
    world.external.makes_words = leaves_out_emoji()
    rate(world, W, 80, title="Good", body=f"Fine {GRINNING}")
    world.drain()
    changes(W, overall=20)(world)
    world.drain()
    assert world.external.calls["update"] <= 2
    changes(W, overall=60)(world)
    world.drain()
    assert both_show(world) == (["60", "Good", f"Fine {GRINNING}"], ["3", "Good", "Fine ?"])
    assert held_reasons(world) == {"normalised_by_remote"}


@both_apis
def test_baseline_over_a_copy_made_another_of(of_wix: Any) -> None:
    """Both sides have it from before, one of them without what it leaves out."""
    world = a_world(**of_wix | {"sweeps": False})
    world.external.makes_words = leaves_out_emoji()
    world.chance.faults = Faults(drop=1.0)
    rate(world, W, 80, title="Good", body=f"Fine {GRINNING}")
    rate(world, E, 4, title="Good", body="Fine ?")
    world.drain()
    world.chance.faults = Faults()
    world.sweep()
    world.drain()
    assert world.external.calls["update"] <= 2
    assert held_reasons(world) == {"normalised_by_remote"}


@with_or_without_revisions
@pytest.mark.parametrize("policy", ["hold", "truncate"])
def test_edit_that_the_other_side_leaves_out(policy: str, external: Capabilities) -> None:
    world = a_world(external=external, policy=Policy.of({"too_long": policy}))
    rate(world, W, 80, title="Good", body="Fine")
    world.drain()
    world.external.makes_words = leaves_out_emoji("")
    say(world, W, body=f"Fine{GRINNING}")
    world.drain()
    assert both_show(world) == (["80", "Good", f"Fine{GRINNING}"], ["4", "Good", "Fine"])
    assert world.external.calls["update"] <= 2
    assert "fight" not in held_reasons(world)


# -- words that a side carries no more


@with_or_without_revisions
@pytest.mark.parametrize("operation", ["update", "delete"])
def test_write_is_settled_after_words_are_carried_no_more(
    operation: str, external: Capabilities
) -> None:
    """And words that are carried again go on from what is on file."""
    world = a_told_world(sql_ledger, external=external)
    faults = ["response_lost"]
    world.external.fault = lambda tried: faults.pop() if faults and tried == operation else None
    if operation == "update":
        say(world, W, body="Other.")
    else:
        deletes(W)(world)
    for _ in range(300):
        if not faults:
            break
        if not world.step_in_order():
            world.tick()
    assert not faults
    for remote in world.remotes.values():
        remote.capabilities = replace(remote.capabilities, words={})
    world.drain()
    carry_words(world)
    if operation == "delete":
        rate(world, W, 80, title="Good", body="Again.")
        world.drain()
    say(world, E, title="Better")
    world.drain()
    assert [texts[1] for texts in both_show(world)] == ["Better", "Better"]
    assert held_reasons(world) == set()


OF_WAITING_WORDS = ("words of a record out of sight", "hold of an edit that waits")


@pytest.mark.parametrize("mechanism", OF_WAITING_WORDS)
def test_mechanism_of_waiting_words_is_missed_when_it_is_off(mechanism: str) -> None:
    with without(mechanism), pytest.raises(AssertionError):
        test_edit_waits_with_its_copy(NUMBERED, {})


# -- a record is made anew, without what it cannot hold


@both_apis
@with_or_without_revisions
def test_text_too_long_for_a_new_record_stays_where_it_was_written(
    external: Capabilities, of_wix: Any
) -> None:
    """That the new record does not show it is no edit: it was written back empty."""
    holds_all = dict.fromkeys((TITLE, BODY), TextRule())
    world = a_world(words={W: SAID[W], E: holds_all}, external=external, **of_wix)
    rate(world, E, 4, title="Good", body="ok")
    world.drain()
    say(world, E, title=LONG)
    deletes(W)(world)
    world.settle()
    assert both_show(world) == (["80", "", "ok"], ["4", LONG, "ok"])
    assert held_reasons(world) == {"too_long"}
    say(world, E, title="Short")
    world.settle()
    assert both_show(world) == (["80", "Short", "ok"], ["4", "Short", "ok"])
    assert held_reasons(world) == set()


def test_reply_goes_to_a_record_that_was_made_anew() -> None:
    world = a_world(words=ANSWERED, policy=Policy.of({"replies": "both"}))
    rate(world, E, 4, title="Good", body="ok")
    world.drain()
    world.external.owner_replies("e1", "Thanks")
    world.drain()
    say(world, E, body="More")
    deletes(W)(world)
    world.settle()
    (on_wix,), (outside,) = (remote.records.values() for remote in (world.wix, world.external))
    assert on_wix.words[REPLY] == outside.words[REPLY] == "Thanks"


@pytest.mark.parametrize("side", [W, E])
def test_stars_beside_a_title_too_long_go_on_crossing(side: Side) -> None:
    """One held title, whatever happens beside it; nothing is held once it is shorter."""
    holds_all = dict.fromkeys((TITLE, BODY), TextRule())
    world = a_world(words={W: SAID[W], E: holds_all})
    rate(world, E, 4, title=LONG, body="ok")
    world.drain()
    for stars in (1, 2, 5):
        if side is E:
            changes(E, value=stars)(world)
        else:
            changes(W, overall=20 * stars)(world)
        world.drain()
        assert both_show(world) == ([str(20 * stars), "", "ok"], [str(stars), LONG, "ok"])
        assert held_reasons(world) == {"too_long"}
    say(world, E, title="Short")
    world.drain()
    assert both_show(world) == (["100", "Short", "ok"], ["5", "Short", "ok"])
    assert held_reasons(world) == set()
