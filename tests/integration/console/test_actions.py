"""What forms and live parts of pages promise; and the ways in on PostgreSQL, too."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.services.access.forms import UnderWay
from sync_worker.services.access.logins import LoginRefused
from sync_worker.services.access.sessions import Session
from sync_worker.services.access.who import COMMAND, Right, Role
from tests.integration.console.ground import Ground
from tests.integration.console.signed_instance import instance_of
from tests.integration.console.test_entrance import PASSWORD
from tests.integration.console.two_sites import two_sites


def session_of(ground: Ground) -> Session:
    found = ground.parts.access.sessions.find(ground.cookie(Role.ADMIN)[1])
    assert found is not None
    return found


def test_form_that_comes_twice_is_done_once(ground: Ground) -> None:
    ground.parts.access.people.invite(COMMAND, "lee", Role.VIEWER)
    browser = ground.client(Role.ADMIN)
    fields = {**browser.tokens("/users"), "role": "support"}
    first = browser.post("/users/lee/role", fields)
    second = browser.post("/users/lee/role", fields | {"role": "admin"})
    assert first.headers["Location"] == second.headers["Location"]
    assert "lee is support now." in browser.told(second)
    assert ground.parts.access.people.find(COMMAND, "lee").role == "support"


def test_form_of_an_older_page_is_told_what_the_other_did(ground: Ground) -> None:
    people = ground.parts.access.people
    version = people.invite(COMMAND, "lee", Role.VIEWER).person.version
    people.set_role(COMMAND, "lee", Role.ADMIN)
    browser = ground.client(Role.ADMIN)
    fields = {"role": "support", "version": str(version)}
    answer = browser.send("/users/lee/role", fields, shown_at="/users")
    assert answer.status_code == 409
    assert "lee was changed since you opened the page, and is admin now." in answer.text


def test_form_that_failed_may_be_sent_again(ground: Ground) -> None:
    forms, session = ground.parts.access.forms, session_of(ground)

    def fails() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        forms.once("token", session, fails)
    assert forms.once("token", session, lambda: "done") == "done"


def test_form_that_is_under_way_is_not_begun_again(ground: Ground) -> None:
    forms, session = ground.parts.access.forms, session_of(ground)

    def again() -> str:
        with pytest.raises(UnderWay):
            forms.once("token", session, lambda: "twice")
        return "once"

    assert forms.once("token", session, again) == "once"


def test_result_of_a_form_is_shown_to_its_own_session_alone(ground: Ground) -> None:
    forms, mine, other = ground.parts.access.forms, session_of(ground), session_of(ground)
    forms.once("token", mine, lambda: "done")
    assert forms.result_of("token", mine) == "done"
    assert forms.result_of("token", other) is None


def test_live_part_is_sent_only_when_it_is_new(ground: Ground) -> None:
    browser, asks = ground.client(Role.ADMIN), {"HX-Request": "true", "HX-Target": "live"}
    first = browser.get("/held", headers=asks)
    assert "<html" not in first.text
    again = browser.get("/held", headers=asks | {"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    two_sites(ground)
    later = browser.get("/held", headers=asks | {"If-None-Match": first.headers["ETag"]})
    assert later.status_code == 200
    assert browser.get("/users", headers=asks).status_code == 200, "it has no live part"


def test_hostile_words_stay_words(ground: Ground) -> None:
    hostile = "<script>alert(1)</script>"
    ground.site("instance-1")
    audit = SqlAudit(ground.parts.transactions)
    audit.add(hostile, "site.pause", site_id=1, why=hostile, after={hostile: hostile})
    for path in ("/audit", f"/audit?actor={hostile}", f"/{hostile}", f"/login?locale={hostile}"):
        text = ground.client(Role.ADMIN).get(path).text
        assert hostile not in text
    assert "&lt;script&gt;" in ground.client(Role.ADMIN).get("/audit").text


def test_pages_of_the_audit_follow_each_other(ground: Ground) -> None:
    audit, browser = SqlAudit(ground.parts.transactions), ground.client(Role.VIEWER)
    for number in range(60):
        audit.add("kim", "site.pause", why=f"reason {number:03}")
    first = browser.get("/audit?actor=kim&what=site.pause").text
    assert "reason 059" in first
    assert "reason 009" not in first
    page = ground.parts.access.audit.page(COMMAND, actor="kim")
    second = browser.get(f"/audit?actor=kim&what=site.pause&after={page.next_before}").text
    assert "reason 009" in second
    assert "reason 010" not in second
    assert "login" not in browser.get("/audit?actor=nobody").text.partition("<main")[2].lower()


def test_ways_in_work_on_postgresql(ground_on_postgresql: Ground) -> None:
    """One link lets one of two in; failures are counted; an instance opens one session."""
    ground = ground_on_postgresql
    access = ground.parts.access
    link = access.people.invite(COMMAND, "kim", Role.ADMIN).secret

    def come_in(number: int) -> bool:
        try:
            access.logins.come_in(link, PASSWORD if number == 0 else "", f"address-{number}")
        except LoginRefused:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(come_in, range(4))) == 1
    access.people.invite(COMMAND, "lee", Role.VIEWER)
    for _ in range(2):
        with pytest.raises(LoginRefused):
            access.logins.log_in("lee", "wrong wrong wrong", "address")
    ground.site("instance-1")
    instance, owner = instance_of(), ground.anonymous()
    answer = owner.get(f"/owner?instance={instance}")
    assert owner.get(answer.headers["Location"]).status_code == 303
    assert owner.get("/").status_code == 200
    assert ground.anonymous().get(f"/owner?instance={instance}").status_code == 403
    browser = ground.client(Role.ADMIN)
    done = browser.send("/users/lee/end-sessions", shown_at="/users")
    assert "0 sessions have ended" in browser.told(done)
    assert "login by Wix" in browser.get("/audit?what=login by Wix&site=1").text
    made = access.tokens.add(COMMAND, "t", [Right.LOOK], days=1)
    assert access.tokens.who(made.secret) is not None
