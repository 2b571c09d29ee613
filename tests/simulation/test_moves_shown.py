"""A record has moved only when it shows somebody or something else than it showed itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import Link, Person, Policy, ReplyWays, Side, Slot
from tests.simulation.ablations import without
from tests.simulation.moderated import rate_beside
from tests.simulation.moved import (
    WAYS,
    a_world,
    gives_address,
    gives_to,
    look,
    on_wix,
    puts_under,
)
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenes import NO_REVISION
from tests.simulation.world import ANSWERED, CALM, LedgerMaker, Options, World
from tests.twins.memory_ledger import MemoryLedger, memory_ledger
from tests.twins.memory_remote import MemoryRemote

ANSWERING = Policy(replies=ReplyWays.BOTH)
HERS, ALSO_HERS = "product-0 contact-0", "product-0 contact-1"


def api_account(person: Person) -> Person:
    """As systems do that note the user of the token as the author."""
    return Person(email="api@shop.example", name="API")


def own_spelling(person: Person) -> Person:
    return replace(person, email=f"{person.email}".replace("@", "+reviews@"))


def masked(person: Person) -> Person:
    return replace(person, email=f"{person.email}"[0] + "***@example.com")


def dotted(person: Person) -> Person:
    return replace(person, email=f"{person.email}"[0] + "...@example.com")


SHOWN = pytest.mark.parametrize("shows", [api_account, own_spelling, masked, dotted])
POLICIES = pytest.mark.parametrize("unknown_contact", ["hold", "create", "skip"])


def a_written_world(
    make: LedgerMaker,
    shows: Callable[[Person], Person],
    unknown_contact: str = "hold",
) -> World:
    """Two people rate one product on Wix; the records that we make of it show somebody else."""
    policy = Policy.of({"unknown_contact": unknown_contact})
    options = Options(CALM, people=2, entities=2, external=NO_REVISION, policy=policy)
    world = World(0, options, make)
    world.external.shows = shows
    for person in world.persons:
        world.wix.visitor_rates(world.entities[0][0], person, {"overall": Decimal(80)})
    world.drain()
    return world


@SHOWN
@POLICIES
@pytest.mark.parametrize("way", WAYS)
def test_record_that_never_showed_our_person_is_no_move(
    shows: Callable[[Person], Person], unknown_contact: str, way: str, make_ledger: LedgerMaker
) -> None:
    """Whatever the policy for people whom nobody knows, and by every way."""
    world = a_written_world(make_ledger, shows, unknown_contact)
    for _ in range(2):
        look(world, way)
        world.external.visitor_changes("e1", {"value": Decimal(2)})
        look(world, way)
    assert on_wix(world) == {HERS: "40", ALSO_HERS: "80"}
    assert world.ledger.held_reasons() == []
    assert len(world.external.records) == 2


def owner(person: Person) -> Person:
    """The account of the token has a contact in the shop, too."""
    return Person(email="person1@example.com", name="Owner")


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("way", WAYS)
@POLICIES
def test_answer_that_repeats_what_we_sent_makes_no_move_of_a_look(
    is_known: bool, way: str, unknown_contact: str, make_ledger: LedgerMaker
) -> None:
    """Updated, it is answered with our person; read, it shows the token's account."""
    policy = Policy.of({"unknown_contact": unknown_contact})
    options = Options(CALM, people=2, entities=2, external=NO_REVISION, policy=policy)
    world = World(0, options, make_ledger)
    world.external.shows = api_account
    if is_known:
        world.external.shows = owner
    world.wix.visitor_rates(world.entities[0][0], world.persons[0], {"overall": Decimal(80)})
    world.drain()
    look(world, way)
    look(world, way)
    world.external.echoes = True
    world.wix.visitor_changes("w1", {"overall": Decimal(40)})
    world.drain()
    look(world, way)
    world.sweep()
    world.drain()
    assert on_wix(world) == {HERS: "40"}
    assert all(not entry.by_us for entry in world.wix.journal)
    assert world.ledger.held_reasons() == []


@pytest.mark.parametrize("way", WAYS)
def test_record_of_the_api_account_moves_when_it_is_given_away(
    way: str, make_ledger: LedgerMaker
) -> None:
    world = a_written_world(make_ledger, api_account)
    [theirs] = world.wix.of(world.entities[0][0], world.persons[1])
    world.wix.visitor_deletes(theirs.remote_id)
    world.drain()
    gives_to(world, 1)
    look(world, way)
    assert on_wix(world) == {ALSO_HERS: "80"}
    assert world.ledger.held_reasons() == []


@POLICIES
def test_record_of_the_api_account_under_another_product_waits(
    unknown_contact: str, make_ledger: LedgerMaker
) -> None:
    """Of a record that is new there, whom it shows does not tell whose it is."""
    world = a_written_world(make_ledger, api_account, unknown_contact)
    puts_under(world, 1)
    world.drain()
    assert on_wix(world) == {HERS: "80", ALSO_HERS: "80"}
    assert world.ledger.held_reasons() == ["unknown_contact"]
    puts_under(world, 0)
    world.drain()
    assert world.ledger.held_reasons() == []


def test_address_of_our_own_contact_is_noted_and_no_move(make_ledger: LedgerMaker) -> None:
    """And from there on, what it shows then is what counts."""
    world = a_written_world(make_ledger, api_account)
    gives_to(world, 0)
    world.drain()
    assert on_wix(world) == {HERS: "80", ALSO_HERS: "80"}
    world.external.owner_moves("e1", person=Person(email="api@shop.example"))
    world.drain()
    assert world.ledger.held_reasons() == ["unknown_contact"]


def test_record_that_is_masked_later_is_no_move(make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger)
    for email in ("p***@example.com", "p\u2022\u2022\u2022@example.com", "[hidden]"):
        gives_address(world, email)
        world.drain()
        look(world, "sweep")
        assert on_wix(world) == {HERS: "80"}
        assert world.ledger.held_reasons() == []
    # What it showed before stays known under the mask.
    gives_to(world, 1)
    world.drain()
    assert on_wix(world) == {ALSO_HERS: "80"}


def forget_what_was_shown(world: World) -> None:
    """As links are that an earlier version has made."""
    assert isinstance(world.ledger, MemoryLedger)
    for row in world.ledger.state.link_rows.values():
        row.link = _unseen(row.link)


def _unseen(link: Link) -> Link:
    records = {slot: replace(known, identity=None) for slot, known in link.records.items()}
    return replace(link, records=records)


@POLICIES
@pytest.mark.parametrize("way", WAYS)
def test_upgrade_moves_nothing_and_notes_what_is_shown(unknown_contact: str, way: str) -> None:
    world = a_written_world(memory_ledger, api_account, unknown_contact)
    forget_what_was_shown(world)
    look(world, way)
    world.external.visitor_changes("e1", {"value": Decimal(2)})
    look(world, way)
    assert on_wix(world) == {HERS: "40", ALSO_HERS: "80"}
    assert world.ledger.held_reasons() == []
    external = Slot(Side.EXTERNAL)
    shown = [row.link.records[external].identity for row in world.ledger.state.link_rows.values()]
    assert shown[0] is not None
    gives_address(world, "somebody@example.com")
    look(world, way)
    is_held = world.ledger.held_reasons() == ["unknown_contact"]
    assert is_held is (unknown_contact != "create")
    assert (HERS in on_wix(world)) is is_held


def test_answer_that_shows_a_known_other_is_news(
    make_ledger: LedgerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given away between our look and our write: the answer is the first to tell."""
    world = a_world(make_ledger)
    update = MemoryRemote.update

    def given_away_meanwhile(self: MemoryRemote, *arguments: Any) -> Any:
        if self.side is Side.EXTERNAL:
            monkeypatch.setattr(MemoryRemote, "update", update)
            gives_to(world, 1)
            world.post.webhooks.clear()
        return update(self, *arguments)

    monkeypatch.setattr(MemoryRemote, "update", given_away_meanwhile)
    [remote_id] = world.wix.records
    world.wix.visitor_changes(remote_id, {"overall": Decimal(20)})
    look(world, "sweep")
    assert on_wix(world) == {ALSO_HERS: "20"}
    assert broken_invariants(world) == []


@pytest.mark.parametrize("way", WAYS)
def test_our_own_writes_are_moves_without_what_a_record_showed(way: str) -> None:
    """The tests are tested: compared with our contact, every record that we made has moved."""
    with without("what a record showed itself"):
        world = a_written_world(memory_ledger, api_account)
        world.external.visitor_changes("e1", {"value": Decimal(2)})
        look(world, way)
        assert "unknown_contact" in world.ledger.held_reasons()


# -- a create whose answer repeats whom we named, and a look that shows somebody else


def an_echoing_world(
    make: LedgerMaker,
    shows: Callable[[Person], Person],
    unknown_contact: str = "hold",
    external: Capabilities = NO_REVISION,
) -> World:
    policy = Policy.of({"unknown_contact": unknown_contact})
    world = World(0, Options(CALM, people=2, entities=2, external=external, policy=policy), make)
    world.external.shows, world.external.echoes = shows, True
    world.wix.visitor_rates(world.entities[0][0], world.persons[0], {"overall": Decimal(80)})
    world.drain()
    return world


@SHOWN
@POLICIES
@pytest.mark.parametrize("way", WAYS)
def test_first_look_that_shows_our_own_account_is_no_move(
    shows: Callable[[Person], Person], unknown_contact: str, way: str
) -> None:
    """Nobody is known by that address: it is held for nobody, and makes no contact."""
    world = an_echoing_world(memory_ledger, shows, unknown_contact)
    look(world, way)
    world.external.visitor_changes("e1", {"value": Decimal(2)})
    look(world, way)
    assert on_wix(world) == {HERS: "40"}
    assert world.ledger.held_reasons() == []
    assert world.people.calls["create"] == 0


def test_first_look_at_the_very_state_that_we_made_is_no_move(make_ledger: LedgerMaker) -> None:
    """The account of the token is a known contact; but nothing has changed since our create."""
    thin = Capabilities(many_fields=True, trusts_payload=False)
    world = an_echoing_world(make_ledger, owner, external=thin)
    world.guard.flush()
    world.post.send_again([one for one in world.post.sent if one.side is Side.EXTERNAL])
    world.drain()
    world.now += 3600.0
    world.sweep()
    world.drain()
    assert on_wix(world) == {HERS: "80"}


def test_record_that_is_given_to_a_known_person_before_any_look_moves(
    make_ledger: LedgerMaker,
) -> None:
    world = World(0, Options(CALM, people=2, external=NO_REVISION), make_ledger)
    world.wix.visitor_rates(world.entities[0][0], world.persons[0], {"overall": Decimal(80)})
    while world.queue or world.workers or not world.external.records:
        world.step_in_order()
    gives_to(world, 1)
    world.drain()
    assert on_wix(world) == {ALSO_HERS: "80"}


def test_record_that_is_moved_just_before_our_reply_moves(make_ledger: LedgerMaker) -> None:
    """A reply names no revision, and its answer is the first to tell: it is not taken as seen."""
    options = Options(CALM, people=1, entities=2, words=ANSWERED, policy=ANSWERING)
    world = World(0, options, make_ledger)
    (wix_entity, _), _ = world.entities
    made = world.wix.visitor_rates(wix_entity, world.persons[0], {"overall": Decimal(80)})
    world.drain()

    def moves(place: str) -> None:
        if place == "before external.reply":
            world.on_step = lambda place: None
            puts_under(world, 1)

    world.on_step = moves
    world.wix.owner_replies(made.remote_id, "Thank you")
    world.drain()
    world.settle()
    assert on_wix(world) == {"product-1 contact-0": "80"}
    assert broken_invariants(world) == []


@pytest.mark.parametrize("is_lost", [False, True], ids=["answered", "answer lost"])
def test_record_given_away_just_before_our_reply_is_not_as_we_made_it(
    is_lost: bool, make_ledger: LedgerMaker
) -> None:
    """Its number is the one of our own write; that numbers were left out before tells of more."""
    options = Options(CALM, people=2, entities=2, words=ANSWERED, policy=ANSWERING)
    world = World(0, options, make_ledger)
    made = [
        world.wix.visitor_rates(world.entities[number][0], person, {"overall": Decimal(80)})
        for number, person in enumerate(world.persons)
    ]
    world.drain()
    (ours,) = world.external.of(world.entities[0][1], world.persons[0])

    def moves(place: str) -> None:
        if place == "before external.reply":
            world.external.owner_moves(ours.remote_id, person=world.persons[1])
            world.post.webhooks.clear()
        if place == "after external.reply":
            world.crash_steps = {world.steps} if is_lost else set()
            world.on_step = lambda place: None

    world.on_step = moves
    world.wix.owner_replies(made[0].remote_id, "Thank you")
    world.drain()
    world.settle()
    assert on_wix(world) == {ALSO_HERS: "80", "product-1 contact-1": "80"}
    assert broken_invariants(world) == []


def test_record_given_to_somebody_who_is_erased_before_any_look_moves(
    make_ledger: LedgerMaker,
) -> None:
    """Forgotten, the address is no contact's any more; it is not the account of our token."""
    world = World(0, Options(CALM, people=4), make_ledger)
    world.wix.visitor_rates(world.entities[0][0], world.persons[0], {"overall": Decimal(80)})
    rate_beside(world)
    world.drain()
    (made,) = world.external.of(world.entities[0][1], world.persons[0])
    world.external.owner_moves(made.remote_id, person=world.persons[1])
    world.post.webhooks.clear()
    world.crowd.erase(world.persons[1])
    world.settle()
    assert str(world.persons[1].email) not in world.ledger.everything()
    assert world.wix.of(world.entities[0][0], world.persons[0]) == []
    assert broken_invariants(world) == []


# -- one account for all records that we make, whose owner rates, too


@pytest.mark.parametrize("echoes", [False, True], ids=["shown at once", "shown at a look"])
@pytest.mark.parametrize("is_unique", [False, True], ids=["several", "one each"])
def test_rating_of_who_owns_our_account_takes_nobody_elses_record(
    is_unique: bool, echoes: bool, make_ledger: LedgerMaker
) -> None:
    """A search for the owner finds what we made for others: it stays theirs, as they gave it."""
    external = replace(Options().external, is_unique=is_unique)
    world = World(0, Options(CALM, people=2, external=external), make_ledger)
    world.external.shows, world.external.echoes = owner, echoes
    for person, value in zip(world.persons, (80, 40), strict=True):
        world.wix.visitor_rates(world.entities[0][0], person, {"overall": Decimal(value)})
        world.drain()
        look(world, "sweep")
    assert on_wix(world) == {HERS: "80", ALSO_HERS: "40"}
    values = [str(one.values["value"]) for one in world.external.records.values()]
    if is_unique:
        assert values == ["4"]
        assert set(world.ledger.held_reasons()) == {"id_linked_elsewhere"}
    else:
        assert values == ["4", "2"]
        assert world.ledger.held_reasons() == []
