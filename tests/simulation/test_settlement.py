"""Writes of unknown outcome: what they may have covered is on record."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from sync_worker.core.ports.links import Commit
from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import Buried, Known, RatingKey, RecordState, Side, Slot
from sync_worker.core.values.record_identity import identity_shown
from tests.simulation.ablations import without
from tests.simulation.moderated import reviews
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes, ending_of, rates
from tests.simulation.world import CALM, OVERALL, QUALITY, Options, World
from tests.simulation.world.stepping import Crash
from tests.twins.memory_ledger import memory_ledger


def edited_in_the_window() -> tuple[World, str]:
    """Outside no write names a revision: a visitor edits between our look and our write, and the
    answer is lost.

    The world at rest, and the id of the record.
    """
    outside = Capabilities(many_fields=True, update_precondition=False)
    world = World(0, Options(CALM, people=1, external=outside), memory_ledger)
    rates(Side.WIX, overall=80)(world)
    world.drain()
    (record,) = world.external.records.values()
    struck: list[str] = []

    def edit_in_the_window(place: str) -> None:
        if place == "before external.update" and not struck:
            struck.append("edit")
            world.external.visitor_changes(record.remote_id, {"value": Decimal(5)})

    def lose_the_answer(operation: str) -> str | None:
        if operation == "update" and struck == ["edit"]:
            struck.append("answer")
            return "response_lost"
        return None

    world.on_step, world.external.fault = edit_in_the_window, lose_the_answer
    changes(Side.WIX, overall=20)(world)
    world.settle()
    assert struck == ["edit", "answer"]
    return world, record.remote_id


def test_edit_covered_by_a_write_of_unknown_outcome_is_in_the_history() -> None:
    """An edit that a write of unknown outcome covered is in the history with its value."""
    world, remote_id = edited_in_the_window()
    covered = [
        entry for entry in world.ledger.history_entries() if entry.what == "gap" and entry.attribute
    ]
    assert [(entry.loser, entry.loser_side, entry.remote_id) for entry in covered] == [
        (Decimal(5), Side.EXTERNAL, remote_id)
    ]


def test_covered_edit_leaves_no_trace_without_the_gap_record() -> None:
    with without("gap record"):
        world, remote_id = edited_in_the_window()
        broken = broken_invariants(world)
        assert broken[0] == f"I2 update of {remote_id} covered value=5 without a trace"
        # It was the newest edit, too.
        assert [message[:3] for message in broken] == ["I2 ", "I26"]


def test_write_of_a_record_that_another_link_has_is_abandoned() -> None:
    """A write whose record another link has on file is abandoned and holds up no merge.

    The answer to a create is lost; until we look, the record has come on file under another name
    of the person.
    """
    world = World(0, Options(CALM, people=2), memory_ledger)
    alias, person = world.persons
    on_file: list[str] = []

    def lose_the_answer(operation: str) -> str | None:
        return "response_lost" if operation == "create" and not world.external.records else None

    def take_it_first(place: str) -> None:
        if place == "before external.find" and world.external.records and not on_file:
            on_file.extend(world.external.records)
            entity = world.ledger.directory.entity(world.site.id, Side.WIX, world.entities[0][0])
            other = world.ledger.links.lease(
                world.ledger.links.link_of(
                    RatingKey(world.site.id, entity.id, str(person.contact_id))
                )
            )
            # As every run notes it: it showed the name under which it came on file.
            shown = identity_shown(entity.external, person.email, None)
            known = Known(on_file[0], 1, identity=shown)
            world.ledger.links.commit(
                other.lease, Commit(records={Slot(Side.EXTERNAL): known}, release=True)
            )

    world.external.fault, world.on_step = lose_the_answer, take_it_first
    rates(Side.WIX, overall=80)(world)
    world.drain()
    assert on_file
    assert world.ledger.open_intents() == 0
    world.crowd.merge(alias, person)
    world.settle()
    assert ending_of(world) == ("80", "4")
    assert len(world.external.records) == 1


def test_guard_is_not_told_of_a_record_deleted_before_its_link() -> None:
    """The guard is not told of a record that was deleted before anybody knew its link.

    Its visitor deletes what we have just created, and the deletion is processed before we commit
    the create.
    """
    world = World(0, Options(CALM, people=1), memory_ledger)
    struck: list[str] = []

    def delete_it_first(place: str) -> None:
        if place == "after external.create" and not struck:
            struck.extend(world.external.records)
            world.external.visitor_deletes(struck[0])
            world.ledger.directory.bury(world.site.id, Buried(Side.EXTERNAL, struck[0]))

    world.on_step = delete_it_first
    rates(Side.WIX, overall=80)(world)
    world.settle()
    assert struck
    assert not any(struck[0] in str(one) for one in world.guard.kept)
    assert ending_of(world) == (None, None)


def test_open_intent_of_an_attribute_no_longer_mapped_is_given_up() -> None:
    """An open intent of an attribute that is not mapped any more is given up.

    The answer to a create is lost; before we look, a person takes its attribute off the map.
    """
    world = World(0, Options(CALM, people=1, fields=(OVERALL, QUALITY)), memory_ledger)
    lost: list[str] = []

    def lose_the_answer_and_the_map(operation: str) -> str | None:
        if operation != "create" or lost or len(world.wix.records) != 1:
            return None
        lost.append("answer")
        world.ledger.state.site_rows[world.site.id] = replace(world.site, fields=(OVERALL,))
        return "response_lost"

    world.wix.fault = lose_the_answer_and_the_map
    rates(Side.EXTERNAL, value=4, quality=4)(world)
    world.drain()
    assert lost == ["answer"]
    assert world.crashes == []
    assert world.ledger.open_intents() == 0


def test_review_that_says_somebody_else_made_it_is_no_lost_create() -> None:
    """It says the very same, and it came just before ours, whose request was lost."""
    world = World(0, reviews(new_on_wix=RecordState.PUBLISHED), memory_ledger)
    rates(Side.EXTERNAL, value=4)(world)

    def rate_before(place: str) -> None:
        if place == "before wix.create" and not world.wix.records:
            rates(Side.WIX, overall=84)(world)

    lost = iter(["request_lost"])
    world.on_step = rate_before
    world.wix.fault = lambda operation: next(lost, None) if operation == "create" else None
    world.settle()
    made = [one.side for one in world.ledger.history_entries() if one.what == "create"]
    assert (made, ending_of(world)) == ([], ("84", "4"))
    world.wix.moderator_sets("w1", RecordState.REJECTED)
    world.settle()
    assert ending_of(world) == (None, None)
    assert broken_invariants(world) == []


def dies_after_its_write(world: World) -> None:
    """The worker at work puts its next write outside on file, and comes no further."""
    places: list[str] = []

    def die(place: str) -> None:
        places.append(place)
        if place == "after ledger.commit" and "after external.update" in places:
            world.on_step = lambda place: None
            raise Crash(place)

    world.on_step = die


def test_news_from_before_a_write_takes_back_nothing_that_it_brought() -> None:
    """It is told while the write is on file with less than the record shows."""
    world = World(0, Options(CALM, people=1, fields=(OVERALL, QUALITY)), memory_ledger)
    rates(Side.EXTERNAL, value=2)(world)
    world.drain()
    changes(Side.EXTERNAL, value=9 * 10**99)(world)
    late = world.post.webhooks.pop()
    rates(Side.WIX, quality=60)(world)
    dies_after_its_write(world)
    world.post.deliver(0)
    world.work(world.queue.pop(0))
    world.post.webhooks.append(late)
    world.settle()
    assert [one.values for one in world.wix.records.values()] == [
        {"overall": Decimal(40)},
        {"quality": Decimal(60)},
    ]
    (record,) = world.external.records.values()
    assert record.values == {"value": Decimal("9e99"), "quality": Decimal(6)}
    assert broken_invariants(world) == []
