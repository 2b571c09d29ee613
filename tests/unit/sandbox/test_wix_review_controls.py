"""What a visitor and the owner do on the page of the stand-in Wix, and tests by the same calls."""

from __future__ import annotations

from sync_sandbox.wix.state import WixState
from tests.unit.sandbox.client import WixClient

PATH = "/sandbox/reviews"
NOBODY = {"X-Nobody": "asks"}  # the controls want no token


def act(client: WixClient, path: str, body: object = None, method: str = "POST") -> object:
    status, answer = client.call(method, path, body, **NOBODY)
    assert status == 200, answer
    return answer


def test_visitor_writes_edits_votes_and_deletes(client: WixClient, ana: str, mug: str) -> None:
    written = {"person": ana, "entity": mug, "value": 4, "title": "Good", "name": "Ana"}
    review = act(client, PATH, written | {"body": "Sturdy"})
    assert isinstance(review, dict)
    path = f"{PATH}/{review['id']}"
    act(client, path, {"value": 2, "body": "Broke"}, "PATCH")
    act(client, f"{path}/vote", {"helpful": True})
    seen = client.get(review["id"])
    assert seen["content"] == {"rating": 2, "title": "Good", "body": "Broke", "media": []}
    assert (seen["origin"], seen["helpfulness"]) == ({"type": "ORGANIC"}, 1)
    act(client, path, method="DELETE")
    assert client.call("GET", f"/reviews/v1/reviews/{review['id']}")[0] == 404


def test_owner_moderates_and_replies(client: WixClient, wix: WixState, ana: str, mug: str) -> None:
    act(client, f"{PATH}/moderation", {"mode": "manual"}, "PUT")
    review = act(client, PATH, {"person": ana, "entity": mug, "value": 1})
    assert isinstance(review, dict)
    path = f"{PATH}/{review['id']}"

    def status() -> str:
        return str(client.get(review["id"])["moderation"]["moderationStatus"])

    assert status() == "IN_MODERATION"
    act(client, f"{path}/approve")
    assert status() == "APPROVED"
    act(client, f"{path}/reject")
    assert status() == "REJECTED"
    act(client, f"{path}/reply", {"message": "Sorry"})
    assert client.get(review["id"])["reply"]["message"] == "Sorry"
    act(client, f"{path}/reply", method="DELETE")
    assert "reply" not in client.get(review["id"])
    state = act(client, "/sandbox/state", method="GET")
    assert isinstance(state, dict)
    assert state["moderation"] == "manual"
    assert review["id"] in [one["id"] for one in state["reviews"]]
    who = [(one["operation"], one["by"]) for one in wix.journal if one["id"] == review["id"]]
    assert who[:3] == [("create", "visitor"), ("moderate", "owner"), ("moderate", "owner")]


def test_mode_that_does_not_exist_is_refused_with_those_that_do(client: WixClient) -> None:
    status, answer = client.call("PUT", f"{PATH}/moderation", {"mode": "strict"}, **NOBODY)
    assert status == 400
    assert "off, late, manual, low_stars, reject" in answer["error"]


def test_page_shows_reviews_and_takes_its_forms(client: WixClient, ana: str, mug: str) -> None:
    def page() -> str:
        return client.http.get("/").get_data(as_text=True)

    form = {"person": ana, "entity": mug, "value": "4", "title": "Good <b>", "body": "Sturdy"}
    assert client.http.post(PATH, data=form).status_code == 302
    (review,) = client.found({"entityId": mug})
    path = f"{PATH}/{review['id']}"
    assert "<b>Good </b> Sturdy" in page()
    assert f'action="{path}/reject"' in page()
    yes = {"yes": "1"}
    for act, data in (
        ("/reply", {"message": "Thanks"}),
        ("", {"value": "2"}),
        ("/vote", yes),
        ("/reject", yes),
    ):
        assert client.http.post(f"{path}{act}", data=data).status_code == 302
    assert "REJECTED, ORGANIC" in page()
    assert "↳ Thanks" in page()
    seen = client.get(review["id"])
    assert (seen["content"]["rating"], seen["content"]["body"]) == (2, "Sturdy")
    assert client.http.post(f"{PATH}/moderation", data={"mode": "low_stars"}).status_code == 302
    assert '<option value="low_stars" selected>' in page()
