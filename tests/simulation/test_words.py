"""Words travel with the stars: what both sides say after a few acts, on both ledgers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import HistoryEntry, Policy, Side, SiteState, WixKind
from sync_worker.core.values.texts import BODY, TITLE
from sync_worker.ledger.administration.admin import ledger_admin
from tests.simulation.ablations import without
from tests.simulation.chaos import run_seed, sql_ledger
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes, deletes, rates
from tests.simulation.scenes import NO_REVISION
from tests.simulation.test_policies import held_reasons
from tests.simulation.world import CALM, SAID, SAID_IN_SHOP, Faults, LedgerMaker, Options, World
from tests.twins.memory_ledger import memory_ledger
from tests.twins.memory_remote import MemoryRemote

W, E = Side.WIX, Side.EXTERNAL
LONG = "x" * 61  # Wix takes 60


def a_world(make_ledger: LedgerMaker = memory_ledger, **options: Any) -> World:
    options.setdefault("words", SAID)
    options.setdefault("sweeps", False)
    return World(0, Options(CALM, people=1, **options), make_ledger)


def a_told_world(make_ledger: LedgerMaker = memory_ledger, **options: Any) -> World:
    """Somebody rated 80 on Wix, with words, and both sides agree."""
    world = a_world(make_ledger, **options)
    rate(world, W, 80, title="Good", body="Sturdy mug.")
    world.drain()
    return world


def rate(world: World, side: Side, stars: int, **texts: str) -> None:
    entity, person = world.entities[0][side is E], world.persons[0]
    name = "overall" if side is W else "value"
    world.remotes[side].visitor_rates(entity, person, {name: Decimal(stars)}, texts=texts)


def say(world: World, side: Side, **texts: str) -> None:
    """Somebody changes words alone."""
    remote = world.remotes[side]
    remote.visitor_changes(next(iter(remote.records)), {}, texts)


def shown(remote: MemoryRemote) -> list[Any]:
    (record,) = remote.records.values()
    return [*map(str, record.values.values()), *record.words.values()]


def both_show(world: World) -> tuple[list[Any], list[Any]]:
    return shown(world.wix), shown(world.external)


def lost(world: World, name: str) -> list[HistoryEntry]:
    lines: list[HistoryEntry] = world.ledger.history_entries()
    return [line for line in lines if line.loser and line.attribute == name]


def test_new_rating_brings_its_words_and_its_time_along(make_ledger: LedgerMaker) -> None:
    world = a_told_world(make_ledger)
    assert both_show(world) == (["80", "Good", "Sturdy mug."], ["4", "Good", "Sturdy mug."])
    (wix,), (external,) = world.wix.records.values(), world.external.records.values()
    assert external.written_at == wix.written_at
    assert world.external.calls["create"] == 1


def test_words_alone_are_a_change_and_cost_one_write(make_ledger: LedgerMaker) -> None:
    world = a_told_world(make_ledger)
    say(world, E, body="Broke after a week.")
    world.drain()
    assert shown(world.wix) == ["80", "Good", "Broke after a week."]
    assert (world.wix.calls["update"], world.external.calls["update"]) == (1, 0)
    assert broken_invariants(world) == []


def test_stars_here_and_words_there_are_no_conflict(make_ledger: LedgerMaker) -> None:
    world = a_told_world(make_ledger)
    changes(W, overall=20)(world)
    say(world, E, title="Bad")
    world.drain()
    assert both_show(world) == (["20", "Bad", "Sturdy mug."], ["1", "Bad", "Sturdy mug."])
    assert lost(world, TITLE) == []


def test_loser_of_two_edits_is_in_the_history_with_its_words(make_ledger: LedgerMaker) -> None:
    world = a_told_world(make_ledger, policy=Policy.of({"conflict": "wix"}))
    say(world, W, body="It holds.")
    say(world, E, body="It broke.")
    world.drain()
    assert both_show(world) == (["80", "Good", "It holds."], ["4", "Good", "It holds."])
    (line,) = lost(world, BODY)
    assert (line.loser, line.loser_side, line.reason) == ("It broke.", E, "conflict_wix")


def test_words_edited_on_one_side_survive_a_delete_on_the_other(make_ledger: LedgerMaker) -> None:
    world = a_told_world(make_ledger)
    say(world, E, body="Still fine.")
    deletes(W)(world)
    world.drain()
    assert both_show(world) == (["80", "Good", "Still fine."], ["4", "Good", "Still fine."])


def test_deleted_words_stay_in_the_history(make_ledger: LedgerMaker) -> None:
    world = a_told_world(make_ledger)
    deletes(W)(world)
    world.drain()
    assert world.external.records == {}
    said = {line.before for line in world.ledger.history_entries() if line.what == "delete"}
    assert {"Good", "Sturdy mug."} <= said


def test_erasure_leaves_no_word(make_ledger: LedgerMaker) -> None:
    world = a_told_world(make_ledger)
    say(world, E, body="Broke after a week.")
    world.drain()
    deletes(W, privacy=True)(world)
    world.drain()
    for text in ("Good", "Sturdy mug.", "Broke after a week."):
        assert text not in world.ledger.everything()


@pytest.mark.parametrize("policy", ["hold", "truncate"])
def test_text_that_wix_cannot_hold_never_comes_back_short(
    make_ledger: LedgerMaker, policy: str
) -> None:
    """The stars cross; the text waits, or goes shortened; where it was written it stays whole."""
    world = a_told_world(make_ledger, words=SAID_IN_SHOP, policy=Policy.of({"too_long": policy}))
    say(world, E, body=f"<p>{LONG}</p>")
    changes(E, value=2)(world)
    world.drain()
    there = "Sturdy mug." if policy == "hold" else LONG[:59] + "…"
    assert both_show(world) == (["40", "Good", there], ["2", f"<p>{LONG}</p>"])
    assert held_reasons(world) == ({"too_long"} if policy == "hold" else set())
    changes(W, overall=100)(world)
    world.drain()
    assert shown(world.external) == ["5", f"<p>{LONG}</p>"]


def test_edit_of_a_shortened_text_is_held(make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger, words=SAID_IN_SHOP, policy=Policy.of({"too_long": "truncate"}))
    rate(world, E, 4, body=f"<p>{LONG}</p>")
    world.drain()
    say(world, W, body="x. Edited.")
    world.drain()
    assert held_reasons(world) == {"too_long"}
    assert shown(world.external) == ["4", f"<p>{LONG}</p>"]


def test_hold_of_a_long_text_ends_when_it_is_shortened(make_ledger: LedgerMaker) -> None:
    world = a_told_world(make_ledger, words=SAID_IN_SHOP)
    say(world, E, body=f"<p>{LONG}</p>")
    world.drain()
    say(world, E, body="<p>short</p>")
    world.drain()
    assert (held_reasons(world), shown(world.wix)) == (set(), ["80", "Good", "short"])


def test_markup_of_a_shop_is_no_edit_and_its_placeholder_no_word(make_ledger: LedgerMaker) -> None:
    world = a_told_world(make_ledger, words=SAID_IN_SHOP, external=NO_REVISION, sweeps=True)
    assert shown(world.external) == ["4", "<p>Sturdy mug.</p>\n"]
    say(world, W, body="")
    world.settle()
    assert both_show(world) == (["80", "Good", ""], ["4", "(no comment)"])
    assert broken_invariants(world) == []


def test_rating_from_before_words_were_carried_is_read_first(make_ledger: LedgerMaker) -> None:
    """Nobody knows what its record outside says: a word of its person must not be covered."""
    world = a_told_world(make_ledger, words={})
    carry_words(world)
    for remote in world.remotes.values():
        (record,) = remote.records.values()
        said = {TITLE: "", BODY: "Mine" if remote.side is E else ""}
        remote.records[record.remote_id] = replace(record, words=said)
    say(world, W, body="News.")
    world.drain()
    assert both_show(world) == (["80", "", "News."], ["4", "", "News."])
    assert [line.loser for line in lost(world, BODY)] == ["Mine"]


def carry_words(world: World) -> None:
    """The connector carries words from now on."""
    for side, remote in world.remotes.items():
        remote.capabilities = replace(remote.capabilities, words=SAID[side])


def test_sweep_finds_words_that_no_event_told(make_ledger: LedgerMaker) -> None:
    world = a_told_world(make_ledger, words=SAID_IN_SHOP, external=NO_REVISION)
    world.chance.faults = Faults(drop=1.0)
    say(world, E, body="<p>Unheard.</p>")
    world.sweep()
    world.drain()
    assert shown(world.wix) == ["80", "Good", "Unheard."]
    before = world.external.calls["get"]
    world.sweep()
    assert world.external.calls["get"] == before


def test_lost_answer_is_settled_by_the_words_too(make_ledger: LedgerMaker) -> None:
    world = a_told_world(make_ledger, external=NO_REVISION)
    faults = ["response_lost"]
    world.external.fault = lambda operation: (
        faults.pop() if faults and operation == "update" else None
    )
    say(world, W, body="Broke after a week.")
    world.drain()
    assert shown(world.external) == ["4", "Good", "Broke after a week."]
    assert world.external.calls["update"] == 1
    assert broken_invariants(world) == []


def test_sides_without_words_in_common_keep_theirs() -> None:
    world = a_world(words={W: SAID[W]}, external=Capabilities(many_fields=True))
    rates(W, overall=80)(world)
    world.drain()
    say(world, W, body="Only here.")
    world.drain()
    assert both_show(world) == (["80", "", "Only here."], ["4"])
    assert world.external.calls["update"] == 0


def test_text_that_a_side_made_another_of_is_held(make_ledger: LedgerMaker) -> None:
    """Whatever it was that the remote left out: what was written stays whole where it was."""
    world = a_told_world(make_ledger)
    world.external.makes_words = lambda name, text: text.replace("week", "***")
    say(world, W, body="Broke after a week.")
    world.drain()
    assert held_reasons(world) == {"normalised_by_remote"}
    assert shown(world.wix) == ["80", "Good", "Broke after a week."]


# Mechanism: the story that misses it, or the scene whose seeds do.
OF_WORDS: dict[str, Callable[[], None] | tuple[str, range]] = {
    "normal form of words": lambda: test_markup_of_a_shop_is_no_edit_and_its_placeholder_no_word(
        memory_ledger
    ),
    "no way back for a shortened text": lambda: test_edit_of_a_shortened_text_is_held(
        memory_ledger
    ),
    "look at words that nobody knows": lambda: (
        test_rating_from_before_words_were_carried_is_read_first(memory_ledger)
    ),
    "words keep their record alive": lambda: (
        test_words_edited_on_one_side_survive_a_delete_on_the_other(memory_ledger)
    ),
    "words in an answer": lambda: test_text_that_a_side_made_another_of_is_held(memory_ledger),
    "news of the rest of a record": ("words move with their records", range(51, 52)),
    "words listed without a number": lambda: test_sweep_finds_words_that_no_event_told(
        memory_ledger
    ),
}


@pytest.mark.parametrize("mechanism", OF_WORDS)
def test_mechanism_of_words_is_missed_when_it_is_off(mechanism: str) -> None:
    story = OF_WORDS[mechanism]
    with without(mechanism):
        if isinstance(story, tuple):
            scene, seeds = story
            assert any(run_seed(scene, seed) for seed in seeds)
            return
        with pytest.raises((AssertionError, ValueError)):
            story()


@pytest.mark.parametrize("side", [W, E])
def test_privacy_request_reaches_what_is_set_aside(side: Side) -> None:
    """Between a change of the API of Wix and its new baseline; the way back brings nothing."""
    world = a_told_world(sql_ledger)
    admin = ledger_admin(world.ledger.engine)
    (site,) = admin.sites.all()

    def change(kind: WixKind) -> None:
        admin.sites.set_state(site.id, SiteState.PAUSED)
        admin.wix_change.change(site.id, kind, list(site.fields), SiteState.RECOVERY)

    change(WixKind.REVIEWS)
    deletes(side, privacy=True)(world)
    world.drain()
    assert "Sturdy mug." not in world.ledger.everything()
    # What the left API shows is out of reach; the record outside is not.
    assert not world.external.records
    change(WixKind.RATINGS)
    assert "Sturdy mug." not in world.ledger.everything()


def deliver_all(world: World) -> None:
    while world.post.webhooks:
        world.post.deliver_some(world.chance.random)


def with_our_write_unheard() -> World:
    """The answer and the echo of a write outside are lost; Wix says something newer, and right
    after that the stars are edited outside.
    """
    world = a_world()
    rate(world, W, 80, title="First", body="Nice")
    world.drain()
    tell, lost = world.external.on_event, list[str]()

    def lose_the_answer(operation: str) -> str | None:
        if operation == "update" and not lost:
            lost.append(operation)
            world.external.on_event = lambda event: None
            return "response_lost"
        return None

    def edit_meanwhile(place: str) -> None:
        if place == "before external.get" and lost:
            world.on_step, world.external.on_event = lambda place: None, tell
            say(world, W, title="Third")
            deliver_all(world)
            changes(E, value=2)(world)
            deliver_all(world)

    world.external.fault, world.on_step = lose_the_answer, edit_meanwhile
    say(world, W, title="Second")
    world.settle()
    return world


def test_newer_words_win_over_our_own_write_of_unknown_outcome() -> None:
    world = with_our_write_unheard()
    assert both_show(world) == (["40", "Third", "Nice"], ["2", "Third", "Nice"])
    assert broken_invariants(world) == []


def test_older_words_win_where_our_own_write_passes_for_an_edit() -> None:
    with without("own write of unknown outcome"):
        world = with_our_write_unheard()
        assert both_show(world) == (["40", "Second", "Nice"], ["2", "Second", "Nice"])
        assert [message[:4] for message in broken_invariants(world)] == ["I26 "]


def test_own_words_of_a_lost_answer_are_no_edit_of_the_other_side(
    make_ledger: LedgerMaker,
) -> None:
    """Sent without a precondition, our update came after an edit: its echo has a later number."""
    external = Capabilities(many_fields=True, update_precondition=False)
    world = a_world(make_ledger, external=external)
    rate(world, E, 2)

    def goes_on(place: str) -> None:
        if place == "before external.update":
            world.external.visitor_changes("e1", {"value": Decimal(3)})
        if place == "after external.update":
            world.on_step = lambda place: None
            world.crash_steps = {world.steps}
            world.wix.visitor_deletes("w1")
            rate(world, W, 80)
            world.external.visitor_changes("e1", {"value": Decimal(5)})

    rate(world, W, 40, title="Better", body="And sturdy.")
    world.on_step = goes_on
    world.settle()
    assert shown(world.wix)[1:] == shown(world.external)[1:] == ["", ""]
    assert broken_invariants(world) == []
