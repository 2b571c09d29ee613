"""The account of a site in the browser: given, changed, probed, paused, rotated, revoked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis import Redis

from sync_worker.core.errors import Transient
from sync_worker.core.values import Account
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.ledger.accounts.sealing import new_key, public_of
from sync_worker.runtime.celery.asking import WorkersAsked
from sync_worker.runtime.celery.broker import is_readable
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.services.access.who import COMMAND, Role
from tests.integration.console.ground import FORM, TOKEN, Browser, Ground, ground_over
from tests.integration.console.rating_ground import RatingGround
from tests.unit.manifest.test_settings import SMALL, written

pytestmark = pytest.mark.full

PAGE = "/sites/1/account"
VALUES = {
    "set.base_url": "https://shop.example.org",
    "set.token": "t-canary",
    "set.hook_secret": "s-canary",
    "set.region": "eu",
    "set.pace": "",
}
BAD = "<script>alert(1)</script>"
ACTS = ("account", "account/probe", "account/pause", "account/address", "account/revoke")


@dataclass
class Asked:
    """In the place of the workers. ``is_away``: nobody can be asked."""

    probes: list[tuple[str, str]] = field(default_factory=list)
    is_away: bool = False

    def probe(self, public_id: str, actor: str) -> None:
        if self.is_away:
            raise Transient("Redis does not answer")
        self.probes.append((public_id, actor))


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def ground(sqlite_url: str, tmp_path: Path, asked: Asked) -> Iterator[Ground]:
    """Two sites without an account; the console seals, and can open nothing."""
    environ = {
        "CONNECTORS": str(written(tmp_path, SMALL)),
        "RATINGS_SYNC_HOME": str(tmp_path),
        "SECRETS_SEALING_KEY": public_of(new_key()),
        "GATEWAY_PUBLIC_URL": "https://door.example",
    }
    with ground_over(sqlite_url, **environ) as made:
        made.parts.__dict__["asking"] = asked
        made.admin.sites.add("instance-1", "", [])
        made.admin.sites.add("instance-2", "", [])
        yield made


def given(browser: Browser, **changes: str) -> str:
    fields = {**VALUES, **{f"set.{name}": text for name, text in changes.items()}}
    return browser.told(browser.send(PAGE, {**fields, "connector": "small-shop"}, PAGE))


def of_site(ground: Ground, site_id: int = 1) -> Account:
    found = ground.parts.accounts.store.of_site(site_id)
    assert found is not None
    return found


def kinds(ground: Ground) -> list[tuple[str, str]]:
    return [(one.what, one.actor) for one in SqlAudit(ground.admin.transactions).of_site(1)]


def test_form_asks_for_what_the_manifest_declares(ground: Ground) -> None:
    page = ground.client(Role.OWNER, 1).get(PAGE).text
    assert "What to fetch, and where" in page
    assert re.search(r'id="set-base_url" name="set.base_url" type="url"', page)
    assert re.search(r'name="set.token" type="password" value=""', page)
    assert 'placeholder="2"' in page
    assert re.findall(r'<option value="(eu|us)"', page) == ["eu", "us"]


@pytest.mark.parametrize(("role", "name"), [(Role.ADMIN, "some admin"), (Role.OWNER, "uid-1")])
def test_account_is_given_sealed_and_tried_out_by_a_worker(
    ground: Ground, asked: Asked, role: Role, name: str
) -> None:
    page = given(ground.client(role, 1))
    assert "The account is given, and at work. A worker tries it out now" in page
    account = of_site(ground)
    assert dict(account.settings) == {"base_url": "https://shop.example.org", "region": "eu"}
    assert set(account.secret_names) == {"token", "hook_secret"}
    assert f"https://door.example/webhooks/external/small-shop/{account.public_id}" in page
    assert "It has not been tried out yet." in page
    (probe,) = asked.probes
    assert probe[0] == account.public_id
    assert name in probe[1]
    assert name in kinds(ground)[0][1]


def test_secret_is_in_no_answer_and_in_no_row(ground: Ground) -> None:
    browser = ground.client(Role.OWNER, 1)
    pages = [given(browser), browser.get(PAGE).text]
    # Refused ones are not told again either.
    fields = {"set.base_url": "nowhere", "set.token": "t2-canary", "version": "1"}
    pages.append(browser.send(PAGE, fields, PAGE).text)
    assert not [page for page in pages if "canary" in page]
    assert "canary" not in ground.everything_of(1)
    assert "canary" not in str(SqlAudit(ground.admin.transactions).of_site(1))


def test_wrong_values_stand_beside_their_fields_and_nothing_typed_is_lost(ground: Ground) -> None:
    browser = ground.client(Role.OWNER, 1)
    fields = {**VALUES, "set.base_url": BAD, "set.pace": "many", "connector": "small-shop"}
    answer = browser.send(PAGE, fields, PAGE)
    assert answer.status_code == 422
    assert BAD not in answer.text
    assert 'value="&lt;script&gt;alert(1)&lt;/script&gt;"' in answer.text
    assert 'value="many"' in answer.text
    assert "Calls a second) is a whole number" in answer.text
    assert re.search(r'id="problem-base_url" class="problem" role="alert">base_url', answer.text)
    assert '<option value="eu" selected>' in answer.text
    assert ground.parts.accounts.store.of_site(1) is None
    # The same form can be sent again, once it is right.
    tokens = {"csrf_token": TOKEN.findall(answer.text)[0], "form": FORM.findall(answer.text)[-1]}
    assert browser.post(PAGE, {**fields, **VALUES, **tokens}).status_code == 303


def test_shop_of_another_site_is_refused_with_what_was_typed(ground: Ground) -> None:
    document = {**SMALL, "account_identity": ["base_url"]}
    Path(ground.parts.settings.connectors).write_text(str(document).replace("'", '"'))
    given(ground.client(Role.OWNER, 1))
    fields = {**VALUES, "connector": "small-shop"}
    answer = ground.client(Role.OWNER, 2).send("/sites/2/account", fields, "/sites/2/account")
    assert answer.status_code == 422
    assert 'value="https://shop.example.org"' in answer.text
    assert "serves site 1 already" in answer.text


def test_empty_secret_keeps_the_one_that_is_given(ground: Ground) -> None:
    browser = ground.client(Role.ADMIN)
    given(browser, pace="5")
    fields = {**VALUES, "set.token": "", "set.hook_secret": "", "set.region": "us"}
    page = browser.told(browser.send(PAGE, {**fields, "version": "1"}, PAGE))
    assert "The account has its new values." in page
    account = of_site(ground)
    # An optional one that is emptied is left out.
    assert dict(account.settings) == {"base_url": "https://shop.example.org", "region": "us"}
    assert set(account.secret_names) == {"token", "hook_secret"}
    again = browser.told(browser.send(PAGE, {**fields, "version": "2"}, PAGE))
    assert "Nothing was changed" in again


def test_who_comes_second_changes_nothing(ground: Ground) -> None:
    browser = ground.client(Role.ADMIN)
    given(browser)
    ground.parts.accounts.change(of_site(ground), {"region": "us"}, "grace")
    answer = browser.send(PAGE, {"set.pace": "7", "version": "1"}, PAGE)
    assert answer.status_code == 409
    assert "Somebody has changed the account meanwhile" in answer.text
    assert 'value="7"' in answer.text
    assert "pace" not in of_site(ground).settings
    assert browser.send(f"{PAGE}/pause", {"version": "1"}, PAGE).status_code == 409


def test_account_is_paused_resumed_rotated_and_revoked(ground: Ground, asked: Asked) -> None:
    browser = ground.client(Role.OWNER, 1)
    given(browser)
    fields = {"why": BAD, "version": "1"}
    page = browser.told(browser.send(f"{PAGE}/pause", fields, PAGE))
    assert "The account is paused." in page
    assert BAD not in page
    assert "The account goes on" in browser.told(browser.send(f"{PAGE}/resume", {}, PAGE))
    old = of_site(ground).addresses[0].address
    page = browser.told(browser.send(f"{PAGE}/address", {}, PAGE))
    assert len(re.findall(r"door.example/webhooks/external/small-shop/\w{26}", page)) == 2
    assert f"/{old}" in page
    assert "stands here" in browser.told(browser.send(f"{PAGE}/probe", {}, PAGE))
    assert len(asked.probes) == 2
    refused = browser.send(f"{PAGE}/revoke", {"name": "other"}, PAGE)
    assert refused.status_code == 422
    assert "type its name, small-shop" in refused.text
    fields = {"name": "small-shop", "why": "key leaked"}
    page = browser.told(browser.send(f"{PAGE}/revoke", fields, PAGE))
    assert "The account is revoked" in page
    assert "the site waits for another one" in page
    assert ground.parts.accounts.store.of_site(1) is None
    assert kinds(ground)[0][0] == "account.revoke"


def test_last_probe_is_told_in_words(ground: Ground) -> None:
    browser = ground.client(Role.SUPPORT)
    given(ground.client(Role.ADMIN))
    check = {"name": "token", "verdict": "bad", "what": BAD, "next_step": "make another one"}
    said = {"good": False, "checks": [check]}
    ground.parts.accounts.note_probe(of_site(ground), said, "grace")
    page = browser.get(PAGE).text
    assert "Something was wrong when it was tried out" in page
    assert "make another one" in page
    assert BAD not in page
    # Whoever may not change an account sees neither its values nor its address.
    assert "shop.example.org" not in page
    assert of_site(ground).public_id not in page


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT])
@pytest.mark.parametrize("path", ACTS)
def test_who_may_not_changes_nothing(ground: Ground, role: Role, path: str) -> None:
    given(ground.client(Role.ADMIN))
    fields = {**VALUES, "name": "small-shop"}
    assert ground.client(role).send(f"/sites/1/{path}", fields).status_code == 403
    assert of_site(ground).version == 1


@pytest.mark.parametrize("path", ACTS)
def test_owner_of_another_site_reaches_nothing(ground: Ground, path: str) -> None:
    given(ground.client(Role.ADMIN))
    other = ground.client(Role.OWNER, 2)
    assert other.send(f"/sites/1/{path}", VALUES).status_code == 404
    assert other.get(PAGE).status_code == 404
    assert of_site(ground).version == 1


def test_account_is_given_though_nobody_can_be_asked(ground: Ground, asked: Asked) -> None:
    asked.is_away = True
    browser = ground.client(Role.ADMIN)
    assert "Nobody tries it out yet: Redis does not answer" in given(browser)
    assert browser.send(f"{PAGE}/probe", {}, PAGE).status_code == 503


def test_shop_of_the_environment_is_told_as_such(ground: Ground) -> None:
    ground.admin.sites.add("instance-3", "small-shop", [])
    page = ground.client(Role.ADMIN).get("/sites/3/account").text
    assert "is set in the environment of this installation" in page
    assert 'name="set.' not in page


def test_workers_are_asked_over_redis(redis: Redis, redis_server: EmbeddedRedis) -> None:
    WorkersAsked(lambda: redis_server.url, "here:").probe("abc", "grace")
    (message,) = redis.lrange("here:maint", 0, -1)
    assert is_readable(json.loads(message))
    assert json.loads(message)["headers"]["task"] == "sync_worker.tasks.probe_account"


def test_workers_are_told_of_a_decision_at_once(
    redis: Redis, redis_server: EmbeddedRedis, sqlite_url: str
) -> None:
    with ground_over(sqlite_url, REDIS_URL=redis_server.url, REDIS_KEY_PREFIX="rung:") as made:
        there = RatingGround(made.parts.transactions.engine)
        answer = made.client(Role.SUPPORT).send(f"/ratings/{there.eve}/compare")
    assert answer.status_code == 303
    (message,) = redis.lrange("rung:sync", 0, -1)
    assert is_readable(json.loads(message))
    assert json.loads(message)["headers"]["task"] == "sync_worker.tasks.sync_delivery"


def test_decision_is_stored_while_nobody_can_be_told(sqlite_url: str) -> None:
    """The sweeper finds it."""
    with ground_over(sqlite_url, REDIS_URL="redis://127.0.0.1:1/0") as made:
        there = RatingGround(made.parts.transactions.engine)
        answer = made.client(Role.SUPPORT).send(f"/ratings/{there.eve}/compare")
        assert answer.status_code == 303
        shown = made.parts.ratings.one(COMMAND, there.eve)
    assert shown is not None
    assert shown.waiting == 1


def test_redis_that_is_away_is_said() -> None:
    with pytest.raises(Transient, match="no worker can be asked"):
        WorkersAsked(lambda: "redis://127.0.0.1:1/0", "").probe("abc", "grace")
