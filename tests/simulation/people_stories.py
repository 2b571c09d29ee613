"""Directed stories of people who turn out to be one, and of people who leave; the state that each
must end in.

``prelude`` has come to rest before ``acts``, whose webhooks then arrive in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from sync_worker.core.values import Side
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenes import NO_REVISION
from tests.simulation.world import CALM, LedgerMaker, Options, World
from tests.twins.memory_ledger import memory_ledger

Act = Callable[[World], None]
W, E = Side.WIX, Side.EXTERNAL
NAMES = {W: "overall", E: "value"}


@dataclass(frozen=True)
class PeopleStory:
    """``ending``: every value that is left on Wix and outside, whoever's it is.

    ``or_else``: as good an ending if all happens at once: then somebody asks Wix in the middle of a
    chain of merges and is shown its end (docs/people.md).
    """

    acts: tuple[Act, ...]
    ending: tuple[list[int], list[int]]
    prelude: tuple[Act, ...] = ()
    or_else: tuple[list[int], list[int]] | None = None
    options: Options = field(default_factory=lambda: Options(CALM, people=3))

    def begin(self, make_ledger: LedgerMaker = memory_ledger) -> World:
        """The world after the prelude, with the webhooks of all acts on their way."""
        world = World(0, self.options, make_ledger)
        for act in self.prelude:
            act(world)
            world.drain()
        for act in self.acts:
            act(world)
        return world

    def play(self, order: Sequence[int] | None = None, crashes: Sequence[int] = ()) -> World:
        """Deliver in this order, each worked off before the next one comes."""
        world = self.begin()
        world.crash_steps = {world.steps + one for one in crashes}
        waiting, world.post.webhooks = world.post.webhooks, []
        for place in order if order is not None else range(len(waiting)):
            world.post.webhooks.append(waiting[place])
            world.drain()
        world.settle()
        return world

    def complaints(self, world: World, *, at_once: bool = False) -> list[str]:
        left = tuple(
            sorted(int(one.values[NAMES[side]]) for one in world.remotes[side].records.values())
            for side in (W, E)
        )
        wrong = (
            []
            if left == self.ending or (at_once and left == self.or_else)
            else [f"left {left}, not {self.ending}"]
        )
        return wrong + broken_invariants(world)


def rates(side: Side, person: int, value: int) -> Act:
    def act(world: World) -> None:
        entity = world.entities[0][side is E]
        world.remotes[side].visitor_rates(
            entity, world.persons[person], {NAMES[side]: Decimal(value)}
        )

    return act


def merges(source: int, target: int) -> Act:
    return lambda world: world.crowd.merge(world.persons[source], world.persons[target])


def only_merges_are_told(world: World) -> None:
    """A deletion that overtakes its merge makes us ask, and hides the middle of the chain:
    docs/people.md.
    """
    world.post.webhooks = [one for one in world.post.webhooks if one.change == "contact_merged"]


def leaves(person: int) -> Act:
    return lambda world: world.crowd.erase(world.persons[person])


def deletes_on_wix(person: int) -> Act:
    def act(world: World) -> None:
        mine = world.wix.of(world.entities[0][0], world.persons[person])
        world.wix.visitor_deletes(mine[0].remote_id)

    return act


def leaves_quietly(person: int) -> Act:
    """Of the request only the contact's deletion is heard, and not that of each rating."""

    def act(world: World) -> None:
        leaves(person)(world)
        world.post.webhooks = [one for one in world.post.webhooks if one.change != "delete"]

    return act


SEVERAL_OUTSIDE = Options(CALM, people=3, external=NO_REVISION)
STORIES: dict[str, PeopleStory] = {
    "merge of two who rated the same thing": PeopleStory(
        (merges(0, 1),), ([20], [1]), (rates(W, 0, 80), rates(W, 1, 20))
    ),
    "merge of two who rated the same thing on different sides": PeopleStory(
        (merges(0, 1),), ([20], [1]), (rates(W, 0, 80), rates(E, 1, 1))
    ),
    "merge into one who has not rated": PeopleStory(
        (merges(0, 1),), ([80], [4]), (rates(E, 0, 4),)
    ),
    "merge of one who has not rated": PeopleStory((merges(0, 1),), ([20], [1]), (rates(W, 1, 20),)),
    "merge together with both ratings": PeopleStory(
        (rates(W, 0, 80), rates(W, 1, 20), merges(0, 1)), ([20], [1])
    ),
    "merge together with the rating of the one merged away": PeopleStory(
        (rates(W, 0, 80), merges(0, 1)), ([20], [1]), (rates(W, 1, 20),)
    ),
    "merge together with the rating of the one who lives on": PeopleStory(
        (rates(W, 1, 20), merges(0, 1)), ([20], [1]), (rates(W, 0, 80),)
    ),
    "chain of merges, the first two rated": PeopleStory(
        (merges(0, 1), merges(1, 2), only_merges_are_told),
        ([20], [1]),
        (rates(W, 0, 80), rates(W, 1, 20)),
        or_else=([80], [4]),
    ),
    "chain of merges, all three rated": PeopleStory(
        (merges(0, 1), merges(1, 2)),
        ([60], [3]),
        (rates(W, 0, 80), rates(W, 1, 20), rates(W, 2, 60)),
    ),
    "two merged into one at once": PeopleStory(
        (merges(0, 2), merges(1, 2)), ([80], [4]), (rates(W, 0, 80), rates(W, 1, 20))
    ),
    "rated outside under the old address after the merge": PeopleStory(
        (rates(E, 0, 4),), ([20], [1]), (rates(W, 1, 20), merges(0, 1))
    ),
    "person who rated asks to be forgotten": PeopleStory(
        (leaves(0),), ([20], [1]), (rates(W, 0, 80), rates(W, 1, 20))
    ),
    "person asks to be forgotten, told by the contact's deletion alone": PeopleStory(
        (leaves_quietly(0),), ([20], [1]), (rates(W, 0, 80), rates(W, 1, 20))
    ),
    "person asks to be forgotten before the rating has crossed": PeopleStory(
        (rates(W, 0, 80), leaves(0)), ([], [])
    ),
    "person of two contacts asks to be forgotten": PeopleStory(
        (leaves(1),), ([], []), (rates(W, 0, 80), merges(0, 1))
    ),
    "merge and request at once": PeopleStory(
        (merges(0, 1), leaves(1)), ([], []), (rates(W, 0, 80), rates(W, 1, 20))
    ),
    "person who rated twice outside asks to be forgotten": PeopleStory(
        (leaves(0),),
        ([20], [1]),
        (rates(E, 0, 2), rates(E, 0, 5), rates(W, 1, 20)),
        options=SEVERAL_OUTSIDE,
    ),
    "person who rated twice outside and deleted one on Wix asks to be forgotten": PeopleStory(
        (leaves(0),),
        ([20], [1]),
        (rates(E, 0, 2), rates(E, 0, 5), deletes_on_wix(0), rates(W, 1, 20)),
        options=SEVERAL_OUTSIDE,
    ),
    "person of two contacts, one of whom rated twice outside, asks to be forgotten": PeopleStory(
        (leaves(1),),
        ([], []),
        (rates(E, 0, 2), rates(E, 0, 5), rates(W, 1, 60), merges(0, 1)),
        options=SEVERAL_OUTSIDE,
    ),
    "what still comes under the address of a forgotten person is not kept": PeopleStory(
        (rates(E, 0, 4),), ([20], [1, 4]), (rates(W, 0, 80), rates(W, 1, 20), leaves(0))
    ),
}
