"""Who asks to be forgotten takes all of theirs along outside, and nothing of anybody else's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from sync_worker.core.errors import Permanent
from sync_worker.core.ports.links import Commit
from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import (
    Change,
    EntityRef,
    Known,
    NewDelivery,
    Person,
    Record,
    RecordState,
    SiteState,
    Slot,
    WixKind,
)
from sync_worker.ledger.administration.admin import ledger_admin
from tests.simulation.chaos import sql_ledger
from tests.simulation.moved import (
    ACCURATE,
    SHOP,
    WAYS,
    E,
    W,
    a_world,
    gives_to,
    look,
    on_wix,
)
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes, moderates, rates
from tests.simulation.world import CALM, LedgerMaker, Options, World
from tests.twins.memory_remote import MemoryRemote

STRANGER = Person(email=None, name="Stranger")
NUMBERED = Capabilities(many_fields=True)


def rates_again(world: World) -> None:
    """The first person gives the first product another record: the older one steps behind it."""
    world.external.visitor_rates(world.entities[0][1], world.persons[0], {"value": Decimal(2)})
    world.drain()


def loses_contact(world: World) -> None:
    """The owner deletes the first person's contact: nobody knows their address any more."""
    person = world.persons[0]
    world.people.contacts.pop(str(person.contact_id))
    world.post.tell_of_contact(Change.CONTACT_DELETED, person, {})
    world.drain()


def asks_on_wix(world: World) -> None:
    """Wix deletes the ratings there for a privacy request."""
    for remote_id in list(world.wix.records):
        world.wix.visitor_deletes(remote_id, privacy=True)
    world.settle()


# -- of somebody else by now


@pytest.mark.parametrize("way", [*WAYS, "unheard"])
def test_record_behind_another_that_moved_survives(way: str, make_ledger: LedgerMaker) -> None:
    """It is another person's since, whether that is on file yet or not."""
    world = a_world(make_ledger)
    rates_again(world)
    world.external.owner_moves("e1", person=world.persons[1])
    if way == "unheard":
        world.post.webhooks.clear()
    else:
        look(world, way)
    world.crowd.erase(world.persons[0])
    world.settle()
    assert list(world.external.records) == ["e1"]
    assert on_wix(world) == {"product-0 contact-1": "80"}
    assert broken_invariants(world) == []


def test_record_on_file_elsewhere_survives_without_an_address(make_ledger: LedgerMaker) -> None:
    """Nothing is left to compare its address with, but the ledger knows whose it is."""
    world = a_world(make_ledger)
    rates_again(world)
    world.external.owner_moves("e1", person=world.persons[1])
    look(world, "event")
    loses_contact(world)
    asks_on_first_person = [
        one.remote_id
        for one in world.wix.records.values()
        if one.person.contact_id == world.persons[0].contact_id
    ]
    for remote_id in asks_on_first_person:
        world.wix.visitor_deletes(remote_id, privacy=True)
    world.settle()
    assert list(world.external.records) == ["e1"]


# -- nobody's address is no address


def test_erasure_without_an_address_spares_strangers(make_ledger: LedgerMaker) -> None:
    """Who has no address is not everybody else who has none."""
    world = a_world(make_ledger)
    world.external.visitor_rates(world.entities[0][1], STRANGER, {}, words=True)
    world.drain()
    loses_contact(world)
    asks_on_wix(world)
    assert list(world.external.records) == ["e2"]


@pytest.mark.parametrize("external", [ACCURATE, SHOP], ids=["unique", "several"])
def test_person_without_an_address_takes_no_strangers_rating(
    external: object, make_ledger: LedgerMaker
) -> None:
    """The rating of a person without an address was deleted; a stranger's is not it."""
    world = a_world(make_ledger, external=external)
    words = {"value": Decimal(5)}
    world.external.visitor_rates(world.entities[0][1], STRANGER, words, words=True)
    world.drain()
    loses_contact(world)
    changes(W, overall=20)(world)
    world.external.visitor_deletes("e1")
    world.settle()
    assert world.external.records["e2"].values == words


def test_erasure_takes_along_what_a_moderator_hides(make_ledger: LedgerMaker) -> None:
    """Its event came before any link knew it, so it counted as gone: nothing on file names it."""
    world = World(0, Options(CALM, people=1), make_ledger)
    rates(E, value=4)(world)
    world.post.deliver(0)
    moderates(RecordState.PENDING)(world)

    def hear_of_hiding(place: str) -> None:
        if place == "before wix.create" and world.post.webhooks:
            world.post.deliver(0)
            world.intake.process(world.queue.pop(0))

    world.on_step = hear_of_hiding
    world.work(world.queue.pop(0))
    world.drain()
    assert not world.wix.records
    asked = NewDelivery(W, world.site.instance_id, "asked", Change.DELETE, "w1", {}, privacy=True)
    world.post.webhooks.append(asked)
    world.drain()
    assert not world.external.records


# -- a search is no precondition


def refuses_to_find(world: World, monkeypatch: pytest.MonkeyPatch, *, with_address: bool) -> None:
    """Outside no search is offered, or only for people with an address."""
    real = MemoryRemote.find

    def find(self: MemoryRemote, entity: EntityRef, person: Person) -> Sequence[Record]:
        if self.side is E and (with_address or person.email is None):
            raise Permanent("it declares no operation find", reason="unsupported")
        return real(self, entity, person)

    monkeypatch.setattr(MemoryRemote, "find", find)


@pytest.mark.parametrize("is_gone", [False, True], ids=["there", "gone"])
def test_erasure_ends_where_nothing_can_be_searched(
    is_gone: bool, make_ledger: LedgerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is on file goes; that nothing else was searched is on record."""
    world = a_world(make_ledger)
    refuses_to_find(world, monkeypatch, with_address=True)
    world.crowd.erase(world.persons[0])
    if is_gone:
        world.external.visitor_deletes("e1")
    world.settle()
    assert (world.wix.records, world.external.records) == ({}, {})
    assert world.ledger.held_reasons() == []
    reasons = [line.reason for line in world.ledger.history_entries()]
    assert "what else this person wrote here could not be searched: unsupported" in reasons


def test_erasure_searches_only_where_a_search_is_declared() -> None:
    world = a_world(external=replace(SHOP, can_find=False))
    searches = world.external.calls["find"]
    world.crowd.erase(world.persons[0])
    world.settle()
    assert world.external.calls["find"] == searches
    assert world.external.records == {}


@pytest.mark.parametrize("how", ["deleted", "anonymous"])
def test_erasure_ends_where_a_search_wants_an_address(
    how: str, make_ledger: LedgerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = a_world(make_ledger)
    refuses_to_find(world, monkeypatch, with_address=False)
    if how == "deleted":
        loses_contact(world)
    else:
        told = world.persons[0]
        world.post.tell_of_contact(Change.CONTACT_CHANGED, told, {}, privacy=True)
        world.drain()
    asks_on_wix(world)
    assert world.external.records == {}
    assert world.ledger.held_reasons() == []


def test_record_given_to_an_erased_person_leaves_no_address(make_ledger: LedgerMaker) -> None:
    """Each sweep lists it anew, in the delivery that the one before had emptied."""
    world = a_world(make_ledger)
    world.crowd.erase(world.persons[1])
    world.drain()
    given = next(iter(world.external.records.values()))
    world.external.owner_moves(given.remote_id, person=world.persons[1])
    for _ in range(3):
        look(world, "sweep")
        assert broken_invariants(world) == []


def hears(world: World) -> None:
    """What was told has come in, and no worker has it in hand yet."""
    while world.post.webhooks:
        world.post.deliver(0)


def asks_first(world: World) -> None:
    """The first person asks to be forgotten, and that has its turn before all that waits."""
    world.crowd.erase(world.persons[0])
    hears(world)
    world.work(world.queue.pop())
    world.settle()


@pytest.mark.parametrize("external", [SHOP, NUMBERED], ids=["hinted", "told"])
def test_erasure_leaves_news_of_a_record_that_was_given_away(
    external: Capabilities, make_ledger: LedgerMaker
) -> None:
    """Told while it was theirs, and once more since: neither has come to a rating yet."""
    world = World(0, Options(CALM, people=2, external=external), make_ledger)
    rates(E, value=4)(world)
    hears(world)
    gives_to(world, 1)
    hears(world)
    asks_first(world)
    assert on_wix(world) == {"product-0 contact-1": "80"}
    assert broken_invariants(world) == []


def test_erasure_leaves_a_rating_whose_record_was_theirs(make_ledger: LedgerMaker) -> None:
    """It is on file for somebody else, and what tells of the time before is late."""
    world = World(0, Options(CALM, people=2, external=NUMBERED), make_ledger)
    rates(E, value=4)(world)
    late = world.post.webhooks.pop()
    gives_to(world, 1)
    world.drain()
    assert on_wix(world) == {"product-0 contact-1": "80"}
    world.post.webhooks.append(late)
    hears(world)
    asks_first(world)
    assert on_wix(world) == {"product-0 contact-1": "80"}
    world.external.visitor_changes("e1", {"value": Decimal(2)})
    world.settle()
    assert on_wix(world) == {"product-0 contact-1": "40"}
    assert broken_invariants(world) == []


def test_erasure_of_what_waits_twice_leaves_no_address(make_ledger: LedgerMaker) -> None:
    """Both tell of the same record of theirs, and one came after the other."""
    world = World(0, Options(CALM, people=2, external=NUMBERED), make_ledger)
    rates(E, value=4)(world)
    changes(E, value=2)(world)
    hears(world)
    asks_first(world)
    assert on_wix(world) == {}
    assert broken_invariants(world) == []


def between_apis(world: World) -> None:
    """The site has changed its API of Wix, and both sides are not compared yet."""
    admin = ledger_admin(world.ledger.engine)
    (site,) = admin.sites.all()
    admin.sites.set_state(site.id, SiteState.PAUSED)
    admin.wix_change.change(site.id, WixKind.REVIEWS, list(site.fields), SiteState.RECOVERY)


def test_person_who_is_erased_between_two_apis_of_wix_is_erased_outside() -> None:
    """After a change of the API, before the new baseline: the link has nothing on file."""
    world = a_world(sql_ledger)
    assert world.external.records
    between_apis(world)
    person = world.persons[0]
    world.post.tell_of_contact(Change.CONTACT_DELETED, person, {}, privacy=True)
    world.drain()
    assert not world.external.records
    assert str(person.email) not in world.ledger.everything()


def test_review_that_is_erased_takes_along_what_is_set_aside_outside() -> None:
    """The link has its review on file, and not yet the external record that it had before."""
    world = a_world(sql_ledger)
    between_apis(world)
    (wix_id,) = world.wix.records
    (link_id,) = links_of(world)
    leased = world.ledger.links.lease(link_id)
    on_file = Commit(records={Slot(W, "overall"): Known(wix_id, 1)}, release=True)
    world.ledger.links.commit(leased.lease, on_file)
    world.wix.visitor_deletes(wix_id, privacy=True)
    world.drain()
    assert not world.external.records


def links_of(world: World) -> list[int]:
    person = world.persons[0]
    (site,) = ledger_admin(world.ledger.engine).sites.all()
    return list(world.ledger.merges.links_of(site.id, str(person.contact_id)))
