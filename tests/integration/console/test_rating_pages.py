"""The pages Ratings, One rating and Activity, as a browser asks for them."""

from __future__ import annotations

import pytest

from sync_console.web.show import mark_of
from sync_worker.core.values import SiteState
from sync_worker.ledger.administration.retention import LedgerRetention, Retention
from sync_worker.services.access.who import Role
from tests.integration.console.ground import Ground
from tests.integration.console.rating_ground import RatingGround

pytestmark = pytest.mark.full


@pytest.fixture
def there(ground: Ground) -> RatingGround:
    return RatingGround(ground.parts.transactions.engine)


def forget_words(ground: Ground) -> None:
    """As the retention does with words that are old."""
    keep = Retention(words_days=-1)
    list(LedgerRetention(ground.parts.transactions.engine).prune(keep))


def test_support_person_finds_a_rating_and_why_one_has_not_crossed(
    ground: Ground, there: RatingGround
) -> None:
    support = ground.client(Role.SUPPORT)
    page = support.get("/ratings?q=eve.miller@example.com").text
    assert f'href="/ratings/{there.eve}"' in page
    assert "eve.miller@example.com" in page
    page = support.get("/ratings?q=stranger51@example.com").text
    assert f'href="/ratings/delivery/{there.held}"' in page
    page = support.get(f"/ratings/delivery/{there.held}").text
    assert "Not linked yet because" in page
    assert "nobody on the Wix site has this address" in page
    assert support.get("/ratings").status_code == 200
    assert "Nothing is found" in support.get("/ratings?q=nobody@example.com").text


def test_viewer_sees_no_address_anywhere(ground: Ground, there: RatingGround) -> None:
    viewer = ground.client(Role.VIEWER)
    for path in (
        "/ratings?q=eve.miller@example.com&state=in_step",
        f"/ratings/{there.eve}",
        "/activity",
        "/ratings.csv?q=eve+miller",
    ):
        page = viewer.get(path).text
        # What the viewer typed stands in the search field only.
        told = page.replace('value="eve.miller@example.com"', "").replace("q=eve.miller", "")
        assert "eve.miller@" not in told, path
        assert viewer.get(path).status_code == 200


def test_activity_shows_pauses_of_sites_to_those_who_may_see_them(
    ground: Ground, there: RatingGround
) -> None:
    for site_id, why in ((there.site_id, "we move"), (there.other_site, "they move")):
        ground.admin.sites.set_state(site_id, SiteState.PAUSED, "grace", why)
        ground.admin.sites.set_state(site_id, SiteState.ACTIVE, "grace", f"{why} no more")
    page = ground.client(Role.SUPPORT).get("/activity").text
    for words in ("we move", "they move"):
        assert f"<strong>Paused</strong> by grace: {words}" in page
        assert f"<strong>Resumed</strong> by grace: {words} no more" in page
    own = ground.client(Role.OWNER, there.site_id).get("/activity").text
    assert "we move no more" in own
    assert "they move" not in own
    for narrower in ("kind=writes", "overwritten=1", "actor=ada"):
        assert "we move" not in ground.client(Role.SUPPORT).get(f"/activity?{narrower}").text


def test_owner_reaches_no_rating_of_another_site(ground: Ground, there: RatingGround) -> None:
    owner = ground.client(Role.OWNER, there.site_id)
    assert owner.get(f"/ratings/{there.eve}").status_code == 200
    assert owner.get(f"/ratings/{there.other}").status_code == 404
    stranger = ground.client(Role.OWNER, there.other_site)
    assert stranger.get(f"/ratings/delivery/{there.held}").status_code == 404
    assert owner.get(f"/ratings?site={there.other_site}").status_code in (403, 404)
    assert owner.get(f"/activity?site={there.other_site}").status_code in (403, 404)
    for path in ("/ratings?q=eve", "/ratings.csv?q=eve", "/activity"):
        assert f"/ratings/{there.other}" not in owner.get(path).text


def test_hostile_words_are_shown_as_text(ground: Ground, there: RatingGround) -> None:
    support = ground.client(Role.SUPPORT)
    for path in (f"/ratings/{there.eve}", "/activity", "/ratings?q=%3Cscript%3Ealert(1)"):
        page = support.get(path).text
        assert "<script>alert" not in page, path
        assert "&lt;script&gt;alert(1)" in page, path


def test_overwritten_value_is_struck_through(ground: Ground, there: RatingGround) -> None:
    page = ground.client(Role.SUPPORT).get("/activity?overwritten=1").text
    assert "<del>40</del>" in page
    assert "Changed on Wix" in page
    assert "Nothing of this kind" in ground.client(Role.SUPPORT).get("/activity?kind=moves").text


def test_held_rating_says_what_differs_and_what_to_do(ground: Ground, there: RatingGround) -> None:
    there.hold_link(42)
    page = ground.client(Role.SUPPORT).get(f"/ratings/{there.eve}").text
    assert "They differ:" in page
    assert "It frees itself when:" in page
    assert 'class="differs"' in page


def test_live_part_is_told_alone_and_only_if_new(ground: Ground, there: RatingGround) -> None:
    there.hold_link(42)
    support, live = ground.client(Role.SUPPORT), {"HX-Target": "live"}
    for path in (f"/ratings/{there.eve}", "/activity"):
        part = support.get(path, headers=live)
        assert "<html" not in part.text
        assert "Stars" in part.text
        known = live | {"If-None-Match": part.headers["ETag"]}
        assert support.get(path, headers=known).status_code == 304
    assert f'href="/held/{there.held}"' in support.get(f"/ratings/delivery/{there.held}").text
    assert support.get(f"/held/{there.held}").status_code == 200


def test_time_that_goes_by_is_no_news() -> None:
    told = '<p>{}<time datetime="{}" title="UTC">{} ago</time></p>'
    now, later = told.format("a", "12:00", "1 s"), told.format("a", "12:00", "2 s")
    assert mark_of(now) == mark_of(later)
    assert mark_of(now) != mark_of(told.format("b", "12:00", "1 s"))
    assert mark_of(now) != mark_of(told.format("a", "12:01", "1 s"))


def test_csv_is_a_file_of_the_ratings_found(ground: Ground, there: RatingGround) -> None:
    answer = ground.client(Role.SUPPORT).get("/ratings.csv?q=eve+miller")
    assert answer.headers["Content-Disposition"] == "attachment; filename=ratings.csv"
    assert answer.text.count("\n") == 3
    assert "eve.miller@example.com" in answer.text


@pytest.mark.parametrize(
    "query", ["state=nonsense", "after=x", "after=9999999999999999999", "site=-1", "site=%D9%A1"]
)
def test_address_that_says_nonsense_gets_a_sentence(ground: Ground, query: str) -> None:
    answer = ground.client(Role.SUPPORT).get(f"/ratings?q=a&{query}")
    assert answer.status_code == 400
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("path", ["/ratings/999999", "/ratings/delivery/999999"])
def test_rating_that_is_not_there_gets_a_sentence(ground: Ground, path: str) -> None:
    answer = ground.client(Role.SUPPORT).get(path)
    assert answer.status_code == 404
    assert "Search for" in answer.text


def test_support_person_undoes_an_overwrite(ground: Ground, there: RatingGround) -> None:
    """What the form stores is a decision for a worker, with who and why."""
    support, page = ground.client(Role.SUPPORT), f"/ratings/{there.eve}"
    assert "/activity/1/undo" in support.get(page).text
    fields = {"why": "the owner asked", "rating": there.eve}
    told = support.told(support.send("/activity/1/undo", fields, page))
    assert "h1 is being undone" in told
    assert "A person decided about it" in support.get(page).text
    again = support.send("/activity/1/undo", fields, page)
    assert again.status_code == 409
    assert "another decision about this rating is on its way" in again.text


def test_each_decision_of_a_page_reaches_its_rating(ground: Ground, there: RatingGround) -> None:
    there.hold_link(42)
    support, page = ground.client(Role.SUPPORT), f"/ratings/{there.eve}"
    shown = support.get(page).text
    assert "Take one side as it is" in shown
    told = support.told(support.send(f"{page}/compare", {}, page))
    assert "Both sides are looked at now" in told
    fields = {"side": "wix", "attribute": "overall", "value": "80", "why": "as Wix has it"}
    late = support.send(f"{page}/make", fields | {"version": 1}, page)
    assert late.status_code == 409
    assert "since you looked" in late.text
    wrong = support.send(f"{page}/make", fields | {"value": "many"}, page)
    assert (wrong.status_code, "no number" in wrong.text) == (400, True)
    assert support.send(f"{page}/make", fields | {"why": " "}, page).status_code == 409
    told = support.told(support.send(f"{page}/make", fields, page))
    assert "Both sides are made the same" in told


def test_stopped_rating_is_let_go_on(ground: Ground, there: RatingGround) -> None:
    support, page = ground.client(Role.SUPPORT), f"/ratings/{there.eve}"
    assert "is being stopped" in support.told(support.send(f"{page}/stop", {"why": "w"}, page))
    early = support.send(f"{page}/go-on", {"why": "w"}, page)
    assert (early.status_code, "nobody has stopped" in early.text) == (409, True)


def test_held_delivery_of_a_rating_is_released_where_it_is_seen(
    ground: Ground, there: RatingGround
) -> None:
    inbox_id, page = there.hold_link(42), f"/ratings/{there.eve}"
    support = ground.client(Role.SUPPORT)
    assert f"{page}/release" in support.get(page).text
    told = support.told(support.send(f"{page}/release", {"delivery": inbox_id}, page))
    assert "goes back to work" in told
    told = support.told(support.send(f"{page}/release", {"delivery": there.held}, page))
    assert "not held any more" in told
    assert ground.client(Role.VIEWER).send(f"{page}/release", {}, "/ratings").status_code == 403


def test_decisions_are_offered_and_taken_from_who_may_alone(
    ground: Ground, there: RatingGround
) -> None:
    viewer, page = ground.client(Role.VIEWER), f"/ratings/{there.eve}"
    assert f"{page}/compare" not in viewer.get(page).text
    assert "/undo" not in viewer.get("/activity").text
    assert viewer.send(f"{page}/compare", {}, "/ratings").status_code == 403
    assert viewer.send("/activity/1/undo", {"why": "w"}, "/ratings").status_code == 403
    stranger = ground.client(Role.OWNER, there.other_site)
    for path in (f"{page}/compare", f"{page}/stop", f"{page}/go-on", "/activity/1/undo"):
        answer = stranger.send(path, {"why": "w"}, "/ratings")
        assert answer.status_code == 404, path
        assert "Blue Teapot" not in answer.text


def test_undo_of_words_is_offered_while_the_history_has_them(
    ground: Ground, there: RatingGround
) -> None:
    support = ground.client(Role.SUPPORT)
    assert "/activity/2/undo" in support.get("/activity").text
    forget_words(ground)
    page = support.get("/activity").text
    assert "/activity/2/undo" not in page
    assert "forgotten by now" in page
