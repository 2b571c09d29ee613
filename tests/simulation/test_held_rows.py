"""What is held of a rating stops no later edit of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.errors import Held, Permanent, SyncError, Transient, UnknownOutcome
from sync_worker.core.hold_reasons import hold_reason
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import (
    Change,
    InboxState,
    LinkState,
    NewDelivery,
    RatingKey,
    Record,
    Side,
)
from sync_worker.engine.holds.looking_again import MAX_LOOKS
from tests.simulation.both_ledgers import BOTH_LEDGERS
from tests.simulation.chaos import LEDGERS
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes, ending_of, rates
from tests.simulation.scenes import LATE_CREATE
from tests.simulation.test_decisions import ANNA, decisions
from tests.simulation.world import CALM, OVERALL, QUALITY, LedgerMaker, Options, World
from tests.twins.memory_remote import MemoryRemote

W, E = Side.WIX, Side.EXTERNAL


@pytest.fixture(params=BOTH_LEDGERS)
def make_ledger(request: pytest.FixtureRequest) -> LedgerMaker:
    return LEDGERS[request.param]


@pytest.fixture
def world(make_ledger: LedgerMaker) -> World:
    """A rating in step."""
    world = World(0, Options(CALM, people=1), make_ledger)
    rates(W, overall=80)(world)
    world.drain()
    return world


def key_of(world: World) -> RatingKey:
    entity = world.ledger.directory.entity(world.site.id, W, world.entities[0][0])
    return RatingKey(world.site.id, entity.id, "contact-0")


def holds(world: World, new: NewDelivery, reason: str) -> int:
    """A delivery of the rating that was held."""
    inbox_id = int(world.ledger.inbox.store(new).inbox_id)
    run = world.ledger.links.attach(inbox_id, key_of(world)).run
    world.ledger.inbox.hold([inbox_id], reason)
    world.ledger.links.release(run.lease)
    return inbox_id


def of_another_record(world: World, remote_id: str) -> NewDelivery:
    told = next(new for new in world.post.sent if new.side is E)
    return replace(told, dedupe_id=f"of {remote_id}", remote_id=remote_id, payload={})


FAILURES = [Held("several_records"), Permanent("no"), Transient("not now")]


@pytest.mark.parametrize("failure", FAILURES, ids=["held", "permanent", "transient"])
def test_held_row_that_cannot_be_looked_at_stops_no_edit(
    world: World, failure: SyncError, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox_id = holds(world, of_another_record(world, "e9"), "moderated")
    get = MemoryRemote.get

    def fails(self: MemoryRemote, remote_id: str) -> Record | None:
        if remote_id == "e9":
            raise failure
        return get(self, remote_id)

    monkeypatch.setattr(MemoryRemote, "get", fails)
    changes(W, overall=20)(world)
    world.drain()
    assert ending_of(world) == ("20", "1")
    assert world.ledger.held_reasons() == ["moderated"]
    assert world.ledger.ended(inbox_id) == (InboxState.HELD, "moderated")


def test_one_look_serves_for_all_that_is_held_of_a_record(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much it is: what has lost its cause is gone by the next look."""
    asked: list[str] = []
    get = MemoryRemote.get

    def counted(self: MemoryRemote, remote_id: str) -> Record | None:
        asked.append(remote_id)
        return get(self, remote_id)

    for number in range(14):
        told = of_another_record(world, f"e{8 + number % 2}")
        holds(world, replace(told, dedupe_id=f"told {number}"), "moved_onto_rating")
    monkeypatch.setattr(MemoryRemote, "get", counted)
    changes(W, overall=20)(world)
    world.drain()
    assert ending_of(world) == ("20", "1")
    assert world.ledger.held_reasons() == []
    assert sorted(set(asked) - {"e1", "w1"}) == ["e8", "e9"]
    assert (asked.count("e8"), asked.count("e9")) == (1, 1)


def test_held_rows_of_a_record_that_cannot_be_read_cost_one_look(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refused(self: MemoryRemote, remote_id: str) -> Record | None:
        asked.append(remote_id)
        raise Permanent("no", reason="refused")

    for number in range(14):
        told = of_another_record(world, "e9")
        holds(world, replace(told, dedupe_id=f"told {number}"), "moderated")
    with monkeypatch.context() as patch:
        patch.setattr(MemoryRemote, "get", refused)
        changes(W, overall=20)(world)
        world.drain()
    assert ending_of(world) == ("20", "1")
    assert world.ledger.held_reasons() == ["moderated"] * 14
    assert asked.count("e9") <= 2  # the edit, and its echo


def test_many_held_rows_cost_an_edit_few_looks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is looked at in its turn; an edit of the rating waits for none of them."""
    asked: list[str] = []
    get = MemoryRemote.get

    def counted(self: MemoryRemote, remote_id: str) -> Record | None:
        if remote_id.startswith("other"):
            asked.append(remote_id)
            raise Permanent("no", reason="refused")
        return get(self, remote_id)

    for number in range(12):
        holds(world, of_another_record(world, f"other{number}"), "moderated")
    monkeypatch.setattr(MemoryRemote, "get", counted)
    changes(W, overall=20)(world)
    world.drain()
    assert ending_of(world) == ("20", "1")
    assert len(asked) <= MAX_LOOKS * 2  # the edit, and its echo
    assert world.ledger.held_reasons() == ["moderated"] * 12


# -- a privacy request that a person has to release


def privacy_request(world: World) -> NewDelivery:
    (wix_id,) = world.wix.records
    return NewDelivery(W, "instance-1", "erase-1", Change.ERASE, wix_id, {}, privacy=True)


def test_privacy_request_that_waits_is_not_overtaken(world: World) -> None:
    """Both sides in step is no answer to it; its release erases the rating."""
    inbox_id = holds(world, privacy_request(world), "worker_died")
    changes(W, overall=20)(world)
    world.drain()
    world.sweep()
    world.drain()
    assert ending_of(world) == ("20", "1")
    assert world.ledger.ended(inbox_id) == (InboxState.HELD, "worker_died")
    world.queue += world.ledger.inbox.release_held(world.site.id, inbox_ids=[inbox_id])
    world.drain()
    assert ending_of(world) == (None, None)
    assert world.ledger.held_reasons() == []


def test_privacy_request_that_waits_frees_no_held_link(world: World) -> None:
    """A link that stands still is not written for a request that nobody has released."""
    holds(world, privacy_request(world), "worker_died")
    run = world.ledger.links.lease(world.ledger.links.link_id(key_of(world)))
    world.ledger.links.commit(run.lease, Commit(link_state=LinkState.HELD, release=True))
    changes(W, overall=20)(world)
    world.drain()
    assert ending_of(world) == ("20", "4")
    assert set(world.ledger.held_reasons()) == {"worker_died", "link_held"}


# -- a write whose outcome only a look tells, for a row that was held


@pytest.mark.parametrize("is_beside_another", [False, True])
def test_held_row_waits_for_its_accepted_create(
    make_ledger: LedgerMaker, is_beside_another: bool
) -> None:
    """Sweeps find the held row alone in hand: the create is sent once, then a person decides."""
    world = World(0, Options(CALM, people=1, external=LATE_CREATE), make_ledger)
    world.external.vanishes = lambda: True
    rates(W, overall=80)(world)
    (told,) = world.post.webhooks
    world.post.webhooks.clear()
    inbox_id = holds(world, told, "moderated")
    if is_beside_another:
        unread = replace(told, dedupe_id="unread", remote_id="w9", payload={})
        holds(world, unread, "refused")
        world.wix.refused_ids = {"w9"}
    link_id = world.ledger.links.link_id(key_of(world))
    for _ in range(4):
        world.intake.engine.sync_link(link_id)
        world.drain()
        world.now += world.external.capabilities.confirm_seconds + 1
    assert world.external.calls["create"] == 1
    assert world.ledger.ended(inbox_id) == (InboxState.HELD, "awaiting_confirmation")


@pytest.mark.parametrize("lands", [True, False])
def test_held_row_waits_for_a_write_whose_answer_was_lost(
    world: World, lands: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It alone led to the write: it comes again, old as it is, and the outcome is looked for."""
    changes(W, overall=20)(world)
    (told,) = world.post.webhooks
    world.post.webhooks.clear()
    newest = holds(world, told, "moderated")
    other = holds(world, of_another_record(world, "e9"), "refused")
    world.now += 3 * 24 * 3600.0  # beyond the time after which tries end
    update = MemoryRemote.update

    def loses(self: MemoryRemote, *what: Any) -> Record:
        if lands:
            update(self, *what)
        raise UnknownOutcome

    with monkeypatch.context() as patched:
        patched.setattr(MemoryRemote, "update", loses)
        world.intake.engine.sync_link(world.ledger.links.link_id(key_of(world)))
    opened = [one for one in (newest, other) if world.ledger.inbox.open_delivery(one) is not None]
    assert len(opened) == 1
    assert world.ledger.inbox.open_delivery(opened[0])[0].attempts == 0
    world.settle()
    assert ending_of(world) == ("20", "1")
    assert world.ledger.held_reasons() == []
    assert broken_invariants(world) == []


def test_rating_given_anew_beside_a_stopped_one_is_not_overtaken(world: World) -> None:
    """An erasure frees the link; what was held beside it tells of a record nobody has seen."""
    decisions(world).stop(ANNA, 1, "wait")
    world.drain()
    (wix_id,), (external_id,) = world.wix.records, world.external.records
    world.external.visitor_deletes(external_id)
    world.drain()
    rates(E, value=2)(world)
    world.drain()
    assert "link_held" in world.ledger.held_reasons()
    world.wix.visitor_deletes(wix_id, privacy=True)
    world.drain()
    assert ending_of(world) == ("40", "2")
    assert world.ledger.held_reasons() == []
    assert broken_invariants(world) == []


@pytest.mark.parametrize("way", ["the main value comes", "it is taken back"])
def test_value_beside_a_main_one_waits_until_that_comes(make_ledger: LedgerMaker, way: str) -> None:
    """On Wix each attribute is a record of its own; outside none stands without the stars."""
    world = World(0, Options(CALM, people=1, fields=(OVERALL, QUALITY)), make_ledger)
    rates(W, quality=40)(world)
    world.drain()
    world.sweep()
    world.drain()
    assert set(world.ledger.held_reasons()) == {"main_value_missing"}
    assert world.external.records == {}
    known = hold_reason("main_value_missing")
    assert known.title == "The main value is missing"
    assert known.advice.startswith("Nothing: the next delivery for the same rating looks again.")
    if way == "the main value comes":
        rates(W, overall=80)(world)
    else:
        world.wix.visitor_deletes("w1")
    world.drain()
    assert world.ledger.held_reasons() == []
    made = [one.values for one in world.external.records.values()]
    both = {"value": Decimal(4), "quality": Decimal(4)}
    assert made == ([both] if way == "the main value comes" else [])
    assert broken_invariants(world) == []
