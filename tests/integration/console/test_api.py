"""The JSON API: what it tells, what it does once, and how it says no."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import validate

from sync_console.web.limits import Limits
from sync_worker.files.mapping_files import ENTITY_COLUMNS
from sync_worker.services.access.who import Right
from tests.integration.console.ground import Ground
from tests.integration.console.held_shop import HeldShop
from tests.integration.console.programs import program
from tests.integration.console.two_sites import two_sites

pytestmark = pytest.mark.full

PROBLEM = "application/problem+json"


@pytest.fixture
def shop(ground: Ground) -> HeldShop:
    return HeldShop(ground.admin)


def test_document_is_valid_and_for_anybody(ground: Ground) -> None:
    answer = ground.anonymous().get("/api/v1/openapi.json")
    assert answer.status_code == 200
    document: Any = answer.json
    validate(document)
    assert document["openapi"].startswith("3.1")
    of_rules = {
        rule.rule.replace("<int(max=999999999999):", "{").replace("<", "{").replace(">", "}")
        for rule in ground.app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and rule.endpoint != "api.openapi"
    }
    assert {f"/api/v1{path}" for path in document["paths"]} == of_rules


def test_held_by_reason_and_row_by_row_in_pages(ground: Ground, shop: HeldShop) -> None:
    numbers = [shop.hold("unknown_contact") for _ in range(51)]
    asker = program(ground, [Right.LOOK])
    (group,) = asker.get("/held").json["groups"]
    assert (group["reason"], group["count"]) == ("unknown_contact", 51)
    first = asker.get("/held/rows?reason=unknown_contact").json
    assert [item["number"] for item in first["items"]] == numbers[:50]
    assert first["next_after"] == numbers[49]
    last = asker.open(first["next"]).json
    assert [item["number"] for item in last["items"]] == numbers[50:]
    assert (last["next_after"], last["next"]) == (None, None)


def test_address_is_masked_for_who_has_no_scope_for_it(ground: Ground, shop: HeldShop) -> None:
    shop.hold("unknown_contact", address="ada@example.com", name=None)
    assert "ada@example.com" not in program(ground, [Right.LOOK]).get("/held/rows").text
    sees = program(ground, [Right.LOOK, Right.SEE_ADDRESSES])
    assert "ada@example.com" in sees.get("/held/rows").text


def test_release_says_which_and_the_audit_says_who(ground: Ground, shop: HeldShop) -> None:
    number = shop.hold("unknown_contact")
    asker = program(ground)
    done = asker.post("/held/release", {"numbers": [number, 4711], "why": "asked"})
    assert done.json == {"released": [number], "not_released": [4711], "is_more": False}
    (line, *_) = asker.get("/activity?by_people=1").json["lines"]
    assert line["actor"].startswith("token:program")


def test_drop_needs_a_reason_and_a_count(ground: Ground, shop: HeldShop) -> None:
    shop.hold("unknown_contact")
    asker = program(ground)
    for body, field in [
        ({"reason": "unknown_contact", "why": "w"}, "count"),
        ({"reason": "unknown_contact", "count": 1}, "why"),
        ({"count": 1, "why": "w"}, "reason"),
    ]:
        answer = asker.post("/held/drop", body)
        assert (answer.status_code, answer.content_type) == (422, PROBLEM)
        assert [one["field"] for one in answer.json["errors"]] == [field]
    dropped = asker.post("/held/drop", {"reason": "unknown_contact", "count": 1, "why": "w"})
    assert len(dropped.json["dropped"]) == 1


def test_pause_and_resume_of_what_was_seen(ground: Ground, shop: HeldShop) -> None:
    asker = program(ground)
    paused = asker.post("/sites/1/pause", {"why": "stock", "seconds": 3600, "state": "active"})
    assert (paused.status_code, paused.json["state"]) == (200, "paused")
    late = asker.post("/sites/1/pause", {"state": "active"})
    assert (late.status_code, late.content_type) == (409, PROBLEM)
    assert asker.get("/sites/1").json["site"]["pause"]["why"] == "stock"
    assert asker.post("/sites/1/resume").json["state"] == "active"


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_pause_until_a_time_that_is_none_is_refused(
    at: str, ground: Ground, shop: HeldShop
) -> None:
    answer = program(ground).post("/sites/1/pause", {"until": at})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "until")


def test_policies_are_previewed_and_changed(ground: Ground, shop: HeldShop) -> None:
    asker, body = program(ground), {"policies": {"direction": "to_external"}}
    previewed = asker.post("/sites/1/policies/preview", body)
    assert previewed.status_code == 200, previewed.text
    (change,) = previewed.json["changes"]
    body |= {"seen": {"direction": change["before"]}}
    changed = asker.post("/sites/1/policies", body)
    assert changed.json["policies"]["direction"] == "to_external"
    assert asker.post("/sites/1/policies", body).status_code == 409
    wrong = asker.post("/sites/1/policies", {"policies": {"direction": "up"}})
    assert (wrong.status_code, wrong.json["errors"][0]["field"]) == (422, "policies")


def test_maps_are_imported_whole_listed_and_removed(ground: Ground, shop: HeldShop) -> None:
    asker = program(ground)
    bad = asker.post("/sites/1/mappings/import", {"csv": "nonsense\n1\n"})
    assert (bad.status_code, bad.json["errors"][0]["field"]) == (422, "csv")
    csv = ",".join(ENTITY_COLUMNS) + "\nstores,reviews,p-1,,SKU-1\n"
    done = asker.post("/sites/1/mappings/import", {"csv": csv, "why": "new"})
    assert (done.status_code, done.json["added"]) == (200, 1), done.text
    (line,) = asker.get("/sites/1/mappings").json["maps"]
    gone = asker.post("/sites/1/mappings/remove", {"id": line["entity"]["id"]})
    assert (gone.status_code, asker.get("/sites/1/mappings").json["maps"]) == (200, [])


def test_key_does_it_once_and_answers_the_same(ground: Ground, shop: HeldShop) -> None:
    number, asker = shop.hold("unknown_contact"), program(ground)
    body, key = {"numbers": [number]}, {"Idempotency-Key": "k-1"}
    first = asker.post("/held/release", body, headers=key)
    again = asker.post("/held/release", body, headers=key)
    assert (
        first.json
        == again.json
        == {
            "released": [number],
            "not_released": [],
            "is_more": False,
        }
    )
    other = asker.post("/held/release", {"numbers": [77]}, headers=key)
    assert other.status_code == 422, other.text
    assert (other.status_code, other.json["errors"][0]["field"]) == (422, "Idempotency-Key")
    # Of another token it is another key.
    assert program(ground).post("/held/release", body, headers=key).json["released"] == []


def test_key_of_what_failed_may_be_used_again(ground: Ground, shop: HeldShop) -> None:
    asker, key = program(ground), {"Idempotency-Key": "k-2"}
    assert asker.post("/ratings/17/compare", headers=key).status_code == 404
    assert asker.post("/ratings/17/compare", headers=key).status_code == 404
    for wrong in ("", "two words", "x" * 256):
        headers = {"Idempotency-Key": wrong}
        assert asker.post("/sites/1/pause", headers=headers).status_code == 422


def test_fields_that_are_wrong_are_named(ground: Ground) -> None:
    asker = program(ground)
    answer = asker.get("/held/rows?after=x&unknown=1")
    assert answer.status_code == 422
    assert {one["field"] for one in answer.json["errors"]} == {"after", "unknown"}
    broken = asker.open("/api/v1/held/release", "POST", data=b"{")
    assert (broken.status_code, broken.content_type) == (400, PROBLEM)


def test_what_is_not_there_is_404_and_a_wrong_method_405(ground: Ground) -> None:
    asker = program(ground)
    for path in ("/nothing", "/sites/77", "/overview?site_id=77", "/ratings/77"):
        answer = asker.get(path)
        assert (answer.status_code, answer.content_type) == (404, PROBLEM), path
    wrong = asker.post("/overview")
    assert (wrong.status_code, wrong.content_type) == (405, PROBLEM)
    assert "GET" in wrong.headers["Allow"]


def test_contact_is_given_where_it_is_missing(ground: Ground, shop: HeldShop) -> None:
    number, asker = shop.hold("unknown_contact"), program(ground)
    assert asker.get(f"/held/{number}").json["words"] == "Fine beans"
    given = {"contact_id": "contact-1", "why": "she called"}
    assert asker.post(f"/held/{number}/contact", given).json["released"] == 1
    for path in (f"/held/{number}/contact", "/held/77/contact"):
        assert asker.post(path, given).status_code == 404
    assert asker.get(f"/held/{number}").status_code == 404


def test_product_is_given_where_it_is_missing(ground: Ground, shop: HeldShop) -> None:
    number, asker = shop.hold("unknown_entity", "SKU-1"), program(ground)
    given = asker.post(f"/held/{number}/map", {"entity_id": "p-1", "why": "new"})
    assert (given.status_code, given.json["released"]) == (200, 1), given.text
    chosen = {"numbers": [number], "side": "wix", "why": "w"}
    assert asker.post("/held/choose", chosen).json["code"] == "not_possible"
    assert asker.get("/sites/1/pairs").json["pairs"] == []
    assert asker.post("/sites/1/pairs/refuse", {"numbers": [7]}).json == {"refused": 0}


def test_rating_is_decided_once_as_it_was_seen(ground: Ground) -> None:
    sites, asker = two_sites(ground), program(ground, [Right.LOOK, Right.DECIDE])
    path = f"/ratings/{sites.other['link_id']}"
    seen = asker.get(path).json["version"]
    body = {"side": "wix", "values": {"overall": "80"}, "why": "she said so"}
    late = asker.post(f"{path}/make", {**body, "version": seen + 1})
    assert (late.status_code, late.json["code"]) == (409, "rating_changed")
    off = asker.post(f"{path}/make", {**body, "values": {"overall": "7"}})
    assert (off.status_code, off.json["errors"][0]["field"]) == (422, "values")
    key = {"Idempotency-Key": "make"}
    made = asker.post(f"{path}/make", {**body, "version": seen}, headers=key)
    assert made.json["rating"] == sites.other["link_id"]
    assert asker.post(f"{path}/make", {**body, "version": seen}, headers=key).json == made.json
    assert asker.post(f"{path}/make", body).json["code"] == "still_deciding"
    for act in ("stop", "go-on"):
        assert asker.post(f"{path}/{act}").json["errors"][0]["field"] == "why"
    assert asker.post(f"{path}/stop", {"why": "w"}).json["delivery"]
    gone = asker.post("/history/777/undo", {"why": "w"})
    assert (gone.status_code, gone.json["code"]) == (404, "unknown_line")


def test_token_that_decides_needs_no_right_to_look(ground: Ground) -> None:
    sites, asker = two_sites(ground), program(ground, [Right.DECIDE])
    assert asker.post(f"/ratings/{sites.other['link_id']}/compare").status_code == 200


def test_each_page_of_a_looker_answers(ground: Ground, shop: HeldShop) -> None:
    asker = program(ground)
    shop.wait("remote_away")
    assert asker.get("/overview").json["sentence"]
    (group,) = asker.get("/waiting").json["groups"]
    assert len(asker.post(f"/waiting/{group['key']}/try").json["tried"]) == 1
    assert [site["id"] for site in asker.get("/sites").json["sites"]] == [1, 2]
    assert asker.get("/machines").json["missing"]
    assert asker.get("/users").json["users"] == []
    assert asker.get("/audit?what=token+add").json["lines"]
    assert asker.get("/ratings?q=nobody").json["ratings"] == []


def test_token_that_asks_too_often_is_told_when_to_go_on(ground: Ground) -> None:
    ground.app.extensions["console_limits"] = Limits(2, lambda: 0.0)
    asker = program(ground)
    assert [asker.get("/sites").status_code for _ in range(3)] == [200, 200, 429]
    answer = asker.get("/sites")
    assert answer.content_type == PROBLEM
    assert answer.headers["Retry-After"] == "30"
    assert program(ground).get("/sites").status_code == 200


def test_limit_fills_again_as_time_goes_by() -> None:
    now = [0.0]
    limits = Limits(60, lambda: now[0])
    assert [limits.seconds_until_free("a") for _ in range(61)] == [0] * 60 + [1]
    now[0] = 1.0
    assert [limits.seconds_until_free("a") for _ in range(2)] == [0, 1]
