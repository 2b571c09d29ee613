"""A site with links on Wix Ratings changes to Wix Reviews and back, by its command, over HTTP."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.core.outcome import Outcome
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import Change, EntityRef, NewDelivery, Side, Site, SiteState
from sync_worker.ledger.process_tables import set_aside
from sync_worker.ledger.tables import site as sites
from sync_worker.manifest.default_field import default_field
from sync_worker.wiring import Wiring
from tests.commands import run_command

pytestmark = [
    pytest.mark.usefixtures("ledger_at_home"),
    pytest.mark.any_redis,
    pytest.mark.full,
]
PRODUCT = "44444444-0000-4000-8000-000000000004"
MEMBER = {"identityType": "MEMBER"}


class Silent:
    def ring(self, inbox_ids: Any) -> None:
        return


@dataclass
class Story:
    """An installation whose processes a test plays; the commands are real ones."""

    box: Sandbox
    folder: Path
    environ: dict[str, str]
    wiring: Wiring

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return run_command(words, self.folder, self.environ, 90)

    def good(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def site(self) -> Site:
        return self.wiring.admin.sites.find(None)

    def store(
        self, fqdn: str, change: Change, remote_id: str, number: int, *, privacy: bool = False
    ) -> int:
        """The gateway takes a webhook of Wix."""
        source = self.site.instance_id
        payload: dict[str, Any] = {"entityFqdn": fqdn}
        if privacy:
            payload |= {"slug": "deleted", "triggeredByAnonymizeRequest": True}
        new = NewDelivery(
            Side.WIX, source, f"event-{number}", change, remote_id, payload, 9, privacy=privacy
        )
        return self.wiring.ledger.inbox.store(new).inbox_id

    def process(self, inbox_id: int) -> Outcome:
        """A worker that has run all the time comes to it, again where a budget lets it wait."""
        intake = self.wiring.intake(Silent())
        outcome = intake.process(inbox_id)
        for _ in range(20):
            if str(outcome).startswith(("done", "synced")):
                break
            time.sleep(0.5)
            outcome = intake.process(inbox_id)
        return outcome

    def hear(self, fqdn: str, change: Change, remote_id: str, number: int) -> Outcome:
        return self.process(self.store(fqdn, change, remote_id, number))

    def outside(self) -> list[tuple[str, str]]:
        """What the review service shows: address and score."""
        shown = self.box.reviews.ratings.values()
        return sorted(
            (one["author"]["email"], str(one["score"]))
            for one in shown
            if one["visibility"] != "removed"
        )

    def writes(self) -> int:
        box = self.box
        return len(box.wix.journal) + len(box.reviews.journal) + len(box.wix.reviews.journal)


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        environ = {
            "PATH": os.environ["PATH"],
            **box.settings(),
            "RATINGS_SYNC_HOME": str(tmp_path),
            "WIX_BUDGET_PER_MINUTE": "60000",
            "WIX_BUDGET_CAPACITY": "1000",
            "LOG_LEVEL": "ERROR",
        }
        wiring = Wiring(load_settings(environ), environ)
        fields = [default_field(wiring.manifests["own-service"])]
        site, _ = wiring.admin.sites.add(box.wix.instance_id, "own-service", fields)
        pair = (EntityRef(PRODUCT, "stores", "reviews"), EntityRef("SKU-1"))
        wiring.admin.mappings.import_entities(site, [pair])
        yield Story(box, tmp_path, environ, wiring)
        wiring.close()


def rate(story: Story, email: str, value: int) -> dict[str, Any]:
    contact = story.box.wix.add_contact(email, email)
    rating = {
        "namespace": "reviews",
        "group": "stores",
        "entityId": PRODUCT,
        "attributeName": "overall",
        "value": value,
        "owner": {"contactId": contact["id"]},
    }
    made: dict[str, Any] = story.box.wix.create_rating(rating, MEMBER)
    return made


def review(story: Story, email: str, stars: int) -> dict[str, Any]:
    box = story.box.wix
    found = [one for one in box.contacts.values() if one["primaryInfo"]["email"] == email]
    contact = found[0] if found else box.add_contact(email, email)
    written = {
        "namespace": "stores",
        "entityId": PRODUCT,
        "author": {"contactId": contact["id"]},
        "content": {"rating": stars, "title": "Mine", "body": "Words."},
    }
    made: dict[str, Any] = box.reviews.create(written, MEMBER)
    return made


def test_site_changes_to_reviews_and_back_and_loses_nothing(story: Story) -> None:
    """Change, a webhook of the old kind, a sweep, the baseline, and the way back."""
    ratings = [rate(story, "ada@example.com", 80), rate(story, "bob@example.com", 40)]
    eve = rate(story, "eve@example.com", 20)
    story.good("reconcile", "--yes")
    ada, bob, cat = ("ada@example.com", "4"), ("bob@example.com", "2"), ("cat@example.com", "5")
    assert story.outside() == [ada, bob, ("eve@example.com", "1")]
    delete_crosses_before_anything_changes(story, eve["id"])
    assert story.outside() == [ada, bob]
    of_cat = review(story, "cat@example.com", 5)
    plan_is_told_and_carried_out_once_said_yes_to(story)
    webhook_of_the_old_kind_ends_for_all_to_see(story, ratings[1]["id"])

    # The plan shows what the baseline writes; said yes to, it does that and the site goes on.
    before = story.writes()
    plan = story.good("reconcile", "--dry-run")
    assert "create on wix" in plan
    assert "delete" not in plan
    assert story.writes() == before
    story.good("reconcile", "--yes")
    assert story.site.state is SiteState.ACTIVE
    assert [email[:3] for email, _ in story.outside()] == ["ada", "bob", "cat"]
    reviews = story.box.wix.reviews.by_id.values()
    assert sorted(one["content"]["rating"] for one in reviews) == [2, 4, 5]
    assert of_cat["id"] in story.box.wix.reviews.by_id

    # Back: links and their bases are as they were, and no first look deletes anything.
    reviews_there = dict(story.box.wix.reviews.by_id)
    back = story.good("site", "set", "--wix-api", "ratings", "--yes")
    assert "3 links set aside, 2 brought back" in back
    story.good("reconcile", "--yes")
    assert story.site.state is SiteState.ACTIVE
    assert story.box.wix.reviews.by_id == reviews_there
    assert story.outside() == [ada, bob, cat]
    values = {one["id"]: one["value"] for one in story.box.wix.ratings.values()}
    assert values.pop(ratings[0]["id"]) == 80
    assert list(values.values()) == [100], "what came meanwhile is brought over"
    # What is twice not listed is gone on Wix: it was deleted there meanwhile.
    story.good("reconcile", "--yes")
    assert story.outside() == [ada, cat]


def delete_crosses_before_anything_changes(story: Story, rating_id: str) -> None:
    """What its author has deleted is not brought back."""
    story.box.wix.delete_rating(rating_id, MEMBER)
    waiting = story.store("wix.ratings.v1.rating", Change.DELETE, rating_id, 0)
    refused = story.run("site", "set", "--wix-api", "reviews", "--yes")
    assert refused.returncode == 1
    assert "1 deletes on Wix have not crossed yet" in refused.stderr
    assert (story.site.wix_api, story.site.state) == ("ratings", SiteState.ACTIVE)
    story.process(waiting)


def plan_is_told_and_carried_out_once_said_yes_to(story: Story) -> None:
    """It says first what it will do, and asks; nobody is here to answer."""
    before = story.writes()
    asked = story.run("site", "set", "--wix-api", "reviews")
    assert asked.returncode == 1
    assert "2 links are set aside with their ids" in asked.stdout
    assert story.site.wix_api == "ratings"
    done = story.good("site", "set", "--wix-api", "reviews", "--yes")
    assert "2 links set aside, 0 brought back" in done
    assert "overall (1..5 step 1)" in done
    assert (story.site.state, story.writes()) == (SiteState.RECOVERY, before)


def webhook_of_the_old_kind_ends_for_all_to_see(story: Story, rating_id: str) -> None:
    """Its rating is gone on Wix, and stays outside; nothing sweeps by itself."""
    story.box.wix.delete_rating(rating_id, MEMBER)
    before = story.writes()
    outcome = story.hear("wix.ratings.v1.rating", Change.DELETE, rating_id, 1)
    assert str(outcome) == "done other_wix_api"
    assert not story.wiring.sweeps.runs.is_due(story.site.id, RunKind.SWEEP, -1.0)
    assert story.wiring.sweeps.nightly().work() is False
    assert story.writes() == before


@pytest.mark.parametrize("is_compared", [False, True])
def test_who_asks_to_be_forgotten_is_forgotten_outside(story: Story, is_compared: bool) -> None:
    """Wix tells of the rating that is set aside, or of the person; before the baseline or after."""
    ada, bob = rate(story, "ada@example.com", 80), rate(story, "bob@example.com", 40)
    rate(story, "cat@example.com", 60)
    story.good("reconcile", "--yes")
    story.good("site", "set", "--wix-api", "reviews", "--yes")
    if is_compared:
        story.good("reconcile", "--yes")
    asked = [
        story.store("wix.ratings.v1.rating", Change.DELETE, ada["id"], 7, privacy=True),
        story.store(
            "wix.contacts.v4.contact",
            Change.CONTACT_DELETED,
            bob["owner"]["contactId"],
            8,
            privacy=True,
        ),
    ]
    outcomes = [str(story.process(inbox_id)) for inbox_id in asked]
    assert outcomes == ["synced", "done erased"]
    assert story.outside() == [("cat@example.com", "3")]
    with story.wiring.ledger.engine.connect() as connection:
        assert len(connection.execute(select(set_aside.c.link_id)).all()) == 1


def test_products_with_two_maps_are_told_of(story: Story) -> None:
    """Refused as the site changes to Reviews; where they are from earlier, named."""
    second = (EntityRef(PRODUCT, "stores", "questions"), EntityRef("SKU-2"))
    story.wiring.admin.mappings.import_entities(story.site, [second])
    refused = story.run("site", "set", "--wix-api", "reviews", "--yes")
    assert refused.returncode != 0
    assert "products with more than one map" in refused.stderr
    assert "products of site" not in story.run("status").stdout
    # A version before this refusal changed it.
    with story.wiring.ledger.engine.begin() as connection:
        connection.execute(update(sites).values(wix_api="reviews"))
    for told in (story.run("status").stdout, story.run("doctor").stdout):
        words = " ".join(told.split())
        assert "products of site 1" in words
        assert PRODUCT in words
