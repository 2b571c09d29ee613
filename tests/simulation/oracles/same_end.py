"""I27: whichever way a history comes to us, both sides and the ledger end the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sync_worker.core.values import Record, Side, Slot
from tests.simulation.world import Faults, Options, World
from tests.twins.memory_ledger import memory_ledger

# So many people take part in a history; all others only rate before it begins.
ACTORS = 3
# What people do, in its order; each act finds the records that people made by the number of the
# act that made them, so that it is the same in every world.
Act = Callable[[World, dict[int, str]], None]


@dataclass(frozen=True)
class Way:
    """How a history comes to us: ``faults`` keep other ways away.

    ``after_each`` follows each act, ``at_the_end`` the last one.
    """

    faults: Faults
    after_each: tuple[Callable[[World], None], ...] = ()
    at_the_end: tuple[Callable[[World], None], ...] = ()


def _later(world: World) -> None:
    world.now += 3600.0


# A deletion that nobody tells of shows in the second sweep that misses it.
SWEPT = (_later, World.sweep, World.drain, World.sweep, World.drain)
WAYS: Mapping[str, Way] = {
    "events": Way(Faults(), after_each=(World.drain,)),
    "events at the end, several times": Way(Faults(duplicate=0.4), at_the_end=(World.drain,)),
    "sweeps": Way(Faults(drop=1.0), after_each=SWEPT),
    "polls outside, events of Wix": Way(
        Faults(drop_outside=1.0), after_each=(World.drain, _later, World.poll, World.drain)
    ),
    "a baseline": Way(Faults(drop=1.0), at_the_end=(World.sweep, World.drain)),
}


def played(options: Options, acts: Sequence[Act], way: Way) -> World:
    """The world after a history that came one way."""
    world = World(0, options, memory_ledger)
    world.chance.faults = way.faults
    made: dict[int, str] = {}
    for act in (_others_rate, *acts):
        act(world, made)
        for step in way.after_each:
            step(world)
    for step in way.at_the_end:
        step(world)
    return world


def _others_rate(world: World, made: dict[int, str]) -> None:
    """What never changes: a listing that shows under half of what is on file is not believed."""
    for person in world.persons[ACTORS:]:
        for wix, _ in world.entities:
            world.wix.visitor_rates(wix, person, {"overall": Decimal(80)})


def ends_differently(options: Options, acts: Sequence[Act]) -> Iterator[str]:
    """Which ways end otherwise than the first, and in what."""
    first, *others = [(name, ending_of(played(options, acts, way))) for name, way in WAYS.items()]
    for name, ending in others:
        for part, there in ending.items():
            if there != first[1][part]:
                yield f"I27 {part}: {first[1][part]} by {first[0]}, {there} by {name}"


def ending_of(world: World) -> Mapping[str, object]:
    """Both sides as anybody sees them, and what the ledger says of each rating."""
    return {
        # Where Wix moderates: what we hid there, or had never brought there, nobody sees.
        "on Wix": sorted(_shown(one) for one in world.wix.records.values() if is_seen(world, one)),
        "outside": sorted(map(_shown, world.external.records.values())),
        "in the ledger": sorted(_words_of(world)),
        "held": sorted(set(world.ledger.held_reasons())),
        "open": (world.ledger.open_count(), world.ledger.open_intents()),
    }


def is_seen(world: World, record: Record) -> bool:
    return record.is_visible or not world.wix.capabilities.can_moderate


def _shown(record: Record) -> tuple[str, ...]:
    assert record.entity is not None
    person = record.person.contact_id or record.person.email or ""
    values = sorted(f"{name}={value}" for name, value in record.values.items())
    return (record.entity.entity_id, person, str(record.state), *values)


def _words_of(world: World) -> Iterator[tuple[str, ...]]:
    """Of each rating that is on both sides: its state, and what both last agreed on."""
    for row in world.ledger.state.link_rows.values():
        link = row.link
        sides = {slot.side for slot in link.records}
        is_shown = all(known.state == "published" for known in link.records.values())
        # One that is left on a side, or on none, has no word in common by all ways.
        if sides != set(Side) or not is_shown or Slot(Side.EXTERNAL) not in link.records:
            continue
        bases = [f"{name}: {base.wix} {base.external}" for name, base in link.bases.items()]
        yield (str(link.key.entity_id), link.key.contact_id, str(link.state), *sorted(bases))
