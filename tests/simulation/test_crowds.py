"""A rating that is edited faster than it is brought over: one look serves for all that wait."""

from __future__ import annotations

from collections import Counter

import pytest

from sync_worker.core.errors import Permanent
from sync_worker.core.values import InboxState, Side
from tests.simulation.ablations import without
from tests.simulation.both_ledgers import BOTH_LEDGERS
from tests.simulation.chaos import LEDGERS
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes, deletes, ending_of, rates
from tests.simulation.world import CALM, LedgerMaker, Options, World
from tests.twins.memory_ledger import memory_ledger
from tests.twins.memory_remote import MemoryRemote

W, E = Side.WIX, Side.EXTERNAL
EDITS = 60


@pytest.fixture(params=BOTH_LEDGERS)
def make_ledger(request: pytest.FixtureRequest) -> LedgerMaker:
    return LEDGERS[request.param]


def a_crowd(
    side: Side, make_ledger: LedgerMaker, *, last: int, edits: int = EDITS
) -> tuple[World, Counter[str]]:
    """In step, then many edits, all at the door before a worker has time. Counts its calls."""
    world = World(0, Options(CALM, people=1, sweeps=False), make_ledger)
    rates(W, overall=80)(world)
    world.drain()
    calls: Counter[str] = Counter()

    def note(place: str) -> None:
        when, _, name = place.partition(" ")
        if when == "before" and name.startswith(("wix.", "external.")) and "reserve" not in name:
            calls[name] += 1

    world.on_step = note
    for number in range(edits):
        value = last if number == edits - 1 else 1 + number % 4
        change = changes(E, value=value) if side is E else changes(W, overall=20 * value)
        change(world)
    while world.post.webhooks:
        world.post.deliver(0)
    return world, calls


@pytest.mark.parametrize("side", [W, E])
def test_crowd_of_edits_costs_one_look_and_one_write(side: Side, make_ledger: LedgerMaker) -> None:
    """Each ends visibly, nothing is held, and the newest has crossed."""
    world, calls = a_crowd(side, make_ledger, last=5)
    world.drain()
    assert ending_of(world) == ("100", "5")
    assert world.ledger.held_reasons() == []
    here, there = ("external", "wix") if side is E else ("wix", "external")
    assert calls == {f"{here}.get": 1, f"{there}.update": 1}
    assert broken_invariants(world) == []


def test_crowd_that_cannot_cross_waits_as_one(
    make_ledger: LedgerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row is held for all, and its release lets the newest cross."""
    world, _ = a_crowd(W, make_ledger, last=5)
    with monkeypatch.context() as patch:
        patch.setattr(MemoryRemote, "update", _refuse)
        world.drain()
    assert world.ledger.held_reasons() == ["rejected"]
    ends = {number: world.ledger.ended(number) for number in range(1, 10 * EDITS)}
    (held,) = [number for number, end in ends.items() if end[0] is InboxState.HELD]
    gathered = (InboxState.SUPERSEDED, f"gathered into {held}")
    assert list(ends.values()).count(gathered) == EDITS - 1
    world.queue += world.ledger.inbox.release_held(world.site.id, inbox_ids=[held])
    world.drain()
    assert ending_of(world) == ("100", "5")
    assert world.ledger.held_reasons() == []


def _refuse(*arguments: object, **named: object) -> None:
    raise Permanent("refused", reason="rejected")


def test_delete_among_a_crowd_of_edits_is_not_lost(make_ledger: LedgerMaker) -> None:
    world, _ = a_crowd(W, make_ledger, last=5)
    deletes(W)(world)
    world.drain()
    world.settle()
    assert ending_of(world) == (None, None)
    assert broken_invariants(world) == []


def test_crowd_without_gathering_is_missed() -> None:
    """The loop breaker stops it after twelve writes, and holds the rest one by one."""
    with without("gathering of a crowd"):
        world, calls = a_crowd(W, memory_ledger, last=5, edits=2 * EDITS)
        world.drain()
    assert calls["external.update"] > 1
    assert "fight" in world.ledger.held_reasons()
