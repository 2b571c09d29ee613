"""Merge, privacy, installation and removal, from the stand-in Wix through the real gateway and
worker to both sides.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import select

from sync_worker.core.ports.inbox import ERASED
from sync_worker.core.values import EntityRef, Side, Site, SiteState
from sync_worker.import_export.importing import Importer, RatingRow
from sync_worker.ledger.tables import inbox
from tests.integration.people_bench import VISITOR, Bench, bench

pytestmark = [pytest.mark.usefixtures("ledger_at_home"), pytest.mark.any_redis]

__all__ = ["bench"]  # a fixture


def test_two_contacts_become_one_with_one_rating_on_each_side(
    bench: Bench,
) -> None:
    """Two contacts that rated alike things become one with one rating on each side."""
    site = bench.add_site()
    ada, bob = bench.person("ada@example.com"), bench.person("bob@example.com")
    bench.rate(ada, 80)
    bench.rate(bob, 20)
    bench.rate(bob, 40, "mug")
    bench.settle()
    assert (bench.wix_values(), bench.external_scores()) == (
        [20, 40, 80],
        [Decimal(1), Decimal(2), Decimal(4)],
    )
    bench.box.wix.merge_contacts(bob, ada)
    bench.settle()
    assert (bench.wix_values(), bench.external_scores()) == ([40, 80], [Decimal(2), Decimal(4)])
    lost = [
        line.entry
        for line in bench.wiring.admin.questions.history(limit=100)
        if line.entry.reason == "merged"
    ]
    assert {(str(one.side), one.loser) for one in lost} == {
        ("wix", Decimal(20)),
        ("external", Decimal(1)),
    }
    contact = bench.wiring.ledger.directory.contact(site.id, email="bob@example.com")
    assert contact is not None
    assert contact.contact_id == ada
    bench.box.wix.webhooks.again(bob)
    bench.box.wix.webhooks.again(ada)
    bench.settle()
    assert (bench.wix_values(), bench.external_scores()) == ([40, 80], [Decimal(2), Decimal(4)])


@pytest.mark.full
def test_merge_whose_event_was_lost_is_found_by_its_deletion(bench: Bench) -> None:
    """A merge whose event was lost is found by the deletion that it caused."""
    site = bench.add_site()
    ada, bob = bench.person("ada@example.com"), bench.person("bob@example.com")
    bench.rate(bob, 40)
    bench.settle()
    bench.box.wix.faults.set("webhook_dropped", next=1)
    bench.box.wix.merge_contacts(bob, ada)
    bench.settle()
    contact = bench.wiring.ledger.directory.contact(site.id, contact_id=bob)
    assert contact is not None
    assert contact.contact_id == ada
    assert (bench.wix_values(), bench.external_scores()) == ([40], [Decimal(2)])


def test_person_who_asks_is_forgotten_on_both_sides(bench: Bench, redis: Redis) -> None:
    """A person who asks is forgotten on both sides and a late event brings nothing back."""
    bench.add_site()
    ada, bob = bench.person("ada@example.com"), bench.person("bob@example.com")
    for contact_id, value in ((ada, 80), (bob, 20)):
        bench.rate(contact_id, value)
    bench.settle()
    (rating_id,) = [
        one["id"] for one in bench.box.wix.ratings.values() if one["owner"]["contactId"] == bob
    ]
    (external_id,) = [one for one, row in bench.box.reviews.ratings.items() if "bob" in str(row)]
    bench.box.wix.delete_contact(bob, privacy=True)
    bench.settle()
    for name in (bob, rating_id):
        bench.box.wix.webhooks.again(name)
    bench.box.reviews.webhooks.again(external_id)
    bench.settle()
    assert (bench.wix_values(), bench.external_scores()) == ([80], [Decimal(4)])
    traces = (bob, rating_id, external_id, "bob@example.com", "Bob")
    assert [trace for trace in traces if trace in bench.on_file()] == []
    assert [key for key in redis.keys("*") if any(trace in str(key) for trace in traces)] == []
    assert "ada@example.com" in bench.on_file()


@pytest.mark.full
def test_contact_that_an_owner_deletes_takes_no_rating_along(bench: Bench) -> None:
    site = bench.add_site()
    bob = bench.person("bob@example.com")
    bench.rate(bob, 20)
    bench.settle()
    bench.box.wix.delete_contact(bob)
    bench.settle()
    assert (bench.wix_values(), bench.external_scores()) == ([20], [Decimal(1)])
    assert bench.wiring.ledger.directory.contact(site.id, email="bob@example.com") is None


def test_address_that_a_contact_gets_releases_what_waited_for_it(bench: Bench) -> None:
    bench.add_site()
    bob = str(bench.box.wix.add_contact(None, "Bob")["id"])
    bench.rate(bob, 20)
    assert "held no_email" in bench.settle()
    bench.box.wix.change_email(bob, "bob@example.com")
    bench.settle()
    assert bench.external_scores() == [Decimal(1)]


@pytest.mark.full
def test_site_opens_by_itself_where_one_connector_is_free(
    bench: Bench,
) -> None:
    """A site opens by itself when the app is installed and one connector is free."""
    bob = bench.person("bob@example.com")
    bench.rate(bob, 20)
    assert set(bench.settle()) == {"held unknown_site"}
    bench.box.wix.install()
    bench.settle()
    (site,) = bench.wiring.admin.sites.all()
    assert (site.instance_id, site.connector, site.state) == (
        bench.box.wix.instance_id,
        "own-service",
        "active",
    )
    assert bench.external_scores() == []  # nothing crosses before its products are mapped
    bench.map_products(site)
    bench.settle()
    assert bench.external_scores() == [Decimal(1)]


@pytest.mark.full
def test_duplicated_site_waits_for_a_connector_of_its_own(bench: Bench) -> None:
    """A duplicated site waits for a connector of its own and has no mapping."""
    origin = bench.add_site()
    copy = "22222222-0000-4000-8000-000000000002"
    bench.box.wix.install(copy, origin.instance_id)
    assert bench.settle() == ["held unknown_site"]
    assert [one.instance_id for one in bench.wiring.admin.sites.all()] == [origin.instance_id]


@pytest.mark.full
def test_removed_site_rests_and_goes_on_after_a_new_installation(
    bench: Bench,
) -> None:
    """A removed site rests, keeps its rows and goes on after a new installation."""
    bench.add_site()
    bob = bench.person("bob@example.com")
    bench.rate(bob, 20)
    bench.settle()
    bench.box.wix.remove()
    bench.settle()
    assert bench.state() == "removed"
    bench.wiring.ledger.site_cache.seconds = 0.0
    (rating_id,) = bench.box.wix.ratings
    bench.box.wix.update_rating(rating_id, 100, VISITOR)
    assert bench.settle() == ["done site_removed"]
    assert bench.external_scores() == [Decimal(1)]
    with bench.wiring.ledger.engine.connect() as connection:
        told = select(inbox.c.payload).where(
            inbox.c.reason == "site_removed", inbox.c.change == "upsert"
        )
        assert connection.execute(told).scalars().all() == [{}]
    bench.box.wix.install()
    bench.settle()
    assert bench.state() == "active"
    assert (bench.wix_values(), bench.external_scores()) == ([100], [Decimal(5)])


@pytest.mark.full
def test_two_people_whose_addresses_look_alike_stay_two(bench: Bench) -> None:
    """Each rating outside arrives at the contact of its own rater."""
    bench.add_site()
    raters = {"stra\u00dfe@example.com": 5, "strasse@example.com": 1}
    contacts = {email: bench.person(email) for email in raters}
    for email, score in raters.items():
        draft = {
            "subject": {"id": "BEANS"},
            "author": {"email": email, "display_name": "A"},
            "score": Decimal(score),
        }
        bench.box.reviews.create(draft, by="visitor")
    bench.settle()
    found = {row["owner"]["contactId"]: row["value"] for row in bench.box.wix.ratings.values()}
    assert found == {contacts[email]: 20 * score for email, score in raters.items()}


@pytest.mark.full
def test_one_person_of_two_spellings_of_a_domain_is_one(bench: Bench) -> None:
    site = bench.add_site()
    bench.person("ada@b\u00fccher.example")
    for email, product in (
        ("ada@xn--bcher-kva.example", "BEANS"),
        ("Ada@B\u00fccher.example", "MUG"),
    ):
        draft = {
            "subject": {"id": product},
            "author": {"email": email, "display_name": "A"},
            "score": Decimal(4),
        }
        bench.box.reviews.create(draft, by="visitor")
    bench.settle()
    assert bench.wix_values() == [80, 80]
    assert len(bench.wiring.admin.mappings.contacts(site.id)) == 1


class Kept:
    """Whatever the product keeps anywhere: its ledger, its files, Redis and its log."""

    def __init__(
        self, bench: Bench, redis: Redis, folder: Path, logged: pytest.CaptureFixture[str]
    ) -> None:
        self.bench, self.redis, self.folder, self.logged = bench, redis, folder, logged

    def places_naming(self, *words: str) -> list[str]:
        """Where one of these words stands, in any case of letters."""
        places = {"ledger": self.bench.on_file().encode()}
        for path in self.folder.rglob("*"):
            if path.is_file():
                places[path.name] = path.read_bytes()
        for key in self.redis.keys("*"):
            places[f"redis {key!r}"] = repr((key, self.redis.dump(key))).encode()
        places["log"] = "".join(self.logged.readouterr()).encode()
        wanted = [word.lower().encode() for word in words]
        return sorted(
            place
            for place, content in places.items()
            if any(word in content.lower() for word in wanted)
        )


@pytest.fixture
def kept(bench: Bench, redis: Redis, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Kept:
    return Kept(bench, redis, tmp_path, capfd)


def reviews_outside(bench: Bench, email: str, name: str, score: int) -> None:
    draft = {
        "subject": {"id": "MUG"},
        "author": {"email": email, "display_name": name},
        "score": Decimal(score),
    }
    bench.box.reviews.create(draft, by="visitor")


def a_site_that_rests(bench: Bench, state: SiteState) -> tuple[str, Site]:
    """Ada's and Bob's ratings have crossed; then the site rests, and more of Bob is held."""
    site = bench.add_site()
    ada, bob = bench.person("ada@example.com"), bench.person("bob@example.com")
    for contact_id, value in ((ada, 80), (bob, 20)):
        bench.rate(contact_id, value)
    bench.settle()
    if state is SiteState.REMOVED:
        bench.box.wix.remove()
        bench.settle()
    else:
        bench.wiring.admin.sites.set_state(site.id, state)
    bench.wiring.ledger.site_cache.seconds = 0.0
    bench.wiring.ledger.site_cache.clear()
    bench.rate(bob, 40, "mug")
    reviews_outside(bench, "bob@example.com", "Bob", 3)
    old = bench.person("bob.old@example.com")
    bench.box.wix.merge_contacts(old, bob)
    # Of a site without our app only the merge is kept, whose own words alone tell of it.
    ending = {SiteState.PAUSED: "held", SiteState.REMOVED: "done"}[state]
    assert set(bench.settle()) == {f"{ending} site_{state}"}
    return bob, site


@pytest.mark.parametrize("state", [SiteState.PAUSED, SiteState.REMOVED])
def test_person_who_asks_is_forgotten_while_the_site_rests(
    bench: Bench, kept: Kept, state: SiteState
) -> None:
    """Also in what is held until the site goes on, in Redis, in the log and in every file."""
    bob, _ = a_site_that_rests(bench, state)
    assert kept.places_naming("bob@example.com") != []
    calls = bench.box.wix.calls.copy()
    bench.box.wix.delete_contact(bob, privacy=True)
    bench.settle()
    bench.box.wix.webhooks.again(bob)
    bench.settle()
    assert kept.places_naming(bob, "bob@example.com", "bob.old@example.com", "Bob") == []
    # Her rating outside that never crossed is not ours.
    assert bench.external_scores() == [Decimal(3), Decimal(4)]
    assert "ada@example.com" in bench.on_file()
    if state is SiteState.REMOVED:
        # The app is not there any more: nobody asks Wix.
        assert bench.box.wix.calls == calls


def test_person_who_asks_is_forgotten_before_anybody_adds_the_site(
    bench: Bench, kept: Kept
) -> None:
    """And a late event of that person is not kept, while those of others wait."""
    ada, bob = bench.person("ada@example.com"), bench.person("bob@example.com")
    bench.rate(ada, 80)
    bench.rate(bob, 20)
    bench.box.wix.change_email(bob, "bob.new@example.com")
    assert set(bench.settle()) == {"held unknown_site"}
    assert kept.places_naming("bob.new@example.com") != []
    bench.box.wix.delete_contact(bob, privacy=True)
    bench.settle()
    bench.box.wix.webhooks.again(bob)
    bench.settle()
    assert kept.places_naming(bob, "bob@example.com", "bob.new@example.com", "Bob") == []
    assert kept.places_naming("ada@example.com") != []
    bench.add_site()
    bench.settle()
    assert bench.external_scores() == [Decimal(4)]


@pytest.mark.full
@pytest.mark.parametrize("policy", ["hold", "create"])
def test_row_of_a_file_makes_nobody_a_contact_who_was_erased(bench: Bench, policy: str) -> None:
    site = bench.add_site()
    bob = bench.person("bob@example.com")
    bench.rate(bob, 20)
    bench.settle()
    bench.box.wix.delete_contact(bob, privacy=True)
    bench.settle()
    site = bench.wiring.admin.sites.set_policy(site.id, {"unknown_contact": policy})
    intake = bench.wiring.intake(bench)
    importer = Importer(intake.engine, intake.connect(site), site)
    row = RatingRow(EntityRef("BEANS"), Side.EXTERNAL, "bob@example.com", "Bob", {})
    importer.find_people([row])
    assert importer.key_of(row) == ERASED
    assert "bob@example.com" not in bench.on_file()
