"""A text that the other side does not take: the stars beside it cross, and the text waits."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import Policy, Side
from sync_worker.core.values.texts import BODY, REPLY, TITLE, TextRule
from sync_worker.engine.link_run import Finished, LinkRun
from tests.simulation.ablations import without
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes
from tests.simulation.scenes import NO_REVISION
from tests.simulation.test_policies import held_reasons
from tests.simulation.test_words import a_told_world, a_world, both_show, rate, say
from tests.simulation.world import ANSWERED, World
from tests.twins.memory_remote import MemoryRemote
from tests.twins.memory_system import REVIEWS_CAPABILITIES

W, E = Side.WIX, Side.EXTERNAL
GRINNING = "\U0001f600"
ON_REVIEWS: dict[str, Any] = {"wix": REVIEWS_CAPABILITIES}

both_apis = pytest.mark.parametrize("of_wix", [{}, ON_REVIEWS], ids=["ratings", "reviews"])
both_sides = pytest.mark.parametrize("side", [W, E])
with_or_without_revisions = pytest.mark.parametrize(
    "external",
    [Capabilities(many_fields=True), NO_REVISION],
    ids=["numbered", "unnumbered"],
)


def block_emoji(remote: MemoryRemote) -> None:
    remote.blocks = lambda text: GRINNING in text


def looks_at(remote: MemoryRemote, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often each run from now on updates a record."""
    looks: list[int] = []
    run = LinkRun.run_until_settled

    def counted(self: LinkRun) -> Finished:
        before = remote.calls["update"]
        try:
            return run(self)
        finally:
            looks.append(remote.calls["update"] - before)

    monkeypatch.setattr(LinkRun, "run_until_settled", counted)
    return looks


def rate_again(world: World, side: Side, stars: int, body: str, **more: str) -> None:
    """Stars and words in one edit."""
    remote = world.remotes[side]
    values = {"overall": Decimal(20 * stars)} if side is W else {"value": Decimal(stars)}
    remote.visitor_changes(next(iter(remote.records)), values, {BODY: body, **more})


@both_sides
@both_apis
@with_or_without_revisions
def test_stars_cross_without_the_text_that_is_refused(
    side: Side, of_wix: Any, external: Capabilities
) -> None:
    """By each later edit of the stars, too; and all of it once the text is edited."""
    world = a_told_world(external=external, **of_wix)
    block_emoji(world.remotes[side.other])
    for stars in (2, 5):
        rate_again(world, side, stars, f"Broke {GRINNING}")
        world.drain()
        there = both_show(world)[side.other is E]
        assert there == [str(20 * stars if side is E else stars), "Good", "Sturdy mug."]
        assert held_reasons(world) == {"words_refused"}
    say(world, side, body="Broke.")
    world.drain()
    assert both_show(world) == (["100", "Good", "Broke."], ["5", "Good", "Broke."])
    assert held_reasons(world) == set()
    assert broken_invariants(world) == []


@both_sides
@both_apis
@with_or_without_revisions
def test_new_rating_is_made_without_the_text_that_is_refused(
    side: Side, of_wix: Any, external: Capabilities
) -> None:
    world = a_world(external=external, **of_wix)
    block_emoji(world.remotes[side.other])
    rate(world, side, 4 if side is E else 80, title="Good", body=f"Fine {GRINNING}")
    world.settle()
    shown = both_show(world)
    there, here = shown[side is W][1:], shown[side is E][1:]
    assert (there, here) == (["Good", ""], ["Good", f"Fine {GRINNING}"])
    assert held_reasons(world) == {"words_refused"}
    say(world, side, body="Fine.")
    world.settle()
    assert both_show(world) == (["80", "Good", "Fine."], ["4", "Good", "Fine."])
    assert held_reasons(world) == set()


@both_sides
@both_apis
@with_or_without_revisions
def test_words_cross_beside_another_one_that_is_refused(
    side: Side, of_wix: Any, external: Capabilities, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever it is: all of it, the stars, then each of the words."""
    world = a_told_world(external=external, **of_wix)
    there = world.remotes[side.other]
    block_emoji(there)
    looks = looks_at(there, monkeypatch)
    edits = (
        {"title": "Bad", "body": f"Broke {GRINNING}"},
        {"title": f"Bad {GRINNING}", "body": "Broke."},
    )
    shows = ["Bad", "Sturdy mug."], ["Bad", "Broke."]
    for stars, words, shown in zip((2, 5), edits, shows, strict=True):
        looks.clear()
        rate_again(world, side, stars, **words)
        world.drain()
        seen = both_show(world)[side.other is E]
        assert seen == [str(20 * stars if side is E else stars), *shown]
        assert held_reasons(world) == {"words_refused"}
        # As our own news is seen, what is held is tried once more.
        most, *again = sorted(looks, reverse=True)
        assert most <= 4
        assert max(again) <= 1
        assert sum(again) <= 3
    say(world, side, title="Bad")
    world.drain()
    assert both_show(world) == (["100", "Bad", "Broke."], ["5", "Bad", "Broke."])
    assert held_reasons(world) == set()
    assert broken_invariants(world) == []


@both_sides
def test_words_that_are_refused_one_by_one_cost_few_calls(side: Side) -> None:
    """At most two more than there are words; and without stars one more."""
    world = a_told_world()
    there = world.remotes[side.other]
    block_emoji(there)
    say(world, side, title=f"Bad {GRINNING}", body=f"Broke {GRINNING}")
    world.drain()
    assert (there.calls["update"], held_reasons(world)) == (3, {"words_refused"})
    say(world, side, title="Bad")
    world.drain()
    assert both_show(world)[side.other is E][1:] == ["Bad", "Sturdy mug."]
    assert there.calls["update"] <= 3 + 3 + 1
    assert held_reasons(world) == {"words_refused"}


def test_words_refused_only_together_cross_one_after_another() -> None:
    world = a_told_world()
    together = [True]
    world.external.blocks = lambda text: bool(together) and together.pop()
    say(world, W, title="Bad", body="Broke.")
    world.drain()
    assert both_show(world)[1] == ["4", "Bad", "Broke."]
    assert held_reasons(world) == set()


def test_words_wait_for_each_other_when_the_mechanism_is_off() -> None:
    with without("each of the refused words alone"):
        world = a_told_world()
        block_emoji(world.external)
        say(world, W, title="Bad", body=f"Broke {GRINNING}")
        world.drain()
        assert both_show(world)[1][1:] == ["Good", "Sturdy mug."]


def test_rating_is_not_made_with_a_text_of_ours_in_its_place() -> None:
    """Where the system insists on a text, a placeholder would stand for what was said."""
    insists = TextRule(required=True, placeholder="(no comment)")
    words = {W: dict.fromkeys((TITLE, BODY), TextRule()), E: {TITLE: TextRule(), BODY: insists}}
    world = a_world(words=words)
    block_emoji(world.external)
    rate(world, W, 80, body=f"Fine {GRINNING}")
    world.drain()
    assert world.external.records == {}
    assert held_reasons(world) == {"refused"}


def test_what_is_refused_for_its_stars_is_held_as_before() -> None:
    world = a_told_world()
    (record,) = world.external.records.values()
    world.external.records[record.remote_id] = replace(record, locked=frozenset({"update"}))
    rate_again(world, W, 1, "Broke.")
    world.drain()
    assert held_reasons(world) == {"refused"}
    assert world.external.calls["update"] == 2


def test_words_alone_that_are_refused_cost_one_call_a_look() -> None:
    world = a_told_world()
    block_emoji(world.external)
    say(world, W, body=f"Broke {GRINNING}")
    world.drain()
    assert held_reasons(world) == {"words_refused"}
    assert world.external.calls["update"] == 1
    world.now += 24 * 3600.0
    world.drain()
    assert world.external.calls["update"] == 1


def test_text_that_is_refused_is_not_cut_by_policy() -> None:
    """Too long for the policy to shorten is a length; what is refused is shown as it is."""
    world = a_told_world(policy=Policy.of({"too_long": "truncate"}))
    block_emoji(world.external)
    rate_again(world, W, 1, f"Broke {GRINNING}")
    world.drain()
    assert both_show(world)[1] == ["1", "Good", "Sturdy mug."]
    assert held_reasons(world) == {"words_refused"}


def test_reply_that_is_refused_waits_beside_stars_that_cross() -> None:
    world = a_told_world(words=ANSWERED, policy=Policy.of({"replies": "to_external"}))
    block_emoji(world.external)
    world.wix.owner_replies(next(iter(world.wix.records)), f"Thanks {GRINNING}")
    changes(W, overall=20)(world)
    world.drain()
    (outside,) = world.external.records.values()
    assert (str(outside.values["value"]), outside.words[REPLY]) == ("1", "")
    assert held_reasons(world) == {"words_refused"}


@with_or_without_revisions
def test_refused_words_keep_the_stars_when_the_mechanism_is_off(external: Capabilities) -> None:
    with without("stars without refused words"):
        world = a_told_world(external=external)
        block_emoji(world.external)
        rate_again(world, W, 1, f"Broke {GRINNING}")
        world.drain()
        assert both_show(world)[1][0] == "4"
