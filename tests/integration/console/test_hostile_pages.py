"""Whatever a browser or a program sends to the console is answered in words: no 5xx, no trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

import pytest

from sync_console.web.limits import Limits
from sync_console.web.numbers import MAX_NUMBER, number_in
from sync_worker.services.access.secrets import new_secret
from sync_worker.services.access.who import Role
from tests.hostile import IDS, NUMBERS, in_a_cell
from tests.integration.console.ground import Browser, Ground
from tests.integration.console.programs import API
from tests.integration.console.two_sites import two_sites
from tests.integration.hostile_records import little_time

# What is asked in an address, by the kind of value that is due there.
NUMBERS_ASKED = ("after", "site", "pairs_after", "age")
WORDS_ASKED = (
    *("q", "product", "person", "word", "name", "connector", "actor", "what", "kind", "state"),
    *("side", "since", "trouble", "instance", "locale", "code", "done"),
)
# What a form gives, that a browser may fill with anything.
NUMBERS_GIVEN = ("version", "count", "number", "pair", "map", "delivery", "rating", "value")
WORDS_GIVEN = (
    *("why", "name", "reason", "side", "attribute", "title", "body", "reply", "entity_id", "group"),
    *("contact_id", "address", "choice", "until", "span", "state", "seen", "role", "step", "way"),
    *("connector", "set.token", "set.base_url", "language", "login_target", "csv"),
)
FILLED = {"why": "w", "count": "1", "number": "1", "side": "wix", "value": "80", "name": "n"}
FILLED |= {"attribute": "overall", "role": "support", "entity_id": "x", "contact_id": "c"}
OURS = {"reason": "unknown_contact", "kind": "audit"}
MAX_LENGTH = 5_000  # of one value, as no door lets longer ones through in an address


def sent(value: str) -> bytes:
    return in_a_cell(value)[:MAX_LENGTH].encode("utf-8", "surrogatepass")


def pages(ground: Ground, method: str) -> Iterator[str]:
    """Addresses that take this method, with numbers and words of ours in them."""
    for rule in ground.app.url_map.iter_rules():
        if rule.rule.startswith(API) or method not in (rule.methods or ()):
            continue
        if "static" in rule.rule or "logout" in rule.rule:
            continue
        built = rule.build({name: OURS.get(name, 1) for name in rule.arguments})
        assert built is not None, rule
        yield built[1]


def check(browser: Browser, path: str, method: str = "GET", **more: Any) -> int:
    what = f"{method} {path[:200]} {str(more)[:300]}"
    with little_time(what, 1.0):
        status = browser.open(path, method, **more).status_code
    assert status < 500, what
    return status


def fields_of(numbers: Sequence[str], words: Sequence[str]) -> Iterator[dict[str, bytes]]:
    """The longest number alone, too, since the first that is refused hides the others."""
    for name in ("long whole number", "over 64 bits"):
        yield dict.fromkeys(numbers, sent(NUMBERS[name]))
    for name in ("NUL", "high surrogate"):
        yield dict.fromkeys(words, sent(IDS[name]))
    yield from ({name: sent(NUMBERS["long whole number"])} for name in numbers)


def throw_at_addresses(ground: Ground) -> None:
    browser = ground.client(Role.ADMIN)
    for path in pages(ground, "GET"):
        for fields in fields_of(NUMBERS_ASKED, WORDS_ASKED):
            check(browser, f"{path}?{urlencode(fields)}")


def throw_at_forms(ground: Ground) -> None:
    browser = ground.client(Role.ADMIN)
    tokens = browser.tokens()
    for path in pages(ground, "POST"):
        for fields in fields_of(NUMBERS_GIVEN, WORDS_GIVEN):
            form = {**FILLED, **tokens, "form": new_secret(), **fields}
            if check(browser, path, "POST", data=form) == 401:
                browser = ground.client(Role.ADMIN)
                tokens = browser.tokens()


def filled(ground: Ground) -> Ground:
    two_sites(ground)
    ground.app.extensions["console_limits"] = Limits(10**9)
    return ground


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("throw", [throw_at_addresses, throw_at_forms])
def test_hostile_value_in_any_page_is_answered_in_words(
    throw: Callable[[Ground], None], ground_on_postgresql: Ground
) -> None:
    throw(filled(ground_on_postgresql))


@pytest.mark.parametrize("name", NUMBERS)
def test_number_of_a_browser_is_one_of_ours_or_none(name: str) -> None:
    found = number_in(sent(NUMBERS[name]).decode("utf-8", "replace"), MAX_NUMBER)
    assert found is None or 0 <= found <= MAX_NUMBER


def test_number_of_thousands_of_digits_is_answered_in_words(ground: Ground) -> None:
    browser, many = filled(ground).client(Role.ADMIN), "9" * MAX_LENGTH
    assert check(browser, f"/activity?after={many}") == 400
    form = {**browser.tokens(), "count": many, "version": many, "why": "w", "name": "n"}
    for path in (
        "/sites/1/compare/deletes",
        "/sites/1/account/pause",
        "/held/unknown_contact/release",
    ):
        assert check(browser, path, "POST", data=form) in (303, 400, 404, 422), path


def test_filter_by_a_site_that_cannot_be_read_is_not_all_sites(ground: Ground) -> None:
    """What is released by a form with it would be of all."""
    browser = filled(ground).client(Role.ADMIN)
    for site in ("99999999999999999999", "two", "-1"):
        assert browser.get(f"/held/unknown_contact?site={site}").status_code == 404
