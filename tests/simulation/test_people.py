"""People who merge and people who leave: the same end in every order of deliveries, and after a
crash at any step.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import Decimal

import pytest

from sync_worker.core.values import Change, HistoryKind, RecordState, Side
from tests.simulation.ablations import PEOPLE_MECHANISMS, without
from tests.simulation.chaos import sql_ledger
from tests.simulation.oracles import broken_invariants
from tests.simulation.people_stories import STORIES, PeopleStory, merges, rates
from tests.simulation.steps import Choice, in_three_parts
from tests.simulation.world import CALM, LedgerMaker, Options, World
from tests.twins.memory_ledger import memory_ledger

NAMES = sorted(STORIES)
# A seed of the SQL ledger costs 25 times as much: each fifth, and all of them in `make test-all`.
SQL_NAMES = [
    pytest.param(name, marks=[] if place % 5 == 0 else pytest.mark.full)
    for place, name in enumerate(NAMES)
]
MISSED = {
    "memory of merges": "merge of two who rated the same thing",
    "joining of links": "merge of two who rated the same thing",
    "nearest contact": "chain of merges, all three rated",
    "erasure of every link": "person asks to be forgotten, told by the contact's deletion alone",
    "erasure with the last commit": "person who rated asks to be forgotten",
    "erasure of shadowed records": "person who rated twice outside asks to be forgotten",
    "grave of a contact": "merge and request at once",
    "grave of an address": "what still comes under the address of a forgotten person is not kept",
}


def orders(story: PeopleStory, limit: int = 24) -> Iterator[tuple[int, ...]]:
    webhooks = story.begin().post.webhooks
    yield from itertools.islice(itertools.permutations(range(len(webhooks))), limit)


@pytest.mark.parametrize("name", NAMES)
def test_story_ends_the_same_in_every_order_of_its_deliveries(name: str) -> None:
    story = STORIES[name]
    for order in orders(story):
        assert (order, story.complaints(story.play(order))) == (order, [])


@in_three_parts()
@pytest.mark.parametrize("name", NAMES)
def test_story_ends_the_same_after_a_crash_at_any_step(name: str, chosen: Choice) -> None:
    story = STORIES[name]
    calm = story.play()
    for step in chosen(range(1, calm.steps - story.begin().steps + 1)):
        assert (step, story.complaints(story.play(crashes=[step]))) == (step, [])


@pytest.mark.parametrize("name", SQL_NAMES)
def test_story_ends_the_same_on_the_sql_ledger_and_when_repeated(name: str) -> None:
    """A story ends the same on the SQL ledger and when all is delivered again."""
    story = STORIES[name]
    world = story.begin(sql_ledger)
    world.settle()
    assert story.complaints(world, at_once=True) == []
    writes = [len(remote.journal) for remote in world.remotes.values()]
    world.replay(list(world.post.sent))
    assert story.complaints(world, at_once=True) == []
    assert [len(remote.journal) for remote in world.remotes.values()] == writes


def test_loser_of_a_merge_is_in_the_history_of_both_sides() -> None:
    world = STORIES["merge of two who rated the same thing"].play()
    lost = {
        (entry.side, entry.loser)
        for entry in world.ledger.history_entries()
        if entry.reason == "merged"
    }
    assert {(side, int(value)) for side, value in lost if value is not None} == {
        (Side.WIX, 80),
        (Side.EXTERNAL, 4),
    }


def test_loser_that_is_hidden_is_in_the_history_with_its_value() -> None:
    """A moderator hid it before the merge: a person may still want to know what it said."""
    world = World(0, Options(CALM, people=2, moderation=True), memory_ledger)
    rates(Side.EXTERNAL, 0, 2)(world)
    rates(Side.EXTERNAL, 1, 4)(world)
    world.drain()
    world.external.moderator_sets("e2", RecordState.PENDING)
    merges(1, 0)(world)
    world.drain()
    lost = [one for one in world.ledger.history_entries() if one.remote_id == "e2"]
    deletes = [one.before for one in lost if one.what is HistoryKind.DELETE]
    assert (deletes, list(world.external.records)) == ([4], ["e1"])


def test_merge_without_an_event_is_found_when_wix_refuses_the_contact() -> None:
    """A merge whose event never comes is found when Wix refuses the contact."""
    world = World(0, Options(CALM, people=2), memory_ledger)
    rates(Side.EXTERNAL, 0, 4)(world)
    merges(0, 1)(world)
    world.post.webhooks = world.post.webhooks[:1]
    world.settle()
    assert [record.person.contact_id for record in world.wix.records.values()] == ["contact-1"]


def test_every_mechanism_is_accounted_for() -> None:
    assert set(PEOPLE_MECHANISMS) == set(MISSED)


@pytest.mark.parametrize("mechanism", sorted(MISSED))
def test_story_misses_the_mechanism(mechanism: str) -> None:
    story = STORIES[MISSED[mechanism]]
    with without(mechanism):
        assert any(complains(story, order) for order in orders(story))


def complains(story: PeopleStory, order: tuple[int, ...]) -> bool:
    try:
        return bool(story.complaints(story.play(order)))
    except AssertionError:
        return True


def test_merge_that_is_told_again_joins_nothing_again(make_ledger: LedgerMaker) -> None:
    """Its links are one already: no lease of them is taken in vain, and no line is added."""
    world = World(0, Options(CALM, people=4), make_ledger)
    for person in world.persons:
        world.external.visitor_rates(world.entities[0][1], person, {"value": Decimal(4)})
    world.drain()
    for person in world.persons[1:]:
        world.crowd.merge(person, world.persons[0])
    world.drain()
    lines = len(world.ledger.history_entries())
    merges = [one for one in world.post.sent if one.change is Change.CONTACT_MERGED]
    world.replay(merges)
    world.replay(merges)
    assert len(world.ledger.history_entries()) == lines
    assert broken_invariants(world) == []
