"""The first steps of a site in the browser; a worker's part runs when the pages ask for it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sync_sandbox.products import Product
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.doctor.live.asked import looked_at, onboarded, probed
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.ledger.accounts.sealing import new_key, public_of
from sync_worker.services.access.who import Role
from sync_worker.services.onboarding.steps import Step, StepState
from sync_worker.wiring import Wiring
from tests.integration.console.ground import Browser, Ground, ground_over

pytestmark = pytest.mark.full

PAGE = "/sites/1/onboarding"
BAD = "<script>alert(1)</script>"
NAMES = {
    "OWN_SERVICE_URL": "base_url",
    "OWN_SERVICE_TOKEN": "token",
    "OWN_SERVICE_WEBHOOK_SECRET": "webhook_secret",
}
# What each step that waits for a person is told, and what the page says then.
YES = {
    "webhooks": "I have made the webhooks",
    "pairs": "These pairs are right: map all of them",
    "scale": "Yes, this is what the stars mean",
    "start": "Start the sync",
}


@dataclass
class Worker:
    """Does at once what it is asked for; without ``parts`` it only notes it."""

    parts: Wiring | None = None
    asked: list[tuple[int, list[str], str]] = field(default_factory=list)

    def probe(self, public_id: str, actor: str) -> None:
        if self.parts is not None:
            probed(self.parts, public_id, actor)

    def onboard(self, site_id: int, confirmed: Sequence[str], actor: str) -> None:
        self.asked.append((site_id, list(confirmed), actor))
        if self.parts is not None:
            onboarded(self.parts, site_id, confirmed, actor)


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def ground(sqlite_url: str, worker: Worker) -> Iterator[Ground]:
    """A site that is only installed; nobody works."""
    with ground_over(sqlite_url, CONNECTORS="own-service") as made:
        made.parts.__dict__["asking"] = worker
        made.admin.sites.add("instance-1", "", [])
        made.admin.sites.add("instance-2", "", [])
        yield made


def following(browser: Browser) -> str:
    """The next step and its state, as the page shows them."""
    page = browser.get(PAGE).text
    found = re.search(r'aria-current="step">\s*<h2>([^<]+) <span[^>]*>([^<]+)<', page)
    return f"{html.unescape(found[1])}: {found[2]}" if found else ""


def test_owner_goes_from_installation_to_the_start(
    sqlite_url: str, tmp_path: Path, worker: Worker
) -> None:
    key = new_key()
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        box.wix.catalog.products = [Product("w1", "Mug", "M-1"), Product("w2", "Tea Pot")]
        box.reviews.catalogue = [Product("7", "Cup", "M-1"), Product("8", "tea pot")]
        given = {NAMES[name]: text for name, text in box.settings().items() if name in NAMES}
        ours = {name: text for name, text in box.settings().items() if name not in NAMES}
        ours |= {"DATABASE_URL": sqlite_url, "RATINGS_SYNC_HOME": str(tmp_path)}
        pace = {"WIX_BUDGET_PER_MINUTE": "60000"}
        environ = {**ours, **pace, "SECRETS_KEY": key}
        worker.parts = Wiring(load_settings(environ), environ)
        sealing = {"CONNECTORS": ours["CONNECTORS"], "SECRETS_SEALING_KEY": public_of(key)}
        with ground_over(sqlite_url, **sealing) as ground:
            ground.parts.__dict__["asking"] = worker
            ground.admin.sites.add(box.wix.instance_id, "", [])
            owner = ground.client(Role.OWNER, 1)
            owner.told(owner.send(PAGE, {}, PAGE))
            assert following(owner) == "The shop's account is given: waits for you"
            fields = {f"set.{name}": text for name, text in given.items()}
            fields |= {"connector": "own-service"}
            account = "/sites/1/account"
            assert "All was well" in owner.told(owner.send(account, fields, account))
            owner.told(owner.send(PAGE, {}, PAGE))
            seen = []
            for _ in range(8):
                page = owner.get(PAGE).text
                asks = re.search(r'name="seen" value="(\w+)"><input type="hidden" name="yes"', page)
                if asks is None:
                    break
                seen.append(asks[1])
                if asks[1] == "start":
                    assert looked_at(worker.parts, 1) == "site 1: nothing to do; writes: none"
                    assert owner.get("/sites/1/compare").text.count("Look, nothing written") == 2
                assert YES[asks[1]] in page
                owner.told(owner.send(PAGE, {"seen": asks[1], "yes": "1"}, PAGE))
            assert "All steps are done: the site is at work." in owner.get(PAGE).text, page
            assert seen == ["webhooks", "pairs", "scale", "start"]
            entries = SqlAudit(ground.admin.transactions).of_site(1)
            started = [one.actor for one in entries if one.what == "onboard.start"]
            assert started == ["owner:uid-1"]
            mapped = [one.external.entity_id for one in ground.admin.mappings.entities(1)]
            assert mapped == ["7", "8"]
        worker.parts.close()


def test_page_says_what_is_next_and_lets_a_worker_do_it(ground: Ground, worker: Worker) -> None:
    browser = ground.client(Role.ADMIN)
    assert following(browser) == "The app is installed: to do"
    page = browser.told(browser.send(PAGE, {}, PAGE))
    assert "A worker goes on with the steps now" in page
    assert worker.asked == [(1, [], "some admin")]


def test_yes_to_a_step_that_is_not_the_next_one_is_refused(ground: Ground, worker: Worker) -> None:
    browser = ground.client(Role.OWNER, 1)
    answer = browser.send(PAGE, {"seen": "start", "yes": "1"}, PAGE)
    assert answer.status_code == 409
    assert "another one by now" in answer.text
    assert browser.send(f"{PAGE}/again", {"step": BAD}, PAGE).status_code == 422
    assert worker.asked == []


def test_step_is_left_out_with_a_reason_and_words_are_words(ground: Ground, worker: Worker) -> None:
    browser, steps = ground.client(Role.OWNER, 1), ground.admin.onboarding
    for step in (Step.INSTALLED, Step.ACCOUNT):
        steps.note(1, step, StepState.DONE, BAD, "grace")
    steps.note(1, Step.PROBE, StepState.FAILED, f"{BAD} answers 401", "grace")
    assert following(browser) == "The shop and Wix answer: did not work"
    page = browser.get(PAGE).text
    assert BAD not in page
    assert "answers 401" in page
    refused = browser.send(f"{PAGE}/skip", {"seen": "probe", "why": " "}, PAGE)
    assert refused.status_code == 422
    fields = {"seen": "probe", "why": BAD}
    page = browser.told(browser.send(f"{PAGE}/skip", fields, PAGE))
    assert "The step is left out" in page
    assert BAD not in page
    assert following(browser) == "The shop's webhooks come here: to do"
    assert len(worker.asked) == 1


@pytest.mark.parametrize("path", ["", "/skip", "/again"])
def test_only_who_may_goes_on(ground: Ground, worker: Worker, path: str) -> None:
    fields = {"seen": "installed", "why": "w", "step": "probe"}
    for role in (Role.VIEWER, Role.SUPPORT):
        assert ground.client(role).send(f"{PAGE}{path}", fields).status_code == 403
    other = ground.client(Role.OWNER, 2)
    assert other.send(f"{PAGE}{path}", fields).status_code == 404
    assert other.get(PAGE).status_code == 404
    assert worker.asked == []
