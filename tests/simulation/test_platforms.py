"""What platforms cannot do, story by story: late creates, missing operations, several records,
events of the parent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.values import (
    Change,
    Draft,
    EntityRef,
    NewDelivery,
    Policy,
    RecordState,
    Side,
    UnknownEntity,
)
from sync_worker.ledger.administration.admin import ledger_admin
from tests.simulation.ablations import without
from tests.simulation.chaos import LATE_CREATE, NO_REVISION, sql_ledger
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes, deletes, ending_of, moderates, rates
from tests.simulation.test_policies import held_reasons
from tests.simulation.world import CALM, LedgerMaker, Options, World
from tests.twins.memory_ledger import memory_ledger

W, E = Side.WIX, Side.EXTERNAL
LATE = replace(LATE_CREATE, can_update=True, can_delete=True)


@pytest.fixture(params=[memory_ledger, sql_ledger], ids=["memory", "sql"])
def make_ledger(request: pytest.FixtureRequest) -> LedgerMaker:
    made: LedgerMaker = request.param
    return made


def a_world(make_ledger: LedgerMaker = memory_ledger, **options: Any) -> World:
    return World(0, Options(CALM, people=1, sweeps=False, **options), make_ledger)


def creates(world: World) -> int:
    return world.external.calls["create"]


# -- creates that show later


def test_accepted_create_is_waited_for_and_never_sent_again(make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger, external=LATE)
    rates(W, overall=80)(world)
    changes(W, overall=20)(world)
    world.drain()
    assert (ending_of(world), creates(world), len(world.external.records)) == (("20", "1"), 1, 1)
    assert broken_invariants(world) == []


def test_create_that_never_shows_is_held_after_fifteen_minutes(make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger, external=LATE)
    world.external.vanishes = lambda: True
    began = world.now
    rates(W, overall=80)(world)
    world.drain()
    assert (creates(world), held_reasons(world)) == (1, {"awaiting_confirmation"})
    assert world.now - began >= 900


def test_record_that_shows_after_the_deadline_is_adopted(
    make_ledger: LedgerMaker,
) -> None:
    """A record that shows after the deadline is adopted and the hold ends by itself."""
    world = a_world(make_ledger, external=LATE)
    shows: list[Callable[[], None]] = []
    world.external.later = shows.append
    rates(W, overall=80)(world)
    world.drain()
    assert held_reasons(world) == {"awaiting_confirmation"}
    shows[0]()
    world.drain()
    assert (ending_of(world), held_reasons(world), creates(world)) == (("80", "4"), set(), 1)
    assert world.ledger.open_intents() == 0


def test_held_create_is_sent_again_only_when_a_person_releases_it() -> None:
    world = a_world(external=LATE)
    world.external.vanishes = lambda: True
    rates(W, overall=80)(world)
    world.drain()
    world.sweep()
    world.drain()
    assert creates(world) == 1, "a sweep sent it again"
    world.external.vanishes = lambda: False
    held = [
        inbox_id for inbox_id, row in world.ledger.rows.items() if str(row.delivery.state) == "held"
    ]
    world.queue += world.ledger.inbox.release_held(world.site.id, inbox_ids=held[:1])
    world.drain()
    assert (ending_of(world), creates(world), len(world.external.records)) == (("80", "4"), 2, 1)
    assert held_reasons(world) == set()


def test_late_create_under_moderation_agrees_when_it_is_published() -> None:
    """A late create that a moderator has to publish agrees when it is published."""
    world = a_world(external=LATE)
    world.external.new_state = RecordState.PENDING
    rates(W, overall=80)(world)
    world.drain()
    assert (ending_of(world), held_reasons(world), creates(world)) == (("80", None), set(), 1)
    moderates(RecordState.PUBLISHED)(world)
    world.drain()
    assert (ending_of(world), creates(world)) == (("80", "4"), 1)


def test_lost_answer_of_a_late_create_is_sent_twice_without_the_wait() -> None:
    def twice() -> int:
        world = a_world(external=LATE)
        world.external.later = lambda show: world.showing.append((world.now + 200, show))
        rates(W, overall=80)(world)
        world.drain()
        return creates(world)

    assert twice() == 1
    with without("waiting for an accepted create"):
        assert twice() > 1


def fails_late(world: World) -> list[Callable[[], None]]:
    """Accepted creates fail; when, is the test's to say."""
    world.external.fails = lambda: True
    told: list[Callable[[], None]] = []
    world.external.later = told.append
    return told


def test_create_told_to_have_failed_is_held_until_released(
    make_ledger: LedgerMaker,
) -> None:
    """A create that is told to have failed is held at once and sent again only on release."""
    world = a_world(make_ledger, external=LATE)
    told, began = fails_late(world), world.now
    rates(W, overall=80)(world)
    deliver_all(world)
    told[0]()
    world.drain()
    assert (held_reasons(world), creates(world), world.ledger.open_intents()) == (
        {"create_failed"},
        1,
        0,
    )
    assert world.now - began < 120, "it waited although it had been told"
    world.sweep()
    world.drain()
    assert creates(world) == 1, "a sweep sent it again"
    world.external.fails, world.external.later = lambda: False, lambda show: show()
    release_all(world)
    assert (ending_of(world), creates(world), held_reasons(world)) == (("80", "4"), 2, set())


@pytest.mark.parametrize("is_deleted_first", [True, False])
def test_create_that_failed_is_not_held_for_a_rating_that_is_deleted(
    is_deleted_first: bool, make_ledger: LedgerMaker
) -> None:
    """Whether its author deletes the rating before the word of the failure, or after it."""
    world = a_world(make_ledger, external=LATE)
    told = fails_late(world)
    rates(W, overall=80)(world)
    deliver_all(world)
    for act in (
        [lambda: world.wix.visitor_deletes("w1"), told[0]]
        if is_deleted_first
        else [told[0], lambda: world.wix.visitor_deletes("w1")]
    ):
        act()
        deliver_all(world)
    world.drain()
    assert (held_reasons(world), creates(world), world.ledger.open_intents()) == (set(), 1, 0)
    assert broken_invariants(world) == []


def test_failed_create_is_waited_for_in_vain_without_hearing_of_it() -> None:
    with without("hearing of a failed create"):
        world = a_world(external=LATE)
        told = fails_late(world)
        rates(W, overall=80)(world)
        deliver_all(world)
        told[0]()
        world.drain()
    assert held_reasons(world) == {"awaiting_confirmation"}


def test_failure_of_an_older_try_does_not_end_the_wait_for_a_newer_one(
    make_ledger: LedgerMaker,
) -> None:
    world = a_world(make_ledger, external=LATE)
    told = fails_late(world)
    rates(W, overall=80)(world)
    deliver_all(world)
    told[0]()
    late = world.post.webhooks[-1]
    world.drain()
    world.external.fails = lambda: False
    release_all(world, until_quiet=False)
    world.external.later = lambda show: show()
    world.post.webhooks.append(replace(late, dedupe_id="again"))
    told[1]()
    world.drain()
    assert (ending_of(world), creates(world), held_reasons(world)) == (("80", "4"), 2, set())


def test_failure_that_nobody_waits_for_ends_quietly() -> None:
    world = a_world(external=LATE)
    for email in (world.persons[0].email, "nobody@example.com", None):
        world.external.on_failure(
            Draft({}, world.entities[0][1], replace(world.persons[0], email=email))
        )
    world.drain()
    assert (held_reasons(world), world.ledger.open_count(), creates(world)) == (set(), 0, 0)


def test_late_create_that_shows_another_value_was_edited_since(
    make_ledger: LedgerMaker,
) -> None:
    """A late create that shows another value was edited since, where its value does not mark it."""
    world = a_world(make_ledger, external=replace(LATE, correlates_value=False))
    world.external.normalise = lambda name, value: Decimal(2)
    rates(W, overall=80)(world)
    world.drain()
    assert (ending_of(world), creates(world), held_reasons(world)) == (("40", "2"), 1, set())


def rated_with_words_while_a_create_waits() -> World:
    world = a_world(external=replace(LATE, correlates_value=False, correlates_text=True))
    world.external.later = lambda show: world.showing.append((world.now + 200, show))
    rates(W, overall=80)(world)
    deliver_all(world)
    world.external.visitor_rates(
        world.entities[0][1], world.persons[0], {"value": Decimal(2)}, words=True
    )
    world.drain()
    return world


def test_review_with_a_persons_words_is_not_taken_for_an_accepted_create() -> None:
    world = rated_with_words_while_a_create_waits()
    assert [str(one.values["overall"]) for one in world.wix.records.values()] == ["80"]
    assert not any(entry.by_us for entry in world.wix.journal), (
        "it overwrote the rating on Wix, as an edit of ours"
    )
    assert (len(world.external.records), creates(world), held_reasons(world)) == (2, 1, set())


def test_review_with_the_words_of_a_person_is_ours_without_the_look() -> None:
    """A review with a person's words is taken for ours without the look at its text."""
    with without("text of an accepted create"):
        world = rated_with_words_while_a_create_waits()
    assert any(entry.by_us for entry in world.wix.journal)


def deliver_all(world: World) -> None:
    """Work until only time is left to pass."""
    while world.step_in_order():
        pass


def held_ids(world: World) -> list[int]:
    if hasattr(world.ledger, "engine"):
        return [one.inbox_id for one in ledger_admin(world.ledger.engine).held.all()]
    return [
        inbox_id for inbox_id, row in world.ledger.rows.items() if str(row.delivery.state) == "held"
    ]


def release_all(world: World, *, until_quiet: bool = True) -> None:
    world.queue += world.ledger.inbox.release_held(world.site.id, inbox_ids=held_ids(world))
    world.drain() if until_quiet else deliver_all(world)


# -- operations that are not there


def test_change_that_the_platform_cannot_take_is_held(
    make_ledger: LedgerMaker,
) -> None:
    """A change that the platform cannot take is held and the other way goes on."""
    world = a_world(make_ledger, external=replace(NO_REVISION, can_update=False))
    rates(W, overall=80)(world)
    world.drain()
    changes(W, overall=20)(world)
    world.drain()
    assert (ending_of(world), held_reasons(world)) == (("20", "4"), {"unsupported"})
    assert world.external.calls["update"] == 0


def test_change_that_the_platform_cannot_take_may_be_noted_only() -> None:
    cannot = replace(
        NO_REVISION,
        can_update=False,
        can_delete=False,
        ignored_operations=frozenset({"update", "delete"}),
    )
    world = a_world(external=cannot)
    rates(W, overall=80)(world)
    world.drain()
    changes(W, overall=20)(world)
    world.drain()
    assert (ending_of(world), held_reasons(world)) == (("20", "4"), set())
    assert [entry.reason for entry in world.ledger.history_entries() if entry.what == "ignore"] == [
        "unsupported"
    ]
    changes(E, value=5)(world)
    world.drain()
    assert ending_of(world) == ("100", "5")


def test_missing_operation_is_found_out_by_failing_without_the_refusal() -> None:
    with without("refusing what is not offered"):
        world = a_world(external=replace(NO_REVISION, can_update=False))
        rates(W, overall=80)(world)
        world.drain()
        changes(W, overall=20)(world)
        world.drain()
    assert held_reasons(world) == {"refused"}


def test_privacy_delete_that_the_platform_cannot_do_is_held() -> None:
    """A privacy delete that the platform cannot do is held even where deletes are only noted."""
    cannot = replace(NO_REVISION, can_delete=False, ignored_operations=frozenset({"delete"}))
    world = a_world(external=cannot)
    rates(W, overall=80)(world)
    world.drain()
    deletes(W, privacy=True)(world)
    world.drain()
    assert held_reasons(world) == {"unsupported"}


def test_create_on_a_read_only_platform_is_held() -> None:
    world = a_world(external=replace(NO_REVISION, can_create=False))
    rates(W, overall=80)(world)
    world.drain()
    assert (ending_of(world), held_reasons(world), creates(world)) == (
        ("80", None),
        {"unsupported"},
        0,
    )


# -- several records of one person


def test_newest_of_several_records_is_synced_and_the_older_shadowed(
    make_ledger: LedgerMaker,
) -> None:
    """The newest of several records is synced and the older is shadowed, not deleted."""
    world = a_world(make_ledger, external=NO_REVISION)
    rates(E, value=2)(world)
    world.drain()
    rates(E, value=5)(world)
    world.drain()
    assert [str(one.values["overall"]) for one in world.wix.records.values()] == ["100"]
    assert set(world.external.records) == {"e1", "e2"}
    assert world.ledger.directory.records_of_entity(
        world.site.id, world.entities[0][1]
    ).shadowed == {"e1"}
    assert [
        entry.remote_id for entry in world.ledger.history_entries() if entry.what == "shadow"
    ] == ["e1"]


def test_edit_of_a_shadowed_record_changes_nothing() -> None:
    world = a_world(external=NO_REVISION)
    rates(E, value=2)(world)
    rates(E, value=5)(world)
    world.drain()
    world.external.visitor_changes("e1", {"value": Decimal(1)})
    world.drain()
    assert [str(one.values["overall"]) for one in world.wix.records.values()] == ["100"]


def test_shadowed_record_stays_away_when_the_rating_is_deleted_on_wix() -> None:
    """A shadowed record does not come to Wix when the rating is deleted there."""
    world = a_world(external=NO_REVISION)
    rates(E, value=2)(world)
    rates(E, value=5)(world)
    world.drain()
    deletes(W)(world)
    world.drain()
    world.sweep()
    world.drain()
    assert (world.wix.records, set(world.external.records)) == ({}, {"e1"})
    rates(W, overall=60)(world)
    world.drain()
    assert sorted(str(one.values["value"]) for one in world.external.records.values()) == ["2", "3"]


def test_several_records_are_held_where_they_should_not_exist() -> None:
    world = a_world(external=replace(NO_REVISION, is_unique=True))
    world.external.capabilities = NO_REVISION
    rates(E, value=2)(world)
    world.drain()
    rates(E, value=5)(world)
    world.external.capabilities = replace(NO_REVISION, is_unique=True)
    world.drain()
    assert held_reasons(world) == {"several_records"}


# -- events of the rated thing


def test_event_of_the_product_brings_new_changed_and_vanished_records(
    make_ledger: LedgerMaker,
) -> None:
    world = a_world(make_ledger, external=NO_REVISION, parent_events=True)
    rates(E, value=2)(world)
    world.drain()
    assert ending_of(world) == ("40", "2")
    world.external.visitor_changes("e1", {"value": Decimal(4)})  # tells nothing
    world.drain()
    assert ending_of(world) == ("40", "4")
    tell_of_the_product(world)
    assert ending_of(world) == ("80", "4")
    deletes(E)(world)
    world.drain()
    assert ending_of(world) == (None, None)


def test_event_of_the_product_brings_nothing_without_the_hints() -> None:
    with without("hints for children"):
        world = a_world(external=NO_REVISION, parent_events=True)
        rates(E, value=2)(world)
        world.drain()
    assert ending_of(world) == (None, "2")


def tell_of_the_product(world: World, remote_id: str = "sku-0") -> None:
    event = NewDelivery(E, "own-service", world.post.new_id(), Change.PARENT_CHANGED, remote_id, {})
    world.queue.append(world.ledger.inbox.store(event).inbox_id)
    world.drain()


def test_product_event_without_a_difference_looks_at_no_record() -> None:
    world = a_world(external=NO_REVISION, parent_events=True)
    rates(E, value=2)(world)
    world.drain()
    before = dict(world.external.calls)
    tell_of_the_product(world)
    assert {
        name: count - before[name]
        for name, count in world.external.calls.items()
        if count != before[name]
    } == {"children": 1}


def test_product_that_is_not_mapped_is_held_once_and_followed_when_it_is(
    make_ledger: LedgerMaker,
) -> None:
    world = a_world(make_ledger, external=NO_REVISION)
    world.external.on_event = lambda event: None
    for number in range(3):
        person = replace(world.persons[0], email=f"somebody{number}@example.com")
        world.external.visitor_rates(EntityRef("sku-new"), person, {"value": Decimal(4)})
    tell_of_the_product(world, "sku-new")
    assert world.external.calls["get"] == 0
    assert held_reasons(world) == {"unknown_entity"}
    world.ledger.directory.add_entity(
        world.site.id, EntityRef("product-new", "stores", "reviews"), EntityRef("sku-new")
    )
    world.queue += world.ledger.inbox.release_held(
        world.site.id, hold_key="entity:external::sku-new"
    )
    world.drain()
    assert held_reasons(world) == {"unknown_contact"}
    tell_of_the_product(world, "sku-new")
    assert world.external.calls["get"] == 3, "records that are held already were looked at again"


def test_product_that_is_not_mapped_is_skipped_where_the_owner_wants_that() -> None:
    world = a_world(external=NO_REVISION, policy=Policy(unknown_entity=UnknownEntity.SKIP))
    world.external.on_event = lambda event: None
    world.external.visitor_rates(EntityRef("sku-new"), world.persons[0], {"value": Decimal(4)})
    tell_of_the_product(world, "sku-new")
    assert (held_reasons(world), world.external.calls["get"]) == (set(), 0)


def test_listing_that_fails_half_way_deletes_nothing() -> None:
    world = a_world(external=NO_REVISION, parent_events=True)
    rates(E, value=2)(world)
    world.drain()
    world.external.fault = lambda operation: "unavailable" if operation == "children" else None
    event = NewDelivery(E, "own-service", world.post.new_id(), Change.PARENT_CHANGED, "sku-0", {})
    stored = world.ledger.inbox.store(event).inbox_id
    world.queue.append(stored)
    while world.workers or world.queue:
        if world.queue:
            world.start_worker(world.queue.pop(0))
        world.step_worker(0)
    assert ending_of(world) == ("40", "2")
    assert [
        row.delivery.id for row in world.ledger.rows.values() if str(row.delivery.state) == "new"
    ] == [stored]


# -- records of nobody


def rated_without_an_address(world: World) -> None:
    world.external.on_event = lambda event: None
    nobody = replace(world.persons[0], email=None)
    record = world.external.visitor_rates(world.entities[0][1], nobody, {"value": Decimal(4)})
    world.post.hint(E, Change.UPSERT, record.remote_id)
    world.drain()


def test_record_without_an_address_is_held() -> None:
    world = a_world(external=NO_REVISION)
    rated_without_an_address(world)
    assert (held_reasons(world), world.wix.records) == ({"no_email"}, {})


def test_record_without_an_address_ends_where_the_manifest_says_skip(
    make_ledger: LedgerMaker,
) -> None:
    world = a_world(make_ledger, external=replace(NO_REVISION, skips_without_email=True))
    rated_without_an_address(world)
    assert (held_reasons(world), world.wix.records) == (set(), {})
    assert [remote_id for remote_id, _ in world.ledger.closed_with("no_email_skipped")] == ["e1"]


# -- a follow-up without stars


@pytest.mark.parametrize("way", ["event", "sweep", "poll"])
def test_follow_up_without_stars_leaves_the_rating_where_it_is(way: str) -> None:
    """The newest record of a person stands for all, but one without a rating says nothing."""
    world = World(0, Options(CALM, people=1, external=NO_REVISION), memory_ledger)
    entity, person = world.entities[0][1], world.persons[0]
    rated = world.external.visitor_rates(entity, person, {"value": Decimal(4)})
    world.drain()
    world.external.visitor_rates(entity, person, {})
    if way != "event":
        world.post.webhooks.clear()
        {"sweep": World.sweep, "poll": World.poll}[way](world)
    world.settle()
    assert [one.values["overall"] for one in world.wix.records.values()] == [Decimal(80)]
    world.external.visitor_changes(rated.remote_id, {"value": Decimal(1)})
    world.settle()
    assert [one.values["overall"] for one in world.wix.records.values()] == [Decimal(20)]


@pytest.mark.parametrize("way", ["event", "sweep"])
def test_erasure_takes_along_a_follow_up_without_stars(way: str) -> None:
    """It has no rating to keep in step, and its words are the person's all the same."""
    world = World(0, Options(CALM, people=2, external=NO_REVISION), memory_ledger)
    entity, person = world.entities[0][1], world.persons[0]
    world.external.visitor_rates(entity, person, {"value": Decimal(4)})
    world.drain()
    world.external.visitor_rates(entity, person, {})
    if way == "sweep":
        world.post.webhooks.clear()
        world.sweep()
    world.drain()
    world.crowd.erase(person)
    world.settle()
    assert (world.wix.records, world.external.records) == ({}, {})
    assert broken_invariants(world) == []


def test_follow_up_without_stars_displaces_the_rating_without_that_rule() -> None:
    with without("rated before unrated"):
        world = World(0, Options(CALM, people=1, external=NO_REVISION), memory_ledger)
        entity, person = world.entities[0][1], world.persons[0]
        world.external.visitor_rates(entity, person, {"value": Decimal(4)})
        world.drain()
        world.external.visitor_rates(entity, person, {})
        world.settle()
        assert not world.wix.records
