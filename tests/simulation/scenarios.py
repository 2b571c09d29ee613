"""Directed stories: few acts, in a fixed order, each with the state that it must end in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import EntityRef, Policy, RecordState, Side
from tests.simulation.world import CALM, OVERALL, QUALITY, LedgerMaker, Options, World
from tests.twins.memory_ledger import memory_ledger
from tests.twins.memory_remote import MemoryRemote

Story = Callable[[World], None]
Ending = tuple[str | None, str | None]  # the overall value on Wix and on the external side


@dataclass(frozen=True)
class Scenario:
    """``acts`` happen one after the other; ``settles`` says whether the world comes to rest after
    each.
    """

    acts: tuple[Story, ...]
    ending: Ending
    options: Options = field(default_factory=lambda: Options(CALM, people=1))
    settles: bool = True

    def world(self, make_ledger: LedgerMaker = memory_ledger) -> World:
        return World(0, self.options, make_ledger)

    def play(self, world: World) -> None:
        for act in self.acts:
            act(world)
            if self.settles:
                world.drain()
        world.settle()


def ending_of(world: World) -> Ending:
    wix, external = world.entities[0]
    return (
        _shown(world.wix, world, wix, "overall"),
        _shown(world.external, world, external, "value"),
    )


def _shown(remote: MemoryRemote, world: World, entity: EntityRef, name: str) -> str | None:
    records = [
        one for one in remote.of(entity, world.persons[0]) if one.is_visible and name in one.values
    ]
    return str(records[0].values[name]) if records else None


def rates(side: Side, **values: int) -> Story:
    def act(world: World) -> None:
        entity = world.entities[0][side is Side.EXTERNAL]
        numbers = {name: Decimal(value) for name, value in values.items()}
        world.remotes[side].visitor_rates(entity, world.persons[0], numbers)

    return act


def changes(side: Side, **values: int) -> Story:
    def act(world: World) -> None:
        name = next(iter(values))
        record = _mine(world, side, name)
        world.remotes[side].visitor_changes(
            record, {key: Decimal(value) for key, value in values.items()}
        )

    return act


def deletes(side: Side, name: str = "", *, privacy: bool = False) -> Story:
    return lambda world: world.remotes[side].visitor_deletes(
        _mine(world, side, name), privacy=privacy
    )


def moderates(state: RecordState) -> Story:
    def act(world: World) -> None:
        world.external.moderator_sets(_mine(world, Side.EXTERNAL, ""), state)

    return act


def _mine(world: World, side: Side, name: str) -> str:
    records = world.remotes[side].of(world.entities[0][side is Side.EXTERNAL], world.persons[0])
    return next(one.remote_id for one in records if not name or name in one.values)


def both(*acts: Story) -> Story:
    def act(world: World) -> None:
        for one in acts:
            one(world)

    return act


W, E = Side.WIX, Side.EXTERNAL
TWO = Options(CALM, people=1, fields=(OVERALL, QUALITY))


def _options(**policy: str) -> Options:
    return Options(CALM, people=1, policy=Policy.of(policy))


def _outside(**capabilities: Any) -> Options:
    return Options(CALM, people=1, external=Capabilities(many_fields=True, **capabilities))


SCENARIOS: dict[str, Scenario] = {
    "wix rating is created outside": Scenario((rates(W, overall=80),), ("80", "4")),
    "external rating is created on wix": Scenario((rates(E, value=4),), ("80", "4")),
    "wix change crosses": Scenario((rates(W, overall=80), changes(W, overall=20)), ("20", "1")),
    "external change crosses": Scenario((rates(W, overall=80), changes(E, value=1)), ("20", "1")),
    "external change crosses back": Scenario((rates(E, value=4), changes(E, value=1)), ("20", "1")),
    "change on the far side crosses": Scenario(
        (rates(E, value=4), changes(W, overall=33)), ("33", "2")
    ),
    "fine edit stays where it is": Scenario(
        (rates(W, overall=80), changes(W, overall=85)), ("85", "4")
    ),
    "fine edit survives an edit back": Scenario(
        (rates(W, overall=85), changes(E, value=2), changes(E, value=4)), ("80", "4")
    ),
    "wix delete crosses": Scenario((rates(W, overall=80), deletes(W)), (None, None)),
    "external delete crosses": Scenario((rates(W, overall=80), deletes(E)), (None, None)),
    "delete of the copy crosses": Scenario((rates(E, value=4), deletes(W)), (None, None)),
    "rated again after a delete": Scenario(
        (rates(W, overall=80), deletes(W), rates(W, overall=20)), ("20", "1")
    ),
    "rated again on the other side": Scenario(
        (rates(W, overall=80), deletes(W), rates(E, value=2)), ("40", "2")
    ),
    "both rate alike at once": Scenario(
        (both(rates(W, overall=80), rates(E, value=4)),), ("80", "4")
    ),
    "both rate differently at once, wix wins": Scenario(
        (both(rates(W, overall=80), rates(E, value=1)),), ("80", "4")
    ),
    "both rate differently at once, external wins": Scenario(
        (both(rates(W, overall=80), rates(E, value=1)),),
        ("20", "1"),
        _options(first_difference="external"),
    ),
    "both change at once, wix wins": Scenario(
        (rates(W, overall=80), both(changes(W, overall=20), changes(E, value=2))),
        ("20", "1"),
        _options(conflict="wix"),
    ),
    "both change at once, external wins": Scenario(
        (rates(W, overall=80), both(changes(W, overall=20), changes(E, value=2))),
        ("40", "2"),
        _options(conflict="external"),
    ),
    "edit wins over delete": Scenario(
        (rates(W, overall=80), both(deletes(W), changes(E, value=2))), ("40", "2")
    ),
    "delete wins over edit": Scenario(
        (rates(W, overall=80), both(deletes(W), changes(E, value=2))),
        (None, None),
        _options(edit_or_delete="delete"),
    ),
    "privacy delete wins over edit": Scenario(
        (rates(W, overall=80), both(deletes(W, privacy=True), changes(E, value=2))), (None, None)
    ),
    "both delete at once": Scenario(
        (rates(W, overall=80), both(deletes(W), deletes(E))), (None, None)
    ),
    "create and delete before anything is processed": Scenario(
        (both(rates(W, overall=80), deletes(W)),), (None, None)
    ),
    "create, change, change before anything is processed": Scenario(
        (both(rates(W, overall=80), changes(W, overall=60), changes(W, overall=20)),), ("20", "1")
    ),
    "withdrawn by moderation and restored": Scenario(
        (rates(E, value=4), moderates(RecordState.PENDING), moderates(RecordState.PUBLISHED)),
        ("80", "4"),
    ),
    "withdrawn by moderation": Scenario(
        (rates(E, value=4), moderates(RecordState.PENDING)), (None, None)
    ),
    "second attribute follows the first": Scenario(
        (rates(W, overall=80), rates(W, quality=70), changes(E, quality=3)), ("80", "4"), TWO
    ),
    "second attribute comes before the first": Scenario(
        (rates(W, quality=70), rates(W, overall=80)), ("80", "4"), TWO
    ),
    "one record becomes two ratings": Scenario((rates(E, value=4, quality=7),), ("80", "4"), TWO),
    "one of two attributes is deleted": Scenario(
        (rates(E, value=4, quality=7), deletes(W, "quality")), ("80", "4"), TWO
    ),
    "two ratings are deleted one by one": Scenario(
        (rates(E, value=4, quality=7), deletes(W, "overall"), deletes(W, "quality")),
        (None, None),
        TWO,
    ),
    "without preconditions outside": Scenario(
        (rates(W, overall=80), changes(W, overall=20), changes(E, value=3)),
        ("60", "3"),
        _outside(update_precondition=False),
    ),
    "without revisions outside": Scenario(
        (rates(W, overall=80), changes(W, overall=20), changes(E, value=3), deletes(E)),
        (None, None),
        _outside(update_precondition=False, has_revision=False, trusts_payload=False),
    ),
    "without uniqueness outside": Scenario(
        (rates(W, overall=80), changes(W, overall=20), deletes(W)),
        (None, None),
        _outside(is_unique=False),
    ),
    "thin events outside": Scenario(
        (rates(E, value=4), changes(E, value=1)), ("20", "1"), _outside(trusts_payload=False)
    ),
}
