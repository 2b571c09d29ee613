"""The frame of all pages in a real browser: faults, keyboard, live parts, ways in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import FrameLocator, Page, expect
from sqlalchemy import delete

from sync_worker.core.values import SiteState
from sync_worker.ledger.access.tables import session
from sync_worker.services.access.who import COMMAND, Role
from tests.console.looking import Console, axe_faults, listen, look_at
from tests.integration.console.signed_instance import instance_of

pytestmark = pytest.mark.full


@pytest.fixture
def stranger(console: Console) -> Iterator[Page]:
    """Somebody who is not logged in."""
    context = console.browser.new_context(base_url=console.url)
    yield context.new_page()
    context.close()


def link_for(console: Console, name: str) -> str:
    invited = console.ground.parts.access.people.invite(COMMAND, name, Role.ADMIN)
    return f"/invitation/{invited.secret}"


@pytest.mark.parametrize("path", ["/users", "/audit", "/nowhere", "/audit?actor=nobody"])
def test_page_has_no_fault_in_any_theme_or_width(path: str, console: Console) -> None:
    console.check(path)


def test_ways_in_have_no_fault(console: Console, stranger: Page) -> None:
    for path in ("/login", link_for(console, "lou"), "/invitation/of-nobody", "/owner?instance=x"):
        stranger.goto(path)
        assert [fault for width in (320, 1280) for fault in look_at(stranger, width)] == []


def test_fault_would_be_found(console: Console) -> None:
    """What looks at the pages sees something."""
    with console.open(Role.VIEWER) as page:
        page.goto("/")
        page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<img>')")
        assert any("image-alt" in fault for fault in axe_faults(page))


def test_somebody_comes_in_by_a_link_and_later_by_the_password(
    console: Console, stranger: Page
) -> None:
    """Without a script, too: all of it is plain links and forms."""
    context = console.browser.new_context(base_url=console.url, java_script_enabled=False)
    page = context.new_page()
    page.goto(link_for(console, "sam"))
    page.get_by_label("Choose a password").fill("correct horse battery")
    page.get_by_role("button", name="Come in").click()
    expect(page.get_by_text("sam", exact=True)).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.get_by_label("Name").fill("sam")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("sam", exact=True)).to_be_visible()
    context.close()


def test_result_of_an_action_stands_in_a_live_region(console: Console) -> None:
    console.ground.parts.access.people.invite(COMMAND, "ray", Role.SUPPORT)
    with console.open(Role.ADMIN) as page:
        page.goto("/users")
        page.get_by_text("Change ray").click()
        row = page.get_by_role("row").filter(has_text="Change ray")
        row.get_by_role("button", name="End the sessions").click()
        expect(page.get_by_role("status")).to_contain_text("0 sessions have ended.")


def test_keys_walk_and_are_listed_and_can_be_switched_off(console: Console) -> None:
    with console.open(Role.ADMIN) as page:
        page.goto("/users")
        page.keyboard.press("j")
        expect(page.locator("main tbody tr").first).to_be_focused()
        page.keyboard.press("g")
        page.keyboard.press("t")
        expect(page).to_have_url(f"{console.url}/audit")
        page.keyboard.press("/")
        expect(page.get_by_label("Who")).to_be_focused()
        page.keyboard.press("?")
        expect(page.get_by_label("Who")).to_have_value("?")
        page.get_by_label("Who").blur()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        assert axe_faults(page) == []
        page.get_by_label("Use these keys").uncheck()
        page.keyboard.press("Escape")
        page.keyboard.press("/")
        expect(page.get_by_label("Who")).not_to_be_focused()


def test_form_whose_session_has_ended_goes_along(console: Console, stranger: Page) -> None:
    access, page = console.ground.parts.access, stranger
    page.goto(link_for(console, "mia"))
    page.get_by_label("Choose a password").fill("correct horse battery")
    page.get_by_role("button", name="Come in").click()
    page.goto("/users")
    page.get_by_label("Name").fill("newcomer")
    access.people.end_sessions(COMMAND, "mia")
    page.get_by_role("button", name="Invite").click()
    expect(page.get_by_text("What you typed is kept")).to_be_visible()
    page.get_by_label("Name").fill("mia")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Send it again").click()
    expect(page.get_by_role("cell", name="newcomer")).to_be_visible()


DASHBOARD = """<!doctype html><title>Dashboard</title>
<iframe src="{page}" width="1000" height="700" title="app"></iframe>"""


@contextmanager
def framed(page: Page, address: str) -> Iterator[FrameLocator]:
    """A dashboard on another site, which frames the console."""
    body = DASHBOARD.format(page=address).encode()

    class Dashboard(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Dashboard) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page.goto(f"http://localhost:{server.server_port}/")
        yield page.frame_locator("iframe")
        server.shutdown()


def test_owner_works_in_a_frame_that_has_no_cookies(console: Console, stranger: Page) -> None:
    """The session goes along in a header: links and forms of the frame work on."""
    console.ground.site("instance-frame", "framed-shop")
    address = f"{console.url}/owner?instance={instance_of('instance-frame')}"
    with framed(stranger, address) as frame:
        expect(frame.get_by_text("owner:uid-of-the-owner")).to_be_visible()
        frame.get_by_role("link", name="Audit").click()
        expect(frame.get_by_role("heading", name="Audit")).to_be_visible()
        frame.get_by_role("button", name="Show").click()
        expect(frame.get_by_role("cell", name="login by Wix").first).to_be_visible()
    assert stranger.context.cookies(console.url) == []


def test_what_an_owner_typed_stays_as_the_session_of_a_frame_ends(
    console: Console, stranger: Page
) -> None:
    """A frame without cookies cannot come in anew: the page stays, so that it can be copied."""
    site_id = console.ground.site("instance-ending", "ending-shop")
    address = f"{console.url}/owner?instance={instance_of('instance-ending')}"
    with framed(stranger, address) as frame:
        frame.get_by_role("link", name="Sites").click()
        why = frame.get_by_label("Why", exact=True).first
        why.fill("until Friday, <b>stock</b>")
        end_sessions_of(console, site_id)
        frame.get_by_role("button", name="Pause the site").click()
        status = frame.get_by_role("status")
        expect(status).to_contain_text("Your session has ended.")
        expect(status).to_contain_text("What you typed still stands on this page")
        expect(why).to_have_value("until Friday, <b>stock</b>")
        inner = next(one for one in stranger.frames if one.url.startswith(console.url))
        assert axe_faults(inner) == []
        frame.get_by_role("link", name="Audit").click()
        expect(frame.get_by_role("heading", name="Your session has ended")).to_be_visible()


def test_refusal_is_shown_in_a_frame_that_has_no_cookies(console: Console, stranger: Page) -> None:
    """Two people at one site: the second is told what the first did."""
    site_id = console.ground.site("instance-refused", "refused-shop")
    address = f"{console.url}/owner?instance={instance_of('instance-refused')}"
    with framed(stranger, address) as frame:
        frame.get_by_role("link", name="Sites").click()
        expect(frame.get_by_role("button", name="Pause the site")).to_be_visible()
        console.ground.admin.sites.set_state(site_id, SiteState.PAUSED, "grace", "a sale")
        frame.get_by_role("button", name="Pause the site").click()
        expect(frame.get_by_role("heading", name="Somebody was faster")).to_be_visible()


def end_sessions_of(console: Console, site_id: int) -> None:
    """As if its owner had been away for too long."""
    its = session.c.site_id == site_id
    with console.ground.parts.transactions.write() as connection:
        assert connection.execute(delete(session).where(its)).rowcount > 0


def test_page_of_an_operator_is_framed_by_nobody(console: Console, stranger: Page) -> None:
    complaints: list[str] = []
    listen(stranger, complaints)
    with framed(stranger, f"{console.url}/login") as frame:
        expect(frame.get_by_role("heading", name="Log in")).to_have_count(0)
    assert any("frame-ancestors 'none'" in complaint for complaint in complaints)
