"""I31: no hold outlives its cause, whichever way the next look comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.hold_reasons import FREES_ITSELF, STANDS_BY
from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.links import Commit
from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import (
    Change,
    Contact,
    InboxState,
    LinkState,
    NewDelivery,
    RatingKey,
    RecordState,
    Side,
    SiteState,
)
from tests.simulation.ablations import without
from tests.simulation.both_ledgers import BOTH_LEDGERS
from tests.simulation.chaos import LEDGERS
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes, ending_of, rates
from tests.simulation.world import CALM, Options, World

W, E = Side.WIX, Side.EXTERNAL
# Of a whole site or account, of nothing that is there, or what a person puts back: each has a test
# of its own, here or in test_false_answers.py.
OF_NO_RATING = {
    "account_failing",
    "account_locked",
    "account_paused",
    "account_revoked",
    "content_replaced",
    "malformed_event",
    "no_account",
    "site_paused",
    "site_recovery",
    "site_removed",
    "stopped",
    "unknown_site",
    "unusable_id",
}
OF_A_RATING = sorted(FREES_ITSELF.keys() - OF_NO_RATING)
Way = Callable[[World], None]


@pytest.fixture(params=BOTH_LEDGERS)
def world(request: pytest.FixtureRequest) -> World:
    return World(0, Options(CALM, people=1), LEDGERS[request.param])


def hear_of(side: Side) -> Way:
    """A person touches the record on this side, in a way that changes nothing of note."""

    def way(world: World) -> None:
        (record,) = world.remotes[side].records.values()
        world.remotes[side].moderator_sets(record.remote_id, RecordState.PUBLISHED)
        world.drain()

    return way


WAYS: dict[str, Way] = {
    "event on wix": hear_of(W),
    "event outside": hear_of(E),
    "sweep": World.sweep,
}


def in_step_and_held(world: World, reason: str, *, has_key: bool) -> int:
    """A rating in step, and a delivery of it that was held for a reason."""
    rates(W, overall=80)(world)
    world.drain()
    told = next(new for new in world.post.sent if new.side is E)
    inbox_id = int(world.ledger.inbox.store(again(told)).inbox_id)
    if has_key:
        entity = world.ledger.directory.entity(world.site.id, W, world.entities[0][0])
        key = RatingKey(world.site.id, entity.id, "contact-0")
        run = world.ledger.links.attach(inbox_id, key).run
        world.ledger.inbox.hold([inbox_id], reason)
        world.ledger.links.release(run.lease)
    else:
        world.ledger.inbox.hold([inbox_id], reason)
    assert world.ledger.held_reasons() == [reason]
    return inbox_id


def again(told: NewDelivery) -> NewDelivery:
    return replace(told, dedupe_id="again", payload={})


def each_reason_by_each_way(reasons: Sequence[str], ways: Sequence[str]) -> pytest.MarkDecorator:
    """On the SQL ledger each fourth reason by one of the ways, all else in `make test-all`."""
    every = 4 * len(ways)
    cases = [
        pytest.param(
            ledger,
            reason,
            way,
            id=f"{reason}-{way}-{ledger}",
            marks=[] if ledger == "memory" or place % every == number else pytest.mark.full,
        )
        for place, reason in enumerate(reasons)
        for number, way in enumerate(ways)
        for ledger in sorted(LEDGERS)
    ]
    return pytest.mark.parametrize(("world", "reason", "way"), cases, indirect=["world"])


@each_reason_by_each_way(OF_A_RATING, sorted(WAYS))
def test_held_delivery_of_a_rating_in_step_is_overtaken(
    world: World, reason: str, way: str
) -> None:
    inbox_id = in_step_and_held(world, reason, has_key=True)
    WAYS[way](world)
    if reason in STANDS_BY and way == "event on wix":
        # Its own record was not looked at: the sweep does that.
        world.sweep()
    world.drain()
    assert world.ledger.held_reasons() == []
    assert world.ledger.ended(inbox_id) == (InboxState.DONE, "overtaken")
    assert broken_invariants(world) == []


@each_reason_by_each_way(
    [one for one in OF_A_RATING if one not in STANDS_BY], ["event outside", "sweep"]
)
def test_delivery_held_without_a_key_goes_on_with_the_next_look(
    world: World, reason: str, way: str
) -> None:
    in_step_and_held(world, reason, has_key=False)
    if way == "sweep":
        world.sweep()
    else:
        # An event whose key is found by its record: nothing of it is on file.
        hear_of(E)(world)
        world.sweep()
    world.drain()
    assert world.ledger.held_reasons() == []
    assert broken_invariants(world) == []


# -- held for a cause, which then goes

NUMBERLESS = Capabilities(
    many_fields=True, has_revision=False, update_precondition=False, trusts_payload=False
)
OUTSIDE = {"with revisions": Capabilities(many_fields=True), "without": NUMBERLESS}


def quietly(world: World, act: Callable[[World], object]) -> None:
    """Something happens of which no webhook tells."""
    known = list(world.post.webhooks)
    act(world)
    world.post.webhooks[:] = known


def released(world: World) -> None:
    held = [one for one in range(1, 100) if world.ledger.ended(one)[0] is InboxState.HELD]
    world.queue += world.ledger.inbox.release_held(world.site.id, inbox_ids=held)
    world.drain()


def told_or_found(cause_goes: Callable[[World], object], way: str) -> Way:
    """The cause of a hold goes, and one way lets us know."""

    def happen(world: World) -> None:
        if way == "event":
            cause_goes(world)
            world.drain()
            return
        quietly(world, cause_goes)
        {"poll": World.poll, "sweep": World.sweep, "release": released}[way](world)
        world.drain()

    return happen


def a_world(outside: str = "with revisions") -> World:
    world = World(0, Options(CALM, people=1, external=OUTSIDE[outside]), LEDGERS["memory"])
    rates(W, overall=80)(world)
    world.drain()
    world.poll()
    world.drain()
    return world


def changed_while_withdrawn(outside: str) -> World:
    """Wix goes from 80 to 20 while the external record is withdrawn: held ``moderated``."""
    world = a_world(outside)
    quietly(world, lambda one: one.external.moderator_sets("e1", RecordState.PENDING))
    changes(W, overall=20)(world)
    world.drain()
    assert world.ledger.held_reasons() == ["moderated"]
    return world


ALL_WAYS = ["event", "poll", "sweep", "release"]


@pytest.mark.parametrize("outside", sorted(OUTSIDE))
@pytest.mark.parametrize("way", ALL_WAYS)
def test_moderated_ends_the_same_whichever_way_the_publishing_is_seen(
    outside: str, way: str
) -> None:
    world = changed_while_withdrawn(outside)
    told_or_found(lambda one: one.external.moderator_sets("e1", RecordState.PUBLISHED), way)(world)
    assert ending_of(world) == ("20", "1")
    assert world.ledger.held_reasons() == []
    assert broken_invariants(world) == []


@pytest.mark.parametrize("way", ["event", "poll", "sweep"])
def test_moderated_stays_different_without_the_look_at_what_is_held(way: str) -> None:
    with without("look at what is held"):
        world = changed_while_withdrawn("with revisions")
        published = told_or_found(
            lambda one: one.external.moderator_sets("e1", RecordState.PUBLISHED), way
        )
        published(world)
        assert world.ledger.held_reasons() == ["moderated"]


@pytest.mark.parametrize("outside", sorted(OUTSIDE))
def test_what_a_plan_promises_for_a_held_rating_the_run_does(outside: str) -> None:
    """A product is trashed and restored: nothing tells, and the listing shows all as before."""
    world = changed_while_withdrawn(outside)
    world.sweep()
    world.drain()
    assert world.ledger.held_reasons()
    quietly(world, lambda one: one.external.moderator_sets("e1", RecordState.PUBLISHED))
    run = world.sweeper.reconcile(
        world.sweeper.runs.begin(world.site.id, RunKind.DRY_RUN), world.sweeper.runs
    )
    assert run.list_both()
    assert run.confirm_absences()
    promised = [forecast.planned_writes for _, forecast in run.forecasts()]
    world.sweeper.runs.end(run.sweep)
    world.sweeper.planned_writes.clear()
    world.sweep()
    world.drain()
    assert [str(one) for writes in promised for one in writes] == list(
        map(str, world.sweeper.planned_writes)
    )
    assert ending_of(world) == ("20", "1")
    assert world.ledger.held_reasons() == []


def rounded(outside: str) -> World:
    """The external side turns the one star that we write into two: held, and not written again."""
    world = a_world(outside)
    world.external.normalise = lambda name, value: max(value, Decimal(2))
    changes(W, overall=20)(world)
    world.drain()
    assert set(world.ledger.held_reasons()) == {"normalised_by_remote"}
    return world


def puts_it_right(world: World) -> None:
    world.external.normalise = lambda name, value: value
    changes(E, value=1)(world)


@pytest.mark.parametrize("outside", sorted(OUTSIDE))
@pytest.mark.parametrize("way", ALL_WAYS)
def test_normalised_ends_the_same_whichever_way_the_correction_is_seen(
    outside: str, way: str
) -> None:
    world = rounded(outside)
    told_or_found(puts_it_right, way)(world)
    assert ending_of(world) == ("20", "1")
    assert world.ledger.held_reasons() == []


@pytest.mark.parametrize("outside", sorted(OUTSIDE))
def test_normalised_is_hardly_written_again_while_nothing_changes(outside: str) -> None:
    """A sweep may try once more; after that a person has to release it."""
    world = rounded(outside)
    written = world.external.calls["update"]
    for _ in range(3):
        world.sweep()
        world.poll()
        world.drain()
    assert world.external.calls["update"] <= written + 1
    assert set(world.ledger.held_reasons()) == {"normalised_by_remote"}


@pytest.mark.parametrize("outside", sorted(OUTSIDE))
@pytest.mark.parametrize("way", ALL_WAYS)
def test_off_scale_ends_the_same_whichever_way_the_correction_is_seen(
    outside: str, way: str
) -> None:
    world = a_world(outside)
    changes(E, value=7)(world)
    world.drain()
    assert world.ledger.held_reasons() == ["off_scale"]
    told_or_found(changes(E, value=1), way)(world)
    assert ending_of(world) == ("20", "1")
    assert world.ledger.held_reasons() == []


# -- what a person releases


def test_delete_that_the_brake_stopped_needs_a_person_whatever_comes(world: World) -> None:
    """An event of the other side must not let it go; the rating restored ends it."""
    rates(W, overall=80)(world)
    world.drain()
    (wix_id,) = world.wix.records
    gone = world.wix.records[wix_id]
    quietly(world, lambda one: one.wix.visitor_deletes(wix_id))
    told = NewDelivery(W, "instance-1", "delete-1", Change.DELETE, wix_id, {})
    inbox_id = world.ledger.inbox.store(told).inbox_id
    entity = world.ledger.directory.entity(world.site.id, W, world.entities[0][0])
    key = RatingKey(world.site.id, entity.id, "contact-0")
    run = world.ledger.links.attach(inbox_id, key).run
    world.ledger.inbox.hold([inbox_id], "delete_brake")
    world.ledger.links.release(run.lease)
    hear_of(E)(world)
    world.sweep()
    world.drain()
    assert ending_of(world) == (None, "4")
    assert set(world.ledger.held_reasons()) == {"delete_brake"}
    assert gone.remote_id in world.wix.gone
    world.wix.restores(wix_id)
    world.drain()
    world.sweep()
    world.drain()
    assert ending_of(world) == ("80", "4")
    assert world.ledger.held_reasons() == []


def test_link_that_stands_still_is_free_once_both_sides_are_in_step(world: World) -> None:
    """A person has put one side right by hand: nothing is written, and nothing stays held."""
    rates(W, overall=80)(world)
    world.drain()
    entity = world.ledger.directory.entity(world.site.id, W, world.entities[0][0])
    key = RatingKey(world.site.id, entity.id, "contact-0")
    run = world.ledger.links.lease(world.ledger.links.link_id(key))
    world.ledger.links.commit(run.lease, Commit(link_state=LinkState.HELD, release=True))
    changes(W, overall=20)(world)
    world.drain()
    assert world.ledger.held_reasons() == ["link_held"]
    assert ending_of(world) == ("20", "4")
    changes(E, value=1)(world)
    world.drain()
    world.sweep()
    world.drain()
    assert world.ledger.held_reasons() == []
    changes(W, overall=60)(world)
    world.drain()
    assert ending_of(world) == ("60", "3")


# -- held for a whole site, an account, a thing or a person


RESTS = {
    "site_paused": (SiteState.PAUSED, "held"),
    "site_removed": (SiteState.REMOVED, "done"),
}


@pytest.mark.parametrize("reason", sorted(RESTS))
def test_what_waits_for_a_site_goes_on_with_it(world: World, reason: str) -> None:
    """Also what a worker holds who saw the site at rest, after all that waited was released.

    What was told of a site without our app has ended, and its record is looked at all the same.
    """
    state, ended = RESTS[reason]
    world.ledger.sites.note_lifecycle(world.site.id, state, None)
    rates(W, overall=80)(world)
    world.drain()
    assert world.ledger.ended(1) == (ended, reason)
    world.ledger.sites.note_lifecycle(world.site.id, SiteState.REMOVED, None)
    world.queue += world.ledger.sites.note_lifecycle(world.site.id, SiteState.ACTIVE, None)
    world.drain()
    assert (ending_of(world), world.ledger.held_reasons()) == (("80", "4"), [])
    late = told_again(world)
    world.ledger.inbox.hold([late], reason)
    world.queue += world.ledger.sites.release_if_at_work(world.site.id)
    world.drain()
    assert world.ledger.held_reasons() == []


def told_again(world: World) -> int:
    told = next(new for new in world.post.sent if new.side is W)
    return int(world.ledger.inbox.store(replace(told, dedupe_id="late")).inbox_id)


def nobody_outside_knows_whose_it_is(world: World) -> Contact:
    """The rating is gone outside and changed on Wix, and its contact has lost its address."""
    rates(W, overall=80)(world)
    world.drain()
    contact: Contact | None = world.ledger.directory.contact(world.site.id, contact_id="contact-0")
    assert contact is not None
    (external_id,) = world.external.records
    quietly(world, lambda one: one.external.visitor_deletes(external_id))
    world.ledger.directory.forget_contact(world.site.id, "contact-0")
    return contact


def test_rating_without_an_address_goes_on_when_the_contact_becomes_known(world: World) -> None:
    contact = nobody_outside_knows_whose_it_is(world)
    changes(W, overall=20)(world)
    world.drain()
    assert world.ledger.held_reasons() == ["no_email"]
    world.ledger.directory.save_contact(world.site.id, contact)
    world.queue += world.ledger.inbox.due(10)
    world.drain()
    assert (ending_of(world), world.ledger.held_reasons()) == (("20", "1"), [])


def test_address_that_came_while_the_rating_was_in_hand_frees_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was told before the hold was on file, and released nothing then."""
    contact = nobody_outside_knows_whose_it_is(world)
    hold = type(world.ledger.inbox).hold

    def comes_first(inbox: Any, *which: Any, **more: Any) -> None:
        world.ledger.directory.save_contact(world.site.id, contact)
        hold(inbox, *which, **more)

    changes(W, overall=20)(world)
    monkeypatch.setattr(type(world.ledger.inbox), "hold", comes_first)
    world.queue += world.ledger.inbox.due(10)
    world.drain()
    assert (ending_of(world), world.ledger.held_reasons()) == (("20", "1"), [])


def test_worker_that_found_no_key_frees_no_link_that_waits_for_a_person() -> None:
    """Meanwhile another knew the person, and their rating was written again and again."""
    world = World(0, Options(CALM, people=1, strangers=1), LEDGERS["sql"])
    rates(E, value=4)(world)
    world.post.deliver(0)
    (inbox_id,) = world.queue

    def meanwhile(place: str) -> None:
        if place != "before ledger.hold":
            return
        world.on_step = lambda place: None
        contact = Contact("contact-0", "person0@example.com")
        world.ledger.directory.save_contact(world.site.id, contact)
        wix, _ = world.entities[0]
        entity = world.ledger.directory.entity(world.site.id, W, wix)
        assert entity is not None
        key = RatingKey(world.site.id, entity.id, contact.contact_id)
        run = world.ledger.links.attach(inbox_id, key).run
        ends = {inbox_id: Closing(InboxState.HELD, "fight")}
        world.ledger.links.commit(
            run.lease, Commit(closings=ends, link_state=LinkState.HELD, release=True)
        )

    world.on_step = meanwhile
    world.intake.process(inbox_id)
    assert world.ledger.ended(inbox_id) == (InboxState.HELD, "fight")
    link_id = world.ledger.links.link_id(RatingKey(world.site.id, 1, "contact-0"))
    run = world.ledger.links.lease(link_id)
    assert run.link.state is LinkState.HELD
