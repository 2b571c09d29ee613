"""Pages in German: what the catalogue has is said in German, on every page."""

from __future__ import annotations

import re
from html import unescape

import pytest
from babel.messages.pofile import read_po
from werkzeug.test import TestResponse

from sync_console.web.sessions import LANGUAGE_COOKIE
from sync_console.web.words import FOLDER
from sync_worker.core.values import Change, NewDelivery, Side
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.services.access.who import Role
from tests.integration.console.ground import Browser, Ground

pytestmark = pytest.mark.full

PAGES = ["/", "/held", "/waiting", "/ratings", "/ratings?q=nobody", "/activity", "/sites"]
PAGES += ["/compare", "/machines", "/users", "/audit", "/held/unknown_entity", "/nowhere"]
OF_A_SITE = ("", "/maps", "/policies", "/account", "/compare", "/imports", "/onboarding")
GERMAN = {"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"}


def english() -> set[str]:
    """Sentences and headings of the catalogue that hold no values."""
    known = set[str]()
    for path in (FOLDER / "de" / "LC_MESSAGES").glob("*.po"):
        with path.open("rb") as file:
            known |= {one.id for one in read_po(file, locale="de") if isinstance(one.id, str)}
    is_one = re.compile(r"[A-Z][^%]* [^%]* [^%]*")
    return {said for said in known if is_one.fullmatch(said)}


def text_of(page: str) -> str:
    """What somebody reads, in the elements and in their attributes."""
    return " ".join(unescape(re.sub(r"</?[a-z][^>]*>", " ", page)).split())


@pytest.mark.parametrize("role", [Role.ADMIN, Role.OWNER])
def test_no_page_says_a_sentence_in_english_that_is_known_in_german(
    ground: Ground, role: Role
) -> None:
    site_id = ground.site()
    new = NewDelivery(Side.WIX, "instance-1", "d-1", Change.UPSERT, "r-1", {})
    held = sql_ledger(ground.parts.transactions.engine).inbox
    number = int(held.store(new).inbox_id)
    held.hold([number], "unknown_entity")
    browser = ground.client(role, site_id)
    of_site = [f"/sites/{site_id}{part}" for part in OF_A_SITE]
    for path in [*PAGES, *of_site, f"/held/{number}"]:
        answer = browser.get(path, headers=GERMAN, follow_redirects=True)
        assert '<html lang="de">' in answer.text, path
        said = text_of(answer.text)
        assert {sentence for sentence in english() if sentence in said} == set(), path


def test_login_is_in_german_for_a_german_browser(ground: Ground) -> None:
    said = ground.anonymous().get("/login", headers=GERMAN).text
    assert '<html lang="de">' in said
    assert "Anmelden" in said
    assert "Log in" not in said


def test_owner_reads_the_language_that_wix_shows(ground: Ground) -> None:
    """A browser's own language does not count in the frame."""
    site_id = ground.site()
    browser = ground.client(Role.OWNER, site_id)
    ground.set_locale("de-DE")
    assert '<html lang="de">' in browser.get("/", headers={"Accept-Language": "en"}).text


def test_other_languages_are_shown_in_english(ground: Ground) -> None:
    answer = ground.anonymous().get("/login", headers={"Accept-Language": "fr"})
    assert '<html lang="en">' in answer.text


def choose(browser: Browser, language: str, **more: str) -> TestResponse:
    fields = {**browser.tokens("/held"), "language": language, "login_target": "/held"}
    return browser.post("/language", fields | more)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OWNER])
def test_chosen_language_counts_before_browser_and_wix(ground: Ground, role: Role) -> None:
    """And in the next session of the browser, too."""
    site_id = ground.site()
    browser = ground.client(role, site_id)
    ground.set_locale("en-GB" if role is Role.OWNER else "")
    assert '<html lang="en">' in browser.get("/held").text
    answer = choose(browser, "de")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/held")
    assert '<html lang="de">' in browser.get("/held").text
    browser.set_cookie(*ground.cookie(role, site_id))
    assert '<html lang="de">' in browser.get("/held").text
    assert choose(browser, "en").status_code == 303
    assert '<html lang="en">' in browser.get("/held", headers=GERMAN).text


def test_session_keeps_the_language_where_a_frame_has_no_cookies(ground: Ground) -> None:
    browser = ground.client(Role.OWNER, ground.site())
    choose(browser, "de")
    browser.set_cookie(LANGUAGE_COOKIE, "")
    assert '<html lang="de">' in browser.get("/held", headers={"Accept-Language": "en"}).text


def test_unknown_language_and_strange_page_are_refused(ground: Ground) -> None:
    browser = ground.client(Role.VIEWER)
    assert choose(browser, "xx").status_code == 400
    away = choose(browser, "de", login_target="//evil.example/")
    assert away.headers["Location"] == "/"
