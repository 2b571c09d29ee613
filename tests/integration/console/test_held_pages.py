"""Needs you and On its way, as a browser sees them: roles, scopes, hostile words, acts."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import event

from sync_worker.core.values import SiteState
from sync_worker.services.access.who import Role
from tests.integration.console.ground import Browser, Ground
from tests.integration.console.held_shop import HOSTILE, HeldShop

pytestmark = pytest.mark.full


@pytest.fixture
def shop(ground: Ground) -> HeldShop:
    return HeldShop(ground.admin)


@pytest.fixture
def support(ground: Ground) -> Browser:
    return ground.client(Role.SUPPORT)


def words_of(page: str) -> str:
    """What a person reads, in one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.split("<main")[1]))


# -- looking


def test_nothing_held_is_said_in_one_sentence(support: Browser, shop: HeldShop) -> None:
    assert "Nothing is held." in words_of(support.get("/held").text)
    assert "Nothing waits." in words_of(support.get("/waiting").text)


def test_groups_lead_to_rows_and_a_row_to_what_came(support: Browser, shop: HeldShop) -> None:
    number = shop.hold("unknown_entity")
    assert 'href="/held/unknown_entity"' in support.get("/held").text
    group = support.get("/held/unknown_entity").text
    told = words_of(group)
    assert "Ada Lovelace ada@example.com" in told
    assert "SKU-1" in told
    assert f'href="/held/{number}"' in group
    row = words_of(support.get(f"/held/{number}").text)
    assert "Ada Lovelace · SKU-1" in row
    assert "Fine beans" in row
    assert "Expected: 1 will stay." in row


def test_words_of_a_review_are_text_and_nothing_else(support: Browser, shop: HeldShop) -> None:
    number = shop.hold("unknown_entity", name=HOSTILE, words=HOSTILE, product=HOSTILE)
    for path in ("/held", "/held/unknown_entity", f"/held/{number}"):
        page = support.get(path).text
        assert HOSTILE not in page
    assert "&lt;script&gt;alert(&#39;mine&#39;)&lt;/script&gt;" in page


def test_code_of_advice_stands_as_code(support: Browser, shop: HeldShop) -> None:
    shop.hold("unknown_entity")
    assert "<code>map entities import FILE</code>" in support.get("/held/unknown_entity").text


def test_filters_narrow_the_rows_and_stay_in_the_forms(support: Browser, shop: HeldShop) -> None:
    shop.hold("unknown_contact", address="bob@example.com", name="Bob")
    shop.hold("unknown_contact")
    page = support.get("/held/unknown_contact?person=bob@example.com").text
    assert "Bob" in words_of(page)
    assert "Ada Lovelace" not in words_of(page)
    assert '<input type="hidden" name="person" value="bob@example.com">' in page
    empty = words_of(support.get("/held?person=nobody@example.com").text)
    assert "Nothing that fits is held." in empty


def test_pages_go_on_behind_a_key(support: Browser, shop: HeldShop) -> None:
    for at in range(52):
        shop.hold("refused", name=f"person {at:02}")
    first = support.get("/held/refused").text
    assert "person 49" in first
    assert "person 50" not in first
    following = re.search(r'href="(/held/refused\?after=\d+)"', first)
    assert following is not None
    assert "person 51" in support.get(following[1]).text


@pytest.mark.parametrize(
    "path",
    [
        "/held/999999999999",
        "/held/99999999999999999999999",
        "/held?site=12345678901234567890123",
        "/held?site=-1&age=x&side=moon&person=%00%ff",
        "/held/no_such_reason",
        "/held/refused?after=9999999999999999999999",
        "/held/%3Cscript%3E",
        "/waiting?site=77",
    ],
)
def test_odd_addresses_are_answered_calmly(path: str, support: Browser, shop: HeldShop) -> None:
    assert support.get(path).status_code in (200, 404)


def test_no_page_counts_all_deliveries(ground: Ground, support: Browser, shop: HeldShop) -> None:
    number = shop.hold("unknown_entity")
    shop.wait("reviews 503: not well")
    asked: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        asked.append(statement)

    event.listen(ground.parts.transactions.engine, "before_cursor_execute", note)
    for path in ("/held", "/held/unknown_entity?preview=1", f"/held/{number}", "/waiting"):
        assert support.get(path).status_code == 200
    event.remove(ground.parts.transactions.engine, "before_cursor_execute", note)
    of_inbox = [text for text in asked if "FROM inbox" in text]
    assert of_inbox
    assert [text for text in of_inbox if "LIMIT" not in text and "min(inbox" not in text] == [
        text for text in of_inbox if "inbox.id = " in text and "LIMIT" not in text
    ]
    assert not [text for text in of_inbox if re.search(r"count\(\*\)\W+FROM inbox", text)]


# -- who may


def test_viewer_sees_no_address_and_no_button(ground: Ground, shop: HeldShop) -> None:
    number = shop.hold("unknown_contact", name=None)
    viewer = ground.client(Role.VIEWER)
    for path in ("/held/unknown_contact", f"/held/{number}"):
        page = viewer.get(path).text
        assert "ada@example.com" not in page
        assert "a…@example.com" in page
        assert 'method="post" action="/held' not in page
    for path in ("release", "drop", "contact"):
        assert viewer.send(f"/held/{number}/{path}", {"why": "x"}).status_code == 403
    assert viewer.send("/held/unknown_contact/release").status_code == 403
    assert shop.state(number) == "held"


def test_owner_reaches_their_own_site_alone(ground: Ground, shop: HeldShop) -> None:
    mine = shop.hold("refused", name="Mia")
    theirs = shop.hold("refused", name="Theo", source="other-service")
    owner = ground.client(Role.OWNER, 1)
    page = words_of(owner.get("/held/refused").text)
    assert "Mia" in page
    assert "Theo" not in page
    assert owner.get("/held/refused?site=2").status_code in (403, 404)
    assert owner.get(f"/held/{theirs}").status_code == 404
    answer = owner.send(f"/held/{theirs}/release", shown_at=f"/held/{mine}")
    assert answer.status_code == 404
    assert "Theo" not in answer.text
    owner.send("/held/refused/chosen", {"number": [mine, theirs]}, shown_at="/held/refused")
    assert (shop.state(mine), shop.state(theirs)) == ("new", "held")


# -- acting


def test_release_tells_what_it_did_and_the_second_one_is_too_late(
    ground: Ground, support: Browser, shop: HeldShop
) -> None:
    number, shown_at = shop.hold("refused"), "/held/refused"
    answer = support.send(f"/held/{number}/release", {"reason": "refused"}, shown_at=shown_at)
    assert answer.headers["Location"].startswith("/held/refused?done=")
    assert "1 goes on now." in words_of(support.told(answer))
    other = ground.client(Role.ADMIN)
    late = other.send(f"/held/{number}/release")
    assert late.status_code == 409
    assert "some support released it at" in words_of(late.text)


def test_group_is_released_with_its_preview_before(support: Browser, shop: HeldShop) -> None:
    numbers = [shop.hold("refused") for _ in range(3)]
    page = words_of(support.get("/held/refused?preview=1").text)
    assert "Expected: 3 will be tried." in page
    answer = support.send("/held/refused/release", shown_at="/held/refused")
    assert "3 go on now." in words_of(support.told(answer))
    assert {shop.state(number) for number in numbers} == {"new"}


def test_drop_of_a_group_asks_for_the_number_and_a_reason(support: Browser, shop: HeldShop) -> None:
    number = shop.hold("refused")
    path, at = "/held/refused/drop", "/held/refused"
    assert support.send(path, {"why": "old"}, shown_at=at).status_code == 400
    assert support.send(path, {"count": "1", "why": " "}, shown_at=at).status_code == 422
    answer = support.send(path, {"count": "1", "why": "old"}, shown_at=at)
    assert "1 is dropped." in words_of(support.told(answer))
    (line,) = shop.admin.questions.history()
    assert (line.entry.actor, line.entry.inbox_id) == ("some support", number)


def test_deletes_are_released_with_their_number_only(support: Browser, shop: HeldShop) -> None:
    number = shop.hold("delete_brake")
    path, at = "/held/delete_brake/release", "/held/delete_brake"
    assert support.send(path, shown_at=at).status_code == 400
    assert "5 % of the links" in words_of(support.get(at).text)
    assert support.send(path, {"count": "1"}, shown_at=at).status_code == 303
    assert shop.state(number) == "new"


def test_product_is_mapped_in_place(support: Browser, shop: HeldShop) -> None:
    first, second = shop.hold("unknown_entity"), shop.hold("unknown_entity")
    page = support.get(f"/held/{first}").text
    assert "2 held ones wait for it." in words_of(page)
    fields = {"entity_id": "beans", "reason": "unknown_entity"}
    answer = support.send(f"/held/{first}/map", fields, shown_at=f"/held/{first}")
    told = words_of(support.told(answer))
    assert "beans on Wix is SKU-1 outside now; 2 held ones go on now." in told
    assert "Nothing is held for this reason any more." in told
    assert {shop.state(number) for number in (first, second)} == {"new"}
    again = support.send(f"/held/{first}/map", fields, shown_at="/held")
    assert again.status_code == 409


def test_contact_is_added_in_place(support: Browser, shop: HeldShop) -> None:
    number = shop.hold("unknown_contact")
    fields = {"contact_id": "contact-1", "reason": "unknown_contact"}
    answer = support.send(f"/held/{number}/contact", fields, shown_at=f"/held/{number}")
    assert "The contact is added; 1 held one goes on now." in words_of(support.told(answer))


def test_side_is_chosen_for_a_rating_that_differs(
    ground: Ground, support: Browser, shop: HeldShop
) -> None:
    number = shop.hold("first_difference")
    shop.link(number)
    page = words_of(support.get(f"/held/{number}").text)
    assert "Which side is right? Wix: 100 The other side: 4" in page
    path, at = f"/held/{number}/choose", f"/held/{number}"
    assert support.send(path, {"side": "moon", "why": "x"}, shown_at=at).status_code == 400
    answer = support.send(path, {"side": "wix", "why": "asked her"}, shown_at=at)
    assert "Wix is right: a worker brings both sides there" in words_of(support.told(answer))
    (decided,) = shop.decisions()
    assert decided == "decide"
    assert ground.client(Role.VIEWER).send(path, {"side": "wix"}, shown_at=at).status_code == 403
    owner = ground.client(Role.OWNER, 2)
    assert owner.send(path, {"side": "wix", "why": "x"}, shown_at="/held").status_code == 404


def test_what_waits_is_tried_now(support: Browser, shop: HeldShop) -> None:
    shop.wait("reviews 503: the remote is not well")
    page = support.get("/waiting").text
    told = words_of(page)
    assert "reviews 1 answers 503: the remote is not well." in told
    assert "in 10 min" in told
    path = re.search(r'action="(/waiting/\w+/now)"', page)
    assert path is not None
    answer = support.send(path[1], shown_at="/waiting")
    assert "1 is tried within seconds." in words_of(support.told(answer))
    assert "Next try now" in words_of(support.get("/waiting").text)


def test_paused_site_says_that_nothing_of_it_would_move(support: Browser, shop: HeldShop) -> None:
    shop.hold("refused")
    shop.admin.sites.set_state(1, SiteState.PAUSED)
    page = words_of(support.get("/held/refused?preview=1").text)
    assert "Expected: 1 will stay." in page
    assert "the site is paused" in page
