"""Each endpoint of the API is for who has its right, at their own sites: over all of them."""

from __future__ import annotations

import pytest

from sync_console.api.asked import Nothing
from sync_console.api.endpoints import ENDPOINTS
from sync_console.web.parts import right_of
from sync_worker.services.access.who import COMMAND, OF_INSTALLATION, RIGHTS, Right, Role
from tests.integration.console.ground import Ground
from tests.integration.console.programs import Program, api_address, api_rules, program
from tests.integration.console.two_sites import MARK, TwoSites, two_sites


@pytest.fixture
def sites(ground: Ground) -> TwoSites:
    return two_sites(ground)


def test_without_a_token_nobody_gets_anything(ground: Ground) -> None:
    ended = program(ground)
    (token,) = ground.parts.access.tokens.page(COMMAND).tokens
    ground.parts.access.tokens.revoke(COMMAND, token.id)
    strangers = [Program(ended.browser, "rs_unknown"), ended, Program(ended.browser, "")]
    for rule, method in api_rules(ground):
        for stranger in strangers:
            answer = stranger.open(api_address(rule), method, json={})
            assert answer.status_code == 401, (rule.rule, stranger.secret)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
            assert answer.content_type == "application/problem+json"
            assert "Set-Cookie" not in answer.headers


def test_cookie_of_an_admin_counts_for_nothing(ground: Ground) -> None:
    browser = ground.client(Role.ADMIN)
    for rule, method in api_rules(ground):
        assert browser.open(api_address(rule), method, json={}).status_code == 401, rule.rule


def test_token_opens_no_page(ground: Ground) -> None:
    assert program(ground).open("/held").status_code == 401


def test_token_gets_what_its_scope_says_and_nothing_else(ground: Ground) -> None:
    """403 where the scope is missing, before anything is looked up."""
    views = ground.app.view_functions
    for right in Right:
        asker = program(ground, [right])
        for rule, method in api_rules(ground):
            answer = asker.open(api_address(rule), method, json={})
            if right_of(views[rule.endpoint]) is right:
                assert answer.status_code not in (401, 403), (rule.rule, right)
            else:
                assert answer.status_code == 403, (rule.rule, right)
                assert answer.content_type == "application/problem+json"


def test_token_of_one_site_reaches_nothing_of_another(ground: Ground, sites: TwoSites) -> None:
    """Neither by ids in the address, nor by ids in query or body."""
    theirs = [right for right in Right if right not in OF_INSTALLATION]
    mine, every = program(ground, theirs, sites.mine), program(ground)
    before, seen = ground.everything_of(2), 0
    for rule, method in api_rules(ground):
        if right_of(ground.app.view_functions[rule.endpoint]) in OF_INSTALLATION:
            continue
        for ids in (sites.other, {**sites.other, "site_id": sites.mine}):
            address = api_address(rule, ids)
            for body in _bodies_for(rule.endpoint, sites):
                answer = mine.open(address, method, json=body)
                assert MARK not in answer.text.replace(address, ""), (address, answer.text)
        if method == "GET":
            for query in ("", "?site_id=2", f"?q={MARK}", f"?person={MARK}%40example.com"):
                text = mine.open(api_address(rule, sites.other) + query).text
                assert MARK not in text.replace(query[3:], ""), rule.rule
                seen += MARK in every.open(api_address(rule, sites.other) + query).text
    assert ground.everything_of(2) == before
    assert seen > 3, "else nothing is proved"


def _bodies_for(endpoint: str, sites: TwoSites) -> list[dict[str, object]]:
    """Those with fields that the endpoint takes; any other is refused unread."""
    (of,) = [each for each in ENDPOINTS if f"api.{each.name}" == endpoint]
    asked = of.asked if of.method == "POST" else Nothing
    return [body for body in _bodies(sites) if set(body) <= set(asked.model_fields)]


def _bodies(sites: TwoSites) -> list[dict[str, object]]:
    held = sites.other["inbox_id"]
    of_maps = {"id": sites.other["entity_id"], "why": "w"}
    return [
        {},
        {"why": "w"},
        {"numbers": [held], "why": "w"},
        {"numbers": [held], "site_id": 2, "why": "w"},
        {"reason": "unknown_contact", "site_id": 2, "count": 1, "why": "w"},
        {"side": "wix", "values": {"overall": "4"}, "why": "w"},
        of_maps,
        *_OF_SITES,
    ]


# What is asked of a site's account, first steps and comparisons; users are no site's.
_OF_SITES: list[dict[str, object]] = [
    {"connector": "own-service", "values": {"base_url": "https://mine.example"}},
    {"values": {"base_url": "https://mine.example"}},
    {"name": "own-service", "why": "w"},
    {"confirm": "start"},
    {"step": "probe"},
    {"step": "probe", "why": "w"},
    {"count": 0},
    {"count": 1, "why": "w"},
]


def test_roles_by_rights_are_those_of_every_endpoint(ground: Ground) -> None:
    """The table of roles and rights, and one line an endpoint: a new one falls under it by itself.

    A program of each role's rights gets what is theirs, over all endpoints.
    """
    views = ground.app.view_functions
    for role, rights in RIGHTS.items():
        site_id = ground.site(f"instance-of-{role}") if role is Role.OWNER else None
        asker = program(ground, sorted(rights), site_id)
        for rule, method in api_rules(ground):
            right = right_of(views[rule.endpoint])
            address = api_address(rule, {"site_id": site_id or 999_999})
            answer = asker.open(address, method, json={})
            assert (answer.status_code == 403) == (right not in rights), (rule.rule, role)
            assert answer.status_code != 401
