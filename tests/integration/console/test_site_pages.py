"""Overview, sites, one site and machines: what each role sees and does, and owners their own."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from sync_worker.core.processes import Process, ProcessKind
from sync_worker.core.values import EntityRef, SiteState
from sync_worker.core.values.catalogue import ProposedPair
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.services.access.who import Role
from tests.integration.console.ground import FORM, TOKEN, Browser, Ground, ground_over

pytestmark = pytest.mark.full

HEADER = "wix_namespace,wix_group,wix_entity_id,external_group,external_entity_id\n"
VIEWS = ("/", "/sites", "/sites/1", "/sites/1/policies", "/sites/1/maps")


@pytest.fixture
def ground(sqlite_url: str) -> Iterator[Ground]:
    """Two sites: the first with a map and two proposed pairs."""
    with ground_over(sqlite_url, FLOWER_URL="https://flower.example") as made:
        sites = made.admin.sites
        sites.add("instance-1", "shop-1", [])
        sites.add("instance-2", "shop-2", [])
        site = sites.find("1")
        pairs = [(wix(number), outside(number)) for number in (1, 2)]
        made.admin.mappings.import_entities(site, pairs)
        proposed = [ProposedPair(wix(n), outside(n), "sku", f"Beans {n}") for n in (3, 4)]
        made.admin.proposals.replace(1, proposed)
        yield made


def wix(number: int) -> EntityRef:
    return EntityRef(f"p-{number}", "stores", "reviews")


def outside(number: int) -> EntityRef:
    return EntityRef(f"SKU-{number}")


def noted(ground: Ground, site_id: int = 1) -> list[tuple[str, str, str]]:
    entries = SqlAudit(ground.admin.transactions).of_site(site_id)
    return [(entry.what, entry.actor, entry.why) for entry in entries]


def mapped(ground: Ground) -> list[str]:
    return [one.wix.entity_id for one in ground.admin.mappings.entities(1)]


@pytest.mark.parametrize("role", list(Role))
def test_everybody_may_look(ground: Ground, role: Role) -> None:
    browser = ground.client(role, 1)
    for path in VIEWS:
        answer = browser.client.get(path, follow_redirects=True)
        assert answer.status_code == 200, path
        assert "Site 2" not in answer.text or role is not Role.OWNER


@pytest.mark.parametrize(
    "path", ["/sites/2", "/sites/2/policies", "/sites/2/maps", "/sites/99", "/machines"]
)
def test_owner_reaches_nothing_of_others(ground: Ground, path: str) -> None:
    assert ground.client(Role.OWNER, 1).get(path).status_code in (403, 404)


@pytest.mark.parametrize(
    "path",
    ["pause", "resume", "policies", "policies/preview", "maps/confirm", "maps/refuse", "maps/file"],
)
def test_viewer_changes_nothing(ground: Ground, path: str) -> None:
    answer = ground.client(Role.VIEWER).send(f"/sites/1/{path}")
    assert answer.status_code == 403
    assert not [line for line in noted(ground) if line[0] != "map.import_entities"]


def test_owner_changes_nothing_of_another_site(ground: Ground) -> None:
    owner = ground.client(Role.OWNER, 1)
    for path in ("pause", "policies", "maps/remove"):
        assert owner.send(f"/sites/2/{path}").status_code == 404


def test_site_is_paused_for_a_while_and_resumed(ground: Ground) -> None:
    browser = ground.client(Role.ADMIN)
    fields = {"span": "4h", "why": "the shop moves", "seen": "active"}
    told = browser.told(browser.send("/sites/1/pause", fields, "/sites/1"))
    assert "Site 1 is paused until" in told
    assert "the shop moves" in told
    assert "in 4 hours" in browser.get("/sites").text
    assert "1 thing needs you" not in browser.get("/").text
    told = browser.told(browser.send("/sites/1/resume", {"seen": "paused"}, "/sites/1"))
    assert "Site 1 goes on." in told
    assert noted(ground)[:2] == [
        ("site.resume", "some admin", ""),
        ("site.pause", "some admin", "the shop moves"),
    ]


def test_pause_until_a_time_of_ones_own(ground: Ground) -> None:
    browser = ground.client(Role.ADMIN)
    answer = browser.send("/sites/1/pause", {"until": "2020-01-01T08:00"}, "/sites/1")
    assert answer.status_code == 422
    assert "is over already" in answer.text
    answer = browser.send("/sites/1/pause", {"until": "tomorrow"}, "/sites/1")
    assert answer.status_code == 400
    assert ground.admin.sites.find("1").state is SiteState.ACTIVE


def test_who_comes_second_sees_what_the_other_did(ground: Ground) -> None:
    ground.admin.sites.set_state(1, SiteState.PAUSED, "grace", "a sale")
    browser = ground.client(Role.ADMIN)
    answer = browser.send("/sites/1/pause", {"seen": "active"}, "/sites/1")
    assert answer.status_code == 409
    assert "by grace (a sale)" in answer.text


def test_form_that_comes_twice_pauses_once(ground: Ground) -> None:
    browser = ground.client(Role.ADMIN)
    page = browser.get("/sites/1").text
    tokens = {"csrf_token": TOKEN.findall(page)[0], "form": FORM.findall(page)[0]}
    for _ in range(2):
        assert browser.client.post("/sites/1/pause", data=tokens).status_code == 303
    assert [what for what, *_ in noted(ground)].count("site.pause") == 1


def test_other_answers_are_previewed_before_they_count(ground: Ground) -> None:
    browser = ground.client(Role.ADMIN)
    answers = {"policy.unknown_contact": "create", "policy.conflict": "latest"}
    preview = browser.send("/sites/1/policies/preview", answers, "/sites/1/policies")
    assert "The person becomes a contact" in preview.text
    assert "Change 1 answer" in preview.text
    assert ground.admin.sites.find("1").policy.unknown_contact == "hold"
    fields = dict(re.findall(r'name="((?:policy|seen)\.[^"]+)" value="([^"]+)"', preview.text))
    told = browser.told(browser.send("/sites/1/policies", fields, "/sites/1"))
    assert "1 answer is changed." in told
    assert ground.admin.sites.find("1").policy.unknown_contact == "create"
    assert noted(ground)[0][:2] == ("site.policy", "some admin")
    # It was shown with the answer that it had.
    assert browser.send("/sites/1/policies", fields, "/sites/1").status_code == 409


@pytest.mark.parametrize("answer", [{"policy.conflict": "both"}, {"policy.nothing": "x"}])
def test_answer_that_there_is_not_is_refused(ground: Ground, answer: dict[str, str]) -> None:
    sent = ground.client(Role.ADMIN).send("/sites/1/policies/preview", answer)
    assert sent.status_code == 422


def test_pairs_are_confirmed_one_by_one_refused_or_all_at_once(ground: Ground) -> None:
    browser = ground.client(Role.SUPPORT)
    first, second = ground.admin.proposals.open(1)
    told = browser.told(browser.send("/sites/1/maps/confirm", {"pair": first.id}, "/sites/1/maps"))
    assert "1 mapped." in told
    assert mapped(ground) == ["p-1", "p-2", "p-3"]
    assert noted(ground)[0][1] == "some support"
    told = browser.told(browser.send("/sites/1/maps/refuse", {"pair": second.id}, "/sites/1/maps"))
    assert "1 pair is not the same thing" in told
    ground.admin.proposals.replace(1, [ProposedPair(wix(5), outside(5), "sku")])
    told = browser.told(browser.send("/sites/1/maps/confirm", {"way": "sku"}, "/sites/1/maps"))
    assert "1 mapped." in told
    assert mapped(ground)[-1] == "p-5"


def test_file_is_taken_whole_or_its_lines_are_named(ground: Ground) -> None:
    browser = ground.client(Role.SUPPORT)
    bad = sent_file(browser, HEADER + "reviews,stores,p-8,,SKU-8\nreviews,,p-9,,SKU-9\n")
    assert bad.status_code == 422
    assert "line 3: wix_group: is empty" in bad.text
    assert mapped(ground) == ["p-1", "p-2"]
    good = sent_file(browser, HEADER + "reviews,stores,p-8,,SKU-8\n")
    assert "1 mapped." in browser.told(good)
    assert mapped(ground) == ["p-1", "p-2", "p-8"]


def sent_file(browser: Browser, content: str) -> TestResponse:
    page = browser.get("/sites/1/maps").text
    tokens = {"csrf_token": TOKEN.findall(page)[0], "form": FORM.findall(page)[-1]}
    file = (io.BytesIO(content.encode()), "maps.csv")
    return browser.client.post("/sites/1/maps/file", data={**tokens, "file": file})


def test_map_without_a_rating_is_removed(ground: Ground) -> None:
    browser = ground.client(Role.SUPPORT)
    known = ground.admin.mappings.entities(1)[0]
    fields = {"map": known.id}
    told = browser.told(browser.send("/sites/1/maps/remove", fields, "/sites/1/maps"))
    assert "The map of p-1 to SKU-1 is removed." in told
    assert mapped(ground) == ["p-2"]


def test_hostile_words_are_shown_as_words(ground: Ground) -> None:
    bad = "<script>alert(1)</script>"
    ground.admin.sites.set_state(1, SiteState.PAUSED, "grace", bad)
    ground.admin.proposals.replace(1, [ProposedPair(wix(6), outside(6), "sku", bad, bad)])
    browser = ground.client(Role.ADMIN)
    for path in ("/sites", "/sites/1", "/sites/1/maps", f"/sites?name={bad}"):
        page = browser.get(path).text
        assert bad not in page, path


@pytest.mark.parametrize(
    "query", ["after=1.999999999999999999", "after=x", "trouble=x&state=y", "name=" + "9" * 200]
)
def test_odd_words_in_the_address_are_no_fault(ground: Ground, query: str) -> None:
    browser = ground.client(Role.ADMIN)
    assert browser.get(f"/sites?{query}").status_code == 200
    assert browser.get(f"/sites/1/maps?{query}&pairs_after={'9' * 40}").status_code == 200


def test_number_of_no_site_is_told(ground: Ground) -> None:
    browser = ground.client(Role.ADMIN)
    assert browser.get("/sites/77").status_code == 422
    assert browser.get("/sites/" + "9" * 30).status_code == 404


def test_overview_is_asked_again_for_its_news_alone(ground: Ground) -> None:
    browser = ground.client(Role.ADMIN)
    live = {"HX-Target": "live"}
    first = browser.get("/", headers=live)
    assert "<html" not in first.text
    again = browser.get("/", headers={**live, "If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_machines_show_who_lives_and_link_to_flower(ground: Ground) -> None:
    heartbeats = ground.admin.heartbeats
    heartbeats.note(Process(ProcessKind.WORKER, "host-1", 7, "0.1.0", slots=8, busy=2))
    page = ground.client(Role.ADMIN).get("/machines").text
    assert "https://flower.example/worker/worker@host-1" in page
    assert "2 of 8" in page
    assert "No gateway runs: webhooks are not accepted." in page
    assert ground.client(Role.SUPPORT).get("/machines").status_code == 403


def test_installation_without_a_site_shows_the_four_steps(sqlite_url: str) -> None:
    with ground_over(sqlite_url) as empty:
        browser = empty.client(Role.ADMIN)
        assert "It takes four steps" in browser.get("/").text
        assert "It takes four steps" in browser.get("/sites").text
