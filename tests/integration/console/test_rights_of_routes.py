"""Each view says whose it is, and each role gets what is theirs: over all routes of the console.

A new page falls under these tests by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from flask import Flask
from werkzeug.routing import Rule

from sync_console.web.parts import has_declared, right_of
from sync_worker.services.access.who import RIGHTS, Right, Role, Who
from tests.integration.console.ground import Ground

# For everybody, logged in or not; whoever adds one says why.
OPEN = {
    "language.choose",  # of a page that they see
    "login.page",
    "login.log_in",
    "login.again",  # of who is logged in; it looks itself
    "login.log_out",
    "login.healthz",
    "invitation.page",
    "invitation.come_in",
    "owner.come_in",
    "owner.take_over",
    "api.openapi",  # what the API is like: no secret
    "static",
}
API = "/api/"  # asked with a token: test_api_rights.py
NOBODYS_ID = 999_999


def rules_of(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Each route with each method that it takes."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if rule.endpoint not in OPEN and not rule.rule.startswith(API):
                yield rule, method


def address_of(rule: Rule, ids: Mapping[str, object] | None = None) -> str:
    """The route's address; what it takes is of nobody, but for what ``ids`` names."""
    with_ids = {name: (ids or {}).get(name, NOBODYS_ID) for name in rule.arguments}
    built = rule.build(with_ids)
    assert built is not None
    return built[1]


def test_each_view_says_whose_right_it_needs(ground: Ground) -> None:
    views = ground.app.view_functions
    assert {name for name, view in views.items() if not has_declared(view)} == {"static"}
    is_open = {name for name, view in views.items() if has_declared(view) and not right_of(view)}
    assert is_open == OPEN - {"static"}


def test_nobody_gets_anything(ground: Ground) -> None:
    browser = ground.anonymous()
    token = {"csrf_token": browser.tokens("/login")["csrf_token"]}
    for rule, method in rules_of(ground.app):
        answer = browser.open(address_of(rule), method=method, data=token)
        assert answer.status_code == 401, (rule.rule, method)


@pytest.mark.parametrize("role", list(Role))
def test_role_gets_what_its_rights_say_and_nothing_else(role: Role, ground: Ground) -> None:
    """403 where the right is missing, before anything is looked up; never where it is there."""
    site_id = ground.site("instance-1") if role is Role.OWNER else None
    browser = ground.client(role, site_id)
    token = browser.tokens("/")
    for rule, method in rules_of(ground.app):
        right = right_of(ground.app.view_functions[rule.endpoint])
        assert right is not None
        address = address_of(rule, {"site_id": site_id or NOBODYS_ID})
        answer = browser.open(address, method=method, data=token)
        is_refused = answer.status_code == 403
        assert is_refused == (right not in RIGHTS[role]), (rule.rule, method, answer.status_code)


def test_form_without_its_token_is_refused_everywhere(ground: Ground) -> None:
    browser = ground.client(Role.ADMIN)
    for rule, method in rules_of(ground.app):
        if method != "GET":
            answer = browser.open(address_of(rule), method=method, data={"form": "x"})
            assert answer.status_code == 400, rule.rule


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_form_of_another_site_is_refused_everywhere(site: str, ground: Ground) -> None:
    browser = ground.client(Role.ADMIN)
    token = browser.tokens("/")
    for rule, method in rules_of(ground.app):
        if method != "GET":
            headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
            answer = browser.open(address_of(rule), method=method, data=token, headers=headers)
            assert answer.status_code == 403, rule.rule


def test_each_answer_has_the_strict_headers(ground: Ground) -> None:
    browser = ground.client(Role.ADMIN)
    paths = [address_of(rule) for rule, method in rules_of(ground.app) if method == "GET"]
    for path in [*paths, "/login", "/nowhere", "/healthz", "/owner?instance=x"]:
        headers = browser.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';"), path
        for word in ("connect-src 'self'", "form-action 'self'", "base-uri 'none'"):
            assert word in policy, path
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_host_that_is_not_ours_is_refused(ground: Ground) -> None:
    browser = ground.client(Role.ADMIN)
    answer = browser.get("/", headers={"Host": "evil.example"})
    assert answer.status_code == 400


@pytest.mark.parametrize("right", list(Right))
def test_program_s_token_has_its_scopes_alone(right: Right) -> None:
    who = Who("token:t", Role.ADMIN, None, frozenset({right}))
    assert [each for each in Right if who.may(each)] == [right]
