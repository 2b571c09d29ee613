"""A site's owner comes from the dashboard of Wix, and nobody else does by that way."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from sync_worker.core.values import SiteState
from sync_worker.services.access.who import Role
from sync_worker.services.onboarding.steps import Step, StepState
from tests.integration.console.ground import Browser, Ground, ground_over
from tests.integration.console.signed_instance import instance_of, signature_of, unpadded

ANCESTORS = "frame-ancestors https://manage.wix.com https://*.wix.com https://*.editorx.com"
HTTPS = "https://console.example.com"


@pytest.fixture
def ground(sqlite_url: str) -> Iterator[Ground]:
    """With https, and one site."""
    more = {"CONSOLE_PUBLIC_URL": HTTPS, "WIX_APP_ID": "app-1"}
    with ground_over(sqlite_url, **more) as made:
        made.site("instance-1")
        yield made


def come(browser: Browser, instance: str, **more: str) -> TestResponse:
    query = "&".join(f"{name}={quote(value)}" for name, value in more.items())
    return browser.get(f"/owner?instance={quote(instance)}&viewMode=dashboard&{query}")


def entered(browser: Browser, instance: str, **more: str) -> TestResponse:
    """Where the redirects led to."""
    answer = come(browser, instance, **more)
    while answer.status_code == 303:
        answer = browser.get(answer.headers["Location"])
    return answer


def test_owner_comes_in_and_the_instance_leaves_the_address(ground: Ground) -> None:
    browser, instance = ground.anonymous(), instance_of()
    first = come(browser, instance)
    assert first.status_code == 303
    assert instance not in first.headers["Location"]
    assert first.headers["Referrer-Policy"] == "no-referrer"
    second = browser.get(first.headers["Location"])
    assert second.headers["Location"] == "/"
    page = browser.get("/")
    assert page.status_code == 200
    assert "owner:uid-of-the-owner" in page.text


def test_owner_quicker_than_the_webhook_is_let_in_by_the_same_address(ground: Ground) -> None:
    """The page asks again by itself, without a script, until Wix's webhook has come."""
    browser, instance = ground.anonymous(), instance_of("instance-2")
    early = come(browser, instance)
    assert early.status_code == 403
    assert int(early.headers["Refresh"]) > 0
    assert "opens by itself" in early.text
    ground.admin.sites.add("instance-2", "", ())
    assert entered(browser, instance).status_code == 200
    assert "Refresh" not in come(browser, instance_of(secret="another secret")).headers


def test_owner_comes_to_the_first_steps_as_long_as_they_are_under_way(ground: Ground) -> None:
    def first_page() -> str:
        browser = ground.anonymous()
        first = come(browser, instance_of())
        return browser.get(first.headers["Location"]).headers["Location"]

    note = ground.admin.onboarding.note
    assert first_page() == "/", "nobody has begun: the site's shop is the environment's"
    note(1, "installed", "done", "", "wix:installed")
    assert first_page() == "/sites/1/onboarding"
    for step in Step:
        note(1, step, StepState.DONE, "", "grace")
    assert first_page() == "/"


def test_cookie_of_a_frame_is_partitioned_and_safe(ground: Ground) -> None:
    browser = ground.anonymous()
    first = come(browser, instance_of())
    (cookie,) = browser.get(first.headers["Location"]).headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-ratings-owner=")
    for word in ("HttpOnly", "Secure", "SameSite=None", "Partitioned", "Path=/"):
        assert word in cookie
    assert "Domain" not in cookie


def test_only_pages_of_owners_may_be_framed_and_by_wix_alone(ground: Ground) -> None:
    owner = ground.anonymous()
    assert ANCESTORS in entered(owner, instance_of()).headers["Content-Security-Policy"]
    for browser in (ground.client(Role.ADMIN), ground.anonymous()):
        policy = browser.get("/").headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy


REFUSED = {
    "forged": instance_of(secret="another secret"),
    "signature of another text": f"{signature_of('x')}.{instance_of().partition('.')[2]}",
    "no signature": f".{instance_of().partition('.')[2]}",
    "no data": f"{signature_of('')}.",
    "nothing": "",
    "one part": "instance-1",
    "plain instance id": "instance-1.instance-1",
    "text that is no JSON": f"{signature_of('bm8')}.bm8",
    "JSON that is no object": f"{signature_of(unpadded(b'[1]'))}.{unpadded(b'[1]')}",
    "deep JSON": f"{signature_of(unpadded(b'[' * 3000))}.{unpadded(b'[' * 3000)}",
    "no letters": "ü.ü",
    "expired": instance_of(age_seconds=601),
    "from the future": instance_of(age_seconds=-7200),
    "no date": instance_of(leave_out=("signDate",)),
    "odd date": instance_of(signDate="yesterday"),
    "date that is a number": instance_of(signDate=1),
    "past its own end": instance_of(expirationDate="2020-01-01T00:00:00.000Z"),
    "odd end": instance_of(expirationDate="soon"),
    "anonymous by aid": instance_of(aid="aid-1"),
    "anonymous by an empty aid": instance_of(aid=None),
    "anonymous without uid": instance_of(leave_out=("uid",)),
    "uid that is nothing": instance_of(uid=None),
    "empty uid": instance_of(uid=""),
    "another app": instance_of(appDefId="app-2"),
    "contributor": instance_of(permissions="", siteOwnerId="somebody else"),
    "site that is not installed": instance_of("instance-9"),
    "no site": instance_of(leave_out=("instanceId",)),
    "site that is a list": instance_of(instanceId=["instance-1"]),
}


@pytest.mark.parametrize("why", REFUSED)
def test_instance_is_refused(why: str, ground: Ground) -> None:
    browser = ground.anonymous()
    answer = come(browser, REFUSED[why])
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers
    assert browser.get("/").status_code == 401


def test_replayed_instance_lets_nobody_else_in(ground: Ground) -> None:
    owner, thief, instance = ground.anonymous(), ground.anonymous(), instance_of()
    assert entered(owner, instance).status_code == 200
    assert come(thief, instance).status_code == 403
    assert thief.get("/").status_code == 401
    assert entered(owner, instance).status_code == 200, "their own frame may be loaded again"


def test_code_of_the_redirect_counts_once(ground: Ground) -> None:
    owner, thief = ground.anonymous(), ground.anonymous()
    address = come(owner, instance_of()).headers["Location"]
    assert owner.get(address).status_code == 303
    assert thief.get(address).status_code == 403
    thief.set_cookie("__Host-ratings-owner", address.partition("=")[2])
    assert thief.get("/").status_code == 401, "a code is no session"


def test_removed_site_lets_nobody_in_and_ends_its_sessions(ground: Ground) -> None:
    browser = ground.anonymous()
    assert entered(browser, instance_of()).status_code == 200
    ground.admin.sites.set_state(1, SiteState.REMOVED)
    assert browser.get("/").status_code == 401
    assert come(browser, instance_of()).status_code == 403


def test_pages_work_without_cookies_by_a_header_or_a_field(ground: Ground) -> None:
    """Where frames have no cookies, the page carries the session."""
    bare = ground.anonymous(use_cookies=False)
    page = bare.get(come(bare, instance_of()).headers["Location"])
    assert page.status_code == 200
    secret = page.text.partition("X-Console-Session&#34;: &#34;")[2].partition("&#34;")[0]
    assert bare.get("/").status_code == 401
    shown = bare.get("/", headers={"X-Console-Session": secret})
    assert shown.status_code == 200
    assert "X-Console-Session" in shown.text


def test_operator_s_session_never_comes_by_a_header(ground: Ground) -> None:
    secret = ground.cookie(Role.ADMIN)[1]
    bare = ground.anonymous(use_cookies=False)
    assert bare.get("/", headers={"X-Console-Session": secret}).status_code == 401


def test_instance_gives_no_right_to_a_post(ground: Ground) -> None:
    answer = ground.anonymous().post(f"/owner?instance={instance_of()}", {})
    assert answer.status_code in (400, 405)


def test_language_is_that_of_the_dashboard(ground: Ground) -> None:
    browser = ground.anonymous()
    assert 'lang="en"' in entered(browser, instance_of(), locale="xx").text
