"""Whose an address is, where earlier versions have put it on file by another rule."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import pytest

from sync_worker.core.email_identity import normalise_email
from sync_worker.core.errors import Held
from sync_worker.core.hold_keys import contact_hold_key, email_hold_key, email_hold_keys
from sync_worker.core.ports.inbox import ERASED, Closing
from sync_worker.core.ports.remote import Capabilities, Connection
from sync_worker.core.values import Buried, Contact, Person, Policy, Side, UnknownContact
from sync_worker.intake.raters import Raters
from tests.integration.ledger.ground import Ground
from tests.twins.memory_people import MemoryPeople
from tests.twins.memory_remote import MemoryRemote

SHARP, PLAIN = "Stra\u00dfe@example.com", "strasse@example.com"
BOOKS, OF_BOOKS = "ada@B\u00fccher.example", "ada@b\u00fccher.example"


@dataclass
class Shop:
    """The raters of a site, over a ledger and a Wix of its own."""

    ground: Ground
    people: MemoryPeople = field(default_factory=MemoryPeople)
    policy: Policy = field(default_factory=Policy)

    def rater(self, email: str | None, contact_id: str | None = None) -> Contact:
        """Who rated; where nobody may be named the test fails."""
        found = self.found(email, contact_id)
        assert isinstance(found, Contact)
        return found

    def found(self, email: str | None, contact_id: str | None = None) -> Contact | Closing:
        side = Side.EXTERNAL if contact_id is None else Side.WIX
        return self._raters().contact_of(Person(contact_id=contact_id, email=email), side)

    def _raters(self) -> Raters:
        remotes = {side: MemoryRemote(side, Capabilities()) for side in Side}
        ledger, site = self.ground.ledger, self.ground.ledger.site(self.ground.site_id)
        connection = Connection(remotes, self.people)
        site = replace(site, policy=self.policy)
        return Raters(ledger.directory, ledger.merges, connection, site)

    def on_file(self, email: str) -> str | None:
        found = self.ground.ledger.directory.contact(self.ground.site_id, email=email)
        return None if found is None else found.contact_id

    def put_on_file(self, contact_id: str, form: str) -> None:
        """As an earlier version did: all letters folded."""
        self.ground.ledger.put_on_file_before(self.ground.site_id, contact_id, form)


@pytest.fixture
def shop(ground: Ground) -> Shop:
    return Shop(ground)


def held_for(shop: Shop, email: str | None, contact_id: str | None = None) -> Held:
    with pytest.raises(Held) as held:
        shop.rater(email, contact_id)
    return held.value


def earlier_key(form: str) -> str:
    return f"contact:email:{hashlib.sha256(form.encode()).hexdigest()}"


@pytest.mark.parametrize(("email", "form"), [(BOOKS, OF_BOOKS), (SHARP, PLAIN)])
def test_address_on_file_in_an_earlier_form_is_confirmed_and_rewritten(
    shop: Shop, email: str, form: str
) -> None:
    shop.put_on_file("contact-1", form)
    shop.people.add("contact-1", normalise_email(email))
    waiting = shop.ground.stored(7, side=Side.EXTERNAL, source="own-service")
    shop.ground.ledger.inbox.hold([waiting], "unknown_contact", hold_key=earlier_key(form))
    assert shop.rater(email).contact_id == "contact-1"
    assert (shop.on_file(normalise_email(email)), shop.on_file(form)) == ("contact-1", None)
    asked = sum(shop.people.calls.values())
    assert shop.rater(email).contact_id == "contact-1"
    assert sum(shop.people.calls.values()) == asked, "it is looked up once"


def test_what_waits_for_an_earlier_form_is_released_by_the_new_one(shop: Shop) -> None:
    ledger, site_id = shop.ground.ledger, shop.ground.site_id
    waiting = shop.ground.stored(7)
    ledger.inbox.hold([waiting], "unknown_contact", hold_key=earlier_key(PLAIN))
    released = [
        inbox_id
        for key in email_hold_keys(SHARP)
        for inbox_id in ledger.inbox.release_held(site_id, hold_key=key)
    ]
    assert released == [waiting]


@pytest.mark.parametrize("has_contact", [True, False])
def test_two_people_of_one_earlier_form_are_held_and_not_split(
    shop: Shop, has_contact: bool
) -> None:
    """Ratings of both may stand under the contact that is on file."""
    shop.put_on_file("contact-1", PLAIN)
    shop.people.add("contact-1", PLAIN)
    if has_contact:
        shop.people.add("contact-2", normalise_email(SHARP))
    held = held_for(shop, SHARP)
    assert (held.reason, held.hold_key) == ("people_joined", email_hold_key(SHARP))
    assert not held.has_arrived()
    assert (shop.on_file(PLAIN), shop.on_file(normalise_email(SHARP))) == ("contact-1", None)
    # A person has said whose it is.
    shop.ground.ledger.directory.save_contact(
        shop.ground.site_id, Contact("contact-2", normalise_email(SHARP))
    )
    assert held.has_arrived()
    assert shop.rater(SHARP).contact_id == "contact-2"
    assert shop.rater(PLAIN).contact_id == "contact-1"


def test_other_person_of_a_rewritten_form_is_somebody_new(shop: Shop) -> None:
    shop.put_on_file("contact-1", PLAIN)
    shop.people.add("contact-1", normalise_email(SHARP))
    shop.rater(SHARP)
    assert held_for(shop, PLAIN).reason == "unknown_contact"


UNUSABLE = [
    "mailto:ada@example.com",
    "ada@example.com, bob@example.com",
    "ad\u200ba@example.com",
    "ada\u0007@example.com",
    f"{'a' * 250}@example.com",
]


@pytest.mark.parametrize("email", UNUSABLE)
def test_address_that_is_none_is_held_and_never_made_a_contact(shop: Shop, email: str) -> None:
    shop.policy = Policy(unknown_contact=UnknownContact.CREATE)
    assert held_for(shop, email).reason == "address_unusable"
    assert sum(shop.people.calls.values()) == 0
    assert shop.on_file(normalise_email(email)) is None


@pytest.mark.parametrize("email", UNUSABLE)
def test_contact_whose_address_is_none_is_held_until_it_changes(shop: Shop, email: str) -> None:
    shop.people.add("contact-7", normalise_email(email))
    held = held_for(shop, None, "contact-7")
    assert (held.reason, held.hold_key) == ("address_unusable", contact_hold_key("contact-7"))
    assert shop.on_file(normalise_email(email)) is None


def test_address_that_was_erased_in_an_earlier_form_stays_erased(shop: Shop) -> None:
    grave = Buried(Side.EXTERNAL, f"address:{PLAIN}", privacy=True)
    shop.ground.ledger.directory.bury(shop.ground.site_id, grave)
    assert shop.found(SHARP) == ERASED


def test_merge_is_found_by_an_address_in_its_earlier_form(shop: Shop) -> None:
    shop.put_on_file("contact-1", OF_BOOKS)
    merges, site_id = shop.ground.ledger.merges, shop.ground.site_id
    distance = merges.merge_distance(site_id, Person(email=normalise_email(BOOKS)))
    assert distance is not None
    assert distance.contact_id == "contact-1"


def test_two_people_since_the_new_rule_are_two_from_the_first(shop: Shop) -> None:
    for contact_id, email in (("contact-1", PLAIN), ("contact-2", normalise_email(SHARP))):
        shop.people.add(contact_id, email)
    assert shop.rater(PLAIN).contact_id == "contact-1"
    assert shop.rater(SHARP).contact_id == "contact-2"
