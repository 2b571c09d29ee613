"""Lost answers: the newest edit of a person wins, whatever a later try was told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import pytest

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import Policy, Side
from tests.simulation.ablations import without
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes, ending_of, rates
from tests.simulation.tries import REFUSALS
from tests.simulation.world import CALM, Options, World
from tests.twins.memory_ledger import memory_ledger

W, E = Side.WIX, Side.EXTERNAL
NUMBERED = Capabilities(many_fields=True)
UNNUMBERED = Capabilities(
    has_revision=False, update_precondition=False, trusts_payload=False, is_unique=False
)


@dataclass
class LostUpdate:
    """An update of one side lands, its answer is lost, and its next try is refused."""

    world: World
    side: Side
    refusal: int
    happened: list[str] = field(default_factory=list)

    def arm(self) -> None:
        self.world.remotes[self.side].fault = self._fault
        self.world.refuse_again = self._refused

    def _fault(self, operation: str) -> str | None:
        if operation != "update" or self.happened:
            return None
        self.happened.append("lost")
        return "response_lost"

    def _refused(self) -> int | None:
        if self.happened != ["lost"]:
            return None
        self.happened.append("refused")
        return self.refusal


def edited_after_a_lost_update(
    side: Side,
    refusal: int,
    external: Capabilities = NUMBERED,
    policy: Policy | None = None,
    *,
    echo_is_late: bool = False,
) -> World:
    """80 on both sides → 20 on one, which lands unheard on the other → 60 there.

    The last edit is made before we look again, and its webhook is the last to come.
    ``echo_is_late``: that of our own write comes after the first look, too.
    """
    options = Options(
        CALM,
        people=1,
        tries_again=True,
        sweeps=False,
        external=external,
        policy=policy or Policy(),
    )
    world = World(0, options, memory_ledger)
    rates(W, overall=80)(world)
    world.drain()
    lost = LostUpdate(world, side, refusal)
    lost.arm()
    if side is E:
        changes(W, overall=20)(world)
    else:
        changes(E, value=1)(world)
    # One worker, and nothing else, until its update is lost.
    world.post.deliver(0)
    world.start_worker(world.queue.pop())
    while world.workers:
        world.step_worker(0)
    assert lost.happened
    # The echo of our write, if there is one, arrives; the edit is heard of only after we looked.
    while world.post.webhooks and not echo_is_late:
        world.post.deliver(0)
    if side is E:
        changes(E, value=3)(world)
    else:
        changes(W, overall=60)(world)
    late = list(world.post.webhooks)
    world.post.webhooks.clear()
    world.now += 30.0
    world.queue += world.ledger.inbox.due(20)
    while world.queue or world.workers:
        world.step_in_order()
    world.post.webhooks += late
    world.settle()
    return world


@pytest.mark.parametrize("refusal", range(len(REFUSALS)))
@pytest.mark.parametrize("side", list(Side))
def test_edit_after_an_unheard_write_wins(side: Side, refusal: int) -> None:
    """80 → 20 → 60 ends at 60 on both sides, whatever the second try of the update was told."""
    world = edited_after_a_lost_update(side, refusal)
    assert ending_of(world) == ("60", "3")
    assert broken_invariants(world) == []


def test_edit_after_an_unheard_write_wins_without_revisions() -> None:
    """Nothing tells whether the write landed; the edit was made after our look in any case."""
    world = edited_after_a_lost_update(E, 0, UNNUMBERED, echo_is_late=True)
    assert ending_of(world) == ("60", "3")


def test_owner_who_named_a_side_for_conflicts_is_obeyed() -> None:
    """Without revisions nothing tells whether the write landed: the named side wins, on record."""
    world = edited_after_a_lost_update(
        E, 0, UNNUMBERED, Policy.of({"conflict": "wix"}), echo_is_late=True
    )
    assert ending_of(world) == ("20", "1")
    assert 3 in [entry.loser for entry in world.ledger.history_entries()]


def ends_elsewhere(story: Callable[[], World]) -> bool:
    world = story()
    return ending_of(world) != ("60", "3") or bool(broken_invariants(world))


@pytest.mark.parametrize("side", list(Side))
def test_echo_that_comes_after_the_first_look_is_waited_for(side: Side) -> None:
    """Given up at the first look, the edit would pass for one beside our write."""
    assert ending_of(edited_after_a_lost_update(side, 0, echo_is_late=True)) == ("60", "3")
    with without("waiting for the echo"):
        assert ends_elsewhere(lambda: edited_after_a_lost_update(side, 0, echo_is_late=True))


def test_edit_is_lost_where_the_look_before_it_counts_for_nothing() -> None:
    with without("edit since our look"):
        assert ends_elsewhere(
            lambda: edited_after_a_lost_update(E, 0, UNNUMBERED, echo_is_late=True)
        )


def test_edit_is_lost_where_each_try_stands_for_itself() -> None:
    """What the second try was told must not pass for the outcome of the call."""
    with without("tries taken together"):
        for refusal in range(len(REFUSALS)):
            assert ends_elsewhere(partial(edited_after_a_lost_update, E, refusal)), refusal


def edited_between_two_tries_of_a_create() -> World:
    """The copy of an 80 is made unheard, becomes a 5 before the next try; then 20 on Wix."""
    options = Options(CALM, people=1, tries_again=True, sweeps=False, external=NUMBERED)
    world = World(0, options, memory_ledger)
    faults = ["response_lost"]

    def edits(place: str) -> None:
        if place == "between tries of external":
            world.on_step = lambda place: None
            changes(E, value=5)(world)

    world.on_step = edits
    world.external.fault = lambda operation: (
        faults.pop() if faults and operation == "create" else None
    )
    rates(W, overall=80)(world)
    world.drain()
    assert not faults
    changes(W, overall=20)(world)
    world.settle()
    return world


def test_edit_between_two_tries_of_a_create_is_not_covered_unseen() -> None:
    """What the second try brought back passed for what the system had made of our value."""
    world = edited_between_two_tries_of_a_create()
    assert ending_of(world) == ("20", "1")
    assert 5 in [entry.loser for entry in world.ledger.history_entries()]
    assert broken_invariants(world) == []


def test_edit_is_covered_unseen_where_nothing_agreed_is_enough() -> None:
    with without("nothing agreed"):
        assert broken_invariants(edited_between_two_tries_of_a_create())
