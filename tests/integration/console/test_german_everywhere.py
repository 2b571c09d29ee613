"""A German page has no English sentence on it, whatever is in the ledger."""

from __future__ import annotations

import re
from collections import Counter, deque

import pytest

from sync_worker.services.access.who import Role
from tests.integration.console.everything import fill
from tests.integration.console.ground import Browser, Ground
from tests.integration.console.reading import english_in, read

pytestmark = pytest.mark.full

GERMAN = {"Accept-Language": "de-DE,de;q=0.9"}
# Pages that no link leads to from an empty search.
FIRST = ["/", "/ratings?state=held", "/ratings?state=in_step", "/ratings?q=review-1", "/nowhere"]
FIRST += ["/held/1?preview=1", "/held/unknown_entity?preview=1", "/sites/1/account"]
MOST = 2  # of one kind of page


def crawled(browser: Browser, first: list[str]) -> dict[str, set[str]]:
    """The English of each page that links lead to, by its address."""
    found, seen, kinds = dict[str, set[str]](), set[str](), Counter[str]()
    ahead = deque(first)
    while ahead:
        path = ahead.popleft()
        kind = re.sub(r"\d+", "N", path.partition("?")[0])
        if path in seen or kinds[kind] >= MOST:
            continue
        seen.add(path)
        kinds[kind] += 1
        answer = browser.get(path, headers=GERMAN, follow_redirects=True)
        if answer.mimetype != "text/html":
            continue
        assert '<html lang="de">' in answer.text, path
        texts, links = read(answer.text, "de")
        if english := english_in(texts):
            found[path] = english
        ahead += [link for link in links if link.startswith("/") and ".csv" not in link]
    assert len(kinds) > 15
    return found


@pytest.mark.parametrize("role", [Role.ADMIN, Role.OWNER])
def test_no_page_says_anything_in_english(ground: Ground, role: Role) -> None:
    """What only English is known of, such as another system's answer, is marked as English."""
    rating = fill(ground.admin)
    browser = ground.client(role, 1)
    assert crawled(browser, [*FIRST, f"/ratings/{rating}", "/sites/1/onboarding"]) == {}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/sites/1/pause", "ist pausiert, bis jemand sie fortsetzt"),
        ("/sites/1/compare", "wird schon abgeglichen"),
        ("/held/1/drop", "sagen Sie warum"),
        ("/ratings/1/stop", "sagen Sie warum"),
        ("/users/nobody/role", "niemand heißt nobody"),
    ],
)
def test_what_comes_of_an_act_is_in_german(ground: Ground, path: str, words: str) -> None:
    fill(ground.admin)
    browser = ground.client(Role.ADMIN)
    fields = {**browser.tokens("/sites/2"), "seen": "active", "role": "support"}
    answer = browser.open(path, "POST", data=fields, headers=GERMAN, follow_redirects=True)
    assert words in answer.text
    assert english_in(read(answer.text, "de")[0]) == set()
