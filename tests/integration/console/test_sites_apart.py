"""The owner of one site reaches nothing of another, by whichever route and with whichever id.

A new page falls under these tests by itself; a new kind of id has to be named in two_sites.py.
"""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from sync_worker.services.access.who import Role
from tests.integration.console.ground import Ground
from tests.integration.console.test_rights_of_routes import address_of, rules_of
from tests.integration.console.two_sites import MARK, WORDS, TwoSites, two_sites

# What pages take behind the ``?``: the other site, and words that only it has.
QUERIES = [
    "site=2",
    "site_id=2",
    f"q={MARK}",
    f"actor={MARK}",
    f"person={MARK}%40example.com",
    f"product={MARK}",
    f"word={MARK}",
]


@pytest.fixture
def sites(ground: Ground) -> TwoSites:
    return two_sites(ground)


def test_each_argument_of_a_route_is_an_id_that_is_exchanged(
    ground: Ground, sites: TwoSites
) -> None:
    names = {name for rule, _ in rules_of(ground.app) for name in rule.arguments}
    assert names <= {*sites.other, *WORDS}, "say in two_sites.py what the other site has of it"


def test_owner_is_told_nothing_by_ids_of_another_site(ground: Ground, sites: TwoSites) -> None:
    """They get what they get for an id that nobody has."""
    owner, admin = ground.client(Role.OWNER, sites.mine), ground.client(Role.ADMIN)
    token, reached, before = owner.tokens(), set[str](), ground.everything_of(2)
    for rule, method in rules_of(ground.app):
        if rule.arguments <= set(WORDS):
            continue
        address = address_of(rule, {**sites.other, **WORDS})
        answer = owner.open(address, method=method, data=token)
        nobodys = owner.open(address_of(rule, WORDS), method=method, data=token)
        assert answer.status_code == nobodys.status_code, (method, address)
        assert method == "POST" or answer.status_code in (403, 404), address
        assert MARK not in answer.text.replace(address, ""), (method, address)
        if method == "GET":
            reached |= {rule.rule} if admin.get(address).status_code == 200 else set()
    assert ground.everything_of(2) == before
    assert reached >= {"/sites/<int(max=999999999999):site_id>"}, "else nothing is proved"


def test_owner_s_own_id_with_one_of_another_site_reaches_nothing(
    ground: Ground, sites: TwoSites
) -> None:
    """The site in the address is theirs, what it names is not."""
    owner = ground.client(Role.OWNER, sites.mine)
    before = ground.everything_of(2)
    for rule, method in rules_of(ground.app):
        if "site_id" not in rule.arguments:
            continue
        address = address_of(rule, {**sites.other, "site_id": sites.mine})
        fields = {"id": "1", "entity_id": "1", "inbox_id": str(sites.other["inbox_id"])}
        answer = owner.open(address, method=method, data={**owner.tokens(), **fields})
        assert MARK not in answer.text.replace(address, ""), (method, address)
    assert ground.everything_of(2) == before


@pytest.mark.full
def test_owner_finds_nothing_of_another_site_on_pages_without_an_id(
    ground: Ground, sites: TwoSites
) -> None:
    owner, admin = ground.client(Role.OWNER, sites.mine), ground.client(Role.ADMIN)
    seen = 0
    for rule, method in rules_of(ground.app):
        if not rule.arguments <= set(WORDS) or method != "GET":
            continue
        for query in ["", *QUERIES]:
            address = f"{address_of(rule, WORDS)}?{query}"
            asked = query.partition("=")[2]
            text = owner.get(address).text
            # What somebody asks for stands in the form again.
            for word in filter(None, (asked, unquote(asked))):
                text = text.replace(word, "")
            assert MARK not in text, address
            seen += MARK in admin.get(address).text
    assert seen > 0, "else nothing is proved"


def test_forms_without_an_id_in_the_address_touch_no_other_site(
    ground: Ground, sites: TwoSites
) -> None:
    """Ids may stand in fields, too."""
    owner, before = ground.client(Role.OWNER, sites.mine), ground.everything_of(2)
    fields = {name: str(value) for name, value in sites.other.items()}
    fields |= {"site": "2", "id": fields["inbox_id"], "ids": fields["inbox_id"], "why": "w"}
    fields |= {"count": "1", "choice": "wix", "side": "wix", "reason": "unknown_contact"}
    for rule, method in rules_of(ground.app):
        if rule.arguments <= set(WORDS) and method == "POST":
            answer = owner.post(address_of(rule, WORDS), {**owner.tokens(), **fields})
            assert MARK not in answer.text or answer.status_code in (403, 404), rule.rule
    assert ground.everything_of(2) == before
