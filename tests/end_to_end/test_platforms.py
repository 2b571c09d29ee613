"""The two-way story with each shop and review platform: real processes, real HTTP, the platform's
quirks.
"""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync_sandbox.platforms.stage import PlatformStage
from sync_sandbox.stage import Stage
from sync_worker.core.scale import FieldMap, Scale
from tests.commands import run_command
from tests.end_to_end.conftest import StageMaker

PRODUCTS = {"beans": "22", "tea": "23", "cups": "24"}
NAMES = ("woocommerce", "fera", "bigcommerce")
ADA, BEN = "ada@example.com", "ben@example.com"
STEP_SECONDS = 60
OFTEN = {
    "HOOK_CHECK_SECONDS": "1",
    "SWEEP_SECONDS": "1",
}  # what production does each quarter of an hour and each 5 s

pytestmark = [pytest.mark.full, pytest.mark.timeout(240)]


@pytest.fixture(params=NAMES)
def stage(request: pytest.FixtureRequest, make_stage: StageMaker) -> PlatformStage:
    made: PlatformStage = make_stage(PRODUCTS, platform=request.param, settings=OFTEN)
    return made


def settles(stage: PlatformStage, *expected: tuple[str, str, int | None, int | None]) -> None:
    """Everything comes to rest, with exactly this on both sides."""
    done = stage.wait_until(
        lambda: stage.is_quiet() and stage.shown() == set(expected), STEP_SECONDS
    )
    assert done, (stage.shown(), stage.status(), stage.platform.webhooks.sent[-3:])


def sweep(stage: PlatformStage) -> dict[str, int]:
    """Reconcile as a person runs it; the remote writes that it made, by kind."""
    environ = stage.everything | {"REDIS_URL": stage.redis_url}
    done = run_command(["reconcile", "--yes", "--json"], stage.folder, environ)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["is_finished"]
    return dict(document["written"])


def test_ratings_cross_with_echo_duplicate_missed_and_disabled_webhooks(
    stage: PlatformStage,
) -> None:
    ada = stage.add_person(ADA, "Ada")
    stage.add_person(BEN, "Ben")
    platform = stage.platform

    # After an outage of the gateway the platform has disabled its hooks: the worker brings them
    # back.
    platform.disable_hooks()
    assert stage.wait_until(platform.has_all_hooks, STEP_SECONDS)

    # Created on either side.
    stage.rate_on_wix(ada, "beans", 80)
    settles(stage, ("beans", ADA, 80, 4))
    stage.rate_on_platform(BEN, "tea", 5)
    settles(stage, ("beans", ADA, 80, 4), ("tea", BEN, 100, 5))
    assert stage.writes() == {"visitor": 2, "app": 2}, "an echo was written back"

    # Edited on Wix; then on the platform.
    stage.change_on_wix(stage.wix_id(ADA, "beans"), 20)
    settles(stage, ("beans", ADA, 20, 1), ("tea", BEN, 100, 5))
    platform.change(stage.review(BEN, "tea").id, by="visitor", stars=2)
    if (
        platform.name == "bigcommerce"
    ):  # an edit changes no count and tells nothing: only a scan finds it
        assert sweep(stage) == {"update on wix": 1}
    settles(stage, ("beans", ADA, 20, 1), ("tea", BEN, 40, 2))
    assert stage.writes() == {"visitor": 4, "app": 4}, "an echo was written back"

    # Everything that was ever sent comes again, late.
    for sending in list(platform.webhooks.sent):
        platform.webhooks.again(sending.event_id)
    settles(stage, ("beans", ADA, 20, 1), ("tea", BEN, 40, 2))
    assert stage.writes() == {"visitor": 4, "app": 4}, "a duplicate was applied"

    _both_at_once(stage)
    _hidden_and_shown_again(stage)

    # Webhooks that never come, of a create, an edit and a delete: a scan finds the first two at
    # once, and believes in the delete when the next one misses it, too.
    platform.faults.set("webhook_dropped", chance=1.0)
    stage.rate_on_platform(BEN, "cups", 3)
    platform.change(stage.review(BEN, "tea").id, by="visitor", stars=4)
    platform.remove(stage.review(ADA, "beans").id, by="visitor")
    platform.faults.clear()
    assert sweep(stage) == {"create on wix": 1, "update on wix": 1}
    settles(stage, ("beans", ADA, 20, None), ("tea", BEN, 80, 4), ("cups", BEN, 60, 3))
    assert sweep(stage) == {"delete on wix": 1}
    settles(stage, ("tea", BEN, 80, 4), ("cups", BEN, 60, 3))
    told = stage.writes()
    assert sweep(stage) == {}, "a scan of two equal sides writes nothing"

    # Deleted on either side.
    platform.remove(stage.review(BEN, "tea").id, by="visitor")
    settles(stage, ("cups", BEN, 60, 3))
    stage.box.wix.delete_rating(
        stage.wix_id(BEN, "cups"), {"identityType": "MEMBER", "memberId": "visitor"}
    )
    settles(stage)
    more = stage.writes() - told
    assert (more["visitor"], more["app"]) == (2, 2)
    assert not stage.status().held


def _both_at_once(stage: PlatformStage) -> None:
    """Changed on both sides, differently: one of the two stands on both."""
    stage.change_on_wix(stage.wix_id(BEN, "tea"), 100)
    stage.platform.change(stage.review(BEN, "tea").id, by="visitor", stars=1)
    if stage.platform.name == "bigcommerce":
        sweep(stage)
    agreed = {("tea", BEN, 100, 5), ("tea", BEN, 20, 1)}
    done = stage.wait_until(
        lambda: stage.is_quiet() and len(stage.shown() & agreed) == 1, STEP_SECONDS
    )
    assert done, (stage.shown(), stage.status())


def _hidden_and_shown_again(stage: PlatformStage) -> None:
    """A moderator hides a review: it leaves Wix, and comes again when it is published."""
    platform, review_id = stage.platform, stage.review(BEN, "tea").id
    beans = ("beans", ADA, 20, 1)
    for state, expected in (
        (platform.pending, [beans]),
        (platform.published, [beans, ("tea", BEN, 40, 2)]),
    ):
        platform.change(review_id, by="moderator", state=state, stars=2)
        if platform.name == "bigcommerce":
            sweep(stage)
        settles(stage, *expected)


def test_words_of_a_person_stay_as_written_when_the_stars_change(stage: PlatformStage) -> None:
    """To the byte, whatever the platform does with a text that is sent to it."""
    stage.add_person(BEN, "Ben")
    words = 'I don\'t "like" it \\ <b>at all</b> &amp; so on'
    stage.rate_on_platform(BEN, "tea", 5, words)
    settles(stage, ("tea", BEN, 100, 5))
    before = stage.review(BEN, "tea")
    for value, stars in ((40, 2), (80, 4)):
        stage.change_on_wix(stage.wix_id(BEN, "tea"), value)
        settles(stage, ("tea", BEN, value, stars))
    after = stage.review(BEN, "tea")
    assert replace(after, modified=before.modified, stars=before.stars) == before


@pytest.mark.parametrize("stage", ["woocommerce"], indirect=True)
def test_scan_finds_what_disabled_webhooks_did_not_tell(stage: PlatformStage) -> None:
    """The worker enables them again, and scans at once: nobody has to start it."""
    stage.add_person(BEN, "Ben")
    sweep(stage)
    stage.rate_on_platform(BEN, "tea", 5)
    settles(stage, ("tea", BEN, 100, 5))
    platform = stage.platform
    with platform.lock:
        platform.disable_hooks()
        platform.change(stage.review(BEN, "tea").id, by="visitor", stars=2)
    assert stage.wait_until(platform.has_all_hooks, STEP_SECONDS)
    settles(stage, ("tea", BEN, 40, 2))
    (state,) = [known for known in stage.admin.hook_states.all() if known.source != "wix"]
    assert (state.working, state.missing, state.is_watched) == (3, 0, True)
    assert state.heard_ago is not None


@pytest.mark.parametrize("stage", ["woocommerce", "fera"], indirect=True)
def test_guest_with_the_address_of_a_member_changes_nothing(stage: PlatformStage) -> None:
    ada = stage.add_person(ADA, "Ada")
    stage.rate_on_wix(ada, "beans", 80)
    settles(stage, ("beans", ADA, 80, 4))
    guest = stage.platform.create(
        PRODUCTS["beans"], ADA, "Mallory", 1, by="visitor", text="Bad", is_guest=True
    )
    assert stage.wait_until(lambda: stage.status().held == {"guest_change": 1}, STEP_SECONDS)
    assert stage.rated_on_wix() == {("beans", ADA): 80}

    # The member goes on rating; a customer who was logged in may change it.
    stage.change_on_wix(stage.wix_id(ADA, "beans"), 60)
    assert stage.wait_until(lambda: not stage.status().held, STEP_SECONDS)
    stage.platform.remove(guest.id, by="owner")
    settles(stage, ("beans", ADA, 60, 3))
    stage.platform.create(PRODUCTS["beans"], ADA, "Ada", 5, by="visitor", text="Fine by now")
    assert stage.wait_until(
        lambda: stage.is_quiet() and stage.rated_on_wix() == {("beans", ADA): 100}, STEP_SECONDS
    ), (stage.rated_on_wix(), stage.status())


def rating_of(stage: Stage, attribute: str, email: str, product: str) -> dict[str, Any]:
    """The one rating on Wix of a person for one attribute of a product."""
    contacts = stage.emails_by_contact()
    found = [
        one
        for one in list(stage.box.wix.ratings.values())
        if (one["attributeName"], one["entityId"], contacts[one["owner"]["contactId"]])
        == (attribute, product, email)
    ]
    assert len(found) == 1, (attribute, email, product, found)
    return dict(found[0])


def test_single_edits_of_eighteen_sub_ratings_leave_the_rest_alone(
    make_stage: StageMaker,
) -> None:
    aspects = ("quality", "value", "service")
    percent, tenths = (
        Scale(Decimal(0), Decimal(100), Decimal(1)),
        Scale(Decimal(0), Decimal(10), Decimal(1)),
    )
    fields = [
        FieldMap(f"{name}_mark", f"aspect_{name}", percent, tenths, "span") for name in aspects
    ]
    stage: Stage = make_stage({"beans": "SKU-1", "tea": "SKU-2"}, fields=fields)
    people = [f"person{number}@example.com" for number in range(3)]
    for email in people:
        stage.add_person(email, email.partition("@")[0])
    ids = {}
    for number, (email, product) in enumerate(
        (one, two) for one in people for two in stage.products
    ):
        marks = [
            {"code": f"aspect_{name}", "score": number + place}
            for place, name in enumerate(aspects)
        ]
        author = {"email": email, "display_name": "P"}
        draft = {
            "subject": {"id": stage.products[product]},
            "author": author,
            "score": 4,
            "aspects": marks,
            "text": "Mine",
        }
        ids[email, product] = stage.box.reviews.create(draft, by="visitor")["id"]

    def shown() -> dict[tuple[str, str, str], int]:
        contacts = stage.emails_by_contact()
        return {
            (contacts[one["owner"]["contactId"]], one["entityId"], one["attributeName"]): int(
                one["value"]
            )
            for one in list(stage.box.wix.ratings.values())
        }

    expected = {
        (email, product, f"{name}_mark"): 10 * (number + place)
        for number, (email, product) in enumerate(ids)
        for place, name in enumerate(aspects)
    }
    assert len(expected) == 18
    assert stage.wait_until(lambda: stage.is_quiet() and shown() == expected, 60), (
        shown(),
        stage.status(),
    )
    assert stage.writes()["app"] == 18

    # One attribute on Wix: one write outside, and the other marks and the text stay.
    chosen = people[1], "tea"
    before = dict(stage.box.reviews.ratings[ids[chosen]])
    stage.change_on_wix(rating_of(stage, "value_mark", *chosen)["id"], 100)

    def outside() -> dict[str, int]:
        return {
            one["code"]: int(one["score"])
            for one in stage.box.reviews.ratings[ids[chosen]]["aspects"]
        }

    old = {one["code"]: int(one["score"]) for one in before["aspects"]}
    assert stage.wait_until(
        lambda: stage.is_quiet() and outside() == old | {"aspect_value": 10}, 20
    ), outside()
    after = stage.box.reviews.ratings[ids[chosen]]
    assert (after["text"], after["score"]) == (before["text"], before["score"])

    # One attribute outside: one write on Wix, and the other seventeen stay.
    changed = [
        {"code": code, "score": 0 if code == "aspect_service" else score}
        for code, score in outside().items()
    ]
    stage.box.reviews.change(ids[chosen], {"aspects": changed}, by="visitor")
    expected |= {(*chosen, "value_mark"): 100, (*chosen, "service_mark"): 0}
    assert stage.wait_until(lambda: stage.is_quiet() and shown() == expected, 60), (
        shown(),
        stage.status(),
    )
    assert stage.writes()["app"] == 20
    assert not stage.status().held
