"""Ways into the console: passwords, one-time links, sessions."""

from __future__ import annotations

import re
from html import unescape

import pytest
from sqlalchemy import update

from sync_worker.core.errors import Misconfigured
from sync_worker.ledger.access.sessions import IDLE_SECONDS, MAX_SECONDS
from sync_worker.ledger.access.tables import attempt, one_time_link, session
from sync_worker.ledger.tables import metadata
from sync_worker.services.access.who import COMMAND, Right, Role
from tests.integration.console.ground import Browser, Ground

PASSWORD = "correct horse battery"


def invited(ground: Ground, name: str = "kim", role: Role = Role.SUPPORT) -> Browser:
    """Somebody's browser, come in by their link with a password."""
    browser = ground.anonymous()
    link = f"/invitation/{ground.parts.access.people.invite(COMMAND, name, role).secret}"
    assert browser.send(link, {"new_password": PASSWORD}, shown_at=link).status_code == 303
    return browser


def log_in(browser: Browser, name: str = "kim", password: str = PASSWORD, **more: str) -> int:
    fields = {"login_name": name, "login_password": password, **more}
    return browser.send("/login", fields, shown_at="/login").status_code


def age(ground: Ground, **columns: float) -> None:
    with ground.parts.transactions.write() as connection:
        changed = {name: session.c[name] - seconds for name, seconds in columns.items()}
        connection.execute(update(session).values(changed))


def test_link_lets_in_once(ground: Ground) -> None:
    link = f"/invitation/{ground.parts.access.people.invite(COMMAND, 'kim', Role.ADMIN).secret}"
    first, second = ground.anonymous(), ground.anonymous()
    assert "Come in as kim" in first.get(link).text, "to look uses nothing up"
    assert first.send(link, shown_at=link).status_code == 303
    assert first.get("/").status_code == 200
    assert second.get(link).status_code == 410
    assert second.send(link, shown_at="/login").status_code == 410
    assert second.get("/").status_code == 401


def test_link_ends_after_15_minutes_and_with_a_newer_one(ground: Ground) -> None:
    people, browser = ground.parts.access.people, ground.anonymous()
    old = people.invite(COMMAND, "kim", Role.ADMIN).secret
    new = people.invite(COMMAND, "kim", Role.ADMIN).secret
    assert browser.get(f"/invitation/{old}").status_code == 410
    with ground.parts.transactions.write() as connection:
        earlier = one_time_link.c.valid_until - 900
        connection.execute(update(one_time_link).values(valid_until=earlier))
    assert browser.get(f"/invitation/{new}").status_code == 410


def test_weak_password_uses_no_link_up(ground: Ground) -> None:
    browser = ground.anonymous()
    link = f"/invitation/{ground.parts.access.people.invite(COMMAND, 'kim', Role.ADMIN).secret}"
    for weak in ("short", "aaaaaaaaaaaaaaa"):
        assert browser.send(link, {"new_password": weak}, shown_at=link).status_code == 422
    assert browser.send(link, {"new_password": PASSWORD}, shown_at=link).status_code == 303


def test_password_lets_in_and_a_wrong_one_does_not(ground: Ground) -> None:
    invited(ground)
    browser = ground.anonymous()
    assert log_in(browser, password="another one of length") == 401
    assert log_in(browser, name="nobody") == 401
    assert browser.get("/").status_code == 401
    assert log_in(browser, name="KIM ") == 303, "names are alike in capitals"
    assert browser.get("/").status_code == 200


def test_login_begins_a_new_session_for_its_browser(ground: Ground) -> None:
    """A cookie that somebody planted before the login is worth nothing afterwards."""
    invited(ground)
    browser, planted = ground.anonymous(), "a" * 43
    browser.set_cookie("ratings-console", planted)
    assert log_in(browser) == 303
    cookie = browser.cookie("ratings-console")
    assert cookie
    assert cookie != planted
    attacker = ground.anonymous()
    attacker.set_cookie("ratings-console", planted)
    assert attacker.get("/").status_code == 401


def test_cookie_is_for_https_or_this_machine_alone(ground: Ground) -> None:
    header = ground.anonymous().get("/login").headers["Set-Cookie"]
    assert "HttpOnly" in header
    assert "SameSite=Strict" in header
    assert "Path=/" in header


@pytest.mark.parametrize("columns", [{"seen_at": IDLE_SECONDS}, {"begun_at": MAX_SECONDS}])
def test_session_ends_when_idle_or_old(columns: dict[str, float], ground: Ground) -> None:
    browser = ground.client(Role.SUPPORT)
    age(ground, **{name: seconds - 20 for name, seconds in columns.items()})
    assert browser.get("/").status_code == 200
    age(ground, **columns)
    assert browser.get("/").status_code == 401


def test_session_in_use_stays(ground: Ground) -> None:
    browser = ground.client(Role.SUPPORT)
    for _ in range(2):
        age(ground, seen_at=IDLE_SECONDS - 20)
        assert browser.get("/").status_code == 200


@pytest.mark.full
def test_many_failures_stop_a_name_and_an_address(ground: Ground) -> None:
    invited(ground)
    stranger = ground.anonymous()
    for _ in range(10):
        assert log_in(stranger, password="wrong wrong wrong") == 401
    assert log_in(stranger) == 429, "also the right password is not looked at"
    for number in range(40):
        assert log_in(stranger, name=f"somebody-{number}") == 401
    assert log_in(stranger, name="somebody-else") == 429
    with ground.parts.transactions.write() as connection:
        connection.execute(update(attempt).values(since=attempt.c.since - 901))
    assert log_in(stranger) == 303


def test_log_out_ends_the_session_for_everybody(ground: Ground) -> None:
    browser = invited(ground)
    cookie = browser.cookie("ratings-console")
    assert cookie
    assert browser.send("/logout").status_code == 303
    browser.set_cookie("ratings-console", cookie)
    assert browser.get("/").status_code == 401


def test_form_whose_session_has_ended_is_sent_again_after_login(ground: Ground) -> None:
    browser = invited(ground, role=Role.ADMIN)
    page = browser.get("/users").text
    fields = {
        "csrf_token": re.findall(r'name="csrf_token" value="([^"]+)"', page)[-1],
        "form": re.findall(r'name="form" value="([^"]+)"', page)[0],
        "name": "lee & <co>",
        "role": "viewer",
    }
    age(ground, seen_at=IDLE_SECONDS)
    asked = browser.post("/users", fields)
    assert asked.status_code == 401
    again = browser.post("/login", hidden(asked.text) | _login())
    assert again.status_code == 200
    kept = hidden(again.text)
    assert kept["name"] == "lee & <co>"
    assert kept["form"] == fields["form"]
    assert browser.post("/users", kept).status_code == 422, "that is no name"
    assert browser.post("/users", kept | {"name": "lee"}).status_code == 200
    assert ground.parts.access.people.find(COMMAND, "lee").role == "viewer"


def _login() -> dict[str, str]:
    return {"login_name": "kim", "login_password": PASSWORD}


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of the page's own form, as a browser sends them."""
    form = page[page.index("<main") :]
    return {
        name: unescape(value)
        for name, value in re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form)
    }


def test_wrong_password_loses_no_input(ground: Ground) -> None:
    browser = invited(ground, role=Role.ADMIN)
    age(ground, seen_at=IDLE_SECONDS)
    page = browser.get("/login").text
    asked = browser.post("/users", hidden(page) | {"name": "lee", "role": "viewer"})
    wrong = hidden(asked.text) | _login() | {"login_password": "wrong wrong wrong"}
    refused = browser.post("/login", wrong)
    assert refused.status_code == 401
    again = browser.post("/login", hidden(refused.text) | _login())
    assert hidden(again.text)["name"] == "lee"


def test_what_cannot_be_undone_asks_for_the_password_once_more(ground: Ground) -> None:
    browser = invited(ground, role=Role.ADMIN)
    ground.parts.access.people.invite(COMMAND, "lee", Role.VIEWER)
    age(ground, fresh_at=301)
    asked = browser.send("/users/lee/role", {"role": "support"}, shown_at="/users")
    assert asked.status_code == 401
    assert ground.parts.access.people.find(COMMAND, "lee").role == "viewer"
    again = browser.post("/login/again", hidden(asked.text) | _login())
    done = browser.post("/users/lee/role", hidden(again.text))
    assert "lee is support now." in browser.told(done)


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil", "/a\nb"])
def test_login_leads_to_pages_of_ours_only(target: str, ground: Ground) -> None:
    invited(ground)
    browser = ground.anonymous()
    fields = {"login_name": "kim", "login_password": PASSWORD, "login_target": target}
    assert browser.send("/login", fields, shown_at="/login").headers["Location"] == "/"


def test_person_who_was_removed_is_out_at_once(ground: Ground) -> None:
    browser = invited(ground)
    ground.parts.access.people.remove(COMMAND, "kim")
    assert browser.get("/").status_code == 401
    assert log_in(ground.anonymous()) == 401
    with pytest.raises(Misconfigured, match="stays theirs"):
        ground.parts.access.people.invite(COMMAND, "kim", Role.ADMIN)


def test_role_counts_from_the_next_click_on(ground: Ground) -> None:
    browser = invited(ground, role=Role.ADMIN)
    ground.parts.access.people.invite(COMMAND, "lee", Role.ADMIN)
    assert browser.get("/users").status_code == 200
    ground.parts.access.people.set_role(COMMAND, "kim", Role.VIEWER)
    assert browser.get("/users").status_code == 403


def test_last_admin_stays(ground: Ground) -> None:
    people = ground.parts.access.people
    people.invite(COMMAND, "kim", Role.ADMIN)
    for change in (
        lambda: people.set_role(COMMAND, "kim", Role.VIEWER),
        lambda: people.remove(COMMAND, "kim"),
    ):
        with pytest.raises(Misconfigured, match="the only admin"):
            change()


def test_token_has_its_scopes_until_it_is_revoked(ground: Ground) -> None:
    tokens = ground.parts.access.tokens
    made = tokens.add(COMMAND, "shop-floor", [Right.LOOK, Right.PAUSE], days=30)
    who = tokens.who(made.secret)
    assert who is not None
    assert who.may(Right.PAUSE, 7)
    assert not who.may(Right.USERS)
    assert tokens.who(made.secret + "x") is None
    tokens.revoke(COMMAND, made.token.id)
    assert tokens.who(made.secret) is None


def test_database_holds_no_secret_in_clear(ground: Ground) -> None:
    browser = invited(ground)
    made = ground.parts.access.tokens.add(COMMAND, "t", [Right.LOOK], days=1)
    cookie = browser.cookie("ratings-console")
    assert cookie
    admin = invited(ground, "lee", Role.ADMIN)
    shown = admin.send("/users", {"name": "max", "role": "viewer"}, shown_at="/users").text
    (link,) = re.findall(r"/invitation/([\w-]+)", shown)
    with ground.parts.transactions.read() as connection:
        held = [
            str(connection.execute(table.select()).all())
            for table in metadata.sorted_tables
            if table.name.startswith(("console_", "audit"))
        ]
    for secret in (PASSWORD, made.secret, made.secret[3:], cookie, link):
        assert not any(secret in rows for rows in held)
    assert any("$argon2id$" in rows for rows in held)
