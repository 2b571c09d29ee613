"""Each thing that Wix does not document of its Reviews, with its switch off and on."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any

import pytest

from sync_sandbox.wix.reviews.moderation import Mode
from sync_sandbox.wix.reviews.quirks import DEFAULTS, QUIRKS
from sync_sandbox.wix.state import WixState
from tests.unit.sandbox.client import REVIEWS, WixClient

VISITOR = {"identityType": "MEMBER", "memberId": "visitor"}
OWNER = {"identityType": "WIX_USER", "wixUserId": "owner"}


def on(wix: WixState, *names: str) -> None:
    for name in names:
        wix.faults.set(name, chance=1.0)


def moderate(client: WixClient, review: dict[str, Any], status: str) -> dict[str, Any]:
    path = f"{REVIEWS}/{review['id']}/moderate"
    moderated = client.good("PATCH", path, {"status": status})["review"]
    assert isinstance(moderated, dict)
    return moderated


@pytest.mark.parametrize(
    ("quirk", "refusal"), [("organic_read_only", 403), ("organic_is_conflict", 409)]
)
def test_organic_review_can_be_closed_to_apps(
    client: WixClient, wix: WixState, draft: dict[str, Any], quirk: str, refusal: int
) -> None:
    made = wix.reviews.create(draft, VISITOR)
    assert made["origin"] == {"type": "ORGANIC"}
    status, answer = client.update(made["id"], "1", content={"rating": 1})
    assert (status, answer["review"]["revision"]) == (200, "2")
    on(wix, quirk)
    assert client.update(made["id"], "2", content={"rating": 2})[0] == refusal
    assert client.get(made["id"])["content"]["rating"] == 1
    # Its author edits it on the site as before; what the app made stays the app's.
    changes = {"content": {"rating": 3}}
    edited = wix.reviews.update(made["id"], changes, VISITOR, is_client=False)
    assert edited["revision"] == "3"
    draft["entityId"] = "another"
    ours = client.create(draft)
    assert client.update(ours["id"], "1", content={"rating": 1})[0] == 200


def test_moderation_keeps_the_revision_unless_it_is_told_to_raise_it(
    client: WixClient, wix: WixState, draft: dict[str, Any]
) -> None:
    made = client.create(draft)
    rejected = moderate(client, made, "REJECTED")
    assert (rejected["revision"], rejected["updatedDate"]) == ("1", made["updatedDate"])
    on(wix, "moderation_bumps_revision")
    assert moderate(client, made, "APPROVED")["revision"] == "2"
    wix.faults.clear()
    wix.faults.set("moderation_keeps_revision")
    assert moderate(client, made, "REJECTED")["revision"] == "3"
    wix.faults.clear()
    again = moderate(client, made, "APPROVED")
    assert (again["revision"], again["publishCount"]) == ("3", 3)


def test_update_merges_or_replaces_the_content(
    client: WixClient, wix: WixState, draft: dict[str, Any]
) -> None:
    draft["content"]["media"] = [{"image": {"id": "1.jpg"}}]
    made = client.create(draft)
    _, merged = client.update(made["id"], "1", content={"rating": 1})
    assert merged["review"]["content"] == made["content"] | {"rating": 1}
    on(wix, "patch_replaces_content")
    _, replaced = client.update(made["id"], "2", content={"rating": 2})
    assert replaced["review"]["content"] == {"rating": 2, "media": []}
    assert client.update(made["id"], "3", content={"title": "x"})[0] == 400


def test_reply_raises_the_revision_or_not(
    client: WixClient, wix: WixState, draft: dict[str, Any]
) -> None:
    made = client.create(draft)
    path = f"{REVIEWS}/{made['id']}/reply"
    first = client.good("PATCH", path, {"message": "Thanks"})["review"]
    assert first["revision"] == "1"
    on(wix, "reply_bumps_revision")
    second = client.good("PATCH", path, {"message": "Thank you"})["review"]
    assert second["revision"] == "2"
    assert second["reply"]["createdDate"] == first["reply"]["createdDate"]
    assert client.good("DELETE", path)["review"]["revision"] == "3"


def test_vote_counts_and_raises_the_revision_or_not(
    client: WixClient, wix: WixState, draft: dict[str, Any]
) -> None:
    made = client.create(draft)
    wix.reviews.vote(made["id"], VISITOR, is_helpful=True)
    voted = wix.reviews.vote(made["id"], VISITOR, is_helpful=False)
    assert (voted["foundHelpful"], voted["foundUnhelpful"], voted["helpfulness"]) == (1, 1, 0)
    assert voted["revision"] == "1"
    on(wix, "votes_emit_updated")
    assert wix.reviews.vote(made["id"], VISITOR, is_helpful=True)["revision"] == "2"


def test_search_can_be_behind_with_what_came_changed_and_went(
    client: WixClient,
    wix: WixState,
    draft: dict[str, Any],
    mug: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, index = [100.0], wix.reviews.search.index
    monkeypatch.setattr(index, "clock", lambda: now[0])
    made = client.create(draft)
    on(wix, "find_lags")
    where, count = {"entityId": mug}, f"{REVIEWS}/count"
    assert client.found(where) == []
    assert client.good("POST", count, {"filter": where})["count"] == 0
    assert client.get(made["id"]) == made
    now[0] += index.lag_seconds
    assert client.found(where) == [made]
    now[0] += 0.1
    client.update(made["id"], "1", content={"rating": 1})
    assert client.found(where) == [made]
    client.good("DELETE", f"{REVIEWS}/{made['id']}")
    assert client.found(where) == [made]
    wix.faults.clear()
    assert client.found(where) == []


def test_create_can_be_answered_before_the_rules_ran(
    client: WixClient, wix: WixState, draft: dict[str, Any]
) -> None:
    on(wix, "created_as_submitted")
    wix.reviews.mode = Mode.REJECT
    made = client.create(draft)
    assert made["moderation"]["moderationStatus"] == "SUBMITTED"
    assert client.get(made["id"])["moderation"]["moderationStatus"] == "REJECTED"


def test_duplicate_is_a_conflict_or_a_bad_request(
    client: WixClient, wix: WixState, draft: dict[str, Any]
) -> None:
    client.create(draft)
    on(wix, "duplicate_is_400")
    refusal = client.refused("POST", REVIEWS, {"review": draft})
    assert refusal == (400, "review.author.contactId")


def test_rejected_review_blocks_its_author_or_not(
    client: WixClient, wix: WixState, draft: dict[str, Any], mug: str
) -> None:
    first = client.create(draft)
    on(wix, "rejected_does_not_block")
    assert client.refused("POST", REVIEWS, {"review": draft})[0] == 409
    moderate(client, first, "REJECTED")
    second = client.create(draft)
    assert len(client.found({"entityId": mug})) == 2
    client.good("DELETE", f"{REVIEWS}/{first['id']}")
    assert wix.reviews.id_of(draft["author"]["contactId"], mug) == second["id"]


def test_product_can_be_unknown(client: WixClient, wix: WixState, draft: dict[str, Any]) -> None:
    on(wix, "unknown_product")
    assert client.refused("POST", REVIEWS, {"review": draft}) == (404, "PRODUCT_NOT_FOUND")


def test_without_the_permission_private_reviews_are_silently_left_out(
    client: WixClient, wix: WixState, draft: dict[str, Any], mug: str
) -> None:
    wix.reviews.mode = Mode.MANUAL
    made = client.create(draft)
    on(wix, "private_needs_permission")
    assert client.found({"entityId": mug}) == []
    counted = {"filter": {"entityId": mug}, "includePrivateReviews": True}
    assert client.good("POST", f"{REVIEWS}/count", counted)["count"] == 0
    path = f"{REVIEWS}/{made['id']}?returnPrivateReviews=true"
    assert client.refused("GET", path)[0] == 404


def test_query_may_not_know_contacts(client: WixClient, wix: WixState, ana: str) -> None:
    on(wix, "no_contact_filter")
    for condition in (ana, {"$in": [ana]}):
        asked = {"query": {"filter": {"$and": [{"author.contactId": condition}]}}}
        refusal = client.refused("POST", f"{REVIEWS}/query", asked)
        assert refusal == (400, "query.filter.author.contactId")


def test_revision_can_be_a_number_in_answers(
    client: WixClient, wix: WixState, draft: dict[str, Any], mug: str
) -> None:
    on(wix, "revision_as_number")
    made = client.create(draft)
    assert made["revision"] == 1
    assert client.get(made["id"])["revision"] == 1
    assert client.found({"entityId": mug})[0]["revision"] == 1
    other = copy.deepcopy(draft)
    other["entityId"] = "another"
    asked = {"reviews": [other], "returnEntity": True}
    answer = client.good("POST", "/reviews/v1/bulk/reviews/create", asked)
    assert answer["results"][0]["review"]["revision"] == 1


def test_null_takes_a_text_away_or_not(
    client: WixClient, wix: WixState, draft: dict[str, Any]
) -> None:
    made = client.create(draft)
    on(wix, "null_keeps_text")
    _, kept = client.update(made["id"], "1", content={"title": None, "rating": 1})
    assert kept["review"]["content"]["title"] == "Good"
    wix.faults.clear()
    _, cleared = client.update(made["id"], "2", content={"title": None})
    assert "title" not in cleared["review"]["content"]


def test_tags_in_a_text_are_stripped_or_kept(
    client: WixClient, wix: WixState, draft: dict[str, Any]
) -> None:
    marked = "I <3 it: 1 < 2, <b>really</b> &amp; so on"
    draft["content"]["body"] = marked
    plain = "I <3 it: 1 < 2, really &amp; so on"
    made = client.create(draft)
    assert made["content"]["body"] == plain
    on(wix, "html_in_text_kept")
    _, changed = client.update(made["id"], "1", content={"body": marked})
    assert changed["review"]["content"]["body"] == marked


def test_name_of_the_author_can_be_lost(
    client: WixClient, wix: WixState, draft: dict[str, Any]
) -> None:
    on(wix, "author_name_is_null")
    assert client.create(draft)["author"]["authorName"] is None


@pytest.mark.parametrize(
    ("mode", "low", "high"),
    [
        (Mode.OFF, "APPROVED", "APPROVED"),
        (Mode.MANUAL, "IN_MODERATION", "IN_MODERATION"),
        (Mode.LOW_STARS, "IN_MODERATION", "APPROVED"),
        (Mode.REJECT, "REJECTED", "REJECTED"),
    ],
)
def test_rules_decide_about_what_is_new(
    client: WixClient, wix: WixState, draft: dict[str, Any], mode: Mode, low: str, high: str
) -> None:
    wix.reviews.mode = mode
    for stars, expected in ((2, low), (3, high)):
        draft["entityId"] = f"of {stars}"
        draft["content"]["rating"] = stars
        made = client.create(draft)
        moderation = {"moderationStatus": expected, "manuallyChanged": False}
        assert made["moderation"] == moderation
        assert made["publishCount"] == (expected == "APPROVED")
        # Only what is new is looked at: an edit does not change who sees it.
        _, edited = client.update(made["id"], "1", content={"rating": 1})
        assert edited["review"]["moderation"] == moderation


def test_late_rules_do_not_undo_what_the_owner_decided(
    client: WixClient, wix: WixState, draft: dict[str, Any]
) -> None:
    wix.reviews.mode, wix.reviews.late_seconds = Mode.LATE, 0.05
    first = client.create(draft)
    draft["entityId"] = "another"
    second = client.create(draft)
    assert {one["moderation"]["moderationStatus"] for one in (first, second)} == {"SUBMITTED"}
    wix.reviews.moderate(second["id"], "REJECTED", OWNER)
    until = time.monotonic() + 5
    while client.get(first["id"])["publishCount"] == 0 and time.monotonic() < until:
        time.sleep(0.02)
    assert client.get(first["id"])["moderation"] == {
        "moderationStatus": "APPROVED",
        "manuallyChanged": False,
    }
    time.sleep(0.1)
    assert client.get(second["id"])["moderation"]["moderationStatus"] == "REJECTED"


def test_switches_that_are_on_by_default_come_back_when_all_are_cleared(wix: WixState) -> None:
    wix.faults.set("moderation_keeps_revision")
    wix.faults.clear()
    switches = wix.faults.as_json()["switches"]
    assert {name for name, one in switches.items() if one["chance"]} == set(DEFAULTS)
    assert switches.keys() >= QUIRKS.keys()


def test_manual_names_every_switch_with_what_it_does() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "wix-reviews.md").read_text()
    missing = [name for name, means in QUIRKS.items() if f"| `{name}` | {means} |" not in manual]
    assert missing == []
