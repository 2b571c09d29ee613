"""Search: by all that a person may have at hand, of who may look, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, update

from sync_worker.ledger.database import open_engine
from sync_worker.ledger.tables import contact_map, history, intent
from sync_worker.services.access.who import COMMAND, Forbidden, Role, Who
from sync_worker.services.ratings.activity import ActivityFilter
from sync_worker.services.ratings.search import RatingFilter, Standing
from tests.factories import an_intent
from tests.integration.console.rating_ground import EVE, RatingGround
from tests.integration.ledger.ground import BOB

pytestmark = pytest.mark.full

VIEWER, SUPPORT = Who("vera", Role.VIEWER), Who("sam", Role.SUPPORT)


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = open_engine(request.getfixturevalue(request.param))
    yield engine
    engine.dispose()


@pytest.fixture
def ground(engine: Engine) -> RatingGround:
    return RatingGround(engine)


def owner(site_id: int) -> Who:
    return Who("owner", Role.OWNER, site_id)


def test_rating_is_found_by_what_a_person_has_at_hand(ground: RatingGround) -> None:
    for word in [
        "eve.miller@example.com",
        " EVE.Miller@Example.com",
        "eve mill",
        "contact-eve",
        "e41",
        "w41",
        "instance-1",
    ]:
        found = ground.search.find(owner(ground.site_id), word)
        assert [one.link_id for one in found.ratings] == [ground.eve], word


def test_ratings_of_a_product_are_found_by_id_or_title(ground: RatingGround) -> None:
    for word in ["product-1", "sku-1", "blue tea", "BLUE", "produ"]:
        found = ground.search.find(owner(ground.site_id), word)
        assert [one.link_id for one in found.ratings] == [ground.eve]


def test_short_ids_that_we_print_are_found(ground: RatingGround, engine: Engine) -> None:
    run = ground.ledger.link(BOB, 3)
    ground.ledger.ledger.links.open_intent(
        run.lease, an_intent("0badcafe-1111-4222-8333-444455556666")
    )
    with engine.connect() as connection:
        line = connection.execute(select(history.c.id).limit(1)).scalar_one()
        assert connection.execute(select(intent.c.id)).scalar_one().startswith("0badcafe")
    delivery = run.deliveries[0].id
    for word, wanted in {
        f"r{ground.eve}": ground.eve,
        f"R{ground.eve}": ground.eve,
        f"h{line}": ground.eve,
        f"#{delivery}": run.link.id,
        "0badcafe": run.link.id,
        "0BADCAFE-1111": run.link.id,
    }.items():
        assert [one.link_id for one in ground.search.find(COMMAND, word).ratings] == [wanted], word


def test_delivery_without_a_rating_is_found_and_says_why(ground: RatingGround) -> None:
    for word in [
        "stranger51@example.com",
        "Stranger51@example.com",
        "eve str",
        "review-51",
        "revi",
        "sku-1",
    ]:
        (one,) = ground.search.find(SUPPORT, word).deliveries
        assert (one.inbox_id, one.person, one.product) == (
            ground.held,
            "Eve Stranger",
            "Blue Teapot",
        )
        assert one.because == "nobody on the Wix site has this address"
        (numbered,) = ground.search.find(SUPPORT, one.number).deliveries
        assert numbered == one


def test_former_form_of_an_address_is_found(ground: RatingGround) -> None:
    """An earlier version folded all letters."""
    ground.ledger.ledger.put_on_file_before(ground.site_id, EVE.contact_id, "strasse@example.com")
    found = ground.search.find(SUPPORT, "straße@example.com")
    assert [one.link_id for one in found.ratings] == [ground.eve]


def test_owner_finds_nothing_of_another_site(ground: RatingGround) -> None:
    for word in ("eve", "w61", f"r{ground.other}", "contact-eve-2", "product-7", "instance-2"):
        for found in (ground.search.find(owner(ground.site_id), word),):
            assert ground.other not in [one.link_id for one in found.ratings], word
    assert ground.search.find(owner(ground.other_site), f"#{ground.held}").deliveries == ()
    with pytest.raises(Forbidden):
        ground.search.find(owner(ground.site_id), "eve", RatingFilter(site_id=ground.other_site))
    assert ground.ratings.one(owner(ground.site_id), ground.other) is None
    assert ground.ratings.delivery(owner(ground.other_site), ground.held) is None
    lines = ground.activity.page(owner(ground.other_site)).lines
    assert [one for one in lines if one.site_id != ground.other_site] == []


def test_viewer_sees_addresses_in_part(ground: RatingGround) -> None:
    (one,) = ground.search.find(VIEWER, "e41").ratings
    assert (one.email, one.person) == ("e…@example.com", "Eve Miller")
    assert ground.search.find(SUPPORT, "e41").ratings[0].email == EVE.email


def test_filters_narrow_a_search_and_stand_alone(ground: RatingGround) -> None:
    ground.hold_link(42)
    soon = datetime.now(UTC) + timedelta(days=1)
    for which, wanted in (
        (RatingFilter(state=Standing.HELD), [ground.eve]),
        (RatingFilter(state=Standing.IN_STEP), [ground.other]),
        (RatingFilter(differs=True), [ground.eve]),
        (RatingFilter(product="sku-7"), [ground.other]),
        (RatingFilter(site_id=ground.site_id), [ground.eve]),
        (RatingFilter(changed_since=datetime(2020, 1, 1, tzinfo=UTC)), [ground.eve]),
        (RatingFilter(changed_since=soon), []),
        (RatingFilter(state=Standing.NOT_LINKED), []),
    ):
        for word in ("", "eve"):
            found = ground.search.find(SUPPORT, word, which)
            assert [one.link_id for one in found.ratings] == wanted, (which, word)
    (alone,) = ground.search.find(SUPPORT, "", RatingFilter(state=Standing.NOT_LINKED)).deliveries
    assert alone.inbox_id == ground.held


def test_pages_follow_each_other_without_gap_or_repetition(
    ground: RatingGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_worker.ledger.ratings.rating_search.PAGE", 2)
    monkeypatch.setattr("sync_worker.ledger.ratings.rating_search.BATCH", 3)
    people = [ground.ledger.link(BOB, 3).link.id, ground.eve, ground.other]
    for word, wanted in (("", people), ("blue tea", people[:2])):
        seen, after = list[int](), None
        for _ in range(9):
            found = ground.search.find(SUPPORT, word, None, after)
            seen += [one.link_id for one in found.ratings]
            after = found.after
            if after is None:
                break
        assert seen == sorted(wanted, reverse=True), word


def test_csv_has_the_keys_of_json_and_no_formula(ground: RatingGround, engine: Engine) -> None:
    head, line = ground.search.as_csv(SUPPORT, "e41")
    assert head.startswith("number,link_id,site_id,site,connector,person,email,")
    assert line.startswith(f"r{ground.eve},{ground.eve},")
    with engine.begin() as connection:
        connection.execute(update(contact_map).values(name='=HYPERLINK("x")'))
    _, line = ground.search.as_csv(SUPPORT, "e41")
    assert "'=HYPERLINK" in line


def test_one_rating_shows_what_differs_and_why(ground: RatingGround) -> None:
    ground.hold_link(42)
    one = ground.ratings.one(SUPPORT, ground.eve)
    assert one is not None
    (stars,) = [each for each in one.attributes if each.name == "overall"]
    assert (stars.wix, stars.external, stars.differs) == ("80", "2", True)
    assert (stars.base_wix, stars.base_external) == ("80", "4")
    assert "differ" in stars.why
    assert one.rating.state == "held"
    assert [each.reason for each in one.held] == ["first_difference"]
    kinds = [step.kind for step in one.timeline]
    assert {"webhook", "write", "held", "end"} <= set(kinds)
    urls = [step.tasks_url for step in one.timeline if step.tasks_url]
    assert urls[0].startswith(
        "http://flower.test/tasks?name=sync_worker.tasks.sync_delivery%20args"
    )


def test_activity_tells_what_was_overwritten(ground: RatingGround) -> None:
    lines = ground.activity.page(SUPPORT, ActivityFilter(overwritten=True)).lines
    assert [(one.attribute, one.lost, one.can_undo) for one in lines][1] == ("overall", "40", True)
    assert lines[1].what == "Changed on Wix"
    assert not any(one.can_undo for one in ground.activity.page(VIEWER).lines)
    assert ground.activity.page(SUPPORT, ActivityFilter(actor="nobody")).lines == ()
