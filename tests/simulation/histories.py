"""Histories of what people do, that can be played into any world: each act has a number.

Everybody rates on one side only, so that no way sees a record that another way has not made.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal

from sync_worker.core.errors import Duplicate, Gone
from sync_worker.core.values import RecordState, Side
from tests.simulation.oracles.same_end import ACTORS, Act
from tests.simulation.world import Options, World
from tests.twins.memory_remote import MemoryRemote

E = Side.EXTERNAL


def a_history(seed: int, options: Options, length: int = 8) -> Sequence[Act]:
    """So many acts, drawn from one seed."""
    chance = random.Random(f"history {seed}")
    return [_some_act(chance, number, options) for number in range(length)]


def _some_act(chance: random.Random, number: int, options: Options) -> Act:
    person, entity = chance.randrange(ACTORS), chance.randrange(options.entities)
    # The first person rates on Wix, all others outside.
    side = Side.WIX if person == 0 else E
    stars = chance.randrange(1, 6)
    what = chance.choice(["rates", "changes", "changes", "deletes", "moderates", "moves"])
    if what == "rates" or number == 0:
        return lambda world, made: _rates(world, made, number, (side, entity, person), stars)
    target, moved_to = chance.randrange(number), chance.randrange(options.entities)
    if what == "changes":
        return lambda world, made: _changes(world, made.get(target, ""), stars)
    if what == "moderates" and options.moderation:
        is_shown = chance.random() < 0.5
        return lambda world, made: _moderates(world, made.get(target, ""), is_shown=is_shown)
    if what == "moves" and options.moves:
        owner = chance.randrange(1, ACTORS)
        return lambda world, made: _moves(world, made.get(target, ""), moved_to, owner)
    return lambda world, made: _deletes(world, made.get(target, ""))


def _rates(
    world: World, made: dict[int, str], number: int, who: tuple[Side, int, int], stars: int
) -> None:
    """The first time with stars; a follow-up, where the system takes one, has none."""
    side, entity, person = who
    remote, ref = world.remotes[side], world.entities[entity][side is E]
    has_rated = any(one.values for one in remote.of(ref, world.persons[person]))
    if has_rated and remote.capabilities.is_unique:
        return
    values = {"overall": Decimal(20 * stars)} if side is Side.WIX else {"value": Decimal(stars)}
    if has_rated:
        values = {}
    made[number] = remote.visitor_rates(ref, world.persons[person], values).remote_id


def _of(world: World, remote_id: str) -> MemoryRemote | None:
    for remote in world.remotes.values():
        if remote_id in remote.records:
            return remote
    return None


def _changes(world: World, remote_id: str, stars: int) -> None:
    remote = _of(world, remote_id)
    if remote is None:
        return
    if remote.side is Side.WIX:
        remote.visitor_changes(remote_id, {"overall": Decimal(20 * stars)})
    # A follow-up without stars stays one.
    elif remote.records[remote_id].values:
        remote.visitor_changes(remote_id, {"value": Decimal(stars)})


def _deletes(world: World, remote_id: str) -> None:
    remote = _of(world, remote_id)
    if remote is not None:
        remote.visitor_deletes(remote_id)


def _moderates(world: World, remote_id: str, *, is_shown: bool) -> None:
    remote = _of(world, remote_id)
    if remote is None:
        return
    if remote.side is E:
        state = RecordState.PUBLISHED if is_shown else RecordState.PENDING
        remote.moderator_sets(remote_id, state)
    elif remote.capabilities.can_moderate:
        state = RecordState.PUBLISHED if is_shown else RecordState.REJECTED
        remote.moderator_sets(remote_id, state)


def _moves(world: World, remote_id: str, entity: int, owner: int) -> None:
    """To a place where nobody has written anything: whose rating counts there is no question."""
    remote = _of(world, remote_id)
    if remote is None or remote.side is not E:
        return
    ref, person = world.entities[entity][1], world.persons[owner]
    if remote.of(ref, person):
        return
    try:
        remote.owner_moves(remote_id, entity=ref, person=person)
    except (Duplicate, Gone):
        return
