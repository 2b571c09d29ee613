"""The pages Ratings, One rating and Activity, as a browser asks for them."""

from __future__ import annotations

import pytest

from sync_worker.services.access.who import Role
from tests.integration.console.ground import Ground
from tests.integration.console.rating_ground import RatingGround


@pytest.fixture
def there(ground: Ground) -> RatingGround:
    return RatingGround(ground.parts.transactions.engine)


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
